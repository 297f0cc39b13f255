//! One part of a file: from the nearest source, and block by block from the next one where that is wrong.

use std::sync::Arc;

use super::{Damage, file::Restoring, origin::Origin};
use crate::{
    Error,
    io::{
        blocking,
        buffer::Buffer,
        read::{self, BLOCK, Span},
    },
    target::Read,
};

/// How often one source is asked for the same bytes: what was damaged on the way is right the second time.
const TRIES: usize = 2;
/// The last source is asked more often: behind it there is nothing.
const LAST_TRIES: usize = 4;

/// Blocks that a source did not give, and what it gave instead.
struct Lacking {
    span: Span,
    detail: String,
}

/// Fetches, checks and writes a span.
pub(super) async fn fetch(file: &Arc<Restoring>, span: Span) -> Result<(), Error> {
    let restore = &file.restore;
    let path = file.entry().map(|entry| entry.path.to_string()).unwrap_or_default();
    let mut lacking = vec![Lacking { span, detail: "there is no source".into() }];
    let mut unasked = false;
    for (nth, origin) in restore.origins.iter().enumerate() {
        let mut failed = None;
        let tries = if nth + 1 == restore.origins.len() { LAST_TRIES } else { TRIES };
        for nth in 0..tries {
            failed = None;
            let mut still = Vec::new();
            for Lacking { span, .. } in lacking {
                match take(file, origin, span, nth > 0).await {
                    Ok(rest) => still.extend(rest),
                    Err(Attempt::Unreachable(error)) => {
                        still.push(Lacking { span, detail: error.to_string() });
                        failed = Some(error);
                    }
                    Err(Attempt::Stuck(error)) => return Err(error),
                }
            }
            lacking = still;
            if lacking.is_empty() {
                return Ok(());
            }
        }
        // A source that could not be asked is not damaged.
        match failed {
            Some(error) => unasked |= error.retryable(),
            None => lacking.iter().for_each(|Lacking { span, detail }| {
                let (tier, block, detail) = (origin.tier(), span.block as u64, detail.clone());
                restore.damaged(Damage { tier, file: path.clone(), block, detail });
            }),
        }
    }
    let (block, detail) = lacking.first().map(|l| (l.span.block as u64, l.detail.clone())).unwrap_or_default();
    Err(Error::Corrupt { file: path, block, detail, retryable: unasked, damaged: Vec::new() })
}

enum Attempt {
    /// The source could not be asked: another one may have the bytes.
    Unreachable(Error),
    /// This host can't write: no source helps.
    Stuck(Error),
}

/// Takes what is right from one source; returns what is not.
async fn take(file: &Arc<Restoring>, origin: &Origin, span: Span, fresh: bool) -> Result<Vec<Lacking>, Attempt> {
    let restore = &file.restore;
    let Some(entry) = file.entry() else { return Ok(Vec::new()) };
    let buffer = restore.pool.take(span.len);
    // Only the reading is cut short: what writes into the staging directory has ended when its task has.
    let read = restore.stop.run_until_cancelled(origin.read(entry, span, buffer, fresh)).await;
    let read = read.ok_or(Attempt::Stuck(Error::Cancelled))?;
    let buffer = match read.map_err(Attempt::Unreachable)? {
        Read::Absent(detail) => return Ok(vec![Lacking { span, detail }]),
        Read::Bytes(buffer) => buffer,
    };
    let this = Arc::clone(file);
    let written = blocking(move || write(&this, span, &buffer)).await.map_err(Attempt::Stuck)?;
    let right = span.len - written.iter().map(|place| span.nth(*place).len).sum::<usize>();
    restore.took(origin.tier(), right as u64);
    let detail = "its bytes do not have their digest";
    Ok(written.into_iter().map(|place| Lacking { span: span.nth(place), detail: detail.into() }).collect())
}

/// Checks a span and writes the blocks that are right; returns the places of those that are not.
fn write(file: &Restoring, span: Span, buffer: &Buffer) -> Result<Vec<usize>, Error> {
    if file.restore.stop.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let Some(entry) = file.entry() else { return Ok(Vec::new()) };
    let wrong = read::compare(buffer.as_ref(), span.of(&entry.blocks));
    let out = file.out()?;
    let failed = || Error::local("write", entry.path.as_path());
    if wrong.is_empty() {
        out.write(buffer, 0..span.len, span.offset).map_err(failed())?;
        file.landed(span);
        return Ok(wrong);
    }
    for place in (0..span.blocks).filter(|place| !wrong.contains(place)) {
        let one = span.nth(place);
        let start = place * BLOCK;
        out.write(buffer, start..start + one.len, one.offset).map_err(failed())?;
        file.landed(one);
    }
    Ok(wrong)
}
