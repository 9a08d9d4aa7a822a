//! What is written about liege is true: manuals, README, conf/ and examples/.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{liege, project};

fn read(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"))
}

/// A configuration of the project, with paths that belong to an installation led into the test's
/// folder.
fn here(text: &str) -> String {
    ["/var/log/liege", "/run/liege", "/srv/hello", "/srv/blog", "/srv/shop"]
        .iter()
        .fold(text.to_owned(), |text, path| text.replace(path, "DIR/logs"))
        .replace("listen      80 ", "listen 127.0.0.1:PORT ")
        .replace("listen 80;", "listen 127.0.0.1:PORT;")
        .replace("user              liege;", "user nobody;")
        .replace("user  www-data;", "user nobody;")
}

#[track_caller]
fn passes(name: &str, text: &str) {
    let output = liege(text).arg("-t").output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {said}");
}

#[test]
fn the_manual_of_the_directives_is_printed_from_the_tables() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_liege")).args(["help", "--manual"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let now = String::from_utf8_lossy(&output.stdout).into_owned();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(project().join("man/liege.conf.5"), &now).unwrap();
    }
    assert!(
        now == read("man/liege.conf.5"),
        "man/liege.conf.5 is not current: UPDATE=1 or `make manuals` writes it"
    );
}

#[test]
fn manuals_are_clean_under_mandoc() {
    for page in ["man/liege.8", "man/liege.conf.5"] {
        let Ok(output) = Command::new("mandoc")
            .args(["-Tlint", "-W", "warning"])
            .arg(project().join(page))
            .output()
        else {
            eprintln!("passed over: mandoc is missing");
            return;
        };
        assert!(output.status.success(), "{page}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn every_flag_and_signal_is_in_the_manual() {
    let manual = read("man/liege.8");
    for flag in ["t", "T", "q", "s", "p", "e", "c", "g", "v", "V", "h"] {
        assert!(manual.contains(&format!("Fl {flag}")), "-{flag} is missing in liege(8)");
    }
    for signal in ["TERM", "QUIT", "INT", "HUP", "USR1", "URG"] {
        assert!(manual.contains(signal), "{signal} is missing in liege(8)");
    }
}

#[test]
fn configurations_in_the_readme_and_docs_are_accepted() {
    let mut found = 0;
    for page in ["README.md", "docs/coming-from-nginx.md", "docs/coming-from-uwsgi.md"] {
        for block in read(page).split("```nginx\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            if block.starts_with("# liege.conf\n") {
                found += 1;
                passes(page, &here(block));
            }
        }
    }
    assert!(found > 0, "the README shows a configuration");
}

#[test]
fn the_configuration_that_is_installed_is_accepted() {
    let site = here(&read("conf/sites-available/blog.conf"));
    let output = liege(&here(&read("conf/liege.conf")))
        .file("conf/apps.d/blog.conf", here(&read("conf/apps.d/blog.conf.example")))
        .file("conf/sites-enabled/blog.conf", site)
        .arg("-t")
        .output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_examples_configurations_are_accepted() {
    for name in ["guestbook", "django"] {
        let text = read(&format!("examples/{name}/liege.conf"));
        let text = text.replace("../../conf/", &format!("{}/conf/", project().display()));
        passes(name, &text.replace("pid              run/liege.pid", "pid DIR/liege.pid"));
    }
}

#[test]
fn links_lead_somewhere() {
    let mut pages =
        vec![PathBuf::from("README.md"), "ARCHITECTURE.md".into(), "tests/README.md".into()];
    let docs = fs::read_dir(project().join("docs")).unwrap();
    pages.extend(docs.map(|entry| Path::new("docs").join(entry.unwrap().file_name())));
    for page in pages.iter().filter(|page| page.extension().is_some_and(|kind| kind == "md")) {
        let text = read(page.to_str().unwrap());
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#', ' ']).next().unwrap_or_default();
            if link.is_empty() || link.contains("://") {
                continue;
            }
            let target = project().join(page).parent().unwrap().join(link);
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
        }
    }
}

#[test]
fn files_that_are_named_in_the_map_are_there() {
    for page in ["ARCHITECTURE.md", "tests/README.md"] {
        for word in read(page).split('`').skip(1).step_by(2) {
            let is_path = word.starts_with("src/") || word.starts_with("tests/");
            let plain = word
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
            if is_path && plain && !word.contains("NAME") && !word.contains('X') {
                assert!(project().join(word).exists(), "{page} names {word}, which is not there");
            }
        }
    }
}
