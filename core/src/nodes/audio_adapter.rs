//! Brings audio into a set of formats: what the engine puts where two nodes don't fit by themselves.

use super::audio::{
    SampleParam, audio, audio_format, converted, mixed, resampled, resampler_tail, usual_mix,
};
use crate::dsp::mix::Mix;
use crate::dsp::resample::{Latency, Quality, Resampler};
use crate::error::{Error, Result, detail};
use crate::node::caps::{AudioCaps, Numbers, Samples};
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports};
use crate::packet::audio::MAX_CHANNELS;
use crate::packet::{
    Audio, AudioFormat, Layout, MediaTime, Packet, Payload, SampleClock, SampleFormat,
};

/// Params of [`AudioAdapter`]: sets of allowed values. An empty list, like an absent bound, allows
/// everything.
#[derive(Debug, Clone, Params)]
pub struct AudioAdapterParams {
    /// Allowed sample rates.
    #[param(default, min = 1000, max = 768_000, unit = "Hz")]
    rates: Vec<u32>,
    /// Lowest allowed sample rate.
    #[param(default, min = 1, max = 768_000, unit = "Hz")]
    rate_min: Option<u32>,
    /// Highest allowed sample rate.
    #[param(default, min = 1000, max = 768_000, unit = "Hz")]
    rate_max: Option<u32>,
    /// Allowed channel counts.
    #[param(default, min = 1, max = 64)]
    channels: Vec<u32>,
    /// Fewest allowed channels.
    #[param(default, min = 1, max = 64)]
    channels_min: Option<u32>,
    /// Most allowed channels.
    #[param(default, min = 1, max = 64)]
    channels_max: Option<u32>,
    /// Allowed sample formats; where the input's is none of them, the first is taken.
    #[param(default)]
    samples: Vec<SampleParam>,
    /// Each channel in a plane of its own (true) or frame by frame (false). Absent: both.
    #[param(default)]
    planar: Option<bool>,
}

impl AudioAdapterParams {
    /// The set that the params describe.
    fn caps(&self) -> Result<AudioCaps> {
        let samples = self
            .samples
            .iter()
            .map(|s| Samples::one((*s).into()))
            .reduce(Samples::or)
            .unwrap_or(Samples::ANY);
        Ok(AudioCaps {
            rates: numbers("rate", &self.rates, self.rate_min, self.rate_max)?,
            channels: numbers("channel", &self.channels, self.channels_min, self.channels_max)?,
            samples,
            planar: self.planar,
        })
    }
}

fn numbers(what: &str, list: &[u32], min: Option<u32>, max: Option<u32>) -> Result<Numbers> {
    let range = match (min, max) {
        (None, None) => Numbers::Any,
        (min, max) => Numbers::Range(min.unwrap_or(1), max.unwrap_or(AudioFormat::MAX_RATE)),
    };
    let listed = if list.is_empty() { Numbers::Any } else { Numbers::List(list.to_vec().into()) };
    let both = match range {
        Numbers::Range(low, high) if low > high => None,
        range => listed.meet(&range),
    };
    both.ok_or_else(|| {
        Error::new(detail::MANIFEST_PARAM_CONFLICT, format!("the params allow no {what} at all"))
    })
}

/// Hands audio on untouched where its format is allowed, and else converts it to the nearest
/// allowed one: channels by the usual mix, the rate with 100 dB rejection at a few ms of lag.
pub struct AudioAdapter {
    params: AudioAdapterParams,
    caps: AudioCaps,
    stages: Option<Stages>,
    input: Option<AudioFormat>,
    clock: Option<SampleClock>,
}

/// What a stream goes through; each step is there only where it is needed.
struct Stages {
    /// Interleaved f32, for the steps in the middle.
    to_f32: Option<AudioFormat>,
    mix: Option<(Mix, AudioFormat)>,
    resample: Option<(Resampler, AudioFormat)>,
    finish: Option<AudioFormat>,
    output: AudioFormat,
}

