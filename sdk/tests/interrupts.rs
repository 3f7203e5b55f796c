//! Interrupts (rule S9): at once, by epoch, behind where the manifest says, and nothing is lost
//! uncounted.
//!
//! `INTERRUPTS=100000 cargo test --release -p remotemedia --test interrupts` tries so many.
#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

mod common;

use common::{Elf, assert_conserved, on};
use remotemedia::engine::Event;
use remotemedia::node::testing::Random;
use remotemedia::node::{Caps, Context, Descriptor, Flow, Node, Params, Port, Registry, Ticket};
use remotemedia::nodes::builtin;
use remotemedia::{Engine, MediaTime, Packet, Pipeline, Pull, PushError, Reason, Result};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// Hands its packets to whoever completes tickets here.
struct Elsewhere(usize);

/// Each test has its own.
static TICKETS: [Mutex<Vec<(Ticket, Packet)>>; 5] = [const { Mutex::new(Vec::new()) }; 5];

#[derive(Clone, Params)]
struct ElsewhereParams {
    /// Which test's.
    #[param(default = 0)]
    test: i64,
}

impl Node for Elsewhere {
    type Params = ElsewhereParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same, later.")],
        max_in_flight: 3,
        ..Descriptor::new("Elsewhere", "Gives its packets back by ticket.")
    };
    fn new(params: ElsewhereParams) -> Result<Self> {
        Ok(Self(params.test as usize))
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        TICKETS[self.0].lock().unwrap().push((cx.ticket(), packet));
        Ok(Flow::Pending)
    }
}

fn registry() -> Registry {
    let mut registry = builtin();
    registry.add::<Elsewhere>("test").unwrap();
    registry
}

/// in → ear → elsewhere → mouth → out
fn talk(test: usize, placements: [&str; 3], from: Option<&str>) -> Value {
    let [ear, elsewhere, mouth] = placements;
    let mut manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "ear", "node_type": "PassThrough", "placement": ear},
            {"id": "elsewhere", "node_type": "Elsewhere", "params": {"test": test},
             "placement": elsewhere},
            {"id": "mouth", "node_type": "PassThrough", "placement": mouth},
        ],
        "connections": [{"from": "ear", "to": "elsewhere"}, {"from": "elsewhere", "to": "mouth"}],
        "queue": {"items": 4},
    });
    if let Some(from) = from {
        manifest["interrupt"] = json!({"from": [from]});
    }
    manifest
}

fn number(packet: &Packet) -> i64 {
    packet.as_json().and_then(Value::as_i64).expect("a number")
}

/// Pushes until it is full; says how many went in.
fn fill(run: &Pipeline, value: i64) -> u64 {
    (0..).take_while(|_| run.push(json!(value)).is_ok()).count() as u64
}

fn rests(run: &Pipeline) -> bool {
    matches!(run.advance(), Ok(Reason::Need(_)))
}

#[test]
fn once_an_interrupt_has_returned_nothing_older_is_pulled() {
    let tries: i64 = std::env::var("INTERRUPTS").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let _elf = Elf::new(5, &TICKETS[0]);
    let engine = Engine::new(registry());
    for placements in [["inline"; 3], ["thread"; 3], ["inline", "thread", "inline"]] {
        let run = on(&engine, talk(0, placements, None));
        let (mut pushed, mut pulled, mut discarded) = (0, 0, 0);
        for generation in 0..tries {
            pushed += fill(&run, generation);
            if generation % 3 == 0
                && let Pull::Packet(_, packet) = run.try_pull().unwrap()
            {
                assert_eq!(number(&packet), generation);
                pulled += 1;
            }
            let epoch = run.interrupt().unwrap();
            assert_eq!(i64::from(epoch), generation + 1);
            // Whatever comes now, at once or after the workers have had time, is not that.
            if let Pull::Packet(_, packet) = run.try_pull().unwrap() {
                panic!("{placements:?}: {} after {epoch}", number(&packet));
            }
            while let Some(event) = run.event() {
                if let Event::Interrupted { discarded: count, .. } = event {
                    discarded += count;
                }
            }
        }
        while !rests(&run) {
            std::thread::yield_now();
        }
        while let Some(event) = run.event() {
            if let Event::Interrupted { discarded: count, .. } = event {
                discarded += count;
            }
        }
        assert_eq!(pushed, pulled + discarded, "{placements:?}");
        assert_conserved(&run);
    }
}

