//! What errors of tickets do: the head of the line decides, and order holds (rule S13).

mod common;
#[path = "common/faults.rs"]
mod faults;

use common::{events, on, pull_all, values};
use faults::{LONG, node, packet};
use remotemedia::engine::Event;
use remotemedia::error::{Detail, detail};
use remotemedia::node::testing::Random;
use remotemedia::node::{Caps, Context, Descriptor, Flow, Node, Params, Port, Ticket};
use remotemedia::{Engine, Error, Packet, Pipeline, Pull, Reason, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// What its nodes have been asked for, by test.
static JOBS: Mutex<BTreeMap<i64, Vec<(Ticket, Packet)>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicI64 = AtomicI64::new(1);

/// Params of the test node.
#[derive(Clone, Params)]
struct LaterParams {
    /// The test.
    #[param(default = 0)]
    test: i64,
    /// Calls with this number fail before they open a ticket.
    #[param(default = -1)]
    refuse: i64,
}

/// Hands its tickets to the test.
struct Later(LaterParams);

impl Node for Later {
    type Params = LaterParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same, later.")],
        max_in_flight: 3,
        external: true,
        ..Descriptor::new("Later", "Gives its packets back by ticket.")
    };
    fn new(params: LaterParams) -> Result<Self> {
        Ok(Self(params))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        if packet.as_json() == Some(&json!(self.0.refuse)) {
            return Err(failure());
        }
        let mut jobs = JOBS.lock().expect("nothing panics under it");
        jobs.entry(self.0.test).or_default().push((cx.ticket(), packet));
        Ok(Flow::Pending)
    }
}

fn failure() -> Error {
    Error::new(detail::NODE_FAILED, "told to fail")
}

fn registry() -> remotemedia::node::Registry {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Later>("test").expect("free");
    registry
}

/// A pipeline of one such node, and its number.
fn start(engine: &Engine, refuse: i64, fields: Value) -> (Pipeline, i64) {
    let test = NEXT.fetch_add(1, Ordering::Relaxed);
    let params = json!({"test": test, "refuse": refuse});
    (on(engine, node("Later", params, fields)), test)
}

/// Takes the job with that number.
fn job(test: i64, n: i64) -> (Ticket, Packet) {
    let mut jobs = JOBS.lock().expect("nothing panics under it");
    let jobs = jobs.get_mut(&test).expect("there are jobs");
    let place = jobs.iter().position(|(_, p)| p.as_json() == Some(&json!(n)));
    jobs.remove(place.unwrap_or_else(|| panic!("no job {n}")))
}

fn good(test: i64, n: i64) {
    let (ticket, packet) = job(test, n);
    ticket.complete([(0, packet)]);
}

fn bad(test: i64, n: i64) {
    job(test, n).0.fail(failure());
}

fn count(pipeline: &Pipeline, key: &str) -> u64 {
    let node = &pipeline.metrics()["node_metrics"][0];
    let value = if node[key].is_null() { &node["recovered"][key] } else { &node[key] };
    value.as_u64().expect("a count")
}

#[test]
fn a_ticket_that_fails_is_opened_again_and_nothing_passes_it() {
    let fields = json!({"on_error": "retry", "retry": {"base_ms": 0}});
    let (run, test) = start(&Engine::new(registry()), -1, fields);
    (0..3).for_each(|n| run.push(packet(n)).expect("room"));
    good(test, 2);
    bad(test, 0);
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    good(test, 1);
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))), "0 is asked for again");
    bad(test, 0);
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    good(test, 0);
    let out = pull_all(&run);
    assert_eq!(values(&out), [json!(0), json!(1), json!(2)]);
    assert!(!out.iter().any(Packet::is_discont), "nothing is lost");
    assert_eq!((count(&run, "taken"), count(&run, "success_count")), (3, 3));
    assert_eq!((count(&run, "retried"), count(&run, "error_count")), (2, 0));
}

