//! Which formats flow on the connections, and where an adapter must go.

use crate::node::caps::{AudioCaps, Numbers, Samples};
use crate::node::{Caps, Port};
use crate::packet::{Kind, SampleFormat};
use serde_json::{Map, Value as Json};

/// What is needed to let packets of `given` into a port that takes `taken`.
pub(super) enum Fit {
    /// Nothing, as far as can be known now.
    AsIs(Caps),
    /// Audio may have to be converted to what the port takes.
    Convert(Caps),
    /// Nothing helps: the kinds have nothing in common.
    Never,
}

/// How packets of `given` fit a port that takes `taken`, and what then comes to the port.
pub(super) fn fit(given: &Caps, taken: &Caps) -> Fit {
    let kinds = given.kinds.meet(taken.kinds);
    if kinds.is_empty() {
        return Fit::Never;
    }
    if !kinds.contains(Kind::Audio) || given.audio.within(&taken.audio) {
        return Fit::AsIs(Caps { kinds, audio: given.audio.clone() });
    }
    Fit::Convert(Caps { kinds, audio: converted(&given.audio, &taken.audio) })
}

/// What conversion to the nearest allowed value makes of `given`.
fn converted(given: &AudioCaps, taken: &AudioCaps) -> AudioCaps {
    let numbers = |given: &Numbers, taken: &Numbers| match given.single() {
        _ if given.within(taken) => given.clone(),
        Some(n) => Numbers::one(taken.nearest(n)),
        None => taken.clone(),
    };
    AudioCaps {
        rates: numbers(&given.rates, &taken.rates),
        channels: numbers(&given.channels, &taken.channels),
        samples: if given.samples.within(taken.samples) { given.samples } else { taken.samples },
        planar: taken.planar.or(given.planar),
    }
}

/// What an output port gives when this comes to the node's first input.
pub(super) fn output(port: &Port, arrived: Option<&Caps>) -> Caps {
    let (Some(arrived), true) = (arrived, port.like_input) else { return port.caps.clone() };
    let own = &port.caps;
    let kinds = own.kinds.meet(arrived.kinds);
    if kinds.is_empty() {
        return own.clone();
    }
    let both = |own: &Numbers, input: &Numbers| own.meet(input).unwrap_or_else(|| own.clone());
    Caps {
        kinds,
        audio: AudioCaps {
            rates: both(&own.audio.rates, &arrived.audio.rates),
            channels: both(&own.audio.channels, &arrived.audio.channels),
            samples: own.audio.samples.meet(arrived.audio.samples).unwrap_or(own.audio.samples),
            planar: own.audio.planar.or(arrived.audio.planar),
        },
    }
}

/// Params of an `AudioAdapter` that converts to what the port takes.
pub(super) fn adapter_params(taken: &AudioCaps) -> Map<String, Json> {
    let mut params = Map::new();
    for (list, name, set) in
        [("rates", "rate", &taken.rates), ("channels", "channels", &taken.channels)]
    {
        match set {
            Numbers::Any => {}
            Numbers::Range(low, high) if low == high => {
                params.insert(list.to_owned(), vec![*low].into());
            }
            // Bounds that bound nothing are left out.
            Numbers::Range(low, high) => {
                let min = Some(*low).filter(|n| *n > 1).map(|n| (format!("{name}_min"), n.into()));
                let max = Some(*high).filter(|n| *n < u32::MAX);
                params.extend(min);
                params.extend(max.map(|n| (format!("{name}_max"), n.into())));
            }
            Numbers::List(numbers) => {
                params.insert(list.to_owned(), numbers.to_vec().into());
            }
        }
    }
    if taken.samples != Samples::ANY {
        let names: Vec<_> = taken.samples.iter().map(SampleFormat::name).collect();
        params.insert("samples".to_owned(), names.into());
    }
    if let Some(planar) = taken.planar {
        params.insert("planar".to_owned(), planar.into());
    }
    params
}
