//! Converts audio to another sample rate.

use super::audio::{audio, audio_format, resampled, resampler_tail};
use crate::dsp::resample::{Latency, Quality, Resampler};
use crate::error::{Error, Result, detail};
use crate::node::caps::Numbers;
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports};
use crate::packet::{AudioFormat, MediaTime, Packet, SampleClock};

/// How sharp the filter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum QualityParam {
    /// 80 dB rejection.
    Low,
    /// 100 dB rejection, flat to 85 % of the lower Nyquist frequency.
    Medium,
    /// 120 dB rejection, flat to 91 %.
    High,
    /// 140 dB rejection, flat to 95 %.
    #[param(alias = "very_high", alias = "best")]
    Vhq,
}

/// How long the output may lag behind the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum LatencyParam {
    /// As long as the quality needs, at most 20 ms: for voice and other live use.
    Auto,
    /// At most 3 ms.
    Low,
    /// A long block (tens of ms): the steepest filter at the least cost, for files.
    Offline,
}

/// Params of [`AudioResample`].
#[derive(Debug, Clone, Params)]
pub struct AudioResampleParams {
    /// Rate of the output. Absent: as the input, which then passes untouched.
    #[param(
        default,
        min = 1000,
        max = 768_000,
        unit = "Hz",
        alias = "targetRate",
        alias = "target_sample_rate",
        alias = "output_sample_rate",
        alias = "sample_rate"
    )]
    target_rate: Option<u32>,
    /// Rate that the input must have. Absent: any.
    #[param(default, min = 1, max = 768_000, unit = "Hz", alias = "sourceRate")]
    source_rate: Option<u32>,
    /// How sharp the filter is.
    #[param(default = QualityParam::Medium)]
    quality: QualityParam,
    /// How long the output may lag behind the input.
    #[param(default = LatencyParam::Auto)]
    latency: LatencyParam,
    /// Channels that the input must have. Absent: any number.
    #[param(default, min = 1, max = 64)]
    channels: Option<u16>,
}

/// Converts audio to another sample rate: the same samples and times however the input is cut, at
/// its time (the filter's delay is trimmed), as long as the input to the frame.
pub struct AudioResample {
    params: AudioResampleParams,
    /// Set while the rates differ.
    resampler: Option<(AudioFormat, Resampler)>,
    input_rate: u32,
    output: Option<AudioFormat>,
    clock: Option<SampleClock>,
}

impl Node for AudioResample {
    type Params = AudioResampleParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &[
            "AudioResampleNode",
            "AudioResampler",
            "FastResampleNode",
            "RustResampleNode",
            "ResampleNode",
        ],
        category: "audio",
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Audio at any rate.")],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "The same audio at the target rate.")],
        realtime: true,
        keeps_time: true,
        ..Descriptor::new("AudioResample", "Converts audio to another sample rate.")
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        if params.latency == LatencyParam::Offline && !cfg!(feature = "fft") {
            let message = "this build has no FFT, which `latency: offline` works with";
            return Err(Error::new(detail::UNSUPPORTED_FEATURE, message)
                .with_hint("use `latency: auto`, or a build with the feature `fft`"));
        }
        if let Some(rate) = params.target_rate {
            ports.outputs[0].caps.audio.rates = Numbers::one(rate);
        }
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self { params, resampler: None, input_rate: 0, output: None, clock: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let format = audio_format(format)?;
        expect("source_rate", self.params.source_rate, format.rate, "Hz")?;
        expect("channels", self.params.channels.map(u32::from), format.channels.into(), "ch")?;
        let to = self.params.target_rate.unwrap_or(format.rate);
        let output = AudioFormat { rate: to, ..format };
        if (self.input_rate, self.output) == (format.rate, Some(output)) {
            return Ok(());
        }
        self.clock = None;
        (self.input_rate, self.output) = (format.rate, Some(output));
        self.resampler = (to != format.rate).then(|| {
            let quality = match self.params.quality {
                QualityParam::Low => Quality::Low,
                QualityParam::Medium => Quality::Medium,
                QualityParam::High => Quality::High,
                QualityParam::Vhq => Quality::Vhq,
            };
            let latency = match self.params.latency {
                LatencyParam::Auto => Latency::Auto,
                LatencyParam::Low => Latency::Low,
                LatencyParam::Offline => Latency::Offline,
            };
            (output, Resampler::new(format.rate, to, format.channels.into(), quality, latency))
        });
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let Some((format, resampler)) = &mut self.resampler else {
            cx.emit(0, packet);
            return Ok(Flow::Done);
        };
        let audio = audio(&packet)?;
        let clock = self
            .clock
            .get_or_insert_with(|| SampleClock::new(packet.pts().unwrap_or_default(), format.rate));
        if let Some(out) = resampled(cx.pool(), audio, resampler, *format)? {
            let pts = clock.advance(out.frames());
            cx.emit(0, Packet::audio(out).at(pts));
        }
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let (Some((format, resampler)), Some(mut clock)) =
            (&mut self.resampler, self.clock.take())
            && let Some(out) = resampler_tail(cx.pool(), resampler, *format)?
        {
            let pts = clock.advance(out.frames());
            cx.emit(0, Packet::audio(out).at(pts));
        }
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        self.clock = None;
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.reset();
        }
    }

    fn latency(&self) -> MediaTime {
        let lag = self.resampler.as_ref().map_or(0, |(_, r)| r.lag());
        MediaTime::from_frames(lag as i64, self.input_rate)
    }
}