#[test]
fn a_call_that_opens_no_ticket_fails_in_its_turn() {
    for (policy, expected) in [("skip", vec![0, 2]), ("restart", vec![0, 2])] {
        let (run, test) = start(&Engine::new(registry()), 1, json!({"on_error": policy}));
        (0..3).for_each(|n| run.push(packet(n)).expect("room"));
        assert_eq!(count(&run, "error_count"), 0, "{policy}: it waits for what was before it");
        good(test, 2);
        good(test, 0);
        let out = pull_all(&run);
        let want: Vec<_> = expected.into_iter().map(|n: i64| json!(n)).collect();
        assert_eq!(values(&out), want, "{policy}");
        assert!(out[1].is_discont() && !out[0].is_discont());
        assert_eq!((count(&run, "success_count"), count(&run, "error_count")), (2, 1));
    }
}

#[test]
fn what_the_old_node_had_begun_counts_if_it_is_good_and_restarts_nothing_if_not() {
    let (run, test) = start(&Engine::new(registry()), -1, json!({"on_error": "restart"}));
    (0..3).for_each(|n| run.push(packet(n)).expect("room"));
    bad(test, 0);
    bad(test, 1);
    good(test, 2);
    let out = pull_all(&run);
    assert_eq!(values(&out), [json!(2)]);
    assert!(out[0].is_discont());
    assert_eq!((count(&run, "restarted"), count(&run, "skipped")), (1, 1));
    assert_eq!((count(&run, "success_count"), count(&run, "error_count")), (1, 2));
}

#[test]
fn the_other_node_takes_what_a_ticket_failed_on_in_its_place() {
    let fields =
        json!({"on_error": "fallback", "fallback": "PassThrough", "breaker": {"failures": 2}});
    let (run, test) = start(&Engine::new(registry()), -1, fields);
    (0..3).for_each(|n| run.push(packet(n)).expect("room"));
    good(test, 2);
    bad(test, 0);
    bad(test, 1);
    // The breaker is open now.
    (3..5).for_each(|n| run.push(packet(n)).expect("room"));
    assert_eq!(values(&pull_all(&run)), (0..5).map(|n| json!(n)).collect::<Vec<_>>());
    assert_eq!((count(&run, "success_count"), count(&run, "fell_back")), (5, 4));
}

#[test]
fn after_the_last_try_the_error_of_the_ticket_is_the_end() {
    let fields = json!({"on_error": "retry", "retry": {"attempts": 1, "base_ms": 0}});
    let (run, test) = start(&Engine::new(registry()), -1, fields);
    (0..2).for_each(|n| run.push(packet(n)).expect("room"));
    for _ in 0..2 {
        bad(test, 0);
        let _ = run.advance();
    }
    let error = run.try_pull().expect_err("it fails");
    assert_eq!((error.detail(), error.node()), (detail::NODE_FAILED, Some("n")));
    assert_eq!(count(&run, "error_count"), 2, "the other one is lost with it");
    drop(job(test, 1));
}

#[test]
fn a_reset_forgets_tickets_and_tries_and_the_next_are_good() {
    let fields = json!({"on_error": "retry", "retry": {"base_ms": 0}, "breaker": {"failures": 1}});
    let (run, test) = start(&Engine::simulated(registry(), 1), -1, fields);
    (0..2).for_each(|n| run.push(packet(n)).expect("room"));
    bad(test, 0);
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))), "1 is on its way");
    run.reset().expect("runs");
    let stale = job(test, 1);
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::Need(_)))));
    stale.0.complete([(0, stale.1)]);
    assert_eq!(count(&run, "error_count"), 2);
    assert!(pull_all(&run).is_empty(), "nothing stale");
}

