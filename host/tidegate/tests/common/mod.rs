//! A real `tidegate dev` in a directory of its own, asked over its sockets.

#![allow(dead_code, reason = "each test file uses what it needs")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A running host. Killed when it goes out of scope.
pub(crate) struct Host {
    child: Child,
    /// What it said when it was ready: `socket`, `address`, `bots`, `notes`.
    pub(crate) ready: Value,
}

/// `tidegate` with these arguments, in no environment of the tester's own.
pub(crate) fn tidegate(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args).env_remove("TIDEGATE_SOCKET").env("NO_COLOR", "1").env("TIDEGATE_LOG", "warn");
    command
}

/// What a command printed, and its exit code.
pub(crate) fn output(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

impl Host {
    /// Starts one below `dir`, without bots, and waits until it takes requests.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &["--listen", "127.0.0.1:0", "--plugins", "/nonexistent"])
    }

    pub(crate) fn start_with(dir: &Path, args: &[&str]) -> Self {
        let dir = dir.to_str().unwrap();
        Self::start_by(&mut tidegate(&[&["--json", "dev", "--dir", dir], args].concat()))
    }

    /// Starts one by a command that says in a line of JSON where it is.
    pub(crate) fn start_by(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).expect("it says where it is") }
    }

    /// Starts one by its configuration, which has this after `[host]` and `[object]`, and waits until it takes connections.
    pub(crate) fn run(dir: &Path, rest: &str) -> Self {
        let (file, root) = (dir.join("tidegate.toml"), dir.join("host"));
        fs::write(&file, format!("[host]\nname = \"node\"\ndir = {root:?}\n[object]\nurl = \"memory://\"\n{rest}"))
            .unwrap();
        let mut child = tidegate(&["run", "--config", file.to_str().unwrap()]).spawn().unwrap();
        let socket = root.join("tidegate.sock");
        while UnixStream::connect(&socket).is_err() {
            assert_eq!(child.try_wait().unwrap(), None, "it has ended");
            thread::sleep(Duration::from_millis(20));
        }
        Self { child, ready: serde_json::json!({ "socket": socket }) }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.ready["socket"].as_str().unwrap().into()
    }

    /// Runs a command against it.
    pub(crate) fn command(&self, args: &[&str]) -> (i32, String, String) {
        output(tidegate(args).env("TIDEGATE_SOCKET", self.socket()))
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let (code, out, err) = self.command(&[&["--json"], args].concat());
        assert_eq!(code, 0, "{args:?}: {err}");
        serde_json::from_str(&out).unwrap()
    }

    /// A request over the Unix socket.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &str) -> Answer {
        self.raw(&request(method, target, &[("content-type", "application/json")], body.as_bytes()))
    }

    /// Bytes over the Unix socket.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        exchange(UnixStream::connect(self.socket()).unwrap(), bytes)
    }

    /// Bytes over TCP.
    pub(crate) fn raw_tcp(&self, bytes: &[u8]) -> Answer {
        exchange(TcpStream::connect(self.authority()).unwrap(), bytes)
    }

    /// Its TCP host and port.
    pub(crate) fn authority(&self) -> &str {
        self.ready["address"].as_str().unwrap().strip_prefix("http://").unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Saves one file as one rank; answers the commit.
pub(crate) fn save(host: &Host, run: &str, step: u64, rank: u32, world_size: u32, bytes: &[u8]) -> serde_json::Value {
    let body = format!(r#"{{"run":"{run}","step":{step},"rank":{rank},"world_size":{world_size}}}"#);
    let answer = host.ask("POST", "/v1/saves", &body);
    assert_eq!(answer.status, 201, "{answer:?}");
    let save = answer.json();
    assert!(answer.head.contains(&format!("location: /v1/saves/{}", save["save_id"].as_str().unwrap())));
    fs::write(Path::new(save["path"].as_str().unwrap()).join("weights.bin"), bytes).unwrap();
    let target = format!("/v1/saves/{}/commit", save["save_id"].as_str().unwrap());
    let answer = host.ask("POST", &target, r#"{"metrics":{"loss":2.5}}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it is a whole problem of this status and code.
    pub(crate) fn assert_problem(&self, status: u16, code: &str, what: &str) {
        assert_eq!(self.status, status, "{what}: {self:?}");
        assert!(self.head.contains("content-type: application/problem+json"), "{what}: {self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{what}: {problem}");
        assert_eq!(problem["status"], status, "{what}");
        // Whatever was given, no more than a part of it is repeated.
        assert!(self.body.len() < 4096, "{what}: {} bytes", self.body.len());
        for field in ["type", "title", "detail", "hint"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{what}: {field} of {problem}");
        }
    }
}

/// A request that closes its connection.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text += "host: localhost\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !headers.iter().any(|(name, _)| *name == "content-length") {
        text += &format!("content-length: {}\r\n", body.len());
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

fn exchange(mut stream: impl Read + Write + Deadline, bytes: &[u8]) -> Answer {
    stream.deadline();
    // A host that refuses early may stop reading: its answer counts, not the broken pipe.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

trait Deadline {
    fn deadline(&self);
}

impl Deadline for UnixStream {
    fn deadline(&self) {
        self.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    }
}

impl Deadline for TcpStream {
    fn deadline(&self) {
        self.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    }
}
