//! What `ps` shows: the process's title, written into the memory where the kernel keeps its command
//! line.
//!
//! The kernel shows that memory as it is, unless its last byte is not NUL: then it shows the text
//! up to the first NUL, and reads on into the environment behind it (proc_pid_cmdline(5)). So the
//! title is written with a NUL behind it, and the last byte of the area is made something else.
//! Where the area is too short, the environment's memory is used as well, once [`init`] has moved
//! the environment away.

use std::ffi::CString;
use std::ops::Range;
use std::sync::OnceLock;

/// Copies the environment away from behind the command line, so that a long title has room. Call it
/// first in main.
///
/// Read the arguments before the first [`set`]: it overwrites them.
pub fn init() {
    let Some(place) = area() else { return };
    for (name, value) in std::env::vars_os() {
        // SAFETY: the caller is at the beginning of main, before any other thread.
        unsafe { std::env::set_var(name, value) };
    }
    let _ = ROOM.set(place.args.start..place.whole);
}

/// Makes `ps` and /proc/PID/cmdline show this, and /proc/PID/comm its first 15 bytes, without
/// spaces.
///
/// Too many programs count spaces in /proc/PID/stat, Python's os.fork() among them: it would warn
/// of threads that are not there.
///
/// The title is cut where there is no room for it. Without /proc only the short name is set.
pub fn set(title: &str) {
    let short = title.replace(": ", ":").replace([' ', '\0'], "-");
    let short: Vec<u8> = short.bytes().take(15).collect();
    if let Ok(name) = CString::new(short) {
        let _ = rustix::thread::set_name(&name);
    }
    let Some(place) = area() else { return };
    let room = ROOM.get().cloned().unwrap_or(place.args.clone());
    if place.args.len() >= 2 && room.len() >= 2 {
        write(&place.args, room, title.as_bytes());
    }
}

/// Fills the room with the title and NULs. The kernel shows the arguments as they are when their
/// last byte is NUL, and else all up to the first NUL: so that byte is spoilt, unless the title ends
/// just before it.
fn write(args: &Range<usize>, room: Range<usize>, title: &[u8]) {
    // Without room behind the arguments the environment there is still in use.
    let end = if room.end == args.end { args.len() } else { room.len() };
    let title = &title[..title.len().min(end - 1)];
    let mut bytes = vec![0; end];
    bytes[..title.len()].copy_from_slice(title);
    let last = args.len() - 1;
    if title.len() < last {
        bytes[last] = b'.';
    }
    let target = std::ptr::with_exposed_provenance_mut::<u8>(room.start);
    // SAFETY: the kernel says that the arguments (and behind them the environment, which `init` has
    // moved away) lie there, on the stack, writable, for the life of the process; nobody reads them
    // any more but the kernel.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, end) };
}

#[derive(Debug)]
struct Area {
    args: Range<usize>,
    whole: usize,
}

/// Where arguments and environment lie: fields 48 to 51 of /proc/self/stat, zero when the kernel
/// hides them.
fn area() -> Option<&'static Area> {
    static AREA: OnceLock<Option<Area>> = OnceLock::new();
    AREA.get_or_init(|| parse(&std::fs::read_to_string("/proc/self/stat").ok()?)).as_ref()
}

fn parse(stat: &str) -> Option<Area> {
    // The second field is the name in parentheses and may hold anything; the third follows its last
    // parenthesis.
    let rest = stat.get(stat.rfind(')')? + 1..)?;
    let fields: Vec<usize> =
        rest.split_ascii_whitespace().skip(45).take(4).filter_map(|f| f.parse().ok()).collect();
    let &[arg_start, arg_end, env_start, env_end] = fields.as_slice() else { return None };
    if arg_start == 0 || arg_end <= arg_start {
        return None;
    }
    // A kernel that was told other places (PR_SET_MM) may have them apart: then there is no room
    // behind the arguments.
    let whole = if env_start == arg_end && env_end > env_start { env_end } else { arg_end };
    Some(Area { args: arg_start..arg_end, whole })
}

/// The memory that a title may use, once the environment is out of the way.
static ROOM: OnceLock<Range<usize>> = OnceLock::new();

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const TITLE: &str = "SYS_TEST_TITLE";
    const MOVED: &str = "SYS_TEST_MOVED";

    /// Runs only as a child of the next tests: takes the title and shows what /proc says.
    #[test]
    fn shows_its_title() {
        let Ok(title) = std::env::var(TITLE) else { return };
        if std::env::var_os(MOVED).is_some() {
            init();
        }
        set("a first title that is longer than the one that comes after it, whatever that is");
        set(&title);
        let shown = std::fs::read("/proc/self/cmdline").unwrap();
        let comm = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        println!("shown [{}] [{}]", String::from_utf8(shown).unwrap(), comm.trim_end());
        let kept = std::env::var(TITLE).unwrap();
        println!("kept [{kept}]");
    }

    fn show(title: &str, moved: bool, padding: usize) -> String {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["shows_its_title", "--nocapture", "--", &"p".repeat(padding)]);
        command.env(TITLE, title).env_remove(MOVED);
        if moved {
            command.env(MOVED, "1");
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    #[test]
    fn a_title_shows_exactly_in_the_argument_area_alone() {
        for (title, comm) in
            [("liege: x", "liege:x"), ("liege: app blog worker 12", "liege:app-blog-")]
        {
            let said = show(title, false, 300);
            assert!(said.contains(&format!("shown [{title}\0] [{comm}]")), "{said:?}");
            assert!(said.contains(&format!("kept [{title}]")), "{said:?}");
        }
    }

    #[test]
    fn a_title_longer_than_the_arguments_uses_the_room_of_the_environment() {
        let long = format!("liege: master /etc/{}/liege.conf", "long/".repeat(80));
        let said = show(&long, true, 1);
        assert!(said.contains(&format!("shown [{long}\0]")), "{said:?}");
        assert!(said.contains(&format!("kept [{long}]")), "{said:?}");
    }

    #[test]
    fn a_title_of_any_length_round_the_end_of_the_arguments_shows_all_but_one_letter() {
        for length in 60..200 {
            let title = "t".repeat(length);
            let said = show(&title, true, 20);
            let cut = &title[..length - 1];
            let fits = said.contains(&format!("shown [{title}\0]"));
            assert!(fits || said.contains(&format!("shown [{cut}\0]")), "{length} {said:?}");
        }
    }

    #[test]
    fn a_title_too_long_for_the_arguments_alone_is_cut_and_harms_nothing() {
        let long = "t".repeat(5000);
        let said = show(&long, false, 1);
        assert!(said.contains("shown [ttt") && said.contains(&format!("kept [{long}]")));
    }

    #[test]
    fn the_name_in_the_stat_line_may_hold_parentheses_and_spaces() {
        let tail = (3..=47).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let place = parse(&format!("1 (a) b) c) {tail} 100 200 200 300 0")).unwrap();
        assert_eq!((place.args, place.whole), (100..200, 300));
        assert!(parse("1 (x) S").is_none());
    }
}