#[test]
fn a_ticket_that_is_late_fails_at_its_deadline_and_what_comes_after_is_dropped() {
    let engine = Engine::simulated(registry(), 1);
    for placement in ["inline", "thread"] {
        let fields = json!({"on_error": "skip", "deadline_ms": 700, "placement": placement});
        let (run, test) = start(&engine, -1, fields);
        let begin = engine.now();
        (0..3).for_each(|n| run.push(packet(n)).expect("room"));
        run.advance().expect("runs");
        // On a thread it opens its tickets when somebody waits.
        let _ = run.pull(Duration::from_nanos(1)).expect("runs");
        good(test, 1);
        let out = run.pull(LONG).expect("runs").packet().expect("one is in time");
        assert_eq!(out.as_json(), Some(&json!(1)));
        let took = engine.now() - begin;
        assert!((700..701).contains(&took.as_millis()), "{placement}: {took:?}");
        assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::Need(_) | Reason::Busy))));
        assert_eq!((count(&run, "error_count"), count(&run, "zombies")), (2, 2));
        good(test, 0);
        bad(test, 2);
        assert!(pull_all(&run).is_empty(), "too late is too late");
        let late = |e: &Event| matches!(e, Event::Recovered { error, .. } if error.detail() == detail::NODE_DEADLINE);
        assert_eq!(std::iter::from_fn(|| run.event()).filter(late).count(), 2);
    }
}

#[test]
fn without_a_policy_a_late_ticket_is_the_end_and_names_its_node() {
    let engine = Engine::simulated(registry(), 1);
    let (run, _) = start(&engine, -1, json!({"deadline_ms": 5}));
    run.push(packet(0)).expect("room");
    let error = run.pull(LONG).expect_err("it fails");
    assert_eq!((error.detail(), error.node()), (detail::NODE_DEADLINE, Some("n")));
}

/// What the events warn of.
fn warnings(run: &Pipeline) -> Vec<Detail> {
    let warning = |event| match event {
        Event::Warning(error) => Some(error.detail()),
        _ => None,
    };
    events(run).into_iter().filter_map(warning).collect()
}

#[test]
fn a_node_with_too_many_tickets_that_do_not_come_back_gets_nothing() {
    let engine = Engine::simulated(registry(), 1);
    let (run, test) = start(&engine, -1, json!({"on_error": "skip", "deadline_ms": 10}));
    let mut pushed = 0;
    for _ in 0..20 {
        while pushed < 30 && run.push(packet(pushed)).is_ok() {
            pushed += 1;
        }
        // Time passes only as long as it can bring something.
        let _ = run.pull(Duration::from_millis(20)).expect("runs");
        if count(&run, "zombies") == 12 {
            break;
        }
    }
    assert_eq!(JOBS.lock().expect("free")[&test].len(), 12, "four times three");
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    assert_eq!(warnings(&run), [detail::NODE_ZOMBIES]);
    good(test, 5);
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    assert_eq!(warnings(&run), []);
    good(test, 12);
    assert_eq!(values(&pull_all(&run)), [json!(12)]);
}

#[test]
fn a_result_that_comes_too_late_is_dropped_also_while_a_full_output_holds_up_the_error() {
    let engine = Engine::simulated(registry(), 1);
    let test = NEXT.fetch_add(1, Ordering::Relaxed);
    let params = json!({"test": test, "refuse": -1});
    let fields = json!({"on_error": "skip", "deadline_ms": 10});
    let mut manifest = node("Later", params, fields.clone());
    manifest["queue"] = json!({"items": 1});
    let run = on(&engine, manifest);
    // Their number is above what the node may have given up and not got back.
    for round in 0..8 {
        let first = 3 * round;
        for n in first..first + 3 {
            run.push(packet(n)).expect("room");
        }
        good(test, first);
        run.advance().expect("runs");
        // Time passes with another one.
        let (other, others) = start(&engine, -1, fields.clone());
        other.push(packet(0)).expect("room");
        let _ = other.pull(LONG).expect("runs");
        bad(others, 0);
        run.advance().expect("runs");
        (first + 1..first + 3).for_each(|n| good(test, n));
        run.advance().expect("runs");
        assert_eq!(values(&pull_all(&run)), [json!(first)]);
    }
    assert_eq!((count(&run, "error_count"), count(&run, "zombies")), (16, 16));
}

