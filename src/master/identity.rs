//! Who processes become: the web workers' user, and each app's.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use config::{AppDeployment, Deployment};
use sys::identity::User;
use wire::message::Identity;

use crate::log::Log;
use crate::{Failed, Start};

/// The user of `user`; `nobody` without one, as nginx. Nobody changes user but root, so everybody
/// else stays who they are.
pub fn web_user(
    deployment: &Deployment,
    start: &Start,
    log: &mut Log,
) -> Result<Option<Identity>, Failed> {
    if !sys::identity::is_root() {
        if deployment.user.is_some() {
            let file = start.file().display().to_string();
            let place = deployment.user_place.as_ref().unwrap_or(&file);
            log.warn(format_args!(
                "the \"user\" directive makes sense only if the master process runs with \
                 super-user privileges, ignored in {place}"
            ));
        }
        return Ok(None);
    }
    if start.keep_caller {
        return Ok(None);
    }
    let (name, group) = match &deployment.user {
        Some((name, group)) => (name.as_str(), group.as_deref()),
        None => ("nobody", None),
    };
    match named(name, group)? {
        Some(identity) => Ok(Some(identity)),
        // nginx's words: tools look for them.
        None => Err(Failed::because(
            format!("getpwnam(\"{name}\")"),
            format!("failed in {}", deployment.user_place.as_deref().unwrap_or("the default")),
            "no such user; create it, or name another with user",
        )),
    }
}

/// Who an app is: its `uid`/`gid`, else the owner of its chdir if that is not root, else the web
/// workers' user. Root only by `uid root`.
pub fn app_user(
    app: &AppDeployment,
    web: Option<&Identity>,
    start: &Start,
) -> Result<Option<Identity>, Failed> {
    if !sys::identity::is_root() {
        return stays_caller(app).map(|()| None);
    }
    if start.keep_caller {
        return Ok(None);
    }
    if let Some(name) = &app.uid {
        return known(name, app.gid.as_deref()).map(Some);
    }
    let owner = app.chdir.as_deref().and_then(owner_of).filter(|owner| owner.uid != 0);
    let mut identity = match (owner, web) {
        (Some(owner), _) => identity(owner)?,
        (None, Some(web)) => web.clone(),
        (None, None) => return Ok(None),
    };
    if let Some(group) = &app.gid {
        regroup(&mut identity, group)?;
    }
    Ok(Some(identity))
}

/// Without root an app is its caller; naming somebody else is an error.
fn stays_caller(app: &AppDeployment) -> Result<(), Failed> {
    let Some(name) = &app.uid else { return Ok(()) };
    let wanted = known(name, app.gid.as_deref())?;
    if wanted.uid == sys::identity::current().uid {
        return Ok(());
    }
    let why = format!(
        "only root can become {name}: start liege as root, or take uid out of app {}",
        app.name
    );
    Err(Failed::because("become", name, why))
}

/// The first directory on the way to a program, or the program itself, that a user has no
/// permission for. Links are followed first: a virtual environment's interpreter lives elsewhere.
pub fn blocked_at(program: &Path, who: Option<&Identity>) -> Option<PathBuf> {
    let who = who.filter(|who| who.uid != 0)?;
    let may_pass = |path: &Path| std::fs::metadata(path).is_ok_and(|meta| may_execute(&meta, who));
    let real = std::fs::canonicalize(program).ok()?;
    let mut ways: Vec<&Path> = program.ancestors().chain(real.ancestors()).collect();
    ways.sort();
    ways.into_iter()
        .find(|path| !path.as_os_str().is_empty() && !may_pass(path))
        .map(Path::to_owned)
}

/// The x bit that counts for this user (path_resolution(7): owner, else group, else others).
fn may_execute(meta: &Metadata, who: &Identity) -> bool {
    let mode = meta.mode();
    let bit = if meta.uid() == who.uid {
        0o100
    } else if meta.gid() == who.gid || who.groups.contains(&meta.gid()) {
        0o010
    } else {
        0o001
    };
    mode & bit != 0
}