impl Stages {
    fn new(from: AudioFormat, to: AudioFormat) -> Result<Option<Self>> {
        let same_layout = from.planar == to.planar || from.channels == 1 && to.channels == 1;
        let (mix, resample) = (from.channels != to.channels, from.rate != to.rate);
        if from.sample == to.sample && same_layout && !mix && !resample {
            return Ok(None);
        }
        if !mix && !resample {
            // Straight from one to the other, without a way through f32.
            let finish = Some(to);
            return Ok(Some(Self { to_f32: None, mix: None, resample: None, finish, output: to }));
        }
        let mut now = from.with_sample(SampleFormat::F32).with_planar(false);
        let to_f32 = (from.sample != now.sample || from.planar && from.channels > 1).then_some(now);
        let mix = if mix {
            let mix = usual_mix(from, to.channels)?;
            now = AudioFormat { channels: to.channels, layout: to.layout, ..now };
            Some((mix, now))
        } else {
            None
        };
        let resample = resample.then(|| {
            now.rate = to.rate;
            let channels = now.channels.into();
            (Resampler::new(from.rate, to.rate, channels, Quality::Medium, Latency::Auto), now)
        });
        let finish = (now.sample != to.sample || now.planar != to.planar).then_some(to);
        Ok(Some(Self { to_f32, mix, resample, finish, output: to }))
    }

    /// What comes of a block; `None` while the resampler has too little for a frame.
    fn run(&mut self, cx: &Context<'_>, audio: &Audio) -> Result<Option<Audio>> {
        let pool = cx.pool();
        // Each step replaces the block before it, whose memory goes back to the pool.
        let mut made: Option<Audio> = None;
        if let Some(format) = self.to_f32 {
            made = Some(converted(pool, audio, format)?);
        }
        if let Some((mix, format)) = &self.mix {
            made = Some(mixed(pool, made.as_ref().unwrap_or(audio), mix, *format)?);
        }
        if let Some((resampler, format)) = &mut self.resample {
            made = resampled(pool, made.as_ref().unwrap_or(audio), resampler, *format)?;
            if made.is_none() {
                return Ok(None);
            }
        }
        if let Some(format) = self.finish {
            made = Some(converted(pool, made.as_ref().unwrap_or(audio), format)?);
        }
        Ok(made)
    }

    fn tail(&mut self, cx: &Context<'_>) -> Result<Option<Audio>> {
        let Some((resampler, format)) = &mut self.resample else { return Ok(None) };
        let Some(tail) = resampler_tail(cx.pool(), resampler, *format)? else { return Ok(None) };
        match self.finish {
            Some(format) => converted(cx.pool(), &tail, format).map(Some),
            None => Ok(Some(tail)),
        }
    }
}

