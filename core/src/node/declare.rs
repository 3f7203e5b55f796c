//! Node types that are declared in JSON, for nodes written in another language.
//!
//! ```json
//! {
//!   "name": "game/Voice", "summary": "Makes a voice deeper.", "category": "audio",
//!   "inputs": [{"name": "in", "kinds": ["audio"], "samples": ["f32"], "planar": false}],
//!   "outputs": [{"name": "out", "kinds": ["audio"], "like_input": true}],
//!   "params": [{"name": "depth", "type": "float", "min": 0, "max": 1, "default": 0.5, "live": true}]
//! }
//! ```
//!
//! What a declaration says lives as long as the process, as what a Rust type says does; the same text
//! gives the same declaration again.

use super::caps::{AudioCaps, Caps, Kinds, Numbers, Samples};
use super::descriptor::{Descriptor, Port};
use super::join::Join;
use super::params::{ChoiceSpec, ParamKind, ParamSpec};
use super::registry::BUILTIN;
use crate::error::{Error, Result, detail};
use crate::packet::{Kind, SampleFormat, read_json};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What a declaration says.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// Namespace of the type: what stands before `/` in its name, or `app`.
    pub namespace: &'static str,
    /// What the type is.
    pub descriptor: &'static Descriptor,
    /// Schema of its params.
    pub params: &'static [ParamSpec],
}

/// Namespace of a type that names none.
const DEFAULT_NAMESPACE: &str = "app";

impl Declaration {
    /// Reads a declaration.
    ///
    /// # Errors
    /// `registry.declaration`: what is wrong in it.
    pub fn from_json(text: &str) -> Result<Self> {
        static KNOWN: Mutex<BTreeMap<String, Result<Declaration>>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(declaration) = known.get(text) {
            return declaration.clone();
        }
        let declaration = Self::read(text);
        known.insert(text.to_owned(), declaration.clone());
        declaration
    }

    /// The same, for a type all of whose nodes hand their work elsewhere: at least one ticket may be
    /// open.
    #[must_use]
    pub fn with_tickets(self) -> Self {
        static KNOWN: Mutex<BTreeMap<usize, &'static Descriptor>> = Mutex::new(BTreeMap::new());
        if self.descriptor.max_in_flight > 0 {
            return self;
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor =
            known.entry(std::ptr::from_ref(self.descriptor).addr()).or_insert_with(|| {
                Box::leak(Box::new(Descriptor { max_in_flight: 1, ..*self.descriptor }))
            });
        Self { descriptor, ..self }
    }

    fn read(text: &str) -> Result<Self> {
        let value = read_json(text).map_err(|e| wrong(e.to_string()))?;
        let mut fields = Fields::of(value, "the declaration")?;
        let written = fields.text("name")?;
        let (namespace, name) = names(&written)?;
        let inputs = ports(&mut fields, "inputs")?;
        if inputs.is_empty() {
            return Err(wrong(format!("{written} has no inputs")));
        }
        let outputs = ports(&mut fields, "outputs")?;
        let params = fields.list("params", param)?;
        distinct("param", params.iter().map(|p| p.name))?;
        let max_in_flight = fields.optional("max_in_flight", "a whole number", as_index)?;
        let max_in_flight = max_in_flight.unwrap_or(0);
        if max_in_flight > MAX_IN_FLIGHT {
            return Err(wrong(format!("max_in_flight is above {MAX_IN_FLIGHT}")));
        }
        let descriptor = Descriptor {
            name,
            aliases: fields.texts("aliases")?.leak(),
            summary: keep(&fields.text_or("summary", "")?),
            category: keep(&fields.text_or("category", "other")?),
            inputs: inputs.leak(),
            outputs: outputs.leak(),
            realtime: fields.flag("realtime", false)?,
            keeps_time: fields.flag("keeps_time", false)?,
            determinate: fields.flag("determinate", true)?,
            files: fields.flag("files", false)?,
            blocking: fields.flag("blocking", false)?,
            retry_safe: fields.flag("retry_safe", false)?,
            external: fields.flag("external", false)?,
            join: Join::Any,
            max_in_flight,
        };
        fields.end()?;
        let descriptor: &'static Descriptor = Box::leak(Box::new(descriptor));
        Ok(Self { namespace, descriptor, params: params.leak() })
    }
}

/// Most tickets that a declared type may keep open.
const MAX_IN_FLIGHT: usize = 4096;

/// Namespace and name of a type.
fn names(written: &str) -> Result<(&'static str, &'static str)> {
    let (namespace, name) = written.split_once('/').unwrap_or((DEFAULT_NAMESPACE, written));
    if namespace == BUILTIN {
        return Err(wrong(format!("the namespace '{BUILTIN}' is that of the built-in types")));
    }
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        return Err(wrong(format!("'{written}' is no name of the form Name or namespace/Name")));
    }
    Ok((keep(namespace), keep(name)))
}

