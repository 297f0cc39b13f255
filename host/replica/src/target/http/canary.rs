//! The body of a request for the *canary* object leaves with one bit flipped, after its checksum was made. A server that
//! takes it does not check checksums.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use object_store::client::{HttpRequest, HttpResponse};

/// What the canary object is meant to hold.
pub(crate) const SONG: &[u8] = b"tidegate asks whether this server checks what it is sent";
/// How its name ends.
pub(crate) const CANARY: &str = "-canary";

/// What the server said to the canary last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canary(Arc<AtomicU16>);

impl Canary {
    /// The status of the last answer; zero before there was one.
    pub(crate) fn answer(&self) -> u16 {
        self.0.load(Ordering::SeqCst)
    }

    /// Notes the answer.
    pub(super) fn answered(&self, response: &HttpResponse) {
        self.0.store(response.status().as_u16(), Ordering::SeqCst);
    }
}

impl PartialEq for Canary {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Canary {}

/// Damages a request for the canary; whether it is one.
pub(super) fn damage(request: &mut HttpRequest) -> bool {
    let canary = request.method().as_str() == "PUT" && request.uri().path().ends_with(CANARY);
    if canary {
        let mut damaged = SONG.to_vec();
        if let Some(byte) = damaged.last_mut() {
            *byte ^= 1;
        }
        *request.body_mut() = damaged.into();
    }
    canary
}
