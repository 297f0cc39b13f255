//! Tricks with the files of a save: what is committed is plain files with plain names, made by the writer itself.

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, symlink},
        net::UnixListener,
    },
    path::Path,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use super::site::Site;

/// A save with one good file beside what `trick` makes is refused, and neither the save nor anything else is left.
fn refused(site: &Site, code: &str, trick: impl FnOnce(&Path)) -> String {
    let save = site.begin("tricks", 1);
    let path = Path::new(&save.path);
    fs::write(path.join("good.bin"), [1; 100]).unwrap();
    trick(path);
    let problem = site.refused(code, "POST", &format!("/v1/saves/{}/commit", save.save_id), &json!({}));
    // It is gone: asking again says so.
    site.refused("TG0007", "POST", &format!("/v1/saves/{}/commit", save.save_id), &json!({}));
    site.leaves_nothing();
    assert_eq!(site.runs(), [""; 0], "no checkpoint came of it");
    problem.detail
}

fn link(site: &Site, target: impl AsRef<Path>, name: &str) -> String {
    refused(site, "TG0011", |path| symlink(target, path.join(name)).unwrap())
}

#[test]
fn a_link_is_never_followed() {
    let site = Site::start();
    let outside = site.outside();
    fs::write(outside.join("secret"), "secret").unwrap();
    for said in [
        link(&site, outside.join("secret"), "a-file"),
        link(&site, &outside, "a-folder"),
        link(&site, "good.bin", "inside"),
        link(&site, "nowhere", "dangling"),
        link(&site, "loop", "loop"),
        link(&site, "/proc/self/mem", "memory"),
        link(&site, "../../../index", "the-index"),
    ] {
        assert!(said.contains("symbolic link"), "{said}");
    }
    let hard = refused(&site, "TG0011", |path| fs::hard_link(outside.join("secret"), path.join("hard")).unwrap());
    assert!(hard.contains("hard link"), "{hard}");
    let twice = refused(&site, "TG0011", |path| fs::hard_link(path.join("good.bin"), path.join("twice")).unwrap());
    assert!(twice.contains("hard link"), "{twice}");
    let meta = fs::metadata(outside.join("secret")).unwrap();
    assert_eq!((meta.mode() & 0o200, meta.nlink()), (0o200, 1), "the other name of the file is as it was");
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    site.still_works();
}

#[test]
fn a_staging_directory_that_was_swapped_for_a_link_is_not_followed() {
    let site = Site::start();
    let outside = site.outside();
    fs::write(outside.join("secret"), "secret").unwrap();
    let said = refused(&site, "TG0011", |path| {
        fs::remove_dir_all(path).unwrap();
        symlink(&outside, path).unwrap();
    });
    assert!(said.contains("no directory"), "{said}");
    refused(&site, "TG0011", |path| fs::remove_dir_all(path).unwrap());
    refused(&site, "TG0011", |path| {
        fs::remove_dir_all(path).unwrap();
        fs::write(path, "a file").unwrap();
    });
    assert_eq!(fs::metadata(outside.join("secret")).unwrap().mode() & 0o200, 0o200);
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    site.still_works();
}

