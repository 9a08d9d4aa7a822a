//! How apps start, crash, and are tried again.

use super::*;

#[test]
fn an_app_is_up_when_its_first_worker_is_ready_and_the_others_follow() {
    let mut story = story(plan(&[app("blog", 2, 1)]));
    story.does(&[
        "begin blog 1 from reading 1",
        "spawn blog 1 master",
        "begin web 1 from reading 1",
        "accepted web 1",
        "blog starts",
    ]);
    story.at(1.0).ready("blog 1 master").does(&["spawn blog 1 w1"]);
    story.at(1.1).ready("blog 1 w1").does(&[
        "accepted blog 1",
        "spawn blog 1 w2",
        "blog is up",
        "booted",
    ]);
    story.at(1.2).ready("blog 1 w2").does(&[]).sleeps();
}

#[test]
fn an_app_that_cannot_start_waits_one_second_more_each_time() {
    let mut story = story(plan(&[app("blog", 1, 1)]));
    story.at(0.5).failed("blog 1 master", "no module named shop").does(&[
        "rejected blog 1: no module named shop",
        "stop blog 1 master",
        "blog is down for 1 s: no module named shop",
        "booted",
    ]);
    story.at(0.6).exited("blog 1 master").does(&["gone blog 1"]).wakes_at(1.5);
    story.at(1.5).tick().does(&["begin blog 2 from reading 1", "spawn blog 2 master"]);
    story.at(2.0).exited("blog 2 master").does(&[
        "rejected blog 2: master was killed by signal 9 before it was ready",
        "gone blog 2",
        "blog is down for 2 s: master was killed by signal 9 before it was ready",
    ]);
    story
        .wakes_at(4.0)
        .at(4.0)
        .tick()
        .does(&["begin blog 3 from reading 1", "spawn blog 3 master"]);
}

#[test]
fn an_app_is_parked_after_five_failures_and_still_tried_every_three_minutes_in_the_end() {
    let mut story = story(plan(&[app("blog", 1, 1)]));
    let mut waits = vec![];
    for generation in 1..=200 {
        let before = story.now;
        story.exited(&format!("blog {generation} master"));
        assert_eq!(story.app().parked, generation >= 5);
        let deadline = story.supervisor.deadline().unwrap();
        story.at(deadline.since_start().as_secs_f64()).tick();
        waits.push((story.now - before).round() as u32);
    }
    assert_eq!((waits[0], waits[4], waits[179], waits[199]), (1, 5, 180, 180));
}

#[test]
fn a_change_of_code_or_the_operator_ends_a_wait() {
    for mended in [Event::CodeChanged("blog".into()), Event::ClearWaits] {
        let mut story = story(plan(&[app("blog", 1, 1)]));
        for generation in 1..=6 {
            story.exited(&format!("blog {generation} master"));
            story.now += f64::from(generation);
            story.tick();
        }
        story.exited("blog 7 master");
        story.step(mended).does(&[
            "begin blog 8 from reading 1",
            "spawn blog 8 master",
            "blog starts",
        ]);
        assert_eq!(story.app().failures, 0);
    }
}

#[test]
fn an_app_that_hangs_at_import_is_rejected_when_its_time_is_over_and_killed() {
    let mut story = story(plan(&[app("blog", 1, 1)]));
    story.wakes_at(60.0).at(60.0).tick().does(&[
        "rejected blog 1: it was not ready after 60 s (start_timeout)",
        "stop blog 1 master",
        "blog is down for 1 s: it was not ready after 60 s (start_timeout)",
        "booted",
    ]);
    story.at(61.0).tick().does(&["begin blog 2 from reading 1", "spawn blog 2 master"]);
    story.at(62.0).tick().does(&["kill blog 1 master"]);
    story.exited("blog 1 master").does(&["gone blog 1"]);
}

#[test]
fn the_time_of_the_first_worker_counts_as_well() {
    let mut story = story(plan(&[app("blog", 1, 1)]));
    story.at(59.0).ready("blog 1 master").does(&["spawn blog 1 w1"]).wakes_at(60.0);
}

