//! Clocks.

use std::time::{Duration, SystemTime};

/// Time since an arbitrary start, which never goes back.
pub fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The time of day.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The time of day to within a few milliseconds, at a third of the cost.
pub fn wall_coarse() -> SystemTime {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let since = Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}

/// The local time as nginx writes it into its error log: `2026/11/22 13:00:05`.
pub fn log_stamp() -> String {
    let seconds = wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = libc::time_t::try_from(seconds).unwrap_or(0);
    // SAFETY: an all-zero tm is a valid one.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that live through the call, which fills the second.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut tm) };
    format!(
        "{:04}/{:02}/{:02} {:02}:{:02}:{:02}",
        tm.tm_year + 1900,
        tm.tm_mon + 1,
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let first = monotonic();
        assert!(monotonic() >= first);
    }

    #[test]
    fn a_stamp_is_written_as_nginx_does() {
        let digits = log_stamp().replace(|c: char| c.is_ascii_digit(), "9");
        assert_eq!(digits, "9999/99/99 99:99:99");
    }

    #[test]
    fn the_coarse_clock_agrees_with_the_exact_one() {
        let apart = wall().duration_since(wall_coarse()).unwrap_or_default();
        assert!(apart < Duration::from_secs(1));
    }
}
