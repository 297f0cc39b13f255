//! OpenStack Swift with its S3 API, from PyPI: a second S3 server of another make, in four processes on free loopback ports,
//! with its data below one folder. The file system of that folder must keep extended attributes.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use object_store::{aws::AmazonS3Builder, signer::Signer as _};
use tokio::runtime::Builder;

use crate::{
    daemon::{Daemon, on_free_ports},
    http::Request,
    proc,
    venv::{Venv, output},
};

/// The only access key that the server knows.
pub const ACCESS_KEY: &str = "test:tidegate";
/// Its secret.
pub const SECRET_KEY: &str = "tidegate-secret";
/// The bucket that [`Swift::start`] makes.
pub const BUCKET: &str = "checkpoints";

/// Where everything lies: one device, one copy.
const RINGS: &str = r#"
import sys
from swift.common.ring import RingBuilder
from swift.common.utils import set_swift_dir
root = sys.argv[1]
set_swift_dir(root)
for name, port in zip(("account", "container", "object"), map(int, sys.argv[2:])):
    ring = RingBuilder(4, 1, 0)
    at = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "disk", "meta": "", **at})
    ring.rebalance()
    ring.get_ring().save(f"{root}/{name}.ring.gz")
"#;

/// A running server. Dropping it kills the processes; the folder is the caller's.
#[derive(Debug)]
pub struct Swift {
    address: SocketAddr,
    _processes: Vec<Daemon>,
}

impl Swift {
    /// Starts a server with its data below `dir` and makes the bucket.
    ///
    /// # Errors
    /// When the programs cannot be had or do not come up; the error holds the end of a log.
    pub fn start(dir: &Path) -> Result<Self> {
        // The last one is how it learns CRC-64/NVME.
        let venv = Venv::with("swift", &["swift==2.38.3", "anycrc==2.1.0"])?;
        fs::create_dir_all(dir.join("devices/disk"))?;
        let user = output(Command::new("id").arg("-un"))?;
        on_free_ports(|ports: [u16; 4]| {
            configure(dir, user.trim(), ports)?;
            let [proxy, others @ ..] = ports;
            let others = others.map(|port| port.to_string());
            output(Command::new(venv.python()).args(["-c", RINGS]).arg(dir).args(others))?;
            let mut processes = Vec::new();
            for part in ["account", "container", "object", "proxy"] {
                let mut command = proc::command(venv.bin(&format!("swift-{part}-server")));
                command.arg(dir.join(format!("{part}.conf"))).arg("--verbose");
                processes.push(Daemon::spawn(command, dir.join(format!("{part}.log")))?);
            }
            for (process, port) in processes.iter_mut().zip([ports[1], ports[2], ports[3], proxy]) {
                let healthy = || {
                    let request = Request { timeout: Duration::from_secs(5), ..Request::new("GET", "/healthcheck") };
                    request.over_tcp((Ipv4Addr::LOCALHOST, port).into()).is_ok_and(|answer| answer.status == 200)
                };
                process.wait("Swift", healthy)?;
            }
            let server = Self { address: (Ipv4Addr::LOCALHOST, proxy).into(), _processes: processes };
            server.make_bucket()?;
            Ok(server)
        })
    }

    /// The S3 address, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn make_bucket(&self) -> Result<()> {
        let client =
            AmazonS3Builder::new().with_endpoint(self.endpoint()).with_allow_http(true).with_region("us-east-1");
        let client = client.with_bucket_name(BUCKET).with_access_key_id(ACCESS_KEY).with_secret_access_key(SECRET_KEY);
        let client = client.build()?;
        // On a thread of its own: the caller may be in a runtime.
        let sign = || {
            let runtime = Builder::new_current_thread().build()?;
            let whole = object_store::path::Path::default();
            let signed = client.signed_url("PUT".parse()?, &whole, Duration::from_secs(60));
            Ok::<_, anyhow::Error>(runtime.block_on(signed)?)
        };
        let signed = thread::scope(|scope| scope.spawn(sign).join().map_err(|_| anyhow!("signing panicked")))??;
        let path = format!("{}?{}", signed.path(), signed.query().unwrap_or_default());
        let answer = Request::new("PUT", &path).over_tcp(self.address).context("make a bucket")?;
        ensure!(answer.status == 200, "no bucket was made: {} {}", answer.status, answer.text());
        Ok(())
    }
}

fn configure(dir: &Path, user: &str, [proxy, account, container, object]: [u16; 4]) -> Result<()> {
    let root = dir.display();
    fs::write(
        dir.join("swift.conf"),
        "[swift-hash]\nswift_hash_path_suffix = tidegate\n\n[storage-policy:0]\nname = one\ndefault = yes\n",
    )?;
    let common = |port: u16| {
        format!(
            "[DEFAULT]\nswift_dir = {root}\ndevices = {root}/devices\nmount_check = false\nfallocate_reserve = 0\n\
             bind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = {user}\nlog_level = WARNING\n\
             [filter:healthcheck]\nuse = egg:swift#healthcheck\n"
        )
    };
    for (part, port) in [("account", account), ("container", container), ("object", object)] {
        let pipeline = format!(
            "[pipeline:main]\npipeline = healthcheck {part}-server\n[app:{part}-server]\nuse = egg:swift#{part}\n"
        );
        fs::write(dir.join(format!("{part}.conf")), common(port) + &pipeline)?;
    }
    let filters = ["catch_errors", "healthcheck", "listing_formats", "s3api", "tempauth", "slo", "bulk"];
    let mut text = common(proxy) + "[pipeline:main]\npipeline = " + &filters.join(" ") + " proxy-server\n";
    text += "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n";
    for filter in filters.iter().filter(|filter| **filter != "healthcheck") {
        writeln!(text, "[filter:{filter}]\nuse = egg:swift#{filter}")?;
        match *filter {
            "s3api" => text += "location = us-east-1\n",
            "tempauth" => writeln!(text, "user_{} = {SECRET_KEY} .admin", ACCESS_KEY.replace(':', "_"))?,
            _ => {}
        }
    }
    fs::write(dir.join("proxy.conf"), text)?;
    Ok(())
}
