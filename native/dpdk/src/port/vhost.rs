//! Before `net_vhost` makes its socket: what it would answer with a line in its log is asked here, and told by name.
use super::PortError;
use crate::Errno;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A `sockaddr_un` holds 107 bytes and a zero; the driver would cut a longer path.
const PATH_MAX: usize = 107;

/// Checks a path without asking the system.
pub(super) fn check_path(path: &str) -> Result<(), PortError> {
    super::kind::check_path(path)?;
    if !path.starts_with('/') {
        return Err(PortError::BadPath { path: path.to_owned() });
    }
    match path.len() {
        0..=PATH_MAX => Ok(()),
        length => Err(PortError::SocketPathTooLong { path: path.to_owned(), length, max: PATH_MAX }),
    }
}

/// Makes sure that a socket can be made at `path`. One that a process has left behind is removed, as every server does that is to start
/// again after a crash; one that somebody listens on, or anything else, stays.
pub(super) fn make_way(path: &str) -> Result<(), PortError> {
    let failed = |error: &std::io::Error| PortError::File {
        path: path.to_owned(),
        errno: Errno::new(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    let directory = Path::new(path).parent().unwrap_or(Path::new("/"));
    if !directory.is_dir() {
        return Err(PortError::NoDirectory { path: path.to_owned(), directory: directory.display().to_string() });
    }
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(&error)),
        Ok(found) if !found.file_type().is_socket() => return Err(PortError::NotASocket { path: path.to_owned() }),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|error| failed(&error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        _ => Err(PortError::SocketInUse { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_path_is_absolute_short_and_plain() {
        check_path("/run/vhost/vm1.sock").unwrap();
        for path in ["", "vm1.sock", "/run/a,client=1", "/run/a b"] {
            assert!(matches!(check_path(path), Err(PortError::BadPath { .. })), "{path:?}");
        }
        let long = format!("/{}", "a".repeat(PATH_MAX));
        check_path(&long[..PATH_MAX]).unwrap();
        assert_eq!(
            check_path(&long).unwrap_err().to_string(),
            format!("the path of the socket {long} has 108 bytes, and a Unix socket takes 107")
        );
    }

    #[test]
    fn what_is_in_the_way_is_named_and_only_a_dead_socket_is_removed() {
        let folder = std::env::temp_dir().join(format!("dpdk-vhost-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket").display().to_string();
        make_way(&path).unwrap();
        let error = make_way(&format!("{path}/below")).unwrap_err();
        assert!(matches!(&error, PortError::NoDirectory { directory, .. } if *directory == path), "{error}");
        std::fs::write(&path, "a file").unwrap();
        assert!(matches!(make_way(&path), Err(PortError::NotASocket { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"a file");
        std::fs::remove_file(&path).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        assert!(matches!(make_way(&path), Err(PortError::SocketInUse { .. })));
        drop(listener);
        assert!(Path::new(&path).exists(), "left behind");
        make_way(&path).unwrap();
        assert!(!Path::new(&path).exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
