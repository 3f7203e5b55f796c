//! The soak, for as long as a test may take: everything but the memory.
#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

use remotemedia_benches::soak;
use std::time::Duration;

#[test]
fn pipelines_of_all_kinds_end_with_exact_counters_whatever_happens_to_them() {
    let report = soak::run(Duration::from_secs(3), 60, 7, |_| {}).unwrap_or_else(|e| panic!("{e}"));
    assert!(report["counts"]["ended"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["pool"]["live_blocks"], 0, "{report}");
}
