//! Packets and errors go over the wire and come back as they were; what is none is an error.

#[path = "../../fuzz/src/wire.rs"]
#[allow(unreachable_pub, reason = "it is a module of another program")]
mod wire;

use proptest::prelude::*;
use prost::Message;
use remotemedia::error::{Error, detail};
use remotemedia::node::testing::Random;
use remotemedia::packet::audio::Layout;
use remotemedia::packet::record::{Field, FieldKind, Schema, Value};
use remotemedia::packet::{
    Audio, AudioFormat, Buffer, DType, Encoded, File, PixelFormat, Pool, Record, SampleFormat,
    Tensor, Video,
};
use remotemedia::remote::v1;
use remotemedia::{MediaTime, Packet, Payload};
use std::sync::Arc;

static FINDING: Schema = Schema {
    name: "finding",
    fields: &[
        Field { name: "on", kind: FieldKind::Bool, doc: "" },
        Field { name: "count", kind: FieldKind::Int, doc: "" },
        Field { name: "level", kind: FieldKind::Float, doc: "" },
        Field { name: "state", kind: FieldKind::Name(&["low", "high"]), doc: "" },
    ],
};

/// There and back, by bytes.
fn carried(packet: &Packet) -> Packet {
    let bytes = remotemedia::remote::packet_to_wire(packet).encode_to_vec();
    let message = v1::Packet::decode(bytes.as_slice()).expect("it was just encoded");
    remotemedia::remote::packet_from_wire(message, &Pool::new()).expect("it is a packet")
}

fn bytes(packet: &Packet) -> Vec<u8> {
    match packet.payload() {
        Payload::Audio(audio) => audio.buffer().as_slice().to_vec(),
        Payload::Video(video) => video.buffer.as_slice().to_vec(),
        Payload::Encoded(encoded) => encoded.buffer.as_slice().to_vec(),
        Payload::Tensor(tensor) => tensor.buffer.as_slice().to_vec(),
        Payload::Bytes(buffer) => buffer.as_slice().to_vec(),
        _ => Vec::new(),
    }
}

fn random(random: &mut Random) -> Packet {
    let buffer = |random: &mut Random, len: usize| {
        Buffer::from_vec((0..len).map(|_| random.below(256) as u8).collect::<Vec<_>>())
    };
    let payload = match random.below(9) {
        0 => {
            let channels = 1 + random.below(8) as u16;
            let sample = SampleFormat::ALL[random.below(SampleFormat::ALL.len())];
            let format = AudioFormat {
                layout: Layout(random.below(2) as u32 * 3),
                ..AudioFormat::f32(8000 + random.below(90_000) as u32, channels)
                    .with_sample(sample)
                    .with_planar(random.below(2) == 1)
            };
            let frames = random.below(500);
            let mut audio = Audio::from_pool(&Pool::new(), format, frames).expect("audio");
            for plane in 0..audio.planes() {
                let bytes = audio.plane_mut(plane).expect("nobody else has it");
                bytes.iter_mut().for_each(|byte| *byte = random.below(256) as u8);
            }
            // A part of it, whose planes lie apart.
            let end = random.below(frames + 1);
            Payload::Audio(audio.slice(random.below(end + 1)..end))
        }
        1 => {
            let format = PixelFormat::ALL[random.below(PixelFormat::ALL.len())];
            let (width, height) = (1 + random.below(20) as u32, 1 + random.below(20) as u32);
            let buffer = buffer(random, format.frame_bytes(width, height));
            Payload::Video(Arc::new(Video::new(format, width, height, buffer).expect("a picture")))
        }
        2 => Payload::Encoded(Arc::new(Encoded {
            codec: "opus".to_owned(),
            key: random.below(2) == 1,
            dts: (random.below(2) == 1).then(|| MediaTime::from_millis(random.below(1000) as i64)),
            config: (random.below(2) == 1).then(|| buffer(random, 5)),
            buffer: buffer(random, random.clone().below(100)),
        })),
        3 => {
            let types = [DType::F32, DType::F64, DType::I16, DType::U8, DType::Bool, DType::F16];
            let dtype = types[random.below(types.len())];
            let shape: Vec<usize> = (0..random.below(4)).map(|_| random.below(6)).collect();
            let len = shape.iter().product::<usize>() * dtype.bytes();
            let tensor = Tensor::new(dtype, shape, buffer(random, len)).expect("a tensor");
            Payload::Tensor(Arc::new(tensor))
        }
        4 => Payload::Text("größer than 日本".into()),
        5 => Payload::Json(Arc::new(serde_json::json!({"a": [1, 2.5, null, "x"], "b": {}}))),
        6 => Payload::Record(Record::new(
            &FINDING,
            &[
                Value::Bool(random.below(2) == 1),
                Value::Int(random.below(1 << 40) as i64 - (1 << 39)),
                Value::Float([f64::NAN, f64::NEG_INFINITY, 0.25][random.below(3)]),
                Value::Name(["low", "high"][random.below(2)]),
            ],
        )),
        7 => Payload::Bytes(buffer(random, random.clone().below(1000))),
        _ => {
            Payload::File(Arc::new(File { path: "a/b.wav".into(), mime: Some("audio/wav".into()) }))
        }
    };
    let mut packet = Packet::new(payload);
    packet.set_discont(random.below(2) == 1);
    let pts = [
        None,
        Some(MediaTime::ZERO),
        Some(MediaTime::from_nanos(-1)),
        Some(MediaTime::from_millis(1 << 40)),
    ];
    packet.set_pts(pts[random.below(pts.len())]);
    packet
}

