//! Conversion between pixel formats.
//!
//! From red, green and blue to luma and chroma and back by ITU-R BT.601 or BT.709, in 16 bits of
//! fixed point, rounded to the nearest: never further than 0.51 from the formula in real numbers. A
//! chroma sample is the mean of the (up to four) pixels that it covers, and holds for all of them on
//! the way back. `Gray8` is luma of full range, 0 is black and 255 is white, as image libraries
//! have it. Where a format has alpha and the other has none, it is left out, or set to 255.

use crate::packet::PixelFormat;

/// Bits of a weight behind the point.
const BITS: u32 = 16;
const HALF: i32 = 1 << (BITS - 1);

/// Which red, green and blue luma is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: standard definition, JPEG.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// Which bytes luma and chroma take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240.
    Limited,
    /// 0 to 255.
    Full,
}

/// Converts pictures from one pixel format to another.
#[derive(Debug, Clone)]
pub struct Converter {
    from: PixelFormat,
    to: PixelFormat,
    /// Weights of red, green and blue in luma of full range.
    gray: [i32; 3],
    /// Weights of red, green and blue in luma and in each chroma.
    luma: [i32; 3],
    chroma: [[i32; 3]; 2],
    /// Luma of black.
    black: i32,
    /// What a step of luma adds to each colour.
    step: i32,
    /// What a step of each chroma adds to red, green and blue.
    back: [[i32; 3]; 2],
}

impl Converter {
    /// A converter; matrix and range are those of the side with luma and chroma.
    pub fn new(from: PixelFormat, to: PixelFormat, matrix: Matrix, range: Range) -> Self {
        let (r, b) = match matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let g = 1.0 - r - b;
        // Steps of luma and of chroma for all the steps of a colour.
        let (black, luma, chroma) = match range {
            Range::Limited => (16, 219.0 / 255.0, 224.0 / 255.0),
            Range::Full => (0, 1.0, 1.0),
        };
        let fixed = |weight: f64| (weight * f64::from(1 << BITS)).round() as i32;
        // Chroma is the distance of blue (red) from luma, so scaled that it takes ±1/2.
        let (blue, red) = (chroma / (2.0 - 2.0 * b), chroma / (2.0 - 2.0 * r));
        let u = [-r * blue, -g * blue, (1.0 - b) * blue];
        let v = [(1.0 - r) * red, -g * red, -b * red];
        Self {
            from,
            to,
            gray: [r, g, b].map(fixed),
            luma: [r * luma, g * luma, b * luma].map(fixed),
            chroma: [u.map(fixed), v.map(fixed)],
            black,
            step: fixed(1.0 / luma),
            back: [
                [0.0, -b / (g * blue), 1.0 / blue].map(fixed),
                [1.0 / red, -r / (g * red), 0.0].map(fixed),
            ],
        }
    }

    /// Converts a picture of that size.
    ///
    /// # Panics
    /// If a slice is shorter than the picture.
    ///
    /// # Real-time
    /// rt-safe.
    pub fn run(&self, width: usize, height: usize, input: &[u8], output: &mut [u8]) {
        let luma = width * height;
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        if has_chroma(self.to) {
            let (to_luma, to_chroma) = output.split_at_mut(luma);
            match self.to {
                PixelFormat::I420 => {
                    let (u, v) = to_chroma.split_at_mut(chroma);
                    self.fill(width, input, to_luma, u.iter_mut().zip(v));
                }
                _ => {
                    let pairs = to_chroma.as_chunks_mut::<2>().0.iter_mut();
                    self.fill(width, input, to_luma, pairs.map(|[u, v]| (u, v)));
                }
            }
            return;
        }
        if !has_chroma(self.from) {
            return match bytes(self.from) {
                1 => self.repack::<1>(input, output),
                3 => self.repack::<3>(input, output),
                _ => self.repack::<4>(input, output),
            };
        }
        let (luma, chroma_bytes) = input.split_at(luma);
        match self.from {
            _ if self.to == PixelFormat::Gray8 => {
                let levels = luma.iter().map(|y| byte((i32::from(*y) - self.black) * self.step));
                output.iter_mut().zip(levels).for_each(|(into, y)| *into = y);
            }
            PixelFormat::I420 => {
                let (u, v) = chroma_bytes.split_at(chroma);
                self.unfold(width, luma, u.iter().zip(v), output);
            }
            _ => {
                let pairs = chroma_bytes.as_chunks::<2>().0.iter();
                self.unfold(width, luma, pairs.map(|[u, v]| (u, v)), output);
            }
        }
    }

