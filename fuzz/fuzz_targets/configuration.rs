//! A configuration: no panic and no endless reading, whatever the text; what one process accepts,
//! all accept.
#![no_main]

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use config::{Origin, Source, Tree};
use libfuzzer_sys::fuzz_target;

struct Nothing;

impl Source for Nothing {
    fn read(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn glob(&mut self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
    fn resolve(&mut self, _: &str) -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let origin = Origin {
        prefix: "/srv".into(),
        file: "/srv/liege.conf".into(),
        text: Some(bytes.to_vec()),
        ..Origin::default()
    };
    let reading = config::read(&mut Nothing, &origin);
    let typed = config::typed(&reading.tree);
    for diagnostic in &typed.diagnostics {
        assert!(diagnostic.render(false).ends_with('\n'));
    }
    let refused = typed.diagnostics.iter().any(|diagnostic| diagnostic.is_error());
    assert_eq!(typed.config.is_none(), refused);
    if let Some(config) = typed.config {
        let _ = config.deployment();
        let sent = Tree::from_bytes(&reading.tree.to_bytes()).expect("a tree survives its journey");
        assert!(config::typed(&sent).config.is_some());
        assert!(config::typed(&sent.for_web()).config.is_some());
    }
});