#[test]
fn what_lies_before_the_node_named_is_kept_and_each_interrupt_is_one_event() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let engine = Engine::simulated(registry(), seed);
        let run = on(&engine, talk(1, ["thread"; 3], Some("ear")));
        let (mut pushed, mut out, mut interrupts) = (0i64, Vec::new(), 0);
        let mut discarded = 0;
        for _ in 0..60 {
            match random.below(6) {
                0..3 => pushed += i64::from(run.push(json!(pushed)).is_ok()),
                3 => {
                    let next = TICKETS[1].lock().unwrap().pop();
                    next.into_iter().for_each(|(ticket, p)| ticket.complete([(0, p)]));
                }
                4 => drop(run.advance()),
                _ => {
                    interrupts += u64::from(run.interrupt().is_ok());
                    // Nothing that was pulled before comes again, and nothing older.
                    if let Pull::Packet(_, packet) = run.try_pull().unwrap() {
                        panic!("{} after an interrupt", number(&packet));
                    }
                }
            }
            while let Pull::Packet(_, packet) = run.try_pull().unwrap() {
                out.push(number(&packet));
            }
        }
        loop {
            drop(run.advance());
            while let Pull::Packet(_, packet) = run.try_pull().unwrap() {
                out.push(number(&packet));
            }
            let open = std::mem::take(&mut *TICKETS[1].lock().unwrap());
            let done = open.is_empty() && rests(&run);
            open.into_iter().for_each(|(ticket, packet)| ticket.complete([(0, packet)]));
            if done {
                break;
            }
        }
        let mut events = 0;
        while let Some(event) = run.event() {
            if let Event::Interrupted { discarded: count, pulled, .. } = event {
                assert_eq!(pulled.len(), 1);
                (events, discarded) = (events + 1, discarded + count);
            }
        }
        assert_eq!(events, interrupts, "seed {seed}");
        assert!(out.is_sorted(), "seed {seed}: {out:?}");
        assert_eq!(out.len() as u64 + discarded, pushed as u64, "seed {seed}");
        assert_conserved(&run);
    }
}

#[test]
fn a_push_that_waits_for_room_learns_of_an_interrupt_and_keeps_its_packet() {
    let engine = Engine::new(registry());
    let run = on(&engine, talk(2, ["thread"; 3], None));
    // Now and then the push is first after an interrupt; not always.
    assert!((0..1000).any(|_| learns(&run)), "no push has learned of an interrupt");
    TICKETS[2].lock().unwrap().clear();
}

#[test]
fn an_interrupt_says_how_far_each_output_had_been_pulled() {
    let run = on(&Engine::new(registry()), common::chain(&[("PassThrough", json!({}))]));
    let told = || {
        run.interrupt().unwrap();
        std::iter::from_fn(|| run.event()).find_map(|event| match event {
            Event::Interrupted { pulled, .. } => Some(pulled),
            _ => None,
        })
    };
    assert_eq!(told(), Some(vec![("n0".into(), None)]));
    for ms in [0, 10, 20] {
        run.push(Packet::from(json!(ms)).at(MediaTime::from_millis(ms))).unwrap();
    }
    (0..2).for_each(|_| assert!(matches!(run.try_pull(), Ok(Pull::Packet(..)))));
    for _ in 0..2 {
        assert_eq!(told(), Some(vec![("n0".into(), Some(MediaTime::from_millis(10)))]));
    }
}

/// Has a push wait for room, and interrupts; says whether the push was told.
fn learns(run: &Pipeline) -> bool {
    // Nobody completes tickets, so that it is full for good.
    while run.push_within(0, json!(1).into(), Duration::from_millis(1)).is_ok() {}
    let begun = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            begun.store(true, Ordering::SeqCst);
            run.push_within(0, json!(7).into(), LONG)
        });
        while !begun.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        // Time to begin to wait, more or less.
        (0..100).for_each(|_| std::thread::yield_now());
        while !waiting.is_finished() {
            run.interrupt().unwrap();
            std::thread::yield_now();
            // Full again, in case the push had not begun to wait.
            if !waiting.is_finished() {
                while run.push(json!(1)).is_ok() {}
            }
        }
        match waiting.join().unwrap() {
            Err(PushError::Interrupted(packet)) => {
                assert_eq!(number(&packet), 7);
                true
            }
            // It was first after an interrupt.
            Ok(()) => false,
            Err(error) => panic!("{error}"),
        }
    })
}

#[test]
fn an_async_push_that_waits_for_room_learns_of_an_interrupt_and_keeps_its_packet() {
    let engine = Engine::new(registry());
    let run = on(&engine, talk(3, ["inline"; 3], None));
    fill(&run, 1);
    let mut cx = TaskContext::from_waker(Waker::noop());
    let mut push = pin!(run.push_async(json!(7)));
    assert!(push.as_mut().poll(&mut cx).is_pending(), "tickets are open");
    run.interrupt().unwrap();
    match push.as_mut().poll(&mut cx) {
        Poll::Ready(Err(PushError::Interrupted(packet))) => assert_eq!(number(&packet), 7),
        other => panic!("{other:?}"),
    }
    TICKETS[3].lock().unwrap().clear();
}

#[test]
fn what_waits_before_the_node_named_outlives_an_interrupt() {
    for seed in 0..20 {
        for (from, want) in [(Some("ear"), vec![0, 1]), (None, vec![])] {
            let engine = Engine::simulated(registry(), seed);
            let run = on(&engine, talk(4, ["thread"; 3], from));
            // Nothing runs before somebody waits.
            (0..2).for_each(|n| run.push(json!(n)).unwrap());
            run.interrupt().unwrap();
            drop(run.advance());
            let open = std::mem::take(&mut *TICKETS[4].lock().unwrap());
            open.into_iter().for_each(|(ticket, packet)| ticket.complete([(0, packet)]));
            drop(run.advance());
            let out: Vec<_> = std::iter::from_fn(|| run.try_pull().unwrap().packet())
                .map(|p| number(&p))
                .collect();
            assert_eq!(out, want, "seed {seed}, from {from:?}");
            assert_conserved(&run);
        }
    }
}
