//! Files to a tree: nginx's grammar, includes in their places, and the names of hosts looked up.
//!
//! Nothing is opened here: a [`Source`] brings everything in. A mistake is noted and reading goes
//! on behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::lex::{Fault, Lexer, Token};
use super::tree::{Line, Tree, Word};
use crate::value::{Complaint, ListenForm, Target};

/// What brings in everything that is not in the configuration's own words.
pub trait Source {
    /// The bytes of a file.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>>;
    /// The files that match a pattern, sorted by their bytes.
    fn glob(&mut self, pattern: &Path) -> Vec<PathBuf>;
    /// The addresses of a host.
    fn resolve(&mut self, host: &str) -> io::Result<Vec<IpAddr>>;
    /// The machine's name.
    fn hostname(&mut self) -> String {
        String::new()
    }
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Where relative paths of files that liege writes or serves start (`-p`).
    pub prefix: PathBuf,
    /// The main file, absolute. Relative includes start at its directory.
    pub file: PathBuf,
    /// Directives of the command line (`-g`).
    pub globals: Vec<u8>,
    /// The error log where no line of the main level names one (`-e`).
    pub error_log: Option<PathBuf>,
    /// The configuration itself, when no file holds it; `file` is then a name for messages.
    pub text: Option<Vec<u8>>,
    /// Whether root reads it: decides the port of servers without `listen`.
    pub root: bool,
}

/// What reading gives. What is wrong with it, [`crate::typed`] tells together with what is wrong
/// with the values.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The words.
    pub tree: Tree,
    /// The files and their bytes, in the order in which they were first read: for `-T`, and to be
    /// watched.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// The patterns of includes, absolute: a new file that matches one is a change.
    pub globs: Vec<PathBuf>,
}

/// Blocks in blocks, and files in files: deeper ones are a mistake, or an attack on the stack.
const DEEPEST: usize = 64;
/// The most files that one configuration reads, counting each time.
const MOST_FILES: usize = 10_000;
/// After so many directives no further file is included.
const MOST_LINES: u32 = 1_000_000;
/// The most mistakes that are told.
const MOST_MISTAKES: usize = 200;

/// Reads a configuration and all that it includes.
pub fn read(source: &mut dyn Source, origin: &Origin) -> Reading {
    let conf_prefix = origin.file.parent().map(Path::to_path_buf).unwrap_or_default();
    let tree = Tree {
        prefix: origin.prefix.clone(),
        conf_prefix,
        root: origin.root,
        hostname: source.hostname(),
        error_log: origin.error_log.clone(),
        ..Tree::default()
    };
    let reading = Reading { tree, files: vec![], globs: vec![] };
    let mut reader = Reader { source, reading, order: 0, opened: 0, stack: vec![] };
    let mut lines = reader.globals(&origin.globals);
    lines.extend(reader.main_file(origin));
    let mut reading = reader.reading;
    reading.tree.apps = app_names(&lines);
    reading.tree.hosts = resolve(source, &lines);
    reading.tree.lines = lines;
    reading
}

/// Where in the tree a line is read.
#[derive(Debug, Clone, Copy, Default)]
struct Inside {
    /// How many blocks are open in this file.
    depth: usize,
    /// How many are open in all files.
    total: usize,
    /// The line and the column of the innermost one's name.
    opened: (u32, u32),
    /// In a block that is refused as a whole: its includes are not read.
    refused: bool,
}

struct Reader<'a> {
    source: &'a mut dyn Source,
    reading: Reading,
    order: u32,
    opened: usize,
    /// The files that are being read, the outermost first.
    stack: Vec<PathBuf>,
}

/// The file that is being read.
struct Open<'a> {
    lexer: Lexer<'a>,
    file: Option<u32>,
    /// The line of the first block whose closing brace does not stand below its name: where one may
    /// be missing.
    suspect: Option<u32>,
}

impl Open<'_> {
    fn closes(&mut self, inside: Inside) {
        let here = self.lexer.here(1);
        let (line, column) = inside.opened;
        if here.line != line && here.column != column {
            self.suspect = self.suspect.or(Some(line));
        }
    }
}

