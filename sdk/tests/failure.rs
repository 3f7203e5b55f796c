//! What a node's error does: policies against a naive oracle, back-off, breaker (rule S13).

mod common;
#[path = "common/faults.rs"]
mod faults;

use common::{events, on, pull_all, values};
use faults::Fault::{self, Error as Fails, Panic};
use faults::{LONG, Run, calls, engine, node, packet, play, script, simulated, sleep};
use remotemedia::engine::{BreakerState, Event, Recovery, State};
use remotemedia::error::detail;
use remotemedia::node::testing::Random;
use remotemedia::{Engine, Manifest, Pipeline, Pull, Reason};
use serde_json::{Value, json};
use std::time::Duration;

/// Packets of a run.
const COUNT: i64 = 6;

/// The node `Late` under a policy, call by call.
struct Oracle<'a> {
    faults: &'a [(usize, Fault)],
    calls: usize,
    held: Option<i64>,
    /// Whether there is a node.
    there: bool,
    out: Vec<i64>,
    failed: u64,
    restarts: usize,
    /// The other node has the stream.
    second: bool,
}

impl Oracle<'_> {
    fn call(&mut self) -> Result<(), Fault> {
        self.there = true;
        self.calls += 1;
        match self.faults.iter().find(|(at, _)| *at == self.calls - 1) {
            None => Ok(()),
            Some((_, fault)) => {
                if *fault == Panic {
                    (self.there, self.held) = (false, None);
                }
                Err(*fault)
            }
        }
    }

    /// A call, or with `n: None` that of the tail. False: the pipeline is over.
    fn step(&mut self, policy: &str, n: Option<i64>) -> bool {
        for attempt in 0.. {
            if self.call().is_ok() {
                self.out.extend(self.held.take());
                self.held = n;
                self.second = false;
                return true;
            }
            match policy {
                "retry" if attempt < 2 => continue,
                "skip" => {
                    self.failed += u64::from(n.is_some());
                    if n.is_none() {
                        self.held = None;
                    } else if self.there {
                        self.tail_of_skip();
                    }
                    return true;
                }
                "restart" if self.restarts < 3 => {
                    self.restarts += 1;
                    self.failed += u64::from(n.is_some());
                    (self.held, self.there) = (None, false);
                    return true;
                }
                "fallback" => {
                    self.held = None;
                    self.second |= n.is_some();
                    self.out.extend(n);
                    return true;
                }
                _ => break,
            }
        }
        self.failed += u64::from(n.is_some());
        false
    }

    /// What came before a lost packet goes out.
    fn tail_of_skip(&mut self) {
        match self.call() {
            Ok(()) => self.out.extend(self.held.take()),
            Err(_) => self.held = None,
        }
    }
}

/// What a run must come to.
fn oracle(policy: &str, faults: &[(usize, Fault)]) -> Run {
    let mut node = Oracle {
        faults,
        calls: 0,
        held: None,
        there: true,
        out: Vec::new(),
        failed: 0,
        restarts: 0,
        second: false,
    };
    let mut over = (0..COUNT).any(|n| !node.step(policy, Some(n)));
    if !over && node.second {
        // The end finds the other node in charge, which has no tail.
    } else if !over && node.there {
        over = !node.step(policy, None);
    }
    Run { out: node.out, failed: node.failed, over }
}

fn fields(policy: &str, placement: &str) -> Value {
    let mut fields = json!({"on_error": policy, "placement": placement});
    match policy {
        "retry" => fields["retry"] = json!({"attempts": 2, "base_ms": 0}),
        "fallback" => fields["fallback"] = json!("PassThrough"),
        _ => {}
    }
    fields
}

fn check(engine: &Engine, placement: &str, policy: &str, faults: &[(usize, Fault)]) {
    let script = script(faults);
    let run = on(engine, node("Late", json!({"script": script}), fields(policy, placement)));
    let got = play(&run, COUNT);
    let mut want = oracle(policy, faults);
    if want.over {
        // What else was taken when it failed depends on who was faster.
        want.failed = got.failed;
    }
    assert_eq!(got, want, "{policy}, {placement}, faults {faults:?}");
}

