//! What the benchmarks ask the system about their own process.

use std::time::Duration;

/// CPU time of all threads of this process so far, those that have ended included.
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec, which is there.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "every process has this clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Resident memory in bytes.
pub fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|n| n.parse::<i64>().ok()).unwrap_or(0) * 4096
}

/// Threads there are.
pub fn threads() -> i64 {
    entries("task")
}

/// Open file descriptors.
pub fn descriptors() -> i64 {
    entries("fd")
}

fn entries(folder: &str) -> i64 {
    std::fs::read_dir(format!("/proc/self/{folder}")).map_or(0, Iterator::count) as i64
}
