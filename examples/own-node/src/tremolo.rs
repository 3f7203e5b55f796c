use remotemedia::node::{Caps, Context, Descriptor, Flow, Node, Params, Port};
use remotemedia::{Audio, Packet, Payload, Result};

/// Params of [`Tremolo`].
#[derive(Clone, Params)]
pub struct TremoloParams {
    /// How often the loudness swings.
    #[param(default = 5.0, min = 0.1, max = 20.0, unit = "Hz", live)]
    rate_hz: f64,
    /// How far it falls: 0 is not at all, 1 is to silence.
    #[param(default = 0.5, min = 0.0, max = 1.0, live)]
    depth: f64,
}

/// Makes audio swing between loud and soft.
pub struct Tremolo {
    params: TremoloParams,
    /// Where in its swing it is, 0 to 1: a packet goes on where the last one stopped.
    phase: f64,
}

impl Node for Tremolo {
    type Params = TremoloParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        category: "audio",
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Audio.")],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "The same, swinging.")],
        realtime: true,
        keeps_time: true,
        ..Descriptor::new("Tremolo", "Makes audio swing between loud and soft.")
    };

    fn new(params: TremoloParams) -> Result<Self> {
        Ok(Self { params, phase: 0.0 })
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        // The engine lets nothing but f32 audio through to the port, as its caps say.
        let Some((audio, input)) = packet.as_audio().and_then(|a| Some((a, a.f32()?))) else {
            return Ok(Flow::Done);
        };
        let format = audio.format();
        let mut swinging = Audio::from_pool(cx.pool(), format, audio.frames())?;
        let channels = usize::from(format.channels);
        let frames = swinging.f32_mut().into_iter().flat_map(|s| s.chunks_exact_mut(channels));
        for (output, input) in frames.zip(input.chunks_exact(channels)) {
            let fall = 0.5 - 0.5 * (std::f64::consts::TAU * self.phase).cos();
            let factor = (1.0 - self.params.depth * fall) as f32;
            output.iter_mut().zip(input).for_each(|(output, input)| *output = input * factor);
            self.phase = (self.phase + self.params.rate_hz / f64::from(format.rate)).fract();
        }
        cx.emit(0, packet.with_payload(Payload::Audio(swinging)));
        Ok(Flow::Done)
    }

    fn drain(&mut self, _: &mut Context<'_>) -> Result<Flow> {
        self.reset();
        Ok(Flow::Done)
    }

    fn reset(&mut self) {
        self.phase = 0.0;
    }

    fn set_params(&mut self, params: TremoloParams) {
        self.params = params;
    }
}
