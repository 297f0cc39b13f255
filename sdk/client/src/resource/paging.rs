use crate::transport::Call;

/// Which page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    /// Items a page, 1 to 1000. Default = the host's: 100.
    pub limit: Option<usize>,
    /// The `next` of the page before. Default = the first page.
    pub page: Option<String>,
}

impl Paging {
    /// The first page, of so many items.
    pub fn first(limit: usize) -> Self {
        Self { limit: Some(limit), page: None }
    }

    pub(super) fn on(&self, mut call: Call) -> Call {
        if let Some(limit) = self.limit {
            call = call.query("limit", limit);
        }
        if let Some(page) = &self.page {
            call = call.query("page", page);
        }
        call
    }
}
