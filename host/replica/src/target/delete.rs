//! Deleting, in the order that never leaves a marker or manifest without what it speaks of.

use std::{fs, io};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectStoreExt, path::Path};
use tidegate_core::{Rank, RunName, Step};

use super::Target;
use crate::{Error, io::blocking, local};

impl Target {
    /// Deletes a checkpoint, or what is there of one: its marker, then its manifests, then its data. Returns the bytes
    /// freed. After a failure half way it can be called again; where nothing is left it does nothing.
    ///
    /// # Errors
    /// [`Error::Needed`] if another checkpoint is kept as differences from it; what the store says.
    pub async fn delete(&self, run: &RunName, step: Step) -> Result<u64, Error> {
        if let Some(by) = self.condemn(run, step).await? {
            return Err(Error::Needed { target: self.name().clone(), step, by });
        }
        let prefix = self.0.layout.step(run, step);
        let needs = self.needs(run, step).await?;
        let listed = self.store().list_with_delimiter(Some(&prefix)).await;
        let listed = listed.map_err(|error| self.failed("list", &prefix, error))?;
        let (marker, tombstone) = (self.0.layout.marker(run, step), self.0.layout.tombstone(run, step));
        let listed_objects = listed.objects.into_iter().filter(|meta| meta.location != tombstone);
        let (markers, others): (Vec<_>, Vec<_>) = listed_objects.partition(|m| m.location == marker);
        let mut freed = 0;
        for objects in [markers, others] {
            let found = stream::iter(objects).map(|meta| Ok((meta.location, meta.size)));
            freed += self.remove_all(found.boxed()).await?;
            self.settle(&prefix).await?;
        }
        for below in listed.common_prefixes {
            let found = self.store().list(Some(&below)).map_ok(|meta| (meta.location, meta.size));
            freed += self.remove_all(found.boxed()).await?;
        }
        // A crash before this leaves references that lead to nothing.
        self.release(run, &needs).await?;
        self.spare(run, step).await?;
        self.clear(&prefix).await?;
        Ok(freed)
    }

    /// The bases of a checkpoint that is about to be deleted: base, step and rank of each.
    async fn needs(&self, run: &RunName, step: Step) -> Result<Vec<(Step, Step, Rank)>, Error> {
        match self.marked(run, step).await {
            Ok(found) => {
                let shards = found.into_iter().flat_map(|found| found.shards);
                Ok(shards.filter_map(|shard| Some((shard.base?, step, shard.rank))).collect())
            }
            Err(Error::Manifest { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Deletes what was sent of these ranks for a checkpoint that never became complete here: its last copy is gone, and
    /// nobody will send the rest. Does nothing if the checkpoint has its marker. Returns the bytes freed.
    ///
    /// # Errors
    /// What the store says. It can be called again.
    pub async fn abandon(&self, run: &RunName, step: Step, ranks: &[Rank]) -> Result<u64, Error> {
        let marker = self.0.layout.marker(run, step);
        match self.store().head(&marker).await {
            Ok(_) => return Ok(0),
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(self.failed("look at", &marker, error)),
        }
        let mut freed = 0;
        for rank in ranks {
            let manifest = self.0.layout.manifest(run, step, *rank);
            freed += self.remove_all(stream::iter([Ok((manifest, 0))]).boxed()).await?;
            let below = self.0.layout.rank(run, step, *rank);
            let found = self.store().list(Some(&below)).map_ok(|meta| (meta.location, meta.size));
            freed += self.remove_all(found.boxed()).await?;
            self.clear(&below).await?;
        }
        let manifests =
            ranks.iter().filter_map(|rank| self.0.layout.manifest(run, step, *rank).filename().map(str::to_owned));
        self.clear_unfinished(&self.0.layout.step(run, step), manifests.collect()).await?;
        Ok(freed)
    }

    /// Deletes a stream of objects with their sizes.
    pub(crate) async fn remove_all(
        &self,
        found: stream::BoxStream<'static, object_store::Result<(Path, u64)>>,
    ) -> Result<u64, Error> {
        let mut freed = 0;
        let mut chunks = found.try_chunks(1000);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.failed("list", &Path::default(), error.1))?;
            let some = chunk.first().map(|(path, _)| path.clone()).unwrap_or_default();
            let paths: Vec<_> = chunk.iter().map(|(path, _)| Ok(path.clone())).collect();
            let mut gone = self.store().delete_stream(stream::iter(paths).boxed());
            while let Some(result) = gone.next().await {
                match result {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.failed("delete", &some, error)),
                }
            }
            freed += chunk.iter().map(|(_, size)| size).sum::<u64>();
        }
        Ok(freed)
    }

    /// In a directory: makes the deletions so far durable, so that no power cut brings back a marker whose data is gone.
    async fn settle(&self, prefix: &Path) -> Result<(), Error> {
        let Some(path) = self.file_of(prefix) else { return Ok(()) };
        blocking(move || match local::sync_directory(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::local("sync", path)(error)),
            _ => Ok(()),
        })
        .await
    }

    /// In a directory: removes the temporary files of these manifests, whose writing was killed, and what is empty then.
    async fn clear_unfinished(&self, prefix: &Path, manifests: Vec<String>) -> Result<(), Error> {
        let Some(path) = self.file_of(prefix) else { return Ok(()) };
        let clear = move || -> io::Result<()> {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.split_once('#').is_some_and(|(of, _)| manifests.iter().any(|manifest| manifest == of)) {
                    fs::remove_file(entry.path())?;
                } else if entry.file_type()?.is_dir() {
                    // Only an empty one goes.
                    let _ = fs::remove_dir(entry.path());
                }
            }
            let _ = fs::remove_dir(&path);
            Ok(())
        };
        let prefix = prefix.to_string();
        blocking(move || match clear() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::local("clear", prefix)(error)),
            _ => Ok(()),
        })
        .await
    }

    /// In a directory: removes the empty directories and the temporary files of uploads that were killed.
    async fn clear(&self, prefix: &Path) -> Result<(), Error> {
        let Some(path) = self.file_of(prefix) else { return Ok(()) };
        blocking(move || match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::local("remove", path)(error)),
            _ => Ok(()),
        })
        .await
    }
}