#[test]
fn a_ticket_knows_when_nobody_wants_its_result_any_more() {
    for fate in ["interrupt", "reset", "deadline", "cancel", "drop"] {
        let engine = Engine::simulated(registry(), 1);
        let (run, test) = start(&engine, -1, json!({"on_error": "skip", "deadline_ms": 700}));
        run.push(packet(0)).expect("room");
        let (ticket, packet) = job(test, 0);
        assert!(!ticket.is_cancelled(), "{fate}");
        match fate {
            "interrupt" => _ = run.interrupt().expect("runs"),
            "reset" => _ = run.reset().expect("runs"),
            "deadline" => _ = run.pull(LONG).expect("runs"),
            "cancel" => run.cancel(),
            _ => drop(run),
        }
        assert!(ticket.is_cancelled(), "{fate}");
        ticket.complete([(0, packet)]);
    }
}

#[test]
fn tickets_that_interrupts_forget_are_bounded_too_until_they_come_back() {
    let (run, test) = start(&Engine::new(registry()), -1, json!({}));
    for n in 0..30 {
        // The queue before the node fills when it gets no more.
        let _ = run.push(packet(n));
        run.interrupt().expect("runs");
    }
    assert_eq!(count(&run, "zombies"), 12);
    assert_eq!(JOBS.lock().expect("free")[&test].len(), 12, "four times three");
    // Nothing waits for it, so it is packets that are wanted.
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::Need(_)))));
    assert!(run.push(packet(30)).is_ok());
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))));
    bad(test, 7);
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::InFlight(0)))), "it has the next one");
    good(test, 30);
    assert_eq!(values(&pull_all(&run)), [json!(30)]);
    drop(run);
    JOBS.lock().expect("free").remove(&test);
}

#[test]
fn whatever_fails_in_whatever_order_what_comes_out_is_in_order_and_everything_is_counted() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let policy = ["skip", "retry", "restart", "fallback"][random.below(4)];
        let placement = ["inline", "thread"][random.below(2)];
        let mut fields = json!({"on_error": policy, "placement": placement});
        match policy {
            "retry" => {
                fields["retry"] = json!({"attempts": 1000, "base_ms": 0});
                fields["breaker"] = json!({"failures": 1000});
            }
            "fallback" => fields["fallback"] = json!("PassThrough"),
            _ => {}
        }
        let engine = Engine::simulated(registry(), seed);
        let refuse = if policy == "retry" { -1 } else { random.below(20) as i64 };
        let (run, test) = start(&engine, refuse, fields);
        let (mut out, mut pushed, mut over, mut bads) = (Vec::new(), 0, false, 0);
        while !over && out.len() < 20 {
            match random.below(4) {
                0 if pushed < 20 => {
                    pushed += i64::from(run.push(packet(pushed)).is_ok());
                    if pushed == 20 {
                        // It may have failed.
                        let _ = run.end();
                    }
                }
                1 | 2 => {
                    let mut jobs = JOBS.lock().expect("nothing panics under it");
                    let jobs = jobs.entry(test).or_default();
                    if jobs.is_empty() {
                        continue;
                    }
                    let (ticket, packet) = jobs.remove(random.below(jobs.len()));
                    if random.below(3) == 0 && bads < 5 {
                        bads += 1;
                        ticket.fail(failure());
                    } else {
                        ticket.complete([(0, packet)]);
                    }
                }
                // Runs the segments, but waits for no ticket.
                _ => match run.pull(Duration::from_nanos(1)) {
                    Ok(Pull::Packet(_, packet)) => out.push(packet),
                    Ok(Pull::End) => break,
                    Ok(Pull::Idle(_)) => {}
                    Err(_) => over = true,
                },
            }
        }
        let out: Vec<_> = out.iter().filter_map(|p| p.as_json()?.as_i64()).collect();
        assert!(out.windows(2).all(|w| w[0] < w[1]), "seed {seed}, {policy}: {out:?}");
        if matches!(policy, "retry" | "fallback") {
            assert_eq!(out, (0..20).collect::<Vec<_>>(), "seed {seed}, {policy}, {placement}");
        }
        let ended = count(&run, "success_count") + count(&run, "error_count");
        assert!(over || count(&run, "taken") == ended, "seed {seed}, {policy}");
        assert_eq!(over, std::iter::from_fn(|| run.event()).any(|e| matches!(e, Event::Error(_))));
        let left = JOBS.lock().expect("nothing panics under it").remove(&test);
        drop(left);
    }
}
