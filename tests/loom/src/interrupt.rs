//! An interrupt while a ticket is open, the output full and a completion late: after it, no pull
//! gives what was asked for before, and nothing is lost uncounted (rule S9).

use super::model_of_three;
use crate::letters::Letters;
use crate::life::{Begin, Epochs, Life};
use crate::turn::Turn;
use loom::sync::{Arc, Mutex};
use loom::thread;

/// What the holder of the turn has: its epochs, and tickets that are open.
struct Runner {
    epochs: Epochs,
    open: Vec<u32>,
    discarded: u32,
}

struct Pipeline {
    life: Life,
    turn: Turn<Runner>,
    mail: Letters<u32>,
    /// Result, and the epoch that it belongs to.
    output: Mutex<Vec<(u32, Epochs)>>,
    discarded: Mutex<u32>,
}

impl Pipeline {
    /// With these tickets open.
    fn new(open: &[u32]) -> Arc<Self> {
        let life = Life::new();
        let runner = Runner { epochs: life.epochs(), open: open.to_vec(), discarded: 0 };
        Arc::new(Self {
            life,
            turn: Turn::new(runner),
            mail: Letters::new(),
            output: Mutex::new(Vec::new()),
            discarded: Mutex::new(0),
        })
    }

    fn complete(&self, ticket: u32) {
        self.mail.leave(ticket);
        self.run();
    }

    /// As the runner: comes into the epoch, applies the mail, puts out what is not stale.
    fn run(&self) {
        let mut guard = self.turn.enter();
        while let Some(mut turn) = guard {
            turn.with(|runner| {
                self.come(runner);
                for ticket in self.mail.take() {
                    // What the runner has forgotten is no ticket any more.
                    let Some(place) = runner.open.iter().position(|t| *t == ticket) else {
                        continue;
                    };
                    runner.open.remove(place);
                    let mut output = self.output.lock().unwrap();
                    // Read under the lock: who begins an epoch goes through the output afterwards.
                    if self.life.epochs() == runner.epochs {
                        output.push((ticket, runner.epochs));
                    } else {
                        runner.discarded += 1;
                    }
                }
            });
            guard = turn.finish();
        }
    }

    fn come(&self, runner: &mut Runner) {
        let epochs = self.life.epochs();
        if epochs != runner.epochs {
            runner.discarded += runner.open.drain(..).count() as u32;
            runner.epochs = epochs;
        }
    }

    fn interrupt(&self) -> Epochs {
        let epochs = self.life.next_epoch(Begin::Interrupt).expect("it runs");
        let mut output = self.output.lock().unwrap();
        let before = output.len();
        output.retain(|(_, of)| !epochs.forget(of.now, true));
        *self.discarded.lock().unwrap() += (before - output.len()) as u32;
        drop(output);
        self.run();
        epochs
    }

    fn pull(&self) -> Option<(u32, Epochs)> {
        let mut output = self.output.lock().unwrap();
        let epochs = self.life.epochs();
        let before = output.len();
        output.retain(|(_, of)| !epochs.forget(of.now, true));
        *self.discarded.lock().unwrap() += (before - output.len()) as u32;
        if output.is_empty() { None } else { Some(output.remove(0)) }
    }

    /// What was given up, once everything rests.
    fn discarded(&self) -> u32 {
        self.run();
        let mut turn = self.turn.enter().expect("nobody has the turn");
        let inside = turn.with(|runner| {
            self.come(runner);
            runner.discarded
        });
        assert!(turn.finish().is_none());
        inside + *self.discarded.lock().unwrap()
    }
}

#[test]
fn once_an_interrupt_has_returned_no_pull_gives_anything_older() {
    loom::model(|| {
        let pipeline = Pipeline::new(&[1, 2]);
        let completer = {
            let pipeline = pipeline.clone();
            thread::spawn(move || {
                pipeline.complete(1);
                pipeline.complete(2);
            })
        };
        let epochs = pipeline.interrupt();
        if let Some((_, of)) = pipeline.pull() {
            assert_eq!(of, epochs, "a stale result");
        }
        completer.join().unwrap();
        let late = std::iter::from_fn(|| pipeline.pull()).count() as u32;
        assert_eq!(late, 0, "both tickets were open before the interrupt");
        assert_eq!(pipeline.discarded(), 2, "given up is what was not delivered");
    });
}

#[test]
fn what_is_pulled_beside_an_interrupt_is_not_lost_and_not_given_twice() {
    model_of_three(|| {
        let pipeline = Pipeline::new(&[1]);
        let completer = {
            let pipeline = pipeline.clone();
            thread::spawn(move || pipeline.complete(1))
        };
        let puller = {
            let pipeline = pipeline.clone();
            thread::spawn(move || u32::from(pipeline.pull().is_some()))
        };
        pipeline.interrupt();
        completer.join().unwrap();
        let pulled = puller.join().unwrap();
        assert!(pipeline.pull().is_none(), "a stale result");
        assert_eq!(pulled + pipeline.discarded(), 1);
    });
}

#[test]
fn of_two_steps_of_a_life_the_first_end_wins_and_epochs_stop() {
    use crate::life::State;
    loom::model(|| {
        let life = Arc::new(Life::new());
        let other = {
            let life = life.clone();
            thread::spawn(move || (life.advance(State::Cancelled), life.next_epoch(Begin::Reset)))
        };
        let failed = life.advance(State::Failed);
        let epoch = life.next_epoch(Begin::Interrupt);
        let (cancelled, reset) = other.join().unwrap();
        assert!(failed != cancelled, "one of them is the end");
        assert!(epoch.is_none() && reset.is_none(), "nothing begins after the end");
    });
}