impl Reader<'_> {
    fn globals(&mut self, text: &[u8]) -> Vec<Line> {
        let mut open = Open { lexer: Lexer::new(text, true), file: None, suspect: None };
        self.level(&mut open, Inside::default())
    }

    fn main_file(&mut self, origin: &Origin) -> Vec<Line> {
        let text = match &origin.text {
            Some(text) => Ok(text.clone()),
            None => self.source.read(&origin.file),
        };
        match text {
            Ok(text) => self.file(&origin.file, text, Inside::default()),
            Err(error) => {
                let complaint = Complaint::new(cannot_open(&origin.file, &error));
                self.mistake(complaint.nowhere(), Line::default());
                vec![]
            }
        }
    }

    fn file(&mut self, path: &Path, text: Vec<u8>, inside: Inside) -> Vec<Line> {
        let files = &self.reading.files;
        let index = files.iter().position(|(known, _)| known == path).unwrap_or(files.len());
        if index == files.len() {
            self.reading.files.push((path.to_path_buf(), text.clone()));
            self.reading.tree.files.push(path.to_path_buf());
            self.reading.tree.texts.push(text.as_slice().into());
        }
        self.opened += 1;
        self.stack.push(path.to_path_buf());
        let (lexer, file) = (Lexer::new(&text, false), Some(index as u32));
        let mut open = Open { lexer, file, suspect: None };
        let lines = self.level(&mut open, Inside { depth: 0, ..inside });
        self.stack.pop();
        lines
    }

    /// The lines of a file, or of a block and the brace that closes it.
    fn level(&mut self, open: &mut Open<'_>, inside: Inside) -> Vec<Line> {
        let mut lines = vec![];
        loop {
            match open.lexer.next() {
                Token::Line(words) => self.line(open, words, inside, &mut lines),
                Token::Open(words) => {
                    let line = self.made(open, words);
                    lines.extend(self.block(open, line, inside));
                }
                Token::Close if inside.depth > 0 => {
                    open.closes(inside);
                    return lines;
                }
                Token::Close => self.stray_brace(open),
                Token::Fault(fault) => self.fault(open, fault),
                Token::End => {
                    if inside.depth > 0 && !open.lexer.broke_off() {
                        self.unclosed(open, inside);
                    }
                    return lines;
                }
            }
        }
    }

    fn made(&mut self, open: &Open<'_>, words: Vec<Word>) -> Line {
        self.order += 1;
        Line { words, block: None, file: open.file, ended: open.lexer.line(), order: self.order }
    }

    fn line(&mut self, open: &Open<'_>, words: Vec<Word>, inside: Inside, lines: &mut Vec<Line>) {
        let line = self.made(open, words);
        if line.name() != b"include" || inside.refused {
            return lines.push(line);
        }
        if line.arguments().len() != 1 {
            let message = "invalid number of arguments in \"include\" directive";
            return self.mistake(Complaint::new(message), line);
        }
        lines.extend(self.include(line, inside));
    }

    fn block(&mut self, open: &mut Open<'_>, mut line: Line, inside: Inside) -> Option<Line> {
        if inside.total >= DEEPEST {
            self.mistake(Complaint::new("blocks are nested too deeply"), line);
            skip_block(&mut open.lexer);
            return None;
        }
        let name = line.name_text();
        let rows = || crate::table().filter(|directive| directive.name == name);
        if rows().next().is_none() && crate::names::nginx(&name).is_none() {
            open.lexer.skip_foreign();
            line.block = Some(vec![]);
            return Some(line);
        }
        let inner = Inside {
            depth: inside.depth + 1,
            total: inside.total + 1,
            opened: (line.words[0].line, line.words[0].column),
            refused: inside.refused || !rows().any(|row| row.block),
        };
        if open.file.is_none() {
            let message = "block directives are not supported in -g option";
            self.mistake(Complaint::new(message), line.clone());
            open.lexer.skip_foreign();
            return None;
        }
        line.block = Some(self.level(open, inner));
        Some(line)
    }

    /// The lines of the files that an include names.
    fn include(&mut self, line: Line, inside: Inside) -> Vec<Line> {
        let name = line.words[1].path();
        let path = self.reading.tree.conf_prefix.join(name);
        if line.argument(0).iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
            self.reading.globs.push(path.clone());
            let paths = self.source.glob(&path);
            return paths.iter().flat_map(|path| self.included(path, &line, inside)).collect();
        }
        self.included(&path, &line, inside)
    }

    fn included(&mut self, path: &Path, line: &Line, inside: Inside) -> Vec<Line> {
        let refusal = if self.stack.iter().any(|open| open == path) {
            Some("includes itself")
        } else if self.stack.len() >= DEEPEST {
            Some("is included too deeply")
        } else if self.opened >= MOST_FILES || self.order >= MOST_LINES {
            Some("is one file too many")
        } else {
            None
        };
        if let Some(why) = refusal {
            let complaint = Complaint::new(format!("\"{}\" {why}", path.display())).at(1);
            self.mistake(complaint, line.clone());
            return vec![];
        }
        match self.source.read(path) {
            Ok(text) => self.file(path, text, inside),
            Err(error) => {
                self.mistake(Complaint::new(cannot_open(path, &error)).at(1), line.clone());
                vec![]
            }
        }
    }

    fn stray_brace(&mut self, open: &Open<'_>) {
        let hint = "there is no block open here";
        let complaint = Complaint::new("unexpected \"}\"").hint(hint);
        let fault = open.lexer.here(1);
        let line = self.spot(open, &fault);
        self.mistake(complaint, line);
    }

    fn unclosed(&mut self, open: &Open<'_>, inside: Inside) {
        let hint = match open.suspect {
            Some(line) => format!("is the block of line {line} closed?"),
            None => format!("the block of line {} is not closed", inside.opened.0),
        };
        let complaint = Complaint::new("unexpected end of file, expecting \"}\"").hint(hint);
        let line = self.spot(open, &open.lexer.here(0));
        self.mistake(complaint, line);
    }

    fn fault(&mut self, open: &Open<'_>, fault: Fault) {
        let complaint = Complaint::new(fault.message.clone());
        let complaint = match &fault.hint {
            Some(hint) => complaint.hint(hint.clone()),
            None => complaint,
        };
        let line = self.spot(open, &fault);
        self.mistake(complaint, line);
    }

    /// A line that is nothing but a place.
    fn spot(&mut self, open: &Open<'_>, fault: &Fault) -> Line {
        let (line, column, width) = (fault.line, fault.column, fault.width);
        let mut place = self.made(open, vec![Word { line, column, width, ..Word::default() }]);
        place.ended = fault.named;
        place
    }

    fn mistake(&mut self, complaint: Complaint, line: Line) {
        let mistakes = &mut self.reading.tree.mistakes;
        if mistakes.len() < MOST_MISTAKES {
            mistakes.push((complaint, Line { block: None, ..line }));
        }
    }
}