fn all_faults() -> Vec<Vec<(usize, Fault)>> {
    let mut all = vec![Vec::new()];
    for first in 0..9 {
        for fault in [Fails, Panic] {
            all.push(vec![(first, fault)]);
            all.push(vec![(first, Fails), (first + 1, fault)]);
            all.push((first..first + 3).map(|at| (at, fault)).collect());
        }
    }
    let mut random = Random::new(7);
    for _ in 0..40 {
        let mut some = Vec::new();
        for at in 0..12 {
            match random.below(5) {
                0 => some.push((at, Fails)),
                1 => some.push((at, Panic)),
                _ => {}
            }
        }
        all.push(some);
    }
    all
}

const POLICIES: [&str; 5] = ["fail", "skip", "retry", "restart", "fallback"];

#[test]
fn a_fault_at_every_call_does_what_the_policy_says_inline_and_on_threads() {
    let engine = engine();
    for faults in all_faults() {
        for policy in POLICIES {
            check(&engine, "inline", policy, &faults);
            check(&engine, "thread", policy, &faults);
        }
    }
}

#[test]
fn and_in_whatever_order_segments_run() {
    for seed in 0..4 {
        let engine = simulated(seed);
        for faults in all_faults() {
            for policy in POLICIES {
                check(&engine, "thread", policy, &faults);
            }
        }
    }
}

fn breaker_states(events: &[Event]) -> Vec<BreakerState> {
    let state = |e: &Event| match e {
        Event::Breaker { state, .. } => Some(*state),
        _ => None,
    };
    events.iter().filter_map(state).collect()
}

/// Pulls one number.
fn pull(pipeline: &Pipeline) -> i64 {
    let packet = pipeline.pull(LONG).expect("it runs").packet().expect("a packet");
    packet.as_json().and_then(Value::as_i64).expect("a number")
}

#[test]
fn waits_between_tries_grow_and_are_random_but_nothing_passes_the_packet() {
    for seed in 0..8 {
        let engine = simulated(seed);
        let retry = json!({"attempts": 4, "base_ms": 100, "max_ms": 300, "multiplier": 2});
        let mut times = Vec::new();
        let id = script(&(0..4).map(|at| (at, Fails)).collect::<Vec<_>>());
        let fields = json!({"on_error": "retry", "retry": retry});
        let run = on(&engine, node("Late", json!({"script": id}), fields));
        (0..3).for_each(|n| run.push(packet(n)).expect("room"));
        while calls(id) < 5 {
            let (before, calls_before) = (engine.now(), calls(id));
            let Ok(Pull::Idle(Reason::Due(wait))) = run.try_pull() else { panic!("it must wait") };
            sleep(&engine, wait.as_millis() as i64 + 1);
            run.advance().expect("runs");
            assert_eq!(calls(id) - calls_before, if calls_before < 4 { 1 } else { 3 });
            times.push((engine.now() - before).as_millis());
        }
        let caps = [100, 200, 300, 300];
        assert!(times.iter().zip(caps).all(|(t, cap)| *t <= cap + 2), "{times:?}");
        assert!(times.windows(2).any(|w| w[0] != w[1]), "{times:?}");
        assert_eq!(values(&pull_all(&run)), [json!(0), json!(1)]);
    }
}

#[test]
fn after_the_last_try_the_pipeline_fails_with_what_the_node_said() {
    let engine = simulated(1);
    let id = script(&(0..9).map(|at| (at, Fails)).collect::<Vec<_>>());
    let run = on(&engine, node("Late", json!({"script": id}), json!({"on_error": "retry"})));
    run.push(packet(0)).expect("room");
    let error = run.pull(LONG).expect_err("it fails");
    assert_eq!((error.detail(), error.node()), (detail::NODE_FAILED, Some("n")));
    assert_eq!(calls(id), 4, "three tries after the first");
    assert_eq!(run.metrics()["node_metrics"][0]["recovered"]["retried"], 3);
    assert_eq!(run.metrics()["node_metrics"][0]["error_count"], 1);
}

