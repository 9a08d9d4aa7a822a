//! The source is kept in order: floors, names, sizes, comments.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::project;

/// Every source file below a folder of the project, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut folders = vec![project().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(project()).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

fn all_sources() -> Vec<(PathBuf, String)> {
    [sources("src"), sources("tests")].concat()
}

/// The names under `[dependencies]`.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let table = text.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let lines = table.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', '=', ' ']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

/// What each crate may use, as ARCHITECTURE.md says.
fn floors() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let table = text.split("| floor | crate | may use |").nth(1).expect("the table of floors");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let names = cells[3].split(',').map(|name| name.trim().to_owned());
        (cells[2].to_owned(), names.filter(|name| !name.is_empty()).collect())
    })
    .collect()
}

#[test]
fn crates_use_what_their_floor_may_use_and_nothing_else() {
    let floors = floors();
    let mut crates: Vec<_> = fs::read_dir(project().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").exists())
        .collect();
    crates.sort();
    assert_eq!(crates.len() + 1, floors.len(), "every crate is in the table, the roof too");
    for folder in crates {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let allowed =
            floors.get(name).unwrap_or_else(|| panic!("{name} is not in the table of floors"));
        for dependency in dependencies(&folder.join("Cargo.toml")) {
            assert!(
                allowed.contains(&dependency),
                "{name} may not use {dependency} (ARCHITECTURE.md, floors)"
            );
        }
    }
    for dependency in dependencies(&project().join("Cargo.toml")) {
        assert!(floors["liege"].contains(&dependency), "the roof may not use {dependency}");
    }
}

#[test]
fn no_crate_knows_a_floor_above_its_own() {
    let text = fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let table = text.split("| floor | crate | may use |").nth(1).expect("the table of floors");
    let rows: Vec<Vec<_>> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.split('|').map(str::trim).collect())
        .collect();
    let floor_of = |name: &str| {
        rows.iter().find(|row| row[2] == name).and_then(|row| row[1].parse::<u32>().ok())
    };
    for row in &rows {
        let Some(own) = floor_of(row[2]) else { continue };
        for name in row[3].split(',').map(str::trim) {
            if let Some(other) = floor_of(name) {
                assert!(other < own, "{} on floor {own} uses {name} on floor {other}", row[2]);
            }
        }
    }
}

#[test]
fn unsafe_is_only_in_the_cellar_and_says_why() {
    for (path, text) in all_sources() {
        let mut before: Vec<&str> = vec![];
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is_unsafe =
                [concat!("uns", "afe {"), concat!("uns", "afe fn"), concat!("uns", "afe impl")];
            if is_unsafe.iter().any(|word| code.contains(word)) {
                let place = format!("{}:{}", path.display(), number + 1);
                assert!(path.starts_with("src/sys"), "{place}: this belongs into sys");
                let said = before
                    .iter()
                    .rev()
                    .take(12)
                    .any(|line| line.contains("SAFETY") || line.contains("# Safety"));
                assert!(
                    said || line.contains("SAFETY"),
                    "{place}: it does not say why it is sound"
                );
            }
            before.push(line);
        }
    }
}

#[test]
fn files_are_short_enough_to_read() {
    let mut long = vec![];
    for (path, text) in all_sources() {
        let (lines, is_table) = (text.lines().count(), path.starts_with("src/config/section"));
        assert!(
            lines <= if is_table { 1000 } else { 800 },
            "{} has {lines} lines: split it",
            path.display()
        );
        if lines > 400 {
            long.push(format!("{} {lines}", path.display()));
        }
    }
    if !long.is_empty() {
        eprintln!("files past 400 lines, think about them:\n{}", long.join("\n"));
    }
}

#[test]
fn names_say_what_things_are() {
    let forbidden = ["utils", "util", "helpers", "helper", "common", "misc", "manager", "data"];
    for (path, text) in all_sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!forbidden.contains(&name), "{}: call it what it is", path.display());
        let getter = text.lines().find(|line| line.contains(concat!("fn g", "et_")));
        assert!(
            getter.is_none(),
            "{}: {:?}: leave get_ away",
            path.display(),
            getter.map(str::trim)
        );
    }
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    for (path, text) in all_sources() {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! "), "{}: {first:?}", path.display());
    }
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("todo", "!("),
        concat!("unimple", "mented!("),
    ];
    for (path, text) in all_sources() {
        for (number, line) in text.lines().enumerate() {
            let left = marks.iter().find(|mark| line.contains(**mark));
            assert!(left.is_none(), "{}:{}: {}", path.display(), number + 1, line.trim());
            let bare = line.trim() == concat!("#[ign", "ore]");
            assert!(!bare, "{}:{}: say why it is passed over", path.display(), number + 1);
        }
    }
}

#[test]
fn lines_fit_on_the_screen() {
    let mut long = 0;
    for (path, text) in all_sources() {
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| line.chars().count() > 132)
        {
            if !line.contains('"') {
                eprintln!("{}:{}: {} columns", path.display(), number + 1, line.chars().count());
                long += 1;
            }
        }
    }
    assert_eq!(long, 0, "lines past 132 columns");
}
