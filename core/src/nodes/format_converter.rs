//! Converts the sample format of audio.

use super::audio::{SampleParam, audio, audio_format, converted};
use crate::error::Result;
use crate::node::caps::Samples;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports};
use crate::packet::{AudioFormat, Packet, Payload};

/// Params of [`FormatConverter`].
#[derive(Debug, Clone, Params)]
pub struct FormatConverterParams {
    /// Sample format of the output.
    #[param(alias = "target_format", alias = "targetFormat", alias = "sample_format")]
    format: SampleParam,
    /// Each channel in a plane of its own (true) or frame by frame (false). Absent: as the input.
    #[param(default)]
    planar: Option<bool>,
}

/// Converts sample formats: rounds to the nearest (ties to even), clips, never wraps.
pub struct FormatConverter {
    params: FormatConverterParams,
    /// What to convert to; `None` while the input is that already.
    output: Option<AudioFormat>,
}

impl Node for FormatConverter {
    type Params = FormatConverterParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["FormatConverterNode", "RustFormatConverterNode"],
        category: "audio",
        inputs: &[Port::new("in", Caps::AUDIO, "Audio in any format.")],
        outputs: &[Port::like_input("out", Caps::AUDIO, "The same audio in the target format.")],
        realtime: true,
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("FormatConverter", "Converts audio to another sample format.")
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        let audio = &mut ports.outputs[0].caps.audio;
        audio.samples = Samples::one(params.format.into());
        audio.planar = params.planar;
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self { params, output: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let format = audio_format(format)?;
        let planar = self.params.planar.unwrap_or(format.planar);
        let output = format.with_sample(self.params.format.into()).with_planar(planar);
        // One channel is planar and interleaved at once.
        let same = format.sample == output.sample
            && (format.planar == output.planar || format.channels == 1);
        self.output = (!same).then_some(output);
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let packet = match self.output {
            Some(format) => {
                let out = converted(cx.pool(), audio(&packet)?, format)?;
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
    use crate::packet::{Audio, MediaTime, SampleFormat};
    use serde_json::json;

    #[test]
    fn full_scale_clips_and_time_stays() {
        let mut node = Harness::new::<FormatConverter>(json!({"format": "i16"})).expect("makes");
        let audio = Audio::from_f32(vec![1.0, -1.0, 0.5, f32::NAN], 16_000, 1).expect("fits");
        let out = node.push(Packet::audio(audio).at(MediaTime::from_millis(7))).expect("converts");
        let samples = out[0].1.as_audio().and_then(|a| a.samples::<i16>(0));
        assert_eq!(samples, Some(&[32_767, -32_768, 16_384, 0][..]));
        assert_eq!(out[0].1.pts(), Some(MediaTime::from_millis(7)));
    }

    #[test]
    fn every_format_passes_through_every_other_however_it_is_cut() {
        let noise = Random::new(5).noise(48_000, 2, 3_000);
        for format in SampleFormat::ALL {
            for planar in [false, true] {
                let params = json!({"format": format.name().to_uppercase(), "planar": planar});
                let out = check_chunking::<FormatConverter>(&params, &noise);
                let expected = AudioFormat::f32(48_000, 2).with_sample(format).with_planar(planar);
                assert_eq!(out[&0].format, Some(expected));
                assert_eq!(out[&0].frames, 3_000);
            }
        }
    }

    #[test]
    fn what_is_right_already_is_not_copied() {
        let params = json!({"format": "f32", "planar": true});
        let mut node = Harness::new::<FormatConverter>(params).expect("makes");
        let mono = Random::new(1).noise(16_000, 1, 100);
        let out = node.push(Packet::audio(mono.clone())).expect("passes");
        let same = out[0].1.as_audio().expect("audio").buffer().as_slice().as_ptr();
        assert_eq!(same, mono.buffer().as_slice().as_ptr());
    }
}
