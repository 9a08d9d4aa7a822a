//! The Range field (RFC 9110, 14.2) with nginx's verdicts.

/// What a Range field asks of a body of known length.
#[derive(Debug, PartialEq, Eq)]
pub enum Ranges {
    /// Nothing that is to be obeyed: the whole body is sent.
    Whole,
    /// Nothing that exists: 416.
    None,
    /// These parts, each from its first byte to behind its last; never empty.
    Parts(Vec<(u64, u64)>),
}

/// Reads a Range field for a body of `size` bytes, of which at most `most` parts may be asked for
/// (`max_ranges`).
///
/// Asking for more than there is gets the whole instead, and so does asking for so many parts that
/// their heads would outweigh it (nginx since 1.29.5).
pub fn parse(field: &[u8], size: u64, most: Option<usize>) -> Ranges {
    let Some((unit, list)) = field.split_at_checked(UNIT.len()) else {
        return Ranges::Whole;
    };
    if !unit.eq_ignore_ascii_case(UNIT) || most == Some(0) {
        return Ranges::Whole;
    }
    let mut parts = Vec::new();
    let mut total = 0u64;
    for item in list.split(|&byte| byte == b',') {
        let Some((start, end)) = item_of(item.trim_ascii(), size) else {
            return Ranges::None;
        };
        if start < end {
            parts.push((start, end));
            total = total.saturating_add(end - start);
        } else if start == 0 && size == 0 {
            return Ranges::Whole;
        }
        if most.is_some_and(|most| parts.len() > most) || total > size {
            return Ranges::Whole;
        }
    }
    let weight = (parts.len() as u64).saturating_mul(PART_HEAD).saturating_add(total);
    if parts.is_empty() {
        Ranges::None
    } else if most.is_none() && weight > size.saturating_add(SLACK) {
        Ranges::Whole
    } else {
        Ranges::Parts(parts)
    }
}

/// One item: `first-last`, `first-` or `-length`, cut to the size. `None` when it is none of these.
fn item_of(item: &[u8], size: u64) -> Option<(u64, u64)> {
    let dash = item.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (item[..dash].trim_ascii(), item[dash + 1..].trim_ascii());
    if first.is_empty() {
        let length = number(last)?;
        return Some((size.saturating_sub(length), size));
    }
    let first = number(first)?;
    let end = if last.is_empty() { size } else { number(last)?.saturating_add(1).min(size) };
    Some((first, end))
}

fn number(digits: &[u8]) -> Option<u64> {
    crate::http1::head::number(digits)
}

const UNIT: &[u8] = b"bytes=";
const PART_HEAD: u64 = 256;
const SLACK: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_nginx_does() {
        let parts = |list: &[(u64, u64)]| Ranges::Parts(list.to_vec());
        for (field, wanted) in [
            ("bytes=0-9", parts(&[(0, 10)])),
            ("BYTES=0-0", parts(&[(0, 1)])),
            ("bytes=90-", parts(&[(90, 100)])),
            ("bytes=90-1000", parts(&[(90, 100)])),
            ("bytes=-10", parts(&[(90, 100)])),
            ("bytes=-1000", parts(&[(0, 100)])),
            ("bytes=0-1, 5-6", parts(&[(0, 2), (5, 7)])),
            ("bytes=0-1,200-", parts(&[(0, 2)])),
            ("bytes= 0 - 1 ", parts(&[(0, 2)])),
            ("bytes=0-,0-", Ranges::Whole),
            ("items=0-1", Ranges::Whole),
            ("bytes", Ranges::Whole),
            ("bytes=100-", Ranges::None),
            ("bytes=5-3", Ranges::None),
            ("bytes=-0", Ranges::None),
            ("bytes=", Ranges::None),
            ("bytes=a-b", Ranges::None),
            ("bytes=0-1,", Ranges::None),
            ("bytes=0-1;5-6", Ranges::None),
            ("bytes=99999999999999999999-", Ranges::None),
        ] {
            assert_eq!(parse(field.as_bytes(), 100, None), wanted, "{field}");
        }
    }

    #[test]
    fn an_empty_body_is_sent_whole() {
        assert_eq!(parse(b"bytes=0-", 0, None), Ranges::Whole);
    }

    #[test]
    fn too_many_parts_get_the_whole() {
        assert_eq!(parse(b"bytes=0-0,2-2", 100, Some(1)), Ranges::Whole);
        assert_eq!(parse(b"bytes=0-0", 100, Some(0)), Ranges::Whole);
        let many: Vec<String> = (0..50).map(|at| format!("{at}-{at}")).collect();
        assert_eq!(parse(format!("bytes={}", many.join(",")).as_bytes(), 100, None), Ranges::Whole);
    }
}
