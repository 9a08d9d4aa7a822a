//! The blocks, and `include`: what gives a configuration its shape. The typing walks them; here is
//! what the manual says.

use crate::directive::{Context, Directive};

/// The heading in the manual.
pub const TITLE: &str = " BLOCKS";

/// The blocks.
pub const TABLE: &[Directive] = &[
    Directive {
        doc: &[
            " Puts the lines of other files in its place. A name with `*`, `?` or `[` is a pattern: its",
            " files are read in the order of their names, and it may match none. Relative names start at",
            " the directory of the main configuration file. A file must hold whole blocks.",
        ],
        contexts: &[
            Context::Main,
            Context::Events,
            Context::Http,
            Context::Server,
            Context::Location,
            Context::Upstream,
            Context::Types,
            Context::App,
        ],
        adds: true,
        ..block("include", "file | pattern", (1, 1), false)
    },
    Directive {
        doc: &[
            " Holds what concerns connections as such. It may be left out, which nginx forbids.",
        ],
        contexts: &[Context::Main],
        ..block("events", "{ ... }", (0, 0), true)
    },
    Directive {
        doc: &[" Holds the web: servers, upstreams, and settings for all of them."],
        contexts: &[Context::Main],
        ..block("http", "{ ... }", (0, 0), true)
    },
    Directive {
        doc: &[
            " Declares an application that liege runs. Its name is an upstream: `uwsgi_pass NAME;`",
            " reaches it.",
        ],
        contexts: &[Context::Main],
        adds: true,
        ..block("app", "name { ... }", (1, 1), true)
    },
    Directive {
        doc: &[" Sets up a web site: the addresses and names that it answers to, and how."],
        contexts: &[Context::Http],
        adds: true,
        ..block("server", "{ ... }", (0, 0), true)
    },
    Directive {
        doc: &[
            " Settings for a part of a server's paths. The decoded path is compared: `=` with the whole",
            " of it; a plain word or `^~` with its beginning, the longest wins; `~` and `~*` (without",
            " case) are regular expressions, tried in the order of the file after the longest beginning",
            " is known, unless that one has `^~`; the first match wins, else the longest beginning.",
            " `@name` is reached by error_page and try_files only. Locations may be nested.",
        ],
        contexts: &[Context::Server, Context::Location],
        adds: true,
        ..block("location", "[= | ^~ | ~ | ~*] path | @name { ... }", (1, 2), true)
    },
    Directive {
        doc: &[" Gives a name to a group of servers that requests are shared out to, round robin."],
        contexts: &[Context::Http],
        adds: true,
        ..block("upstream", "name { ... }", (1, 1), true)
    },
];

const fn block(
    name: &'static str,
    syntax: &'static str,
    arity: (usize, usize),
    block: bool,
) -> Directive {
    Directive {
        name,
        section: "Blocks",
        doc: &[],
        syntax,
        arity,
        block,
        default: None,
        contexts: &[],
        slot: name,
        inherits: false,
        adds: false,
    }
}
