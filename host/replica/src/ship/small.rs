//! Files that go in one request, and the reading that they share with the larger ones.

use std::{fs::File, io, sync::Arc};

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayload};
use tidegate_core::damage::is_damage;

use super::{Object, Shipping};
use crate::{
    Error, Rate,
    io::{
        beneath, blocking,
        buffer::Buffer,
        read::{self, Span},
    },
    retry,
    target::Method,
};

/// Reads, checks and uploads one file.
pub(super) async fn upload(shipping: Arc<Shipping>, object: Arc<Object>) -> Result<(), Error> {
    let len = usize::try_from(object.size).unwrap_or(usize::MAX);
    let span = Span { block: 0, blocks: object.blocks.len(), offset: 0, len };
    let (ship, of) = (Arc::clone(&shipping), Arc::clone(&object));
    let buffer = blocking(move || read_checked(&ship, &open(&ship, &of)?, &of, span)).await?;
    let bytes = Bytes::from_owner(buffer);
    let target = &shipping.target;
    shipping.turn(object.size).await?;
    retry::again(&shipping.stop, || async {
        let put = target.store().put(&object.name, PutPayload::from(bytes.clone())).await;
        put.map(drop).map_err(|error| target.failed("write", &object.name, error))
    })
    .await?;
    shipping.acknowledged(object.size);
    Ok(())
}

impl Shipping {
    /// Waits for the turn of so many bytes of a store in this process, until it is called off.
    pub(super) async fn turn(&self, bytes: u64) -> Result<(), Error> {
        self.stop.run_until_cancelled(self.target.turn(Rate::Upload, bytes)).await.ok_or(Error::Cancelled)
    }

    /// Bytes are on the target; they count once they are verified.
    pub(super) fn acknowledged(&self, bytes: u64) {
        if self.method != Method::Reread {
            self.progress.add(bytes);
        }
    }
}

/// Opens the local file of an object.
pub(super) fn open(shipping: &Shipping, object: &Object) -> Result<File, Error> {
    let file = beneath::read(&shipping.root, &object.file).map_err(|error| unreadable(object, 0, error))?;
    let size = file.metadata().map_err(Error::local("look at", object.file.as_path()))?.len();
    if size == object.size {
        return Ok(file);
    }
    let (block, detail) =
        (size.min(object.size) / read::BLOCK as u64, format!("it has {size} bytes instead of {}", object.size));
    Err(Error::LocalDamage { file: object.file.to_string(), block, detail })
}

/// Reads a span and checks every block of it.
pub(super) fn read_checked(shipping: &Shipping, file: &File, object: &Object, span: Span) -> Result<Buffer, Error> {
    if shipping.stop.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let mut buffer = shipping.pool.take(span.len);
    let wrong = read::checked(file, span.offset, buffer.room(), span.of(&object.blocks));
    match wrong.map_err(|error| unreadable(object, span.block, error))?.first() {
        None => Ok(buffer),
        Some(place) => Err(Error::LocalDamage {
            file: object.file.to_string(),
            block: (span.block + place) as u64,
            detail: "its bytes do not have their digest".into(),
        }),
    }
}

/// A file that is gone, cut off or no plain file is damage; a host that is out of memory or of file handles is not.
fn unreadable(object: &Object, block: usize, error: io::Error) -> Error {
    if !is_damage(&error) {
        return Error::Local { attempted: "read", path: object.file.as_path().to_owned(), source: error };
    }
    Error::LocalDamage {
        file: object.file.to_string(),
        block: block as u64,
        detail: format!("it can't be read: {error}"),
    }
}
