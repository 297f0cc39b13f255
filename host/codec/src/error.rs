/// Why a block could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end in the middle.
    #[error("the encoded block ends too early")]
    Short,
    /// There is more than a block in the bytes.
    #[error("{0} bytes follow the encoded block")]
    Long(usize),
    /// Written by a newer Tidegate, or damaged.
    #[error("unknown {0} in an encoded block: it is damaged, or this host is too old for it")]
    Unknown(&'static str),
    /// What was decoded has another length than it should.
    #[error("{got} bytes instead of {want}")]
    Length {
        /// Bytes that came out.
        got: usize,
        /// Bytes that were asked for.
        want: usize,
    },
    /// The block is a difference, and what it differs from was not given.
    #[error("the block needs {0} that it was made from")]
    Missing(&'static str),
    /// zstd says no.
    #[error("zstd: {0}")]
    Zstd(&'static str),
    /// No memory for a context of zstd.
    #[error("no memory for zstd")]
    Memory,
}
