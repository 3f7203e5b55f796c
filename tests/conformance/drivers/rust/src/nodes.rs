//! The host nodes of the suite, as a Rust program writes them.

use remotemedia::error::detail;
use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port, Registry};
use remotemedia::{Audio, Error, Packet, Payload, Result};

/// The built-in node types and those of the suite.
pub(crate) fn registry() -> Result<Registry> {
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Half>("test")?;
    registry.add::<Fail>("test")?;
    Ok(registry)
}

/// Halves samples.
struct Half;

impl Node for Half {
    type Params = NoParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::AUDIO_F32, "Audio.")],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "The same, at half the level.")],
        ..Descriptor::new("Half", "Halves samples.")
    };

    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let Some((audio, input)) = packet.as_audio().and_then(|a| Some((a, a.f32()?))) else {
            return Ok(Flow::Done);
        };
        let mut half = Audio::from_pool(cx.pool(), audio.format(), audio.frames())?;
        let output = half.f32_mut().into_iter().flatten();
        output.zip(input).for_each(|(to, from)| *to = from * 0.5);
        cx.emit(0, packet.with_payload(Payload::Audio(half)));
        Ok(Flow::Done)
    }
}

/// Hands two packets on and fails on the third.
struct Fail(u32);

impl Node for Fail {
    type Params = NoParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::like_input("out", Caps::ANY, "The same.")],
        ..Descriptor::new("Fail", "Fails on its third packet.")
    };

    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self(0))
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        self.0 += 1;
        if self.0 == 3 {
            return Err(Error::new(detail::NODE_FAILED, "third packet"));
        }
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
}
