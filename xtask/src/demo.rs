//! The main job on real recordings: a file in any format becomes 16 kHz mono i16, with the
//! stretches of speech and the levels beside it (`examples/voice.yaml`).
//!
//! With `--check` every result is also compared with what ffmpeg makes with soxr, sample by sample:
//! before its conversion to i16 (`tests/voice-f32.yaml`), whose rounding would hide much.

use crate::difference::{self, Difference};
use crate::process::{Run, create_folder, target_dir};
use crate::wav::{Format, Wav};
use crate::{Failure, tools, wav};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Recordings of the demo.
const SPEECH: &[&str] = &["speech.mp3", "speech.flac"];
/// What the check runs besides: two channels to be mixed.
const MUSIC: &[&str] = &["music-44k-stereo.flac"];

/// What all recordings become.
const RATE: u32 = 16_000;
/// The most that the result may be away from ffmpeg's with soxr below 7 kHz, relative to full
/// scale. It says nothing about the steepness of the filter: these recordings have next to nothing
/// near the new band edge. That is measured by the tests of `core/src/dsp/resample`.
const LIMIT_DB: f64 = -90.0;

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
    let command = build(root, Build::Release)?;
    let results = run_files(root, &command, &files)?;
    show(&results)?;
    if check { compare(root, &command, &results) } else { Ok(()) }
}

/// The demo's results compared with ffmpeg's; as part of the tests.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    tools::need(root, &[&tools::FFMPEG])?;
    let command = build(root, Build::Dev)?;
    let results = run_files(root, &command, &[SPEECH, MUSIC].concat())?;
    compare(root, &command, &results)
}

/// One file's results.
struct Outcome {
    input: PathBuf,
    audio: PathBuf,
    segments: PathBuf,
    levels: PathBuf,
    seconds: f64,
}

/// Builds the command, and says where it is.
fn build(root: &Path, build: Build) -> Result<PathBuf, Failure> {
    let (cargo, folder) = match build {
        Build::Release => ("build --release --package rmedia", "release"),
        // With the tests, as they were built already: else features of crates would differ, and
        // much would be built twice.
        Build::Dev => ("build --workspace --bins --tests --locked", "debug"),
    };
    Run::cargo(root, cargo).go()?;
    Ok(target_dir(root).join(folder).join("rmedia"))
}

