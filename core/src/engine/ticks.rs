//! Ticks: the cheapest clock that counts evenly.
//!
//! Where the operating system's own clock runs on the CPU's time-stamp counter, so does this one,
//! read directly; elsewhere it is the OS clock. Ticks become nanoseconds when somebody reads the
//! metrics, so that nothing has to be calibrated before the first packet.

use super::time::Instant;
use std::sync::OnceLock;

/// A reading. Only differences have a meaning.
pub(crate) type Ticks = u64;

struct Origin {
    ticks: Ticks,
    instant: Instant,
    raw: bool,
}

static ORIGIN: OnceLock<Origin> = OnceLock::new();

fn origin() -> &'static Origin {
    ORIGIN.get_or_init(|| {
        let raw = counter_is_the_os_clock();
        let instant = Instant::now();
        Origin { ticks: if raw { counter() } else { 0 }, instant, raw }
    })
}

#[cfg(test)]
thread_local! {
    /// Readings on this thread.
    static READINGS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The time now.
#[inline]
pub(crate) fn now() -> Ticks {
    #[cfg(test)]
    READINGS.set(READINGS.get() + 1);
    let origin = origin();
    if origin.raw { counter() } else { origin.instant.elapsed().as_nanos() as u64 }
}

/// Whether `now` lies after `until`; the two are not far apart.
#[inline]
pub(crate) fn is_after(now: Ticks, until: Ticks) -> bool {
    now.wrapping_sub(until) as i64 > 0
}

/// Ticks from one time to another; none if that lies before it, as when a thread has read the clock
/// before it was handed what another has read it for.
#[inline]
pub(crate) fn between(from: Ticks, to: Ticks) -> Ticks {
    if is_after(to, from) { to.wrapping_sub(from) } else { 0 }
}

/// Name of the clock, for the metrics.
pub(crate) fn name() -> &'static str {
    if origin().raw { "tsc" } else { "os" }
}

/// Nanoseconds per tick.
pub(crate) fn nanos_per_tick() -> f64 {
    let origin = origin();
    if !origin.raw {
        return 1.0;
    }
    // Measured against the OS clock since the first reading; a millisecond makes it good to about
    // one in ten thousand, and it gets better as the process grows older.
    loop {
        let (ticks, nanos) = (counter() - origin.ticks, origin.instant.elapsed().as_nanos());
        if nanos >= 1_000_000 {
            return nanos as f64 / ticks as f64;
        }
        std::hint::spin_loop();
    }
}

/// Ticks in a millisecond.
pub(crate) fn millisecond() -> Ticks {
    static TICKS: OnceLock<Ticks> = OnceLock::new();
    *TICKS.get_or_init(|| (1e6 / nanos_per_tick()) as Ticks)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn counter_is_the_os_clock() -> bool {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    std::fs::read_to_string(path).is_ok_and(|name| name.trim() == "tsc")
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[inline]
fn counter() -> u64 {
    // SAFETY: RDTSC is there on every x86-64 CPU, and Linux lets user code run it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn counter_is_the_os_clock() -> bool {
    false
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn counter() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Pipeline;
    use crate::manifest::Manifest;
    use serde_json::json;

    #[test]
    fn ticks_become_the_time_of_the_os_clock() {
        let (ticks, instant) = (now(), Instant::now());
        std::thread::sleep(std::time::Duration::from_millis(20));
        let nanos = (now() - ticks) as f64 * nanos_per_tick();
        let truth = instant.elapsed().as_nanos() as f64;
        assert!((nanos / truth - 1.0).abs() < 0.05, "{nanos} ns by ticks, {truth} ns by the OS");
    }

    #[test]
    fn a_time_before_another_is_no_time_after_it() {
        assert_eq!((between(5, 12), between(12, 5), between(7, 7)), (7, 0, 0));
        assert_eq!(between(u64::MAX - 1, 3), 5);
    }

    #[test]
    fn a_run_of_n_nodes_reads_the_clock_n_plus_one_times() {
        for (timing, nodes, want) in [("all", 1, 2), ("all", 2, 3), ("all", 7, 8), ("none", 7, 1)] {
            let list: Vec<_> = (0..nodes)
                .map(|n| json!({"id": format!("n{n}"), "node_type": "PassThrough"}))
                .collect();
            let links: Vec<_> = (1..nodes)
                .map(|n| json!({"from": format!("n{}", n - 1), "to": format!("n{n}")}))
                .collect();
            let manifest = json!({
                "version": "v1", "timing": timing, "nodes": list, "connections": links,
            });
            let manifest = Manifest::from_value(manifest).expect("it parses");
            let run = Pipeline::from_manifest(&manifest).expect("it is valid");
            // The first packet brings the format, which is more work.
            for want in [None, Some(want), Some(want)] {
                let before = READINGS.get();
                run.push(json!(1)).expect("room");
                let readings = READINGS.get() - before;
                assert!(want.is_none_or(|want| readings == want), "{timing} {nodes}: {readings}");
                assert!(run.try_pull().is_ok_and(|pull| pull.packet().is_some()));
            }
        }
    }
}
