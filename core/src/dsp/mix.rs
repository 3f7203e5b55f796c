//! Channel mixing: every output channel is a weighted sum of input channels.
//!
//! Usual weights come from ITU-R BS.775: centre and surround channels go to the front pair at
//! 0.7071 (-3 dB), the low-frequency channel is left out. All weights are then divided by the
//! largest sum of an output's weights, where that is more than one, so that no mix can clip: from
//! 5.1 to stereo, left is 0.414 FL + 0.293 FC + 0.293 BL.

use crate::packet::Layout;
use multiversion::multiversion;
use std::f32::consts::FRAC_1_SQRT_2;

/// A mixing matrix for interleaved f32 frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    inputs: usize,
    outputs: usize,
    /// The weights that are not zero, as (input, weight), output after output.
    weights: Vec<(usize, f32)>,
    /// Where each output's weights end.
    ends: Vec<usize>,
}

impl Mix {
    /// A mix by explicit weights: one row for each output, with one weight for each input.
    /// `None` if there is no row, or rows are empty or differ in length.
    pub fn new(rows: &[Vec<f32>]) -> Option<Self> {
        let inputs = rows.first()?.len();
        if inputs == 0 || rows.iter().any(|row| row.len() != inputs) {
            return None;
        }
        let (mut weights, mut ends) = (Vec::new(), Vec::new());
        for row in rows {
            weights.extend(row.iter().copied().enumerate().filter(|(_, weight)| *weight != 0.0));
            ends.push(weights.len());
        }
        Some(Self { inputs, outputs: rows.len(), weights, ends })
    }

    /// The usual mix from `inputs` channels at the positions of `from` to the usual layout of
    /// `outputs` channels:
    /// * equal counts: each channel stays;
    /// * one channel: a copy in every output;
    /// * to one channel: the average of stereo, or of channels whose positions are not known;
    /// * positions known on both sides: by position, with the weights described above.
    ///
    /// `None` for anything else.
    pub fn usual(inputs: usize, from: Layout, outputs: usize) -> Option<Self> {
        let one_at = |i: usize| (0..inputs).map(|j| f32::from(u8::from(i == j))).collect();
        if inputs == outputs {
            return Self::new(&(0..outputs).map(one_at).collect::<Vec<_>>());
        }
        if inputs == 1 {
            return Self::new(&vec![vec![1.0]; outputs]);
        }
        let known = from.0.count_ones() as usize == inputs;
        if outputs == 1 && (inputs == 2 || !known) {
            return Self::new(&[vec![1.0 / inputs as f32; inputs]]);
        }
        let to = Layout::default_for(u16::try_from(outputs).ok()?);
        if !known || to == Layout::UNKNOWN {
            return None;
        }
        Self::new(&by_position(from, to)?)
    }

    /// Input channels.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output channels.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Mixes interleaved frames; both slices hold equally many.
    ///
    /// # Panics
    /// If they do not.
    ///
    /// # Real-time
    /// rt-safe.
    pub fn run(&self, input: &[f32], output: &mut [f32]) {
        assert!(
            input.len().is_multiple_of(self.inputs)
                && input.len() / self.inputs * self.outputs == output.len(),
            "equally many whole frames"
        );
        match (self.inputs, self.outputs, &self.weights[..]) {
            (1, 2, [(0, left), (0, right)]) => mono_to_stereo(input, output, *left, *right),
            (2, 1, [(0, left), (1, right)]) => stereo_to_mono(input, output, *left, *right),
            _ => self.run_any(input, output),
        }
    }

    fn run_any(&self, input: &[f32], output: &mut [f32]) {
        let frames = input.chunks_exact(self.inputs).zip(output.chunks_exact_mut(self.outputs));
        for (from, into) in frames {
            let mut begin = 0;
            for (into, end) in into.iter_mut().zip(&self.ends) {
                *into = self.weights[begin..*end].iter().map(|(i, w)| from[*i] * w).sum();
                begin = *end;
            }
        }
    }
}

#[multiversion(targets("x86_64+avx+avx2"))]
fn mono_to_stereo(input: &[f32], output: &mut [f32], left: f32, right: f32) {
    for (into, x) in output.as_chunks_mut::<2>().0.iter_mut().zip(input) {
        *into = [x * left, x * right];
    }
}

#[multiversion(targets("x86_64+avx+avx2"))]
fn stereo_to_mono(input: &[f32], output: &mut [f32], left: f32, right: f32) {
    for (into, [l, r]) in output.iter_mut().zip(input.as_chunks::<2>().0) {
        *into = l * left + r * right;
    }
}

// Speakers by their bit in a layout.
const FL: u32 = 0;
const FR: u32 = 1;
const FC: u32 = 2;
const LFE: u32 = 3;
const BL: u32 = 4;
const BR: u32 = 5;
const SL: u32 = 9;
const SR: u32 = 10;

