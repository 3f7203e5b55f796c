//! Adds to numbers.

use super::number::each_number;
use crate::error::Result;
use crate::node::{Caps, Context, Descriptor, Flow, Node, Params, Port};
use crate::packet::{Kind, Packet};

/// Params of [`Add`].
#[derive(Debug, Clone, Params)]
pub struct AddParams {
    /// What is added to numbers. Without it they stay as they are.
    #[param(default = 0.0, alias = "add", alias = "value", live)]
    addend: f64,
}

/// Adds to a JSON number, or to every number of an array. Whole numbers stay whole.
pub struct Add(AddParams);

impl Node for Add {
    type Params = AddParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["Add"],
        category: "math",
        inputs: &[Port::new("in", Caps::kind(Kind::Json), "A number, or an array of numbers.")],
        outputs: &[Port::new("out", Caps::kind(Kind::Json), "The same, with the addend.")],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("AddNode", "Adds a fixed number to numbers.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self(params))
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let packet = each_number(packet, self.0.addend, i128::checked_add, |a, b| a + b)?;
        cx.emit(0, packet);
        Ok(Flow::Done)
    }

    fn set_params(&mut self, params: Self::Params) {
        self.0 = params;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::Harness;
    use serde_json::{Map, json};

    #[test]
    fn whole_numbers_stay_whole_and_the_addend_is_live() {
        let mut node = Harness::new::<Add>(json!({"addend": 10})).expect("makes");
        let sum = |node: &mut Harness, value| {
            let out = node.push(Packet::json(value)).expect("a number");
            out[0].1.as_json().expect("json").to_string()
        };
        assert_eq!(sum(&mut node, json!(10)), "20");
        assert_eq!(sum(&mut node, json!([14, 6, 0.5])), "[24,16,10.5]");
        let mut params = Map::new();
        params.insert("addend".into(), json!(-0.5));
        node.set::<Add>(AddParams::from_map(&params));
        assert_eq!(sum(&mut node, json!(1)), "0.5");
        assert!(node.push(Packet::text("10")).is_err());
    }
}
