//! Audio that people push: arrays of samples, and bytes that are samples.

use crate::array::Array;
use crate::error::own;
use crate::input::{Copies, Spec, Takes, made, put};
use pyo3::prelude::*;
use remotemedia_binding::{DType, Info, Packet, SampleFormat};
use std::sync::atomic::Ordering;

/// The rate of audio where nobody says one, in Hz.
const ASSUMED_RATE: u32 = 48_000;

/// The packet in an array of samples.
pub(crate) fn audio(
    py: Python<'_>,
    array: Array,
    spec: &Spec<'_>,
    takes: Takes,
    copies: &Copies,
) -> PyResult<Packet> {
    let wrong = |why: &str, hint: &str| {
        own(py, "FormatError", format!("a {} is no audio: {why}; {hint}", array.describe()))
    };
    if let Some(name) = spec.sample_format {
        return pcm(py, array, name, spec, takes, copies);
    }
    let sample = match array.dtype() {
        DType::F32 | DType::F64 => SampleFormat::F32,
        DType::I16 => SampleFormat::I16,
        DType::I32 => SampleFormat::I32,
        DType::U8 => SampleFormat::U8,
        _ => {
            let hint =
                "samples are float32, float64, int16, int32 or uint8: use array.astype('float32')";
            return Err(wrong("its elements are no samples", hint));
        }
    };
    let channels = match (array.shape(), spec.channels) {
        ([_], None) => 1,
        ([samples], Some(n)) if n > 0 && samples.is_multiple_of(n as usize) => n,
        ([_], Some(n)) => {
            let why = format!("its length is no multiple of {n} channels");
            return Err(wrong(&why, "give whole frames"));
        }
        (&[first, last], said) => {
            let channels = if spec.planar { first } else { last };
            match u32::try_from(channels) {
                Ok(n) if said.is_none_or(|said| said == n) && (1..=64).contains(&n) => n,
                _ => {
                    let why = format!("its size {channels} is taken for the channels");
                    let hint = match spec.planar {
                        true => "the shape of planes is (channels, frames)",
                        false => "the shape is (frames, channels): use array.T",
                    };
                    return Err(wrong(&why, hint));
                }
            }
        }
        _ => {
            let hint = "give (frames,) or (frames, channels)";
            return Err(wrong("it has neither one nor two dimensions", hint));
        }
    };
    let rate = rate(spec, takes, copies);
    if array.dtype() == DType::F64 {
        if spec.borrow {
            return Err(wrong(
                "its elements are narrowed to float32",
                "so it can't be borrowed: leave out copy=False",
            ));
        }
        copies.narrowed.fetch_add(1, Ordering::Relaxed);
        let samples = array.narrowed(py)?;
        let info = Info::audio(&samples, sample, rate, channels).planar(spec.planar);
        return made(py, info, spec, copies);
    }
    let planar = spec.planar;
    put(py, array, spec, copies, |bytes| Info::audio(bytes, sample, rate, channels).planar(planar))
}

fn rate(spec: &Spec<'_>, takes: Takes, copies: &Copies) -> u32 {
    spec.rate.or(takes.source_rate).unwrap_or_else(|| {
        copies.assumed_rate.fetch_add(1, Ordering::Relaxed);
        ASSUMED_RATE
    })
}

/// Names of sample formats.
pub(crate) const SAMPLES: [(&str, SampleFormat); 5] = [
    ("f32", SampleFormat::F32),
    ("i16", SampleFormat::I16),
    ("i24", SampleFormat::I24),
    ("i32", SampleFormat::I32),
    ("u8", SampleFormat::U8),
];

/// Samples that are given as bytes.
fn pcm(
    py: Python<'_>,
    array: Array,
    name: &str,
    spec: &Spec<'_>,
    takes: Takes,
    copies: &Copies,
) -> PyResult<Packet> {
    let wrong = |why: String| own(py, "FormatError", why);
    let Some((_, sample)) = SAMPLES.iter().find(|(known, _)| *known == name) else {
        let names = SAMPLES.map(|(name, _)| name).join(", ");
        return Err(wrong(format!("sample_format {name:?} is none of {names}")));
    };
    if array.dtype() != DType::U8 || array.shape().len() != 1 {
        let what = array.describe();
        return Err(wrong(format!(
            "sample_format is for bytes; a {what} says what its samples are"
        )));
    }
    let channels = spec.channels.unwrap_or(1);
    let frame = sample.bytes().saturating_mul(channels as usize);
    if frame == 0 || !array.len().is_multiple_of(frame) {
        let bytes = array.len();
        return Err(wrong(format!(
            "{bytes} bytes are no whole frames of {channels} channels of {name}"
        )));
    }
    let (sample, planar, rate) = (*sample, spec.planar, rate(spec, takes, copies));
    put(py, array, spec, copies, |bytes| Info::audio(bytes, sample, rate, channels).planar(planar))
}
