//! Other users of the machine: they may look over loopback TCP, and what belongs to somebody else they can't end.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

use serde_json::json;
use tidegate_tests_support::{http::Request, wait};

use super::site::{Site, check};

/// Requests for [`client`], one a line: the way, the method, the path, the body.
const ASKED: &str = "TIDEGATE_TESTS_ASKED";

fn address(site: &Site) -> SocketAddr {
    wait::until("the address in the log", Duration::from_secs(60), || {
        let log = fs::read_to_string(site.host.log())?;
        let line = log.lines().rfind(|line| line.starts_with("http "));
        Ok(line.and_then(|line| line.split_whitespace().nth(1)?.strip_prefix("http://")?.parse().ok()))
    })
    .unwrap()
}

/// Asks as the user nobody. Answers status, code and save of each.
fn as_nobody(site: &Site, address: SocketAddr, asked: &[String]) -> Vec<[String; 3]> {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = dir.path().join("client");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binary);
    command.args(["--exact", "bad_input::users::client", "--nocapture"]).current_dir("/");
    let head = format!("{address}\n{}\n", site.host.socket().display());
    let output = command.env(ASKED, head + &asked.join("\n")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    said.lines().filter_map(|line| line.strip_prefix("answer ")).map(words).collect()
}

/// The other process of [`as_nobody`]; as a test of its own it has nothing to do.
#[test]
fn client() {
    let Ok(asked) = std::env::var(ASKED) else { return };
    let mut lines = asked.lines();
    let (address, socket) = (lines.next().unwrap().parse().unwrap(), Path::new(lines.next().unwrap()));
    let mut seen = [String::new(), String::new()];
    for line in lines {
        let line = line.replace("$PATH", &seen[0]).replace("$ID", &seen[1]);
        let [way, method, path, body] = line.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
        if way == "file" {
            let done =
                if method == "read" { fs::read_to_string(path) } else { fs::write(path, body).map(|()| "done".into()) };
            println!("\nanswer {} - -", done.unwrap());
            continue;
        }
        let request = Request::new(method, path).json(body);
        let answer = match way {
            "tcp" => request.over_tcp(address),
            _ => request.over_unix(socket),
        };
        let answer = answer.unwrap();
        let said = answer.json().unwrap_or_default();
        let word = |name: &str| said[name].as_str().unwrap_or("-").to_owned();
        println!("\nanswer {} {} {}", answer.status, word("code"), word("save_id"));
        let id = if said["id"].is_string() { word("id") } else { word("save_id") };
        seen = if said["path"].is_string() { [word("path"), id] } else { seen };
    }
}

#[test]
fn over_loopback_tcp_other_users_look_and_change_nothing() {
    if !rustix::process::geteuid().is_root() {
        println!("left out: only root can ask as another user");
        return;
    }
    let site = Site::start();
    let address = address(&site);
    let save = site.begin("mine", 1);
    let digest = "0".repeat(64);
    let changes = [
        ("POST", "/v1/saves".to_owned(), json!({ "run": "theirs", "step": 1, "rank": 0, "world_size": 1 })),
        ("POST", format!("/v1/saves/{}/commit", save.save_id), json!({})),
        ("POST", format!("/v1/saves/{}/touch", save.save_id), json!({})),
        ("DELETE", format!("/v1/saves/{}", save.save_id), json!({})),
        ("POST", "/v1/restores".to_owned(), json!({ "run": "mine", "step": 1 })),
        ("DELETE", "/v1/bots/replicate".to_owned(), json!({})),
        ("PUT", "/v1/bots/theirs".to_owned(), json!({ "plugin": digest })),
        ("POST", "/v1/runs/mine/checkpoints/1/prune".to_owned(), json!({ "tier": "nvme", "reason": "theirs" })),
    ];
    let mut asked: Vec<String> =
        changes.iter().map(|(method, path, body)| format!("tcp {method} {path} {body}")).collect();
    asked.push("tcp GET /v1/health ".to_owned());
    asked.push("tcp GET /v1/runs ".to_owned());
    let answers = as_nobody(&site, address, &asked);
    for (answer, asked) in answers.iter().zip(&asked).take(changes.len()) {
        assert_eq!(answer[..2], ["403", "TG0029"], "{asked}");
    }
    assert!(answers[changes.len()..].iter().all(|answer| answer[0] == "200"), "{answers:?}");
    assert_eq!(site.bot("replicate").name, "replicate");
    // The host's own user may do over TCP what it may do elsewhere.
    let body = json!({ "run": "own", "step": 1, "rank": 0, "world_size": 1 }).to_string();
    let own = Request::new("POST", "/v1/saves").json(&body).over_tcp(address).unwrap();
    assert_eq!(own.status, 201, "{}", own.text());
    let id = own.json().unwrap()["save_id"].as_str().unwrap().to_owned();
    assert_eq!(Request::new("DELETE", &format!("/v1/saves/{id}")).over_tcp(address).unwrap().status, 204);
    // `into` is a path of the asking process, also for the host's own user.
    let body = json!({ "run": "own", "step": 1, "into": "/tmp/x" }).to_string();
    let into = Request::new("POST", "/v1/restores").json(&body).over_tcp(address).unwrap();
    check(&into, "TG0029", "into over TCP");
    fs::write(format!("{}/weights.bin", save.path), "x").unwrap();
    assert_eq!(site.commit(&save).files, 1, "nobody ended it");
    site.still_works();
}

