//! Cuts audio into packets of equal length.

use super::audio::{audio, audio_format, copy_frames, silence_from};
use crate::error::{Error, Result, detail};
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports};
use crate::packet::{Audio, MediaTime, Packet, SampleClock};

/// Chunks given out by one call; a larger packet is gone through in several.
const CHUNKS_PER_CALL: usize = 64;

/// What becomes of frames that fill no chunk when the stream ends or breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Partial {
    /// They come as a shorter packet.
    Emit,
    /// They come as a full packet with silence at its end.
    Pad,
    /// They are dropped.
    Drop,
}

/// Params of [`AudioChunker`].
#[derive(Debug, Clone, Params)]
pub struct AudioChunkerParams {
    /// Length of a chunk. Absent: 512, or as chunk_ms says.
    #[param(default, min = 1, max = 16_777_216, unit = "frames", alias = "chunk_frames")]
    chunk_size: Option<u32>,
    /// Length of a chunk in time, rounded to whole frames; instead of chunk_size.
    #[param(default, min = 0.1, max = 60_000.0, unit = "ms", alias = "chunk_duration_ms")]
    chunk_ms: Option<f64>,
    /// What becomes of frames that fill no chunk when the stream ends or breaks.
    #[param(default = Partial::Emit)]
    partial: Partial,
}

/// Cuts audio into chunks of equal length, counted from the first packet after a start or a break.
/// A chunk that lies within one packet is a slice of it, any other is put together in fresh memory.
pub struct AudioChunker {
    params: AudioChunkerParams,
    chunk: usize,
    clock: Option<SampleClock>,
    /// The chunk that is being put together, and how many of its frames are there.
    started: Option<(Audio, usize)>,
    /// A packet that is not all used yet, and from which frame on.
    input: Option<(Audio, usize)>,
}

impl Node for AudioChunker {
    type Params = AudioChunkerParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["AudioChunkerNode"],
        category: "audio",
        inputs: &[Port::new("in", Caps::AUDIO, "Audio in packets of any length.")],
        outputs: &[Port::like_input("out", Caps::AUDIO, "The same audio in equal packets.")],
        realtime: true,
        ..Descriptor::new("AudioChunker", "Cuts audio into packets of equal length.")
    };

    fn ports(params: &Self::Params, _: &mut Ports) -> Result<()> {
        if params.chunk_size.is_some() && params.chunk_ms.is_some() {
            return Err(Error::new(
                detail::MANIFEST_PARAM_CONFLICT,
                "chunk_size and chunk_ms both say how long a chunk is",
            )
            .with_hint("Give one of them."));
        }
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self { params, chunk: 0, clock: None, started: None, input: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let rate = audio_format(format)?.rate;
        self.chunk = match (self.params.chunk_size, self.params.chunk_ms) {
            (Some(frames), _) => frames as usize,
            (None, Some(ms)) => MediaTime::from_secs_f64(ms / 1e3).to_frames(rate).max(1) as usize,
            (None, None) => 512,
        };
        Node::reset(self);
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let audio = audio(&packet)?.clone();
        let pts = packet.pts().unwrap_or_default();
        self.clock.get_or_insert_with(|| SampleClock::new(pts, audio.format().rate));
        self.input = Some((audio, 0));
        self.resume(cx)
    }

    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let Some((input, mut at)) = self.input.take() else { return Ok(Flow::Done) };
        for _ in 0..CHUNKS_PER_CALL {
            let left = input.frames() - at;
            if left == 0 {
                return Ok(Flow::Done);
            }
            if self.started.is_none() && left >= self.chunk {
                self.emit(cx, input.slice(at..at + self.chunk));
                at += self.chunk;
                continue;
            }
            let (mut chunk, have) = match self.started.take() {
                Some(started) => started,
                None => (Audio::from_pool(cx.pool(), input.format(), self.chunk)?, 0),
            };
            let take = left.min(self.chunk - have);
            copy_frames(&input, at, &mut chunk, have, take);
            cx.count_copy(take * input.format().frame_bytes());
            at += take;
            if have + take == self.chunk {
                self.emit(cx, chunk);
            } else {
                self.started = Some((chunk, have + take));
            }
        }
        self.input = Some((input, at));
        Ok(Flow::More)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some((mut chunk, have)) = self.started.take() {
            match self.params.partial {
                Partial::Emit => self.emit(cx, chunk.slice(0..have)),
                Partial::Pad => {
                    silence_from(&mut chunk, have);
                    self.emit(cx, chunk);
                }
                Partial::Drop => {}
            }
        }
        Node::reset(self);
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        (self.clock, self.started, self.input) = (None, None, None);
    }
}

