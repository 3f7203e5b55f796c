//! Packets to messages and back.

use crate::{record, v1};
use bytes::Bytes;
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::node::Emission;
use remotemedia_core::packet::audio::Layout;
use remotemedia_core::packet::{
    Audio, AudioFormat, Buffer, DType, Encoded, File, MediaTime, Packet, Payload, PixelFormat,
    Pool, SampleFormat, Tensor, Video, read_json,
};
use std::sync::Arc;

/// A packet as a message. Payloads are shared, not copied.
pub fn to_wire(packet: &Packet) -> v1::Packet {
    use v1::packet::Payload as Wire;
    let payload = match packet.payload() {
        Payload::Audio(audio) => Wire::Audio(audio_to_wire(audio)),
        Payload::Video(video) => Wire::Video(v1::Video {
            format: pixel_to_wire(video.format).into(),
            width: video.width,
            height: video.height,
            pixels: shared(&video.buffer),
        }),
        Payload::Encoded(encoded) => Wire::Encoded(v1::Encoded {
            codec: encoded.codec.clone(),
            key: encoded.key,
            dts_ns: encoded.dts.map(MediaTime::nanos),
            config: encoded.config.as_ref().map(shared),
            data: shared(&encoded.buffer),
        }),
        Payload::Tensor(tensor) => Wire::Tensor(v1::Tensor {
            dtype: dtype_to_wire(tensor.dtype).into(),
            shape: tensor.shape.iter().map(|size| *size as u64).collect(),
            data: shared(&tensor.buffer),
        }),
        Payload::Text(text) => Wire::Text(text.to_string()),
        Payload::Json(value) => Wire::Json(value.to_string()),
        Payload::Record(record) => Wire::Record(record::to_wire(record)),
        Payload::Bytes(buffer) => Wire::Bytes(shared(buffer)),
        Payload::File(file) => Wire::File(v1::File {
            path: file.path.to_string_lossy().into_owned(),
            mime: file.mime.clone(),
        }),
        other => unreachable!("{other:?} has a message"),
    };
    v1::Packet {
        pts_ns: packet.pts().map(MediaTime::nanos),
        discont: packet.is_discont(),
        payload: Some(payload),
    }
}

/// The packet of a message. Its payload is that of the message, unless samples or numbers would lie
/// where they can't be read: then it is a copy, in memory of the pool.
///
/// # Errors
/// `remote.protocol` for what is no packet; as the payload's constructor.
pub fn from_wire(packet: v1::Packet, pool: &Pool) -> Result<Packet> {
    use v1::packet::Payload as Wire;
    let payload = match packet.payload {
        Some(Wire::Audio(audio)) => Payload::Audio(audio_from_wire(audio, pool)?),
        Some(Wire::Video(video)) => {
            let format = pixel_from_wire(video.format())?;
            let pixels = Buffer::from_owner(video.pixels);
            Payload::Video(Arc::new(Video::new(format, video.width, video.height, pixels)?))
        }
        Some(Wire::Encoded(encoded)) => Payload::Encoded(Arc::new(Encoded {
            codec: encoded.codec,
            key: encoded.key,
            dts: encoded.dts_ns.map(MediaTime::from_nanos),
            config: encoded.config.map(Buffer::from_owner),
            buffer: Buffer::from_owner(encoded.data),
        })),
        Some(Wire::Tensor(tensor)) => {
            let dtype = dtype_from_wire(tensor.dtype())?;
            if tensor.shape.len() > Tensor::MAX_RANK {
                return Err(wrong(format!("a tensor of {} dimensions", tensor.shape.len())));
            }
            let sizes = tensor.shape.iter().map(|size| usize::try_from(*size));
            let shape = sizes.collect::<Result<_, _>>().map_err(|e| wrong(e.to_string()))?;
            let buffer = aligned(tensor.data, dtype.bytes(), pool)?;
            Payload::Tensor(Arc::new(Tensor::new(dtype, shape, buffer)?))
        }
        Some(Wire::Text(text)) => Payload::Text(text.into()),
        Some(Wire::Json(text)) => {
            let value = read_json(&text).map_err(|e| wrong(format!("JSON that is none: {e}")))?;
            Payload::Json(Arc::new(value))
        }
        Some(Wire::Record(record)) => Payload::Record(record::from_wire(record)?),
        Some(Wire::Bytes(bytes)) => Payload::Bytes(Buffer::from_owner(bytes)),
        Some(Wire::File(file)) => {
            Payload::File(Arc::new(File { path: file.path.into(), mime: file.mime }))
        }
        None => return Err(wrong("a packet of a kind that is not known here".to_owned())),
    };
    let mut made = Packet::new(payload);
    made.set_pts(packet.pts_ns.filter(|pts| *pts != i64::MIN).map(MediaTime::from_nanos));
    made.set_discont(packet.discont);
    Ok(made)
}

