//! The rules of a router: which packets go where.

use super::Router;
use crate::node::Node;
use crate::node::params::{ParamKind, ParamValue};
use crate::packet::record::Value;
use crate::packet::{Kind, Packet, Payload};
use serde_json::{Map, Number, Value as Json};

/// One rule. What it doesn't ask for may be anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    /// The output port.
    pub(super) to: usize,
    kind: Option<Kind>,
    /// Names and indices that lead to the value.
    field: Option<Vec<String>>,
    equals: Option<Json>,
    min: Option<f64>,
    max: Option<f64>,
    exists: Option<bool>,
}

/// A list of rules as a param, read where it is set and not where it is used.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    written: Vec<Json>,
    /// Or what is wrong with them.
    pub(super) read: Result<Vec<Rule>, String>,
}

const FIELDS: [&str; 7] = ["to", "kind", "field", "equals", "min", "max", "exists"];

impl Rule {
    /// Whether a packet goes where the rule says.
    ///
    /// # Real-time
    /// rt-safe.
    pub(super) fn fits(&self, packet: &Packet) -> bool {
        if self.kind.is_some_and(|kind| kind != packet.kind()) {
            return false;
        }
        let Some(path) = &self.field else { return true };
        match find(packet, path) {
            None => self.exists == Some(false),
            Some(found) => {
                let number = found.number().and_then(|n| n.as_f64());
                self.exists != Some(false)
                    && self.equals.as_ref().is_none_or(|json| found.equals(json))
                    && self.min.is_none_or(|min| number.is_some_and(|n| n >= min))
                    && self.max.is_none_or(|max| number.is_some_and(|n| n <= max))
            }
        }
    }

    fn read(written: &Json) -> Result<Self, String> {
        let object = written.as_object().ok_or("it is no object")?;
        if let Some(other) = object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(format!("there is no '{other}' in a rule, only {}", FIELDS.join(", ")));
        }
        let rule = Self {
            to: output(text(object, "to")?.ok_or("it does not say 'to' which output")?)?,
            kind: text(object, "kind")?.map(kind).transpose()?,
            field: text(object, "field")?.map(path).transpose()?,
            equals: object.get("equals").cloned(),
            min: typed(object, "min", "a number", Json::as_f64)?,
            max: typed(object, "max", "a number", Json::as_f64)?,
            exists: typed(object, "exists", "true or false", Json::as_bool)?,
        };
        let asks = rule.equals.is_some() || rule.min.is_some() || rule.max.is_some();
        if rule.field.is_none() && (asks || rule.exists.is_some()) {
            return Err("it asks for a value, but not of which 'field'".to_owned());
        }
        if asks && rule.exists == Some(false) {
            return Err("it asks for a value that does not exist".to_owned());
        }
        match (rule.min, rule.max) {
            (Some(min), Some(max)) if min > max => Err(format!("min {min} is above max {max}")),
            _ => Ok(rule),
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self { written: Vec::new(), read: Ok(Vec::new()) }
    }
}

impl ParamValue for Rules {
    fn kind() -> ParamKind {
        Vec::<Json>::kind()
    }
    fn from_json(value: &Json) -> Option<Self> {
        let written = value.as_array()?.clone();
        let read = |(n, rule)| Rule::read(rule).map_err(|why| format!("rules[{n}]: {why}"));
        let read = written.iter().enumerate().map(read).collect();
        Some(Self { written, read })
    }
    fn to_json(&self) -> Json {
        Json::Array(self.written.clone())
    }
}

fn typed<'a, T>(
    object: &'a Map<String, Json>,
    name: &str,
    what: &str,
    read: impl Fn(&'a Json) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(value) = object.get(name) else { return Ok(None) };
    read(value).map(Some).ok_or_else(|| format!("'{name}' is {what}, not {value}"))
}

fn text<'a>(object: &'a Map<String, Json>, name: &str) -> Result<Option<&'a str>, String> {
    typed(object, name, "text", Json::as_str)
}

fn output(name: &str) -> Result<usize, String> {
    let names = || Router::DESCRIPTOR.outputs.iter().map(|port| port.name);
    names().position(|n| n == name).ok_or_else(|| {
        let names: Vec<_> = names().collect();
        format!("there is no output '{name}'; outputs are {}", names.join(", "))
    })
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        format!("there is no kind '{name}'; kinds are {}", names.join(", "))
    })
}

/// The parts of a JSON pointer (RFC 6901).
fn path(pointer: &str) -> Result<Vec<String>, String> {
    match pointer.strip_prefix('/') {
        None if pointer.is_empty() => Ok(Vec::new()),
        None => Err(format!("the field '{pointer}' is no JSON pointer, like '/{pointer}'")),
        Some(rest) => {
            Ok(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
        }
    }
}

/// A value in a packet.
enum Found<'a> {
    Json(&'a Json),
    Record(Value),
}

/// The value to which a path leads. `Value::pointer` would do, but allocates.
fn find<'a>(packet: &'a Packet, path: &[String]) -> Option<Found<'a>> {
    match (packet.payload(), path) {
        (Payload::Json(json), path) => {
            let step = |value: &'a Json, part: &String| match value {
                Json::Object(object) => object.get(part),
                Json::Array(items) => items.get(part.parse::<usize>().ok()?),
                _ => None,
            };
            path.iter().try_fold(&**json, step).map(Found::Json)
        }
        (Payload::Record(record), [name]) => record.get(name).map(Found::Record),
        _ => None,
    }
}

impl Found<'_> {
    fn number(&self) -> Option<Number> {
        match self {
            Self::Json(json) => json.as_number().cloned(),
            Self::Record(Value::Int(n)) => Some((*n).into()),
            Self::Record(Value::Float(n)) => Number::from_f64(*n),
            Self::Record(Value::Bool(_) | Value::Name(_)) => None,
        }
    }

    /// Numbers are equal by value: 1 is 1.0.
    fn equals(&self, other: &Json) -> bool {
        match (self, other) {
            (Self::Record(Value::Bool(b)), Json::Bool(other)) => b == other,
            (Self::Record(Value::Name(name)), Json::String(other)) => name == other,
            (found, Json::Number(other)) => found.number().is_some_and(|n| {
                // Two whole numbers are not made equal by rounding.
                let rounds = n.is_f64() || other.is_f64();
                n == *other || (rounds && n.as_f64() == other.as_f64())
            }),
            (Self::Json(json), other) => *json == other,
            _ => false,
        }
    }
}