#[test]
fn a_packet_that_waits_to_be_tried_again_holds_back_who_pushes() {
    let engine = simulated(1);
    let id = script(&[(0, Fails)]);
    let retry = json!({"base_ms": 1000});
    let mut manifest =
        node("Late", json!({"script": id}), json!({"on_error": "retry", "retry": retry}));
    manifest["nodes"][0]["id"] = json!("b");
    let first = json!({"id": "a", "node_type": "PassThrough"});
    manifest["nodes"].as_array_mut().expect("nodes").insert(0, first);
    manifest["connections"] = json!([{"from": "a", "to": "b"}]);
    manifest["queue"] = json!({"items": 2});
    let run = on(&engine, manifest);
    let taken = (0..50).take_while(|n| run.push(packet(*n)).is_ok()).count();
    assert!(taken < 8, "{taken} packets were taken while nothing goes on");
    let mut out = vec![pull(&run)];
    out.extend(values(&pull_all(&run)).iter().filter_map(Value::as_i64));
    assert_eq!(out, (0..taken as i64 - 1).collect::<Vec<_>>());
}

#[test]
fn an_interrupt_forgets_what_waits_to_be_tried_again() {
    let engine = simulated(3);
    let id = script(&[(0, Fails)]);
    let fields = json!({"on_error": "retry", "retry": {"base_ms": 50_000, "max_ms": 50_000}});
    let run = on(&engine, node("Remote", json!({"script": id}), fields));
    run.push(packet(0)).expect("room");
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::Due(_)))));
    run.interrupt().expect("runs");
    assert!(matches!(run.try_pull(), Ok(Pull::Idle(Reason::Need(_)))), "nothing waits");
    run.push(packet(1)).expect("room");
    assert_eq!((pull(&run), engine.now()), (1, Duration::ZERO));
    assert_eq!(calls(id), 2, "the old packet was not tried again");
    let metrics = run.metrics();
    assert_eq!(metrics["node_metrics"][0]["taken"], 2);
    assert_eq!(metrics["node_metrics"][0]["error_count"], 1);
}

#[test]
fn three_restarts_a_minute_and_the_fourth_is_the_end() {
    let engine = simulated(1);
    let run_with = |pause: i64| {
        let id = script(&(0..20).map(|at| (at, Fails)).collect::<Vec<_>>());
        let run = on(&engine, node("Late", json!({"script": id}), json!({"on_error": "restart"})));
        let mut taken = 0;
        while taken < 10 && run.push(packet(taken)).is_ok() {
            taken += 1;
            sleep(&engine, pause);
        }
        (taken, run)
    };
    let (taken, run) = run_with(1000);
    assert_eq!(taken, 3);
    let error = run.try_pull().expect_err("it fails");
    assert!(error.hint().is_some_and(|h| h.contains("3 times within a minute")), "{error}");
    let (taken, run) = run_with(25_000);
    assert_eq!((taken, run.state()), (10, State::Running), "never more than three in a minute");
    assert_eq!(run.metrics()["node_metrics"][0]["recovered"]["restarted"], 10);
}

#[test]
fn live_params_survive_a_restart_and_a_panic() {
    let engine = engine();
    for (policy, fault) in [("restart", Fails), ("restart", Panic), ("skip", Panic)] {
        let id = script(&[(2, fault)]);
        let params = json!({"script": id, "add": 1});
        let run = on(&engine, node("Remote", params, json!({"on_error": policy})));
        run.push(packet(0)).expect("room");
        let Value::Object(new) = json!({"add": 100}) else { unreachable!() };
        run.set_params("n", &new).expect("valid");
        (1..4).for_each(|n| run.push(packet(n)).expect("room"));
        let out = pull_all(&run);
        assert_eq!(values(&out), [json!(1), json!(101), json!(103)], "{policy}, {fault:?}");
        assert!(out[2].is_discont() && !out[1].is_discont());
    }
}

