//! Hands every packet on as it is.

use crate::error::Result;
use crate::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port};
use crate::packet::Packet;

/// Hands every packet on as it is, without touching it.
pub struct PassThrough;

impl Node for PassThrough {
    type Params = NoParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["PassThroughNode", "Echo", "EchoNode"],
        category: "flow",
        inputs: &[Port::new("in", Caps::ANY, "Any packets.")],
        outputs: &[Port::like_input("out", Caps::ANY, "The same packets.")],
        realtime: true,
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("PassThrough", "Hands every packet on as it is.")
    };

    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::Harness;

    #[test]
    fn every_packet_comes_out_as_it_went_in() {
        let mut node = Harness::new::<PassThrough>(serde_json::json!({})).expect("makes");
        let out = node.push(Packet::text("hello")).expect("passes");
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].1.as_text(), Some("hello"));
    }
}
