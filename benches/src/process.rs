//! What the benchmarks ask the system about their own process, and about a server beside it.

use std::time::Duration;

/// CPU time of all threads of this process so far, those that have ended included.
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec, which is there.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "every process has this clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time of all threads of another process so far, in steps of the system's clock (10 ms); zero: there
/// is no such process.
pub fn cpu_time_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name stands in brackets and may have anything in it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok());
    // SAFETY: the call only reads a constant of the system.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_secs_f64(ticks.sum::<u64>() as f64 / a_second as f64)
}

/// Resident memory in bytes.
pub fn resident() -> i64 {
    resident_of(std::process::id())
}

/// Resident memory of another process in bytes; 0: there is no such process.
pub fn resident_of(process: u32) -> i64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
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
