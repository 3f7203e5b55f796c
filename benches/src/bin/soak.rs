//! Runs pipelines of all kinds for a long time and watches memory, threads and counters. Its last
//! line is JSON; the exit code is 1 when something was not right.
//!
//! `soak [MINUTES [PIPELINES [SEED]]]`, usually 30, 200 and 1.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use remotemedia_benches::args::Args;
use remotemedia_benches::soak;
use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Bytes that are allocated now.
static ALLOCATED: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, and how much of it is in use.
struct Counting;

// SAFETY: everything is the system allocator's, but for a count.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: what holds for this call holds for that one.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Growth of memory from the second quarter to the last that may be chance: what is allocated goes up and
/// down with the pipelines that there are, what is resident keeps the most that has come together.
const FLAT: f64 = 1.05;
/// What malloc keeps for each thread, in bytes: seven pieces of each of 64 sizes up to 1 KB. The lane
/// for work that waits has as many threads as have had to work at the same time.
const PER_THREAD: f64 = 0.25e6;

fn main() -> ExitCode {
    let args = Args::read();
    let time = Duration::from_secs(60 * args.number(0, 30));
    let (pipelines, seed) = (args.number(1, 200) as usize, args.number(2, 1));
    let mut allocated = Vec::new();
    let tell = |sample: &soak::Sample| {
        let bytes = ALLOCATED.load(Ordering::Relaxed);
        allocated.push(bytes);
        if sample.seconds.is_multiple_of(30) {
            println!(
                "{:>5} s  {:>7.1} MB resident  {:>7.2} MB allocated  {} threads  {} descriptors",
                sample.seconds,
                sample.resident as f64 / 1e6,
                bytes as f64 / 1e6,
                sample.threads,
                sample.descriptors
            );
        }
    };
    match soak::run(time, pipelines, seed, tell) {
        Ok(mut report) => {
            let quarter = |of: &str, n: usize| report[of][n].as_f64().unwrap_or(0.0);
            let threads = (quarter("threads", 3) - quarter("threads", 1)).max(0.0);
            let resident = quarter("resident", 3) - PER_THREAD * threads;
            let growth = resident / quarter("resident", 1);
            let allocated = soak::quarters(&allocated, |bytes| *bytes);
            let more_allocated = allocated[3] / allocated[1];
            // As many as pipelines read files, give or take.
            let more = |of| quarter(of, 3) > 2.0 * quarter(of, 1);
            let kept = report["pool"]["live_blocks"] != 0;
            let flat = growth <= FLAT && more_allocated <= FLAT;
            let ok = flat && !more("threads") && !more("descriptors") && !kept;
            report["growth"] = growth.into();
            report["allocated"] = allocated.into();
            report["allocated_growth"] = more_allocated.into();
            report["ok"] = ok.into();
            println!("{report}");
            if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(wrong) => {
            println!("{wrong}");
            ExitCode::FAILURE
        }
    }
}
