//! Multipart uploads under way, as this host notes them: no store lists its parts to us, so a host that was killed in the middle finds here
//! which upload it was and which parts are there, and sends the others.
//!
//! ```text
//! file     = line "tidegate-upload 1", object, bytes, bytes of a part, how they are verified, upload id; then a line for each part that is there
//! part     = number, id
//! ```
//!
//! Fields are parted by tabs. The file is called as the digest of target and object, and lines are appended without a sync: what
//! a power cut takes back is sent again, and so is a part whose line is cut. The store is asked when the upload is completed, and the
//! parts were verified when they were sent. A file goes when its upload is completed or aborted;
//! one that is left belongs to a host that was killed, and is taken up again or [collected](crate::Target::collect_uploads).

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path as File_, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use object_store::{MultipartId, multipart::PartId, path::Path};
use tidegate_core::Digest;

use crate::{Error, Target, io::blocking, target::Method};

const HEAD: &str = "tidegate-upload 1";
/// Bytes of a file: 10,000 parts with ids of a hundred bytes, and more.
const MOST: u64 = 8 << 20;

/// One upload under way.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) id: MultipartId,
    /// The parts that were there when it was taken up again.
    pub(crate) parts: BTreeMap<usize, PartId>,
    path: Option<PathBuf>,
    file: Mutex<Option<File>>,
}

/// What a file says.
#[derive(Debug)]
struct Read {
    object: String,
    size: u64,
    part: u64,
    method: String,
    id: MultipartId,
    parts: BTreeMap<usize, PartId>,
}

impl Noted {
    /// A part is there.
    pub(crate) fn done(&self, nth: usize, part: &PartId) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{nth}\t{}\n", part.content_id);
        if let Some(open) = file.as_mut()
            && (!plain(&part.content_id) || open.write_all(line.as_bytes()).is_err())
        {
            // It costs parts that are sent twice, no more.
            *file = None;
        }
    }

    /// The upload is completed, aborted or unknown to the store.
    pub(crate) fn end(&self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }

    /// Whether a later try can go on with it.
    pub(crate) fn kept(&self) -> bool {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Target {
    /// The upload of an object that an earlier host began and this one can go on with.
    pub(crate) fn noted(&self, object: &Path, size: u64, part: u64, method: &Method) -> Option<Noted> {
        let path = self.note_of(object)?;
        let read = read(&path).ok()?;
        let same = (read.object.as_str(), read.size, read.part) == (object.as_ref(), size, part);
        if !same || read.method != method.text() {
            return None;
        }
        let file = File::options().append(true).open(&path).ok();
        tracing::info!(target = %self, %object, parts = read.parts.len(), "an upload goes on");
        Some(Noted { id: read.id, parts: read.parts, path: Some(path), file: Mutex::new(file) })
    }

    /// Notes an upload that has begun.
    pub(crate) fn note(&self, object: &Path, size: u64, part: u64, method: &Method, id: MultipartId) -> Noted {
        // Azure has no ids of uploads: it keeps the parts of an object until they are put together or a week has gone.
        let path = self.note_of(object).filter(|_| id.is_empty() || plain(&id));
        let line = format!("{HEAD}\t{object}\t{size}\t{part}\t{}\t{id}\n", method.text());
        let make = |path: &PathBuf| {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let mut file = File::create(path)?;
            file.write_all(line.as_bytes())?;
            Ok::<_, io::Error>(file)
        };
        let made = path.as_ref().and_then(|path| {
            make(path)
                .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "an upload is not noted"))
                .ok()
        });
        Noted { id, parts: BTreeMap::new(), path, file: Mutex::new(made) }
    }

    /// Aborts uploads that a host left which was killed, and that nobody has gone on with for so long. Returns how many there were.
    ///
    /// # Errors
    /// What the store says; an upload that it does not know any more is none.
    pub async fn collect_uploads(&self, older: Duration) -> Result<usize, Error> {
        let (Some(dir), Some(store)) = (self.0.options.uploads.clone(), self.multipart().cloned()) else {
            return Ok(0);
        };
        let left = blocking(move || left(&dir, older).map_err(Error::local("list", dir))).await?;
        let mut collected = 0;
        for (path, read) in left {
            let object = Path::from(read.object.as_str());
            if self.note_of(&object).as_ref() != Some(&path) {
                continue;
            }
            match store.abort_multipart(&object, &read.id).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {
                    collected += 1;
                    let _ = fs::remove_file(&path);
                }
                Err(error) => return Err(self.failed("abort", &object, error)),
            }
        }
        Ok(collected)
    }

    fn note_of(&self, object: &Path) -> Option<PathBuf> {
        let dir = self.0.options.uploads.as_ref()?;
        Some(dir.join(Digest::of(format!("{self} {object}").as_bytes()).to_string()))
    }
}

/// Whether a field holds nothing that parts fields.
fn plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// The files of uploads that nobody has written to for so long.
fn left(dir: &File_, older: Duration) -> io::Result<Vec<(PathBuf, Read)>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut left = Vec::new();
    for entry in entries {
        let entry = entry?;
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if age >= older
            && let Ok(read) = read(&entry.path())
        {
            left.push((entry.path(), read));
        }
    }
    Ok(left)
}

fn read(path: &File_) -> io::Result<Read> {
    if fs::metadata(path)?.len() > MOST {
        return Err(io::Error::other("it is too long"));
    }
    parse(&fs::read_to_string(path)?).ok_or_else(|| io::Error::other("it is no upload"))
}

fn parse(text: &str) -> Option<Read> {
    let (head, parts) = text.split_once('\n')?;
    let fields: Vec<&str> = head.split('\t').collect();
    let [HEAD, object, size, part, method, id] = fields.as_slice() else { return None };
    let (size, part) = (size.parse().ok()?, part.parse().ok()?);
    // The last line may be cut: without its end it counts for nothing.
    let whole = parts.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let one = |line: &str| {
        let (nth, id) = line.split_once('\t')?;
        Some((nth.parse().ok()?, PartId { content_id: id.to_owned() }))
    };
    let parts = whole.lines().map(one).collect::<Option<BTreeMap<_, _>>>()?;
    let (object, method, id) = ((*object).to_owned(), (*method).to_owned(), (*id).to_owned());
    Some(Read { object, size, part, method, id, parts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_counts_for_nothing() {
        let text = "tidegate-upload 1\ta/b\t100\t10\tsize\tid\n0\tetag0\n7\tetag7\n";
        let all = parse(text).unwrap();
        assert_eq!((all.size, all.part, all.id.as_str(), all.parts.len()), (100, 10, "id", 2));
        for cut in text.len() - 8..text.len() {
            assert_eq!(parse(&text[..cut]).unwrap().parts.len(), 1, "{cut}");
        }
        assert_eq!(parse("tidegate-upload 1\ta/b\t100\t10\tsize\t\n").unwrap().id, "", "Azure has none");
        assert!(parse("tidegate-upload 2\ta/b\t100\t10\tsize\tid\n").is_none());
        assert!(parse("tidegate-upload 1\ta/b\t100\t10\tsize\tid").is_none());
        assert!(parse("tidegate-upload 1\ta/b\t100\t10\tsize\tid\nx\ty\n").is_none());
    }
}
