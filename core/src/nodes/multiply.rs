//! Multiplies numbers.

use super::number::each_number;
use crate::error::Result;
use crate::node::{Caps, Context, Descriptor, Flow, Node, Params, Port};
use crate::packet::{Kind, Packet};

/// Params of [`Multiply`].
#[derive(Debug, Clone, Params)]
pub struct MultiplyParams {
    /// What numbers are multiplied by.
    #[param(default = 2.0, alias = "multiplier", live)]
    factor: f64,
}

/// Multiplies a JSON number, or every number of an array. Whole numbers stay whole.
pub struct Multiply(MultiplyParams);

impl Node for Multiply {
    type Params = MultiplyParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["Multiply"],
        category: "math",
        inputs: &[Port::new("in", Caps::kind(Kind::Json), "A number, or an array of numbers.")],
        outputs: &[Port::new("out", Caps::kind(Kind::Json), "The same, multiplied.")],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("MultiplyNode", "Multiplies numbers by a factor.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self(params))
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let packet = each_number(packet, self.0.factor, i128::checked_mul, |a, b| a * b)?;
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
    use crate::error::detail;
    use crate::node::testing::Harness;
    use crate::packet::MediaTime;
    use serde_json::{Value as Json, json};

    fn times(factor: Json, value: Json) -> Result<Json> {
        let mut node = Harness::new::<Multiply>(json!({"factor": factor})).expect("makes");
        let out = node.push(Packet::json(value).at(MediaTime::from_millis(3)))?;
        assert_eq!(out[0].1.pts(), Some(MediaTime::from_millis(3)));
        Ok(out[0].1.as_json().expect("json").clone())
    }

    #[test]
    fn whole_numbers_stay_whole_and_others_are_floats() {
        for (factor, value, expected) in [
            (json!(2), json!(5), "10"),
            (json!(2.0), json!(5), "10"),
            (json!(2), json!(2.5), "5.0"),
            (json!(0.5), json!(5), "2.5"),
            (json!(-3), json!([1, [2.0, 3]]), "[-3,[-6.0,-9]]"),
            (json!(2), json!(i64::MAX), "18446744073709551614"),
            (json!(4), json!(u64::MAX), "7.378697629483821e+19"),
        ] {
            assert_eq!(times(factor, value).expect("numbers").to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (value, found) in [
            (json!("5"), "a string"),
            (json!({"a": 1}), "an object"),
            (json!([1, null]), "null"),
            (json!(true), "true or false"),
        ] {
            let error = times(json!(2), value).expect_err("no number");
            assert_eq!(error.detail(), detail::FORMAT_VALUE);
            assert!(error.message().contains(found), "{error}");
        }
        let error = times(json!(1e300), json!(1e300)).expect_err("infinite");
        assert_eq!(error.detail(), detail::FORMAT_VALUE);
    }
}
