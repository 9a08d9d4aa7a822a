//! The tree of words: what a configuration says, before anybody asks what it means.
//!
//! It is what the reader hands to the master and to the web workers, so it holds everything that
//! typing needs besides the words: the prefixes, the addresses of host names, the names of the
//! apps. It holds no text of files.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::value::Complaint;

/// A whole configuration as words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Where relative paths of files that liege writes or serves start.
    pub prefix: PathBuf,
    /// Where relative paths of included files start: the directory of the main file.
    pub conf_prefix: PathBuf,
    /// Whether liege was started by root: decides the port of a server without `listen`.
    pub root: bool,
    /// The machine's name, for `server_name $hostname`.
    pub hostname: String,
    /// The error log where no line of the main level names one (`-e`).
    pub error_log: Option<PathBuf>,
    /// The files, in the order in which they were first read.
    pub files: Vec<PathBuf>,
    /// The lines of the main level, those of `-g` first.
    pub lines: Vec<Line>,
    /// What the name servers said: resolved once, so that every process knows the same.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// The names of all apps, which outlive their blocks in [`Tree::for_web`].
    pub apps: Vec<String>,
    /// The bytes of the files, for carets; they stay in the process that read them.
    #[serde(skip)]
    pub(crate) texts: Vec<Arc<[u8]>>,
    /// What is wrong with the grammar and the includes, told together with what is wrong with the
    /// values.
    #[serde(skip)]
    pub(crate) mistakes: Vec<(Complaint, Line)>,
}

/// One directive: its words and, where it has one, its block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The name, then the arguments. Never empty when it comes from [`crate::read`].
    pub words: Vec<Word>,
    /// The lines between the braces.
    pub block: Option<Vec<Line>>,
    /// The file as an index of [`Tree::files`]; none for the command line and for defaults.
    pub file: Option<u32>,
    /// The line on which it ended, which is the one that nginx names.
    pub ended: u32,
    /// Its number in the order of reading, includes unfolded.
    pub order: u32,
}

/// One word, as bytes: a configuration need not be UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Its value, escapes resolved.
    pub bytes: Vec<u8>,
    /// The line of its first byte, from 1.
    pub line: u32,
    /// The column of its first byte, from 1.
    pub column: u32,
    /// How many bytes it takes in the file (to the end of its line).
    pub width: u32,
    /// Whether it was written in quotes.
    pub quoted: bool,
}

/// Where a directive stands, for messages and logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line.
    pub line: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl Word {
    /// The word as text; bytes that are no UTF-8 are replaced. For messages and for values that
    /// must be ASCII anyway.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The word as a path, whatever its bytes.
    pub fn path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(&self.bytes))
    }
}

impl Line {
    /// The directive's name.
    pub fn name(&self) -> &[u8] {
        self.words.first().map_or(b"", |word| &word.bytes)
    }

    /// The directive's name as text.
    pub fn name_text(&self) -> String {
        String::from_utf8_lossy(self.name()).into_owned()
    }

    /// The words behind the name.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The bytes of an argument, from 0; empty when there is none.
    pub fn argument(&self, index: usize) -> &[u8] {
        self.words.get(index + 1).map_or(b"", |word| &word.bytes)
    }
}

impl Tree {
    /// The tree as a web worker gets it: without the apps' blocks, `emperor` and `env`, which are
    /// none of its business.
    pub fn for_web(&self) -> Tree {
        let private = |line: &&Line| !matches!(line.name(), b"app" | b"emperor" | b"env");
        Tree { lines: self.lines.iter().filter(private).cloned().collect(), ..self.clone() }
    }

    /// A fingerprint of what the words say, wherever they stand: equal for two trees that mean the
    /// same to web workers.
    pub fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let web = self.for_web();
        (&web.prefix, &web.hosts, &web.apps, web.root, &web.hostname).hash(&mut hasher);
        web.error_log.hash(&mut hasher);
        hash_words(&web.lines, &mut hasher);
        hasher.finish()
    }

    /// The tree as bytes, for another process.
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::message::encode(self)
    }

    /// The tree that [`Tree::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Tree> {
        wire::message::decode(bytes)
    }

    /// A path that is relative to the prefix, made absolute.
    pub fn under_prefix(&self, path: &Path) -> PathBuf {
        self.prefix.join(path)
    }

    /// Where a line stands.
    pub fn place(&self, line: &Line) -> Place {
        let file = line.file.and_then(|index| self.files.get(index as usize));
        Place { file: file.cloned().unwrap_or_default(), line: line.ended }
    }
}

fn hash_words(lines: &[Line], hasher: &mut DefaultHasher) {
    lines.len().hash(hasher);
    for line in lines {
        line.words.len().hash(hasher);
        line.words.iter().for_each(|word| word.bytes.hash(hasher));
        line.block.is_some().hash(hasher);
        hash_words(line.block.as_deref().unwrap_or_default(), hasher);
    }
}

/// A directive with its default as an operator would write it: goes through the same reader as any
/// other.
pub(crate) fn default_line(name: &str, text: &str) -> Line {
    let mut words = vec![Word { bytes: name.into(), ..Word::default() }];
    words.extend(super::lex::words(text.as_bytes()));
    Line { words, ..Line::default() }
}