#[test]
fn a_killed_worker_is_replaced_at_once() {
    let mut story = running(2);
    story.at(5.0).exited("blog 1 w2").does(&["spawn blog 1 w2"]);
}

#[test]
fn a_worker_that_dies_young_again_and_again_waits_longer_and_is_told_of_once_a_minute() {
    let mut story = running(2);
    story.at(20.0);
    for _ in 0..3 {
        story.ready("blog 1 w2").exited("blog 1 w2").does(&["spawn blog 1 w2"]);
    }
    story.ready("blog 1 w2").exited("blog 1 w2").does(&[
        "told app blog: 4 processes died young, last: worker 2 was killed by signal 9; the next start is in 1 s",
    ]);
    story.wakes_at(21.0).at(21.0).tick().does(&["spawn blog 1 w2"]);
    story.exited("blog 1 w2").does(&[]).wakes_at(23.0);
}

#[test]
fn a_worker_that_does_not_get_ready_is_killed_and_replaced() {
    let mut story = running(2);
    story.at(5.0).exited("blog 1 w2").wakes_at(65.0);
    story.at(65.0).tick().does(&["kill blog 1 w2"]);
    story.exited("blog 1 w2").does(&["spawn blog 1 w2"]);
}

#[test]
fn an_app_whose_workers_cannot_import_is_down_with_their_cause() {
    let mut story = running(1);
    story.at(5.0).exited("blog 1 w1").does(&["spawn blog 1 w1", "blog starts"]);
    story.failed("blog 1 w1", "syntax error").does(&["stop blog 1 w1"]);
    story.exited("blog 1 w1").does(&["spawn blog 1 w1", "blog is down for 0 s: syntax error"]);
    story.ready("blog 1 w1").does(&["blog is up"]);
}

#[test]
fn workers_of_a_dead_app_master_serve_until_a_generation_of_the_same_code_hands_over() {
    let mut story = running(2);
    story
        .at(5.0)
        .exited("blog 1 master")
        .does(&["begin blog 2 from generation 1", "spawn blog 2 master"]);
    story.exited("blog 1 w2").does(&[]);
    story.ready("blog 2 master").does(&["spawn blog 2 w1"]);
    story.ready("blog 2 w1").does(&["accepted blog 2", "spawn blog 2 w2"]);
    story.ready("blog 2 w2").does(&["stop blog 1 w1"]);
    story.exited("blog 1 w1").does(&["gone blog 1"]);
}

#[test]
fn an_app_that_crashed_before_it_was_loyal_waits() {
    let mut story = story(plan(&[app("blog", 1, 1)]));
    story.ready("blog 1 master").ready("blog 1 w1");
    story.at(9.0).exited("blog 1 w1");
    story.exited("blog 1 master").does(&[
        "told app blog: 2 processes died young, last: master was killed by signal 9; the next start is in 1 s",
    ]);
    // It served, so requests wait for its first return, and are refused from the second crash on.
    story.at(10.0).tick().does(&["begin blog 2 from generation 1", "spawn blog 2 master"]);
    story.ready("blog 2 master").ready("blog 2 w1").exited("blog 2 w1");
    story.exited("blog 2 master").does(&["blog is down for 2 s: master was killed by signal 9"]);
}

#[test]
fn ten_seconds_of_life_make_an_app_loyal() {
    let mut story = story(plan(&[app("blog", 1, 1)]));
    story.ready("blog 1 master").ready("blog 1 w1");
    story
        .at(10.0)
        .exited("blog 1 master")
        .does(&["begin blog 2 from generation 1", "spawn blog 2 master"]);
}

#[test]
fn a_loyal_app_that_answers_and_dies_at_once_falls_under_the_slot_rule() {
    let mut story = running(1);
    story.at(0.1).exited("blog 1 w1").exited("blog 1 master");
    for generation in 2..=3 {
        let slot = |seat| format!("blog {generation} {seat}");
        story.ready(&slot("master")).ready(&slot("w1")).answered(&slot("w1"));
        story.exited(&slot("w1")).exited(&slot("master"));
    }
    assert!(
        story.done.iter().any(|said| said.starts_with("blog is down for 1 s")),
        "{:?}",
        story.done
    );
}

