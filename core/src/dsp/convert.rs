//! Sample formats: every format to every other, interleaved or planar, in one pass.
//!
//! Full scale is ±1.0. An n-bit integer holds a value times 2^(n-1), rounded to the nearest (ties
//! to even) and clipped: +1.0 becomes the largest integer and never wraps. Not-a-number becomes 0.
//! Integers become floats by an exact division by 2^(n-1). Between integers bits are added as zeros
//! or rounded away; nothing passes through a float.

use crate::packet::{Audio, SampleFormat};
use multiversion::multiversion;

/// Converts samples into another block with the same frames and channels but any other format.
///
/// # Panics
/// If frames or channels differ, or `into` shares its memory with other packets.
///
/// # Real-time
/// rt-safe.
pub fn convert(from: &Audio, into: &mut Audio) {
    match from.format().sample {
        SampleFormat::F32 => convert_from::<f32>(from, into),
        SampleFormat::I16 => convert_from::<i16>(from, into),
        SampleFormat::I24 => convert_from::<[u8; 3]>(from, into),
        SampleFormat::I32 => convert_from::<i32>(from, into),
        SampleFormat::U8 => convert_from::<u8>(from, into),
    }
}

fn convert_from<S: Pcm>(from: &Audio, into: &mut Audio) {
    match into.format().sample {
        SampleFormat::F32 => convert_typed::<S, f32>(from, into),
        SampleFormat::I16 => convert_typed::<S, i16>(from, into),
        SampleFormat::I24 => convert_typed::<S, [u8; 3]>(from, into),
        SampleFormat::I32 => convert_typed::<S, i32>(from, into),
        SampleFormat::U8 => convert_typed::<S, u8>(from, into),
    }
}

fn convert_typed<S: Pcm, D: Pcm>(from: &Audio, into: &mut Audio) {
    let channels = usize::from(from.format().channels);
    assert!(
        from.frames() == into.frames() && from.format().channels == into.format().channels,
        "both blocks have the same frames and channels"
    );
    match (from.planes() > 1, into.planes() > 1) {
        (false, false) => each(samples::<S>(from, 0), samples_mut::<D>(into, 0)),
        (true, true) => {
            for c in 0..channels {
                each(samples::<S>(from, c), samples_mut::<D>(into, c));
            }
        }
        (false, true) => {
            for c in 0..channels {
                take_channel(samples::<S>(from, 0), channels, c, samples_mut::<D>(into, c));
            }
        }
        (true, false) if channels == 2 => {
            zip_two(samples::<S>(from, 0), samples::<S>(from, 1), samples_mut::<D>(into, 0));
        }
        (true, false) => {
            for c in 0..channels {
                put_channel(samples::<S>(from, c), samples_mut::<D>(into, 0), channels, c);
            }
        }
    }
}

fn samples<S: Pcm>(audio: &Audio, plane: usize) -> &[S] {
    bytemuck::cast_slice(audio.plane(plane))
}

fn samples_mut<D: Pcm>(audio: &mut Audio, plane: usize) -> &mut [D] {
    bytemuck::cast_slice_mut(audio.plane_mut(plane).expect("the caller holds the only view"))
}

#[multiversion(targets("x86_64+avx+avx2"))]
fn each<S: Pcm, D: Pcm>(from: &[S], into: &mut [D]) {
    for (d, s) in into.iter_mut().zip(from) {
        *d = sample(*s);
    }
}

/// One channel of interleaved samples into a plane. Where the stride is not known samples are moved
/// one by one, and wider registers would help nothing.
fn take_channel<S: Pcm, D: Pcm>(from: &[S], channels: usize, channel: usize, into: &mut [D]) {
    if channels == 2 {
        return take_of_two(from, channel, into);
    }
    for (d, s) in into.iter_mut().zip(from[channel.min(from.len())..].iter().step_by(channels)) {
        *d = sample(*s);
    }
}

/// One of two channels: a fixed stride is what lets the compiler use shuffles.
#[multiversion(targets("x86_64+avx+avx2"))]
fn take_of_two<S: Pcm, D: Pcm>(from: &[S], channel: usize, into: &mut [D]) {
    for (d, s) in into.iter_mut().zip(from.as_chunks::<2>().0) {
        *d = sample(s[channel & 1]);
    }
}

/// Two planes into interleaved samples.
#[multiversion(targets("x86_64+avx+avx2"))]
fn zip_two<S: Pcm, D: Pcm>(left: &[S], right: &[S], into: &mut [D]) {
    for ((d, l), r) in into.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right) {
        *d = [sample(*l), sample(*r)];
    }
}

