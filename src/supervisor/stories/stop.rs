//! How everything ends.

use super::*;

fn serving() -> Story {
    let mut story = story(Plan { web: web(1, 1, &["blog"]), apps: vec![app("blog", 1, 1)] });
    story.ready("web 1 w0").ready("blog 1 master").ready("blog 1 w1");
    story
}

const GRACEFUL: Event = Event::Stop { graceful: true };
const FAST: Event = Event::Stop { graceful: false };

#[test]
fn the_web_finishes_before_the_apps_do() {
    let mut story = serving();
    story.step(GRACEFUL).does(&["stop web 1 w0"]).wakes_at(30.0);
    story.exited("web 1 w0").does(&["gone web 1", "retire blog 1 master", "stop blog 1 w1"]);
    story.exited("blog 1 w1").does(&[]);
    story.exited("blog 1 master").does(&["gone blog 1", "exit 0"]).sleeps();
}

#[test]
fn what_does_not_end_in_time_is_killed() {
    let mut story = serving();
    story.step(GRACEFUL).at(30.0).tick().does(&["kill web 1 w0"]);
    story.exited("web 1 w0").wakes_at(40.0).at(40.0).tick().does(&["kill blog 1 w1"]);
    story.exited("blog 1 w1").at(41.0).tick().does(&["kill blog 1 master"]);
    story.exited("blog 1 master").does(&["gone blog 1", "exit 0"]);
}

#[test]
fn a_fast_stop_leaves_a_second() {
    let mut story = serving();
    story
        .step(FAST)
        .does(&["stop web 1 w0", "retire blog 1 master", "stop blog 1 w1"])
        .wakes_at(1.0);
    story.at(1.0).tick().does(&["kill web 1 w0", "kill blog 1 w1"]);
}

#[test]
fn a_fast_stop_hurries_a_graceful_one() {
    let mut story = serving();
    story
        .step(GRACEFUL)
        .at(5.0)
        .step(FAST)
        .does(&["retire blog 1 master", "stop blog 1 w1"])
        .wakes_at(6.0);
    story.at(6.0).tick().does(&["kill web 1 w0", "kill blog 1 w1"]);
}

#[test]
fn a_graceful_stop_does_not_slow_a_fast_one() {
    let mut story = serving();
    story.step(FAST).step(GRACEFUL).does(&[]).wakes_at(1.0);
}

#[test]
fn nothing_is_spawned_after_a_stop() {
    let mut story = serving();
    story.step(GRACEFUL).exited("blog 1 w1").does(&[]);
    story.exited("blog 1 master").does(&[]);
    story.plan(plan(&[app("shop", 1, 1)]), Cause::Asked(None)).does(&[]);
    story.step(Event::CodeChanged("blog".into())).does(&[]);
    story.exited("web 1 w0").does(&["gone web 1", "gone blog 1", "exit 0"]);
}

#[test]
fn a_stop_during_a_hand_over_ends_both_generations() {
    let mut story = running(2);
    story.plan(plan(&[app("blog", 2, 1)]), Cause::Asked(None));
    story.ready("blog 2 master").ready("blog 2 w1");
    story.step(GRACEFUL).does(&[
        "gone web 2",
        "stop blog 1 w2",
        "retire blog 2 master",
        "stop blog 2 w1",
    ]);
}

#[test]
fn a_stop_ends_what_was_still_booting() {
    let mut story = story(plan(&[app("blog", 1, 1)]));
    story.step(GRACEFUL);
    story.does(&[
        "rejected blog 1: everything is being stopped",
        "stop blog 1 master",
        "gone web 1",
    ]);
    story.exited("blog 1 master").does(&["gone blog 1", "exit 0"]);
}

#[test]
fn with_nothing_running_a_stop_is_the_end() {
    let mut supervisor = Supervisor::new(1);
    assert_eq!(supervisor.step(Moment::default(), GRACEFUL), [Action::Exit { status: 0 }]);
    assert_eq!(supervisor.step(Moment::default(), FAST), []);
}
