//! The main job on real recordings: a file in any format becomes 16 kHz mono i16, with the
//! stretches of speech and the levels beside it (`examples/voice.yaml`).
//!
//! With `--check` every result is also compared with what ffmpeg makes with soxr, sample by sample.

use crate::process::{Run, create_folder, target_dir};
use crate::{Failure, tools, wav};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Recordings of the demo.
const SPEECH: &[&str] = &["speech.mp3", "speech.flac"];
/// What the check runs besides: two channels to be mixed.
const MUSIC: &[&str] = &["music-44k-stereo.flac"];

/// How far below the signal the difference from ffmpeg with soxr must lie. Rounding to 16 bits
/// alone leaves about -76 dB on these recordings; a sample too early, or a level 0.01 dB off, is
/// above the limit. It says nothing about the steepness of the filter: these recordings have next
/// to nothing near the new band edge. That is measured by the tests of `core/src/dsp/resample`.
const LIMIT_DB: f64 = -60.0;

/// Which build of the command runs.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// What users get.
    Release,
    /// What the tests have built already.
    Dev,
}

/// Runs the demo with the release build and shows its results.
pub(crate) fn run(root: &Path, check: bool) -> Result<(), Failure> {
    let files = if check { [SPEECH, MUSIC].concat() } else { SPEECH.to_vec() };
    if check {
        tools::need(root, &[&tools::FFMPEG])?;
    }
    let results = run_files(root, Build::Release, &files)?;
    show(&results)?;
    if check { compare(root, &results) } else { Ok(()) }
}

/// The demo's results compared with ffmpeg's; as part of the tests.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    tools::need(root, &[&tools::FFMPEG])?;
    let results = run_files(root, Build::Dev, &[SPEECH, MUSIC].concat())?;
    compare(root, &results)
}

/// One file's results.
struct Outcome {
    input: PathBuf,
    audio: PathBuf,
    segments: PathBuf,
    levels: PathBuf,
    seconds: f64,
}

fn run_files(root: &Path, build: Build, files: &[&str]) -> Result<Vec<Outcome>, Failure> {
    let (cargo, folder) = match build {
        Build::Release => ("build --release --package rmedia", "release"),
        // With the tests, as they were built already: else features of crates would differ, and
        // much would be built twice.
        Build::Dev => ("build --workspace --bins --tests --locked", "debug"),
    };
    Run::cargo(root, cargo).go()?;
    let command = target_dir(root).join(folder).join("rmedia");
    create_folder(&root.join("out/demo"))?;
    files.iter().map(|file| run_file(root, &command, file)).collect()
}

fn run_file(root: &Path, command: &Path, file: &str) -> Result<Outcome, Failure> {
    let name = file.replace('.', "-");
    let out = |kind: &str| Path::new("out/demo").join(format!("{name}{kind}"));
    let outcome = Outcome {
        input: Path::new("media").join(file),
        audio: out(".wav"),
        segments: out(".segments.jsonl"),
        levels: out(".levels.jsonl"),
        seconds: 0.0,
    };
    let to = |port: &str, path: &Path| format!("{port}={}", path.display());
    // Files of an earlier run must not pass for this one's.
    for path in [&outcome.audio, &outcome.segments, &outcome.levels] {
        let _ = std::fs::remove_file(root.join(path));
    }
    let run = Run::new(root, command)
        .args(["run", "examples/voice.yaml"])
        .args(["-i".to_owned(), to("input", &outcome.input)])
        .args(["-o".to_owned(), to("audio", &outcome.audio)])
        .args(["-o".to_owned(), to("segments", &outcome.segments)])
        .args(["-o".to_owned(), to("levels", &outcome.levels)])
        .args([Path::new("--metrics"), &out(".metrics.json")]);
    let start = Instant::now();
    run.go()?;
    let seconds = start.elapsed().as_secs_f64();
    let absolute = |path: PathBuf| root.join(path);
    Ok(Outcome {
        input: absolute(outcome.input),
        audio: absolute(outcome.audio),
        segments: absolute(outcome.segments),
        levels: absolute(outcome.levels),
        seconds,
    })
}

