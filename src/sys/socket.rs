//! Listening sockets, the connections that come in on them, and who is at the other end.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// An IPv4 or IPv6 address and port.
    Inet(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How a socket listens. The default is nginx's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenOptions {
    /// How many connections may wait to be accepted.
    pub backlog: i32,
    /// SO_REUSEPORT: several sockets share the address, and the kernel shares the connections out.
    pub reuseport: bool,
    /// IPV6_V6ONLY (nginx: on).
    pub ipv6only: bool,
    /// SO_RCVBUF.
    pub rcvbuf: Option<usize>,
    /// SO_SNDBUF.
    pub sndbuf: Option<usize>,
    /// SO_KEEPALIVE.
    pub keepalive: bool,
    /// TCP_KEEPIDLE.
    pub keep_idle: Option<Duration>,
    /// TCP_KEEPINTVL.
    pub keep_interval: Option<Duration>,
    /// TCP_KEEPCNT.
    pub keep_count: Option<u32>,
    /// TCP_DEFER_ACCEPT, for at most this long.
    pub deferred: Option<Duration>,
    /// TCP_FASTOPEN, with this queue.
    pub fastopen: Option<u32>,
    /// The permission bits of a Unix socket.
    pub mode: Option<u32>,
    /// The owner and group of a Unix socket.
    pub owner: Option<(u32, u32)>,
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 511,
            reuseport: false,
            ipv6only: true,
            rcvbuf: None,
            sndbuf: None,
            keepalive: false,
            keep_idle: None,
            keep_interval: None,
            keep_count: None,
            deferred: None,
            fastopen: None,
            mode: None,
            owner: None,
        }
    }
}

/// Opens a listening stream socket, closed on exec, blocking.
///
/// The file of a Unix socket that nobody listens on is replaced; one that answers is an error, and
/// so is any other file.
pub fn listen(address: &Address, options: &ListenOptions) -> io::Result<OwnedFd> {
    let socket = match address {
        Address::Inet(inet) => bind_inet(inet, options)?,
        Address::Unix(path) => bind_unix(path, options)?,
    };
    if let Some(size) = options.rcvbuf {
        socket.set_recv_buffer_size(size)?;
    }
    if let Some(size) = options.sndbuf {
        socket.set_send_buffer_size(size)?;
    }
    socket.listen(options.backlog)?;
    Ok(socket.into())
}

fn bind_inet(address: &SocketAddr, options: &ListenOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(options.ipv6only)?;
    }
    if options.reuseport {
        socket.set_reuse_port(true)?;
    }
    if options.keepalive {
        socket.set_keepalive(true)?;
    }
    keep_alive_times(&socket, options)?;
    socket.bind(&SockAddr::from(*address))?;
    if let Some(limit) = options.deferred {
        let seconds = i32::try_from(limit.as_secs()).unwrap_or(i32::MAX);
        nix_int(&socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)?;
    }
    if let Some(queue) = options.fastopen {
        let queue = i32::try_from(queue).unwrap_or(i32::MAX);
        nix_int(&socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, queue)?;
    }
    Ok(socket)
}

fn keep_alive_times(socket: &Socket, options: &ListenOptions) -> io::Result<()> {
    if let Some(idle) = options.keep_idle {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
    }
    if let Some(interval) = options.keep_interval {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_interval(interval))?;
    }
    if let Some(count) = options.keep_count {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_retries(count))?;
    }
    Ok(())
}

/// Lets further sockets listen on the address of one that is listening already (SO_REUSEPORT).
pub fn share_port(fd: impl AsFd) -> io::Result<()> {
    socket2::SockRef::from(&fd).set_reuse_port(true)
}

fn bind_unix(path: &Path, options: &ListenOptions) -> io::Result<Socket> {
    let (dir, name) = split(path)?;
    clear_stale(path, dir.as_fd(), name)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    if options.mode.is_some() || options.owner.is_some() {
        // A new socket file takes its bits from the socket: nobody connects before owner and mode
        // are right.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    }
    let short = ShortPath::new(path)?;
    socket.bind(&SockAddr::unix(short.as_path())?)?;
    if let Some((uid, gid)) = options.owner {
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(&dir, name, Some(uid), Some(gid), flags)?;
    }
    if let Some(mode) = options.mode {
        rustix::fs::chmodat(&dir, name, Mode::from_bits_truncate(mode), AtFlags::empty())?;
    } else if options.owner.is_some() {
        rustix::fs::chmodat(&dir, name, Mode::from_bits_truncate(0o660), AtFlags::empty())?;
    }
    Ok(socket)
}

/// Unlinks a socket that refuses connections; leaves alone whatever else is there.
fn clear_stale(path: &Path, dir: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Socket => {}
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "path is no socket")),
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(e) => return Err(e.into()),
    }
    match connect_unix(path) {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // It answers, or its queue is full, or it belongs to somebody else: somebody may be there.
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// Connects to a Unix stream socket without waiting: `WouldBlock` when its queue is full. The
/// result is non-blocking.
pub fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    let short = ShortPath::new(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(short.as_path())?)?;
    Ok(socket.into())
}

