//! What people push, as packets.

use crate::array::Array;
use crate::error::{OrRaise, own, to_json};
use crate::packet::Packet as PyPacket;
use crate::{pictures, samples};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};
use remotemedia_binding::{DType, Engine, Info, Packet};
use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering};

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
        return packet.get().shared(data.py());
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
        return pictures::image(data, spec, copies);
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
        "audio" => samples::audio(py, array, spec, takes, copies),
        "video" => pictures::video(py, array, spec, copies),
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

/// Makes a packet of an array: over its memory, or of a copy.
pub(crate) fn put(
    py: Python<'_>,
    array: Array,
    spec: &Spec<'_>,
    copies: &Copies,
    info: impl FnOnce(&[u8]) -> Info<'_>,
) -> PyResult<Packet> {
    // Nothing is nowhere.
    if spec.borrow && array.len() > 0 {
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
    let bytes = array.gather(py)?;
    made(py, info(&bytes), spec, copies)
}

/// Makes a packet of a copy.
pub(crate) fn made(
    py: Python<'_>,
    info: Info<'_>,
    spec: &Spec<'_>,
    copies: &Copies,
) -> PyResult<Packet> {
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