#[test]
fn a_crash_restart_that_fails_is_tried_again_from_the_same_generation() {
    let mut story = running(1);
    story.at(5.0).exited("blog 1 master").exited("blog 1 w1");
    story.failed("blog 2 master", "no database").does(&[
        "rejected blog 2: no database",
        "stop blog 2 master",
        "blog is down for 1 s: no database",
    ]);
    story.exited("blog 2 master").does(&["gone blog 2"]);
    story.at(6.0).tick().does(&["begin blog 3 from generation 1", "spawn blog 3 master"]);
    story.ready("blog 3 master").ready("blog 3 w1").does(&[
        "accepted blog 3",
        "gone blog 1",
        "blog is up",
    ]);
}

#[test]
fn tired_workers_are_replaced_one_at_a_time() {
    let mut story = running(3);
    story.step(Event::Tired(parse("blog 1 w1"))).does(&["stop blog 1 w1"]);
    story.step(Event::Tired(parse("blog 1 w2"))).does(&[]);
    story.exited("blog 1 w1").does(&["spawn blog 1 w1"]);
    story.ready("blog 1 w1").does(&["stop blog 1 w2"]);
    story.exited("blog 1 w2").does(&["spawn blog 1 w2"]);
}

#[test]
fn a_tired_worker_that_does_not_stop_is_killed_once() {
    let mut story = running(1);
    story.step(Event::Tired(parse("blog 1 w1"))).wakes_at(10.0);
    story.at(10.0).tick().does(&["kill blog 1 w1"]);
    story.at(11.0).tick().does(&[]);
    story.exited("blog 1 w1").does(&["spawn blog 1 w1"]);
}

#[test]
fn no_more_apps_boot_at_once_than_there_are_cores() {
    let mut story = story(plan(&[app("blog", 1, 1), app("shop", 1, 1), app("wiki", 1, 1)]));
    assert!(!story.done.iter().any(|said| said.contains("begin wiki")));
    story.failed("blog 1 master", "no").does(&[
        "rejected blog 1: no",
        "stop blog 1 master",
        "begin wiki 1 from reading 1",
        "spawn wiki 1 master",
        "blog is down for 1 s: no",
    ]);
}

#[test]
fn a_worker_that_could_not_be_started_is_tried_again() {
    let mut story = running(2);
    story.at(20.0).exited("blog 1 w2");
    let lost = Event::NotSpawned { slot: parse("blog 1 w2"), cause: "no memory".into() };
    story.step(lost.clone()).does(&["spawn blog 1 w2"]);
    story.step(lost.clone()).does(&["spawn blog 1 w2"]);
    story.step(lost);
    story.wakes_at(21.0);
}

#[test]
fn what_an_app_says_about_slots_that_are_empty_is_ignored() {
    let mut story = running(1);
    for nonsense in ["blog 1 w7", "blog 9 w1", "shop 1 w1", "web 1 w0", "blog 1 program"] {
        story.ready(nonsense).does(&[]);
        story.exited(nonsense).does(&[]);
        story.failed(nonsense, "lies").does(&[]);
        story.step(Event::Tired(parse(nonsense))).does(&[]);
    }
    story.ready("blog 1 w1").does(&[]);
}

#[test]
fn an_app_that_cannot_even_be_started_is_down_with_the_plain_cause() {
    let mut story = story(plan(&[app("blog", 1, 1)]));
    let slot = parse("blog 1 master");
    story
        .step(Event::NotSpawned {
            slot,
            cause: "chdir to /nowhere: No such file or directory".into(),
        })
        .does(&[
            "rejected blog 1: chdir to /nowhere: No such file or directory",
            "gone blog 1",
            "blog is down for 1 s: chdir to /nowhere: No such file or directory",
            "booted",
        ]);
}
