//! Node types for tests of manifests, so that these do not depend on the built-in ones.

#![allow(dead_code, reason = "each test file uses some of it")]

use remotemedia::error::{Error, Result, detail};
use remotemedia::node::caps::{AudioCaps, Caps, Kinds, Numbers, Samples};
use remotemedia::node::{
    BUILTIN, Choice, Context, Descriptor, Flow, NoParams, Node, Params, Port, Ports, Registry,
};
use remotemedia::nodes::PassThrough;
use remotemedia::packet::{Kind, Packet, SampleFormat};
use serde_json::Value as Json;

/// A registry with `PassThrough` and the node types of this file.
pub(crate) fn registry() -> Registry {
    let mut registry = without_adapter();
    registry.add::<AudioAdapter>(BUILTIN).unwrap();
    registry
}

/// The same without the node type that converts audio.
pub(crate) fn without_adapter() -> Registry {
    let mut registry = Registry::empty();
    registry.add::<PassThrough>(BUILTIN).unwrap();
    registry.add::<Knobs>("test").unwrap();
    registry.add::<Tone>("test").unwrap();
    registry.add::<Speaker>("test").unwrap();
    registry.add::<Recognizer>("test").unwrap();
    registry.add::<Printer>("test").unwrap();
    registry.add::<Join>("test").unwrap();
    registry.add::<Funnel>("test").unwrap();
    registry.add::<Sum>("test").unwrap();
    registry.add::<Last>("test").unwrap();
    registry.add::<Dice>("test").unwrap();
    registry.add::<FileReader>("test").unwrap();
    registry.add::<Twin>("one").unwrap();
    registry.add::<Twin>("two").unwrap();
    registry
}

macro_rules! test_node {
    ($(#[$doc:meta])* $name:ident, $params:ty, $descriptor:expr) => {
        test_node!($(#[$doc])* $name, $params, $descriptor, |_, _| Ok(()));
    };
    ($(#[$doc:meta])* $name:ident, $params:ty, $descriptor:expr, $ports:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Node for $name {
            type Params = $params;
            const DESCRIPTOR: Descriptor = $descriptor;

            fn ports(params: &$params, ports: &mut Ports) -> Result<()> {
                let narrow: fn(&$params, &mut Ports) -> Result<()> = $ports;
                narrow(params, ports)
            }
            fn new(_: $params) -> Result<Self> {
                Ok(Self)
            }
            fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
                cx.emit(0, packet);
                Ok(Flow::Done)
            }
        }
    };
}

const fn fixed(rate: u32, channels: u32) -> Caps {
    Caps::audio(AudioCaps {
        rates: Numbers::one(rate),
        channels: Numbers::one(channels),
        ..AudioCaps::F32
    })
}

/// One param of every kind.
#[derive(Clone, Params)]
pub(crate) struct KnobParams {
    /// How many.
    #[param(min = 1, max = 64)]
    count: u32,
    /// How loud.
    #[param(default = 0.0, min = -120, max = 60, unit = "dB", live, alias = "gain", alias = "gainDb")]
    gain_db: f32,
    /// Whether at all.
    #[param(default)]
    enabled: bool,
    /// What it is called.
    #[param(default = "knob".to_owned())]
    label: String,
    /// How well.
    #[param(default = Quality::Medium)]
    quality: Quality,
    /// Which.
    #[param(default)]
    taps: Vec<u16>,
    /// Where it ends, if it does.
    #[param(default, min = 0, max = 3600, unit = "s")]
    limit: Option<f64>,
    /// Anything else.
    #[param(default)]
    extra: Json,
}

/// How well something is done.
#[derive(Clone, Copy, Choice)]
pub(crate) enum Quality {
    /// Fast.
    #[param(alias = "fast")]
    Low,
    /// In between.
    Medium,
    /// Best.
    #[param(alias = "best")]
    High,
}

test_node!(
    /// Takes one param of every kind.
    Knobs,
    KnobParams,
    Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Any packets.")],
        outputs: &[Port::like_input("out", Caps::ANY, "The same.")],
        ..Descriptor::new("Knobs", "Takes one param of every kind.")
    },
    |params, _| {
        if params.enabled && params.count > 32 {
            let message = format!("'enabled' goes up to a 'count' of 32, not {}", params.count);
            return Err(Error::new(detail::ARGUMENT_INVALID, message).with_hint("take fewer"));
        }
        Ok(())
    }
);

/// Rate of a tone.
#[derive(Clone, Params)]
pub(crate) struct ToneParams {
    /// Rate of the samples.
    #[param(default = 16_000, min = 1, unit = "Hz")]
    rate: u32,
}

test_node!(
    /// A source of stereo audio.
    Tone,
    ToneParams,
    Descriptor {
        outputs: &[Port::new("out", Caps::AUDIO_F32, "A tone.")],
        ..Descriptor::new("Tone", "A source of stereo audio.")
    },
    |params, ports| {
        ports.outputs[0].caps = fixed(params.rate, 2);
        Ok(())
    }
);

test_node!(
    /// Takes audio and gives nothing.
    Speaker,
    NoParams,
    Descriptor {
        inputs: &[Port::new("in", fixed(48_000, 2), "What is heard.")],
        ..Descriptor::new("Speaker", "Takes audio and gives nothing.")
    }
);

test_node!(
    /// Audio in, text out, with a side output.
    Recognizer,
    NoParams,
    Descriptor {
        aliases: &["Stt"],
        inputs: &[Port::new("in", fixed(16_000, 1), "Speech.")],
        outputs: &[
            Port::new("out", Caps::kind(Kind::Text), "What was said."),
            Port::new("level", Caps::kind(Kind::Record), "How loud it was."),
        ],
        ..Descriptor::new("Recognizer", "Audio in, text out.")
    }
);

test_node!(
    /// Takes text or JSON.
    Printer,
    NoParams,
    Descriptor {
        inputs: &[Port::new(
            "in",
            Caps::kinds(Kinds::one(Kind::Text).or(Kinds::one(Kind::Json))),
            "What is printed."
        )],
        outputs: &[Port::new("out", Caps::kind(Kind::Bytes), "The page.")],
        ..Descriptor::new("Printer", "Takes text or JSON.")
    }
);

test_node!(
    /// Two inputs.
    Join,
    NoParams,
    Descriptor {
        inputs: &[
            Port::new("left", Caps::AUDIO_F32, "One side."),
            Port::new("right", Caps::AUDIO_F32, "The other side."),
        ],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "Both.")],
        ..Descriptor::new("Join", "Two inputs.")
    }
);

