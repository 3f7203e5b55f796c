//! Scaling of planes of 8-bit pixels.
//!
//! `Bilinear` is a separable triangle filter whose width grows with the shrinking, so that nothing is
//! skipped (antialiasing): each output is the weighted mean of the inputs within one output pixel to
//! either side of it. One side after the other, in 22 bits of fixed point with 8 bits between them,
//! which gives the bytes that Pillow's `resize` gives. Pixels are taken as areas: the picture's edges
//! stay where they are.

use super::picture::Plane;
use multiversion::multiversion;

/// Bits of a weight behind the point: with 8 bits of a sample and one spare, all that i32 holds.
const BITS: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (BITS - 1);

/// How pixels between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The input pixel that lies there.
    Nearest,
    /// A mean by distance, over more pixels when shrinking.
    Bilinear,
}

/// Scales planes of one size to another. Each component is scaled on its own.
#[derive(Debug, Clone)]
pub struct Scaler {
    from: Plane,
    to: Plane,
    columns: Axis,
    rows: Axis,
}

/// Which inputs make each output along one side.
#[derive(Debug, Clone)]
struct Axis {
    /// The first of the inputs.
    first: Vec<usize>,
    /// How many they are; nearest has one, without a weight.
    taps: usize,
    /// Their weights, `taps` for each output, in fixed point; the sum is one.
    weights: Vec<i32>,
}

impl Scaler {
    /// A scaler for planes of those sizes, with pixels of `from`'s bytes.
    pub fn new(from: Plane, to: Plane, algorithm: Algorithm) -> Self {
        let axis = match algorithm {
            Algorithm::Nearest => Axis::nearest,
            Algorithm::Bilinear => Axis::triangle,
        };
        let columns = axis(from.width, to.width);
        Self { from, to, columns, rows: axis(from.height, to.height) }
    }

    /// The plane that it scales.
    pub fn from(&self) -> Plane {
        self.from
    }

    /// The plane that it makes.
    pub fn to(&self) -> Plane {
        self.to
    }

    /// Bytes that [`run`](Self::run) needs for what lies between rows and columns.
    pub fn scratch(&self) -> usize {
        let one_step = self.from.width == self.to.width || self.from.height == self.to.height;
        if one_step || self.columns.weights.is_empty() {
            0
        } else if self.is_down_first() {
            self.from.stride() * self.to.height
        } else {
            self.to.stride() * self.from.height
        }
    }

    /// Whether there are fewer pixels to work across once the rows have been brought together.
    fn is_down_first(&self) -> bool {
        self.to.height < self.from.height
    }

    /// Scales one plane. `scratch` may hold anything.
    ///
    /// # Panics
    /// If a slice is shorter than the plane, or than [`scratch`](Self::scratch).
    ///
    /// # Real-time
    /// rt-safe.
    pub fn run(&self, input: &[u8], scratch: &mut [u8], output: &mut [u8]) {
        match self.from.pixel {
            1 => self.run_pixels::<1>(input, scratch, output),
            2 => self.run_pixels::<2>(input, scratch, output),
            3 => self.run_pixels::<3>(input, scratch, output),
            _ => self.run_pixels::<4>(input, scratch, output),
        }
    }

    fn run_pixels<const N: usize>(&self, input: &[u8], scratch: &mut [u8], output: &mut [u8]) {
        let (wide, narrow) = (self.from.width * N, self.to.width * N);
        let output = &mut output[..narrow * self.to.height];
        if self.columns.weights.is_empty() {
            for (into, y) in output.chunks_exact_mut(narrow).zip(&self.rows.first) {
                let row = input[y * wide..][..wide].as_chunks::<N>().0;
                let into = into.as_chunks_mut::<N>().0.iter_mut();
                into.zip(&self.columns.first).for_each(|(into, x)| *into = row[*x]);
            }
        } else if self.from.width == self.to.width {
            self.rows.blend(input, narrow, output);
        } else if self.from.height == self.to.height {
            self.across::<N>(input, output);
        } else if self.is_down_first() {
            let scratch = &mut scratch[..wide * self.to.height];
            self.rows.blend(input, wide, scratch);
            self.across::<N>(scratch, output);
        } else {
            let scratch = &mut scratch[..narrow * self.from.height];
            self.across::<N>(input, scratch);
            self.rows.blend(scratch, narrow, output);
        }
    }

