//! What a stream converter promises: chunking, time, length, and the quality of each setting.

use super::*;
use crate::node::testing::Random;
use std::f64::consts::TAU;

const RATES: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
const QUALITIES: [Quality; 4] = [Quality::Low, Quality::Medium, Quality::High, Quality::Vhq];
const LATENCIES: [Latency; 3] = [Latency::Low, Latency::Auto, Latency::Offline];

fn run(
    resampler: &mut Resampler,
    channels: usize,
    input: &[f32],
    mut size: impl FnMut() -> usize,
) -> Vec<f32> {
    let mut output = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (now, later) = rest.split_at((size() * channels).min(rest.len()));
        let at = output.len();
        output.resize(at + resampler.output_frames(now.len() / channels) * channels, 0.0);
        resampler.process(now, &mut output[at..]);
        rest = later;
    }
    let at = output.len();
    output.resize(at + resampler.tail_frames() * channels, 0.0);
    resampler.drain(&mut output[at..]);
    output
}

fn whole(from: u32, to: u32, quality: Quality, latency: Latency, input: &[f32]) -> Vec<f32> {
    run(&mut Resampler::new(from, to, 1, quality, latency), 1, input, || 4096)
}

#[test]
fn equal_samples_come_out_however_the_input_is_cut() {
    let mut random = Random::new(7);
    let input: Vec<f32> = (0..2 * 9_000).map(|_| random.sample()).collect();
    for latency in LATENCIES {
        for (from, to) in [(44_100, 16_000), (16_000, 48_000), (48_000, 16_000), (44_101, 48_000)] {
            let make = || Resampler::new(from, to, 2, Quality::Medium, latency);
            let expected = run(&mut make(), 2, &input, || 4096);
            for size in [1, 7, 160, 960, 4801, 100_000] {
                assert!(run(&mut make(), 2, &input, || size) == expected, "{from}→{to} by {size}");
            }
            let mut used = make();
            for seed in 1..4 {
                let mut sizes = Random::new(seed);
                let cut = run(&mut used, 2, &input, || sizes.below(3000));
                assert!(cut == expected, "{from}→{to} at random, after a drain");
            }
        }
    }
}

#[test]
fn an_impulse_stays_at_its_time_and_the_length_is_kept() {
    for latency in LATENCIES {
        for quality in QUALITIES {
            for from in RATES {
                for to in RATES.into_iter().filter(|to| *to != from) {
                    impulse(from, to, quality, latency);
                }
            }
            for (from, to) in [(44_101, 16_000), (8_000, 11_111), (7_919, 48_000), (1_000, 999)] {
                impulse(from, to, quality, latency);
            }
        }
    }
}

fn impulse(from: u32, to: u32, quality: Quality, latency: Latency) {
    let place = (from / 50) as usize;
    let mut input = vec![0.0; 2 * place];
    input[place] = 1.0;
    let output = whole(from, to, quality, latency, &input);
    let exact = input.len() as f64 * f64::from(to) / f64::from(from);
    assert!((output.len() as f64 - exact).abs() <= 0.5, "{from}→{to}: {} frames", output.len());
    let peak = (0..output.len()).max_by(|a, b| output[*a].total_cmp(&output[*b])).expect("some");
    let expected = place as f64 * f64::from(to) / f64::from(from);
    assert!(
        (peak as f64 - expected).abs() <= 1.0,
        "{from}→{to} {quality:?} {latency:?}: {peak}, not {expected}"
    );
}

#[test]
fn the_lag_is_within_what_the_latency_allows() {
    for (latency, limit) in [(Latency::Low, 0.003), (Latency::Auto, 0.020)] {
        for quality in QUALITIES {
            for from in RATES {
                for to in RATES.into_iter().filter(|to| *to != from) {
                    let lag = Resampler::new(from, to, 1, quality, latency).lag();
                    assert!(lag as f64 / f64::from(from) <= limit, "{from}→{to} {quality:?}");
                }
            }
        }
    }
}

/// Level in dB of what a full-scale tone at `hz` leaves outside of `expected` times that tone,
/// away from the ends.
fn residue(from: u32, to: u32, q: Quality, latency: Latency, hz: f64, expected: bool) -> f64 {
    let tone = |rate: u32, n: usize| (TAU * hz * n as f64 / f64::from(rate)).sin();
    let input: Vec<f32> = (0..from as usize / 2).map(|n| tone(from, n) as f32).collect();
    let output = whole(from, to, q, latency, &input);
    let middle = output.len() / 4..output.len() * 3 / 4;
    let error = |n: usize| f64::from(output[n]) - if expected { tone(to, n) } else { 0.0 };
    let power: f64 = middle.clone().map(|n| error(n).powi(2)).sum::<f64>() / middle.len() as f64;
    10.0 * (2.0 * power).max(1e-20).log10()
}

