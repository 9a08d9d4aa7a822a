//! The lines that an operator sees about starts, reloads and crashes: said once, here, in one
//! voice.

use std::time::Duration;

use supervisor::{End, Seat, Slot, Unit};

/// A slot as an operator names it: `web worker 0`, `app blog worker 1`.
pub fn name(slot: &Slot) -> String {
    match (&slot.unit, slot.seat) {
        (Unit::Web, Seat::Web(number)) => format!("web worker {number}"),
        (Unit::App(app), Seat::Master) => format!("app {app} master"),
        (Unit::App(app), Seat::Worker(number)) => format!("app {app} worker {number}"),
        (Unit::App(app), _) => format!("app {app}"),
        (Unit::Web, _) => "web".to_owned(),
    }
}

/// A unit as an operator names it.
pub fn unit(unit: &Unit) -> String {
    match unit {
        Unit::Web => "web".to_owned(),
        Unit::App(app) => format!("app {app}"),
    }
}

/// A crash: what died, which process, how.
pub fn death(slot: &Slot, pid: Option<u32>, end: End) -> String {
    let pid = pid.map_or_else(String::new, |pid| format!(" {pid}"));
    format!("{}: process{pid} {}", name(slot), ending(end))
}

fn ending(end: End) -> String {
    match end {
        End::Status(status) => format!("exited with status {status}"),
        End::Signal(signal) => {
            format!("was killed by {}{}", signal_name(signal), suspicion(signal))
        }
    }
}

/// What commonly sends a signal that nobody here sent.
fn suspicion(signal: i32) -> &'static str {
    match signal {
        9 => " (kill -9, or the kernel when memory ran out: see dmesg)",
        11 => " (a crash in native code of the process)",
        _ => "",
    }
}

/// The signal's name as kill -l prints it.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

/// A time as people say it.
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} s", time.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_names_the_process_and_the_likely_cause() {
        let slot = Slot { unit: Unit::App("blog".into()), generation: 3, seat: Seat::Worker(2) };
        let line = death(&slot, Some(77), End::Signal(9));
        assert!(line.starts_with("app blog worker 2: process 77 was killed by SIGKILL"), "{line}");
    }
}
