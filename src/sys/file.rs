//! Files: looking at them, opening them, sending them without a copy.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, StatxFlags};
use rustix::io::{Errno, ReadWriteFlags};

/// What the kernel knows about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The device, as one number.
    pub dev: u64,
    /// The inode.
    pub ino: u64,
    /// The size in bytes.
    pub size: u64,
    /// The last change of the contents, seconds since 1970.
    pub mtime_sec: i64,
    /// The nanoseconds of it.
    pub mtime_nsec: u32,
    /// Type and permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// How many names it has.
    pub links: u32,
}

impl Meta {
    /// It is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind() == FileType::RegularFile
    }

    /// It is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == FileType::Directory
    }

    /// It is a socket.
    pub fn is_socket(&self) -> bool {
        self.kind() == FileType::Socket
    }

    fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }
}

/// Looks at what a path leads to.
pub fn statx(path: &Path) -> io::Result<Meta> {
    meta(CWD, path, AtFlags::empty())
}

/// Looks at a path itself, not at what a symbolic link there points to.
pub fn lstatx(path: &Path) -> io::Result<Meta> {
    meta(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
}

/// Looks at an open file.
pub fn fstatx(fd: impl AsFd) -> io::Result<Meta> {
    meta(fd, Path::new(""), AtFlags::EMPTY_PATH)
}

fn meta(dir: impl AsFd, path: &Path, flags: AtFlags) -> io::Result<Meta> {
    let got = rustix::fs::statx(dir, path, flags, StatxFlags::BASIC_STATS)?;
    Ok(Meta {
        dev: rustix::fs::makedev(got.stx_dev_major, got.stx_dev_minor),
        ino: got.stx_ino,
        size: got.stx_size,
        mtime_sec: got.stx_mtime.tv_sec,
        mtime_nsec: got.stx_mtime.tv_nsec,
        mode: u32::from(got.stx_mode),
        uid: got.stx_uid,
        gid: got.stx_gid,
        links: got.stx_nlink,
    })
}

/// Opens a file for reading. Never waits for the writer of a named pipe, never becomes a
/// controlling terminal.
pub fn open_readonly(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Opens a log for appending; makes it with `mode` if there is none. Neither opening nor writing
/// ever waits for somebody who should read (a named pipe, a terminal that is held).
pub fn open_append(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let kind = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
    let flags = kind | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::from_bits_truncate(mode))?)
}

/// Sends up to `count` bytes of a file from `offset` on; answers how many went (0 at the file's
/// end).
pub fn sendfile(out: impl AsFd, file: impl AsFd, offset: u64, count: usize) -> io::Result<usize> {
    let mut at = offset;
    Ok(rustix::fs::sendfile(out, file, Some(&mut at), count)?)
}

/// Whether the byte at `offset` can be read without waiting for a disk.
///
/// `Ok(true)`: it is cached (or past the end); `Ok(false)`: reading would wait. A file system that
/// cannot tell is taken as cached.
pub fn pread_nowait(file: impl AsFd, offset: u64) -> io::Result<bool> {
    let mut byte = [0; 1];
    let into = &mut [io::IoSliceMut::new(&mut byte)];
    match rustix::io::preadv2(file, into, offset, ReadWriteFlags::NOWAIT) {
        Ok(_) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(true),
        Err(Errno::AGAIN) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Opens a file without a name in a directory, mode 0600; it is gone when it is closed.
pub fn tmpfile(dir: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Ok(fd) => Ok(fd.into()),
        // File systems without O_TMPFILE, and kernels that take it for a directory opened for
        // writing.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => named_and_unlinked(dir),
        Err(e) => Err(e.into()),
    }
}

fn named_and_unlinked(dir: &Path) -> io::Result<File> {
    let template = CString::new(dir.join(".liege-XXXXXX").as_os_str().as_bytes())?;
    let (fd, path) = nix::unistd::mkstemp(template.as_c_str())?;
    rustix::fs::unlink(&path)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(fd.into())
}

/// Owns a copy of a descriptor that somebody else (an interpreter) knows by its number.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: it is borrowed for one call, which only asks for a copy and fails where nothing is
    // open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_dupfd_cloexec(borrowed, 3)?)
}

/// Holds small packets back (TCP_CORK) so that head and file leave together, or lets them go.
pub fn set_cork(fd: impl AsFd, on: bool) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_cork(fd, on)?)
}

/// What one may want to do with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// That it exists.
    Exist,
    /// To read it.
    Read,
    /// To execute it (a directory: to pass through it).
    Execute,
    /// To write it.
    Write,
}

/// Whether this process, by its effective identity, may do so; an error says why not.
pub fn access(path: &Path, want: Want) -> io::Result<()> {
    let want = match want {
        Want::Exist => Access::EXISTS,
        Want::Read => Access::READ_OK,
        Want::Execute => Access::EXEC_OK,
        Want::Write => Access::WRITE_OK,
    };
    Ok(rustix::fs::accessat(CWD, path, want, AtFlags::EACCESS)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn a_temporary_file_has_no_name_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        for make in [tmpfile, named_and_unlinked] {
            let mut file = make(dir.path()).unwrap();
            file.write_all(b"body").unwrap();
            file.rewind().unwrap();
            let mut back = String::new();
            file.read_to_string(&mut back).unwrap();
            let meta = fstatx(&file).unwrap();
            assert_eq!((back.as_str(), meta.mode & 0o777, meta.links), ("body", 0o600, 0));
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn sendfile_sends_from_the_offset_and_leaves_the_position_alone() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let (reader, writer) = crate::pipe::pipe().unwrap();
        assert_eq!(sendfile(&writer, &file, 4, 3).unwrap(), 3);
        let mut got = [0; 10];
        assert_eq!(rustix::io::read(&reader, &mut got).unwrap(), 3);
        assert_eq!(&got[..3], b"456");
        assert_eq!(file.stream_position().unwrap(), 10);
        assert_eq!(sendfile(&writer, &file, 10, 3).unwrap(), 0);
    }

    #[test]
    fn a_file_just_written_is_cached() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"warm").unwrap();
        assert!(pread_nowait(&file, 3).unwrap());
        assert!(pread_nowait(&file, 400).unwrap());
    }

    #[test]
    fn opening_a_named_pipe_does_not_wait_for_a_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let fd = open_readonly(&path).unwrap();
        assert!(!fstatx(&fd).unwrap().is_file());
    }

    #[test]
    fn meta_agrees_with_the_standard_library() {
        use std::os::unix::fs::MetadataExt;
        let path = std::env::current_exe().unwrap();
        let (ours, theirs) = (statx(&path).unwrap(), std::fs::metadata(&path).unwrap());
        assert_eq!((ours.dev, ours.ino, ours.size), (theirs.dev(), theirs.ino(), theirs.size()));
        assert_eq!((ours.mtime_sec, ours.mode), (theirs.mtime(), theirs.mode()));
        assert!(ours.is_file() && access(&path, Want::Execute).is_ok());
        let missing = access(Path::new("/does/not/exist"), Want::Exist).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