#[test]
fn what_is_no_file_is_refused_and_never_opened() {
    let site = Site::start();
    // A host that opened the pipe would wait for its other end for ever.
    let pipe = refused(&site, "TG0011", |path| {
        mknodat(CWD, path.join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    });
    assert!(pipe.contains("neither a file nor a directory"), "{pipe}");
    refused(&site, "TG0011", |path| drop(UnixListener::bind(path.join("s")).unwrap()));
    if !rustix::process::geteuid().is_root() {
        println!("left out: only root can make a device");
        return site.still_works();
    }
    for (kind, major, minor) in [(FileType::CharacterDevice, 1, 5), (FileType::BlockDevice, 7, 0)] {
        let made = |path: &Path| {
            let device = rustix::fs::makedev(major, minor);
            mknodat(CWD, path.join("device"), kind, Mode::RUSR, device)
        };
        let trial = site.outside();
        if made(&trial).is_err() {
            println!("left out: this system lets nobody make a device");
            continue;
        }
        fs::remove_file(trial.join("device")).unwrap();
        let device = refused(&site, "TG0011", |path| made(path).unwrap());
        assert!(device.contains("device"), "{device}");
    }
    site.still_works();
}

#[test]
fn names_that_are_no_plain_text_are_refused() {
    let site = Site::start();
    for name in [&b"new\nline"[..], b"esc\x1b[2J", b"bell\x07", b"back\\slash", b"not-utf8-\xff", b"del\x7f"] {
        refused(&site, "TG0011", |path| fs::write(path.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap());
    }
    refused(&site, "TG0011", |path| {
        let deep = path.join(vec!["d"; 40].join("/"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("f"), "x").unwrap();
    });
    refused(&site, "TG0011", |path| {
        let long = path.join(vec!["n".repeat(250); 5].join("/"));
        fs::create_dir_all(&long).unwrap();
        fs::write(long.join("f"), "x").unwrap();
    });
    // A name of 300 bytes is refused to the writer by the file system itself; the save goes on without it.
    let save = site.begin("long", 1);
    let path = Path::new(&save.path);
    let error = fs::write(path.join("n".repeat(300)), "x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidFilename, "{error}");
    fs::write(path.join("n".repeat(255)), "the longest that can be made").unwrap();
    assert_eq!(site.commit(&save).files, 1);
    site.still_works();
}

#[test]
fn nothing_and_nothing_but_directories_is_no_checkpoint() {
    let site = Site::start();
    let save = site.begin("empty", 1);
    site.refused("TG0013", "POST", &format!("/v1/saves/{}/commit", save.save_id), &json!({}));
    refused(&site, "TG0013", |path| {
        fs::remove_file(path.join("good.bin")).unwrap();
        fs::create_dir_all(path.join("a/b/c")).unwrap();
    });
    site.still_works();
}

#[test]
fn files_of_holes_stop_neither_later_saves_nor_the_end_of_the_host() {
    let mut site = Site::start();
    let disk = rustix::fs::statvfs(site.host.dir()).unwrap();
    let [size, free] = [disk.f_blocks, disk.f_bavail].map(|blocks| blocks * disk.f_frsize);
    let hole = |path: &Path, bytes: u64| fs::File::create(path.join("hole.bin")).unwrap().set_len(bytes);
    if size < 8 << 40 {
        let said = refused(&site, "TG0011", |path| hole(path, size + 1).unwrap());
        assert!(said.contains("holes"), "{said}");
    }
    // As large as may be, and far too large to be hashed while anybody waits.
    let bytes = size.min(1 << 40);
    let save = site.begin("holes", 1);
    if hole(Path::new(&save.path), bytes).is_err() {
        println!("left out: this file system has no files of {bytes} bytes");
        return;
    }
    assert_eq!(site.commit(&save).bytes, bytes);
    if bytes > free {
        // The next one is taken to be as large, unless it says what it is.
        let said = site.refused(
            "TG0010",
            "POST",
            "/v1/saves",
            &json!({ "run": "holes", "step": 2, "rank": 0, "world_size": 1 }),
        );
        assert!(said.detail.contains("begin it with its bytes"), "{}", said.detail);
        let into = site.outside().join("restored");
        let said = site.refused("TG0010", "POST", "/v1/restores", &json!({ "run": "holes", "step": 1, "into": into }));
        assert!(said.detail.contains("restore needs"), "{}", said.detail);
    }
    let begin = json!({ "run": "holes", "step": 2, "rank": 0, "world_size": 1, "bytes": 9 });
    let small: tidegate_api::Save = site.done("POST", "/v1/saves", &begin);
    fs::write(Path::new(&small.path).join("weights.bin"), "something").unwrap();
    assert_eq!(site.commit(&small).files, 1);
    // Its digests are being made, and a copy waits for them: neither keeps the host.
    let status = site.host.stop(std::time::Duration::from_secs(60)).unwrap();
    assert!(status.success(), "{status}: {}", site.host.log_tail());
    site.host.restart().unwrap();
    let found: tidegate_api::Checkpoint = site.get("/v1/runs/holes/checkpoints/1");
    assert!(found.complete && !found.shards[0].sealed);
}