/// A path that fits into a socket address (107 bytes), however long the real one is.
///
/// A longer one goes through the open directory: `/proc/self/fd/N/name`. Valid while the value
/// lives.
#[derive(Debug)]
pub struct ShortPath {
    path: PathBuf,
    _dir: Option<OwnedFd>,
}

impl ShortPath {
    /// Shortens a path if it must be.
    pub fn new(path: &Path) -> io::Result<ShortPath> {
        if path.as_os_str().len() <= LONGEST_PATH {
            return Ok(ShortPath { path: path.to_owned(), _dir: None });
        }
        let (dir, name) = split(path)?;
        let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
        Ok(ShortPath { path: short, _dir: Some(dir) })
    }

    /// The path to bind or connect to.
    pub fn as_path(&self) -> &Path {
        &self.path
    }
}

/// Opens the directory of a path.
fn split(path: &Path) -> io::Result<(OwnedFd, &Path)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    if name.as_bytes().len() > LONGEST_NAME {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "socket name too long"));
    }
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok((rustix::fs::openat(CWD, dir, flags, Mode::empty())?, Path::new(name)))
}

/// Who connected, as the kernel saw it at that moment: pid, uid, gid.
pub fn peer(fd: impl AsFd) -> io::Result<(u32, u32, u32)> {
    let who = rustix::net::sockopt::socket_peercred(fd)?;
    let pid = who.pid.as_raw_nonzero().get().unsigned_abs();
    Ok((pid, who.uid.as_raw(), who.gid.as_raw()))
}

/// Waits for a connection and accepts it, blocking and closed on exec. `Interrupted` when a signal
/// came first.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::net::accept_with(listener, rustix::net::SocketFlags::CLOEXEC)?)
}

/// Accepts a connection if one waits: non-blocking, closed on exec, with its peer's address on TCP.
/// `WouldBlock` when none waits, on a listener that is non-blocking.
pub fn accept_nonblocking(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    use rustix::net::SocketFlags;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (connection, peer) = rustix::net::acceptfrom_with(listener, flags)?;
    Ok((connection, peer.and_then(|peer| SocketAddr::try_from(peer).ok())))
}

/// Sends what goes at once and says that more follows (MSG_MORE), so that a head waits for its
/// file.
pub fn send_more(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::SendFlags;
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL | SendFlags::MORE;
    Ok(rustix::net::send(fd, bytes, flags)?)
}