fn owner_of(path: &Path) -> Option<User> {
    let meta = std::fs::metadata(path).ok()?;
    let known = sys::identity::user_of(meta.uid()).ok().flatten();
    // A number without an entry (a volume in a container) is somebody all the same.
    Some(known.unwrap_or_else(|| nameless(meta.uid(), meta.gid())))
}

fn nameless(uid: u32, gid: u32) -> User {
    User { name: uid.to_string(), uid, gid, home: PathBuf::from("/") }
}

/// A user who must be there.
fn known(name: &str, group: Option<&str>) -> Result<Identity, Failed> {
    named(name, group)?.ok_or_else(|| {
        let why = "no such user; create it or name another";
        Failed::because("look up", format!("user \"{name}\""), why)
    })
}

/// A user by name or number, with its groups; a group of its own replaces the user's.
fn named(name: &str, group: Option<&str>) -> Result<Option<Identity>, Failed> {
    let failed = |e| Failed::new("look up", format!("user \"{name}\""), e);
    let found = match name.parse() {
        Ok(uid) => sys::identity::user_of(uid).map_err(failed)?,
        Err(_) => sys::identity::user(name).map_err(failed)?,
    };
    let Some(user) = found else { return Ok(None) };
    let mut identity = identity(user)?;
    if let Some(group) = group {
        regroup(&mut identity, group)?;
    }
    Ok(Some(identity))
}

/// Another primary group, which is in the place of the user's own also among all its groups.
fn regroup(identity: &mut Identity, group: &str) -> Result<(), Failed> {
    identity.gid = group_number(group)?;
    identity.groups = groups_of(&identity.name, identity.gid)?;
    Ok(())
}

fn groups_of(name: &str, gid: u32) -> Result<Vec<u32>, Failed> {
    sys::identity::groups_of(name, gid)
        .map_err(|e| Failed::new("look up", format!("the groups of {name}"), e))
}

fn identity(user: User) -> Result<Identity, Failed> {
    let groups = groups_of(&user.name, user.gid)?;
    Ok(Identity { name: user.name, home: user.home, uid: user.uid, gid: user.gid, groups })
}

fn group_number(group: &str) -> Result<u32, Failed> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let what = format!("group \"{group}\"");
    match sys::identity::group(group) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => {
            Err(Failed::because("look up", what, "no such group; create it or name another"))
        }
        Err(error) => Err(Failed::new("look up", what, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn somebody() -> Identity {
        let (name, home) = ("somebody".into(), PathBuf::from("/"));
        Identity { name, home, uid: 4_000_001, gid: 4_000_001, groups: vec![4_000_001] }
    }

    #[test]
    fn the_first_directory_that_a_user_may_not_pass_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let closed = dir.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        let program = closed.join("python");
        std::fs::write(&program, "").unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(dir.path(), 0o755);
        set(&program, 0o755);
        for (mode, blocked) in [(0o700, Some(closed.clone())), (0o711, None)] {
            set(&closed, mode);
            assert_eq!(blocked_at(&program, Some(&somebody())), blocked);
        }
        set(&program, 0o644);
        assert_eq!(blocked_at(&program, Some(&somebody())), Some(program.clone()));
        assert_eq!(blocked_at(&program, None), None);
    }

    #[test]
    fn a_user_who_is_not_there_is_none_and_a_group_replaces_the_primary_one() {
        assert_eq!(named("no such user", None).unwrap(), None);
        let root = known("0", None).unwrap();
        assert_eq!((root.name.as_str(), root.gid), ("root", 0));
        let regrouped = known("root", Some("12")).unwrap();
        assert_eq!(regrouped.gid, 12);
        assert!(regrouped.groups.contains(&12) && !regrouped.groups.contains(&0));
        assert!(known("root", Some("no such group")).unwrap_err().to_string().contains("create"));
    }
}
