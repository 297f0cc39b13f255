//! S3 servers for development that do not keep all that S3 promises, from PyPI: what a target must notice before it trusts one.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::{Result, ensure};

use crate::{
    daemon::{Daemon, on_free_ports},
    http::Request,
    proc,
    venv::{Venv, rclone_venv},
};

/// The access key that the server takes.
pub const ACCESS_KEY: &str = "tidegate";
/// Its secret.
pub const SECRET_KEY: &str = "tidegate-secret";
/// The bucket that is there.
pub const BUCKET: &str = "checkpoints";

/// A running server. Dropping it kills the process; the folder is the caller's.
#[derive(Debug)]
pub struct Loose {
    address: SocketAddr,
    _process: Daemon,
}

impl Loose {
    /// Moto, which has S3's conditions and looks at no signature.
    ///
    /// # Errors
    /// When the program cannot be had or does not come up; the error holds the end of its log.
    pub fn moto(dir: &Path) -> Result<Self> {
        let venv = Venv::with("moto", &["moto[s3]==5.2.5", "flask", "flask-cors"])?;
        on_free_ports(|[port]| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut command = proc::command(venv.bin("moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            let mut process = Daemon::spawn(command, dir.join("moto.log"))?;
            process.wait("Moto", || Request::new("GET", "/").over_tcp(address).is_ok())?;
            let made = Request::new("PUT", &format!("/{BUCKET}")).over_tcp(address)?;
            ensure!(made.status == 200, "no bucket was made: {}", made.text());
            Ok(Self { address, _process: process })
        })
    }

    /// `rclone serve s3`, which has no conditions.
    ///
    /// # Errors
    /// When the program cannot be had or does not come up; the error holds the end of its log.
    pub fn rclone(dir: &Path) -> Result<Self> {
        let rclone = rclone_venv()?.bin("rclone");
        let data = dir.join("data");
        fs::create_dir_all(data.join(BUCKET))?;
        on_free_ports(|[port]| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut command = proc::command(&rclone);
            command.args(["serve", "s3", "--config", "", "--addr", &address.to_string()]);
            command.arg("--auth-key").arg(format!("{ACCESS_KEY},{SECRET_KEY}")).arg(&data);
            let mut process = Daemon::spawn(command, dir.join("rclone.log"))?;
            process.wait("rclone", || Request::new("GET", "/").over_tcp(address).is_ok())?;
            Ok(Self { address, _process: process })
        })
    }

    /// The S3 address, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}
