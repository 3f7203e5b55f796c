//! Pictures at another size: along rows, then along columns, each by a weighted sum of the nearest
//! pixels. The weights are those of a triangle as wide as the wider of an input and an output pixel, so
//! that shrinking averages and does not alias (Turkowski, "Filters for Common Resampling Tasks", 1990).

/// Fractional bits of a weight.
const BITS: u32 = 14;

/// What each pixel of one side is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Pixels on the input's side.
    input: usize,
    /// For each output pixel its first input pixel, and where its weights lie.
    taps: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<i32>,
}

impl Axis {
    /// By a triangle.
    pub(crate) fn triangle(input: usize, output: usize) -> Self {
        let scale = input as f64 / output as f64;
        let support = scale.max(1.0);
        let mut axis = Self { input, taps: Vec::with_capacity(output), weights: Vec::new() };
        for n in 0..output {
            // Of an output pixel's middle, in pixels of the input.
            let middle = (n as f64 + 0.5) * scale - 0.5;
            let first = (middle - support).ceil().max(0.0) as usize;
            let last = ((middle + support).floor() as usize).min(input - 1);
            let weight = |at: usize| (1.0 - (at as f64 - middle).abs() / support).max(0.0);
            let sum: f64 = (first..=last).map(weight).sum();
            let begin = axis.weights.len();
            let one = f64::from(1 << BITS);
            axis.weights.extend((first..=last).map(|at| (weight(at) / sum * one).round() as i32));
            // A picture of one colour stays exactly that: what rounding left goes to the largest.
            let own = &mut axis.weights[begin..];
            let rest = (1 << BITS) - own.iter().sum::<i32>();
            if let Some(largest) = own.iter_mut().max() {
                *largest += rest;
            }
            axis.taps.push((first, begin..axis.weights.len()));
        }
        axis
    }

    /// By the nearest pixel.
    pub(crate) fn nearest(input: usize, output: usize) -> Self {
        let tap = |n: usize| ((2 * n + 1) * input / (2 * output), n..n + 1);
        Self { input, taps: (0..output).map(tap).collect(), weights: vec![1 << BITS; output] }
    }

    fn output(&self) -> usize {
        self.taps.len()
    }
}

/// Scales one plane of pixels of `step` bytes, row by row without gaps. `scratch` is for what lies
/// between the two passes.
pub(crate) fn scale(
    input: &[u8],
    output: &mut [u8],
    step: usize,
    across: &Axis,
    down: &Axis,
    scratch: &mut Vec<u8>,
) {
    let (wide, narrow) = (across.input * step, across.output() * step);
    debug_assert_eq!((input.len(), output.len()), (wide * down.input, narrow * down.output()));
    scratch.resize(narrow * down.input, 0);
    for (row, to) in input.chunks_exact(wide).zip(scratch.chunks_exact_mut(narrow)) {
        for ((first, weights), to) in across.taps.iter().zip(to.chunks_exact_mut(step)) {
            for (channel, to) in to.iter_mut().enumerate() {
                let pixels = row[first * step + channel..].iter().step_by(step);
                *to = sum(pixels.zip(&across.weights[weights.clone()]));
            }
        }
    }
    for ((first, weights), to) in down.taps.iter().zip(output.chunks_exact_mut(narrow)) {
        for (column, to) in to.iter_mut().enumerate() {
            let pixels = scratch[first * narrow + column..].iter().step_by(narrow);
            *to = sum(pixels.zip(&down.weights[weights.clone()]));
        }
    }
}

fn sum<'a>(weighted: impl Iterator<Item = (&'a u8, &'a i32)>) -> u8 {
    let sum: i32 = weighted.map(|(pixel, weight)| i32::from(*pixel) * weight).sum();
    ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(input: &[u8], from: (usize, usize), to: (usize, usize), step: usize) -> Vec<u8> {
        let (across, down) = (Axis::triangle(from.0, to.0), Axis::triangle(from.1, to.1));
        let mut output = vec![0; to.0 * to.1 * step];
        scale(input, &mut output, step, &across, &down, &mut Vec::new());
        output
    }

    #[test]
    fn halves_are_averages_by_a_triangle() {
        // A triangle two pixels to each side: weights 1, 3, 3, 1 of 8, cut off and made up at the ends.
        let row = [0, 80, 160, 240, 0, 80];
        let out = scaled(&row, (6, 1), (3, 1), 1);
        let ends = |a: f64, b: f64, c: f64| ((3.0 * a + 3.0 * b + c) / 7.0).round() as u8;
        let middle = ((80.0 + 3.0 * 160.0 + 3.0 * 240.0) / 8.0_f64).round() as u8;
        assert_eq!(out, [ends(0.0, 80.0, 160.0), middle, ends(80.0, 0.0, 240.0)]);
    }

    #[test]
    fn doubles_lie_a_quarter_of_a_pixel_from_what_they_are_made_of() {
        assert_eq!(scaled(&[0, 100], (2, 1), (4, 1), 1), [0, 25, 75, 100]);
    }

    #[test]
    fn a_picture_of_one_colour_stays_that_at_every_size() {
        for from in 1..=33 {
            for to in [1, 2, 3, 7, 16, 33, 64] {
                let input = [3, 200, 255].repeat(from * 5);
                let output = scaled(&input, (from, 5), (to, 4), 3);
                assert_eq!(output, [3, 200, 255].repeat(to * 4), "{from} to {to}");
            }
        }
    }

    #[test]
    fn the_nearest_pixel_is_the_one_whose_middle_is() {
        let (across, down) = (Axis::nearest(4, 2), Axis::nearest(1, 3));
        let mut output = [0; 6];
        scale(&[10, 20, 30, 40], &mut output, 1, &across, &down, &mut Vec::new());
        assert_eq!(output, [20, 40, 20, 40, 20, 40]);
    }
}