proptest! {
    #[test]
    fn packets_come_back_as_they_were(seed in any::<u64>()) {
        let packet = random(&mut Random::new(seed));
        let back = carried(&packet);
        prop_assert_eq!(format!("{packet:?}"), format!("{back:?}"));
        prop_assert_eq!(packet.pts(), back.pts());
        let planes = |packet: &Packet| {
            packet.as_audio().map(|audio| {
                (0..audio.planes()).map(|plane| audio.plane(plane).to_vec()).collect::<Vec<_>>()
            })
        };
        match planes(&packet) {
            Some(there) => prop_assert_eq!(Some(there), planes(&back)),
            None => prop_assert_eq!(bytes(&packet), bytes(&back)),
        }
    }

    #[test]
    fn whatever_comes_is_a_message_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        wire::TARGETS.iter().for_each(|(_, check)| check(&data));
    }

    #[test]
    fn messages_with_a_few_bytes_changed_are_messages_or_errors(
        seed in any::<u64>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let packet = remotemedia::remote::packet_to_wire(&random(&mut Random::new(seed)));
        let mut data = packet.encode_to_vec();
        if !data.is_empty() {
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
        }
        wire::packet(&data);
    }
}

#[test]
fn errors_come_back_with_all_that_they_say() {
    let cause = Error::new(detail::IO_OPEN, "no such file");
    let error = Error::new(detail::FORMAT_AUDIO, "port 'in' takes f32, not i16")
        .in_node("n")
        .at_port("in")
        .at_pointer("/nodes/0")
        .with_hint("convert it")
        .caused_by(cause);
    // As a server sends it: in the answer to a call.
    let message = v1::Error {
        status: "Format".to_owned(),
        detail: "format.audio".to_owned(),
        message: error.message().to_owned(),
        node: Some("n".to_owned()),
        port: Some("in".to_owned()),
        pointer: Some("/nodes/0".to_owned()),
        hint: Some("convert it".to_owned()),
        cause: Some(Box::new(v1::Error {
            status: "Io".to_owned(),
            detail: "io.open".to_owned(),
            message: "no such file".to_owned(),
            ..v1::Error::default()
        })),
        ..v1::Error::default()
    };
    let bytes = message.encode_to_vec();
    let message = v1::Error::decode(bytes.as_slice()).expect("it was just encoded");
    assert_eq!(remotemedia::remote::error_from_wire(message), error);
    // One that only a later version has.
    let later = v1::Error { detail: "later.thing".to_owned(), ..v1::Error::default() };
    let later = remotemedia::remote::error_from_wire(later);
    assert_eq!(later.detail(), detail::NODE_FAILED);
    assert!(later.message().contains("later.thing"));
    // Causes without end.
    let mut deep = v1::Error::default();
    for _ in 0..90 {
        deep = v1::Error { cause: Some(Box::new(deep)), ..v1::Error::default() };
    }
    wire::error(&deep.encode_to_vec());
}
