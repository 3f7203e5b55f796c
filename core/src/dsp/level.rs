//! Level: root mean square and peak of a run of samples.

use multiversion::multiversion;

/// Adds up samples. How they are cut into slices makes no difference, to the bit.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    /// Sums of squares of every eighth sample: lanes that the compiler keeps in vector registers.
    squares: [f64; LANES],
    peaks: [f32; LANES],
    samples: u64,
}

const LANES: usize = 8;

/// Lowest level that is told, in dB: that of silence.
pub const FLOOR_DB: f64 = -120.0;

impl Meter {
    /// Takes more samples. Those that are no finite number count as silence.
    ///
    /// # Real-time
    /// rt-safe.
    pub fn add(&mut self, samples: &[f32]) {
        // Sample n of the run always goes to lane n mod 8.
        let behind = (self.samples % LANES as u64) as usize;
        let head = if behind == 0 { 0 } else { (LANES - behind).min(samples.len()) };
        let (head, rest) = samples.split_at(head);
        let (chunks, tail) = rest.as_chunks::<LANES>();
        self.add_some(behind, head);
        add_chunks(chunks, &mut self.squares, &mut self.peaks);
        self.add_some(0, tail);
        self.samples += samples.len() as u64;
    }

    /// Less than one chunk, from a lane on.
    fn add_some(&mut self, lane: usize, samples: &[f32]) {
        for (i, x) in samples.iter().enumerate() {
            let x = finite(*x);
            self.squares[lane + i] += f64::from(x) * f64::from(x);
            self.peaks[lane + i] = self.peaks[lane + i].max(x.abs());
        }
    }

    /// Samples taken.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Root mean square in dB of full scale, at least [`FLOOR_DB`].
    pub fn rms_db(&self) -> f64 {
        let mean = self.squares.iter().sum::<f64>() / (self.samples.max(1) as f64);
        (10.0 * mean.log10()).max(FLOOR_DB)
    }

    /// Largest absolute sample in dB of full scale, at least [`FLOOR_DB`].
    pub fn peak_db(&self) -> f64 {
        let peak = self.peaks.iter().copied().fold(0.0, f32::max);
        (20.0 * f64::from(peak).log10()).max(FLOOR_DB)
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[multiversion(targets("x86_64+avx+avx2"))]
fn add_chunks(chunks: &[[f32; LANES]], squares: &mut [f64; LANES], peaks: &mut [f32; LANES]) {
    // Copies, so that they stay in registers.
    let (mut sums, mut tops) = (*squares, *peaks);
    for chunk in chunks {
        for i in 0..LANES {
            let x = finite(chunk[i]);
            sums[i] += f64::from(x) * f64::from(x);
            tops[i] = if x.abs() > tops[i] { x.abs() } else { tops[i] };
        }
    }
    (*squares, *peaks) = (sums, tops);
}

#[inline(always)]
fn finite(x: f32) -> f32 {
    if x.abs() < f32::INFINITY { x } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_square_wave_is_at_zero_and_silence_at_the_floor() {
        let mut meter = Meter::default();
        assert_eq!((meter.rms_db(), meter.peak_db()), (FLOOR_DB, FLOOR_DB));
        meter.add(&[1.0, -1.0, 1.0, -1.0]);
        assert_eq!((meter.rms_db(), meter.peak_db()), (0.0, 0.0));
        meter.reset();
        meter.add(&[0.0, 0.1, f32::NAN, f32::INFINITY]);
        assert!((meter.rms_db() + 26.02).abs() < 0.01 && (meter.peak_db() + 20.0).abs() < 1e-6);
    }

    #[test]
    fn slices_of_any_length_add_up_to_the_same_bits() {
        let samples: Vec<f32> = (0..1000u16).map(|n| (f32::from(n) * 0.37).sin() * 0.7).collect();
        let mut whole = Meter::default();
        whole.add(&samples);
        for size in [1, 3, 7, 8, 9, 160] {
            let mut parts = Meter::default();
            samples.chunks(size).for_each(|chunk| parts.add(chunk));
            assert_eq!(parts.rms_db().to_bits(), whole.rms_db().to_bits(), "{size}");
        }
    }
}
