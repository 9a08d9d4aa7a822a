//! The environment of an app: built from nothing, so that it is the same whoever started liege.

use std::collections::BTreeMap;

use config::{AppDeployment, Deployment};
use wire::message::Identity;

/// Names that speak to liege, or to the loader, and never to an app.
const STRIPPED: [&str; 8] = [
    "LD_",
    "LISTEN_",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
    "CREDENTIALS_DIRECTORY",
    "UWSGI_",
    "LIEGE_",
    "INVOCATION_ID",
];

/// PATH when nobody has one.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What of our own environment goes to every app.
const BASIC: [&str; 8] = ["PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "HOME", "USER", "LOGNAME"];

/// Our own environment, as far as it is text.
pub fn ours() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// PATH, TZ and language of ours; who the app is; `env` of the main level and of the app. With
/// `whole` (`liege run`) the caller's whole environment is passed on.
pub fn of_app(
    ours: &BTreeMap<String, String>,
    whole: bool,
    deployment: &Deployment,
    app: &AppDeployment,
    identity: Option<&Identity>,
) -> Vec<(String, String)> {
    let mut env = ours.clone();
    env.retain(|name, _| {
        let stripped = STRIPPED.iter().any(|prefix| name.starts_with(prefix));
        !stripped && (whole || BASIC.contains(&name.as_str()))
    });
    env.entry("PATH".into()).or_insert_with(|| PATH.into());
    env.entry("LANG".into()).or_insert_with(|| "C.UTF-8".into());
    env.entry("PYTHONUTF8".into()).or_insert_with(|| "1".into());
    if let Some(who) = identity {
        env.insert("HOME".into(), who.home.to_string_lossy().into_owned());
        env.insert("USER".into(), who.name.clone());
        env.insert("LOGNAME".into(), who.name.clone());
    }
    for (name, value) in &deployment.env {
        let value = value.as_ref().or_else(|| ours.get(name)).cloned();
        env.extend(value.map(|value| (name.clone(), value)));
    }
    if let Some(venv) = &app.virtualenv {
        env.insert("VIRTUAL_ENV".into(), venv.to_string_lossy().into_owned());
    }
    env.extend(app.env.iter().cloned());
    env.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Start, reader};

    fn of(text: &str, whole: bool, who: Option<&Identity>) -> BTreeMap<String, String> {
        let start = Start { text: Some(text.into()), ..Start::default() };
        let deployment = reader::read(&start.order()).deployment.unwrap();
        let ours = ["PATH=/bin", "HOME=/root", "SECRET=s", "NOTIFY_SOCKET=/n", "UWSGI_FILE=x"];
        let pair = |word: &str| word.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
        let ours = ours.into_iter().filter_map(pair).collect();
        of_app(&ours, whole, &deployment, &deployment.apps[0], who).into_iter().collect()
    }

    #[test]
    fn an_app_gets_nothing_of_ours_but_what_every_program_needs() {
        let env = of("app a { module m; }", false, None);
        assert_eq!(
            (&env["PATH"][..], &env["HOME"][..], &env["LANG"][..]),
            ("/bin", "/root", "C.UTF-8")
        );
        assert_eq!(env["PYTHONUTF8"], "1");
        for name in ["SECRET", "NOTIFY_SOCKET", "UWSGI_FILE"] {
            assert!(!env.contains_key(name), "{name}");
        }
        let env = of("app a { module m; }", true, None);
        assert_eq!(env["SECRET"], "s");
        assert!(!env.contains_key("UWSGI_FILE"));
    }

    #[test]
    fn env_of_the_app_wins_over_that_of_the_main_level_and_that_over_ours() {
        let env =
            of("env SECRET; env A=main; env B=main; app a { module m; env A=app; }", false, None);
        assert_eq!((&env["SECRET"][..], &env["A"][..], &env["B"][..]), ("s", "app", "main"));
    }

    #[test]
    fn the_user_s_home_is_its_own() {
        let who = Identity {
            name: "bob".into(),
            home: "/home/bob".into(),
            uid: 7,
            gid: 7,
            groups: vec![],
        };
        let env = of("app a { module m; }", false, Some(&who));
        assert_eq!((&env["HOME"][..], &env["USER"][..]), ("/home/bob", "bob"));
    }
}