/// What a node has given out, as messages.
pub(crate) fn outputs_to_wire(outputs: &[Emission]) -> Vec<v1::Output> {
    let output =
        |e: &Emission| v1::Output { port: e.port as u32, packet: Some(to_wire(&e.packet)) };
    outputs.iter().map(output).collect()
}

/// What a node has given out: at each place the index of the port and the packet.
///
/// # Errors
/// As [`from_wire`].
pub(crate) fn outputs_from_wire(
    outputs: Vec<v1::Output>,
    pool: &Pool,
) -> Result<Vec<(usize, Packet)>> {
    let output = |o: v1::Output| Ok((o.port as usize, from_wire(present(o.packet)?, pool)?));
    outputs.into_iter().map(output).collect()
}

/// A message that has to be there.
///
/// # Errors
/// `remote.protocol` when it is not.
pub(crate) fn present<T>(message: Option<T>) -> Result<T> {
    message.ok_or_else(|| wrong(format!("no {}", short_name::<T>())))
}

fn short_name<T>() -> &'static str {
    std::any::type_name::<T>().rsplit("::").next().unwrap_or("message")
}

/// Live params that are to be set.
///
/// # Errors
/// `remote.protocol` for what is no JSON object.
pub(crate) fn params(text: &str) -> Result<serde_json::Map<String, serde_json::Value>> {
    match read_json(text) {
        Ok(serde_json::Value::Object(params)) => Ok(params),
        _ => Err(wrong("params that are no object".to_owned())),
    }
}

/// An error of what came over the wire.
pub(crate) fn wrong(what: String) -> Error {
    Error::new(detail::REMOTE_PROTOCOL, format!("the other side of the connection sent {what}"))
        .with_hint("see whether both sides have the same version")
}

fn audio_to_wire(audio: &Audio) -> v1::Audio {
    let format = audio.format();
    let samples =
        if audio.planes() <= 1 || audio.buffer().len() == audio.frames() * format.frame_bytes() {
            shared(audio.buffer())
        } else {
            // A part of planar audio: its planes lie apart.
            let planes: Vec<&[u8]> = (0..audio.planes()).map(|plane| audio.plane(plane)).collect();
            Bytes::from(planes.concat())
        };
    v1::Audio {
        rate: format.rate,
        channels: format.channels.into(),
        sample: sample_to_wire(format.sample).into(),
        planar: format.planar,
        layout: format.layout.0,
        samples,
    }
}

fn audio_from_wire(audio: v1::Audio, pool: &Pool) -> Result<Audio> {
    let sample = sample_from_wire(audio.sample())?;
    let channels = u16::try_from(audio.channels);
    let channels = channels.map_err(|_| wrong(format!("audio of {} channels", audio.channels)))?;
    let format = AudioFormat {
        layout: Layout(audio.layout),
        ..AudioFormat::f32(audio.rate, channels).with_sample(sample).with_planar(audio.planar)
    };
    Audio::new(format, aligned(audio.samples, sample.align(), pool)?)
}

/// The bytes where elements of that size can be read.
fn aligned(bytes: Bytes, align: usize, pool: &Pool) -> Result<Buffer> {
    if bytes.as_ptr().align_offset(align) == 0 {
        return Ok(Buffer::from_owner(bytes));
    }
    let mut buffer = pool.try_buffer(bytes.len())?;
    let into = buffer.as_mut_slice().expect("fresh memory has no other view");
    into.copy_from_slice(&bytes);
    Ok(buffer)
}

fn shared(buffer: &Buffer) -> Bytes {
    struct View(Buffer);
    impl AsRef<[u8]> for View {
        fn as_ref(&self) -> &[u8] {
            self.0.as_slice()
        }
    }
    Bytes::from_owner(View(buffer.clone()))
}

/// Names of an enum here and of its twin on the wire.
macro_rules! twins {
    ($to:ident, $from:ident: $here:ident, $there:ident { $($name:ident),* $(,)? }) => {
        fn $to(value: $here) -> v1::$there {
            #[allow(unreachable_patterns, reason = "some of the enums may grow")]
            match value {
                $($here::$name => v1::$there::$name,)*
                _ => v1::$there::Unspecified,
            }
        }

        fn $from(value: v1::$there) -> Result<$here> {
            match value {
                $(v1::$there::$name => Ok($here::$name),)*
                v1::$there::Unspecified => {
                    Err(wrong(format!("a {} that is not known here", stringify!($there))))
                }
            }
        }
    };
}

twins!(sample_to_wire, sample_from_wire: SampleFormat, SampleFormat { F32, I16, I24, I32, U8 });
twins!(pixel_to_wire, pixel_from_wire: PixelFormat, PixelFormat {
    Rgb24, Bgr24, Rgba, Bgra, Gray8, I420, Nv12,
});
twins!(dtype_to_wire, dtype_from_wire: DType, DType { F32, F64, F16, I8, I16, I32, I64, U8, Bool });
