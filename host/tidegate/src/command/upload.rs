//! Components that a command hands to the host, and takes back if nothing comes of it.

use std::path::Path;

use tidegate_client::{Client, Error};
use tidegate_core::{Digest, limits};

use super::input;
use crate::{
    exit::Failure,
    show::{Out, bytes},
};

/// A component that the host has now.
#[derive(Debug)]
pub(super) struct Uploaded {
    /// Its digest.
    pub(super) digest: String,
    /// Whether the host did not have it before.
    anew: bool,
}

/// Hands the component of a file to the host, which compiles it before it answers.
pub(super) async fn upload(file: &Path, client: &Client, out: Out) -> Result<Uploaded, Failure> {
    let component = input::file(file, limits::COMPONENT_BYTES)?;
    let digest = Digest::of(&component).to_string();
    let anew = client.plugins().await?.items.iter().all(|plugin| plugin.digest != digest);
    let uploading = format!("uploading {}, {}", file.display(), bytes(component.len() as u64));
    out.wait(uploading, client.add_plugin(component.into())).await?;
    Ok(Uploaded { digest, anew })
}

impl Uploaded {
    /// Removes it from the host, unless the host had it before. If somebody else has removed it, or installed a bot of it
    /// meanwhile, there is nothing to do.
    pub(super) async fn take_back(&self, client: &Client) -> Result<(), Error> {
        if !self.anew {
            return Ok(());
        }
        client.remove_plugin(&self.digest).await.or_else(|error| match error.status() {
            Some(404 | 409) => Ok(()),
            _ => Err(error),
        })
    }
}
