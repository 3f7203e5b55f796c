//! How far two recordings are apart below 7 kHz, in dB relative to full scale.
//!
//! Two good resamplers to 16 kHz differ in where their filters begin to fall, between 7 and 8 kHz;
//! below that they must agree. So it is the difference that is low-passed, and what is left of it
//! is measured.

use std::f64::consts::PI;

/// Where the filter's passband ends and its stopband begins, in hertz.
const PASS_HZ: f64 = 7000.0;
const STOP_HZ: f64 = 7500.0;
/// Attenuation in the stopband. It is also the ripple of the passband, which is nothing there.
const STOP_DB: f64 = 130.0;

/// A difference, in dB relative to full scale (a value of 1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference {
    /// Of all samples. Not a number for no samples.
    pub(crate) rms_db: f64,
    /// Without the first and last 20 ms, where two filters begin and end differently.
    pub(crate) inner_peak_db: f64,
}

/// The difference of two recordings of that rate, full scale ±1; what one is longer counts as a
/// difference from silence.
pub(crate) fn below_7_khz(ours: &[f64], theirs: &[f64], rate: u32) -> Difference {
    let length = ours.len().max(theirs.len());
    let at = |samples: &[f64], index: usize| samples.get(index).copied().unwrap_or(0.0);
    let raw: Vec<f64> = (0..length).map(|i| at(ours, i) - at(theirs, i)).collect();
    let left = filter(&raw, &low_pass(f64::from(rate)));
    let energy: f64 = left.iter().map(|d| d * d).sum();
    let edge = rate as usize / 50;
    let inner = left.get(edge..left.len().saturating_sub(edge)).unwrap_or(&left);
    let peak = inner.iter().fold(0.0, |peak: f64, d| peak.max(d.abs()));
    Difference {
        rms_db: 10.0 * (energy / length as f64).log10(),
        inner_peak_db: 20.0 * peak.log10(),
    }
}

/// Taps of a windowed sinc with a Kaiser window, by Kaiser's formulas for length and beta
/// (Oppenheim, Schafer: Discrete-Time Signal Processing, 7.5.3).
fn low_pass(rate: f64) -> Vec<f64> {
    let width = 2.0 * PI * (STOP_HZ - PASS_HZ) / rate;
    let half = ((STOP_DB - 7.95) / (2.285 * width) / 2.0).ceil();
    let beta = 0.1102 * (STOP_DB - 8.7);
    let cutoff = (PASS_HZ + STOP_HZ) / rate;
    let tap = |n: f64| {
        let sinc = if n == 0.0 { cutoff } else { (PI * cutoff * n).sin() / (PI * n) };
        sinc * bessel_i0(beta * (1.0 - (n / half).powi(2)).sqrt()) / bessel_i0(beta)
    };
    let half = half as i32;
    (-half..=half).map(|n| tap(f64::from(n))).collect()
}

/// The modified Bessel function of order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

/// The input filtered by an odd number of symmetric taps, aligned with the input and as long.
fn filter(input: &[f64], taps: &[f64]) -> Vec<f64> {
    let half = taps.len() / 2;
    let output = |index: usize| {
        let first = index.saturating_sub(half);
        let around = &input[first..input.len().min(index + half + 1)];
        around.iter().zip(&taps[first + half - index..]).map(|(x, tap)| x * tap).sum()
    };
    (0..input.len()).map(output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    #[test]
    fn the_filter_passes_to_7_khz_and_stops_from_7_5_khz_on() {
        let taps = low_pass(f64::from(RATE));
        let middle = (taps.len() / 2) as f64;
        let gain = |hz: f64| -> f64 {
            let phase = |n: usize| 2.0 * PI * hz / f64::from(RATE) * (n as f64 - middle);
            taps.iter().enumerate().map(|(n, tap)| tap * phase(n).cos()).sum()
        };
        for hz in 0..=7000 {
            assert!((gain(f64::from(hz)) - 1.0).abs() < 1e-6, "{hz} Hz: {}", gain(f64::from(hz)));
        }
        for hz in 7500..=8000 {
            assert!(gain(f64::from(hz)).abs() < 1e-6, "{hz} Hz: {}", gain(f64::from(hz)));
        }
    }

    #[test]
    fn a_sine_has_its_known_level_below_the_limit_and_none_above() {
        let sine = |hz: f64| -> Vec<f64> {
            (0..RATE)
                .map(|n| 0.001 * (2.0 * PI * hz * f64::from(n) / f64::from(RATE)).sin())
                .collect()
        };
        let silence = vec![0.0; RATE as usize];
        let low = below_7_khz(&sine(1234.0), &silence, RATE);
        assert!((low.rms_db + 63.01).abs() < 0.1, "{low:?}");
        assert!((low.inner_peak_db + 60.0).abs() < 0.01, "{low:?}");
        let high = below_7_khz(&silence, &sine(7600.0), RATE);
        assert!(high.inner_peak_db < -170.0, "{high:?}");
    }

    #[test]
    fn a_missing_sample_is_a_difference_and_nothing_is_no_number() {
        let one = below_7_khz(&[0.5; 1000], &[0.5; 999], RATE);
        assert!(one.rms_db > -60.0, "{one:?}");
        assert!(below_7_khz(&[0.5; 1000], &[0.5; 1000], RATE).rms_db == f64::NEG_INFINITY);
        assert!(below_7_khz(&[], &[], RATE).rms_db.is_nan());
    }
}