fn ports(fields: &mut Fields, key: &'static str) -> Result<Vec<Port>> {
    let ports = fields.list(key, port)?;
    distinct("port", ports.iter().map(|p| p.name))?;
    Ok(ports)
}

fn port(value: Json) -> Result<Port> {
    let mut fields = Fields::of(value, "a port")?;
    let name = keep(&fields.text("name")?);
    let kinds = fields.texts("kinds")?.into_iter().map(|name| {
        let kind = Kind::ALL.into_iter().find(|k| k.name() == name);
        kind.map(Kinds::one).ok_or_else(|| {
            let names: Vec<_> = Kind::ALL.iter().map(|k| k.name()).collect();
            wrong(format!("'{name}' is no kind of packet: {}", names.join(", ")))
        })
    });
    let kinds = kinds.collect::<Result<Vec<_>>>()?.into_iter().reduce(Kinds::or);
    let samples = fields.texts("samples")?.into_iter().map(|name| {
        let format = SampleFormat::from_name(name);
        format.map(Samples::one).ok_or_else(|| wrong(format!("'{name}' is no sample format")))
    });
    let samples = samples.collect::<Result<Vec<_>>>()?.into_iter().reduce(Samples::or);
    let audio = AudioCaps {
        rates: fields.numbers("rates")?,
        channels: fields.numbers("channels")?,
        samples: samples.unwrap_or(Samples::ANY),
        planar: fields.optional("planar", "true or false", Json::as_bool)?,
    };
    let port = Port {
        name,
        caps: Caps { kinds: kinds.unwrap_or(Kinds::ANY), audio },
        like_input: fields.flag("like_input", false)?,
        any: fields.flag("any", false)?,
        doc: keep(&fields.text_or("doc", "")?),
    };
    fields.end()?;
    Ok(port)
}

fn param(value: Json) -> Result<ParamSpec> {
    let mut fields = Fields::of(value, "a param")?;
    let name = keep(&fields.text("name")?);
    let choices = fields.texts("choices")?;
    let kind = match fields.text_or("type", "any")?.as_str() {
        "bool" => ParamKind::Bool,
        "int" => ParamKind::Int { min: i64::MIN, max: i64::MAX },
        "float" => ParamKind::Float { min: f64::MIN, max: f64::MAX },
        "text" => ParamKind::Text,
        "choice" if choices.is_empty() => {
            return Err(wrong(format!("the choice '{name}' has no choices")));
        }
        "choice" => {
            let choice = |name| ChoiceSpec { name, aliases: &[], doc: "" };
            ParamKind::Choice(choices.into_iter().map(choice).collect::<Vec<_>>().leak())
        }
        "any" => ParamKind::Any,
        other => {
            let types = "bool, int, float, text, choice, any";
            return Err(wrong(format!("'{other}' is no type of a param: {types}")));
        }
    };
    let low = fields.optional("min", "a number", Json::as_f64)?;
    let high = fields.optional("max", "a number", Json::as_f64)?;
    let ranged = matches!(kind, ParamKind::Int { .. } | ParamKind::Float { .. });
    if !ranged && (low.is_some() || high.is_some()) {
        return Err(wrong(format!("the param '{name}' is no number and has no range")));
    }
    if low.zip(high).is_some_and(|(low, high)| low > high) {
        return Err(wrong(format!("the range of '{name}' is empty")));
    }
    let kind = kind.with_range(low, high);
    let required = fields.flag("required", false)?;
    let (kind, default) = match fields.take("default") {
        Some(default) => {
            let normal = kind
                .normalise(&default)
                .map_err(|expected| wrong(format!("the default of '{name}' is not {expected}")))?;
            (kind, Some(normal))
        }
        None if required => (kind, None),
        None => (ParamKind::Optional(Box::new(kind)), Some(Json::Null)),
    };
    let unit = fields.optional("unit", "text", |v| v.as_str().map(keep))?;
    let spec = ParamSpec {
        name,
        aliases: fields.texts("aliases")?.leak(),
        doc: keep(&fields.text_or("doc", "")?),
        kind,
        default,
        unit,
        live: fields.flag("live", false)?,
    };
    fields.end()?;
    Ok(spec)
}

/// The fields of an object, taken one by one; what is left at the end is not known.
struct Fields {
    map: Map<String, Json>,
    /// What the object is, for messages.
    what: &'static str,
}

impl Fields {
    fn of(value: Json, what: &'static str) -> Result<Self> {
        match value {
            Json::Object(map) => Ok(Self { map, what }),
            other => Err(wrong(format!("{what} is an object, not {other}"))),
        }
    }

    fn take(&mut self, key: &str) -> Option<Json> {
        self.map.remove(key)
    }