/// Goes behind the brace that closes the block, however deep it is.
fn skip_block(lexer: &mut Lexer<'_>) {
    let mut depth = 1;
    while depth > 0 {
        match lexer.next() {
            Token::Open(_) => depth += 1,
            Token::Close => depth -= 1,
            Token::End => return,
            Token::Line(_) | Token::Fault(_) => {}
        }
    }
}

/// nginx's words for a file that cannot be read.
fn cannot_open(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.raw_os_error() {
        Some(code) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            format!("open() \"{path}\" failed ({code}: {text})")
        }
        None => format!("open() \"{path}\" failed ({error})"),
    }
}

fn app_names(lines: &[Line]) -> Vec<String> {
    let apps = lines.iter().filter(|line| line.name() == b"app" && line.block.is_some());
    apps.filter_map(|line| line.words.get(1)).map(Word::text).collect()
}

/// Looks up every host that an address of the configuration names, once.
fn resolve(source: &mut dyn Source, lines: &[Line]) -> BTreeMap<String, Vec<IpAddr>> {
    let mut names = BTreeSet::new();
    hosts(lines, b"", &mut names);
    let mut found = BTreeMap::new();
    for name in names {
        if let Ok(mut addresses) = source.resolve(&name) {
            let mut seen = BTreeSet::new();
            addresses.retain(|address| seen.insert(*address));
            found.insert(name, addresses);
        }
    }
    found
}

fn hosts(lines: &[Line], block: &[u8], names: &mut BTreeSet<String>) {
    for line in lines {
        let word = line.argument(0);
        let target = match (block, line.name()) {
            (b"server", b"listen") => ListenForm::parse(word).ok().map(|form| form.target),
            (b"upstream", b"server") => Target::parse(word).ok(),
            (_, b"uwsgi_pass") if word.contains(&b':') && !word.contains(&b'$') => {
                Target::parse(word.strip_prefix(b"uwsgi://").unwrap_or(word)).ok()
            }
            (b"app", b"socket") if word.contains(&b':') => Target::parse(word).ok(),
            _ => None,
        };
        if let Some(Target::Host { name, .. }) = target {
            names.insert(name);
        }
        if let Some(inner) = &line.block {
            hosts(inner, line.name(), names);
        }
    }
}
