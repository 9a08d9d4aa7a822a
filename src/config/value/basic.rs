//! Flags, numbers, sizes and times, as nginx reads them (its numbers have no sign, its units no
//! spaces).

use std::time::Duration;

use super::{Complaint, Scope, Value};
use crate::diagnostic::shown;
use crate::syntax::Line;

/// Bytes, at most as many as memory has: digits and one of k, m.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Bytes of files and bodies: as [`Size`], and g.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(pub u64);

/// A time in whole seconds; unlike a plain [`Duration`] it may name years and months, and no
/// milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

/// A number between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bounded<const LEAST: u64, const MOST: u64>(pub u64);

/// Whether a directive without words was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present(pub bool);

/// Words that are read, warned about and obeyed by nobody: at most `MOST` of them, about TLS or
/// about nginx's hash tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ignored<const MOST: usize, const TLS: bool>;

/// A word as it is, without variables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Value for bool {
    const SYNTAX: &'static str = "on | off";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let word = line.argument(0);
        if word.eq_ignore_ascii_case(b"on") {
            return Ok(true);
        }
        if word.eq_ignore_ascii_case(b"off") {
            return Ok(false);
        }
        let (value, name) = (shown(word), line.name_text());
        let message = format!(
            "invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\""
        );
        Err(Complaint::new(message).at(1))
    }
}

impl Value for u64 {
    const SYNTAX: &'static str = "number";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        number(line.argument(0)).ok_or_else(|| Complaint::of(line, "invalid number").at(1))
    }
}

impl Value for u32 {
    const SYNTAX: &'static str = "number";

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let number = u64::read(line, scope)?;
        u32::try_from(number).map_err(|_| Complaint::of(line, "invalid number").at(1))
    }
}

impl<const LEAST: u64, const MOST: u64> Value for Bounded<LEAST, MOST> {
    const SYNTAX: &'static str = "number";

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let number = u64::read(line, scope)?;
        if (LEAST..=MOST).contains(&number) {
            return Ok(Bounded(number));
        }
        let what = match MOST {
            u64::MAX => format!("value must be equal to or greater than {LEAST}"),
            _ => format!("value must be between {LEAST} and {MOST}"),
        };
        Err(Complaint::new(what).at(1))
    }
}

impl Value for Size {
    const SYNTAX: &'static str = "size";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        size(line.argument(0)).map(Size).ok_or_else(|| {
            Complaint::invalid(line).hint("a size is digits, then k or m: 8k, 1m, 512")
        })
    }
}

impl Value for Offset {
    const SYNTAX: &'static str = "size";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        offset(line.argument(0)).map(Offset).ok_or_else(|| {
            Complaint::invalid(line).hint("a size is digits, then k, m or g: 8k, 10m, 1g")
        })
    }
}

impl Value for Duration {
    const SYNTAX: &'static str = "time";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        duration(line.argument(0), Resolution::Milliseconds).ok_or_else(|| {
            Complaint::invalid(line).hint("a time is digits and a unit: 500ms, 30s, 5m, 1h, 1h30m")
        })
    }
}

impl Value for Seconds {
    const SYNTAX: &'static str = "time";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        duration(line.argument(0), Resolution::Seconds).map(Seconds).ok_or_else(|| {
            Complaint::invalid(line).hint("a time is digits and a unit: 30s, 5m, 1h, 10d, 1y")
        })
    }
}

impl Value for Bytes {
    const SYNTAX: &'static str = "string";

    fn read(line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        Ok(Bytes(line.argument(0).to_vec()))
    }
}

impl<const MOST: usize, const TLS: bool> Value for Ignored<MOST, TLS> {
    const SYNTAX: &'static str = if MOST == 1 { "value" } else { "value ..." };
    const ARITY: (usize, usize) = (1, MOST);
    const ADDS: bool = MOST > 1;

    fn read(line: &Line, scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        let name = line.name_text();
        if !TLS {
            u64::read(line, scope)?;
        }
        let (why, hint) = match TLS {
            true => ("liege has no encrypted connections yet", "it is kept for later"),
            false => ("tables size themselves", "remove the line"),
        };
        let message = format!("the \"{name}\" directive has no effect, {why}");
        scope.warn(Complaint::new(message).hint(hint));
        Ok(Ignored)
    }

    fn again(&mut self, line: &Line, _scope: &mut Scope<'_>) -> Result<(), Complaint> {
        match MOST {
            1 => Err(Complaint::of(line, "is duplicate")),
            _ => Ok(()),
        }
    }

    fn absent() -> Option<Self> {
        Some(Ignored)
    }
}

impl Value for Present {
    const SYNTAX: &'static str = "";
    const ARITY: (usize, usize) = (0, 0);

    fn read(_line: &Line, _scope: &mut Scope<'_>) -> Result<Self, Complaint> {
        Ok(Present(true))
    }

