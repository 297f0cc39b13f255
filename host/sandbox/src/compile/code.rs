use wasmtime::{Engine, component::Component};

/// Machine code that this host has made: in this process, in its worker, or before and proven by the cache's key. There
/// is no other way to get one, which is what makes loading it sound.
pub(crate) struct Code(Vec<u8>);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({} bytes)", self.0.len())
    }
}

impl Code {
    /// Compiles in this process.
    pub(super) fn here(engine: &Engine, component: &[u8]) -> wasmtime::Result<Self> {
        engine.precompile_component(component).map(Self)
    }

    /// What a worker of this host answered.
    pub(super) fn of_worker(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What stood in the cache, after its authenticator was checked against the host's key.
    pub(crate) fn of_cache(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be kept or sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The component. Its bytes are copied into memory of its own: no file is mapped that could change underneath.
    pub(super) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        #[expect(unsafe_code, reason = "the bytes are what `precompile_component` returned on this host; see the type")]
        // SAFETY: `deserialize` asks that the bytes come from `precompile_component` unchanged. Every way to make a
        // `Code` is above, and each is such bytes; that they are for this engine, wasmtime checks itself.
        unsafe {
            Component::deserialize(engine, &self.0)
        }
    }
}
