//! How a new generation of an app takes over, or does not.

use super::*;

fn asked(story: &mut Story, apps: &[AppPlan]) {
    story.plan(plan(apps), Cause::Asked(None));
}

#[test]
fn the_old_generation_hands_over_worker_by_worker() {
    let mut story = running(2);
    asked(story.at(5.0), &[app("blog", 2, 1)]);
    assert_eq!(story.done[..2], ["begin blog 2 from reading 2", "spawn blog 2 master"]);
    story.ready("blog 2 master").does(&["spawn blog 2 w1"]);
    story.ready("blog 2 w1").does(&["accepted blog 2", "retire blog 1 master", "stop blog 1 w1"]);
    story.exited("blog 1 w1").does(&["spawn blog 2 w2"]);
    story.ready("blog 2 w2").does(&["stop blog 1 w2"]);
    story.exited("blog 1 w2").does(&[]);
    story.exited("blog 1 master").does(&["gone blog 1"]).sleeps();
}

#[test]
fn a_generation_that_fails_is_stopped_and_the_old_one_serves_on() {
    let mut story = running(2);
    asked(story.at(5.0), &[app("blog", 2, 2)]);
    story
        .failed("blog 2 master", "syntax error")
        .does(&["rejected blog 2: syntax error", "stop blog 2 master"]);
    story.exited("blog 2 master").does(&["gone blog 2"]).sleeps();
    assert_eq!(story.app().unit.rejected, Some((2, "syntax error".into())));
    assert_eq!((story.app().state, story.app().unit.serving), (AppState::Up, Some(1)));
}

#[test]
fn a_generation_whose_first_worker_fails_is_rejected_too() {
    let mut story = running(2);
    asked(&mut story, &[app("blog", 2, 2)]);
    story.ready("blog 2 master").exited("blog 2 w1").does(&[
        "rejected blog 2: worker 1 was killed by signal 9 before it was ready",
        "retire blog 2 master",
    ]);
    story.wakes_at(2.0);
}

#[test]
fn a_newer_reading_replaces_the_candidate() {
    let mut story = running(1);
    asked(&mut story, &[app("blog", 1, 2)]);
    asked(&mut story, &[app("blog", 1, 3)]);
    assert_eq!(
        story.done[..4],
        [
            "rejected blog 2: a newer reading replaced it",
            "stop blog 2 master",
            "begin blog 3 from reading 3",
            "spawn blog 3 master",
        ]
    );
    story.ready("blog 2 master").does(&[]);
}

#[test]
fn a_changed_file_leaves_equal_apps_alone() {
    let mut story = story(plan(&[app("blog", 1, 1), app("shop", 1, 1)]));
    for slot in ["blog 1 master", "shop 1 master", "blog 1 w1", "shop 1 w1"] {
        story.ready(slot);
    }
    story.plan(plan(&[app("blog", 1, 1), app("shop", 1, 2)]), Cause::FileChanged);
    story.does(&["begin shop 2 from reading 2", "spawn shop 2 master"]);
}

#[test]
fn a_change_that_is_taken_back_takes_the_candidate_back() {
    let mut story = running(1);
    story.plan(plan(&[app("blog", 1, 2)]), Cause::FileChanged);
    story.plan(plan(&[app("blog", 1, 1)]), Cause::FileChanged);
    story.does(&["rejected blog 2: a newer reading replaced it", "stop blog 2 master"]);
}

#[test]
fn only_the_apps_that_were_named_get_a_new_generation() {
    let mut story = story(plan(&[app("blog", 1, 1), app("shop", 1, 1)]));
    for slot in ["blog 1 master", "shop 1 master", "blog 1 w1", "shop 1 w1"] {
        story.ready(slot);
    }
    let same = plan(&[app("blog", 1, 1), app("shop", 1, 1)]);
    story.plan(same, Cause::Asked(Some(vec!["shop".into()])));
    story.does(&[
        "begin shop 2 from reading 2",
        "spawn shop 2 master",
        "begin web 2 from reading 2",
        "accepted web 2",
        "gone web 1",
    ]);
}

#[test]
fn an_app_that_grows_starts_new_workers_as_far_as_there_is_room() {
    let mut story = running(2);
    asked(&mut story, &[app("blog", 4, 2)]);
    story.ready("blog 2 master").ready("blog 2 w1").does(&[
        "accepted blog 2",
        "retire blog 1 master",
        "spawn blog 2 w2",
        "spawn blog 2 w3",
    ]);
    story.ready("blog 2 w2").does(&[]);
    story.ready("blog 2 w3").does(&["stop blog 1 w1"]);
    story.exited("blog 1 w1").does(&["spawn blog 2 w4"]);
    story.ready("blog 2 w4").does(&["stop blog 1 w2"]);
}

#[test]
fn an_app_that_shrinks_stops_what_is_superfluous_at_once() {
    let mut story = running(4);
    asked(&mut story, &[app("blog", 2, 2)]);
    story.ready("blog 2 master").ready("blog 2 w1").does(&[
        "accepted blog 2",
        "retire blog 1 master",
        "stop blog 1 w1",
        "stop blog 1 w2",
        "stop blog 1 w3",
    ]);
}

#[test]
fn an_old_worker_that_dies_during_the_hand_over_is_not_replaced() {
    let mut story = running(2);
    asked(&mut story, &[app("blog", 2, 1)]);
    story.ready("blog 2 master").ready("blog 2 w1");
    story.exited("blog 1 w2").does(&["spawn blog 2 w2"]);
    story.exited("blog 1 w1").does(&[]);
}

