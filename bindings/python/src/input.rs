//! What people push, as packets.

use crate::array::Array;
use crate::error::{OrRaise, own, to_json};
use crate::packet::Packet as PyPacket;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};
use remotemedia_binding::{DType, Engine, Info, Packet, PixelFormat, SampleFormat};
use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering};

/// The rate of audio where nobody says one, in Hz.
const ASSUMED_RATE: u32 = 48_000;

/// What a port takes, as far as it decides what an array is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Takes {
    pub(crate) audio: bool,
    pub(crate) video: bool,
    pub(crate) others: bool,
    /// Rate of audio that comes without one.
    pub(crate) source_rate: Option<u32>,
}

/// What is said beside the data.
#[derive(Default)]
pub(crate) struct Spec<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) rate: Option<u32>,
    pub(crate) channels: Option<u32>,
    /// Of samples that are given as bytes.
    pub(crate) sample_format: Option<&'a str>,
    pub(crate) planar: bool,
    pub(crate) pts_ns: Option<i64>,
    pub(crate) discont: bool,
    pub(crate) pixel_format: Option<&'a str>,
    pub(crate) codec: Option<&'a str>,
    pub(crate) key: bool,
    pub(crate) borrow: bool,
    /// In whose memory; the default engine's where there is none.
    pub(crate) engine: Option<&'a Engine>,
}

impl Spec<'_> {
    fn apply<'a>(&self, info: Info<'a>) -> Info<'a> {
        let info = info.at(self.pts_ns).discont(self.discont);
        match self.engine {
            Some(engine) => info.in_memory_of(engine),
            None => info,
        }
    }
}

/// How payloads came in.
#[derive(Default)]
pub(crate) struct Copies {
    pub(crate) copied: AtomicU64,
    pub(crate) copied_bytes: AtomicU64,
    /// Of those: element by element, as they had gaps.
    pub(crate) gathered: AtomicU64,
    /// Of those: 64-bit floats made 32-bit ones.
    pub(crate) narrowed: AtomicU64,
    pub(crate) borrowed: AtomicU64,
    pub(crate) borrowed_bytes: AtomicU64,
    /// Packets of audio that came without a rate, and whose port has none.
    pub(crate) assumed_rate: AtomicU64,
}

