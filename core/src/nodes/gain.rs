//! Makes audio louder or softer.

use super::audio::{audio_format, fill_f32, samples};
use crate::dsp::gain::{self, factor};
use crate::error::Result;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port};
use crate::packet::{MediaTime, Packet, Payload};

/// Params of [`Gain`].
#[derive(Debug, Clone, Params)]
pub struct GainParams {
    /// How much louder; -120 is silence. There is no limiter: f32 has room above full scale.
    #[param(default = 0.0, min = -120.0, max = 60.0, unit = "dB", live, alias = "gain")]
    gain_db: f32,
    /// How long a change of gain_db takes, in a straight line of the factor.
    #[param(default = 5.0, min = 0.0, max = 10_000.0, unit = "ms", live)]
    ramp_ms: f32,
}

/// Multiplies samples by a factor, in place where nobody else holds the packet.
pub struct Gain {
    params: GainParams,
    gain: gain::Gain,
    rate: u32,
    channels: usize,
}

impl Node for Gain {
    type Params = GainParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["GainNode"],
        category: "audio",
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Audio.")],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "The same audio, louder or softer.")],
        realtime: true,
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("Gain", "Makes audio louder or softer.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        let gain = gain::Gain::new(factor(params.gain_db));
        Ok(Self { params, gain, rate: 0, channels: 1 })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let format = audio_format(format)?;
        (self.rate, self.channels) = (format.rate, format.channels.into());
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, mut packet: Packet) -> Result<Flow> {
        if !self.gain.is_one()
            && let Payload::Audio(audio) = packet.payload_mut()
        {
            if let Some(samples) = audio.f32_mut() {
                self.gain.apply(samples, self.channels);
            } else {
                let input = samples(audio)?;
                let copy = fill_f32(cx.pool(), audio.format(), audio.frames(), |output| {
                    output.copy_from_slice(input);
                    self.gain.apply(output, self.channels);
                })?;
                cx.count_copy(std::mem::size_of_val(input));
                *audio = copy;
            }
        }
        cx.emit(0, packet);
        Ok(Flow::Done)
    }

    fn drain(&mut self, _: &mut Context<'_>) -> Result<Flow> {
        Node::reset(self);
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        self.gain = gain::Gain::new(self.gain.goal());
    }

    fn set_params(&mut self, params: Self::Params) {
        let frames = MediaTime::from_secs_f64(f64::from(params.ramp_ms) / 1e3).to_frames(self.rate);
        let goal = factor(params.gain_db);
        if goal != self.gain.goal() {
            self.gain.go(goal, frames as u32);
        }
        self.params = params;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{Harness, Joined, Random, check_chunking, cut};
    use crate::packet::Audio;
    use serde_json::{Map, json};

    fn ones(frames: usize) -> Audio {
        Audio::from_f32(vec![1.0; frames], 1_000, 1).expect("fits")
    }

    #[test]
    fn unshared_audio_is_changed_in_place_and_shared_audio_is_copied_and_counted() {
        let mut node = Harness::new::<Gain>(json!({"gain_db": 20})).expect("makes");
        let own = ones(4);
        let address = own.buffer().as_slice().as_ptr();
        let out = node.push(Packet::audio(own)).expect("works");
        let audio = out[0].1.as_audio().expect("audio");
        assert_eq!(audio.f32(), Some(&[10.0; 4][..]));
        assert_eq!(audio.buffer().as_slice().as_ptr(), address);
        assert_eq!(node.copied_bytes(), 0);

        let shared = ones(4);
        let out = node.push(Packet::audio(shared.clone())).expect("works");
        assert_eq!(out[0].1.as_audio().and_then(Audio::f32), Some(&[10.0; 4][..]));
        assert_eq!(shared.f32(), Some(&[1.0; 4][..]), "what others hold stays");
        assert_eq!(node.copied_bytes(), 16);
    }

    #[test]
    fn a_change_is_a_ramp_of_so_many_frames_however_the_stream_is_cut() {
        let run = |size: usize| {
            let mut node = Harness::new::<Gain>(json!({})).expect("makes");
            let mut joined = Joined::default();
            let mut push = |node: &mut Harness, audio: &Audio, start| {
                for packet in cut(audio, MediaTime::from_millis(start), || size) {
                    node.push(packet).expect("works").iter().for_each(|(_, p)| joined.add(p));
                }
            };
            push(&mut node, &ones(10), 0);
            let mut params = Map::new();
            params.insert("gain_db".into(), json!(-120));
            params.insert("ramp_ms".into(), json!(100));
            node.set::<Gain>(GainParams::from_map(&params));
            push(&mut node, &ones(150), 10);
            joined.f32()
        };
        let whole = run(1_000);
        assert_eq!(whole[..11], [1.0; 11]);
        assert!((whole[60] - 0.5).abs() < 1e-6, "{}", whole[60]);
        assert_eq!(whole[110..], [0.0; 50]);
        for size in [1, 7, 33] {
            assert!(run(size) == whole, "cut to {size}");
        }
    }

    #[test]
    fn chunking_makes_no_difference_and_zero_decibels_touch_nothing() {
        let noise = Random::new(9).noise(48_000, 64, 2_000);
        check_chunking::<Gain>(&json!({"gain_db": -3.5}), &noise);
        let out = check_chunking::<Gain>(&json!({}), &noise);
        assert_eq!(out[&0].f32(), noise.f32().expect("f32"));
    }
}