/// Rows for known positions; `None` when a position has no rule.
fn by_position(from: Layout, to: Layout) -> Option<Vec<Vec<f32>>> {
    let sources: Vec<u32> = (0..32).filter(|bit| from.0 >> bit & 1 == 1).collect();
    let targets: Vec<u32> = (0..32).filter(|bit| to.0 >> bit & 1 == 1).collect();
    let mut rows = vec![vec![0.0; sources.len()]; targets.len()];
    let row = |speaker: u32| targets.iter().position(|t| *t == speaker);
    for (input, source) in sources.iter().enumerate() {
        let share = FRAC_1_SQRT_2;
        if let Some(same) = row(*source) {
            rows[same][input] = 1.0;
            continue;
        }
        // Where it goes instead; to one channel it goes by way of the front pair, averaged.
        let (other_pair, front, weight) = match *source {
            FL => (None, FL, 1.0),
            FR => (None, FR, 1.0),
            FC => {
                rows[row(FL)?][input] = share;
                rows[row(FR)?][input] = share;
                continue;
            }
            LFE => continue,
            BL => (row(SL), FL, share),
            BR => (row(SR), FR, share),
            SL => (row(BL), FL, share),
            SR => (row(BR), FR, share),
            _ => return None,
        };
        match (other_pair, row(front)) {
            (Some(pair), _) => rows[pair][input] = 1.0,
            (None, Some(front)) => rows[front][input] = weight,
            (None, None) => rows[row(FC)?][input] = weight / 2.0,
        }
    }
    if targets == [FC]
        && let Some(centre) = sources.iter().position(|s| *s == FC)
    {
        // Half of what the centre gives to each of the front pair, twice.
        rows[0][centre] = FRAC_1_SQRT_2;
    }
    let largest = rows.iter().map(|row| row.iter().sum()).fold(1.0, f32::max);
    rows.iter_mut().flatten().for_each(|weight| *weight /= largest);
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(mix: &Mix, input: &[f32]) -> Vec<f32> {
        let mut output = vec![0.0; input.len() / mix.inputs() * mix.outputs()];
        mix.run(input, &mut output);
        output
    }

    #[test]
    fn stereo_is_averaged_and_mono_is_copied() {
        let down = Mix::usual(2, Layout::STEREO, 1).expect("usual");
        assert_eq!(mixed(&down, &[1.0, 0.0, 0.5, 0.5, -1.0, 1.0]), [0.5, 0.5, 0.0]);
        let up = Mix::usual(1, Layout::MONO, 2).expect("usual");
        assert_eq!(mixed(&up, &[0.25, -1.0]), [0.25, 0.25, -1.0, -1.0]);
        let many = Mix::usual(1, Layout::MONO, 64).expect("usual");
        assert_eq!(mixed(&many, &[0.5]), [0.5; 64]);
    }

    #[test]
    fn surround_to_stereo_has_the_weights_of_bs_775_and_can_not_clip() {
        let mix = Mix::usual(6, Layout::SURROUND_5_1, 2).expect("usual");
        let sum = 1.0 + 2.0 * FRAC_1_SQRT_2;
        let weight = |channel: usize| {
            let mut frame = [0.0; 6];
            frame[channel] = 1.0;
            mixed(&mix, &frame)
        };
        assert_eq!(weight(0), [1.0 / sum, 0.0]);
        assert_eq!(weight(2), [FRAC_1_SQRT_2 / sum; 2]);
        assert_eq!(weight(3), [0.0; 2], "no low-frequency channel");
        assert_eq!(weight(5), [0.0, FRAC_1_SQRT_2 / sum]);
        let loud = mixed(&mix, &[1.0; 6]);
        assert!(loud.iter().all(|x| (x - 1.0).abs() < 1e-6), "{loud:?}");
    }

    #[test]
    fn surround_to_mono_is_the_average_of_the_stereo_mix() {
        let mono = Mix::usual(6, Layout::SURROUND_5_1, 1).expect("usual");
        let stereo = Mix::usual(6, Layout::SURROUND_5_1, 2).expect("usual");
        let frame = [0.1, -0.7, 0.3, 0.9, 0.5, 0.2];
        let pair = mixed(&stereo, &frame);
        let error = mixed(&mono, &frame)[0] - (pair[0] + pair[1]) / 2.0;
        assert!(error.abs() < 1e-6, "{error}");
    }

    #[test]
    fn side_and_back_stand_in_for_each_other() {
        let mix = Mix::usual(8, Layout::SURROUND_7_1, 6).expect("usual");
        let out = mixed(&mix, &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(out, [0.0, 0.0, 0.0, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn without_known_positions_only_mono_has_a_rule() {
        let mean = Mix::usual(3, Layout::UNKNOWN, 1).expect("usual");
        assert!((mixed(&mean, &[0.3, 0.6, 0.9])[0] - 0.6).abs() < 1e-6);
        assert_eq!(Mix::usual(3, Layout::UNKNOWN, 2), None);
        assert_eq!(Mix::usual(2, Layout::STEREO, 3), None);
    }

    #[test]
    fn a_channel_without_weight_does_not_leak_even_when_it_is_no_number() {
        let mix = Mix::new(&[vec![0.0, 2.0]]).expect("a matrix");
        assert_eq!(mixed(&mix, &[f32::NAN, 0.5]), [1.0]);
        assert_eq!(Mix::new(&[vec![1.0], vec![1.0, 2.0]]), None);
    }
}
