//! What is sent, in both forms: as the engine's packets and as the protocol's messages. Each is numbered,
//! and what comes back is compared to the last byte.

use crate::Done;
use bytes::Bytes;
use remotemedia::packet::{Audio, AudioFormat, DType, Tensor};
use remotemedia::remote::v1;
use remotemedia::{Engine, MediaTime, Packet, Payload};
use remotemedia_benches::FRAMES;
use std::sync::Arc;

/// Hertz.
const RATE: u32 = 48_000;

/// One kind of what is sent: noise of some length. The first value of each is its number.
pub(crate) struct Load {
    noise: Vec<u8>,
    is_audio: bool,
}

impl Load {
    /// `packet`: 20 ms of mono audio, 960 f32; a number: a tensor of f32 with so many bytes.
    pub(crate) fn named(name: &str) -> Done<Self> {
        let is_audio = name == "packet";
        let values = if is_audio { FRAMES } else { name.parse::<usize>()? / 4 };
        if values == 0 {
            return Err("a tensor has at least 4 bytes".into());
        }
        let mut state = 1u32;
        let noise = (0..values).flat_map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / 16_777_216.0 - 0.5).to_le_bytes()
        });
        Ok(Self { noise: noise.collect(), is_audio })
    }

    /// The engine's packet of that number.
    pub(crate) fn packet(&self, engine: &Engine, number: u64) -> Done<Packet> {
        let packet = if self.is_audio {
            let mut audio = Audio::from_pool(engine.pool(), AudioFormat::f32(RATE, 1), FRAMES)?;
            self.fill(audio.plane_mut(0).ok_or("fresh memory is not shared")?, number);
            Packet::audio(audio)
        } else {
            let mut values = engine.pool().buffer(self.noise.len());
            self.fill(values.as_mut_slice().ok_or("fresh memory is not shared")?, number);
            let tensor = Tensor::new(DType::F32, vec![self.noise.len() / 4], values)?;
            Packet::new(Payload::Tensor(Arc::new(tensor)))
        };
        Ok(packet.at(MediaTime::from_nanos(nanos(number))))
    }

    /// The samples or values of that number, as the protocol has them.
    pub(crate) fn bytes(&self, number: u64) -> Bytes {
        let mut bytes = vec![0; self.noise.len()];
        self.fill(&mut bytes, number);
        Bytes::from(bytes)
    }

    /// The protocol's packet of that number, with bytes made before.
    pub(crate) fn message(&self, bytes: Bytes, number: u64) -> v1::Packet {
        let payload = if self.is_audio {
            v1::packet::Payload::Audio(v1::Audio {
                rate: RATE,
                channels: 1,
                sample: v1::SampleFormat::F32.into(),
                samples: bytes,
                ..v1::Audio::default()
            })
        } else {
            let shape = vec![self.noise.len() as u64 / 4];
            let dtype = v1::DType::F32.into();
            v1::packet::Payload::Tensor(v1::Tensor { dtype, shape, data: bytes })
        };
        v1::Packet { pts_ns: Some(nanos(number)), discont: false, payload: Some(payload) }
    }

    /// Whether that is the engine's packet of that number.
    pub(crate) fn check(&self, back: &Packet, number: u64) -> Done {
        let bytes = match back.payload() {
            Payload::Audio(audio) if self.is_audio => Some(audio.plane(0)),
            Payload::Tensor(tensor) if !self.is_audio => Some(tensor.buffer.as_slice()),
            _ => None,
        };
        self.compare(bytes, back.pts().map(MediaTime::nanos), number)
    }

    /// Whether that is one output, and the protocol's packet of that number.
    pub(crate) fn check_outputs(&self, outputs: &[v1::Output], number: u64) -> Done {
        let [v1::Output { port: 0, packet: Some(packet) }] = outputs else {
            return Err(format!("{} outputs instead of one", outputs.len()).into());
        };
        let bytes = match &packet.payload {
            Some(v1::packet::Payload::Audio(audio)) if self.is_audio => Some(&*audio.samples),
            Some(v1::packet::Payload::Tensor(tensor)) if !self.is_audio => Some(&*tensor.data),
            _ => None,
        };
        self.compare(bytes, packet.pts_ns, number)
    }

    fn fill(&self, memory: &mut [u8], number: u64) {
        memory.copy_from_slice(&self.noise);
        memory[..4].copy_from_slice(&first(number));
    }

    fn compare(&self, bytes: Option<&[u8]>, pts: Option<i64>, number: u64) -> Done {
        let bytes = bytes.ok_or("what came back is of another kind")?;
        let same = bytes.len() == self.noise.len()
            && bytes[..4] == first(number)
            && bytes[4..] == self.noise[4..]
            && pts == Some(nanos(number));
        match same {
            true => Ok(()),
            false => Err(format!("what came back is not packet {number}").into()),
        }
    }
}

/// Numbers are whole in f32 up to 2^24; they begin again before.
fn first(number: u64) -> [u8; 4] {
    ((number % 65_536) as f32).to_le_bytes()
}

fn nanos(number: u64) -> i64 {
    number as i64 * 20_000_000
}
