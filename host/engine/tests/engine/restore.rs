use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use tidegate_core::Code;
use tidegate_engine::{RestoreInfo, RestoreRequest, RestoreState};

use crate::fixture::{Fixture, replicate_grants, replicator, run, step};

async fn restore(fixture: &Fixture, number: Option<u64>) -> RestoreInfo {
    let request = RestoreRequest { run: run(), step: number.map(step), ranks: None, into: None, owner: None };
    let restore = fixture.host.restore(request).await.unwrap();
    fixture.host.restore_info(&restore.id, Duration::from_secs(60)).await.unwrap()
}

/// Flips a bit of a file without changing its size or times, as a failing disk does.
fn rot(path: &Path) {
    let meta = fs::metadata(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
    let times = fs::FileTimes::new().set_modified(meta.modified().unwrap());
    fs::File::options().write(true).open(path).unwrap().set_times(times).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotten_copy_is_set_aside_and_the_next_tier_is_taken() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"good bytes")]).await;
    fixture.event(|event| event.kind.name() == "job-finished").await;
    rot(&fixture.dir.path().join("tier/runs/r/0000000000000001.00000/files/a"));
    let info = restore(&fixture, Some(1)).await;
    assert_eq!(info.state, RestoreState::Done);
    assert_eq!(fs::read(info.path.join("rank-00000/a")).unwrap(), b"good bytes");
    fixture.event(|event| event.kind.name() == "shard-corrupt").await;
    assert!(fixture.dir.path().join("tier/quarantine/r.1.0").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn rotten_bytes_without_another_copy_are_an_error_and_leave_nothing() {
    let fixture = Fixture::new().await;
    fixture.commit(1, 0, 1, &[("a", b"good bytes")]).await;
    fixture.sealed(1).await;
    rot(&fixture.dir.path().join("tier/runs/r/0000000000000001.00000/files/a"));
    let into = fixture.dir.path().join("out");
    let request =
        RestoreRequest { run: run(), step: Some(step(1)), ranks: None, into: Some(into.clone()), owner: None };
    let id = fixture.host.restore(request).await.unwrap().id;
    let info = fixture.host.restore_info(&id, Duration::from_secs(60)).await.unwrap();
    let RestoreState::Failed(error) = info.state else { panic!("{info:?}") };
    assert_eq!(error.code, Code::Corrupt);
    let left: Vec<_> = fs::read_dir(fixture.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("out")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_with_a_rank_missing_is_never_latest_and_never_restored() {
    let fixture = Fixture::new().await;
    fixture.commit(1, 0, 2, &[("a", b"x")]).await;
    fixture.commit(1, 1, 2, &[("a", b"y")]).await;
    fixture.commit(2, 0, 2, &[("a", b"z")]).await;
    assert_eq!(fixture.host.latest(&run()).await.unwrap().checkpoint.step, step(1));
    let request = RestoreRequest { run: run(), step: Some(step(2)), ranks: None, into: None, owner: None };
    assert_eq!(fixture.host.restore(request).await.unwrap_err().code, Code::NotComplete);
    assert_eq!(restore(&fixture, None).await.step, step(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_lost_its_tier_finds_everything_in_object_storage() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=3 {
        fixture.commit(number, 0, 2, &[("a", &[number as u8; 5])]).await;
        fixture.commit(number, 1, 2, &[("b", &[number as u8; 7])]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && crate::fixture::about(e, number)).await;
    }
    let fixture = fixture.restart(|dir| fs::remove_dir_all(dir.join("tier")).unwrap()).await;
    let info = restore(&fixture, None).await;
    assert_eq!((info.step, info.state, info.object), (step(3), RestoreState::Done, 12));
    assert_eq!(info.metrics.get("loss"), Some(1.0));
    assert_eq!(fs::read(info.path.join("rank-00001/b")).unwrap(), [3; 7]);
    let again = fixture.commit(3, 0, 2, &[("a", &[3; 5])]).await;
    assert!(!again.reused, "the bytes are back on NVMe");
    let view = fixture.host.checkpoint(&run(), step(3)).await.unwrap().checkpoint;
    assert!(view.present(tidegate_core::Tier::Nvme));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_object_storage_did_not_answer_is_made_again() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.event(|e| e.kind.name() == "job-finished").await;
    // The tier is lost while the bucket is away, and the run goes on meanwhile: its name is known again.
    let away = |dir: &Path| {
        fs::remove_dir_all(dir.join("tier")).unwrap();
        fs::rename(dir.join("object/v1"), dir.join("v1")).unwrap();
        std::os::unix::fs::symlink("v1", dir.join("object/v1")).unwrap();
    };
    let fixture = fixture.restart(away).await;
    fixture.commit(2, 0, 1, &[("a", b"y")]).await;
    assert_eq!(fixture.host.checkpoint(&run(), step(1)).await.unwrap_err().code, Code::UnknownCheckpoint);
    let back = |dir: &Path| {
        fs::remove_file(dir.join("object/v1")).unwrap();
        fs::rename(dir.join("v1"), dir.join("object/v1")).unwrap();
    };
    let fixture = fixture.restart(back).await;
    assert_eq!(fixture.host.checkpoint(&run(), step(1)).await.unwrap().checkpoint.step, step(1));
    assert_eq!(fixture.host.latest(&run()).await.unwrap().checkpoint.step, step(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_goes_only_where_nothing_is() {
    let fixture = Fixture::new().await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    let here = fixture.dir.path().join("out");
    let ask = |into: &Path| {
        let request =
            RestoreRequest { run: run(), step: None, ranks: None, into: Some(into.to_path_buf()), owner: None };
        let host = fixture.host.clone();
        async move { host.restore(request).await }
    };
    let id = ask(&here).await.unwrap().id;
    let info = fixture.host.restore_info(&id, Duration::from_secs(60)).await.unwrap();
    assert_eq!((info.state, fs::read(here.join("rank-00000/a")).unwrap()), (RestoreState::Done, b"x".to_vec()));
    assert_eq!(ask(&here).await.unwrap_err().code, Code::TargetExists);
    assert_eq!(ask(Path::new("relative")).await.unwrap_err().code, Code::BadRequest);
    assert_eq!(ask(&fixture.dir.path().join("no/such/parent")).await.unwrap_err().code, Code::BadRequest);
    fixture.host.release_restore(&id).await.unwrap();
    assert!(here.join("rank-00000/a").exists(), "a directory that was asked for by name stays");
    assert_eq!(fixture.host.restore_info(&id, Duration::ZERO).await.unwrap_err().code, Code::UnknownRestore);
}

/// A process that is gone when the test says so, and how the host knows it.
fn process() -> (std::process::Child, tidegate_engine::Writer) {
    let child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let writer = tidegate_engine::Writer { pid: i32::try_from(child.id()).ok(), uid, gid };
    (child, writer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_directory_goes_with_the_process_that_asked_for_it() {
    let fixture = Fixture::new().await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    let (mut child, writer) = process();
    let ask = |into: Option<std::path::PathBuf>| {
        let request = RestoreRequest { run: run(), step: None, ranks: None, into, owner: Some(writer) };
        let host = fixture.host.clone();
        async move {
            let id = host.restore(request).await.unwrap().id;
            host.restore_info(&id, Duration::from_secs(60)).await.unwrap()
        }
    };
    let (lent, own) = (ask(None).await, ask(Some(fixture.dir.path().join("out"))).await);
    assert_eq!((lent.state, own.state), (RestoreState::Done, RestoreState::Done));
    assert_eq!(fs::metadata(&lent.path).unwrap().permissions().mode() & 0o777, 0o700, "for its owner alone");
    child.kill().unwrap();
    child.wait().unwrap();
    while fixture.host.restore_info(&lent.id, Duration::ZERO).await.is_ok() || lent.path.exists() {
        tokio::task::yield_now().await;
    }
    assert!(own.path.join("rank-00000/a").exists(), "a directory that was asked for by name stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_lost_is_made_anew_from_the_tier_and_the_bucket() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    fixture.event(|e| e.kind.name() == "job-finished").await;
    fixture.commit(2, 0, 2, &[("a", b"y")]).await;
    let fixture = fixture.restart(|dir| fs::remove_dir_all(dir.join("tier/index")).unwrap()).await;
    let first = fixture.host.checkpoint(&run(), step(1)).await.unwrap().checkpoint;
    let tiers = [tidegate_core::Tier::Nvme, tidegate_core::Tier::Object].map(|tier| first.verified(tier));
    assert_eq!(tiers, [true, true], "its copy in object storage is known again");
    assert_eq!(fixture.host.latest(&run()).await.unwrap().checkpoint.step, step(1));
    assert!(fixture.commit(2, 1, 2, &[("a", b"z")]).await.complete);
    assert_eq!(restore(&fixture, None).await.step, step(2));
}

/// Restores into a directory and waits for the end.
async fn restore_into(fixture: &Fixture, into: &Path) -> tidegate_engine::Result<RestoreInfo> {
    let into = Some(into.to_path_buf());
    let request = RestoreRequest { run: run(), step: None, ranks: None, into, owner: None };
    let id = fixture.host.restore(request).await?.id;
    fixture.host.restore_info(&id, Duration::from_secs(60)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_whose_only_copy_is_damaged_is_known_as_lost() {
    let fixture = Fixture::new().await;
    fixture.commit(1, 0, 1, &[("a", b"good bytes")]).await;
    fixture.sealed(1).await;
    rot(&fixture.dir.path().join("tier/runs/r/0000000000000001.00000/files/a"));
    assert!(matches!(restore(&fixture, None).await.state, RestoreState::Failed(error) if error.code == Code::Corrupt));
    // To be told that there is none, a trainer would begin at its first step.
    assert_eq!(fixture.host.latest(&run()).await.unwrap_err().code, Code::Corrupt);
    for asked in [Some(step(1)), None] {
        let request = RestoreRequest { run: run(), step: asked, ranks: None, into: None, owner: None };
        assert_eq!(fixture.host.restore(request).await.unwrap_err().code, Code::Corrupt);
    }
    assert_eq!(fixture.host.run(&run()).await.unwrap().checkpoints, 1);
    let listed = fixture.host.checkpoints(&run(), None, 9).await.unwrap();
    assert!(listed[0].checkpoint.lost() && fixture.host.checkpoint(&run(), step(1)).await.unwrap().checkpoint.lost());
    let fixture = fixture.restart(|_| ()).await;
    assert!(fixture.host.checkpoint(&run(), step(1)).await.unwrap().checkpoint.lost());
    // An operator who gives it up is not told of it any more.
    let gone = fixture.host.prune(&run(), step(1), tidegate_core::Tier::Nvme, "given up".into(), false).await.unwrap();
    fixture.event(|e| e.kind.name() == "job-finished").await;
    assert!(gone.job.is_some());
    assert_eq!(fixture.host.run(&run()).await.unwrap_err().code, Code::UnknownRun);
    // And one that is saved again is there again.
    fixture.commit(1, 0, 1, &[("a", b"good bytes")]).await;
    assert_eq!(fixture.host.latest(&run()).await.unwrap().checkpoint.step, step(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_another_host_brought_to_object_storage_is_found_when_it_is_restored() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    fixture.commit(1, 0, 1, &[("a", b"one")]).await;
    fixture.event(|e| e.kind.name() == "job-finished" && crate::fixture::about(e, 1)).await;
    let other = Fixture::new().await;
    other.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    other.commit(2, 0, 1, &[("a", b"two")]).await;
    other.event(|e| e.kind.name() == "job-finished" && crate::fixture::about(e, 2)).await;
    let (from, to) = (other.dir.path().join("object/v1"), fixture.dir.path().join("object"));
    assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    assert_eq!(fixture.host.checkpoint(&run(), step(2)).await.unwrap_err().code, Code::UnknownCheckpoint);
    let info = restore(&fixture, Some(2)).await;
    assert_eq!(info.state, RestoreState::Done);
    assert_eq!(fs::read(info.path.join("rank-00000/a")).unwrap(), b"two");
    let nowhere = RestoreRequest { run: run(), step: Some(step(3)), ranks: None, into: None, owner: None };
    assert_eq!(fixture.host.restore(nowhere).await.unwrap_err().code, Code::UnknownCheckpoint);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_restore_lands_in_the_hosts_own_directories_or_where_there_is_no_place() {
    let fixture = Fixture::new().await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    let dir = fixture.dir.path();
    std::os::unix::fs::symlink(dir.join("tier/runs"), dir.join("way")).unwrap();
    let long = "n".repeat(300);
    for bad in [dir.join("tier/mine"), dir.join("object/mine"), dir.join("way/mine"), dir.join(long)] {
        let error = restore_into(&fixture, &bad).await.unwrap_err();
        assert_eq!(error.code, Code::BadRequest, "{}: {error}", bad.display());
    }
    assert_eq!(restore_into(&fixture, Path::new("/proc/mine")).await.unwrap_err().code, Code::NoSpace);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_host_left_of_a_restore_goes_and_what_is_the_users_stays() {
    let fixture = Fixture::new().await;
    fixture.commit(1, 0, 1, &[("a", b"x")]).await;
    let dir = fixture.dir.path().to_owned();
    // Names that a user may have chosen.
    let theirs = [dir.join(".out.tidegate-partial"), dir.join(".tidegate-partial-mine")];
    theirs.iter().for_each(|path| fs::create_dir(path).unwrap());
    assert_eq!(restore_into(&fixture, &dir.join("out")).await.unwrap().state, RestoreState::Done);
    let left = dir.join(".tidegate-partial-r1-0");
    fs::create_dir_all(left.join("rank-00000")).unwrap();
    // As it is written down before the directory is made.
    let noted = left.to_str().unwrap().to_owned();
    let fixture = fixture
        .restart(move |dir| {
            let clock = std::sync::Arc::new(tidegate_core::SystemClock::default());
            let index = tidegate_store::Index::open(&dir.join("tier/index"), "h".parse().unwrap(), clock).unwrap();
            let key = b"partial/r1-0";
            let note = move || index.write(move |tx| tx.put(tidegate_store::Space::Meta, key, &noted)).unwrap();
            std::thread::spawn(note).join().unwrap();
        })
        .await;
    assert!(!left.exists() && theirs.iter().all(|path| path.exists()) && dir.join("out/rank-00000/a").exists());
    drop(fixture);
}

/// Changes the index of a host that is down.
fn edit(dir: &Path, change: impl FnOnce(&mut tidegate_store::Tx<'_>) -> tidegate_store::Result<()> + Send + 'static) {
    let path = dir.join("tier/index");
    let edit = move || {
        let clock = std::sync::Arc::new(tidegate_core::SystemClock::default());
        let index = tidegate_store::Index::open(&path, "h".parse().unwrap(), clock).unwrap();
        index.write(change).unwrap();
    };
    std::thread::spawn(edit).join().unwrap();
}

/// Makes the next start look all over object storage, as after a loss.
fn forget_the_search(tx: &mut tidegate_store::Tx<'_>, dir: &Path) -> tidegate_store::Result<()> {
    let noted = format!("discovered/default (file://{})", dir.join("object").display());
    tx.put_bytes(tidegate_store::Space::Meta, noted.as_bytes(), None);
    tx.put(tidegate_store::Space::Meta, b"tier", &7_u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_loss_the_bucket_decides_what_it_has() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=3 {
        fixture.commit(number, 0, 1, &[("a", b"x")]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && crate::fixture::about(e, number)).await;
    }
    let lose = |dir: &Path| {
        for number in [1, 2] {
            fs::remove_dir_all(dir.join(format!("tier/runs/r/{number:016}.00000"))).unwrap();
        }
        remove_step(dir, 2).unwrap();
        let own = dir.to_owned();
        edit(dir, move |tx| {
            // Of the first the index knows no more than that it was committed.
            let mut first = tx.checkpoint(&run(), step(1))?.unwrap();
            for shard in first.shards.values_mut() {
                shard.body = None;
                shard.copies.retain(|copy| copy.tier == tidegate_core::Tier::Nvme);
                shard.copies.iter_mut().for_each(|copy| copy.verified = None);
            }
            tx.put_checkpoint(&first)?;
            forget_the_search(tx, &own)
        });
    };
    let fixture = fixture.restart(lose).await;
    let info = restore(&fixture, Some(1)).await;
    assert_eq!((info.state, info.object), (RestoreState::Done, 1), "it was found in the bucket");
    let second = fixture.host.checkpoint(&run(), step(2)).await.unwrap().checkpoint;
    assert!(second.lost() && !second.present(tidegate_core::Tier::Object), "the bucket does not have it");
    assert_eq!(fixture.host.latest(&run()).await.unwrap().checkpoint.step, step(3));
}

/// Deletes a step from a bucket that is a directory, wherever it stands there.
fn remove_step(dir: &Path, number: u64) -> std::io::Result<()> {
    let mut todo = vec![dir.join("object")];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(at)?.flatten().filter(|entry| entry.path().is_dir()) {
            match entry.file_name().to_string_lossy().ends_with(&format!("{number:016}")) {
                true => return fs::remove_dir_all(entry.path()),
                false => todo.push(entry.path()),
            }
        }
    }
    Err(std::io::ErrorKind::NotFound.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_whose_copies_are_all_damaged_is_not_the_latest_and_can_be_given_up() {
    let fixture = Fixture::new().await;
    fixture.install("replicate", replicator(), replicate_grants(), &["checkpoint-sealed"]).await;
    for number in 1..=2 {
        fixture.commit(number, 0, 1, &[("a", b"good bytes")]).await;
        fixture.event(|e| e.kind.name() == "job-finished" && crate::fixture::about(e, number)).await;
    }
    rot(&fixture.dir.path().join("tier/runs/r/0000000000000002.00000/files/a"));
    let dir = fixture.dir.path().to_owned();
    remove_step(&dir, 2).unwrap();
    assert!(
        matches!(restore(&fixture, Some(2)).await.state, RestoreState::Failed(error) if error.code == Code::Corrupt)
    );
    // The one before is what there is to go on from.
    assert_eq!(fixture.host.latest(&run()).await.unwrap().checkpoint.step, step(1));
    assert_eq!(restore(&fixture, None).await.step, step(1));
    let lost = fixture.host.checkpoint(&run(), step(2)).await.unwrap().checkpoint;
    assert!(lost.lost());
    let object = tidegate_core::Tier::Object;
    fixture.host.prune(&run(), step(2), object, "given up".into(), false).await.unwrap();
    fixture.event(|e| e.kind.name() == "checkpoint-pruned" && crate::fixture::about(e, 2)).await;
    while fixture.host.checkpoint(&run(), step(2)).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
