//! Who processes become: the web workers' user, and each app's.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use config::{AppDeployment, Deployment};
use sys::identity::User;
use wire::message::Identity;

use crate::log::Log;
use crate::{Failed, Start};

/// The user of `user`; `nobody` without one, as nginx. Nobody changes user but root, so everybody else stays who they are.
pub fn web_user(
    deployment: &Deployment,
    start: &Start,
    log: &mut Log,
) -> Result<Option<Identity>, Failed> {
    if !sys::identity::is_root() {
        if deployment.user.is_some() {
            let file = start.file();
            log.warn(format_args!(
                "the \"user\" directive makes sense only if the master process runs with super-user privileges, \
                 ignored in {}",
                file.display()
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
    named(name, group).map(Some)
}

/// Who an app is: its `uid`/`gid`, else the owner of its chdir if that is not root, else the web workers' user. Root only by
/// `uid root`.
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
        return named(name, app.gid.as_deref()).map(Some);
    }
    let owner = app.chdir.as_deref().and_then(owner_of).filter(|owner| owner.uid != 0);
    let mut identity = match (owner, web) {
        (Some(owner), _) => identity(owner)?,
        (None, Some(web)) => web.clone(),
        (None, None) => return Ok(None),
    };
    if let Some(group) = &app.gid {
        identity.gid = group_number(group)?;
    }
    Ok(Some(identity))
}

/// Without root an app is its caller; naming somebody else is an error.
fn stays_caller(app: &AppDeployment) -> Result<(), Failed> {
    let Some(name) = &app.uid else { return Ok(()) };
    let wanted = named(name, app.gid.as_deref())?;
    if wanted.uid == sys::identity::current().uid {
        return Ok(());
    }
    let why = format!(
        "only root can become {name}: start liege as root, or take uid out of app {}",
        app.name
    );
    Err(Failed::because("become", name, why))
}

/// The first directory on the way to a program, or the program itself, that a user has no permission for. Links are followed
/// first: a virtual environment's interpreter lives elsewhere.
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
    let uid = std::fs::metadata(path).ok()?.uid();
    sys::identity::user_of(uid).ok().flatten()
}

/// A user by name or number, with its groups; a group of its own replaces the user's.
fn named(name: &str, group: Option<&str>) -> Result<Identity, Failed> {
    let failed = |e| Failed::new("look up", format!("user \"{name}\""), e);
    let found = match name.parse() {
        Ok(uid) => sys::identity::user_of(uid).map_err(failed)?,
        Err(_) => sys::identity::user(name).map_err(failed)?,
    };
    let Some(user) = found else {
        return Err(Failed::because(
            "look up",
            format!("user \"{name}\""),
            "no such user; create it or name another",
        ));
    };
    let mut identity = identity(user)?;
    if let Some(group) = group {
        identity.gid = group_number(group)?;
        let groups = sys::identity::groups_of(&identity.name, identity.gid);
        identity.groups = groups.map_err(failed)?;
    }
    Ok(identity)
}

fn identity(user: User) -> Result<Identity, Failed> {
    let groups = sys::identity::groups_of(&user.name, user.gid)
        .map_err(|e| Failed::new("look up", format!("the groups of {}", user.name), e))?;
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