impl Node for AudioAdapter {
    type Params = AudioAdapterParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        category: "audio",
        inputs: &[Port::new("in", Caps::AUDIO, "Audio in any format.")],
        outputs: &[Port::like_input("out", Caps::AUDIO, "The same audio in an allowed format.")],
        realtime: true,
        keeps_time: true,
        ..Descriptor::new(
            "AudioAdapter",
            "Brings audio into a format that the next node takes; the engine places it.",
        )
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        ports.outputs[0].caps.audio = params.caps()?;
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        let caps = params.caps()?;
        Ok(Self { params, caps, stages: None, input: None, clock: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let from = audio_format(format)?;
        if self.input == Some(from) {
            return Ok(());
        }
        let channels = self.caps.channels.nearest(from.channels.into()).min(MAX_CHANNELS.into());
        let channels = channels as u16;
        let sample = match self.params.samples.first() {
            Some(first) if !self.caps.samples.contains(from.sample) => (*first).into(),
            _ => from.sample,
        };
        let layout = match channels == from.channels {
            true => from.layout,
            false => Layout::default_for(channels),
        };
        let to = AudioFormat {
            rate: self.caps.rates.nearest(from.rate),
            channels,
            sample,
            planar: self.caps.planar.unwrap_or(from.planar),
            layout,
        };
        self.stages = Stages::new(from, to)?;
        (self.input, self.clock) = (Some(from), None);
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let Some(stages) = &mut self.stages else {
            cx.emit(0, packet);
            return Ok(Flow::Done);
        };
        let made = stages.run(cx, audio(&packet)?)?;
        if stages.resample.is_none() {
            // Frame for frame: the time stays the packet's.
            if let Some(audio) = made {
                cx.emit(0, packet.with_payload(Payload::Audio(audio)));
            }
            return Ok(Flow::Done);
        }
        let rate = stages.output.rate;
        let clock = self
            .clock
            .get_or_insert_with(|| SampleClock::new(packet.pts().unwrap_or_default(), rate));
        if let Some(audio) = made {
            let pts = clock.advance(audio.frames());
            cx.emit(0, Packet::audio(audio).at(pts));
        }
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let (Some(stages), Some(mut clock)) = (&mut self.stages, self.clock.take())
            && let Some(audio) = stages.tail(cx)?
        {
            let pts = clock.advance(audio.frames());
            cx.emit(0, Packet::audio(audio).at(pts));
        }
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        self.clock = None;
        if let Some((resampler, _)) = self.stages.as_mut().and_then(|s| s.resample.as_mut()) {
            resampler.reset();
        }
    }

    fn latency(&self) -> MediaTime {
        let resampler = self.stages.as_ref().and_then(|s| s.resample.as_ref());
        let lag = resampler.map_or(0, |(resampler, _)| resampler.lag());
        MediaTime::from_frames(lag as i64, self.input.map_or(0, |format| format.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::{Harness, Random, check_chunking};
    use crate::packet::Pool;
    use serde_json::json;

    #[test]
    fn allowed_formats_pass_untouched() {
        for params in [
            json!({}),
            json!({"rates": [16_000, 48_000], "channels": [2], "samples": ["i16", "f32"]}),
            json!({"rate_min": 8_000, "rate_max": 48_000, "channels_max": 2, "planar": false}),
        ] {
            let mut node = Harness::new::<AudioAdapter>(params).expect("makes");
            let noise = Random::new(1).noise(48_000, 2, 100);
            let out = node.push(Packet::audio(noise.clone())).expect("passes");
            let same = out[0].1.as_audio().expect("audio").buffer().as_slice().as_ptr();
            assert_eq!(same, noise.buffer().as_slice().as_ptr());
        }
    }

    #[test]
    fn every_difference_is_converted_and_chunking_makes_none() {
        let base = AudioFormat::f32(48_000, 2);
        let noise = Random::new(1).noise(48_000, 2, 6_000);
        let source = base.with_sample(SampleFormat::I16).with_planar(true);
        let planar = converted(&Pool::new(), &noise, source).expect("fits");
        let mono = AudioFormat::f32(16_000, 1);
        for (params, audio, expected) in [
            (json!({"rates": [16_000], "channels": [1]}), &noise, mono),
            (json!({"rates": [16_000]}), &planar, AudioFormat { rate: 16_000, ..source }),
            (json!({"samples": ["f32"], "planar": false}), &planar, base),
            (json!({"channels": [1], "samples": ["u8"]}), &planar, {
                AudioFormat::f32(48_000, 1).with_sample(SampleFormat::U8).with_planar(true)
            }),
            (
                json!({"rate_max": 24_000, "samples": ["i24"], "planar": true}),
                &noise,
                AudioFormat::f32(24_000, 2).with_sample(SampleFormat::I24).with_planar(true),
            ),
        ] {
            let out = check_chunking::<AudioAdapter>(&params, audio);
            assert_eq!(out[&0].format, Some(expected), "{params}");
            let exact = 6_000 * u64::from(expected.rate) / 48_000;
            assert_eq!(out[&0].frames as u64, exact, "{params}");
        }
    }

    #[test]
    fn the_nearest_allowed_rate_is_taken() {
        let mut node =
            Harness::new::<AudioAdapter>(json!({"rates": [8_000, 16_000, 48_000]})).expect("makes");
        let out = node.push(Packet::audio(Random::new(1).noise(22_050, 1, 5_000))).expect("ok");
        assert_eq!(out[0].1.as_audio().map(|a| a.format().rate), Some(16_000));
        assert!(node.node().latency() > MediaTime::ZERO);
    }

    #[test]
    fn sets_that_hold_nothing_are_refused() {
        for params in [
            json!({"rates": [8_000], "rate_min": 16_000}),
            json!({"channels_min": 3, "channels_max": 2}),
        ] {
            let error = Harness::new::<AudioAdapter>(params).err().expect("refused");
            assert_eq!(error.detail(), detail::MANIFEST_PARAM_CONFLICT);
        }
    }
}
