//! The list of an engine's pipelines that have something to do: who is on it, in which order, when
//! again. Threads and descriptors are in `capi/tests/ready.c`.

use remotemedia_binding::{Engine, Options, Pipeline, Pulled, Timeout};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const PASS: &str = r#"{"version": "v1", "nodes": [{"id": "n", "node_type": "PassThrough"}]}"#;
/// Nobody.
const NONE: [u64; 0] = [];
const ON_A_THREAD: &str = r#"{"version": "v1", "placement": "thread",
    "nodes": [{"id": "n", "node_type": "PassThrough"}]}"#;

fn engine() -> Engine {
    Engine::new(0).expect("an engine")
}

fn pipeline(engine: &Engine, manifest: &str) -> Pipeline {
    let options = Options { engine: Some(engine), ..Options::default() };
    Pipeline::from_text_with(manifest, &options).expect("a pipeline")
}

fn push(pipeline: &Pipeline) {
    assert!(pipeline.push_f32(None, &[0.5; 480], 48_000, 1).expect("it runs"), "there is room");
}

/// Pulls until there is nothing, and takes all events. Gives the number of packets.
fn take(pipeline: &Pipeline) -> usize {
    let pull = || pipeline.pull(None, Timeout::TRY).expect("it runs");
    let packets = std::iter::from_fn(|| matches!(pull(), Pulled::Packet { .. }).then_some(()));
    let count = packets.count();
    while pipeline.next_event().expect("it runs").is_some() {}
    count
}

fn ready(engine: &Engine) -> Vec<u64> {
    std::iter::from_fn(|| engine.next_ready().expect("the engine is there")).collect()
}

#[test]
fn pipelines_are_listed_once_in_the_order_in_which_they_got_something_to_do() {
    let engine = engine();
    let pipelines: Vec<_> = (0..5).map(|_| pipeline(&engine, PASS)).collect();
    for (tag, pipeline) in pipelines.iter().enumerate() {
        pipeline.watch(tag as u64).expect("it is there");
    }
    assert_eq!(ready(&engine), NONE);
    for n in [3, 1, 4, 1, 3, 0, 3] {
        push(&pipelines[n]);
    }
    assert_eq!(engine.next_ready(), Ok(Some(3)));
    assert_eq!(ready(&engine), [1, 4, 0]);
    assert_eq!(pipelines.iter().map(take).collect::<Vec<_>>(), [1, 2, 0, 3, 1]);
    assert_eq!(ready(&engine), NONE);
}

#[test]
fn one_that_was_taken_is_listed_again_when_there_is_more_after_nothing_was_found() {
    let engine = engine();
    let pipeline = pipeline(&engine, PASS);
    pipeline.watch(7).expect("it is there");
    for _ in 0..3 {
        push(&pipeline);
        assert_eq!(ready(&engine), [7]);
        // It has been told, and nobody has found nothing since.
        push(&pipeline);
        assert_eq!(ready(&engine), NONE);
        assert_eq!(take(&pipeline), 2);
        assert_eq!(ready(&engine), NONE);
    }
    // Who takes events leaves the packets that wait, and they are told of again.
    push(&pipeline);
    assert_eq!(ready(&engine), [7]);
    while pipeline.next_event().expect("it runs").is_some() {}
    assert_eq!(ready(&engine), [7]);
    // Who pulls without being told takes it off the list.
    push(&pipeline);
    assert_eq!(take(&pipeline), 2);
    assert_eq!(ready(&engine), NONE);
    pipeline.end(None).expect("it runs");
    assert_eq!(ready(&engine), [7], "the end is something to be pulled");
}

#[test]
fn one_that_has_something_to_do_when_it_is_watched_is_listed_at_once() {
    let engine = engine();
    let pipeline = pipeline(&engine, PASS);
    push(&pipeline);
    pipeline.watch(1).expect("it is there");
    pipeline.watch(2).expect("it is there");
    assert_eq!(ready(&engine), [2], "it has one place, and the last tag");
    take(&pipeline);
    pipeline.watch(3).expect("it is there");
    assert_eq!(ready(&engine), NONE);
}

