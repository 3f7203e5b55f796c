//! The example on a real recording, and its node on its own.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use own_node_example::Tremolo;
use remotemedia::media::AudioDecoder;
use remotemedia::node::testing::{Random, check_chunking};
use remotemedia::packet::Pool;
use serde_json::json;
use std::f64::consts::TAU;
use std::path::Path;
use std::process::Command;

const MUSIC: &str = "../../media/music-44k-stereo.flac";

/// Interleaved samples, the rate and the number of channels.
fn read(path: &Path) -> (Vec<f32>, u32, u16) {
    let mut decoder = AudioDecoder::open(path).unwrap();
    let format = decoder.format();
    let mut samples = Vec::new();
    let pool = Pool::new();
    while let Some(packet) = decoder.next(&pool).unwrap() {
        samples.extend_from_slice(packet.as_audio().unwrap().f32().unwrap());
    }
    (samples, format.rate, format.channels)
}

#[test]
fn the_example_makes_a_recording_swing() {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tremolo.wav");
    let run = Command::new(env!("CARGO_BIN_EXE_own-node-example")).arg(MUSIC).arg(&output).status();
    assert!(run.unwrap().success());

    let (input, rate, channels) = read(Path::new(MUSIC));
    let (swinging, ..) = read(&output);
    assert_eq!((swinging.len(), rate, channels), (input.len(), 44_100, 2));
    for (index, (swinging, input)) in swinging.iter().zip(&input).enumerate() {
        let seconds = (index / 2) as f64 / 44_100.0;
        let factor = 1.0 - 0.8 * (0.5 - 0.5 * (TAU * 4.0 * seconds).cos());
        let expected = f64::from(*input) * factor;
        assert!((f64::from(*swinging) - expected).abs() < 1e-6, "sample {index}");
    }
}

#[test]
fn it_says_how_it_is_used_and_what_went_wrong() {
    let run = |args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_own-node-example")).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&[]);
    assert!(code == Some(2) && said.contains("usage"), "{said}");
    let (code, said) = run(&["no-such-file.wav", "out.wav"]);
    assert!(code == Some(1) && said.contains("no-such-file.wav"), "{said}");
}

#[test]
fn how_the_audio_is_cut_makes_no_difference() {
    let noise = Random::new(1).noise(8000, 2, 4000);
    check_chunking::<Tremolo>(&json!({"rate_hz": 3, "depth": 1}), &noise);
}

#[test]
fn the_guide_shows_the_node_as_it_is() {
    let guide = std::fs::read_to_string("../../CONTRIBUTING.md").unwrap();
    assert!(guide.contains(include_str!("../src/tremolo.rs")));
}