#[test]
fn a_breaker_opens_after_five_failures_lets_one_probe_through_and_closes_again() {
    use BreakerState::{Closed, HalfOpen, Open};
    let engine = simulated(1);
    // Five failures open it, the probe fails, the next one does not.
    let id = script(&(0..6).map(|at| (at, Fails)).collect::<Vec<_>>());
    let fields = json!({"on_error": "fallback", "fallback": "PassThrough"});
    let run = on(&engine, node("Remote", json!({"script": id, "add": 1000}), fields));
    let mut n = 0;
    let mut next = || {
        n += 1;
        run.push(packet(n)).expect("room");
        pull(&run) - n
    };
    for call in 1..=5 {
        assert_eq!((next(), calls(id)), (0, call), "the other node stands in");
    }
    assert_eq!(breaker_states(&events(&run)), [Open]);
    assert_eq!((next(), next(), calls(id)), (0, 0, 5), "it is left alone");
    sleep(&engine, 29_999);
    assert_eq!((next(), calls(id)), (0, 5), "for thirty seconds");
    sleep(&engine, 1);
    assert_eq!((next(), calls(id)), (0, 6), "one may try, and fails");
    assert_eq!((next(), calls(id)), (0, 6), "no other");
    assert_eq!(breaker_states(&events(&run)), [HalfOpen, Open]);
    sleep(&engine, 30_000);
    assert_eq!((next(), calls(id)), (1000, 7), "the next one is good");
    assert_eq!((next(), calls(id)), (1000, 8), "and so are all others");
    assert_eq!(breaker_states(&events(&run)), [HalfOpen, Closed]);
    let node = &run.metrics()["node_metrics"][0];
    assert_eq!((&node["breaker"], &node["recovered"]["fell_back"]), (&json!("closed"), &json!(10)));
    assert!(run.prometheus().contains("rmedia_node_breaker{pipeline=\"\",node=\"n\"} 0"));
}

#[test]
fn with_retry_a_packet_waits_for_the_probe_and_what_is_refused_is_no_try() {
    let engine = simulated(1);
    let id = script(&(0..3).map(|at| (at, Fails)).collect::<Vec<_>>());
    let fields = json!({
        "on_error": "retry", "retry": {"attempts": 5, "base_ms": 10},
        "breaker": {"failures": 2, "reset_ms": 60_000},
    });
    let run = on(&engine, node("Remote", json!({"script": id}), fields));
    (0..2).for_each(|n| run.push(packet(n)).expect("room"));
    assert_eq!((pull(&run), pull(&run)), (0, 1));
    let now = engine.now().as_secs_f64();
    assert!((120.0..120.2).contains(&now), "two rests of a minute: {now}");
    assert_eq!(calls(id), 5);
    let skip = json!({"on_error": "skip", "breaker": {"failures": 1}});
    let id = script(&[(0, Fails)]);
    let run = on(&engine, node("Remote", json!({"script": id}), skip));
    (0..3).for_each(|n| run.push(packet(n)).expect("room"));
    assert_eq!((pull_all(&run).len(), calls(id)), (0, 1), "while it is open calls fail at once");
    let refused = |e: &Event| {
        matches!(e, Event::Recovered { action: Recovery::Skipped, error, .. }
            if error.detail() == detail::NODE_BREAKER_OPEN)
    };
    assert_eq!(events(&run).iter().filter(|e| refused(e)).count(), 2);
}

#[test]
fn a_fallback_that_fails_too_is_the_end_and_says_both() {
    let id = script(&[(0, Fails), (1, Panic)]);
    let other = json!({"node_type": "Remote", "params": {"script": id}});
    let fields = json!({"on_error": "fallback", "fallback": other});
    let run = on(&engine(), node("Remote", json!({"script": id}), fields));
    // The push may say so already.
    let _ = run.push(packet(0));
    let error = run.pull(LONG).expect_err("it fails");
    assert_eq!(error.detail(), detail::NODE_PANICKED);
    assert_eq!(error.cause().map(remotemedia::Error::detail), Some(detail::NODE_FAILED));
}