/// Gain in dB of a tone at `hz`.
fn gain(from: u32, to: u32, quality: Quality, latency: Latency, hz: f64) -> f64 {
    let input: Vec<f32> = (0..from as usize / 2)
        .map(|n| (TAU * hz * n as f64 / f64::from(from)).sin() as f32)
        .collect();
    let output = whole(from, to, quality, latency, &input);
    // Whole periods of every tone that is a multiple of 8 Hz.
    let middle = output.len() / 4..output.len() / 4 + to as usize / 8;
    let (mut re, mut im) = (0.0, 0.0);
    for n in middle.clone() {
        let angle = TAU * hz * n as f64 / f64::from(to);
        re += f64::from(output[n]) * angle.cos();
        im += f64::from(output[n]) * angle.sin();
    }
    20.0 * (2.0 * f64::hypot(re, im) / middle.len() as f64).log10()
}

#[test]
fn every_setting_rejects_and_passes_what_it_says() {
    use {Latency::*, Quality::*};
    // Setting, rejection in dB, passband as a part of the lower Nyquist frequency.
    let settings = [
        (Quality::Low, Auto, 78.0, 0.85),
        (Medium, Latency::Low, 98.0, 0.85),
        (Medium, Auto, 98.0, 0.85),
        (High, Latency::Low, 110.0, 0.85),
        (High, Auto, 118.0, 0.91),
        (Vhq, Auto, 130.0, 0.95),
        (Medium, Offline, 120.0, 0.90),
        (High, Offline, 120.0, 0.94),
        (Vhq, Offline, 120.0, 0.97),
    ];
    for (from, to) in [(44_100, 16_000), (48_000, 16_000), (16_000, 48_000), (44_100, 48_000)] {
        let nyquist = f64::from(from.min(to)) / 2.0;
        for (quality, latency, rejection, passband) in settings {
            let what = format!("{from}→{to} {quality:?} {latency:?}");
            let edge = (nyquist * passband / 8.0).floor() * 8.0;
            let at_edge = gain(from, to, quality, latency, edge);
            assert!(at_edge.abs() < 0.1, "{what}: {at_edge} dB at {edge} Hz");
            if to < from {
                for part in [1.03, 1.1, 1.3, 1.7] {
                    let alias = residue(from, to, quality, latency, nyquist * part, false);
                    assert!(alias < -rejection, "{what}: alias {alias} dB from {part}");
                }
            } else {
                let image = residue(from, to, quality, latency, 1000.0, true);
                assert!(image < -(rejection.min(110.0) - 8.0), "{what}: image {image} dB");
            }
        }
    }
}

#[test]
fn a_constant_stays_a_constant() {
    for (from, to) in [(44_100, 16_000), (8_000, 44_100), (44_101, 48_000)] {
        for latency in LATENCIES {
            let output = whole(from, to, Quality::Medium, latency, &vec![0.5; from as usize / 4]);
            let middle = &output[output.len() / 3..output.len() * 2 / 3];
            assert!(middle.iter().all(|x| (x - 0.5).abs() < 1e-5), "{from}→{to} {latency:?}");
        }
    }
}

#[test]
fn what_is_no_number_counts_as_silence() {
    for latency in LATENCIES {
        let mut input = vec![0.25; 20_000];
        let silent = {
            input[5_000..5_004].fill(0.0);
            whole(48_000, 16_000, Quality::Medium, latency, &input)
        };
        input[5_000..5_004].copy_from_slice(&[f32::NAN, f32::INFINITY, -f32::INFINITY, f32::MAX]);
        assert!(whole(48_000, 16_000, Quality::Medium, latency, &input) == silent, "{latency:?}");
    }
}

#[test]
fn sixty_four_channels_stay_apart() {
    let frames = 3_000;
    let input: Vec<f32> =
        (0..frames).flat_map(|_| (0..64u8).map(|c| f32::from(c) / 64.0)).collect();
    for latency in LATENCIES {
        let mut resampler = Resampler::new(48_000, 44_100, 64, Quality::Low, latency);
        let output = run(&mut resampler, 64, &input, || 501);
        let middle = &output[output.len() / 128 * 64..][..64];
        for (c, x) in middle.iter().enumerate() {
            assert!((x - c as f32 / 64.0).abs() < 1e-4, "channel {c}: {x}");
        }
    }
}

#[test]
fn nothing_in_gives_nothing_out() {
    for latency in LATENCIES {
        let mut resampler = Resampler::new(44_100, 16_000, 1, Quality::High, latency);
        resampler.process(&[], &mut []);
        assert_eq!(resampler.tail_frames(), 0);
        resampler.drain(&mut []);
        assert_eq!(run(&mut resampler, 1, &[1.0; 3], || 1).len(), 1);
    }
}