    /// Luma and chroma of any input.
    fn fill<'a>(
        &self,
        width: usize,
        input: &[u8],
        luma: &mut [u8],
        chroma: impl Iterator<Item = (&'a mut u8, &'a mut u8)>,
    ) {
        match self.from {
            PixelFormat::I420 | PixelFormat::Nv12 => {
                let (from_luma, from) = input.split_at(luma.len());
                luma.copy_from_slice(from_luma);
                if self.from == PixelFormat::I420 {
                    let (u, v) = from.split_at(from.len() / 2);
                    chroma.zip(u.iter().zip(v)).for_each(put);
                } else {
                    let pairs = from.as_chunks::<2>().0.iter();
                    chroma.zip(pairs.map(|[u, v]| (u, v))).for_each(put);
                }
            }
            PixelFormat::Gray8 => self.fold::<1>(width, input, luma, chroma),
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => self.fold::<3>(width, input, luma, chroma),
            PixelFormat::Rgba | PixelFormat::Bgra => self.fold::<4>(width, input, luma, chroma),
        }
    }

    /// Luma and chroma of packed pixels.
    fn fold<'a, const N: usize>(
        &self,
        width: usize,
        input: &[u8],
        luma: &mut [u8],
        mut chroma: impl Iterator<Item = (&'a mut u8, &'a mut u8)>,
    ) {
        let swap = is_blue_first(self.from);
        let pixels = &input.as_chunks::<N>().0[..luma.len()];
        for (into, pixel) in luma.iter_mut().zip(pixels) {
            *into = byte(dot(&self.luma, colours(pixel, swap)) + (self.black << BITS));
        }
        for pair in pixels.chunks(2 * width) {
            let (upper, lower) = pair.split_at(width);
            // The last of an odd count of rows (and of columns, below) stands for two.
            let lower = if lower.is_empty() { upper } else { lower };
            for ((upper, lower), (u, v)) in
                upper.chunks(2).zip(lower.chunks(2)).zip(chroma.by_ref())
            {
                let last = upper.len() - 1;
                let mut sum = [0; 3];
                for pixel in [&upper[0], &upper[last], &lower[0], &lower[last]] {
                    let pixel = colours(pixel, swap);
                    sum.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += x);
                }
                // The sum of four has two bits more.
                let mean = |weights| byte((dot(weights, sum) + (128 << (BITS + 2))) >> 2);
                (*u, *v) = (mean(&self.chroma[0]), mean(&self.chroma[1]));
            }
        }
    }

    /// Packed pixels of luma and chroma.
    fn unfold<'a>(
        &self,
        width: usize,
        luma: &[u8],
        chroma: impl Iterator<Item = (&'a u8, &'a u8)> + Clone,
        output: &mut [u8],
    ) {
        match bytes(self.to) {
            3 => self.unfold_pixels::<3>(width, luma, chroma, output),
            _ => self.unfold_pixels::<4>(width, luma, chroma, output),
        }
    }

    fn unfold_pixels<'a, const N: usize>(
        &self,
        width: usize,
        luma: &[u8],
        mut chroma: impl Iterator<Item = (&'a u8, &'a u8)> + Clone,
        output: &mut [u8],
    ) {
        let swap = is_blue_first(self.to);
        let pixels = output.as_chunks_mut::<N>().0;
        for (row, (luma, pixels)) in luma.chunks(width).zip(pixels.chunks_mut(width)).enumerate() {
            let again = chroma.clone();
            for ((luma, pixels), (u, v)) in
                luma.chunks(2).zip(pixels.chunks_mut(2)).zip(chroma.by_ref())
            {
                let (u, v) = (i32::from(*u) - 128, i32::from(*v) - 128);
                let [of_u, of_v] = &self.back;
                let shift: [i32; 3] = std::array::from_fn(|c| of_u[c] * u + of_v[c] * v);
                for (y, into) in luma.iter().zip(pixels) {
                    let y = (i32::from(*y) - self.black) * self.step;
                    *into = packed(shift.map(|shift| byte(y + shift)), 255, swap);
                }
            }
            // The same chroma for two rows.
            if row % 2 == 0 {
                chroma = again;
            }
        }
    }

    /// Packed pixels of packed pixels.
    fn repack<const N: usize>(&self, input: &[u8], output: &mut [u8]) {
        match bytes(self.to) {
            1 => self.repack_to::<N, 1>(input, output),
            3 => self.repack_to::<N, 3>(input, output),
            _ => self.repack_to::<N, 4>(input, output),
        }
    }

    fn repack_to<const N: usize, const M: usize>(&self, input: &[u8], output: &mut [u8]) {
        let (swap, swap_to) = (is_blue_first(self.from), is_blue_first(self.to));
        let pixels = output.as_chunks_mut::<M>().0.iter_mut().zip(input.as_chunks::<N>().0);
        for (into, pixel) in pixels {
            let colours = colours(pixel, swap);
            *into = if M == 1 {
                [byte(dot(&self.gray, colours)); M]
            } else {
                let alpha = if N == 4 { pixel[N - 1] } else { 255 };
                packed(colours.map(|x| x as u8), alpha, swap_to)
            };
        }
    }
}

fn has_chroma(format: PixelFormat) -> bool {
    matches!(format, PixelFormat::I420 | PixelFormat::Nv12)
}

fn is_blue_first(format: PixelFormat) -> bool {
    matches!(format, PixelFormat::Bgr24 | PixelFormat::Bgra)
}

/// Bytes of a packed pixel.
fn bytes(format: PixelFormat) -> usize {
    format.frame_bytes(1, 1)
}

/// Red, green and blue of a pixel; of gray, all are the same.
#[inline(always)]
fn colours<const N: usize>(pixel: &[u8; N], swap: bool) -> [i32; 3] {
    let [r, g, b] = if N == 1 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
    (if swap { [b, g, r] } else { [r, g, b] }).map(i32::from)
}

/// The pixel with those colours.
#[inline(always)]
fn packed<const N: usize>([r, g, b]: [u8; 3], alpha: u8, swap: bool) -> [u8; N] {
    let all = if swap { [b, g, r, alpha] } else { [r, g, b, alpha] };
    std::array::from_fn(|i| all[i])
}

#[inline(always)]
fn dot(weights: &[i32; 3], colours: [i32; 3]) -> i32 {
    weights[0] * colours[0] + weights[1] * colours[1] + weights[2] * colours[2]
}

/// Rounds to the nearest and clips.
#[inline(always)]
fn byte(fixed: i32) -> u8 {
    ((fixed + HALF) >> BITS).clamp(0, 255) as u8
}

fn put(((u, v), (from_u, from_v)): ((&mut u8, &mut u8), (&u8, &u8))) {
    (*u, *v) = (*from_u, *from_v);
}

#[cfg(test)]
mod tests;
