//! Components on their way into the host.

use std::fs;

use tidegate_core::Digest;
use tidegate_tests_support::guest::component;

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn uploads_of_one_component_at_once_keep_out_of_each_others_way() {
    let fixture = Fixture::new().await;
    let plugin = component("", "nop").unwrap();
    let digest = Digest::of(&plugin);
    let dir = fixture.dir.path().join("plugins");
    // Half of another upload, which goes on afterwards.
    let other = dir.join(format!("{digest}.tmp"));
    fs::write(&other, "half").unwrap();
    let uploads = (0..8).map(|_| {
        let (host, plugin) = (fixture.host.clone(), plugin.clone());
        tokio::spawn(async move { host.add_plugin(plugin.into()).await })
    });
    for upload in uploads.collect::<Vec<_>>() {
        assert_eq!(upload.await.unwrap().unwrap().digest, digest);
    }
    assert_eq!(fs::read(&other).unwrap(), b"half");
    assert_eq!(fs::read(dir.join(format!("{digest}.wasm"))).unwrap(), plugin);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "none left anything half written");
}
