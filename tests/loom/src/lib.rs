//! The words and boxes between a pipeline's threads, tried with every interleaving of a few threads:
//! the turn of the calling threads (here), of workers (`worker`), the life word and the mailbox with
//! interrupts and late completions (`interrupt`).
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release --manifest-path tests/loom/Cargo.toml
//! ```
//!
//! The source is the engine's own. loom's cell fails the model as soon as two threads are at the
//! value at once, or one is without having acquired what the other did.
#![cfg(all(loom, test))]

#[path = "../../../core/src/engine/letters.rs"]
mod letters;
#[path = "../../../core/src/engine/life.rs"]
#[allow(dead_code, reason = "the models use a part of it")]
mod life;
#[path = "../../../core/src/engine/turn.rs"]
mod turn;

mod interrupt;
mod worker;

use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::sync::{Arc, Mutex};
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};
use turn::Turn;

/// What a pipeline is in this model: packets that wait, and what has been done with them.
struct Pipeline {
    waiting: Mutex<Vec<u32>>,
    turn: Turn<Vec<u32>>,
}

impl Pipeline {
    fn new() -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new(Vec::new()), turn: Turn::new(Vec::new()) })
    }

    fn leave(&self, packet: u32) {
        self.waiting.lock().unwrap().push(packet);
    }

    /// As the engine's pushes: leave the packet, then work if nobody does.
    fn push(&self, packet: u32) {
        self.leave(packet);
        self.run();
    }

    fn run(&self) {
        let mut guard = self.turn.enter();
        while let Some(mut turn) = guard {
            turn.with(|done| done.append(&mut self.waiting.lock().unwrap()));
            guard = turn.finish();
        }
    }

    /// Fails unless these packets were worked off, each once, and the turn is free.
    fn expect_done(&self, expected: &[u32]) {
        assert!(self.waiting.lock().unwrap().is_empty(), "work was left behind");
        let mut turn = self.turn.enter().expect("nobody has the turn");
        let mut done = turn.with(std::mem::take);
        done.sort_unstable();
        assert_eq!(done, expected);
        assert!(turn.finish().is_none());
    }
}

/// Three threads, or two with more steps, have too many interleavings to try them all: those with at most so many switches
/// away from a thread that could go on.
fn model_of_three(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Runs the model with so many pushers, each with one packet; the last one is this thread.
fn pushers(count: u32) {
    let pipeline = Pipeline::new();
    let others: Vec<_> = (1..count)
        .map(|packet| {
            let pipeline = pipeline.clone();
            thread::spawn(move || pipeline.push(packet))
        })
        .collect();
    pipeline.push(count);
    others.into_iter().for_each(|other| other.join().unwrap());
    pipeline.expect_done(&(1..=count).collect::<Vec<_>>());
}

#[test]
fn two_pushers_leave_nothing_undone() {
    loom::model(|| pushers(2));
}

#[test]
fn three_pushers_leave_nothing_undone() {
    model_of_three(|| pushers(3));
}

#[test]
fn a_pusher_with_two_packets_and_one_with_one_leave_nothing_undone() {
    loom::model(|| {
        let pipeline = Pipeline::new();
        let other = {
            let pipeline = pipeline.clone();
            thread::spawn(move || {
                pipeline.push(1);
                pipeline.push(2);
            })
        };
        pipeline.push(3);
        other.join().unwrap();
        pipeline.expect_done(&[1, 2, 3]);
    });
}

/// Works off the turn as the engine does; the work is to note whether `left` can be seen.
fn look(turn: &Turn<bool>, left: &AtomicBool) {
    let mut guard = turn.enter();
    while let Some(mut turn) = guard {
        turn.with(|seen| *seen |= left.load(Relaxed));
        guard = turn.finish();
    }
}

/// Runs `other` beside a thread that leaves something without any order of its own, and looks:
/// whoever has the turn afterwards must have seen it, so the word itself has to hand it over.
fn handover(other: impl Fn(&Arc<Turn<bool>>, &Arc<AtomicBool>)) {
    let left = Arc::new(AtomicBool::new(false));
    let turn = Arc::new(Turn::new(false));
    let asker = {
        let (left, turn) = (left.clone(), turn.clone());
        thread::spawn(move || {
            left.store(true, Relaxed);
            look(&turn, &left);
        })
    };
    other(&turn, &left);
    asker.join().unwrap();
    assert!(turn.enter().expect("nobody has the turn").with(|seen| *seen));
}

#[test]
fn the_holder_sees_what_was_left_before_the_asking() {
    loom::model(|| handover(|turn, left| look(turn, left)));
}

#[test]
fn the_holder_sees_it_when_it_was_asked_already() {
    model_of_three(|| {
        handover(|turn, left| {
            let other = {
                let (left, turn) = (left.clone(), turn.clone());
                thread::spawn(move || look(&turn, &left))
            };
            look(turn, left);
            other.join().unwrap();
        });
    });
}

/// As a push does that finds, once it has the turn, that it has to queue after all.
#[test]
fn who_drops_the_turn_and_takes_it_again_sees_what_was_left() {
    loom::model(|| {
        handover(|turn, left| {
            drop(turn.enter());
            look(turn, left);
        });
    });
}

#[test]
fn a_holder_that_panics_gives_the_turn_back() {
    loom::model(|| {
        let pipeline = Pipeline::new();
        let other = {
            let pipeline = pipeline.clone();
            thread::spawn(move || pipeline.push(1))
        };
        if let Some(mut turn) = pipeline.turn.enter() {
            let work = AssertUnwindSafe(move || {
                turn.with(|_| ());
                // Unlike `panic!` it prints nothing, thousands of times.
                std::panic::resume_unwind(Box::new("broken"));
            });
            assert!(catch_unwind(work).is_err());
        }
        other.join().unwrap();
        // Whoever asked that holder is served by the next one.
        pipeline.run();
        pipeline.expect_done(&[1]);
    });
}

#[test]
fn a_turn_dropped_unused_is_free_again() {
    loom::model(|| {
        let turn = Arc::new(Turn::new(0));
        let other = {
            let turn = turn.clone();
            thread::spawn(move || drop(turn.enter()))
        };
        drop(turn.enter());
        other.join().unwrap();
        assert!(turn.enter().is_some());
    });
}
