//! What an operator sees of a start: at most six lines, ending with the URL.

use std::net::SocketAddr;

use config::{Address, Deployment};
use supervisor::{AppState, Status};

use crate::daemon;
use crate::log::{Level, Log};
use crate::master::{Ground, Master};
use crate::{Start, tell};

/// Where lines go before the configuration is known: standard error, and the file of `-e`.
pub fn first_log(start: &Start) -> Log {
    let mut log = Log::to_stderr(Level::Notice);
    let path = start.error_log.as_ref().filter(|path| path.as_os_str() != "stderr");
    if let Some(path) = path {
        match crate::logs::open(&start.prefix().join(path)) {
            Ok(file) => log.add(file, Level::Error),
            Err(failed) => log.alert(format_args!("-e: {failed}")),
        }
    }
    log
}

/// The log that the configuration wants; in the foreground standard error hears it too.
pub fn open_log(log: &mut Log, ground: &Ground) {
    let mut new = Log::new();
    let mut on_stderr = false;
    let logs = ground.logs.borrow();
    for (path, level) in &ground.deployment.error_log {
        let level = crate::log::numbered(*level);
        if path.as_os_str() == "stderr" {
            on_stderr = true;
            new.add_stderr(level);
        } else if let Some(file) = logs.file(path) {
            new.add(file, level);
        }
    }
    if !on_stderr && !daemon::in_background() {
        new.add_stderr(Level::Notice);
    }
    *log = new;
}

/// The first line.
pub fn started(log: &mut Log, start: &Start) {
    let version = env!("CARGO_PKG_VERSION");
    match &start.text {
        Some(_) => log.notice(format_args!("liege/{version} runs as pid {}", std::process::id())),
        None => log.notice(format_args!("liege/{version} reads {}", start.file().display())),
    }
}

/// Every app serves or has failed once, and the web serves: systemd hears it, and the operator sees
/// where.
pub fn booted(master: &mut Master) {
    let status = master.supervisor.status();
    let unattended = master.start.text.is_some() || std::process::id() == 1;
    if let Some(failure) = only_app_failed(&status).filter(|_| unattended) {
        master.log.emerg(format_args!("{failure}; there is nothing else to serve"));
        return master.give_up();
    }
    let _ = sys::notify::ready();
    let mut urls: Vec<String> = urls(&master.newest.deployment);
    let more = urls.len().saturating_sub(3);
    urls.truncate(3);
    let down: Vec<String> =
        status.apps.iter().filter(|app| !app.served).map(|app| app.name.to_string()).collect();
    if !down.is_empty() {
        let names = down.join(", ");
        master
            .log
            .error(format_args!("not serving: app {names}; its requests get 503 until it starts"));
    }
    if !urls.is_empty() {
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let took = tell::seconds(master.born.elapsed());
        master.log.notice(format_args!("ready after {took}: {}{more}", urls.join(" ")));
    }
}

/// What became of an app that is the only one and never became ready: in a container or under
/// `liege run` nobody mends it while it waits.
fn only_app_failed(status: &Status) -> Option<String> {
    let [app] = status.apps.as_slice() else { return None };
    match &app.state {
        AppState::Down { cause, .. } if !app.served => {
            Some(format!("app {} never became ready: {cause}", app.name))
        }
        _ => None,
    }
}

/// The line for `systemctl status`: what serves, and the first app that does not, with the cause.
fn status_line(status: &Status) -> String {
    if status.stopping {
        return "stopping".into();
    }
    let web = match (status.web.ready, status.web.wanted) {
        (_, 0) => String::new(),
        (ready, wanted) => format!("{ready} of {wanted} web workers; "),
    };
    let up = status.apps.iter().filter(|app| app.state == AppState::Up).count();
    let mut line = format!("{web}{up} of {} apps up", status.apps.len());
    let down = status.apps.iter().find_map(|app| match &app.state {
        AppState::Down { cause, .. } => Some((app, cause)),
        AppState::Starting | AppState::Up => None,
    });
    if let Some((app, cause)) = down {
        let parked = if app.parked { " parked" } else { "" };
        line.push_str(&format!("; {}{parked}: {cause}", app.name));
    }
    line
}

