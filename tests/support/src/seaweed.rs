//! SeaweedFS: a real S3 server of the test's own, on free loopback ports, with its data below one folder.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use object_store::aws::AmazonS3Builder;

use crate::{http::Request, ports, proc, venv::tools_venv, wait};

/// The only access key that the server knows.
pub const ACCESS_KEY: &str = "tidegate";
/// Its secret.
pub const SECRET_KEY: &str = "tidegate-secret";
/// The bucket that [`SeaweedFs::start`] makes.
pub const BUCKET: &str = "checkpoints";

/// How long a start may take; usually it takes four seconds.
const START: Duration = Duration::from_secs(60);
/// How often other ports are tried when someone else took one.
const ATTEMPTS: usize = 3;

/// A running server. Dropping it kills the process; the folder is the caller's.
#[derive(Debug)]
pub struct SeaweedFs {
    weed: PathBuf,
    dir: PathBuf,
    ports: Ports,
    process: Option<proc::Guard>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    s3: u16,
    filer: u16,
    /// The ports of the other parts, and of everyone's gRPC.
    others: [u16; 6],
}

impl SeaweedFs {
    /// Starts a server with its data below `dir`, waits until it takes writes, and makes the bucket.
    ///
    /// # Errors
    /// When the program cannot be had or does not come up; the error holds the end of its log.
    pub fn start(dir: &Path) -> Result<Self> {
        let weed = tools_venv()?.bin("weed");
        fs::create_dir_all(dir.join("data"))?;
        let identity = serde_json::json!({ "identities": [{
            "name": "tidegate",
            "credentials": [{ "accessKey": ACCESS_KEY, "secretKey": SECRET_KEY }],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }]});
        fs::write(dir.join("s3.json"), identity.to_string())?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let [s3, filer, others @ ..] = ports::free::<8>()?;
            let ports = Ports { s3, filer, others };
            let mut server = Self { weed: weed.clone(), dir: dir.into(), ports, process: None };
            match server.restart() {
                Ok(()) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        bail!("SeaweedFS does not start: {:?}", last)
    }

    /// The S3 address, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The S3 address for a proxy before it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.s3).into()
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// An object store client for the bucket at `endpoint`: the server's own, or a proxy's.
    pub fn client(&self, endpoint: &str) -> AmazonS3Builder {
        let client = AmazonS3Builder::new().with_endpoint(endpoint).with_allow_http(true).with_region("us-east-1");
        client.with_bucket_name(BUCKET).with_access_key_id(ACCESS_KEY).with_secret_access_key(SECRET_KEY)
    }

    /// The environment that makes a child process use `endpoint` with this server's keys.
    #[must_use]
    pub fn env(&self, endpoint: &str) -> [(&'static str, String); 7] {
        [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_DEFAULT_REGION", "us-east-1".into()),
            ("AWS_ENDPOINT", endpoint.into()),
            ("AWS_ENDPOINT_URL", endpoint.into()),
            ("AWS_ALLOW_HTTP", "true".into()),
        ]
    }

    /// The server's process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(proc::Guard::pid)
    }

    /// Stops it as an operator does. What was stored stays in the folder.
    ///
    /// # Errors
    /// When it does not end in time; it is gone all the same.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.terminate(Duration::from_secs(30)).map(drop))
    }

    /// Stops it with SIGKILL.
    pub fn kill9(&mut self) {
        self.process = None;
    }

    /// Makes it stand still, as a server that hangs, until [`SeaweedFs::resume`].
    pub fn pause(&self) {
        self.process.iter().for_each(proc::Guard::pause);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.iter().for_each(proc::Guard::resume);
    }

    /// Starts it again on the same ports and the same data, and waits until it takes writes. A running one is stopped first.
    ///
    /// # Errors
    /// When it does not come up; the error holds the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.process = Some(self.spawn()?);
        let ready = self.wait_ready();
        ready.with_context(|| format!("SeaweedFS in {}: {}", self.dir.display(), self.log_tail()))
    }

    fn spawn(&self) -> Result<proc::Guard> {
        let Ports { s3, filer, others: [s3_grpc, filer_grpc, master, master_grpc, volume, volume_grpc] } = self.ports;
        let dir = self.dir.display();
        let mut command = proc::command(&self.weed);
        command.current_dir(&self.dir).args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
        command.args(["-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"]);
        command.args([format!("-dir={dir}/data"), format!("-s3.config={dir}/s3.json")]);
        command.args([format!("-filer.localSocket={dir}/filer.sock"), format!("-s3.localSocket={dir}/s3.sock")]);
        for (flag, port) in [
            ("s3.port", s3),
            ("s3.port.grpc", s3_grpc),
            ("filer.port", filer),
            ("filer.port.grpc", filer_grpc),
            ("master.port", master),
            ("master.port.grpc", master_grpc),
            ("volume.port", volume),
            ("volume.port.grpc", volume_grpc),
        ] {
            command.arg(format!("-{flag}={port}"));
        }
        // Says nothing to anyone, takes no disk before there is data, ends at once, and works on a disk that is nearly full.
        command.args(["-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-master.electionTimeout=1s"]);
        command.args(["-volume.max=100", "-volume.minFreeSpace=100MiB", "-volume.preStopSeconds=0"]);
        proc::log_to(&mut command, &self.dir.join("weed.log"))?;
        proc::Guard::spawn(command)
    }

    /// Up is not ready: a bucket must be there and a file must find a volume to go to.
    fn wait_ready(&mut self) -> Result<()> {
        let (s3, filer) = (self.address(), SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.filer)));
        let process = &mut self.process;
        let (bucket, probe) = (format!("/buckets/{BUCKET}/"), format!("/buckets/{BUCKET}/.ready"));
        wait::until("SeaweedFS to take writes", START, || {
            if let Some(status) = process.as_mut().and_then(|p| p.try_wait().transpose()).transpose()? {
                bail!("it ended with {status}");
            }
            let answers = |address, method, path: &str, wanted: fn(u16) -> bool| {
                let request = Request { body: b"ready", timeout: Duration::from_secs(5), ..Request::new(method, path) };
                request.over_tcp(address).is_ok_and(|r| wanted(r.status))
            };
            fn success(status: u16) -> bool {
                (200..300).contains(&status)
            }
            let ready = answers(s3, "GET", "/healthz", success)
                // 409 says that it is there already.
                && answers(filer, "POST", &bucket, |status| success(status) || status == 409)
                && answers(filer, "PUT", &probe, success)
                && answers(filer, "DELETE", &probe, success)
                // Known and closed to strangers; an unknown bucket is 404.
                && answers(s3, "GET", &format!("/{BUCKET}"), |status| status == 403);
            Ok(ready.then_some(()))
        })
    }

    /// The end of the server's log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.dir.join("weed.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl Drop for SeaweedFs {
    fn drop(&mut self) {
        self.process = None;
        // The server leaves a socket in /tmp for each of its gRPC ports.
        let [s3, filer, master, volume] = {
            let [s3, filer, _, master, _, volume] = self.ports.others;
            [("s3", s3), ("filer", filer), ("master", master), ("volume", volume)]
        };
        for (part, port) in [s3, filer, master, volume] {
            let _ = fs::remove_file(format!("/tmp/seaweedfs-{part}-grpc-{port}.sock"));
        }
    }
}