impl AudioChunker {
    fn emit(&mut self, cx: &mut Context<'_>, chunk: Audio) {
        let pts = self.clock.as_mut().map(|clock| clock.advance(chunk.frames()));
        let mut packet = Packet::audio(chunk);
        packet.set_pts(pts);
        cx.emit(0, packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{Harness, Random, check_chunking};
    use crate::packet::{AudioFormat, Pool, SampleFormat};
    use serde_json::json;

    #[test]
    fn chunking_makes_no_difference_to_the_samples_in_any_layout() {
        let noise = Random::new(4).noise(48_000, 2, 10_000);
        for format in [
            AudioFormat::f32(48_000, 2),
            AudioFormat::f32(48_000, 2).with_planar(true),
            AudioFormat::f32(48_000, 2).with_sample(SampleFormat::I24).with_planar(true),
        ] {
            let audio = super::super::audio::converted(&Pool::new(), &noise, format).expect("fits");
            for (partial, frames) in [("emit", 10_000), ("pad", 10_240), ("drop", 9_728)] {
                let out = check_chunking::<AudioChunker>(&json!({"partial": partial}), &audio);
                assert_eq!(out[&0].frames, frames, "{partial}");
            }
        }
    }

    #[test]
    fn every_chunk_has_the_length_and_its_time_by_the_count() {
        let mut node = Harness::new::<AudioChunker>(json!({"chunk_ms": 20})).expect("makes");
        let start = MediaTime::from_millis(100);
        let noise = Random::new(4).noise(44_100, 1, 441_000);
        let out = node.push(Packet::audio(noise).at(start)).expect("cuts");
        assert_eq!(out.len(), 500);
        for (n, (_, packet)) in out.iter().enumerate() {
            assert_eq!(packet.as_audio().map(Audio::frames), Some(882));
            let expected = start + MediaTime::from_frames(n as i64 * 882, 44_100);
            assert_eq!(packet.pts(), Some(expected));
        }
    }

    #[test]
    fn a_chunk_within_one_packet_is_not_copied() {
        let mut node = Harness::new::<AudioChunker>(json!({"chunk_size": 100})).expect("makes");
        let noise = Random::new(4).noise(8_000, 1, 250);
        let out = node.push(Packet::audio(noise.clone())).expect("cuts");
        let begin = out[1].1.as_audio().expect("audio").buffer().as_slice().as_ptr();
        assert_eq!(begin, noise.buffer().as_slice()[400..].as_ptr());
        assert_eq!(node.copied_bytes(), 200, "only the rest of 50 frames");
        node.node().reset();
        assert!(node.drain().expect("drains").is_empty());
    }

    #[test]
    fn padding_is_silence_in_every_format() {
        for (format, silence) in [(SampleFormat::U8, 128), (SampleFormat::I16, 0)] {
            let format = AudioFormat::f32(8_000, 1).with_sample(format);
            let params = json!({"chunk_size": 4, "partial": "pad"});
            let mut node = Harness::new::<AudioChunker>(params).expect("makes");
            let audio = Audio::from_pool(node.pool(), format, 3).expect("fits");
            node.push(Packet::audio(audio)).expect("takes");
            let out = node.drain().expect("drains");
            let plane = out[0].1.as_audio().expect("audio").plane(0);
            assert!(plane[3 * format.frame_bytes()..].iter().all(|b| *b == silence));
        }
    }
}