    fn optional<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&Json) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let found = read(&value);
        found.map(Some).ok_or_else(|| wrong(format!("'{key}' is {expected}, not {value}")))
    }

    fn text(&mut self, key: &str) -> Result<String> {
        let text = self.optional(key, "text", |v| v.as_str().map(str::to_owned))?;
        text.ok_or_else(|| wrong(format!("{} has no '{key}'", self.what)))
    }

    fn text_or(&mut self, key: &str, default: &str) -> Result<String> {
        let text = self.optional(key, "text", |v| v.as_str().map(str::to_owned))?;
        Ok(text.unwrap_or_else(|| default.to_owned()))
    }

    fn flag(&mut self, key: &str, default: bool) -> Result<bool> {
        Ok(self.optional(key, "true or false", Json::as_bool)?.unwrap_or(default))
    }

    fn list<T>(&mut self, key: &str, read: impl FnMut(Json) -> Result<T>) -> Result<Vec<T>> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Json::Array(items)) => items.into_iter().map(read).collect(),
            Some(other) => Err(wrong(format!("'{key}' is a list, not {other}"))),
        }
    }

    fn texts(&mut self, key: &str) -> Result<Vec<&'static str>> {
        self.list(key, |item| match item {
            Json::String(text) => Ok(keep(&text)),
            other => Err(wrong(format!("'{key}' is a list of texts, with {other} in it"))),
        })
    }

    /// A set of numbers; none: all.
    fn numbers(&mut self, key: &str) -> Result<Numbers> {
        let list = self.list(key, |item| {
            let number = item.as_u64().and_then(|n| u32::try_from(n).ok());
            number.ok_or_else(|| wrong(format!("'{key}' is a list of numbers, with {item} in it")))
        })?;
        Ok(if list.is_empty() { Numbers::Any } else { Numbers::List(list.into()) })
    }

    fn end(self) -> Result<()> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(key) => Err(wrong(format!("{} has no field '{key}'", self.what))),
        }
    }
}

fn as_index(value: &Json) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok())
}

fn keep(text: &str) -> &'static str {
    Box::leak(text.into())
}

fn distinct<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = Vec::new();
    for name in names {
        if name.is_empty() || seen.contains(&name) {
            return Err(wrong(format!("the {what} name '{name}' is empty or there twice")));
        }
        seen.push(name);
    }
    Ok(())
}

fn wrong(message: String) -> Error {
    Error::new(detail::REGISTRY_DECLARATION, format!("the node type's declaration: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_says_what_a_rust_type_says() {
        let declared = Declaration::from_json(
            r#"{"name": "game/Voice", "category": "audio", "realtime": true,
                "inputs": [{"name": "in", "kinds": ["audio"], "samples": ["f32"], "rates": [48000]}],
                "outputs": [{"name": "out", "kinds": ["audio", "text"], "like_input": true}],
                "params": [
                    {"name": "depth", "type": "float", "min": 0, "max": 1, "default": 0.5, "live": true},
                    {"name": "mode", "type": "choice", "choices": ["a", "b"], "required": true},
                    {"name": "note", "type": "text"}]}"#,
        )
        .expect("a good declaration");
        let descriptor = declared.descriptor;
        assert_eq!((declared.namespace, descriptor.name), ("game", "Voice"));
        assert_eq!(descriptor.inputs[0].caps.to_string(), "audio (f32, 48000 Hz)");
        assert_eq!(descriptor.outputs[0].caps.kinds.to_string(), "audio | text");
        assert!(descriptor.realtime && descriptor.determinate && !descriptor.files);
        let [depth, mode, note] = declared.params else { panic!("three params") };
        assert!(depth.live && depth.kind.to_string() == "a number from 0 to 1");
        assert_eq!((mode.default.clone(), note.default.clone()), (None, Some(Json::Null)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, says) in [
            ("{", "EOF"),
            (r#"{"name": "a/b/c", "inputs": [{"name": "in"}]}"#, "'a/b/c'"),
            (r#"{"name": "rmedia/Gain", "inputs": [{"name": "in"}]}"#, "built-in"),
            (r#"{"name": "A"}"#, "no inputs"),
            (r#"{"name": "A", "inputs": [{"name": "in"}, {"name": "in"}]}"#, "there twice"),
            (r#"{"name": "A", "inputs": [{"name": "in", "kinds": ["sound"]}]}"#, "'sound'"),
            (r#"{"name": "A", "inputs": [{"name": "in"}], "colour": 1}"#, "colour"),
            (
                r#"{"name": "A", "inputs": [{"name": "in"}],
                    "params": [{"name": "n", "type": "int", "min": 0, "max": 3, "default": 4}]}"#,
                "the default of 'n'",
            ),
            (
                r#"{"name": "A", "inputs": [{"name": "in"}],
                    "params": [{"name": "n", "type": "choice"}]}"#,
                "no choices",
            ),
        ] {
            let error = Declaration::from_json(text).expect_err(text);
            assert_eq!(error.detail(), detail::REGISTRY_DECLARATION);
            assert!(error.message().contains(says), "{says:?} in {error}");
        }
    }
}
