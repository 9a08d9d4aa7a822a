//! The web workers.

use super::*;

fn only_web(workers: u32, print: u64) -> Plan {
    Plan { web: web(workers, print, &[]), apps: vec![] }
}

#[test]
fn the_web_is_there_when_all_its_workers_are_ready() {
    let mut story = story(only_web(2, 1));
    story.does(&["begin web 1 from reading 1", "spawn web 1 w0", "spawn web 1 w1"]);
    story.ready("web 1 w0").does(&[]);
    story.ready("web 1 w1").does(&["accepted web 1", "booted"]).sleeps();
}

#[test]
fn at_the_start_a_web_worker_that_dies_is_tried_again() {
    let mut story = story(only_web(1, 1));
    story.exited("web 1 w0").does(&["spawn web 1 w0"]);
    story.exited("web 1 w0").does(&["spawn web 1 w0"]);
    story.exited("web 1 w0").does(&[
        "told web: 3 processes died young, last: worker 0 was killed by signal 9; the next start is in 1 s",
    ]);
    story.wakes_at(1.0).at(1.0).tick().does(&["spawn web 1 w0"]);
}

#[test]
fn a_killed_web_worker_is_replaced_at_once() {
    let mut story = story(only_web(1, 1));
    story.ready("web 1 w0").at(3.0).exited("web 1 w0").does(&["spawn web 1 w0"]);
}

#[test]
fn a_new_web_generation_takes_over_when_it_is_complete() {
    let mut story = story(only_web(2, 1));
    story.ready("web 1 w0").ready("web 1 w1");
    story.plan(only_web(2, 1), Cause::Asked(None));
    story.ready("web 2 w0").does(&[]);
    story.ready("web 2 w1").does(&["accepted web 2", "stop web 1 w0", "stop web 1 w1"]).sleeps();
    story.exited("web 1 w0").exited("web 1 w1").does(&["gone web 1"]);
}

#[test]
fn a_web_generation_that_fails_leaves_the_old_one_alone() {
    let mut story = story(only_web(1, 1));
    story.ready("web 1 w0");
    story.plan(only_web(2, 2), Cause::FileChanged);
    story.failed("web 2 w1", "no such group").does(&[
        "rejected web 2: no such group",
        "stop web 2 w0",
        "stop web 2 w1",
    ]);
    story.exited("web 2 w0").exited("web 2 w1").does(&["gone web 2"]).sleeps();
}

#[test]
fn a_web_generation_that_hangs_is_rejected_after_a_minute() {
    let mut story = story(only_web(1, 1));
    story.ready("web 1 w0");
    story.plan(only_web(1, 2), Cause::FileChanged);
    story
        .at(60.0)
        .tick()
        .does(&["rejected web 2: worker 0 was not ready after 60 s", "stop web 2 w0"]);
    story.wakes_at(90.0).at(90.0).tick().does(&["kill web 2 w0"]);
}

#[test]
fn a_changed_file_leaves_an_equal_web_alone() {
    let mut story = story(only_web(1, 1));
    story.ready("web 1 w0");
    story.plan(only_web(1, 1), Cause::FileChanged);
    story.does(&[]);
}

#[test]
fn the_web_waits_for_apps_that_it_newly_names() {
    let mut story = story(only_web(1, 1));
    story.ready("web 1 w0");
    story.plan(
        Plan { web: web(1, 2, &["blog"]), apps: vec![app("blog", 1, 1)] },
        Cause::FileChanged,
    );
    story.does(&["begin blog 1 from reading 2", "spawn blog 1 master", "blog starts"]);
    story.ready("blog 1 master");
    story.ready("blog 1 w1").does(&[
        "accepted blog 1",
        "begin web 2 from reading 2",
        "spawn web 2 w0",
        "blog is up",
    ]);
}

#[test]
fn an_app_that_fails_does_not_hold_the_web_back() {
    let mut story = story(only_web(1, 1));
    story.ready("web 1 w0");
    story.plan(
        Plan { web: web(1, 2, &["blog"]), apps: vec![app("blog", 1, 1)] },
        Cause::FileChanged,
    );
    story.exited("blog 1 master");
    assert!(story.done.contains(&"begin web 2 from reading 2".to_owned()));
}

#[test]
fn an_app_that_serves_already_is_not_waited_for() {
    let mut story = story(Plan { web: web(1, 1, &["blog"]), apps: vec![app("blog", 1, 1)] });
    story.ready("web 1 w0").ready("blog 1 master").ready("blog 1 w1");
    story.plan(
        Plan { web: web(1, 2, &["blog"]), apps: vec![app("blog", 1, 2)] },
        Cause::FileChanged,
    );
    assert!(story.done.contains(&"begin web 2 from reading 2".to_owned()));
}

#[test]
fn at_the_start_the_web_waits_for_nobody() {
    let mut story = story(Plan { web: web(1, 1, &["blog"]), apps: vec![app("blog", 1, 1)] });
    assert!(story.done.contains(&"spawn web 1 w0".to_owned()));
    story.ready("web 1 w0").does(&["accepted web 1"]);
}

#[test]
fn a_reload_drains_within_the_limit_that_was_configured() {
    let plan = Plan {
        web: WebPlan { drain: Some(Duration::from_secs(5)), ..web(1, 1, &[]) },
        apps: vec![],
    };
    let mut story = story(plan.clone());
    story.ready("web 1 w0").plan(plan, Cause::Asked(None));
    story.ready("web 2 w0").wakes_at(5.0);
    story.at(5.0).tick().does(&["kill web 1 w0"]);
}
