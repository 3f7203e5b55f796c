//! Many pipelines of all kinds, for a long time, with everything that may happen to one in between:
//! live params, interrupts, resets, gaps, calls that fail, ends, closes, cancels. Whenever one is over
//! its counters are compared, with each other and with what was pushed and pulled; memory has to stay
//! as it is once everything has been used.
//!
//! | file | idea |
//! |---|---|
//! | `jobs` | the kinds of pipelines |
//! | `nodes` | nodes that fail, answer later, join |
//! | `life` | what is done to one pipeline, and what has to hold |
//! | `counts` | what has happened |

mod counts;
mod jobs;
mod life;
mod nodes;

use crate::figures::median;
use crate::process::{descriptors, resident, threads};
use crate::voice;
use counts::{Count, Counts};
use life::{Life, Step, Wrong};
use remotemedia::Engine;
use remotemedia::node::testing::Random;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Threads that push and pull.
const DRIVERS: usize = 2;
/// A driver that does not come on for so long has met a call that does not come back.
const STUCK: Duration = Duration::from_secs(120);

/// What the process was like at some time.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the begin.
    pub seconds: u64,
    /// Resident memory in bytes.
    pub resident: i64,
    /// Threads there are.
    pub threads: i64,
    /// Open file descriptors.
    pub descriptors: i64,
}

impl Sample {
    fn now(begin: Instant) -> Self {
        Self {
            seconds: begin.elapsed().as_secs(),
            resident: resident(),
            threads: threads(),
            descriptors: descriptors(),
        }
    }
}

/// What one driver is at.
#[derive(Default)]
struct Desk {
    steps: Count,
    /// The pipeline that it works on.
    at: Mutex<String>,
}

/// Runs so many pipelines at a time for that long; `tell` hears of every second. Gives what was
/// seen; an error is the first thing that was not right, with the seed that shows it.
///
/// # Errors
/// What went wrong.
///
/// # Panics
/// If the system gives no threads.
pub fn run(
    time: Duration,
    pipelines: usize,
    seed: u64,
    mut tell: impl FnMut(&Sample),
) -> Result<Value, String> {
    nodes::expect_panics();
    let engine = Engine::new(nodes::registry());
    let counts = Arc::new(Counts::default());
    let stop = Arc::new(AtomicBool::new(false));
    let desks: Vec<Arc<Desk>> = (0..DRIVERS).map(|_| Arc::default()).collect();
    let drivers: Vec<JoinHandle<Result<(), Wrong>>> = desks
        .iter()
        .enumerate()
        .map(|(nth, desk)| {
            let (engine, counts) = (engine.clone(), counts.clone());
            let (stop, desk) = (stop.clone(), desk.clone());
            let seed = seed.wrapping_mul(1_000_003) + (nth as u64) * 1_000_000_007;
            let share = pipelines.div_ceil(DRIVERS);
            thread::spawn(move || drive(&engine, seed, share, &stop, &desk, &counts))
        })
        .collect();
    let begin = Instant::now();
    let mut seen = vec![(0, begin); DRIVERS];
    let mut samples = Vec::new();
    loop {
        thread::sleep(Duration::from_secs(1).min(time));
        let over = begin.elapsed() >= time;
        if over {
            stop.store(true, Ordering::Relaxed);
        } else {
            let sample = Sample::now(begin);
            tell(&sample);
            samples.push(sample);
        }
        for (desk, (steps, since)) in desks.iter().zip(&mut seen) {
            let now = desk.steps.get();
            if now != *steps {
                (*steps, *since) = (now, Instant::now());
            } else if since.elapsed() > STUCK {
                let at = desk.at.lock().unwrap_or_else(PoisonError::into_inner);
                return Err(format!("a call does not come back: {at}"));
            }
        }
        // One that is through early has met something wrong.
        let through = drivers.iter().filter(|driver| driver.is_finished()).count();
        if through == DRIVERS || (through > 0 && !over) {
            stop.store(true, Ordering::Relaxed);
            break;
        }
    }
    for driver in drivers {
        driver.join().map_err(|_| "a driver panicked".to_owned())??;
    }
    let memory = engine.pool().stats();
    Ok(json!({
        "seconds": begin.elapsed().as_secs(), "pipelines": pipelines, "counts": counts.to_json(),
        "resident": quarters(&samples, |s| s.resident),
        "threads": quarters(&samples, |s| s.threads),
        "descriptors": quarters(&samples, |s| s.descriptors),
        "pool": {"live_bytes": memory.live_bytes, "live_blocks": memory.live_blocks},
    }))
}

/// Median of each quarter.
pub fn quarters<T>(samples: &[T], of: impl Fn(&T) -> i64) -> Vec<f64> {
    let quarter = samples.len().div_ceil(4).max(1);
    let values = |samples: &[T]| samples.iter().map(|s| of(s) as f64).collect::<Vec<_>>();
    samples.chunks(quarter).map(|samples| median(&mut values(samples))).collect()
}

/// One driver's work: its pipelines in turn, a new one for each that is over.
fn drive(
    engine: &Engine,
    mut seed: u64,
    share: usize,
    stop: &AtomicBool,
    desk: &Desk,
    counts: &Counts,
) -> Result<(), Wrong> {
    // Of memory that is not the engine's, so that at the end none of its own is left.
    let signal = voice::signal(Engine::default().pool());
    let mut next = || {
        seed = seed.wrapping_add(1);
        counts.made.add();
        Life::new(engine, seed)
    };
    let mut lives: Vec<Life> = (0..share).map(|_| next()).collect();
    let mut random = Random::new(lives[0].seed);
    while !stop.load(Ordering::Relaxed) {
        let at = random.below(lives.len());
        let life = &mut lives[at];
        *desk.at.lock().unwrap_or_else(PoisonError::into_inner) =
            format!("{} seed {}", life.kind(), life.seed);
        match life.step(&signal, counts) {
            Ok(Step::On) => {}
            Ok(Step::Over) => lives[at] = next(),
            Err(wrong) => return Err(format!("{wrong}\n{}", life.describe())),
        }
        desk.steps.add();
        counts.steps.add();
    }
    Ok(())
}
