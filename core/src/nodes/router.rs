//! Sends packets to different outputs by rules.

mod rule;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result, detail};
use crate::node::{Caps, Context, Descriptor, Flow, Node, Params, Port, Ports};
use crate::packet::Packet;
use rule::{Rule, Rules};

/// Params of [`Router`].
#[derive(Debug, Clone, Params)]
pub struct RouterParams {
    /// The rules, in order: the first that fits a packet says where it goes. Each is an object: `to`,
    /// the output (a … h, or out); `kind`, the packet's kind; `field`, a JSON pointer to a value in
    /// JSON or a record, like /score; and what the value has to be: `equals` a value, at least `min`,
    /// at most `max`, or only there (`exists`, true or false). What a rule leaves out may be anything.
    #[param(default, live)]
    rules: Rules,
}

/// Sends each packet to one output, as it is: where the first rule says that fits it, or to `out`
/// where none does.
pub struct Router(Vec<Rule>);

const OUTPUT: &str = "What the rules send here.";

impl Node for Router {
    type Params = RouterParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["RouterNode"],
        category: "flow",
        inputs: &[Port::new("in", Caps::ANY, "Packets of any kind.")],
        outputs: &[
            Port::like_input("out", Caps::ANY, "What no rule fits."),
            Port::like_input("a", Caps::ANY, OUTPUT),
            Port::like_input("b", Caps::ANY, OUTPUT),
            Port::like_input("c", Caps::ANY, OUTPUT),
            Port::like_input("d", Caps::ANY, OUTPUT),
            Port::like_input("e", Caps::ANY, OUTPUT),
            Port::like_input("f", Caps::ANY, OUTPUT),
            Port::like_input("g", Caps::ANY, OUTPUT),
            Port::like_input("h", Caps::ANY, OUTPUT),
        ],
        realtime: true,
        ..Descriptor::new("Router", "Sends packets to different outputs by rules.")
    };

    fn ports(params: &Self::Params, _: &mut Ports) -> Result<()> {
        params.rules.read.as_ref().map(drop).map_err(|why| wrong(why))
    }

    fn new(params: Self::Params) -> Result<Self> {
        params.rules.read.map(Self).map_err(|why| wrong(&why))
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        if let Some(pts) = packet.pts() {
            // What waits for the other outputs need not wait for this time any more.
            (0..Self::DESCRIPTOR.outputs.len()).for_each(|port| cx.advance(port, pts));
        }
        let port = self.0.iter().find(|rule| rule.fits(&packet)).map_or(0, |rule| rule.to);
        cx.emit(port, packet);
        Ok(Flow::Done)
    }

    fn set_params(&mut self, params: Self::Params) {
        // Wrong ones were refused when they were set.
        if let Ok(rules) = params.rules.read {
            self.0 = rules;
        }
    }
}

fn wrong(why: &str) -> Error {
    Error::new(detail::MANIFEST_PARAM_CONFLICT, why).with_hint(
        "A rule reads {\"to\": \"a\", \"kind\": \"json\", \"field\": \"/score\", \"min\": 0.5}.",
    )
}