    /// The input's rows, with as many pixels as the output has.
    fn across<const N: usize>(&self, input: &[u8], output: &mut [u8]) {
        let rows = output.chunks_exact_mut(self.to.width * N);
        for (into, row) in rows.zip(input.chunks_exact(self.from.width * N)) {
            let row = row.as_chunks::<N>().0;
            for ((into, first), weights) in into
                .as_chunks_mut::<N>()
                .0
                .iter_mut()
                .zip(&self.columns.first)
                .zip(self.columns.each())
            {
                let mut sums = [HALF; N];
                for (pixel, weight) in row[*first..][..weights.len()].iter().zip(weights) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += i32::from(*x) * weight);
                }
                *into = sums.map(byte);
            }
        }
    }
}

impl Axis {
    fn nearest(from: usize, to: usize) -> Self {
        let first = (0..to).map(|x| (2 * x + 1) * from / (2 * to)).collect();
        Self { first, taps: 1, weights: Vec::new() }
    }

    fn triangle(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let reach = scale.max(1.0);
        let range = |x: usize| {
            let centre = (x as f64 + 0.5) * scale;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(from);
            (centre, first, end - first)
        };
        let taps = (0..to).map(|x| range(x).2).max().unwrap_or(1);
        let (mut first, mut weights) = (Vec::with_capacity(to), Vec::with_capacity(to * taps));
        for x in 0..to {
            let (centre, begin, count) = range(x);
            let weight = |i: usize| (1.0 - ((i as f64 - centre + 0.5) / reach).abs()).max(0.0);
            let sum: f64 = (begin..begin + count).map(weight).sum();
            // All have equally many taps, inside of the input; those too many weigh nothing.
            let shifted = begin.min(from - taps);
            first.push(shifted);
            weights.extend((shifted..shifted + taps).map(|i| {
                let weight =
                    if (begin..begin + count).contains(&i) { weight(i) / sum } else { 0.0 };
                (weight * f64::from(1 << BITS) + 0.5) as i32
            }));
        }
        Self { first, taps, weights }
    }

    /// The weights of each output.
    fn each(&self) -> impl Iterator<Item = &[i32]> {
        self.weights.chunks_exact(self.taps)
    }

    /// Rows of `stride` bytes, as weighted means of the input's rows.
    fn blend(&self, input: &[u8], stride: usize, output: &mut [u8]) {
        let rows = output.chunks_exact_mut(stride).zip(&self.first).zip(self.each());
        for ((into, first), weights) in rows {
            mean(&input[first * stride..][..stride * weights.len()], weights, into);
        }
    }
}

/// The weighted mean of rows, in blocks whose sums fit the registers.
#[multiversion(targets("x86_64+avx+avx2"))]
fn mean(rows: &[u8], weights: &[i32], output: &mut [u8]) {
    const BLOCK: usize = 64;
    let stride = output.len();
    let (blocks, rest) = output.as_chunks_mut::<BLOCK>();
    let whole = blocks.len() * BLOCK;
    for (block, into) in blocks.iter_mut().enumerate() {
        let mut sums = [HALF; BLOCK];
        for (row, weight) in rows.chunks_exact(stride).zip(weights) {
            if let Some(row) = row[block * BLOCK..].first_chunk::<BLOCK>() {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += i32::from(*x) * weight);
            }
        }
        *into = sums.map(byte);
    }
    for (x, into) in rest.iter_mut().enumerate() {
        let column = rows.chunks_exact(stride).zip(weights);
        *into = byte(column.fold(HALF, |sum, (row, w)| sum + i32::from(row[whole + x]) * w));
    }
}