fn run_files(root: &Path, command: &Path, files: &[&str]) -> Result<Vec<Outcome>, Failure> {
    create_folder(&root.join("out/demo"))?;
    files.iter().map(|file| run_file(root, command, file)).collect()
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

fn compare(root: &Path, command: &Path, results: &[Outcome]) -> Result<(), Failure> {
    println!("\nDifference from ffmpeg with soxr below 7 kHz, before the conversion to i16;");
    println!("dB relative to full scale; the peak without the first and last 20 ms:\n");
    println!("{:<22} {:>9} {:>9} {:>8} {:>8}", "file", "samples", "ffmpeg's", "rms", "peak");
    let mut faults = Vec::new();
    for result in results {
        let name = name_of(&result.input);
        let float = run_float(root, command, &result.input)?;
        let theirs = soxr(root, &result.input)?;
        let difference = difference::below_7_khz(&float.samples, &theirs, RATE);
        println!(
            "{name:<22} {:>9} {:>9} {:>8.1} {:>8.1}",
            float.samples.len(),
            theirs.len(),
            difference.rms_db,
            difference.inner_peak_db
        );
        let float_faults = float_faults(&float, &theirs, difference);
        let integer_faults = integer_faults(&wav::read(&result.audio)?, &float);
        faults
            .extend(float_faults.into_iter().chain(integer_faults).map(|f| format!("{name}: {f}")));
        lines(&result.levels)?;
        if lines(&result.segments)? == 0 && SPEECH.contains(&&*name) {
            faults.push(format!("{name}: no speech found in it"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// The audio of the demo before its conversion to i16.
fn run_float(root: &Path, command: &Path, input: &Path) -> Result<Wav, Failure> {
    let output =
        root.join("out/demo").join(format!("{}.f32.wav", name_of(input).replace('.', "-")));
    let _ = std::fs::remove_file(&output);
    Run::new(root, command)
        .args(["run", "tests/voice-f32.yaml", "--quiet", "-i"])
        .args([input.strip_prefix(root).unwrap_or(input), Path::new("-o")])
        .args([output.strip_prefix(root).unwrap_or(&output)])
        .go()?;
    wav::read(&output)
}

/// What is wrong with the result before its conversion.
fn float_faults(ours: &Wav, theirs: &[f64], difference: Difference) -> Vec<String> {
    let mut faults = Vec::new();
    if (ours.rate, ours.format) != (RATE, Format::F32) {
        faults.push(format!("{} Hz {:?}, not {RATE} Hz f32", ours.rate, ours.format));
    }
    if ours.samples.len().abs_diff(theirs.len()) > 1 {
        faults.push(format!("{} samples, ffmpeg has {}", ours.samples.len(), theirs.len()));
    }
    // A difference that is no number is not close.
    let close = difference.rms_db <= LIMIT_DB;
    if !close {
        let rms = difference.rms_db;
        faults.push(format!("{rms:.1} dB away from ffmpeg with soxr, at most {LIMIT_DB} allowed"));
    }
    faults
}

/// What is wrong with the result as i16: it has to be the other one, rounded.
fn integer_faults(ours: &Wav, float: &Wav) -> Vec<String> {
    let mut faults = Vec::new();
    if (ours.rate, ours.format) != (RATE, Format::I16) {
        faults.push(format!("{} Hz {:?}, not {RATE} Hz i16", ours.rate, ours.format));
    }
    if ours.samples.len() != float.samples.len() {
        faults.push(format!(
            "{} samples as i16, {} as f32",
            ours.samples.len(),
            float.samples.len()
        ));
    }
    let step = 1.0 / 32_768.0;
    let off = ours.samples.iter().zip(&float.samples).filter(|(integer, float)| {
        // The largest integer is one step below full scale.
        (*integer - float.clamp(-1.0, 1.0 - step)).abs() > 0.500_001 * step
    });
    match off.count() {
        0 => {}
        count => faults.push(format!("{count} samples are not rounded to the nearest i16")),
    }
    faults
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A real recording, as if it were the demo's result before its conversion.
    fn speech() -> Wav {
        wav::read(&crate::root().join("media/speech-16k.wav")).unwrap()
    }

    fn faults(ours: &[f64], theirs: &[f64]) -> Vec<String> {
        let wav = Wav { rate: RATE, format: Format::F32, samples: ours.to_vec() };
        float_faults(&wav, theirs, difference::below_7_khz(ours, theirs, RATE))
    }

    #[test]
    fn a_sample_too_early_or_a_level_slightly_off_is_a_fault() {
        let speech = speech().samples;
        let scaled =
            |db: f64| -> Vec<f64> { speech.iter().map(|s| s * 10_f64.powf(db / 20.0)).collect() };
        assert_eq!(faults(&speech, &speech), [""; 0]);
        assert_eq!(faults(&scaled(0.0001), &speech), [""; 0], "as far apart as floats may be");
        for (what, ours) in [
            ("early", speech[1..].to_vec()),
            ("late", [&[0.0], &speech[..]].concat()),
            ("loud", scaled(0.02)),
            ("quiet", scaled(-0.02)),
        ] {
            let faults = faults(&ours, &speech);
            assert!(faults.iter().any(|f| f.contains("dB away")), "{what}: {faults:?}");
        }
        assert!(faults(&[], &[])[0].contains("NaN dB away"), "nothing is not a pass");
    }

    #[test]
    fn a_length_two_samples_off_is_a_fault() {
        let silence = vec![0.0; 1000];
        assert_eq!(faults(&silence[1..], &silence), [""; 0]);
        assert_eq!(faults(&silence[2..], &silence), ["998 samples, ffmpeg has 1000"]);
    }

    #[test]
    fn integers_are_the_floats_rounded_to_the_nearest() {
        let float =
            Wav { rate: RATE, format: Format::F32, samples: vec![0.25, 1.5 / 32_768.0, 1.0] };
        let integer = |samples: [f64; 3]| {
            let samples = samples.map(|s| s / 32_768.0).to_vec();
            integer_faults(&Wav { rate: RATE, format: Format::I16, samples }, &float)
        };
        assert_eq!(integer([8192.0, 2.0, 32_767.0]), [""; 0]);
        assert_eq!(integer([8192.0, 1.0, 32_767.0]), [""; 0], "either of the two nearest");
        let fault = "1 samples are not rounded to the nearest i16";
        assert_eq!(integer([8193.0, 2.0, 32_767.0]), [fault]);
    }
}
