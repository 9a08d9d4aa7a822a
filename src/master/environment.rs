//! The environment of an app: built from nothing, so that it is the same whoever started liege.

use std::collections::BTreeMap;

use config::{AppDeployment, Deployment};
use wire::message::Identity;

use crate::Start;

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

/// PATH, TZ and language of ours; who the app is; `env` of the main level and of the app. `liege run` passes the caller's whole
/// environment on.
pub fn of_app(
    start: &Start,
    deployment: &Deployment,
    app: &AppDeployment,
    identity: Option<&Identity>,
) -> Vec<(String, String)> {
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    let inherited: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !STRIPPED.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    let basic = ["PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "HOME", "USER", "LOGNAME"];
    for (name, value) in &inherited {
        if start.keep_caller || basic.contains(&name.as_str()) {
            env.insert(name.clone(), value.clone());
        }
    }
    env.entry("PATH".into()).or_insert_with(|| PATH.into());
    env.entry("LANG".into()).or_insert_with(|| "C.UTF-8".into());
    env.entry("PYTHONUTF8".into()).or_insert_with(|| "1".into());
    if let Some(who) = identity {
        env.insert("HOME".into(), who.home.to_string_lossy().into_owned());
        env.insert("USER".into(), who.name.clone());
        env.insert("LOGNAME".into(), who.name.clone());
    }
    for (name, value) in &deployment.env {
        let value = value.clone().or_else(|| std::env::var(name).ok());
        env.extend(value.map(|value| (name.clone(), value)));
    }
    if let Some(venv) = &app.virtualenv {
        env.insert("VIRTUAL_ENV".into(), venv.to_string_lossy().into_owned());
    }
    env.extend(app.env.iter().cloned());
    env.into_iter().collect()
}
