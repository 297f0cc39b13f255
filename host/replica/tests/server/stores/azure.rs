//! Azurite, Microsoft's emulator of Azure Blob Storage.

use std::time::Duration;

use object_store::{ObjectStoreExt, azure::MicrosoftAzureBuilder, multipart::MultipartStore, path::Path as Object};
use tidegate_replica::Verify;
use tidegate_tests_support::{
    azurite::{ACCOUNT, Azurite, CONTAINER, KEY},
    fault_proxy::{Fault, Rule, When},
};

use super::{
    super::resume::{PART, notes, shard, stuck_at},
    *,
};

fn start() -> (Azurite, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Azurite::start(dir.path()).unwrap(), dir)
}

/// The target at a prefix of the container, reached through the endpoint of the server or of a proxy.
fn open(endpoint: &str, prefix: &str, more: impl FnOnce(&mut Options)) -> Result<Target, Error> {
    let mut options = Options { part_bytes: 1, retries: 3, layout: Layout::Plain, ..Options::default() };
    let endpoint = format!("{endpoint}/{ACCOUNT}");
    let settings =
        [("endpoint", endpoint.as_str()), ("allow_http", "true"), ("account_name", ACCOUNT), ("access_key", KEY)];
    options.store.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    more(&mut options);
    Target::open("azure".parse().unwrap(), &format!("az://{CONTAINER}/{prefix}"), options)
}

fn endpoint(server: &Azurite) -> String {
    format!("http://{}", server.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_keeps_checkpoints() {
    let (server, _dir) = start();
    let at = endpoint(&server);
    keeps_checkpoints(|prefix, more| open(&at, prefix, more).unwrap(), "reread:blake3").await;

    let checksums = open(&at, "checksums", |options| options.verify = Verify::Checksum).unwrap();
    assert!(checksums.probe().await.unwrap_err().to_string().contains("auto or reread"));
    let key = "bm90IHRoZSBrZXk=";
    let wrong = open(&at, "keys", |options| {
        options.store.insert("access_key".into(), key.into());
    });
    let error = wrong.unwrap().probe().await.unwrap_err().to_string();
    assert!(error.contains("could not write") && !error.contains(key), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_goes_on_with_parts_that_are_there_and_begins_anew_without_them() {
    let (server, _dir) = start();
    let at = endpoint(&server);
    for (prefix, forgotten) in [("on", false), ("anew", true)] {
        let (shard, dir) = (shard(), tempfile::tempdir().unwrap());
        let target = |at: &str| open(at, prefix, |options| options.uploads = Some(dir.path().to_owned())).unwrap();
        let slow = Rule::new(Fault::Delay(Duration::from_secs(600)), When::Nth(4)).method("PUT").target("comp=block&");
        stuck_at(slow, server.address(), target, dir.path(), &shard).await;
        assert_eq!(notes(dir.path()), 1, "it is noted");
        if forgotten {
            // Whoever puts the object together from other parts makes Azure forget these.
            let note = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
            let object = fs::read_to_string(note).unwrap().split('\t').nth(1).unwrap().to_owned();
            let store = MicrosoftAzureBuilder::new().with_account(ACCOUNT).with_access_key(KEY).with_allow_http(true);
            let store = store.with_container_name(CONTAINER).with_endpoint(format!("{at}/{ACCOUNT}")).build().unwrap();
            let object = Object::from(object.as_str());
            let part = store.put_part(&object, &String::new(), 0, "other".into()).await.unwrap();
            store.complete_multipart(&object, &String::new(), vec![part]).await.unwrap();
            store.delete(&object).await.unwrap();
        }
        let target = target(&at);
        let shipped = persist(|| shard.ship(&target)).await;
        assert_eq!(shipped.bytes <= PART, !forgotten, "{shipped:?}");
        assert_eq!(notes(dir.path()), 0, "and is noted no more");
        shard.check(&target).await.unwrap();
    }
}