#[test]
fn one_that_is_unwatched_or_gone_is_not_listed() {
    let engine = engine();
    let [stays, unwatched, goes] = [0; 3].map(|_| pipeline(&engine, PASS));
    for (pipeline, tag) in [(&unwatched, 1), (&stays, 2), (&goes, 3)] {
        pipeline.watch(tag).expect("it is there");
        push(pipeline);
    }
    unwatched.unwatch().expect("it is there");
    unwatched.unwatch().expect("again does nothing");
    drop(goes);
    assert_eq!(ready(&engine), [2]);
    push(&unwatched);
    assert_eq!(ready(&engine), NONE);
    assert_eq!(take(&unwatched), 2);
    // The place of one that is gone is another's.
    let fresh = pipeline(&engine, PASS);
    fresh.watch(4).expect("it is there");
    push(&fresh);
    assert_eq!(ready(&engine), [4]);
}

#[test]
fn one_that_is_over_is_listed_until_it_has_said_why() {
    let engine = engine();
    let host = r#"{"name": "test/Node", "inputs": [{"name": "in"}]}"#;
    engine.add_host_node(host).expect("a declaration");
    let [cancelled, closed, served] = [0; 3].map(|_| pipeline(&engine, PASS));
    let failed = pipeline(&engine, &PASS.replace("PassThrough", "test/Node"));
    let all = [&cancelled, &closed, &served, &failed];
    for (pipeline, tag) in all.iter().zip(1..) {
        pipeline.watch(tag).expect("it is there");
        push(pipeline);
    }
    assert_eq!(take(&served), 1);
    cancelled.cancel();
    closed.close(Timeout::TRY).expect("it runs");
    served.cancel();
    let job = engine.next_job(Timeout::TRY).expect("the engine is there");
    job.expect("a job").fail("for a reason").expect("it is open");
    let mut listed = ready(&engine);
    listed.sort_unstable();
    assert_eq!(listed, [1, 2, 3, 4]);
    for pipeline in all {
        pipeline.pull(None, Timeout::TRY).expect_err("it is over");
        while pipeline.next_event().expect("it is there").is_some() {}
        pipeline.pull(None, Timeout::TRY).expect_err("it is over");
    }
    assert_eq!(ready(&engine), NONE);
}

#[test]
fn engines_list_their_own_pipelines_and_one_that_is_gone_watches_nobody() {
    let (mine, other) = (engine(), engine());
    let pipeline = pipeline(&mine, PASS);
    pipeline.watch(1).expect("it is there");
    push(&pipeline);
    assert_eq!(ready(&other), NONE);
    assert_eq!(ready(&mine), [1]);
    drop(mine);
    let error = pipeline.watch(2).expect_err("nobody could ask");
    assert_eq!(error.status().name(), "BadHandle");
    push(&pipeline);
    assert_eq!(take(&pipeline), 2);
    pipeline.unwatch().expect("it is there");
}

#[test]
fn the_engines_wakeup_is_called_for_the_first_on_the_list() {
    let engine = engine();
    let [a, b] = [0; 2].map(|_| pipeline(&engine, PASS));
    a.watch(1).expect("it is there");
    b.watch(2).expect("it is there");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let wakeup = move || _ = counted.fetch_add(1, Ordering::SeqCst);
    engine.set_wakeup(Some(Box::new(wakeup))).expect("the engine is there");
    push(&a);
    push(&b);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(ready(&engine), [1, 2]);
    assert_eq!((take(&a), take(&b)), (1, 1));
    push(&b);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    engine.set_wakeup(None).expect("the engine is there");
    assert_eq!(Arc::strong_count(&calls), 1, "it was freed");
    let again = calls.clone();
    let wakeup = move || _ = again.fetch_add(1, Ordering::SeqCst);
    engine.set_wakeup(Some(Box::new(wakeup))).expect("the engine is there");
    assert_eq!(calls.load(Ordering::SeqCst), 3, "one is ready already");
    drop(engine);
    assert_eq!(Arc::strong_count(&calls), 1, "it went with the engine");
    push(&a);
}

#[test]
fn what_the_engines_threads_bring_is_listed() {
    let engine = engine();
    let (told, wakes) = std::sync::mpsc::channel();
    engine.set_wakeup(Some(Box::new(move || _ = told.send(())))).expect("the engine is there");
    let pipelines: Vec<_> = (0..20).map(|_| pipeline(&engine, ON_A_THREAD)).collect();
    for (tag, pipeline) in pipelines.iter().enumerate() {
        pipeline.watch(tag as u64).expect("it is there");
        push(pipeline);
    }
    let mut left = pipelines.len();
    while left > 0 {
        match engine.next_ready().expect("the engine is there") {
            Some(tag) => left -= take(&pipelines[tag as usize]),
            None => wakes.recv().expect("the engine has the sender"),
        }
    }
}
