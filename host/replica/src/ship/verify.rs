//! Looking at what arrived.

use std::sync::{Arc, Mutex, PoisonError};

use object_store::path::Path;

use super::{Object, Shipping};
use crate::{
    Error,
    crew::{self, Crew},
    io::{
        blocking,
        read::{self, Span, spans},
    },
    retry,
    target::Read,
};

/// Reads objects back and compares every block; returns those that are not right.
pub(super) async fn reread(
    shipping: &Arc<Shipping>,
    objects: impl Iterator<Item = Arc<Object>>,
) -> Result<Vec<Arc<Object>>, Error> {
    let mut crew = Crew::new(Arc::clone(&shipping.target.0.permits), &shipping.stop);
    let wrong: Arc<Mutex<Vec<Arc<Object>>>> = Arc::default();
    'all: for object in objects {
        for span in spans(object.size, object.part) {
            let check = check(Arc::clone(shipping), Arc::clone(&object), span, Arc::clone(&wrong));
            if !crew.start(crew::share(span.len as u64, object.part), check).await {
                break 'all;
            }
        }
    }
    crew.finish().await?;
    let mut wrong = std::mem::take(&mut *wrong.lock().unwrap_or_else(PoisonError::into_inner));
    wrong.sort_by(|a, b| a.name.cmp(&b.name));
    wrong.dedup_by(|a, b| Arc::ptr_eq(a, b));
    Ok(wrong)
}

async fn check(
    shipping: Arc<Shipping>,
    object: Arc<Object>,
    span: Span,
    wrong: Arc<Mutex<Vec<Arc<Object>>>>,
) -> Result<(), Error> {
    let read = retry::again(&shipping.stop, || {
        shipping.target.read(&object.name, object.size, span, shipping.pool.take(span.len))
    });
    let differs = match read.await? {
        Read::Absent(detail) => Some(detail),
        Read::Bytes(buffer) => {
            let object = Arc::clone(&object);
            let compare = move || Ok(read::compare(buffer.as_ref(), span.of(&object.blocks)));
            let place = blocking(compare).await?.first().copied();
            place.map(|place| format!("block {} does not have its digest", span.block + place))
        }
    };
    match differs {
        None => shipping.progress.add(span.len as u64),
        Some(detail) => {
            tracing::warn!(target = %shipping.target, object = %object.name, detail, "an object is written anew");
            wrong.lock().unwrap_or_else(PoisonError::into_inner).push(object);
        }
    }
    Ok(())
}

/// Compares the sizes of objects; returns those that are not there or have another.
pub(super) async fn sizes(
    shipping: &Arc<Shipping>,
    prefix: &Path,
    objects: impl Iterator<Item = Arc<Object>>,
) -> Result<Vec<Arc<Object>>, Error> {
    let there = shipping.target.sizes(prefix).await?;
    Ok(objects.filter(|object| there.get(&object.digest) != Some(&object.size)).collect())
}
