//! Calculates with numbers.

use super::number::{each, not_a_number};
use crate::error::{Error, Result, detail};
use crate::node::params::{Choice, ParamKind, ParamValue};
use crate::node::{Caps, Context, Descriptor, Flow, Node, Params, Port, Ports};
use crate::packet::{Kind, Packet, Payload};
use serde_json::{Number, Value as Json, json};
use std::sync::Arc;

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Operation {
    /// The sum.
    Add,
    /// The first less the second.
    Subtract,
    /// The product.
    Multiply,
    /// The first by the second; always a float.
    Divide,
    /// The first to the power of the second.
    Power,
    /// What is left when the first is divided by the second; it has the sign of the second.
    Modulo,
}

/// Params of [`Calculator`].
#[derive(Debug, Clone, Params)]
pub struct CalculatorParams {
    /// What to do with plain numbers, and with objects that don't say it themselves.
    #[param(default)]
    operation: Option<Operation>,
    /// The second number, where the packet is a plain number.
    #[param(default, live)]
    operand: Option<f64>,
}

/// Takes `{operation, operands}`, or `args` for `operands`, and gives the same with its `result`; of
/// an array, each in its place. More than two operands are worked through from the left. With the
/// param `operand` it takes plain numbers, and arrays of them, as `AddNode` does.
///
/// Whole numbers stay whole where the result is whole and fits; a quotient is a float, as in Python.
pub struct Calculator(CalculatorParams);

impl Node for Calculator {
    type Params = CalculatorParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["Calculator"],
        category: "math",
        inputs: &[Port::new(
            "in",
            Caps::kind(Kind::Json),
            "An object {operation, operands}; with the param operand, a number. Or an array of them.",
        )],
        outputs: &[Port::new(
            "out",
            Caps::kind(Kind::Json),
            "The object with its result; with the param operand, the result.",
        )],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new(
            "CalculatorNode",
            "Adds, subtracts, multiplies, divides, raises to powers and takes remainders.",
        )
    };

    fn ports(params: &Self::Params, _: &mut Ports) -> Result<()> {
        match (params.operation, params.operand) {
            (None, Some(_)) => Err(Error::new(
                detail::MANIFEST_PARAM_CONFLICT,
                "param 'operand' needs an 'operation' to be used with",
            )),
            (Some(Operation::Divide | Operation::Modulo), Some(0.0)) => Err(Error::new(
                detail::MANIFEST_PARAM_CONFLICT,
                "param 'operand' is 0, and no number can be divided by it",
            )),
            _ => Ok(()),
        }
    }

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self(params))
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let value = packet.as_json().ok_or_else(|| not_a_number(packet.kind().name()))?;
        let answer = match (value, self.0.operation, self.0.operand) {
            (Json::Object(_), ..) | (_, None, _) | (_, _, None) => self.answers(value)?,
            (_, Some(operation), Some(operand)) => {
                let operand = number(operand)?;
                each(value, &|n| operation.apply(n, &operand))?
            }
        };
        cx.emit(0, packet.with_payload(Payload::Json(Arc::new(answer))));
        Ok(Flow::Done)
    }

    fn set_params(&mut self, params: Self::Params) {
        self.0 = params;
    }
}

impl Calculator {
    /// The answer to an object, or to each of an array.
    fn answers(&self, value: &Json) -> Result<Json> {
        match value {
            Json::Array(items) => items.iter().map(|item| self.answer(item)).collect(),
            item => self.answer(item),
        }
    }

    fn answer(&self, value: &Json) -> Result<Json> {
        if !value.is_object() {
            return Err(bad(format!("the node takes an object, not {value}")).with_hint(
                "Give {\"operation\": …, \"operands\": […]}; with the params operation and operand \
                 it takes plain numbers.",
            ));
        }
        let operation = self.operation(value.get("operation"))?;
        let (operands, args) = (value.get("operands"), value.get("args"));
        let given = match (operands, args) {
            (Some(given), None) | (None, Some(given)) => given,
            (None, None) => return Err(bad("the object has no 'operands'".to_owned())),
            (Some(_), Some(_)) => {
                return Err(bad("the object has both 'operands' and 'args'".to_owned()));
            }
        };
        let result = operation.fold(given)?;
        let mut answer = json!({"operation": operation.to_json(), "operands": given});
        if args.is_some() {
            answer["args"] = given.clone();
        }
        answer["result"] = result.into();
        Ok(answer)
    }

    /// The operation of that name, or the param's where there is none.
    fn operation(&self, name: Option<&Json>) -> Result<Operation> {
        let ParamKind::Choice(choices) = Operation::kind() else {
            unreachable!("an enum's kind is a choice")
        };
        let found = match name {
            None => self.0.operation.ok_or("the object names no 'operation'".to_owned()),
            Some(name) => {
                Operation::from_json(name).ok_or_else(|| format!("there is no operation {name}"))
            }
        };
        found.map_err(|message| {
            let names: Vec<_> = choices.iter().map(|choice| choice.name).collect();
            bad(message).with_hint(format!("Operations are {}.", names.join(", ")))
        })
    }
}

impl Operation {
    /// From the left: `subtract` of 9, 3 and 1 is 5.
    fn fold(self, operands: &Json) -> Result<Number> {
        let least = if matches!(self, Self::Add | Self::Multiply) { 1 } else { 2 };
        let numbers: Option<Vec<_>> =
            operands.as_array().and_then(|list| list.iter().map(Json::as_number).collect());
        let Some([first, others @ ..]) = numbers.as_deref().filter(|n| n.len() >= least) else {
            let name = self.to_json();
            return Err(bad(format!("{name} takes {least} or more numbers, not {operands}")));
        };
        others.iter().try_fold((*first).clone(), |result, n| self.apply(&result, n))
    }

    fn apply(self, a: &Number, b: &Number) -> Result<Number> {
        let whole = a.as_i128().zip(b.as_i128()).and_then(|(a, b)| self.whole(a, b));
        if let Some(result) = whole.and_then(Number::from_i128) {
            return Ok(result);
        }
        // Every JSON number is one; beyond 2^53 it is the nearest.
        let (x, y) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
        if y == 0.0 && matches!(self, Self::Divide | Self::Modulo) {
            return Err(bad(format!("{a} can't be divided by {b}: give a divisor that is not 0")));
        }
        Number::from_f64(self.real(x, y)).ok_or_else(|| {
            let name = self.to_json();
            bad(format!("{name} of {a} and {b} is no finite real number"))
        })
    }

    /// The result where it is whole and fits.
    fn whole(self, a: i128, b: i128) -> Option<i128> {
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Divide => None,
            Self::Power => a.checked_pow(b.try_into().ok()?),
            Self::Modulo => {
                let rest = a.checked_rem(b)?;
                Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
            }
        }
    }

    fn real(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Power => a.powf(b),
            Self::Modulo => {
                let rest = a % b;
                if rest == 0.0 {
                    rest.copysign(b)
                } else if (rest < 0.0) != (b < 0.0) {
                    rest + b
                } else {
                    rest
                }
            }
        }
    }
}

/// The number, whole if it is.
fn number(value: f64) -> Result<Number> {
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        return Ok((value as i64).into());
    }
    Number::from_f64(value).ok_or_else(|| bad(format!("operand {value} is no finite number")))
}

fn bad(message: String) -> Error {
    Error::new(detail::FORMAT_VALUE, message)
}

#[cfg(test)]
mod tests;