#[test]
fn what_can_not_work_is_said_at_load() {
    let registry = engine().registry();
    let cases = [
        (node("AudioChunker", json!({}), json!({"on_error": "retry"})), "can't be called again"),
        (node("Late", json!({}), json!({"retry": {}})), "without \"on_error\": \"retry\""),
        (node("Late", json!({}), json!({"fallback": "PassThrough"})), "says nothing without"),
        (node("Late", json!({}), json!({"on_error": "fallback"})), "names no node"),
        (
            node("Late", json!({}), json!({"on_error": "fallback", "fallback": "Lat"})),
            "Unknown node type 'Lat'",
        ),
        (
            node("Late", json!({}), json!({"on_error": "fallback", "fallback": "Gain"})),
            "'Gain' can't stand in for 'Late': its input takes audio (f32, interleaved), and any",
        ),
        (
            node(
                "AddNode",
                json!({}),
                json!({"on_error": "fallback", "fallback": "TextProcessor"}),
            ),
            "",
        ),
        (
            node(
                "Gain",
                json!({}),
                json!({"on_error": "fallback", "fallback": {"node_type": "FormatConverter",
                    "params": {"format": "i16"}}}),
            ),
            "it gives audio (i16",
        ),
        (node("Late", json!({}), json!({"on_error": "skip", "breaker": {}})), "nothing outside"),
        (node("Remote", json!({}), json!({"breaker": {}})), "the first error ends the pipeline"),
        (node("Sleep", json!({}), json!({"on_error": "skip"})), "is a source"),
        (node("Sleep", json!({}), json!({"on_error": "retry"})), "can't be called again"),
    ];
    for (manifest, says) in cases {
        let report = Manifest::from_value(manifest.clone()).expect("it parses").validate(&registry);
        let errors: Vec<_> = report.errors().map(|p| p.message.clone()).collect();
        match says {
            "" => assert!(errors.is_empty(), "{manifest}: {errors:?}"),
            says => assert!(errors.iter().any(|e| e.contains(says)), "{manifest}: {errors:?}"),
        }
    }
}

#[test]
fn a_source_is_asked_again_and_no_packet_comes_twice() {
    for (seed, placement) in [(1, "inline"), (2, "thread"), (3, "thread")] {
        let engine = simulated(seed);
        let id = script(&[(0, Fails), (1, Fails), (4, Fails), (7, Fails)]);
        let fields = json!({
            "on_error": "retry", "placement": placement, "breaker": {"failures": 2, "reset_ms": 5000},
        });
        let run = on(&engine, node("Numbers", json!({"script": id}), fields));
        let out: Vec<_> = (0..5).map(|_| pull(&run)).collect();
        assert_eq!(out, [0, 1, 2, 3, 4], "{placement}");
        assert!(matches!(run.pull(LONG), Ok(Pull::End)));
        let now = engine.now().as_secs_f64();
        assert!((5.0..6.0).contains(&now), "the breaker opened once: {now}");
        assert_eq!(calls(id), 9);
    }
}

#[test]
fn what_was_given_out_before_a_failure_stays_and_comes_once() {
    let engine = engine();
    let play = |policy: &str, fault: Fault| {
        let id = script(&[(1, fault)]);
        let run = on(&engine, node("Thrice", json!({"script": id}), fields(policy, "inline")));
        (0..2).for_each(|n| run.push(packet(n)).expect("room"));
        let out = pull_all(&run);
        let metrics = run.metrics();
        let node = &metrics["node_metrics"][0];
        assert_eq!((&node["success_count"], &node["error_count"]), (&json!(2), &json!(0)));
        let breaks = out.iter().map(|p| i64::from(p.is_discont())).collect::<Vec<_>>();
        let out: Vec<_> = values(&out).iter().filter_map(Value::as_i64).collect();
        (out, breaks)
    };
    assert_eq!(play("retry", Fails), (vec![0, 0, 0, 1, 1, 1], vec![0; 6]));
    for policy in ["skip", "restart", "fallback"] {
        for fault in [Fails, Panic] {
            assert_eq!(play(policy, fault), (vec![0, 1, 1, 1], vec![0, 1, 0, 0]), "{policy}");
        }
    }
}