/// A plane into one channel of interleaved samples, one by one.
fn put_channel<S: Pcm, D: Pcm>(from: &[S], into: &mut [D], channels: usize, channel: usize) {
    for (d, s) in into.chunks_exact_mut(channels).zip(from) {
        d[channel] = sample(*s);
    }
}

#[inline(always)]
fn sample<S: Pcm, D: Pcm>(s: S) -> D {
    if S::FLOAT || D::FLOAT { D::from_f32(s.to_f32()) } else { D::from_i32(s.to_i32()) }
}

/// A stored sample: as a float, and as the upper bits of an `i32`.
trait Pcm: bytemuck::Pod {
    const FLOAT: bool = false;
    fn to_f32(self) -> f32;
    fn from_f32(x: f32) -> Self;
    fn to_i32(self) -> i32;
    fn from_i32(x: i32) -> Self;
}

impl Pcm for f32 {
    const FLOAT: bool = true;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        x
    }
    #[inline(always)]
    fn to_i32(self) -> i32 {
        i32::from_f32(self)
    }
    #[inline(always)]
    fn from_i32(x: i32) -> Self {
        x.to_f32()
    }
}

impl Pcm for i16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from(self) * (1.0 / 32_768.0)
    }
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        round_small(clip(x, 32_768.0)) as i16
    }
    #[inline(always)]
    fn to_i32(self) -> i32 {
        i32::from(self) << 16
    }
    #[inline(always)]
    fn from_i32(x: i32) -> Self {
        narrow::<16>(x) as i16
    }
}

impl Pcm for u8 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        (f32::from(self) - 128.0) * (1.0 / 128.0)
    }
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        (round_small(clip(x, 128.0)) as u8).wrapping_add(128)
    }
    #[inline(always)]
    fn to_i32(self) -> i32 {
        (i32::from(self) - 128) << 24
    }
    #[inline(always)]
    fn from_i32(x: i32) -> Self {
        (narrow::<24>(x) + 128) as u8
    }
}

impl Pcm for i32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self as f32 * (1.0 / 2_147_483_648.0)
    }
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        round_wide(x, 2_147_483_648.0)
    }
    #[inline(always)]
    fn to_i32(self) -> i32 {
        self
    }
    #[inline(always)]
    fn from_i32(x: i32) -> Self {
        x
    }
}

/// Packed 24 bits, little-endian.
impl Pcm for [u8; 3] {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self.to_i32().to_f32()
    }
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        let [a, b, c, _] = round_wide(x, 8_388_608.0).to_le_bytes();
        [a, b, c]
    }
    #[inline(always)]
    fn to_i32(self) -> i32 {
        i32::from_le_bytes([0, self[0], self[1], self[2]])
    }
    #[inline(always)]
    fn from_i32(x: i32) -> Self {
        let [a, b, c, _] = narrow::<8>(x).to_le_bytes();
        [a, b, c]
    }
}

/// Scales to ±`full` and clips to what an integer with that range holds; NaN becomes 0. Written as
/// comparisons, each of which is one vector instruction.
#[inline(always)]
fn clip(x: f32, full: f32) -> f32 {
    let y = if x.is_nan() { 0.0 } else { x } * full;
    let y = if y > -full { y } else { -full };
    if y < full - 1.0 { y } else { full - 1.0 }
}

/// Rounds |y| ≤ 2^22 to the nearest integer, ties to even, in its low bits: adding 1.5 × 2^23 lets
/// the adder round to a whole number, which then stands at the end of the mantissa.
#[inline(always)]
fn round_small(y: f32) -> u32 {
    (y + 12_582_912.0).to_bits()
}

/// The same for up to 32 bits, by way of f64, which holds them all.
#[inline(always)]
fn round_wide(x: f32, full: f64) -> i32 {
    let y = if x.is_nan() { 0.0 } else { f64::from(x) } * full;
    let y = if y > -full { y } else { -full };
    let y = if y < full - 1.0 { y } else { full - 1.0 };
    (y + 6_755_399_441_055_744.0).to_bits() as i32
}