fn show(results: &[Outcome]) -> Result<(), Failure> {
    println!();
    println!(
        "{:<22} {:>9} {:>9} {:>10} {:>9} {:>7}",
        "file", "audio s", "run s", "× realtime", "segments", "levels"
    );
    for result in results {
        let duration = wav::read(&result.audio)?.duration();
        println!(
            "{:<22} {:>9.3} {:>9.3} {:>10.0} {:>9} {:>7}",
            name_of(&result.input),
            duration,
            result.seconds,
            duration / result.seconds,
            lines(&result.segments)?,
            lines(&result.levels)?
        );
    }
    println!("\nrun s: the whole command, from its start to its end, measured once");
    println!("results: out/demo/*.wav (16 kHz mono i16), *.segments.jsonl, *.levels.jsonl,");
    println!("         *.metrics.json");
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Number of lines of a JSON-lines file, each of which must be JSON.
fn lines(path: &Path) -> Result<usize, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    for (index, line) in text.lines().enumerate() {
        let _: serde_json::Value = serde_json::from_str(line)
            .map_err(|e| format!("{}:{}: {e}", path.display(), index + 1))?;
    }
    Ok(text.lines().count())
}

fn compare(root: &Path, results: &[Outcome]) -> Result<(), Failure> {
    println!("\n{:<22} {:>9} {:>9} {:>14}", "file", "samples", "ffmpeg's", "difference dB");
    let mut failed = Vec::new();
    for result in results {
        let ours = wav::read(&result.audio)?;
        let theirs = soxr(root, &result.input)?;
        let difference = difference_db(&ours.samples, &theirs);
        let name = name_of(&result.input);
        println!("{name:<22} {:>9} {:>9} {difference:>14.1}", ours.samples.len(), theirs.len());
        let same_length = ours.samples.len().abs_diff(theirs.len()) <= 1;
        // A difference that is no number is not close.
        let close = difference <= LIMIT_DB;
        if ours.rate != 16_000 || !same_length || !close {
            failed.push(name);
        }
        lines(&result.levels)?;
        if lines(&result.segments)? == 0 && SPEECH.contains(&name_of(&result.input).as_str()) {
            return Err(format!("{}: no speech found in it", result.input.display()));
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: not what ffmpeg with soxr makes of it (equal length ±1, at most {LIMIT_DB} dB apart)",
        failed.join(", ")
    ))
}

/// What ffmpeg with soxr makes of a recording: 16 kHz, mono, full scale ±1.
fn soxr(root: &Path, input: &Path) -> Result<Vec<f64>, Failure> {
    let bytes = Run::new(root, "ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .args([input])
        // Integers: ffmpeg's mix of floats is not the average of the channels.
        .args(["-ac", "1", "-af", "aresample=16000:resampler=soxr:precision=28:osf=s32"])
        .args(["-f", "s32le", "-"])
        .output()?;
    let full_scale = 2_147_483_648.0;
    Ok(bytes.as_chunks().0.iter().map(|b| f64::from(i32::from_le_bytes(*b)) / full_scale).collect())
}

/// Energy of the difference over the energy of the reference, in dB.
fn difference_db(ours: &[i16], reference: &[f64]) -> f64 {
    let (mut difference, mut energy) = (0.0, 0.0);
    for (ours, reference) in ours.iter().zip(reference) {
        difference += (f64::from(*ours) / 32_768.0 - reference).powi(2);
        energy += reference.powi(2);
    }
    10.0 * (difference / energy).log10()
}

#[cfg(test)]
mod tests {
    use super::{LIMIT_DB, difference_db};

    #[test]
    fn a_sample_too_early_or_a_level_slightly_off_is_over_the_limit() {
        let wav = crate::wav::read(&crate::root().join("media/speech-16k.wav")).unwrap();
        let scaled = |factor| -> Vec<f64> {
            wav.samples.iter().map(|s| f64::from(*s) / 32_768.0 * factor).collect()
        };
        let reference = scaled(1.0);
        assert_eq!(difference_db(&wav.samples, &reference), f64::NEG_INFINITY);
        assert!(difference_db(&wav.samples[1..], &reference) > LIMIT_DB);
        assert!(difference_db(&wav.samples, &scaled(10_f64.powf(0.01 / 20.0))) > LIMIT_DB);
        assert!(difference_db(&[], &[]).is_nan(), "nothing is equal to nothing: not a pass");
    }
}
