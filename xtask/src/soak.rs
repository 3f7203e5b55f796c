//! Runs the soak (`benches/src/soak/`) and keeps its report.

use crate::Failure;
use crate::bench;
use crate::process::{Run, target_dir};
use std::path::Path;

/// Builds it and runs it for so many minutes.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), Failure> {
    let minutes: u32 = match args {
        [] => 30,
        [minutes] => minutes.parse().map_err(|_| format!("not a number of minutes: {minutes}"))?,
        _ => return Err("usage: cargo xtask soak [MINUTES]".to_owned()),
    };
    Run::cargo(root, "build --release --locked --package remotemedia-benches --bin soak").go()?;
    let mut report: Option<serde_json::Value> = None;
    let soak = target_dir(root).join("release/soak");
    Run::new(root, soak).args([minutes.to_string()]).go_watched(|line| {
        if line.starts_with('{') {
            report = serde_json::from_str(line).ok();
        }
    })?;
    let report = report.ok_or("the soak gave no report")?;
    bench::save(root, "soak", &report)
}