/// Sends what goes at once on a socket that others share: never waits, never changes its flags,
/// never raises SIGPIPE.
pub fn send_now(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::SendFlags;
    Ok(rustix::net::send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

pub use crate::pipe::set_nonblocking;

/// Where a listening socket that came from outside listens; an error for one that does not listen
/// on a stream.
pub fn address_of(fd: impl AsFd) -> io::Result<Address> {
    let socket = socket2::SockRef::from(&fd);
    if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a listening stream socket"));
    }
    let address = socket.local_addr()?;
    if let Some(inet) = address.as_socket() {
        return Ok(Address::Inet(inet));
    }
    let path = address.as_pathname().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(Address::Unix(path.to_owned()))
}

/// Takes the sockets that a service manager passed (sd_listen_fds(3)) with their names, and forgets
/// the environment of it.
///
/// Call it once, at the beginning of main, before any other thread and before any descriptor is
/// opened.
pub fn take_listen_fds() -> Vec<(OwnedFd, String)> {
    let read = |name: &str| std::env::var(name).ok();
    let ours = read("LISTEN_PID").and_then(|pid| pid.parse().ok()) == Some(std::process::id());
    let count: RawFd = read("LISTEN_FDS").and_then(|n| n.parse().ok()).unwrap_or(0);
    let names = read("LISTEN_FDNAMES").unwrap_or_default();
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
        // SAFETY: the caller is at the beginning of main, before any other thread.
        unsafe { std::env::remove_var(name) };
    }
    if !ours {
        return Vec::new();
    }
    let mut names = names.split(':');
    let mut taken = Vec::new();
    for raw in FIRST_PASSED..FIRST_PASSED.saturating_add(count.clamp(0, MOST_PASSED)) {
        let name = names.next().unwrap_or("").to_owned();
        // SAFETY: the call only asks about a number and touches no memory.
        if unsafe { libc::fcntl(raw, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            continue;
        }
        // SAFETY: it is open (just asked), LISTEN_PID says that it was passed to this process, and
        // nothing else was opened yet, so nobody owns it.
        taken.push((unsafe { OwnedFd::from_raw_fd(raw) }, name));
    }
    taken
}

fn nix_int(socket: &Socket, level: i32, name: i32, value: i32) -> io::Result<()> {
    let size = u32::try_from(size_of::<i32>()).unwrap_or(4);
    let pointer = (&raw const value).cast();
    // SAFETY: the option takes one int, which lives here through the call.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, pointer, size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a path of a socket's file disappear; quiet when it is gone already.
pub fn unlink(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Opens /dev/null for reading and writing.
pub(crate) fn null() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/null")
}

/// sun_path without its NUL.
const LONGEST_PATH: usize = 107;

/// What is left of it behind `/proc/self/fd/NNNNNNN/`.
const LONGEST_NAME: usize = 80;

/// The first descriptor that a service manager passes.
const FIRST_PASSED: RawFd = 3;

/// More than this is nonsense.
const MOST_PASSED: RawFd = 4096;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn unix(path: PathBuf) -> Address {
        Address::Unix(path)
    }

    #[test]
    fn an_address_is_written_as_nginx_writes_it() {
        for (address, text) in [
            (Address::Inet("127.0.0.1:80".parse().unwrap()), "127.0.0.1:80"),
            (Address::Inet("[::1]:80".parse().unwrap()), "[::1]:80"),
            (unix("/run/x.sock".into()), "unix:/run/x.sock"),
        ] {
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn a_tcp_socket_listens_and_tells_its_address() {
        let any = Address::Inet("127.0.0.1:0".parse().unwrap());
        let options = ListenOptions { reuseport: true, fastopen: Some(9), ..Default::default() };
        let listener = listen(&any, &options).unwrap();
        let Address::Inet(real) = address_of(&listener).unwrap() else { panic!() };
        let mut client = TcpStream::connect(real).unwrap();
        let (server, from) = accept_nonblocking(listener.as_fd()).unwrap();
        assert_eq!(from, Some(client.local_addr().unwrap()));
        assert_eq!(send_more(&server, b"head").unwrap(), 4);
        set_nonblocking(&server, false).unwrap();
        client.write_all(b"x").unwrap();
        assert_eq!(File::from(server).read(&mut [0; 9]).unwrap(), 1);
        let again = listen(&Address::Inet(real), &ListenOptions::default()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn an_address_that_was_opened_alone_can_be_shared_later() {
        let any = Address::Inet("127.0.0.1:0".parse().unwrap());
        let keep_idle = Some(Duration::from_secs(9));
        let options = ListenOptions { keep_idle, keep_count: Some(3), ..Default::default() };
        let first = listen(&any, &options).unwrap();
        let real = address_of(&first).unwrap();
        let shared = ListenOptions { reuseport: true, ..Default::default() };
        assert!(listen(&real, &shared).is_err());
        share_port(&first).unwrap();
        assert!(listen(&real, &shared).is_ok());
    }

    #[test]
    fn a_unix_socket_of_any_path_length_listens_with_mode_and_owner() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(200));
        std::fs::create_dir(&deep).unwrap();
        for path in [dir.path().join("short.sock"), deep.join("long.sock")] {
            let me = crate::identity::current();
            let owner = Some((me.uid, me.gid));
            let options = ListenOptions { mode: Some(0o606), owner, ..Default::default() };
            let listener = listen(&unix(path.clone()), &options).unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o606);
            let client = connect_unix(&path).unwrap();
            let server = accept(listener.as_fd()).unwrap();
            assert_eq!(peer(&server).unwrap(), (std::process::id(), me.uid, me.gid));
            drop(client);
        }
    }

    #[test]
    fn a_stale_socket_is_replaced_a_living_one_and_any_other_file_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let first = listen(&unix(path.clone()), &ListenOptions::default()).unwrap();
        let taken = listen(&unix(path.clone()), &ListenOptions::default()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        listen(&unix(path.clone()), &ListenOptions::default()).unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "precious").unwrap();
        assert!(listen(&unix(file.clone()), &ListenOptions::default()).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    }

    #[test]
    fn a_full_queue_would_block() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let options = ListenOptions { backlog: 1, ..Default::default() };
        let _listener = listen(&unix(path.clone()), &options).unwrap();
        let mut held = Vec::new();
        let full = (0..10).find_map(|_| connect_unix(&path).map(|fd| held.push(fd)).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
