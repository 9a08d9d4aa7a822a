//! Tests of request heads.

use proptest::prelude::*;

use super::*;

/// What a head comes to when its bytes arrive in pieces that end at `cuts`.
fn read(bytes: &[u8], cuts: &[usize]) -> Result<Option<(usize, Head)>, Bad> {
    read_within(bytes, cuts, &Limits::default())
}

fn read_within(
    bytes: &[u8],
    cuts: &[usize],
    limits: &Limits,
) -> Result<Option<(usize, Head)>, Bad> {
    let mut head = Head::default();
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    for end in ends {
        if let Some(length) = head.advance(&bytes[..end], limits)? {
            return Ok(Some((length, head)));
        }
    }
    Ok(None)
}

fn verdict(bytes: &[u8]) -> Result<usize, u16> {
    match read(bytes, &[]) {
        Ok(Some((length, _))) => Ok(length),
        Ok(None) => Err(0),
        Err(bad) => Err(bad.status()),
    }
}

#[test]
fn a_request_is_taken_apart() {
    let bytes = b"\r\nPOST /a?b HTTP/1.1\r\nHost: x\r\nX_Y: dropped\r\nContent-Length: 3\r\n\
        Expect: 100-continue\r\nConnection: foo, close\r\n\r\nabc";
    let (length, head) = read(bytes, &[]).unwrap().unwrap();
    assert_eq!(&bytes[length..], b"abc");
    assert_eq!(head.line.of(bytes), b"POST /a?b HTTP/1.1");
    assert_eq!(head.method.of(bytes), b"POST");
    assert_eq!(head.target.of(bytes), b"/a?b");
    assert_eq!(head.fields.len(), 4);
    assert_eq!(head.framing, Framing::Length(3));
    assert!(head.expects_continue && !head.keep_alive);
    assert_eq!(head.known(bytes, Known::Host), Some(&b"x"[..]));
}

#[test]
fn statuses_are_those_of_nginx_or_stricter() {
    let cases: [(&[u8], Result<usize, u16>); 32] = [
        (b"GET / HTTP/1.1\nHost: x\n\n", Ok(24)),
        (b"GET / HTTP/1.0\r\n\r\n", Ok(18)),
        (b"GET /x\r\n", Ok(8)),
        (b"GET /x\n", Err(400)),
        (b"HEAD /x\r\n", Err(400)),
        (b"get / HTTP/1.1\r\n", Err(400)),
        (b"\x16\x03\x01", Err(400)),
        (b"GET / HTTP/1.1\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Err(400)),
        (b"GET / HTTP/2.0\r\n\r\n", Err(505)),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", Ok(27)),
        (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", Err(400)),
        (b"GET / HTTP/0.9\r\n\r\n", Err(400)),
        (b"GET / http/1.1\r\n\r\n", Err(400)),
        (b"GET  / HTTP/1.1\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1 \r\n\r\n", Err(400)),
        (b"GET /\x01 HTTP/1.1\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Ok(55)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", Err(501)),
        (b"GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Err(400)),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            Err(400),
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n", Err(400)),
        (b"GET / HTTP/1.1\r\nHost: a", Err(0)),
        (b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", Err(400)),
    ];
    for (bytes, wanted) in cases {
        assert_eq!(verdict(bytes), wanted, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn fields_with_other_names_are_taken_where_they_are_wanted() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nx_y: 1\r\nx.y: 2\r\n\r\n";
    for (names, count) in [(Name::Plain, 1), (Name::Underscored, 2), (Name::Token, 3)] {
        let limits = Limits { names, ..Limits::default() };
        let (_, head) = read_within(bytes, &[], &limits).unwrap().unwrap();
        assert_eq!(head.fields.len(), count);
    }
}

#[test]
fn the_limits_are_those_of_a_line_of_the_whole_and_of_the_count() {
    let limits = Limits { line: 64, total: 128, fields: 3, names: Name::Plain };
    let host = "Host: a\r\n";
    let cases = [
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(64)), 414),
        (format!("GET /{}", "a".repeat(64)), 414),
        (format!("GET / HTTP/1.1\r\n{host}X: {}\r\n", "a".repeat(64)), 494),
        (
            format!("GET / HTTP/1.1\r\n{host}{}", format!("X: {}\r\n", "a".repeat(40)).repeat(3)),
            494,
        ),
        (format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: a\r\n".repeat(3)), 494),
    ];
    for (text, status) in cases {
        let Err(bad) = read_within(text.as_bytes(), &[], &limits) else { panic!("{text}") };
        assert_eq!(bad.status(), status, "{text}");
    }
}

#[test]
fn keep_alive_is_the_default_of_1_1_and_asked_for_in_1_0() {
    for (version, connection, keep) in [
        ("1.1", "", true),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
    ] {
        let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n");
        let (_, head) = read(text.as_bytes(), &[]).unwrap().unwrap();
        assert_eq!(head.keep_alive, keep, "{text}");
    }
}

/// Text that is close enough to a head to go deep.
fn nearly_a_head() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "GET ",
        "POST ",
        "/",
        "a",
        "?b",
        " ",
        "HTTP/1.1",
        "HTTP/1.0",
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        "Host: a",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        ":",
        "X",
        "\t",
        "\0",
        "Connection: close",
        "é",
        "GET / HTTP/1.1\r\nHost: a\r\n",
    ]);
    prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn the_verdict_does_not_depend_on_the_cuts(
        bytes in nearly_a_head(),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let limits = Limits { line: 60, total: 90, fields: 3, names: Name::Plain };
        let flat = |result: Result<Option<(usize, Head)>, Bad>| {
            result.map(|done| done.map(|(length, head)| (length, head.fields.len(), head.framing)))
        };
        prop_assert_eq!(
            flat(read_within(&bytes, &cuts, &limits)),
            flat(read_within(&bytes, &[], &limits))
        );
    }

    /// A second opinion: whatever we take, httparse takes too, and reads it the same way.
    #[test]
    fn httparse_reads_every_head_that_we_take_as_we_do(bytes in nearly_a_head()) {
        let Ok(Some((length, head))) = read(&bytes, &[]) else { return Ok(()) };
        if head.version == Version::Http09 {
            return Ok(());
        }
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut theirs = httparse::Request::new(&mut fields);
        prop_assert_eq!(theirs.parse(&bytes), Ok(httparse::Status::Complete(length)));
        prop_assert_eq!(theirs.path.map(str::as_bytes), Some(head.target.of(&bytes)));
        let ours: Vec<_> =
            head.fields.iter().map(|field| (field.name.of(&bytes), field.value.of(&bytes))).collect();
        let theirs: Vec<_> =
            theirs.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, &[]);
    }
}
