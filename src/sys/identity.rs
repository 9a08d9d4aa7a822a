//! Who a process is: looking users up, becoming one of them for good, and giving up every
//! privilege.

use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// A user of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The home directory.
    pub home: PathBuf,
}

/// Looks a user up by name.
pub fn user(name: &str) -> io::Result<Option<User>> {
    Ok(nix::unistd::User::from_name(name)?.map(User::from))
}

/// Looks a user up by id.
pub fn user_of(uid: u32) -> io::Result<Option<User>> {
    Ok(nix::unistd::User::from_uid(Uid::from_raw(uid))?.map(User::from))
}

/// Looks a group up by name.
pub fn group(name: &str) -> io::Result<Option<u32>> {
    Ok(nix::unistd::Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

/// All groups of a user, `gid` among them.
pub fn groups_of(user: &str, gid: u32) -> io::Result<Vec<u32>> {
    let name = CString::new(user)?;
    let groups = nix::unistd::getgrouplist(&name, Gid::from_raw(gid))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

/// The user that this process is now; one without an entry is named by its number.
pub fn current() -> User {
    let uid = Uid::effective().as_raw();
    user_of(uid).ok().flatten().unwrap_or_else(|| User {
        name: uid.to_string(),
        uid,
        gid: Gid::effective().as_raw(),
        home: PathBuf::from("/"),
    })
}

/// The effective user id of this process.
pub fn uid() -> u32 {
    Uid::effective().as_raw()
}

/// Whether this process is root.
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Becomes this user with exactly these groups, for good; any doubt is an error, after which the
/// process must exit.
///
/// The order is what makes it sure: bounding set (while the right to empty it is there), groups,
/// gid, uid, then all of them are read back and compared, and the way back to root is tried and
/// must be closed.
pub fn become_identity(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let wanted: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    if uid != 0 {
        empty_bounding_set();
    }
    setgroups(&wanted)?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    let users = getresuid()?;
    let gids = getresgid()?;
    let right = [users.real, users.effective, users.saved] == [user; 3]
        && [gids.real, gids.effective, gids.saved] == [group; 3]
        && sorted(getgroups()?) == sorted(wanted);
    if !right {
        return Err(io::Error::other("identity differs from what was asked"));
    }
    if uid != 0 && nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
        return Err(io::Error::other("root can be regained"));
    }
    Ok(())
}

/// Gives up what is left: no capability now or by any exec to come, no new privileges.
///
/// Root keeps its capabilities (an operator who writes `uid root` means it) but gains none by exec.
pub fn drop_privileges() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    if is_root() {
        return Ok(());
    }
    empty_bounding_set();
    // An ambient set needs kernel support only to be filled; one that cannot be cleared is empty.
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Empties the bounding set where that is allowed: a process without CAP_SETPCAP keeps it, and
/// gains nothing by it once no_new_privs is set.
fn empty_bounding_set() {
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if rustix::thread::remove_capability_from_bounding_set(capability).is_err() {
            break;
        }
    }
}

fn sorted(groups: Vec<Gid>) -> Vec<u32> {
    let mut groups: Vec<u32> = groups.into_iter().map(Gid::as_raw).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

impl From<nix::unistd::User> for User {
    fn from(user: nix::unistd::User) -> User {
        User { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use super::*;

    const AS: &str = "SYS_TEST_BECOME";

    #[test]
    fn root_is_found_by_name_and_by_id() {
        let root = user("root").unwrap().unwrap();
        assert_eq!((root.uid, user_of(0).unwrap().unwrap()), (0, root.clone()));
        assert_eq!(group("root").unwrap(), Some(0));
        assert_eq!(user("no such user").unwrap(), None);
        assert!(groups_of("root", 0).unwrap().contains(&0));
    }

    /// Runs only as a child of the next test.
    #[test]
    fn becomes_nobody_for_good() {
        if env::var_os(AS).is_none() {
            return;
        }
        // The test harness runs this on a thread: libc carries the change to all of them.
        become_identity(65534, 65534, &[65534, 12]).unwrap();
        drop_privileges().unwrap();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        for line in ["CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let set = status.lines().find(|l| l.starts_with(line)).unwrap();
            assert!(set.ends_with("0000000000000000"), "{set}");
        }
        assert!(status.contains("NoNewPrivs:\t1"));
        assert!(nix::unistd::setuid(Uid::from_raw(0)).is_err());
        println!("became nobody");
    }

    #[test]
    fn a_root_process_that_becomes_a_user_has_nothing_left() {
        if !is_root() {
            return;
        }
        let mut command = Command::new(env::current_exe().unwrap());
        let output =
            command.args(["becomes_nobody_for_good", "--nocapture"]).env(AS, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("became nobody"), "{said}");
    }
}
