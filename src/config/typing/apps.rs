//! `app` blocks: names that are upstreams, and what each app runs.

use std::collections::HashSet;

use super::level::Block;
use super::{Typist, lines_of};
use crate::Context;
use crate::directive::{Check, Section};
use crate::model::{App, Upstream, UpstreamKind};
use crate::section;
use crate::syntax::Line;
use crate::value::Complaint;

/// The longest name of an app: it goes into the name of a socket and of a process.
const LONGEST: usize = 64;

impl<'a> Typist<'a> {
    /// Makes the names of apps known as upstreams, before anything can name them. They come from
    /// the tree's list, which web workers have too.
    pub fn know_apps(&mut self) {
        for name in &self.tree.apps {
            let upstreams = &mut self.registry.upstreams;
            let key = name.to_ascii_lowercase();
            if upstreams.find(key.as_bytes()).is_some() {
                continue;
            }
            let (index, kind) = (upstreams.all().len(), UpstreamKind::App);
            let upstream = Upstream { index, name: name.as_str().into(), kind, peers: vec![] };
            upstreams.add(key.as_bytes(), upstream.into());
        }
    }

    pub fn apps(&mut self, blocks: &[&'a Line]) -> Vec<App> {
        let mut names = HashSet::new();
        let mut apps = vec![];
        for block in blocks.iter().filter(|block| block.name() == b"app") {
            let name = block.words[1].text();
            if !is_name(&name) {
                let message = format!("invalid app name \"{name}\"");
                let hint =
                    "letters, digits, \"-\", \"_\" and \".\", at most 64, a letter or digit first";
                self.complain(Complaint::new(message).at(1).hint(hint), block);
            } else if !names.insert(name.to_ascii_lowercase()) {
                self.complain(Complaint::new(format!("duplicate app \"{name}\"")).at(1), block);
            }
            apps.push(self.app(block, &name));
        }
        apps
    }

    fn app(&mut self, block: &'a Line, name: &str) -> App {
        let lines = lines_of(block);
        let mut settings = section::App::defaults(&mut self.scope(Context::App));
        let mut inside = Block::of(Context::App);
        // The other paths start at the working directory, wherever its line stands.
        if let Some(line) =
            lines.iter().find(|line| line.name() == b"chdir" && line.words.len() == 2)
        {
            inside.chdir = Some(self.tree.conf_prefix.join(line.words[1].path()));
        }
        let told = self.told.len();
        self.own_lines(lines, &inside, &mut [&mut settings]);
        if let Some(chdir) = inside.chdir {
            settings.chdir.0 = chdir;
        }
        // A line that could not be read may be the one that is missing.
        let whole = self.told[told..].iter().all(|told| !told.is_error());
        for complaint in settings.check().into_iter().filter(|_| whole) {
            let named = lines.iter().find(|line| complaint.message.starts_with(&quoted(line)));
            self.complain(complaint, named.unwrap_or(block));
        }
        App { name: name.into(), place: self.tree.place(block), settings }
    }
}

fn quoted(line: &Line) -> String {
    format!("\"{}\"", line.name_text())
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    first && bytes.all(rest) && name.len() <= LONGEST
}
