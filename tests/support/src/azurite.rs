//! Azurite: Microsoft's own emulator of Azure Blob Storage, from npm, on a free loopback port, with its data below one folder.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use object_store::{
    azure::{AzureAccessKey, AzureAuthorizer, AzureCredential},
    client::HttpRequest,
};

use crate::{
    daemon::{Daemon, on_free_ports},
    http::Request,
    npm::Modules,
    proc,
};

/// The account that every Azurite has.
pub const ACCOUNT: &str = "devstoreaccount1";
/// Its key, which is no secret: it is the same everywhere and in Microsoft's documentation.
pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The container that [`Azurite::start`] makes.
pub const CONTAINER: &str = "checkpoints";

/// A running server. Dropping it kills the process; the folder is the caller's.
#[derive(Debug)]
pub struct Azurite {
    address: SocketAddr,
    _process: Daemon,
}

impl Azurite {
    /// Starts a server with its data below `dir` and makes the container.
    ///
    /// # Errors
    /// When the program cannot be had or does not come up; the error holds the end of its log.
    pub fn start(dir: &Path) -> Result<Self> {
        let program = Modules::with("azurite", &["azurite@3.37.0"])?.bin("azurite-blob");
        let data = dir.join("data");
        fs::create_dir_all(&data)?;
        on_free_ports(|[port]| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut command = proc::command(&program);
            command.args(["--blobHost", "127.0.0.1", "--disableTelemetry", "--silent", "--skipApiVersionCheck"]);
            command.arg("--blobPort").arg(port.to_string()).arg("--location").arg(&data).current_dir(dir);
            let mut process = Daemon::spawn(command, dir.join("azurite.log"))?;
            // An answer of any kind, also that nothing is to be seen without a key.
            process.wait("Azurite", || Request::new("GET", "/").over_tcp(address).is_ok())?;
            let server = Self { address, _process: process };
            server.make_container()?;
            Ok(server)
        })
    }

    /// The address for a proxy before it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn make_container(&self) -> Result<()> {
        let path = format!("/{ACCOUNT}/{CONTAINER}?restype=container");
        let mut request = HttpRequest::new(Vec::new().into());
        *request.method_mut() = "PUT".parse()?;
        *request.uri_mut() = format!("http://{}{path}", self.address).parse()?;
        let key = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY)?);
        AzureAuthorizer::new(&key, ACCOUNT).try_authorize(&mut request)?;
        let headers = request.headers().iter().map(|(name, value)| Ok((name.as_str(), value.to_str()?)));
        let headers: Vec<_> = headers.collect::<Result<_>>()?;
        let answer = Request { headers: &headers, ..Request::new("PUT", &path) }.over_tcp(self.address);
        let answer = answer.context("make a container")?;
        ensure!(answer.status == 201, "no container was made: {}", answer.text());
        Ok(())
    }
}
