use hyper::Method;
use tidegate_api::Limits;

use crate::{Client, Error, transport::Call};

impl Client {
    /// What the host's transfers to and from the object target may use together.
    ///
    /// # Errors
    /// The host can't be reached.
    pub async fn limits(&self) -> Result<Limits, Error> {
        self.ask(Call::get(&["v1", "target", "limits"])).await
    }

    /// Changes all of it; what is none is not bounded. It holds at once, and until the host restarts.
    ///
    /// # Errors
    /// `TG0003` for a rate that is too low.
    pub async fn set_limits(&self, limits: &Limits) -> Result<Limits, Error> {
        self.ask(Call::new(Method::PUT, &["v1", "target", "limits"]).json(limits)?).await
    }
}
