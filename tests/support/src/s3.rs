//! The objects of a bucket, looked at and damaged past everyone who uses it. Blocking: for tests without a runtime.

use anyhow::{Context, Result};
use object_store::{ObjectStoreExt, aws::AmazonS3, path::Path};
use tokio::runtime::{Builder, Runtime};

use crate::seaweed::SeaweedFs;

fn open(server: &SeaweedFs) -> Result<(Runtime, AmazonS3)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok((runtime, server.client(&server.endpoint()).build()?))
}

/// The names of all objects that begin with `prefix`, sorted.
///
/// # Errors
/// When the server does not answer.
pub fn list(server: &SeaweedFs, prefix: &str) -> Result<Vec<String>> {
    let (runtime, store) = open(server)?;
    let below = Path::parse(prefix.trim_end_matches('/'))?;
    let listed = runtime.block_on(async {
        let mut todo = vec![below];
        let mut names = Vec::new();
        while let Some(folder) = todo.pop() {
            let page = object_store::ObjectStore::list_with_delimiter(&store, Some(&folder)).await?;
            // This server shows a directory that it keeps as an object of its own name.
            let objects = page.objects.into_iter().filter(|meta| meta.location != folder);
            names.extend(objects.map(|meta| meta.location.to_string()));
            todo.extend(page.common_prefixes);
        }
        Ok::<_, object_store::Error>(names)
    });
    let mut names = listed.with_context(|| format!("list {prefix}"))?;
    names.retain(|name| name.starts_with(prefix));
    names.sort_unstable();
    Ok(names)
}

/// The bytes of an object.
///
/// # Errors
/// When there is none, or the server does not answer.
pub fn get(server: &SeaweedFs, name: &str) -> Result<Vec<u8>> {
    let (runtime, store) = open(server)?;
    let get = async { store.get(&Path::parse(name)?).await?.bytes().await };
    Ok(runtime.block_on(get).with_context(|| format!("get {name}"))?.to_vec())
}

/// Writes an object, whether it is there or not.
///
/// # Errors
/// When the server does not answer.
pub fn put(server: &SeaweedFs, name: &str, bytes: Vec<u8>) -> Result<()> {
    let (runtime, store) = open(server)?;
    let put = async { store.put(&Path::parse(name)?, bytes.into()).await };
    runtime.block_on(put).map(drop).with_context(|| format!("put {name}"))
}

/// Deletes an object.
///
/// # Errors
/// When the server does not answer.
pub fn delete(server: &SeaweedFs, name: &str) -> Result<()> {
    let (runtime, store) = open(server)?;
    let delete = async { store.delete(&Path::parse(name)?).await };
    runtime.block_on(delete).with_context(|| format!("delete {name}"))
}