/// Whether nothing is being tried any more: a reload has ended, well or badly.
fn is_settled(status: &Status) -> bool {
    let units = status.apps.iter().map(|app| &app.unit).chain([&status.web]);
    status.booted && units.into_iter().all(|unit| unit.candidate.is_none())
}

impl Master {
    /// Tells systemd how things are, when that changed, and when a reload has ended.
    pub(crate) fn tell_service_manager(&mut self) {
        if !sys::notify::is_listened_to() {
            return;
        }
        let status = self.supervisor.status();
        let line = status_line(&status);
        if line != self.told_status {
            let _ = sys::notify::status(&line);
            self.told_status = line;
        }
        if self.reloading && self.reader.is_none() && is_settled(&status) {
            self.reloading = false;
            let _ = sys::notify::ready();
        }
    }
}

fn urls(deployment: &Deployment) -> Vec<String> {
    deployment.listeners.iter().map(|listening| url(&listening.address)).collect()
}

/// An address as a person would open it.
fn url(address: &Address) -> String {
    match address {
        Address::Unix(path) => format!("unix:{}", path.display()),
        Address::Inet(address) => {
            let host = match address {
                SocketAddr::V4(v4) if v4.ip().is_unspecified() => "localhost".to_owned(),
                SocketAddr::V6(v6) if v6.ip().is_unspecified() => "localhost".to_owned(),
                SocketAddr::V4(v4) => v4.ip().to_string(),
                SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
            };
            match address.port() {
                80 => format!("http://{host}/"),
                port => format!("http://{host}:{port}/"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use supervisor::{AppStatus, UnitStatus};

    use super::*;

    fn status(states: &[(&str, AppState)]) -> Status {
        let apps = states.iter().map(|(name, state)| AppStatus {
            name: (*name).into(),
            state: state.clone(),
            unit: UnitStatus::default(),
            loyal: false,
            failures: 0,
            parked: false,
            served: *state == AppState::Up,
        });
        let web = UnitStatus { ready: 2, wanted: 2, ..UnitStatus::default() };
        Status { reading: 1, booted: true, stopping: false, web, apps: apps.collect() }
    }

    fn down() -> AppState {
        AppState::Down { cause: "No module named 'shop'".into(), retry: Duration::from_secs(1) }
    }

    #[test]
    fn an_address_is_shown_as_a_person_would_open_it() {
        for (address, shown) in [
            ("0.0.0.0:80", "http://localhost/"),
            ("[::]:8000", "http://localhost:8000/"),
            ("127.0.0.1:8000", "http://127.0.0.1:8000/"),
            ("[::1]:80", "http://[::1]/"),
        ] {
            assert_eq!(url(&Address::Inet(address.parse().unwrap())), shown);
        }
        assert_eq!(url(&Address::Unix("/run/x".into())), "unix:/run/x");
    }

    #[test]
    fn systemd_sees_what_serves_and_why_an_app_does_not() {
        let mut all = status(&[("blog", AppState::Up), ("shop", down())]);
        let line = "2 of 2 web workers; 1 of 2 apps up; shop: No module named 'shop'";
        assert_eq!(status_line(&all), line);
        all.stopping = true;
        assert_eq!(status_line(&all), "stopping");
    }

    #[test]
    fn only_an_app_that_is_alone_and_never_served_is_given_up() {
        assert!(only_app_failed(&status(&[("shop", down())])).unwrap().contains("No module"));
        assert_eq!(only_app_failed(&status(&[("blog", AppState::Up)])), None);
        assert_eq!(only_app_failed(&status(&[("blog", AppState::Up), ("shop", down())])), None);
        let mut served = status(&[("shop", down())]);
        served.apps[0].served = true;
        assert_eq!(only_app_failed(&served), None);
    }

    #[test]
    fn a_reload_ends_when_nothing_is_tried_any_more() {
        let mut all = status(&[("blog", AppState::Up)]);
        assert!(is_settled(&all));
        all.apps[0].unit.candidate = Some(2);
        assert!(!is_settled(&all));
    }
}
