//! An exec ends the process that does it, so each test starts a child of its own: this test binary
//! again.

use std::env;
use std::process::{Command, Stdio};

use super::*;
use crate::socket;

const ROLE: &str = "SYS_TEST_EXEC";

/// Runs only as a child of the tests below.
#[test]
fn becomes_another_program() {
    let Ok(words) = env::var(ROLE) else { return };
    let words: Vec<String> = words.split('\x1f').map(str::to_owned).collect();
    let dir = tempfile::tempdir().unwrap();
    let address = socket::Address::Unix(dir.path().join("s"));
    let listener = socket::listen(&address, &Default::default()).unwrap();
    // A descriptor that is not closed on exec, as a careless parent leaves it.
    let stray = rustix::io::dup(&listener).unwrap();
    let log = rustix::io::dup(io::stdout()).unwrap();
    let env = vec![("ONLY".to_owned(), "this".to_owned())];
    let failed = program(&words, &env, listener, log);
    println!("failed: {failed}");
    drop(stray);
}

fn run(words: &[&str]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["becomes_another_program", "--nocapture"]).env(ROLE, words.join("\x1f"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_program_gets_its_socket_as_three_and_nothing_else() {
    let script = "echo fds $(ls /proc/self/fd | wc -l); echo $ONLY $LISTEN_FDS \
                  $((LISTEN_PID - $$)) [$SYS_TEST_EXEC]; readlink /proc/$$/fd/3";
    let said = run(&["/bin/sh", "-c", script]);
    // 0, 1, 2, 3 and the directory that ls reads.
    assert!(said.contains("fds 5\n"), "{said}");
    assert!(said.contains("this 1 0 []\nsocket:["), "{said}");
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    assert!(run(&["/no/such/program"]).contains("failed: No such file"));
}

#[test]
fn an_inherited_descriptor_is_given_out_once() {
    let fd = std::os::fd::IntoRawFd::into_raw_fd(socket::null().unwrap());
    assert!(inherited(fd).is_ok());
    assert!(inherited(fd).is_err());
    assert!(inherited(1).is_err());
    assert!(inherited(1_000_000).is_err());
}

#[test]
fn a_python_that_is_a_link_to_nothing_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let python = dir.path().join("python");
    std::os::unix::fs::symlink("/no/such/python3.11", &python).unwrap();
    let failed = explain(&python, io::ErrorKind::NotFound.into());
    assert!(failed.to_string().contains("link to /no/such/python3.11"), "{failed}");
}

#[test]
fn a_program_is_found_in_the_path() {
    assert_eq!(find(OsStr::new("sh"), OsStr::new("/nowhere:/bin")), Some("/bin/sh".into()));
    assert_eq!(find(OsStr::new("no-such"), OsStr::new("/bin")), None);
    assert_eq!(find(OsStr::new("bin/x"), OsStr::new("/bin")), Some("bin/x".into()));
}