test_node!(
    /// One input for many.
    Funnel,
    NoParams,
    Descriptor {
        inputs: &[Port::any("in", Caps::ANY, "Many.")],
        outputs: &[Port::new("out", Caps::ANY, "All of them.")],
        ..Descriptor::new("Funnel", "One input for many.")
    }
);

test_node!(
    /// Joins with what has come last.
    Last,
    NoParams,
    Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "One."), Port::new("other", Caps::ANY, "Another.")],
        outputs: &[Port::new("out", Caps::ANY, "Both.")],
        join: remotemedia::node::Join::LatestArrived,
        ..Descriptor::new("Last", "Joins with what has come last.")
    }
);

test_node!(
    /// Audio from many.
    Sum,
    NoParams,
    Descriptor {
        inputs: &[Port::any("in", Caps::AUDIO_F32, "Many.")],
        outputs: &[Port::like_input("out", Caps::AUDIO_F32, "All of them.")],
        ..Descriptor::new("Sum", "Audio from many.")
    }
);

test_node!(
    /// Not determinate.
    Dice,
    NoParams,
    Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Any packets.")],
        outputs: &[Port::like_input("out", Caps::ANY, "Some of them.")],
        determinate: false,
        ..Descriptor::new("Dice", "Passes some packets on.")
    }
);

test_node!(
    /// Reads files.
    FileReader,
    NoParams,
    Descriptor {
        outputs: &[Port::new("out", Caps::kind(Kind::Bytes), "The file.")],
        files: true,
        ..Descriptor::new("FileReader", "Reads files.")
    }
);

test_node!(
    /// Registered in two namespaces.
    Twin,
    NoParams,
    Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Any packets.")],
        outputs: &[Port::like_input("out", Caps::ANY, "The same.")],
        ..Descriptor::new("Twin", "Registered in two namespaces.")
    }
);

/// What audio is converted to.
#[derive(Clone, Params)]
pub(crate) struct AdapterParams {
    /// Allowed rates.
    #[param(default)]
    rates: Vec<u32>,
    /// Lowest rate.
    #[param(default)]
    rate_min: Option<u32>,
    /// Highest rate.
    #[param(default)]
    rate_max: Option<u32>,
    /// Allowed channel counts.
    #[param(default)]
    channels: Vec<u32>,
    /// Fewest channels.
    #[param(default)]
    channels_min: Option<u32>,
    /// Most channels.
    #[param(default)]
    channels_max: Option<u32>,
    /// Allowed sample formats.
    #[param(default)]
    samples: Vec<String>,
    /// Planar or interleaved.
    #[param(default)]
    planar: Option<bool>,
}

test_node!(
    /// Stands in for the adapter.
    AudioAdapter,
    AdapterParams,
    Descriptor {
        inputs: &[Port::new("in", Caps::AUDIO, "Any audio.")],
        outputs: &[Port::new("out", Caps::AUDIO, "Audio as asked for.")],
        ..Descriptor::new("AudioAdapter", "Converts audio.")
    },
    |params, ports| {
        let samples = params.samples.iter().filter_map(|s| SampleFormat::from_name(s));
        if let Some(samples) = samples.map(Samples::one).reduce(Samples::or) {
            ports.outputs[0].caps.audio.samples = samples;
        }
        Ok(())
    }
);