/// Takes the low `BITS` bits away, rounding to the nearest, ties to even, with saturation.
#[inline(always)]
fn narrow<const BITS: u32>(x: i32) -> i32 {
    let half_less_one = (1 << (BITS - 1)) - 1;
    x.saturating_add(half_less_one + ((x >> BITS) & 1)) >> BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{AudioFormat, Buffer, Pool};

    fn to<S: Pcm, D: Pcm>(values: &[S]) -> Vec<D> {
        let mut out = vec![D::zeroed(); values.len()];
        each(values, &mut out);
        out
    }

    #[test]
    fn floats_are_scaled_rounded_to_even_and_clipped() {
        let lsb = 1.0 / 32_768.0;
        let values = [0.0, 1.0, -1.0, 0.5 * lsb, 1.5 * lsb, -0.5 * lsb, 2.0, -7.0, 0.999_99];
        assert_eq!(to::<f32, i16>(&values), [0, 32_767, -32_768, 0, 2, 0, 32_767, -32_768, 32_767]);
        assert_eq!(to::<f32, u8>(&[0.0, 1.0, -1.0, 0.5]), [128, 255, 0, 192]);
        let wide = to::<f32, i32>(&[1.0, -1.0, 0.5, -0.25, 3e9, -3e9]);
        assert_eq!(wide, [i32::MAX, i32::MIN, 1 << 30, -(1 << 29), i32::MAX, i32::MIN]);
        assert_eq!(to::<f32, i32>(&[2.5 / 2_147_483_648.0, -3.5 / 2_147_483_648.0]), [2, -4]);
        let packed = to::<f32, [u8; 3]>(&[1.0, -1.0, 1.0 / 8_388_608.0]);
        assert_eq!(packed, [[0xFF, 0xFF, 0x7F], [0, 0, 0x80], [1, 0, 0]]);
    }

    #[test]
    fn what_is_no_number_becomes_silence_and_infinity_full_scale() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(to::<f32, i16>(&odd), [0, 32_767, -32_768]);
        assert_eq!(to::<f32, u8>(&odd), [128, 255, 0]);
        assert_eq!(to::<f32, i32>(&odd), [0, i32::MAX, i32::MIN]);
        assert_eq!(to::<f32, [u8; 3]>(&odd)[0], [0; 3]);
    }

    #[test]
    fn integers_come_back_from_floats_and_wider_integers_unchanged() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        assert_eq!(to::<f32, i16>(&to::<i16, f32>(&all)), all);
        assert_eq!(to::<[u8; 3], i16>(&to::<i16, [u8; 3]>(&all)), all);
        assert_eq!(to::<i32, i16>(&to::<i16, i32>(&all)), all);
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(to::<f32, u8>(&to::<u8, f32>(&bytes)), bytes);
        assert_eq!(to::<i16, u8>(&to::<u8, i16>(&bytes)), bytes);
        let packed: Vec<[u8; 3]> =
            (-8_388_608i32..8_388_608).step_by(997).map(|n| narrow_to_three(n << 8)).collect();
        assert_eq!(to::<f32, [u8; 3]>(&to::<[u8; 3], f32>(&packed)), packed);
        assert_eq!(to::<i32, [u8; 3]>(&to::<[u8; 3], i32>(&packed)), packed);
    }

    fn narrow_to_three(x: i32) -> [u8; 3] {
        Pcm::from_i32(x)
    }

    #[test]
    fn narrowing_rounds_ties_to_even_and_saturates() {
        let values = [0x8000, 0x1_8000, -0x8000, i32::MAX, i32::MIN, 0x8001];
        assert_eq!(to::<i32, i16>(&values), [0, 2, 0, i16::MAX, i16::MIN, 1]);
    }

    #[test]
    fn every_pair_of_layouts_keeps_every_sample_in_its_place() {
        let pool = Pool::new();
        for channels in [1u16, 2, 3, 6, 64] {
            let frames = 37;
            let ints: Vec<i16> = (0..frames * i16::try_from(channels).expect("small")).collect();
            let base = AudioFormat::f32(48_000, channels);
            let source =
                Audio::new(base.with_sample(SampleFormat::I16), Buffer::from_vec(ints.clone()))
                    .expect("fits");
            for middle in SampleFormat::ALL.into_iter().filter(|f| *f != SampleFormat::U8) {
                for planar in [true, false] {
                    let format = base.with_sample(middle).with_planar(planar);
                    let mut one = Audio::from_pool(&pool, format, frames as usize).expect("fits");
                    convert(&source, &mut one);
                    // Through the other layout, too.
                    let format = format.with_planar(!planar);
                    let mut two = Audio::from_pool(&pool, format, frames as usize).expect("fits");
                    convert(&one.slice(0..frames as usize), &mut two);
                    let mut back =
                        Audio::from_pool(&pool, source.format(), frames as usize).expect("fits");
                    convert(&two, &mut back);
                    assert_eq!(back.samples::<i16>(0), Some(&ints[..]), "{middle:?} {planar}");
                }
            }
        }
    }
}
