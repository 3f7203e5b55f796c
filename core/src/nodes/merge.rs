//! Brings packets of several connections into one stream.

use crate::error::Result;
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, Join, Node, Params, Port, Ports};
use crate::packet::{MediaTime, Packet};

/// In which order packets come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Order {
    /// As they arrive: at once, but not the same with every run.
    Arrival,
    /// By their time, of equal times the first connection's first. A connection that is silent holds
    /// up the others until it is known that nothing earlier comes on it.
    #[param(alias = "pts", alias = "timestamp")]
    Time,
}

/// Params of [`Merge`].
#[derive(Debug, Clone, Params)]
pub struct MergeParams {
    /// In which order packets come out.
    #[param(default = Order::Arrival)]
    order: Order,
}

/// Hands on every packet of every connection as it is.
pub struct Merge(Order);

impl Node for Merge {
    type Params = MergeParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["MergeNode"],
        category: "flow",
        inputs: &[Port::any("in", Caps::ANY, "Packets of any number of connections.")],
        outputs: &[Port::like_input("out", Caps::ANY, "All of them.")],
        realtime: true,
        keeps_time: true,
        ..Descriptor::new("Merge", "Brings packets of several connections into one stream.")
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        if params.order == Order::Time {
            ports.join = Join::Ordered;
        }
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self(params.order))
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        cx.emit(0, packet);
        Ok(Flow::Done)
    }

    fn advance(&mut self, cx: &mut Context<'_>, until: MediaTime) -> Result<Flow> {
        if self.0 == Order::Time {
            cx.advance(0, until);
        }
        Ok(Flow::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::Harness;
    use serde_json::json;

    #[test]
    fn packets_of_every_kind_and_connection_come_out_as_they_went_in() {
        let mut node = Harness::new::<Merge>(json!({})).expect("makes");
        let packets = [Packet::text("a"), Packet::json(json!(1)), Packet::text("b")];
        for (lane, packet) in packets.into_iter().enumerate() {
            let out = node.on(lane).push(packet.clone()).expect("passes");
            assert_eq!(format!("{out:?}"), format!("{:?}", [(0, packet)]));
        }
    }

    #[test]
    fn the_order_says_how_the_connections_are_joined() {
        for (order, join) in [(Order::Arrival, Join::Any), (Order::Time, Join::Ordered)] {
            let mut ports = Ports::of(&Merge::DESCRIPTOR);
            Merge::ports(&MergeParams { order }, &mut ports).expect("nothing contradicts");
            assert_eq!(ports.join, join);
        }
    }
}
