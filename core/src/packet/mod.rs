//! Packets: what flows through a pipeline.
//!
//! A [`Packet`] is a payload with a place in time. Payloads are reference-counted, so cloning a
//! packet copies no media; they can be sliced without a copy and written while unshared.

pub mod audio;
mod buffer;
mod json;
mod kinds;
mod pool;
pub mod record;
mod time;

pub use audio::{Audio, AudioFormat, Layout, Sample, SampleFormat};
pub use buffer::Buffer;
pub use json::read_json;
pub use kinds::{DType, Encoded, File, PixelFormat, Tensor, Video};
pub use pool::{Pool, PoolStats};
pub use record::Record;
pub use time::{MediaTime, SampleClock};

use std::fmt;
use std::sync::Arc;

/// What a packet carries.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Payload {
    /// Samples.
    Audio(Audio),
    /// An uncompressed picture.
    Video(Arc<Video>),
    /// A unit of compressed media.
    Encoded(Arc<Encoded>),
    /// An array of numbers.
    Tensor(Arc<Tensor>),
    /// Text.
    Text(Arc<str>),
    /// A JSON value.
    Json(Arc<serde_json::Value>),
    /// A small finding.
    Record(Record),
    /// Bytes without meaning to the engine.
    Bytes(Buffer),
    /// A file by its path.
    File(Arc<File>),
}

/// Kind of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// [`Payload::Audio`]
    Audio,
    /// [`Payload::Video`]
    Video,
    /// [`Payload::Encoded`]
    Encoded,
    /// [`Payload::Tensor`]
    Tensor,
    /// [`Payload::Text`]
    Text,
    /// [`Payload::Json`]
    Json,
    /// [`Payload::Record`]
    Record,
    /// [`Payload::Bytes`]
    Bytes,
    /// [`Payload::File`]
    File,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Audio,
        Self::Video,
        Self::Encoded,
        Self::Tensor,
        Self::Text,
        Self::Json,
        Self::Record,
        Self::Bytes,
        Self::File,
    ];

    /// Its name in manifests and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Encoded => "encoded",
            Self::Tensor => "tensor",
            Self::Text => "text",
            Self::Json => "json",
            Self::Record => "record",
            Self::Bytes => "bytes",
            Self::File => "file",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A payload with a place in time.
#[derive(Clone)]
pub struct Packet {
    /// Nanoseconds; `NO_TIME` when there is none.
    pts: i64,
    discont: bool,
    payload: Payload,
}

const NO_TIME: i64 = i64::MIN;

impl Packet {
    /// A packet without a time: it continues what its port has seen.
    pub fn new(payload: Payload) -> Self {
        Self { pts: NO_TIME, discont: false, payload }
    }

    /// An audio packet.
    pub fn audio(audio: Audio) -> Self {
        Self::new(Payload::Audio(audio))
    }

    /// A text packet.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::new(Payload::Text(text.into()))
    }

    /// A JSON packet.
    pub fn json(value: serde_json::Value) -> Self {
        Self::new(Payload::Json(Arc::new(value)))
    }

    /// A record packet.
    pub fn record(record: Record) -> Self {
        Self::new(Payload::Record(record))
    }

    /// A packet of bytes.
    pub fn bytes(buffer: Buffer) -> Self {
        Self::new(Payload::Bytes(buffer))
    }

    /// Sets the presentation time.
    #[must_use]
    pub fn at(mut self, pts: MediaTime) -> Self {
        self.set_pts(Some(pts));
        self
    }

    /// Presentation time.
    pub fn pts(&self) -> Option<MediaTime> {
        (self.pts != NO_TIME).then(|| MediaTime::from_nanos(self.pts))
    }

    /// Sets or clears the presentation time.
    pub fn set_pts(&mut self, pts: Option<MediaTime>) {
        self.pts = pts.map_or(NO_TIME, MediaTime::nanos);
    }

    /// Whether the stream breaks before this packet: what follows does not continue what was.
    pub fn is_discont(&self) -> bool {
        self.discont
    }

    /// Marks or unmarks a break before this packet.
    pub fn set_discont(&mut self, discont: bool) {
        self.discont = discont;
    }

    /// How long the payload lasts, where that is known.
    pub fn duration(&self) -> Option<MediaTime> {
        self.as_audio().map(Audio::duration)
    }

    /// Time at which the payload is over: pts + duration.
    pub fn end(&self) -> Option<MediaTime> {
        self.pts().map(|pts| pts + self.duration().unwrap_or_default())
    }

    /// The payload.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The payload for changing it.
    pub fn payload_mut(&mut self) -> &mut Payload {
        &mut self.payload
    }

    /// The payload alone.
    pub fn into_payload(self) -> Payload {
        self.payload
    }

    /// Another payload with this packet's time.
    #[must_use]
    pub fn with_payload(self, payload: Payload) -> Self {
        Self { payload, ..self }
    }

    /// Kind of the payload.
    pub fn kind(&self) -> Kind {
        match &self.payload {
            Payload::Audio(_) => Kind::Audio,
            Payload::Video(_) => Kind::Video,
            Payload::Encoded(_) => Kind::Encoded,
            Payload::Tensor(_) => Kind::Tensor,
            Payload::Text(_) => Kind::Text,
            Payload::Json(_) => Kind::Json,
            Payload::Record(_) => Kind::Record,
            Payload::Bytes(_) => Kind::Bytes,
            Payload::File(_) => Kind::File,
        }
    }

    /// The audio, if it is audio.
    pub fn as_audio(&self) -> Option<&Audio> {
        match &self.payload {
            Payload::Audio(audio) => Some(audio),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.payload {
            Payload::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The JSON value, if it is one.
    pub fn as_json(&self) -> Option<&serde_json::Value> {
        match &self.payload {
            Payload::Json(value) => Some(value),
            _ => None,
        }
    }

    /// The record, if it is one.
    pub fn as_record(&self) -> Option<&Record> {
        match &self.payload {
            Payload::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Bytes of media that the packet refers to. Used for the byte limits of queues.
    pub fn size(&self) -> usize {
        match &self.payload {
            Payload::Audio(audio) => audio.buffer().len(),
            Payload::Video(video) => video.buffer.len(),
            Payload::Encoded(encoded) => encoded.buffer.len(),
            Payload::Tensor(tensor) => tensor.buffer.len(),
            Payload::Text(text) => text.len(),
            Payload::Bytes(buffer) => buffer.len(),
            // Not counted to the byte: JSON trees and paths are small beside media.
            Payload::Json(_) | Payload::Record(_) | Payload::File(_) => 64,
        }
    }
}

impl From<Audio> for Packet {
    fn from(audio: Audio) -> Self {
        Self::audio(audio)
    }
}

impl From<Record> for Packet {
    fn from(record: Record) -> Self {
        Self::record(record)
    }
}

impl From<serde_json::Value> for Packet {
    fn from(value: serde_json::Value) -> Self {
        Self::json(value)
    }
}

impl From<&str> for Packet {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())?;
        if let Some(pts) = self.pts() {
            write!(f, " @ {pts}")?;
        }
        if self.discont {
            f.write_str(" DISCONT")?;
        }
        match &self.payload {
            Payload::Audio(a) => write!(f, " {} × {} frames", a.format(), a.frames()),
            Payload::Text(t) => write!(f, " {t:?}"),
            Payload::Json(j) => write!(f, " {j}"),
            Payload::Record(r) => write!(f, " {r:?}"),
            other => write!(f, " {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_small_enough_to_be_moved_about() {
        assert!(size_of::<Packet>() <= 104, "{} bytes", size_of::<Packet>());
    }
}
