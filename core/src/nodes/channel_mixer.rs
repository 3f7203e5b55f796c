//! Mixes the channels of audio to another number of channels.

use super::audio::{audio, audio_format, mixed, usual_mix};
use crate::dsp::mix::Mix;
use crate::error::{Error, Result, detail};
use crate::node::caps::Numbers;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports};
use crate::packet::{AudioFormat, Layout, Packet, Payload};

/// Params of [`ChannelMixer`].
#[derive(Debug, Clone, Params)]
pub struct ChannelMixerParams {
    /// Channels of the output. Absent: as many as the matrix has rows.
    #[param(default, min = 1, max = 64, alias = "output_channels")]
    channels: Option<u16>,
    /// Weights, one row for each output channel with one weight for each input channel. Absent: the
    /// usual mix (mono is copied, stereo averaged, surround mixed as in ITU-R BS.775 without clipping).
    #[param(default)]
    matrix: Option<Vec<Vec<f32>>>,
}

impl ChannelMixerParams {
    /// Channels of the output, and the mix if it is given.
    fn read(&self) -> Result<(u16, Option<Mix>)> {
        let conflict = |message: String| Err(Error::new(detail::MANIFEST_PARAM_CONFLICT, message));
        let Some(rows) = &self.matrix else {
            return match self.channels {
                Some(channels) => Ok((channels, None)),
                None => conflict("neither channels nor matrix is given".to_owned()),
            };
        };
        let Some(mix) = Mix::new(rows).filter(|m| m.inputs() <= 64 && m.outputs() <= 64) else {
            return conflict("matrix is not 1 to 64 rows of 1 to 64 weights each".to_owned());
        };
        match self.channels {
            Some(channels) if usize::from(channels) != mix.outputs() => {
                conflict(format!("matrix has {} rows, but channels says {channels}", mix.outputs()))
            }
            _ => Ok((mix.outputs() as u16, Some(mix))),
        }
    }
}

/// Mixes channels by a matrix, or by the usual rules.
pub struct ChannelMixer {
    channels: u16,
    given: Option<Mix>,
    /// What to do with the stream; `None` while it has the right channels already.
    stage: Option<(Mix, AudioFormat)>,
}

impl Node for ChannelMixer {
    type Params = ChannelMixerParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["ChannelMixerNode"],
        category: "audio",
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Audio with any channels.")],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "The mix.")],
        realtime: true,
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("ChannelMixer", "Mixes audio to another number of channels.")
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        let (channels, _) = params.read()?;
        ports.outputs[0].caps.audio.channels = Numbers::one(channels.into());
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        let (channels, given) = params.read()?;
        Ok(Self { channels, given, stage: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let from = audio_format(format)?;
        let layout = Layout::default_for(self.channels);
        let to = AudioFormat { channels: self.channels, layout, ..from };
        self.stage = match &self.given {
            Some(mix) if mix.inputs() == usize::from(from.channels) => Some((mix.clone(), to)),
            Some(mix) => {
                return Err(Error::new(
                    detail::FORMAT_AUDIO,
                    format!(
                        "the matrix is for {} channels, the stream has {}",
                        mix.inputs(),
                        from.channels
                    ),
                ));
            }
            None if from.channels == self.channels => None,
            None => Some((usual_mix(from, self.channels)?, to)),
        };
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let packet = match &self.stage {
            Some((mix, format)) => {
                let out = mixed(cx.pool(), audio(&packet)?, mix, *format)?;
                packet.with_payload(Payload::Audio(out))
            }
            None => packet,
        };
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{Harness, Random, check_chunking};
    use crate::packet::Audio;
    use serde_json::json;

    #[test]
    fn a_matrix_swaps_channels() {
        let params = json!({"matrix": [[0, 1], [1, 0]]});
        let mut node = Harness::new::<ChannelMixer>(params).expect("makes");
        let stereo = Audio::from_f32(vec![0.1, 0.2, 0.3, 0.4], 8_000, 2).expect("fits");
        let out = node.push(Packet::audio(stereo)).expect("mixes");
        assert_eq!(out[0].1.as_audio().and_then(Audio::f32), Some(&[0.2, 0.1, 0.4, 0.3][..]));
    }

    #[test]
    fn chunking_makes_no_difference() {
        let noise = Random::new(2).noise(48_000, 6, 5_000);
        for channels in [1, 2, 6] {
            let out = check_chunking::<ChannelMixer>(&json!({"channels": channels}), &noise);
            assert_eq!(out[&0].format, Some(AudioFormat::f32(48_000, channels)));
            assert_eq!(out[&0].frames, 5_000);
        }
    }

    #[test]
    fn params_and_streams_that_do_not_fit_are_refused() {
        for params in [
            json!({}),
            json!({"matrix": []}),
            json!({"matrix": [[1], [1, 1]]}),
            json!({"matrix": [[1]], "channels": 2}),
        ] {
            let error = Harness::new::<ChannelMixer>(params).err().expect("refused");
            assert_eq!(error.detail(), detail::MANIFEST_PARAM_CONFLICT);
        }
        for (params, channels) in [(json!({"matrix": [[1]]}), 2), (json!({"channels": 2}), 5)] {
            let mut node = Harness::new::<ChannelMixer>(params).expect("makes");
            let packet = Packet::audio(Random::new(1).noise(8_000, channels, 4));
            assert_eq!(node.push(packet).expect_err("no").detail(), detail::FORMAT_AUDIO);
        }
    }
}