/// The sample of a sum: rounded, since the sum began at a half.
#[inline(always)]
fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::Random;

    fn plane(width: usize, height: usize, pixel: usize) -> Plane {
        Plane { start: 0, width, height, pixel }
    }

    fn scale(input: &[u8], from: Plane, to: Plane, algorithm: Algorithm) -> Vec<u8> {
        let scaler = Scaler::new(from, to, algorithm);
        let mut output = vec![0; to.range().end];
        scaler.run(input, &mut vec![7; scaler.scratch()], &mut output);
        output
    }

    /// Bytes that are easily made elsewhere.
    fn picture(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|i| ((i * i * 7 + i * 13) % 256) as u8).collect()
    }

    /// Planes of all sizes: (from, to).
    fn sizes(pixel: usize) -> impl Iterator<Item = (Plane, Plane)> {
        (1..=33).flat_map(move |n| {
            let (a, b, c) = (n * 7 % 33 + 1, n * 5 % 33 + 1, n * 11 % 33 + 1);
            [(plane(n, a, pixel), plane(b, c, pixel)), (plane(n, n, pixel), plane(n, a, pixel))]
        })
    }

    fn fnv(hash: u64, bytes: &[u8]) -> u64 {
        bytes.iter().fold(hash, |hash, x| (hash ^ u64::from(*x)).wrapping_mul(0x100_0000_01b3))
    }

    const FNV: u64 = 0xcbf2_9ce4_8422_2325;

    // What is expected is what Pillow 13.0 makes of `picture` with Image.resize, each component on
    // its own, one side at a time: the height first where it shrinks. For nearest it is the definition
    // in whole numbers, from which Pillow departs where a centre lies exactly between two pixels.
    #[test]
    fn small_pictures_come_out_as_pillow_makes_them() {
        let bilinear = scale(&picture(35), plane(7, 5, 1), plane(4, 3, 1), Algorithm::Bilinear);
        assert_eq!(bilinear, [57, 84, 161, 132, 107, 180, 183, 181, 123, 132, 164, 116]);
        let nearest = scale(&picture(35), plane(7, 5, 1), plane(4, 3, 1), Algorithm::Nearest);
        assert_eq!(nearest, [0, 54, 164, 74, 18, 208, 198, 244, 220, 34, 160, 86]);
        let larger = scale(&picture(6), plane(3, 2, 1), plane(5, 3, 1), Algorithm::Bilinear);
        assert_eq!(larger, [0, 8, 20, 40, 54, 51, 68, 92, 125, 147, 102, 127, 164, 210, 240]);
    }

    #[test]
    fn all_sizes_and_pixels_come_out_as_others_make_them() {
        let all = |algorithm| {
            (1..=4).flat_map(sizes).fold(FNV, |hash, (from, to)| {
                fnv(hash, &scale(&picture(from.range().end), from, to, algorithm))
            })
        };
        assert_eq!(all(Algorithm::Bilinear), 0xf30b_ce66_12ca_4031);
        assert_eq!(all(Algorithm::Nearest), 0x2fb3_6e46_8d7b_9a13);
        let (from, to) = (plane(640, 360, 3), plane(333, 201, 3));
        let large = scale(&picture(from.range().end), from, to, Algorithm::Bilinear);
        assert_eq!(fnv(FNV, &large), 0xcea3_3e8a_539a_4343);
    }

    #[test]
    fn bilinear_is_the_triangle_filter_to_one_step_of_a_sample() {
        let mut random = Random::new(3);
        for (from, to) in sizes(1) {
            let input: Vec<u8> = (0..from.range().end).map(|_| random.below(256) as u8).collect();
            let output = scale(&input, from, to, Algorithm::Bilinear);
            // Straight from the definition, in f64 and in both directions at once.
            let share = |i: usize, o: usize, from: usize, to: usize| {
                let scale = from as f64 / to as f64;
                let distance = i as f64 + 0.5 - (o as f64 + 0.5) * scale;
                (1.0 - (distance / scale.max(1.0)).abs()).max(0.0)
            };
            for (o, found) in output.iter().enumerate() {
                let (mut sum, mut total) = (0.0, 0.0);
                for (i, x) in input.iter().enumerate() {
                    let weight = share(i % from.width, o % to.width, from.width, to.width)
                        * share(i / from.width, o / to.width, from.height, to.height);
                    sum += weight * f64::from(*x);
                    total += weight;
                }
                let expected = sum / total;
                assert!((f64::from(*found) - expected).abs() <= 1.001, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn one_colour_stays_one_colour_and_an_equal_size_stays_as_it_is() {
        for algorithm in [Algorithm::Nearest, Algorithm::Bilinear] {
            for (from, to) in (1..=4).flat_map(sizes) {
                for colour in [0, 1, 128, 255] {
                    let out = scale(&vec![colour; from.range().end], from, to, algorithm);
                    assert!(out.iter().all(|x| *x == colour), "{from:?} to {to:?}");
                }
                let input = picture(from.range().end);
                assert_eq!(scale(&input, from, from, algorithm), input);
            }
        }
    }
}
