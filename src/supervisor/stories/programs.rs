//! Apps that are programs of their own, and apps that replace.

use super::*;

fn replaced(plan: AppPlan) -> AppPlan {
    AppPlan { reload: Reload::Replace, ..plan }
}

#[test]
fn a_program_is_up_when_it_is_ready() {
    let mut story = story(plan(&[program(1)]));
    assert_eq!(story.done[..2], ["begin blog 1 from reading 1", "spawn blog 1 program"]);
    story.ready("blog 1 program").does(&["accepted blog 1", "blog is up", "booted"]).sleeps();
}

#[test]
fn a_program_that_overlaps_is_stopped_when_its_successor_is_ready() {
    let mut story = story(plan(&[program(1)]));
    story.ready("blog 1 program").plan(plan(&[program(2)]), Cause::FileChanged);
    story.does(&["begin blog 2 from reading 2", "spawn blog 2 program"]);
    story.ready("blog 2 program").does(&["accepted blog 2", "stop blog 1 program"]).wakes_at(10.0);
    story.exited("blog 1 program").does(&["gone blog 1"]).sleeps();
}

#[test]
fn a_loyal_program_that_dies_starts_again_at_once() {
    let mut story = story(plan(&[program(1)]));
    story.ready("blog 1 program").at(20.0).exited("blog 1 program");
    story.does(&["begin blog 2 from generation 1", "spawn blog 2 program", "blog starts"]);
    story.ready("blog 2 program").does(&["accepted blog 2", "gone blog 1", "blog is up"]);
}

#[test]
fn one_that_replaces_stops_before_its_successor_starts() {
    let mut story = story(plan(&[replaced(program(1))]));
    story.ready("blog 1 program").plan(plan(&[replaced(program(2))]), Cause::FileChanged);
    story.does(&["stop blog 1 program", "blog starts"]);
    story.exited("blog 1 program").does(&["begin blog 2 from reading 2", "spawn blog 2 program"]);
    story.ready("blog 2 program").does(&["accepted blog 2", "gone blog 1", "blog is up"]);
}

#[test]
fn one_that_replaces_and_fails_gives_way_to_the_old_one() {
    let mut story = story(plan(&[replaced(program(1))]));
    story.ready("blog 1 program").plan(plan(&[replaced(program(2))]), Cause::FileChanged);
    story.exited("blog 1 program").exited("blog 2 program").does(&[
        "rejected blog 2: program was killed by signal 9 before it was ready",
        "begin blog 3 from generation 1",
        "spawn blog 3 program",
        "gone blog 2",
        "blog is down for 0 s: program was killed by signal 9 before it was ready",
    ]);
    story.ready("blog 3 program").does(&["accepted blog 3", "gone blog 1", "blog is up"]);
}

#[test]
fn one_that_becomes_a_program_hands_over_to_it() {
    let mut story = running(2);
    story.plan(plan(&[program(2)]), Cause::FileChanged);
    story.ready("blog 2 program").does(&[
        "accepted blog 2",
        "retire blog 1 master",
        "stop blog 1 w1",
        "stop blog 1 w2",
    ]);
}
