use tidegate_api::Health;

use crate::{Client, Error, transport::Call};

impl Client {
    /// What the host says of itself.
    ///
    /// # Errors
    /// The host can't be reached.
    pub async fn health(&self) -> Result<Health, Error> {
        self.ask(Call::get(&["v1", "health"])).await
    }

    /// The OpenAPI document of the host, as JSON text.
    ///
    /// # Errors
    /// The host can't be reached.
    pub async fn openapi(&self) -> Result<String, Error> {
        let bytes = self.bytes(Call::get(&["v1", "openapi.json"])).await?;
        String::from_utf8(bytes.into()).map_err(|error| self.strange(error.to_string()))
    }
}