#[test]
fn over_the_socket_saves_and_restores_of_others_are_not_ended() {
    if !rustix::process::geteuid().is_root() {
        println!("left out: only root can ask as another user");
        return;
    }
    let site = Site::start();
    // An operator who lets every user save.
    let outer = site.host.dir().parent().unwrap();
    for dir in [outer, site.host.dir()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).unwrap();
    }
    fs::set_permissions(site.host.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    site.checkpoint("mine", 1);
    let save = site.begin("mine", 2);
    let restore: tidegate_api::Restore = site.done("POST", "/v1/restores", &json!({ "run": "mine", "step": 1 }));
    let refused = [
        format!("unix POST /v1/saves/{}/commit {{}}", save.save_id),
        format!("unix POST /v1/saves/{}/touch {{}}", save.save_id),
        format!("unix DELETE /v1/saves/{} ", save.save_id),
        format!("unix DELETE /v1/restores/{} ", restore.id),
    ];
    let address = address(&site);
    for (answer, asked) in as_nobody(&site, address, &refused).iter().zip(&refused) {
        assert_eq!(answer[..2], ["403", "TG0032"], "{asked}");
    }
    // A whole save of their own, and a restore of it.
    let begin = json!({ "run": "theirs", "step": 1, "rank": 0, "world_size": 1 });
    let restore_theirs = json!({ "run": "theirs", "step": 1 });
    let asked = [
        format!("unix POST /v1/saves {begin}"),
        "file write $PATH/weights.bin theirs".to_owned(),
        "unix POST /v1/saves/$ID/commit {}".to_owned(),
        format!("unix POST /v1/restores?wait=60 {restore_theirs}"),
        "file read $PATH/rank-00000/weights.bin ".to_owned(),
        "unix DELETE /v1/restores/$ID ".to_owned(),
    ];
    let statuses: Vec<String> = as_nobody(&site, address, &asked).into_iter().map(|[status, ..]| status).collect();
    assert_eq!(statuses, ["201", "done", "200", "200", "theirs", "204"]);
    fs::write(format!("{}/weights.bin", save.path), "x").unwrap();
    assert_eq!(site.commit(&save).files, 1, "nobody ended it");
    let deleted = site.send("DELETE", &format!("/v1/restores/{}", restore.id), b"", None);
    assert_eq!(deleted.status, 204);
}

#[test]
fn what_the_host_writes_is_for_its_own_user() {
    let site = Site::start();
    site.checkpoint("mine", 1);
    site.still_works();
    let mut todo = vec![site.host.dir().to_owned()];
    while let Some(path) = todo.pop() {
        let meta = path.symlink_metadata().unwrap();
        // The socket is for its group as well.
        if path == site.host.socket() {
            assert_eq!(meta.permissions().mode() & 0o777, 0o660);
            continue;
        }
        // The harness made the first, before the host, and trainers made the files of shards, inside directories that
        // nobody else enters. Some directories are a way for others, who can't list them.
        let theirs = path == site.host.dir() || (meta.is_file() && path.parent().unwrap().ends_with("files"));
        let most = if meta.is_dir() { 0o711 } else { 0o700 };
        if !theirs {
            assert_eq!(meta.permissions().mode() & 0o777 & !most, 0, "{}", path.display());
        }
        if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    for inner in ["runs", "index", "quarantine", "trash"] {
        let mode = fs::metadata(site.tier().join(inner)).unwrap().permissions().mode();
        assert!(inner == "index" || mode & 0o077 == 0, "{inner}: {mode:o}");
    }
}