impl Copies {
    fn copied(&self, bytes: usize) {
        self.copied.fetch_add(1, Ordering::Relaxed);
        self.copied_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The packet in what somebody pushes.
pub(crate) fn packet(
    data: &Bound<'_, PyAny>,
    spec: &Spec<'_>,
    takes: Takes,
    copies: &Copies,
) -> PyResult<Packet> {
    let py = data.py();
    if let Ok(packet) = data.cast::<PyPacket>() {
        return Ok(packet.get().shared());
    }
    if let Ok(text) = data.cast::<PyString>() {
        let text = text.to_str()?;
        return match spec.kind {
            None | Some("text") => made(py, Info::text(text), spec, copies),
            Some("file") => made(py, Info::file(text), spec, copies),
            Some("json") => made(py, Info::json(&to_json(data)?), spec, copies),
            Some(kind) => Err(mismatch(py, kind, "a str")),
        };
    }
    if spec.kind == Some("json") {
        return made(py, Info::json(&to_json(data)?), spec, copies);
    }
    let is_bytes = data.is_instance_of::<PyBytes>() || data.is_instance_of::<PyByteArray>();
    if let Some(array) = Array::of(data)? {
        let flat = array.dtype() == DType::U8 && array.shape().len() == 1;
        let plain = is_bytes || flat && data.is_instance_of::<PyMemoryView>();
        return numbers(py, data, array, plain, spec, takes, copies);
    }
    if data.hasattr(intern!(py, "tobytes"))? && data.hasattr(intern!(py, "mode"))? {
        return image(data, spec, copies);
    }
    if data.hasattr(intern!(py, "__fspath__"))? {
        let path: String = data.call_method0(intern!(py, "__fspath__"))?.extract()?;
        return made(py, Info::file(&path), spec, copies);
    }
    match spec.kind {
        None => made(py, Info::json(&to_json(data)?), spec, copies),
        Some(kind) => Err(mismatch(py, kind, &format!("a {}", data.get_type().name()?))),
    }
}

fn numbers(
    py: Python<'_>,
    data: &Bound<'_, PyAny>,
    array: Array,
    plain: bool,
    spec: &Spec<'_>,
    takes: Takes,
    copies: &Copies,
) -> PyResult<Packet> {
    let kind = match spec.kind {
        Some(kind) => kind,
        None if spec.rate.is_some() || spec.sample_format.is_some() => "audio",
        None if plain => "bytes",
        // A number of NumPy's.
        None if array.shape().is_empty() => "json",
        None if spec.pixel_format.is_some() || takes.video && !takes.audio && !takes.others => {
            "video"
        }
        None if takes.audio && !takes.others => "audio",
        None => "tensor",
    };
    match kind {
        "audio" => audio(py, array, spec, takes, copies),
        "video" => video(py, array, spec, copies),
        "tensor" => {
            let (dtype, shape) = (array.dtype(), array.shape().to_vec());
            put(py, array, spec, copies, |bytes| Info::tensor(bytes, dtype, &shape))
        }
        "bytes" => put(py, array, spec, copies, |bytes| Info::bytes(bytes)),
        "encoded" => {
            let wrong = |what: &str| own(py, "ArgumentError", format!("encoded packets {what}"));
            let codec = spec.codec.ok_or_else(|| wrong("need codec=, e.g. 'opus'"))?;
            let codec = CString::new(codec).map_err(|_| wrong("have no zero byte in codec"))?;
            let Some(bytes) = array.bytes(py).filter(|_| !spec.borrow) else {
                return Err(wrong("are copied from contiguous bytes: leave out copy=False"));
            };
            made(py, Info::encoded(bytes, &codec, spec.key), spec, copies)
        }
        "json" => made(py, Info::json(&to_json(data)?), spec, copies),
        kind => Err(mismatch(py, kind, &format!("a {}", array.describe()))),
    }
}

fn audio(
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
        let samples = array.narrowed(py);
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

/// Names of pixel formats, and the last size of their arrays; 0: two dimensions.
pub(crate) const PIXELS: [(&str, PixelFormat, usize); 7] = [
    ("rgb24", PixelFormat::Rgb24, 3),
    ("bgr24", PixelFormat::Bgr24, 3),
    ("rgba", PixelFormat::Rgba, 4),
    ("bgra", PixelFormat::Bgra, 4),
    ("gray8", PixelFormat::Gray8, 0),
    ("i420", PixelFormat::I420, 0),
    ("nv12", PixelFormat::Nv12, 0),
];

fn video(py: Python<'_>, array: Array, spec: &Spec<'_>, copies: &Copies) -> PyResult<Packet> {
    let wrong = |hint: &str| {
        own(py, "FormatError", format!("a {} is no picture: {hint}", array.describe()))
    };
    if array.dtype() != DType::U8 {
        return Err(wrong("pictures are uint8"));
    }
    let name = match (spec.pixel_format, array.shape()) {
        (Some(name), _) => name,
        (None, [_, _]) => "gray8",
        (None, [_, _, 3]) => "rgb24",
        (None, [_, _, 4]) => "rgba",
        _ => {
            return Err(wrong(
                "its shape is (height, width), (height, width, 3) or (height, width, 4)",
            ));
        }
    };
    let Some((_, format, last)) = PIXELS.iter().find(|(known, ..)| *known == name) else {
        let names = PIXELS.map(|(name, ..)| name).join(", ");
        return Err(wrong(&format!("pixel_format {name:?} is none of {names}")));
    };
    let planes = matches!(format, PixelFormat::I420 | PixelFormat::Nv12);
    let (height, width) = match *array.shape() {
        [rows, width] if planes && rows % 3 == 0 => (rows / 3 * 2, width),
        [height, width] if !planes && *last == 0 => (height, width),
        [height, width, channels] if channels == *last => (height, width),
        _ => {
            let shape = if planes { "(3/2 height, width)" } else { "(height, width, channels)" };
            return Err(wrong(&format!("for {name} its shape is {shape}")));
        }
    };
    let (width, height) = (u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0));
    put(py, array, spec, copies, |bytes| Info::video(bytes, *format, width, height))
}

/// A picture as PIL has it.
fn image(data: &Bound<'_, PyAny>, spec: &Spec<'_>, copies: &Copies) -> PyResult<Packet> {
    let py = data.py();
    let mode: String = data.getattr(intern!(py, "mode"))?.extract()?;
    let (width, height): (u32, u32) = data.getattr(intern!(py, "size"))?.extract()?;
    let format = match mode.as_str() {
        "RGB" => PixelFormat::Rgb24,
        "RGBA" => PixelFormat::Rgba,
        "L" => PixelFormat::Gray8,
        _ => {
            let message =
                format!("an image of mode {mode:?} is not taken: use image.convert('RGB')");
            return Err(own(py, "FormatError", message));
        }
    };
    let bytes = data.call_method0(intern!(py, "tobytes"))?;
    let bytes = bytes.cast::<PyBytes>()?;
    made(py, Info::video(bytes.as_bytes(), format, width, height), spec, copies)
}

/// Makes a packet of an array: over its memory, or of a copy.
fn put(
    py: Python<'_>,
    array: Array,
    spec: &Spec<'_>,
    copies: &Copies,
    info: impl FnOnce(&[u8]) -> Info<'_>,
) -> PyResult<Packet> {
    if spec.borrow {
        let why = match (array.bytes(py), array.is_readonly()) {
            (None, _) => Some("its elements have gaps: use numpy.ascontiguousarray"),
            (_, false) => Some("it can be written to: use array.setflags(write=False)"),
            _ => None,
        };
        if let Some(why) = why {
            let message =
                format!("a {} can't be borrowed: {why}, or leave out copy=False", array.describe());
            return Err(own(py, "FormatError", message));
        }
        let borrowed = array.lend();
        let size = borrowed.as_ref().len();
        let packet = Packet::wrap(borrowed, |bytes| spec.apply(info(bytes)), false).or_raise(py)?;
        copies.borrowed.fetch_add(1, Ordering::Relaxed);
        copies.borrowed_bytes.fetch_add(size as u64, Ordering::Relaxed);
        return Ok(packet);
    }
    if let Some(bytes) = array.bytes(py) {
        return made(py, info(bytes), spec, copies);
    }
    copies.gathered.fetch_add(1, Ordering::Relaxed);
    let bytes = array.gather(py);
    made(py, info(&bytes), spec, copies)
}

/// Makes a packet of a copy.
fn made(py: Python<'_>, info: Info<'_>, spec: &Spec<'_>, copies: &Copies) -> PyResult<Packet> {
    copies.copied(info.size());
    Packet::new(&spec.apply(info)).or_raise(py)
}

fn mismatch(py: Python<'_>, kind: &str, what: &str) -> PyErr {
    let message = format!(
        "{what} can't be made a packet of kind {kind:?}; kinds are audio, video, tensor, text, json, \
         bytes, file and encoded"
    );
    own(py, "ArgumentError", message)
}
