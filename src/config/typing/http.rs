//! `http { }`: upstreams first, then servers, each from a clone of the finished settings around it.

use std::sync::Arc;

use super::level::Block;
use super::{Typist, lines_of};
use crate::Context;
use crate::diagnostic::shown;
use crate::directive::{AnySection, Check, Section, rows};
use crate::model::{Http, Program, Server, Settings, Step, Upstream, UpstreamKind};
use crate::section;
use crate::syntax::Line;
use crate::value::{Complaint, Regex, ServerName};

impl<'a> Typist<'a> {
    pub fn http(&mut self, block: &'a Line, main: &section::Main) -> Http {
        let inside = Block::of(Context::Http);
        let mut scope = self.scope(Context::Http);
        let mut settings = Settings::defaults(&mut scope);
        let mut own = section::Http::defaults(&mut scope);
        Arc::make_mut(&mut settings.logs).error_log = main.error_log.clone();
        let mut sections: Vec<&mut dyn AnySection> = settings.sections().into_iter().collect();
        sections.push(&mut own);
        let blocks = self.own_lines(lines_of(block), &inside, &mut sections);
        for block in blocks.iter().filter(|block| block.name() == b"upstream") {
            self.upstream(block);
        }
        let mut servers = vec![];
        let mut listens = vec![];
        for block in blocks.iter().filter(|block| block.name() == b"server") {
            let (server, own) = self.server(block, &settings, servers.len());
            servers.push(Arc::new(server));
            listens.push((*block, own));
        }
        let listeners = self.listeners(&servers, &listens);
        let formats = self.registry.formats.all();
        Http {
            listeners,
            servers,
            upstreams: self.registry.upstreams.all().to_vec(),
            log_formats: formats.iter().map(|(_, format)| format.clone()).collect(),
            captures: self.registry.captures.all().to_vec(),
            settings,
        }
    }

    fn know_refused(&mut self, line: &Line) {
        self.registry.refused.extend(defined_by(line));
        lines_of(line).iter().for_each(|inner| self.know_refused(inner));
    }

    fn upstream(&mut self, block: &'a Line) {
        let name = block.words[1].text();
        // nginx compares their names without case.
        let key = name.to_ascii_lowercase();
        let known = self.registry.upstreams.find(key.as_bytes());
        if let Some(known) = known {
            let complaint = Complaint::new(format!("duplicate upstream \"{name}\"")).at(1);
            let complaint = match known.kind {
                UpstreamKind::App => complaint.hint("an app has this name, and is an upstream"),
                _ => complaint,
            };
            return self.complain(complaint, block);
        }
        let inside = Block::of(Context::Upstream);
        let mut own = section::Upstream::defaults(&mut self.scope(Context::Upstream));
        self.own_lines(lines_of(block), &inside, &mut [&mut own]);
        let broken = lines_of(block).iter().any(|line| line.name() == b"server");
        for mut complaint in Check::check(&own) {
            if complaint.late {
                complaint.message.push_str(&format!(" \"{name}\""));
            }
            // Servers that could not be read were told by themselves.
            if !broken || !own.server.is_empty() {
                self.complain(complaint, block);
            }
        }
        let (index, kind) = (self.registry.upstreams.all().len(), UpstreamKind::Block);
        let upstream =
            Upstream { index, name: name.as_str().into(), kind, peers: own.server.to_vec() };
        self.registry.upstreams.add(key.as_bytes(), Arc::new(upstream));
    }

    fn server(
        &mut self,
        block: &'a Line,
        http: &Settings,
        index: usize,
    ) -> (Server, section::Server) {
        let inside = Block::of(Context::Server);
        let mut settings = self.entered(http, Context::Server);
        let mut own = section::Server::defaults(&mut self.scope(Context::Server));
        let mut sections: Vec<&mut dyn AnySection> = settings.sections().into_iter().collect();
        sections.push(&mut own);
        let blocks = self.own_lines(lines_of(block), &inside, &mut sections);
        let locations = self.locations(&blocks, &settings, None);
        let mut names: Vec<ServerName> =
            own.server_name.iter().flat_map(|line| line.0.iter().cloned()).collect();
        if names.is_empty() {
            names.push(ServerName::none());
        }
        let rewrite = program(&settings);
        let place = self.tree.place(block);
        (Server { index, names, settings, rewrite, locations, place }, own)
    }

    /// A clone of the settings further out, without what is not inherited.
    pub fn entered(&mut self, outer: &Settings, context: Context) -> Settings {
        let mut settings = outer.clone();
        let mut scope = self.scope(context);
        for section in settings.sections() {
            section.enter(&mut scope);
        }
        settings
    }

    /// Compiles all regular expressions of locations and server names: their named captures are
    /// variables everywhere, also further up. What is wrong with one is told where it is typed.
    pub fn compile_captures(&mut self, lines: &[Line]) {
        for line in lines {
            if rows(line.name()).is_empty() {
                self.know_refused(line);
                continue;
            }
            let words: Vec<(&[u8], bool)> = match line.name() {
                b"server_name" => line
                    .arguments()
                    .iter()
                    .filter_map(|word| word.bytes.strip_prefix(b"~"))
                    .map(|regex| (regex, regex.iter().any(u8::is_ascii_uppercase)))
                    .collect(),
                b"location" => super::locations::pattern(line).into_iter().collect(),
                _ => vec![],
            };
            let mut scope = self.scope(Context::Http);
            for (pattern, caseless) in words {
                let _ = Regex::compile(pattern, caseless, &mut scope);
            }
            self.compile_captures(lines_of(line));
        }
    }
}

/// The variables that a line of nginx's defines when it is `set`, `map`, `geo` or the like, or has
/// a named capture.
fn defined_by(line: &Line) -> impl Iterator<Item = String> {
    let words = line.words.iter().skip(1);
    let last = line.arguments().len();
    let whole =
        words.clone().enumerate().filter(move |(index, _)| *index == 0 || index + 1 == last);
    let whole = whole.filter_map(|(_, word)| word.bytes.strip_prefix(b"$")).map(<[u8]>::to_vec);
    let groups = words.flat_map(|word| {
        let text = word.text();
        let names: Vec<Vec<u8>> = text
            .split("(?")
            .skip(1)
            .filter_map(|rest| rest.trim_start_matches('P').strip_prefix('<')?.split_once('>'))
            .map(|(name, _)| name.as_bytes().to_vec())
            .collect();
        names
    });
    whole.chain(groups).map(|name| String::from_utf8_lossy(&name).to_ascii_lowercase())
}

/// What is run on a level, in the order of the file.
pub(super) fn program(settings: &Settings) -> Program {
    Program { steps: settings.rewrite.r#return.iter().cloned().map(Step::Return).collect() }
}

/// A name in a message.
pub(super) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", shown(bytes))
}
