//! One sum over all memories and tables of an instance. wasmtime's own limits count each alone.

use wasmtime::ResourceLimiter;

/// Bytes of a table's element in the host.
const ELEMENT_BYTES: usize = size_of::<usize>();

/// What an instance uses, and may.
#[derive(Debug)]
pub(crate) struct Meter {
    used: usize,
    most: usize,
    denied: bool,
}

impl Meter {
    /// For an instance that may use so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { used: 0, most, denied: false }
    }

    /// Bytes of memories and tables; they never shrink.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Bytes that it may use.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Whether it wanted more.
    pub(crate) fn denied(&self) -> bool {
        self.denied
    }

    fn grow(&mut self, by: usize) -> bool {
        let sum = self.used.checked_add(by).filter(|sum| *sum <= self.most);
        self.denied |= sum.is_none();
        self.used = sum.unwrap_or(self.used);
        sum.is_some()
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(ELEMENT_BYTES)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_bound() {
        let mut meter = Meter::new(100_000);
        assert!(meter.memory_growing(0, 65_536, None).unwrap());
        assert!(meter.table_growing(0, 1_000, None).unwrap());
        assert!(!meter.denied());
        assert!(!meter.memory_growing(0, 65_536, None).unwrap());
        assert!(meter.denied());
        assert_eq!(meter.used(), 65_536 + 8_000);
        assert!(meter.table_growing(0, 100, None).unwrap(), "what fits is given after a denial too");
    }

    #[test]
    fn a_growth_beyond_all_numbers_is_denied() {
        let mut meter = Meter::new(1 << 20);
        assert!(!meter.table_growing(0, usize::MAX, None).unwrap());
    }
}