#[test]
fn an_old_worker_that_does_not_stop_is_killed_after_its_mercy() {
    let mut story = running(1);
    asked(story.at(5.0), &[app("blog", 1, 1)]);
    story.ready("blog 2 master").ready("blog 2 w1").wakes_at(15.0);
    story.at(15.0).tick().does(&["kill blog 1 w1"]).wakes_at(16.0);
    story.at(16.0).tick().does(&["kill blog 1 master"]).sleeps();
}

#[test]
fn a_hand_over_whose_new_workers_do_not_get_ready_ends_all_the_same() {
    let mut story = running(2);
    asked(&mut story, &[app("blog", 2, 1)]);
    story
        .at(1.0)
        .ready("blog 2 master")
        .ready("blog 2 w1")
        .exited("blog 1 w1")
        .does(&["spawn blog 2 w2"]);
    story.at(61.0).tick().does(&["kill blog 2 w2", "stop blog 1 w2"]);
}

#[test]
fn an_app_master_that_dies_during_the_hand_over_leaves_the_old_workers_serving() {
    let mut story = running(2);
    asked(&mut story, &[app("blog", 2, 1)]);
    story.ready("blog 2 master").ready("blog 2 w1").answered("blog 2 w1");
    story.at(2.0).exited("blog 1 w1").exited("blog 2 master");
    story.does(&["begin blog 3 from generation 2", "spawn blog 3 master"]);
    story.exited("blog 2 w2").ready("blog 3 master").does(&["spawn blog 3 w1"]);
    story.ready("blog 3 w1").does(&["accepted blog 3", "stop blog 1 w2"]);
    story.exited("blog 1 w2").does(&["spawn blog 3 w2"]);
    story.ready("blog 3 w2").does(&["stop blog 2 w1"]);
}

#[test]
fn a_candidate_waits_for_room_and_its_time_does_not_run_meanwhile() {
    let mut story = running(2);
    asked(&mut story, &[app("blog", 2, 1)]);
    story.ready("blog 2 master").ready("blog 2 w1"); // w1 of generation 1 takes its time
    asked(story.at(1.0), &[app("blog", 2, 1)]);
    story.at(1.5).ready("blog 3 master").does(&[]).wakes_at(3.0);
    story.at(2.0).exited("blog 1 w1").does(&["spawn blog 2 w2"]);
    story.ready("blog 2 w2").does(&["stop blog 1 w2"]);
    story.at(2.5).exited("blog 1 w2").does(&["spawn blog 3 w1"]);
    story.exited("blog 1 master").does(&["gone blog 1"]).wakes_at(62.5);
}

#[test]
fn a_worker_that_streams_on_does_not_hold_up_the_hand_over_for_long() {
    let mut story = running(2);
    asked(&mut story, &[app("blog", 2, 1)]);
    story.ready("blog 2 master").ready("blog 2 w1").does(&[
        "accepted blog 2",
        "retire blog 1 master",
        "stop blog 1 w1",
    ]);
    story.wakes_at(3.0).at(3.0).tick().does(&["spawn blog 2 w2"]);
    story.ready("blog 2 w2").does(&["stop blog 1 w2"]).wakes_at(10.0);
    story.at(10.0).tick().does(&["kill blog 1 w1"]);
}

#[test]
fn of_more_than_three_generations_that_finish_their_work_the_oldest_is_cut() {
    let mut story = story(Plan { web: web(1, 1, &[]), apps: vec![] });
    for generation in 1..=4 {
        story.ready(&format!("web {generation} w0"));
        story.plan(Plan { web: web(1, 1, &[]), apps: vec![] }, Cause::Asked(None));
    }
    story.ready("web 5 w0").does(&["accepted web 5", "stop web 4 w0", "kill web 1 w0"]);
}

#[test]
fn a_broken_app_that_served_before_comes_back_from_its_last_good_generation() {
    let mut story = running(1);
    story.at(5.0).exited("blog 1 w1").exited("blog 1 master");
    asked(&mut story, &[app("blog", 1, 2)]);
    story.failed("blog 3 master", "bad code").does(&[
        "rejected blog 3: bad code",
        "stop blog 3 master",
        "begin blog 4 from generation 1",
        "spawn blog 4 master",
        "blog is down for 0 s: bad code",
    ]);
}

#[test]
fn an_app_that_left_the_plan_ends_when_no_web_worker_asks_for_it() {
    let mut story = story(Plan { web: web(1, 1, &["blog"]), apps: vec![app("blog", 1, 1)] });
    story.ready("web 1 w0").ready("blog 1 master").ready("blog 1 w1");
    story.plan(Plan { web: web(1, 2, &[]), apps: vec![] }, Cause::FileChanged);
    story.does(&["begin web 2 from reading 2", "spawn web 2 w0"]);
    story.ready("web 2 w0").does(&["accepted web 2", "stop web 1 w0"]);
    story.exited("web 1 w0").does(&["gone web 1", "retire blog 1 master", "stop blog 1 w1"]);
    story.exited("blog 1 w1").exited("blog 1 master").does(&["gone blog 1"]);
    assert_eq!(story.supervisor.status().apps, []);
}

#[test]
fn an_app_that_comes_back_counts_its_generations_on() {
    let mut story = running(1);
    story.plan(plan(&[]), Cause::FileChanged);
    story.exited("blog 1 w1").exited("blog 1 master").does(&["gone blog 1"]);
    story.plan(plan(&[app("blog", 1, 1)]), Cause::FileChanged);
    story.does(&["begin blog 2 from reading 3", "spawn blog 2 master", "blog starts"]);
}
