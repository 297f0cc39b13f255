use crate::Error;

/// Bytes from elsewhere that a stretch can be kept as a difference from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// The same bytes of an earlier checkpoint, as many as the stretch has.
    pub base: Option<&'a [u8]>,
    /// For bf16 words: the fp32 words that they may be roundings of, twice as many bytes.
    pub wide: Option<&'a [u8]>,
    /// For second moments and weights in fp32: the first moments of this step, as many bytes.
    pub first: Option<&'a [u8]>,
    /// For second moments: the first moments of the base.
    pub first_before: Option<&'a [u8]>,
    /// For weights: the second moments of this step.
    pub second: Option<&'a [u8]>,
}

impl<'a> Given<'a> {
    /// What is given for the first `bytes` of a stretch.
    pub(crate) fn first(self, bytes: usize) -> Self {
        let cut = |given: Option<&'a [u8]>| given.and_then(|given| given.get(..bytes));
        Self {
            base: cut(self.base),
            wide: self.wide.and_then(|wide| wide.get(..bytes.saturating_mul(2))),
            first: cut(self.first),
            first_before: cut(self.first_before),
            second: cut(self.second),
        }
    }
}

/// What is given, if it is as long as it must be.
pub(crate) fn of<'a>(given: Option<&'a [u8]>, bytes: usize, what: &'static str) -> Result<&'a [u8], Error> {
    given.filter(|given| given.len() == bytes).ok_or(Error::Missing(what))
}
