//! Conditions of a request (RFC 9110, 13) with nginx's rules: where both are sent, If-None-Match
//! and If-Modified-Since must both say "not modified".

use crate::date;

/// What a request makes its answer depend on.
#[derive(Debug, Default, Clone, Copy)]
#[allow(missing_docs)] // each is the field of that name
pub struct Conditions<'a> {
    pub if_match: Option<&'a [u8]>,
    pub if_none_match: Option<&'a [u8]>,
    pub if_modified_since: Option<&'a [u8]>,
    pub if_unmodified_since: Option<&'a [u8]>,
}

/// How If-Modified-Since is compared (`if_modified_since`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Not at all.
    Off,
    /// The same second.
    Exact,
    /// The same or an earlier one.
    Before,
}

/// What the answer is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The one that it would be without conditions.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

impl Conditions<'_> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none()
            && self.if_none_match.is_none()
            && self.if_modified_since.is_none()
            && self.if_unmodified_since.is_none()
    }

    /// Judges an answer that would be 200, by its tag and its time in seconds since 1970.
    pub fn judge(
        &self,
        etag: Option<&[u8]>,
        last_modified: Option<i64>,
        comparison: Comparison,
    ) -> Verdict {
        if let Some(since) = self.if_unmodified_since {
            let holds = last_modified
                .is_some_and(|time| date::parse(since).is_some_and(|since| since >= time));
            if !holds {
                return Verdict::Failed;
            }
        }
        if self.if_match.is_some_and(|list| !lists(list, etag, false)) {
            return Verdict::Failed;
        }
        if self.if_modified_since.is_none() && self.if_none_match.is_none() {
            return Verdict::Proceed;
        }
        let modified = self
            .if_modified_since
            .is_some_and(|since| is_modified(date::parse(since), last_modified, comparison));
        let unlisted = self.if_none_match.is_some_and(|list| !lists(list, etag, true));
        if modified || unlisted { Verdict::Proceed } else { Verdict::NotModified }
    }
}

/// Whether an If-Range field lets a Range field count: a tag must be equal byte for byte (so a weak
/// one never is), a date must be that of the answer.
pub fn if_range(field: &[u8], etag: Option<&[u8]>, last_modified: Option<i64>) -> bool {
    if field.ends_with(b"\"") {
        return etag == Some(field) && !field.starts_with(b"W/");
    }
    match (date::parse(field), last_modified) {
        (Some(date), Some(time)) => date == time,
        _ => false,
    }
}

fn is_modified(since: Option<i64>, last_modified: Option<i64>, comparison: Comparison) -> bool {
    let (Some(since), Some(time)) = (since, last_modified) else { return true };
    match comparison {
        Comparison::Off => true,
        Comparison::Exact => since != time,
        Comparison::Before => since < time,
    }
}

/// Whether a list of entity tags has this one. The weak comparison looks past `W/` on both sides.
fn lists(list: &[u8], etag: Option<&[u8]>, weakly: bool) -> bool {
    if list == b"*" {
        return true;
    }
    let Some(etag) = etag else { return false };
    if !weakly && etag.starts_with(b"W/") {
        return false;
    }
    let etag = etag.strip_prefix(b"W/").unwrap_or(etag);
    let mut rest = list;
    loop {
        while let [b' ' | b'\t' | b',', behind @ ..] = rest {
            rest = behind;
        }
        if rest.is_empty() {
            return false;
        }
        let (weak, tag) = match rest.strip_prefix(b"W/") {
            Some(tag) => (true, tag),
            None => (false, rest),
        };
        let length = tag_length(tag);
        if (weakly || !weak) && &tag[..length] == etag {
            return true;
        }
        rest = &tag[length..];
    }
}

/// The length of the tag at the beginning: up to its closing quote, for a tag without quotes up to
/// the next comma.
fn tag_length(text: &[u8]) -> usize {
    let end = match text {
        [b'"', rest @ ..] => memchr::memchr(b'"', rest).map(|at| at + 2),
        _ => memchr::memchr(b',', text),
    };
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: i64 = 784_111_777;
    const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &[u8] = b"Sun, 06 Nov 1994 08:49:38 GMT";
    const EARLIER: &[u8] = b"Sun, 06 Nov 1994 08:49:36 GMT";

    fn judge(conditions: Conditions<'_>, comparison: Comparison) -> Verdict {
        conditions.judge(Some(b"\"a\""), Some(TIME), comparison)
    }

    #[test]
    fn both_conditions_must_say_not_modified() {
        let tags: [(&[u8], bool); 7] = [
            (b"\"a\"", true),
            (b"W/\"a\"", true),
            (b"\"b\", \"a\"", true),
            (b"\"x,y\" , W/\"a\"", true),
            (b"*", true),
            (b"\"b\"", false),
            (b"a", false),
        ];
        for (list, listed) in tags {
            for (date, same) in [(DATE, true), (LATER, false), (b"nonsense", false)] {
                let conditions = Conditions {
                    if_none_match: Some(list),
                    if_modified_since: Some(date),
                    ..Conditions::default()
                };
                let wanted = if listed && same { Verdict::NotModified } else { Verdict::Proceed };
                assert_eq!(judge(conditions, Comparison::Exact), wanted, "{list:?} {date:?}");
            }
        }
    }

    #[test]
    fn a_later_date_counts_where_before_is_set() {
        let since = |date| Conditions { if_modified_since: Some(date), ..Conditions::default() };
        assert_eq!(judge(since(LATER), Comparison::Before), Verdict::NotModified);
        assert_eq!(judge(since(EARLIER), Comparison::Before), Verdict::Proceed);
        assert_eq!(judge(since(DATE), Comparison::Off), Verdict::Proceed);
    }

    #[test]
    fn if_match_compares_strongly_and_if_unmodified_since_allows_later() {
        for (list, wanted) in [
            (&b"\"a\""[..], Verdict::Proceed),
            (b"*", Verdict::Proceed),
            (b"W/\"a\"", Verdict::Failed),
            (b"\"b\"", Verdict::Failed),
        ] {
            let conditions = Conditions { if_match: Some(list), ..Conditions::default() };
            assert_eq!(judge(conditions, Comparison::Exact), wanted);
        }
        for (date, wanted) in [
            (DATE, Verdict::Proceed),
            (LATER, Verdict::Proceed),
            (EARLIER, Verdict::Failed),
            (b"nonsense", Verdict::Failed),
        ] {
            let conditions =
                Conditions { if_unmodified_since: Some(date), ..Conditions::default() };
            assert_eq!(judge(conditions, Comparison::Exact), wanted);
        }
    }

    #[test]
    fn if_range_takes_the_same_tag_or_the_same_date() {
        for (field, counts) in [
            (&b"\"a\""[..], true),
            (b"\"b\"", false),
            (b"W/\"a\"", false),
            (DATE, true),
            (LATER, false),
            (b"", false),
        ] {
            assert_eq!(if_range(field, Some(b"\"a\""), Some(TIME)), counts, "{field:?}");
        }
        assert!(!if_range(b"W/\"a\"", Some(b"W/\"a\""), Some(TIME)));
    }
}