    fn absent() -> Option<Self> {
        Some(Present(false))
    }
}

/// The choice among a few words, compared without case as nginx does.
pub(crate) fn choose<T: Copy>(
    line: &Line,
    index: usize,
    words: &[(&str, T)],
) -> Result<T, Complaint> {
    let word = line.argument(index);
    if let Some((_, value)) =
        words.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
    {
        return Ok(*value);
    }
    let known: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    Err(Complaint::new(format!("invalid value \"{}\"", shown(word)))
        .at(index + 1)
        .hint(format!("one of {}", known.join(", "))))
}

/// Digits as a number; nothing else, as `ngx_atoi`.
pub(crate) fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value: u64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    // nginx's integers are signed.
    (value <= i64::MAX as u64).then_some(value)
}

/// A size of [`Size`].
pub fn size(word: &[u8]) -> Option<u64> {
    scaled(word, &[(b'k', 1 << 10), (b'm', 1 << 20)])
}

/// A size of [`Offset`].
pub fn offset(word: &[u8]) -> Option<u64> {
    scaled(word, &[(b'k', 1 << 10), (b'm', 1 << 20), (b'g', 1 << 30)])
}

fn scaled(word: &[u8], units: &[(u8, u64)]) -> Option<u64> {
    let last = word.last()?.to_ascii_lowercase();
    let unit = units.iter().find(|(letter, _)| *letter == last);
    let (digits, scale) = match unit {
        Some((_, scale)) => (&word[..word.len() - 1], *scale),
        None => (word, 1),
    };
    let bytes = number(digits)?.checked_mul(scale)?;
    (bytes <= i64::MAX as u64).then_some(bytes)
}

/// What the smallest unit of a directive's times is; both read a bare number as seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// Weeks down to milliseconds.
    Milliseconds,
    /// Years down to seconds.
    Seconds,
}

/// A time: units in falling order, each at most once, spaces allowed between them.
pub fn duration(word: &[u8], resolution: Resolution) -> Option<Duration> {
    const UNITS: [(&[u8], u64); 8] = [
        (b"y", 365 * 86_400_000),
        (b"M", 30 * 86_400_000),
        (b"w", 7 * 86_400_000),
        (b"d", 86_400_000),
        (b"h", 3_600_000),
        (b"m", 60_000),
        (b"s", 1000),
        (b"ms", 1),
    ];
    let (mut next, last) = match resolution {
        Resolution::Milliseconds => (2, 8),
        Resolution::Seconds => (0, 7),
    };
    let (mut rest, mut total) = (word, 0u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value = number(&rest[..digits])?;
        rest = &rest[digits..];
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (unit, after) = rest.split_at(letters);
        // A bare number is seconds, and the last word.
        let index = match unit {
            b"" => 6,
            unit => UNITS.iter().position(|(name, _)| *name == unit)?,
        };
        if index < next || index >= last {
            return None;
        }
        next = if unit.is_empty() { last } else { index + 1 };
        total = total.checked_add(value.checked_mul(UNITS[index].1)?)?;
        let spaces = after.iter().take_while(|&&byte| byte == b' ').count();
        rest = &after[spaces..];
    }
    (total <= i64::MAX as u64).then(|| Duration::from_millis(total))
}

/// The lines of a block that holds free words: each line's words.
pub fn free_words(line: &Line) -> impl Iterator<Item = &Line> {
    line.block.iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_digits_and_one_letter() {
        let table: [(&str, Option<u64>); 9] = [
            ("0", Some(0)),
            ("512", Some(512)),
            ("8k", Some(8192)),
            ("1M", Some(1 << 20)),
            ("1g", None),
            ("", None),
            ("k", None),
            ("-1", None),
            ("99999999999999999999k", None),
        ];
        for (word, bytes) in table {
            assert_eq!(size(word.as_bytes()), bytes, "{word}");
        }
        assert_eq!(offset(b"2G"), Some(2 << 30));
    }

    #[test]
    fn a_time_names_its_units_from_large_to_small() {
        let ms = |text: &str| duration(text.as_bytes(), Resolution::Milliseconds);
        let table = [
            ("30", Some(30_000)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("1m 30", Some(90_000)),
            ("1w", Some(604_800_000)),
            ("1y", None),
            ("1M", None),
            ("30m1h", None),
            ("1s1s", None),
            ("30 s", None),
            ("-1", None),
            ("", None),
            ("s", None),
        ];
        for (text, wanted) in table {
            assert_eq!(ms(text), wanted.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_time_in_seconds_may_be_a_year_and_not_a_millisecond() {
        let seconds = |text: &str| duration(text.as_bytes(), Resolution::Seconds);
        assert_eq!(seconds("1y"), Some(Duration::from_secs(31_536_000)));
        assert_eq!(seconds("1M2d"), Some(Duration::from_secs(32 * 86_400)));
        assert_eq!(seconds("5ms"), None);
    }
}
