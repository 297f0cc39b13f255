use crate::Error;

/// Bytes from elsewhere that a stretch can be kept as a difference from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// The same bytes of an earlier checkpoint, as many as the stretch has.
    pub base: Option<&'a [u8]>,
    /// For bf16 words: the fp32 words that they may be roundings of, twice as many bytes.
    pub wide: Option<&'a [u8]>,
}

impl<'a> Given<'a> {
    /// What is given for the first `bytes` of a stretch.
    pub(crate) fn first(self, bytes: usize) -> Self {
        Self {
            base: self.base.and_then(|base| base.get(..bytes)),
            wide: self.wide.and_then(|wide| wide.get(..bytes.saturating_mul(2))),
        }
    }

    pub(crate) fn base_of(&self, bytes: usize) -> Result<&'a [u8], Error> {
        self.base.filter(|base| base.len() == bytes).ok_or(Error::Missing("the base"))
    }

    pub(crate) fn wide_of(&self, bytes: usize) -> Result<&'a [u8], Error> {
        self.wide.filter(|wide| wide.len() == bytes.saturating_mul(2)).ok_or(Error::Missing("the fp32 words"))
    }
}
