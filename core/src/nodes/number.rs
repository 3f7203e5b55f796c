//! What the arithmetic nodes share.

use crate::error::{Error, Result, detail};
use crate::packet::{Packet, Payload};
use serde_json::{Number, Value as Json};
use std::sync::Arc;

/// Applies arithmetic to the packet's number, or to every number of its (nested) array. Whole
/// numbers stay whole where the operand is whole and the result fits; then `whole` is used.
pub(super) fn each_number(
    packet: Packet,
    operand: f64,
    whole: fn(i128, i128) -> Option<i128>,
    real: fn(f64, f64) -> f64,
) -> Result<Packet> {
    let Some(value) = packet.as_json() else {
        return Err(not_a_number(packet.kind().name()));
    };
    let value = each(value, &|number| {
        if operand.fract() == 0.0
            && operand.abs() <= 9_007_199_254_740_992.0
            && let Some(n) = number.as_i128()
            && let Some(result) = whole(n, operand as i128).and_then(Number::from_i128)
        {
            return Ok(result);
        }
        let result = number.as_f64().map(|n| real(n, operand)).and_then(Number::from_f64);
        result.ok_or_else(|| {
            Error::new(
                detail::FORMAT_VALUE,
                format!("the result of {number} and {operand} is too large for a number"),
            )
        })
    })?;
    Ok(packet.with_payload(Payload::Json(Arc::new(value))))
}

/// Applies `f` to the number, or to every number of the (nested) array.
pub(super) fn each(value: &Json, f: &impl Fn(&Number) -> Result<Number>) -> Result<Json> {
    match value {
        Json::Number(number) => f(number).map(Json::Number),
        Json::Array(values) => values.iter().map(|v| each(v, f)).collect(),
        Json::Null => Err(not_a_number("null")),
        Json::Bool(_) => Err(not_a_number("true or false")),
        Json::String(_) => Err(not_a_number("a string")),
        Json::Object(_) => Err(not_a_number("an object")),
    }
}

pub(super) fn not_a_number(found: &str) -> Error {
    Error::new(detail::FORMAT_VALUE, format!("the node takes a number, not {found}"))
        .with_hint("Give a JSON number, or an array of numbers.")
}