fn expect(param: &str, expected: Option<u32>, found: u32, unit: &str) -> Result<()> {
    match expected {
        Some(expected) if expected != found => Err(Error::new(
            detail::FORMAT_AUDIO,
            format!("the stream has {found} {unit}, but {param} says {expected}"),
        )
        .with_hint(format!("Leave {param} out: the stream says what it has."))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{Harness, Random, check_chunking};
    use serde_json::json;

    #[test]
    fn chunking_makes_no_difference_and_the_length_is_kept() {
        for (from, to) in [(44_100, 16_000), (16_000, 48_000), (8_000, 44_100)] {
            for latency in ["low", "auto", "offline"] {
                let noise = Random::new(3).noise(from, 2, 7_777);
                let params = json!({"target_rate": to, "latency": latency});
                let out = check_chunking::<AudioResample>(&params, &noise);
                let exact = 7_777.0 * f64::from(to) / f64::from(from);
                assert!((out[&0].frames as f64 - exact).abs() <= 0.5);
                assert_eq!(out[&0].first, Some(MediaTime::from_millis(12_345)));
                assert_eq!(out[&0].format, Some(AudioFormat::f32(to, 2)));
            }
        }
    }

    #[test]
    fn equal_rates_pass_untouched() {
        for params in [json!({}), json!({"target_rate": 48_000})] {
            let mut node = Harness::new::<AudioResample>(params).expect("makes");
            let noise = Random::new(1).noise(48_000, 1, 480);
            let out = node.push(Packet::audio(noise.clone())).expect("passes");
            let same = out[0].1.as_audio().expect("audio").buffer().as_slice().as_ptr();
            assert_eq!(same, noise.buffer().as_slice().as_ptr(), "no copy");
            assert!(node.drain().expect("drains").is_empty());
            assert_eq!(node.node().latency(), MediaTime::ZERO);
        }
    }

    #[test]
    fn a_stream_that_is_not_as_the_params_say_is_refused() {
        for params in [json!({"source_rate": 44_100}), json!({"channels": 2})] {
            let mut node = Harness::new::<AudioResample>(params).expect("makes");
            let packet = Packet::audio(Random::new(1).noise(48_000, 1, 10));
            let error = node.push(packet).expect_err("it is 48 kHz mono");
            assert_eq!(error.detail(), detail::FORMAT_AUDIO);
        }
    }

    #[test]
    fn after_a_drain_time_is_anchored_anew_and_after_a_reset_nothing_is_left() {
        let mut node = Harness::new::<AudioResample>(json!({"target_rate": 16_000})).expect("ok");
        let noise = Random::new(1).noise(48_000, 1, 4_800);
        let at = |ms| Packet::audio(noise.clone()).at(MediaTime::from_millis(ms));
        node.push(at(0)).expect("passes");
        node.drain().expect("drains");
        let out = node.push(at(5_000)).expect("passes");
        assert_eq!(out[0].1.pts(), Some(MediaTime::from_millis(5_000)));
        node.node().reset();
        assert!(node.drain().expect("drains").is_empty());
        assert!(node.node().latency() > MediaTime::from_millis(1));
        assert!(node.node().latency() <= MediaTime::from_millis(20));
    }

    #[test]
    fn a_format_change_gives_the_old_tail_and_then_the_new_rate() {
        let mut node = Harness::new::<AudioResample>(json!({"target_rate": 16_000})).expect("ok");
        node.push(Packet::audio(Random::new(1).noise(48_000, 1, 4_800))).expect("passes");
        let tail = node.drain().expect("drains");
        assert!(!tail.is_empty());
        let out = node.push(Packet::audio(Random::new(1).noise(8_000, 2, 800))).expect("passes");
        assert_eq!(out[0].1.as_audio().map(|a| a.format()), Some(AudioFormat::f32(16_000, 2)));
    }
}
