//! The time as logs write it, made once per second.
//!
//! Local time as the system has it (jiff reads the zone once); between two seconds every line
//! copies the same bytes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

/// The texts of one second.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
    second: Option<u64>,
    local: String,
    iso8601: String,
    stamp: String,
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new(TimeZone::system())
    }
}

impl Clock {
    /// A clock in a time zone.
    pub fn new(zone: TimeZone) -> Clock {
        Clock {
            zone,
            second: None,
            local: String::new(),
            iso8601: String::new(),
            stamp: String::new(),
        }
    }

    /// Makes the texts those of `now`. Does nothing in the second in which it was called last.
    pub fn set(&mut self, now: SystemTime) {
        let second = since_epoch(now).as_secs();
        if self.second == Some(second) {
            return;
        }
        self.second = Some(second);
        let time =
            i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
        let time = time.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone());
        self.local = time.strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
        self.iso8601 = time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        self.stamp = time.strftime("%Y/%m/%d %H:%M:%S").to_string();
    }

    /// `$time_local`: `22/Nov/2026:13:00:05 +0000`.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// `$time_iso8601`: `2026-11-22T13:00:05+00:00`.
    pub fn iso8601(&self) -> &str {
        &self.iso8601
    }

    /// The beginning of an error log's line: `2026/11/22 13:00:05`.
    pub fn stamp(&self) -> &str {
        &self.stamp
    }
}

/// Writes seconds with three digits behind the point, as `$request_time` and `$msec` are written.
pub fn seconds(to: &mut Vec<u8>, time: Duration) {
    let mut digits = decimal(time.as_secs());
    to.extend_from_slice(digits.text());
    let thousandths = time.subsec_millis();
    to.push(b'.');
    digits = decimal(u64::from(1000 + thousandths));
    to.extend_from_slice(&digits.text()[1..]);
}

/// The time since 1970; nothing before it.
pub fn since_epoch(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The decimal digits of a number, without an allocation.
pub fn decimal(mut number: u64) -> Digits {
    let mut digits = Digits { bytes: [0; 20], start: 20 };
    loop {
        digits.start -= 1;
        digits.bytes[digits.start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return digits;
        }
    }
}

/// A number in decimal.
#[derive(Debug, Clone, Copy)]
pub struct Digits {
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    /// The digits.
    pub fn text(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_has_three_texts() {
        let mut clock = Clock::new(TimeZone::fixed(jiff::tz::offset(2)));
        clock.set(UNIX_EPOCH + Duration::from_secs(1_795_352_405));
        assert_eq!(clock.local(), "22/Nov/2026:15:00:05 +0200");
        assert_eq!(clock.iso8601(), "2026-11-22T15:00:05+02:00");
        assert_eq!(clock.stamp(), "2026/11/22 15:00:05");
    }

    #[test]
    fn seconds_have_three_digits_behind_the_point() {
        for (time, text) in [(0, "0.000"), (7, "0.007"), (12_345, "12.345")] {
            let mut to = Vec::new();
            seconds(&mut to, Duration::from_millis(time));
            assert_eq!(to, text.as_bytes());
        }
    }

    #[test]
    fn the_largest_number_has_twenty_digits() {
        assert_eq!(decimal(u64::MAX).text(), u64::MAX.to_string().as_bytes());
        assert_eq!(decimal(0).text(), b"0");
    }
}
