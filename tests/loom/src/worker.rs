//! A segment that workers run: it is in their queue at most once, and nothing that was left before
//! the asking stays behind.

use super::model_of_three;
use crate::letters::Letters;
use crate::turn::Turn;
use loom::sync::{Arc, Mutex};
use loom::thread;

struct Segment {
    letters: Letters<u32>,
    turn: Turn<Vec<u32>>,
    /// How often it stands in the workers' queue.
    queued: Mutex<u32>,
}

impl Segment {
    fn new() -> Arc<Self> {
        let (letters, turn) = (Letters::new(), Turn::new(Vec::new()));
        Arc::new(Self { letters, turn, queued: Mutex::new(0) })
    }

    /// As the engine's pushes.
    fn push(&self, packet: u32) {
        self.letters.leave(packet);
        if self.turn.ask() {
            self.queue();
        }
    }

    fn queue(&self) {
        let mut queued = self.queued.lock().unwrap();
        *queued += 1;
        assert_eq!(*queued, 1, "it stands in the queue twice");
    }

    fn take(&self) -> bool {
        let mut queued = self.queued.lock().unwrap();
        std::mem::replace(&mut *queued, 0) > 0
    }

    /// As a worker: takes one packet a look, and gives the turn on while there are more.
    fn work(&self) {
        while self.take() {
            let mut turn = self.turn.start();
            loop {
                let more = turn.with(|done| {
                    let mut letters = self.letters.take();
                    let more = letters.len() > 1;
                    letters.drain(1.min(letters.len())..).for_each(|l| self.letters.leave(l));
                    done.append(&mut letters);
                    more
                });
                if more {
                    turn.requeue();
                    self.queue();
                    break;
                }
                match turn.finish() {
                    Some(again) => turn = again,
                    None => break,
                }
            }
        }
    }

    fn expect_done(&self, expected: &[u32]) {
        self.work();
        assert!(self.turn.is_idle(), "asked for, and not in the queue");
        assert!(!self.letters.any(), "work was left behind");
        let mut turn = self.turn.enter().expect("nobody has the turn");
        let mut done = turn.with(std::mem::take);
        done.sort_unstable();
        assert_eq!(done, expected);
        assert!(turn.finish().is_none());
    }
}

#[test]
fn a_worker_and_a_pusher_leave_nothing_undone() {
    model_of_three(|| {
        let segment = Segment::new();
        segment.push(1);
        let worker = {
            let segment = segment.clone();
            thread::spawn(move || segment.work())
        };
        segment.push(2);
        segment.push(3);
        worker.join().unwrap();
        segment.expect_done(&[1, 2, 3]);
    });
}

#[test]
fn two_workers_and_a_pusher_never_run_it_at_once() {
    model_of_three(|| {
        let segment = Segment::new();
        segment.push(1);
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let segment = segment.clone();
                thread::spawn(move || segment.work())
            })
            .collect();
        segment.push(2);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        segment.expect_done(&[1, 2]);
    });
}

#[test]
fn a_letter_that_comes_while_others_are_taken_is_seen() {
    loom::model(|| {
        let letters = Arc::new(Letters::new());
        letters.leave(1);
        let other = {
            let letters = letters.clone();
            thread::spawn(move || letters.leave(2))
        };
        let mut taken = letters.take();
        other.join().unwrap();
        // As the runner: it looks only if there is something.
        if letters.any() {
            taken.append(&mut letters.take());
        }
        assert_eq!(taken, [1, 2]);
    });
}

#[test]
fn two_pushers_queue_it_once() {
    model_of_three(|| {
        let segment = Segment::new();
        let pushers: Vec<_> = (1..=2)
            .map(|packet| {
                let segment = segment.clone();
                thread::spawn(move || segment.push(packet))
            })
            .collect();
        segment.work();
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        segment.expect_done(&[1, 2]);
    });
}
