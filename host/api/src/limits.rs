use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the host's transfers to and from the object target may use together. Restores go before everything else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes a second to the target, 16384 or more; null or absent: no bound.
    pub upload_rate: Option<u64>,
    /// Bytes a second from the target, 16384 or more; null or absent: no bound.
    pub download_rate: Option<u64>,
    /// Requests a second, 1 or more; null or absent: no bound.
    pub requests: Option<u64>,
}
