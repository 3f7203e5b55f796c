//! Sample formats at the border between memory and files.
//!
//! Every sample goes through `f64`, which holds each of the five formats exactly. Full scale of an
//! integer of `n` bits is 2^(n−1), so that the way to floats and back gives the same integers.
//! Floats are rounded to the nearest integer (ties to even) and clipped; not-a-number is silence.

use crate::packet::{Audio, SampleFormat};

/// Converts little-endian samples from one format to another and appends them to `out`. Bytes
/// beyond the last whole sample are ignored.
pub fn append(from: SampleFormat, bytes: &[u8], to: SampleFormat, out: &mut Vec<u8>) {
    let samples = bytes.chunks_exact(from.bytes());
    if from == to {
        out.extend_from_slice(&bytes[..samples.len() * from.bytes()]);
        return;
    }
    out.reserve(samples.len() * to.bytes());
    for sample in samples {
        push(to, read(from, sample), out);
    }
}

/// Converts little-endian samples to f32, as many as fit.
pub fn to_f32(from: SampleFormat, bytes: &[u8], out: &mut [f32]) {
    for (out, sample) in out.iter_mut().zip(bytes.chunks_exact(from.bytes())) {
        *out = read(from, sample) as f32;
    }
}

/// Appends a block's samples to `out`: interleaved, little-endian, in the format `to`.
pub fn append_audio(audio: &Audio, to: SampleFormat, out: &mut Vec<u8>) {
    let from = audio.format().sample;
    if audio.planes() == 1 && cfg!(target_endian = "little") {
        append(from, audio.plane(0), to, out);
        return;
    }
    let bytes = from.bytes();
    let channels = if audio.planes() == 1 { 1 } else { audio.planes() };
    let each = audio.plane(0).len() / bytes;
    for index in 0..each {
        for plane in 0..channels {
            let sample = &audio.plane(plane)[index * bytes..][..bytes];
            push(to, read_native(from, sample), out);
        }
    }
}

fn read(format: SampleFormat, bytes: &[u8]) -> f64 {
    match (format, bytes) {
        (SampleFormat::U8, [a]) => (f64::from(*a) - 128.0) / 128.0,
        (SampleFormat::I16, [a, b]) => f64::from(i16::from_le_bytes([*a, *b])) / 32_768.0,
        (SampleFormat::I24, [a, b, c]) => {
            f64::from(i32::from_le_bytes([0, *a, *b, *c])) / 2_147_483_648.0
        }
        (SampleFormat::I32, [a, b, c, d]) => {
            f64::from(i32::from_le_bytes([*a, *b, *c, *d])) / 2_147_483_648.0
        }
        (SampleFormat::F32, [a, b, c, d]) => f64::from(f32::from_le_bytes([*a, *b, *c, *d])),
        _ => 0.0,
    }
}

/// As [`read`] for samples in memory, which have the machine's byte order; packed 24-bit is
/// little-endian everywhere.
fn read_native(format: SampleFormat, bytes: &[u8]) -> f64 {
    if cfg!(target_endian = "little") || matches!(format, SampleFormat::U8 | SampleFormat::I24) {
        return read(format, bytes);
    }
    let mut swapped = [0; 4];
    let swapped = &mut swapped[..bytes.len()];
    swapped.copy_from_slice(bytes);
    swapped.reverse();
    read(format, swapped)
}

fn push(format: SampleFormat, value: f64, out: &mut Vec<u8>) {
    // `as` maps not-a-number to zero and clips.
    let scaled = |full: f64| (value * full).round_ties_even();
    match format {
        SampleFormat::U8 => out.push((scaled(128.0).clamp(-128.0, 127.0) as i16 + 128) as u8),
        SampleFormat::I16 => out.extend((scaled(32_768.0) as i16).to_le_bytes()),
        SampleFormat::I24 => {
            let clipped = scaled(8_388_608.0).clamp(-8_388_608.0, 8_388_607.0) as i32;
            out.extend(&clipped.to_le_bytes()[..3]);
        }
        SampleFormat::I32 => out.extend((scaled(2_147_483_648.0) as i32).to_le_bytes()),
        SampleFormat::F32 => out.extend((value as f32).to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{AudioFormat, Buffer};

    fn ints(bytes: &[u8]) -> Vec<i16> {
        bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
    }

    #[test]
    fn floats_round_to_the_nearest_even_integer_and_clip() {
        let floats = [0.5f32 / 32_768.0, 1.5 / 32_768.0, -0.5 / 32_768.0, 1.0, -1.0, 7.0, f32::NAN];
        let mut out = Vec::new();
        append(SampleFormat::F32, bytemuck::cast_slice(&floats), SampleFormat::I16, &mut out);
        let ints = ints(&out);
        assert_eq!(ints, [0, 2, 0, 32_767, -32_768, 32_767, 0]);
        out.clear();
        append(SampleFormat::F32, bytemuck::cast_slice(&floats[3..]), SampleFormat::U8, &mut out);
        assert_eq!(out, [255, 0, 255, 128]);
    }

    #[test]
    fn integers_come_back_from_floats_unchanged() {
        for (format, samples) in [
            (SampleFormat::U8, (0..=255u8).collect::<Vec<u8>>()),
            (SampleFormat::I16, (0..=u16::MAX).flat_map(u16::to_le_bytes).collect()),
            (
                SampleFormat::I24,
                (0..1u32 << 24)
                    .step_by(251)
                    .flat_map(|n| [n as u8, (n >> 8) as u8, (n >> 16) as u8])
                    .collect(),
            ),
        ] {
            let (mut floats, mut back) = (Vec::new(), Vec::new());
            append(format, &samples, SampleFormat::F32, &mut floats);
            append(SampleFormat::F32, &floats, format, &mut back);
            assert!(back == samples, "{} changed", format.name());
        }
    }

    #[test]
    fn planar_blocks_are_interleaved() {
        let format = AudioFormat::f32(8_000, 2).with_planar(true);
        let audio =
            Audio::new(format, Buffer::from_vec(vec![0.0f32, 0.25, 0.5, -0.5])).expect("fits");
        let mut out = Vec::new();
        append_audio(&audio, SampleFormat::I16, &mut out);
        let ints = ints(&out);
        assert_eq!(ints, [0, 16_384, 8_192, -16_384]);
    }
}
