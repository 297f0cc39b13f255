//! The bucket that `FORMAT.md` speaks of: whatever changes here, it must be readable. `TIDEGATE_VECTORS=write` makes it anew, for a
//! new version of the format.

use std::path::Path;

use tidegate_core::Step;

use super::*;
use crate::{Base, Layout};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn at(number: u64) -> Step {
    number.try_into().unwrap()
}

/// Every kind of file: fp32 and their roundings, text, zeros, noise, none.
fn files(number: u64) -> Vec<(&'static str, Vec<u8>)> {
    let weight = |n: u32| (f64::from(n) * 0.37).sin() as f32 + number as f32 * 1e-5;
    let weights: Vec<u8> = (0..3000).flat_map(|n| weight(n).to_le_bytes()).collect();
    vec![
        ("bf16.bin", tidegate_codec::narrowed(&weights)),
        ("empty", vec![]),
        ("log.txt", format!("step {number}\n").repeat(100).into_bytes()),
        ("noise.bin", bytes(number, 777)),
        ("sub/weights.bin", weights),
        ("zeros.bin", vec![0; 5000]),
    ]
}

fn open(dir: &Path, layout: Layout) -> Target {
    let url = url::Url::from_directory_path(dir).unwrap();
    Target::open("vectors".parse().unwrap(), url.as_str(), Options { layout, ..options() }).unwrap()
}

async fn write() {
    let _ = fs::remove_dir_all(vectors());
    let bucket = vectors().join("bucket");
    let shards: Vec<Shard> = (1..=3).map(|number| Shard::at(at(number), 0, 1, &files(number))).collect();
    for (shard, layout) in shards.iter().zip([Layout::Plain, Layout::Packed, Layout::Packed]) {
        let target = open(&bucket, layout);
        let base = (shard.body.step == at(3)).then(|| Base::new(at(2), shards[1].dir.path()));
        let (body, dir, progress) = (&shard.body, shard.dir.path(), Progress::new());
        target.ship_against(base.as_ref(), body, shard.digest, &metrics(0.5), dir, &progress).await.unwrap();
        assert!(target.mark_complete(&body.run, body.step).await.unwrap());
        for (path, bytes) in files(body.step.get()) {
            let place = vectors().join("expected").join(body.step.to_string()).join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
        }
    }
}

#[tokio::test]
async fn the_vectors_of_the_format_are_read_as_they_are_meant() {
    if std::env::var("TIDEGATE_VECTORS").is_ok_and(|what| what == "write") {
        write().await;
    }
    let target = open(&vectors().join("bucket"), Layout::Plain);
    let found = target.scan(None).await.unwrap();
    assert_eq!(found.iter().map(|it| it.step.get()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(found.iter().map(|it| it.shards[0].packed.is_some()).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(found[2].shards[0].base, Some(at(2)));
    for it in &found {
        let (body, digest) = target.body(&it.run, it.step, it.shards[0].rank).await.unwrap();
        assert_eq!(digest, it.shards[0].body);
        let into = Into::new();
        let sources = [Source::Target(&target)];
        restore(&body, &sources, &into.path(), RestoreOptions::default(), &Progress::new()).await.unwrap();
        let expected = vectors().join("expected").join(it.step.to_string());
        assert_eq!(count(&into.path()), count(&expected));
        for entry in &body.files {
            let read = |root: &Path| fs::read(root.join(entry.path.as_path())).unwrap();
            assert!(read(&into.path()) == read(&expected), "{} of step {}", entry.path, it.step);
        }
    }
}
