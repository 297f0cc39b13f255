//! The Unix socket. Its file outlives a killed host, so a new one must tell a stale file from a living host's, and must
//! not take the file away from a host that has replaced it since.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::net::{UnixListener, UnixStream};

use super::{Error, Listener};
use crate::http::Peer;

/// What is left of the kernel's 107 bytes for a suffix while the socket is made.
const PATH_BYTES: usize = 100;

/// A listening socket and its file.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file that this listener answers on.
    identity: (u64, u64),
    /// Held as long as the socket: two hosts can't both find a stale file and replace it.
    _lock: File,
}

impl UnixSocket {
    /// Listens on `path`, with mode 0660. A file that a dead host left is replaced in one step.
    pub(crate) async fn bind(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Unix { path: path.to_owned(), source };
        if path.as_os_str().len() > PATH_BYTES {
            return Err(Error::TooLong(path.to_owned()));
        }
        let lock = lock(path)?;
        refuse_living(path).await?;
        let fresh = beside(path, ".new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&fresh).map_err(failed)?;
        // Its mode is set before anybody can find it under its name.
        fs::set_permissions(&fresh, Permissions::from_mode(0o660)).map_err(failed)?;
        let identity = identity(&fresh).map_err(failed)?;
        fs::rename(&fresh, path).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), identity, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Listener for UnixSocket {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
        let (stream, _) = self.listener.accept().await?;
        let peer = Peer::of(&stream);
        Ok((stream, peer))
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

fn lock(path: &Path) -> Result<File, Error> {
    let failed = |source| Error::Unix { path: path.to_owned(), source };
    let lock = File::options().create(true).append(true).open(beside(path, ".lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Only a socket on which nobody answers may be replaced.
async fn refuse_living(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Unix { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(Error::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match tokio::time::timeout(Duration::from_secs(2), UnixStream::connect(path)).await {
        Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Err(failed(error)),
        // It answers, or is too busy to.
        _ => Err(Error::InUse(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tidegate.sock");
        (dir, path)
    }

    #[tokio::test]
    async fn a_socket_is_for_owner_and_group_and_goes_with_its_host() {
        let (_dir, path) = place();
        let socket = UnixSocket::bind(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(UnixStream::connect(&path).await.is_ok());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_living_hosts_socket_is_left_alone() {
        let (_dir, path) = place();
        let _socket = UnixSocket::bind(&path).await.unwrap();
        assert!(matches!(UnixSocket::bind(&path).await, Err(Error::InUse(_))));
        assert!(UnixStream::connect(&path).await.is_ok());
    }

    #[tokio::test]
    async fn another_programs_socket_is_left_alone() {
        let (_dir, path) = place();
        let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(UnixSocket::bind(&path).await, Err(Error::InUse(_))));
    }

    #[tokio::test]
    async fn a_dead_hosts_socket_is_replaced() {
        let (_dir, path) = place();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _socket = UnixSocket::bind(&path).await.unwrap();
        assert!(UnixStream::connect(&path).await.is_ok());
    }

    #[tokio::test]
    async fn a_plain_file_is_never_removed() {
        let (_dir, path) = place();
        fs::write(&path, "precious").unwrap();
        assert!(matches!(UnixSocket::bind(&path).await, Err(Error::NotASocket(_))));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn the_file_of_whoever_replaced_it_stays() {
        let (_dir, path) = place();
        let socket = UnixSocket::bind(&path).await.unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        drop(socket);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_path_that_the_kernel_would_cut_is_refused() {
        let path = Path::new("/tmp").join("x".repeat(101));
        assert!(matches!(UnixSocket::bind(&path).await, Err(Error::TooLong(_))));
    }
}
