//! Collects packets and hands them on together.

use super::audio::copy_frames;
use crate::error::{Error, Result, detail};
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port};
use crate::packet::{Audio, MediaTime, Packet};
use serde_json::Value as Json;
use std::sync::Arc;

/// Params of [`Buffer`].
#[derive(Debug, Clone, Params)]
pub struct BufferParams {
    /// How many packets are collected. Absent: 10, or as long as the other params say.
    #[param(default, min = 1, max = 65_536, unit = "packets")]
    buffer_size: Option<u32>,
    /// How much audio is collected at least, instead of or beside buffer_size: whichever is reached
    /// first.
    #[param(default, min = 1, max = 16_777_216, unit = "frames", alias = "buffer_size_frames")]
    buffer_size_samples: Option<u32>,
    /// The same in time.
    #[param(default, min = 0.1, max = 600_000.0, unit = "ms")]
    duration_ms: Option<f64>,
}

/// Collects packets. Audio comes out joined to one packet, JSON as one array; packets of other kinds
/// come out one by one in their order, all at once. The end delivers what is there.
pub struct Buffer {
    params: BufferParams,
    max_packets: usize,
    max_frames: usize,
    packets: Vec<Packet>,
    frames: usize,
}

impl Node for Buffer {
    type Params = BufferParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["BufferNode", "AudioBuffer", "AudioBufferNode"],
        category: "flow",
        inputs: &[Port::new("in", Caps::ANY, "Packets of one kind.")],
        outputs: &[Port::like_input("out", Caps::ANY, "The same, joined.")],
        keeps_time: true,
        ..Descriptor::new("Buffer", "Collects packets and hands them on together.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        let packets = Vec::new();
        Ok(Self { params, max_packets: 0, max_frames: 0, packets, frames: 0 })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let BufferParams { buffer_size, buffer_size_samples, duration_ms } = self.params;
        let by_length = buffer_size_samples.is_some() || duration_ms.is_some();
        self.max_frames = usize::MAX;
        match format.audio() {
            Some(audio) => {
                let by_time = duration_ms
                    .map(|ms| MediaTime::from_secs_f64(ms / 1e3).to_frames(audio.rate) as usize);
                let by_samples = buffer_size_samples.map(|n| n as usize);
                for limit in by_time.into_iter().chain(by_samples) {
                    self.max_frames = self.max_frames.min(limit.max(1));
                }
            }
            None if by_length && buffer_size.is_none() => {
                return Err(Error::new(
                    detail::FORMAT_KIND,
                    format!("duration_ms and buffer_size_samples measure audio, not {format}"),
                )
                .with_hint("Give buffer_size, which counts packets."));
            }
            None => {}
        }
        self.max_packets = match buffer_size {
            Some(packets) => packets as usize,
            None if by_length => usize::MAX,
            None => 10,
        };
        self.packets.reserve(self.max_packets.min(1024));
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        self.frames += packet.as_audio().map_or(0, Audio::frames);
        self.packets.push(packet);
        if self.packets.len() >= self.max_packets || self.frames >= self.max_frames {
            self.deliver(cx)?;
        }
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.deliver(cx)?;
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        self.packets.clear();
        self.frames = 0;
    }
}

impl Buffer {
    fn deliver(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let Some(first) = self.packets.first() else { return Ok(()) };
        if first.as_json().is_some() {
            let values = self.packets.iter().filter_map(|p| p.as_json().cloned()).collect();
            let payload = crate::packet::Payload::Json(Arc::new(Json::Array(values)));
            cx.emit(0, first.clone().with_payload(payload));
        } else if let (Some(audio), true) = (first.as_audio(), self.packets.len() > 1) {
            let format = audio.format();
            let mut joined = Audio::from_pool(cx.pool(), format, self.frames)?;
            let mut at = 0;
            for part in self.packets.iter().filter_map(Packet::as_audio) {
                copy_frames(part, 0, &mut joined, at, part.frames());
                at += part.frames();
            }
            cx.count_copy(at * format.frame_bytes());
            cx.emit(0, first.clone().with_payload(crate::packet::Payload::Audio(joined)));
        } else {
            self.packets.drain(..).for_each(|packet| cx.emit(0, packet));
        }
        Node::reset(self);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{Harness, Random, check_chunking, cut};
    use serde_json::json;

    #[test]
    fn ten_values_become_an_array_and_the_end_gives_the_rest() {
        let mut node = Harness::new::<Buffer>(json!({})).expect("makes");
        let mut out = Vec::new();
        for n in 0..13 {
            let packet = Packet::json(json!(n)).at(MediaTime::from_millis(n));
            out.extend(node.push(packet).expect("takes"));
        }
        out.extend(node.drain().expect("drains"));
        assert_eq!(out.len(), 2);
        assert_eq!(out[0].1.as_json(), Some(&json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])));
        assert_eq!(out[1].1.as_json(), Some(&json!([10, 11, 12])));
        assert_eq!(out[1].1.pts(), Some(MediaTime::from_millis(10)));
    }

    #[test]
    fn audio_is_joined_by_packets_or_by_length() {
        let noise = Random::new(6).noise(8_000, 2, 1_000);
        for (params, expected) in [
            (json!({"buffer_size": 3}), vec![300, 300, 300, 100]),
            (json!({"buffer_size_samples": 250}), vec![300, 300, 300, 100]),
            (json!({"duration_ms": 50, "buffer_size": 2}), vec![200; 5]),
        ] {
            let mut node = Harness::new::<Buffer>(params).expect("makes");
            let mut frames = Vec::new();
            for packet in cut(&noise, MediaTime::ZERO, || 100) {
                let out = node.push(packet).expect("takes");
                frames.extend(out.iter().map(|(_, p)| p.as_audio().expect("audio").frames()));
            }
            let out = node.drain().expect("drains");
            frames.extend(out.iter().map(|(_, p)| p.as_audio().expect("audio").frames()));
            assert_eq!(frames, expected);
        }
        let out = check_chunking::<Buffer>(&json!({"buffer_size": 4}), &noise);
        assert_eq!(out[&0].f32(), noise.f32().expect("f32"));
    }

    #[test]
    fn other_kinds_come_out_together_in_their_order() {
        let mut node = Harness::new::<Buffer>(json!({"buffer_size": 2})).expect("makes");
        assert!(node.push(Packet::text("a")).expect("takes").is_empty());
        let out = node.push(Packet::text("b")).expect("takes");
        let texts: Vec<_> = out.iter().filter_map(|(_, p)| p.as_text()).collect();
        assert_eq!(texts, ["a", "b"]);
        let mut node = Harness::new::<Buffer>(json!({"duration_ms": 5})).expect("makes");
        let error = node.push(Packet::text("a")).expect_err("text has no length");
        assert_eq!(error.detail(), detail::FORMAT_KIND);
    }
}
