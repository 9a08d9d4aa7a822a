//! Sealed memory files: bytes that go to another process and that nobody can change afterwards.
//!
//! An unsealed memfd can be rewritten by another uid that holds it, so every one is sealed before
//! it leaves, and one that is not sealed is refused on arrival.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

/// Makes a memfd with these bytes, sealed against every change, closed on exec.
///
/// `executable` asks for one that may be mapped for execution, where the kernel tells the two apart
/// (6.3 and later).
pub fn sealed(name: &str, bytes: &[u8], executable: bool) -> io::Result<OwnedFd> {
    let base = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let kind = if executable { MemfdFlags::EXEC } else { MemfdFlags::NOEXEC_SEAL };
    let fd = match memfd_create(name, base | kind) {
        // Kernels before 6.3 do not know the two flags.
        Err(rustix::io::Errno::INVAL) => memfd_create(name, base)?,
        other => other?,
    };
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, all())?;
    Ok(file.into())
}

/// Reads all bytes of a sealed memfd; refuses one that its sender could still change.
pub fn read_sealed(fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let seals = fcntl_get_seals(fd)?;
    if !seals.contains(all()) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "memfd not sealed"));
    }
    let size = rustix::fs::fstat(fd)?.st_size;
    let size = usize::try_from(size).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut bytes = Vec::with_capacity(size);
    // The offset is shared with whoever else holds the file, so it is read by position.
    let mut at = At { fd, offset: 0 };
    at.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn all() -> SealFlags {
    SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL
}

struct At<'fd> {
    fd: BorrowedFd<'fd>,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = rustix::io::pread(self.fd, into, self.offset)?;
        self.offset += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_was_sealed_is_read_back_twice_and_cannot_be_changed() {
        for executable in [false, true] {
            let fd = sealed("test", b"an order", executable).unwrap();
            for _ in 0..2 {
                assert_eq!(read_sealed(fd.as_fd()).unwrap(), b"an order");
            }
            assert_eq!(rustix::io::pwrite(&fd, b"x", 0), Err(rustix::io::Errno::PERM));
            assert!(rustix::fs::ftruncate(&fd, 0).is_err());
        }
    }

    #[test]
    fn an_unsealed_memfd_is_refused() {
        let flags = MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC;
        let fd = memfd_create("test", flags).unwrap();
        assert!(read_sealed(fd.as_fd()).is_err());
    }

    #[test]
    fn an_ordinary_file_is_refused() {
        let file = tempfile::tempfile().unwrap();
        assert!(read_sealed(file.as_fd()).is_err());
    }
}
