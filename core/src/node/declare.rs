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
//! The names live as long as the process, as those of Rust types do: a declaration is registered
//! once, not once per pipeline.

use super::caps::{AudioCaps, Caps, Kinds, Numbers, Samples};
use super::descriptor::{Descriptor, Port};
use super::params::{ChoiceSpec, ParamKind, ParamSpec};
use crate::error::{Error, Result, detail};
use crate::packet::{Kind, SampleFormat};
use serde::Deserialize;
use serde_json::Value as Json;

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
        let declared: Declared = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
        declared.check()?;
        let (namespace, name) =
            declared.name.split_once('/').unwrap_or((DEFAULT_NAMESPACE, &declared.name));
        let (namespace, name) = (keep(namespace), keep(name));
        let params = declared.params.iter().map(DeclaredParam::spec).collect::<Result<Vec<_>>>()?;
        let inputs = declared.inputs.iter().map(DeclaredPort::port).collect::<Result<Vec<_>>>()?;
        let outputs = declared.outputs.iter().map(DeclaredPort::port);
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        let descriptor = Descriptor {
            name,
            aliases: keep_all(&declared.aliases),
            summary: keep(&declared.summary),
            category: keep(&declared.category),
            inputs: inputs.leak(),
            outputs: outputs.leak(),
            realtime: declared.realtime,
            keeps_time: declared.keeps_time,
            determinate: declared.determinate,
            files: declared.files,
            max_in_flight: declared.max_in_flight,
        };
        let descriptor: &'static Descriptor = Box::leak(Box::new(descriptor));
        Ok(Self { namespace, descriptor, params: params.leak() })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    summary: String,
    #[serde(default = "other")]
    category: String,
    #[serde(default)]
    inputs: Vec<DeclaredPort>,
    #[serde(default)]
    outputs: Vec<DeclaredPort>,
    #[serde(default)]
    params: Vec<DeclaredParam>,
    #[serde(default)]
    realtime: bool,
    #[serde(default)]
    keeps_time: bool,
    #[serde(default = "yes")]
    determinate: bool,
    #[serde(default)]
    files: bool,
    #[serde(default)]
    max_in_flight: usize,
}

/// Most tickets that a declared type may keep open.
const MAX_IN_FLIGHT: usize = 4096;

impl Declared {
    fn check(&self) -> Result<()> {
        let name = self.name.strip_prefix("rmedia/");
        if name.is_some() {
            return Err(wrong("the namespace 'rmedia' is that of the built-in types".to_owned()));
        }
        let parts: Vec<&str> = self.name.split('/').collect();
        if parts.len() > 2 || parts.iter().any(|p| p.is_empty()) {
            let message = format!("'{}' is no name of the form Name or namespace/Name", self.name);
            return Err(wrong(message));
        }
        if self.inputs.is_empty() {
            return Err(wrong(format!("{} has no inputs", self.name)));
        }
        if self.max_in_flight > MAX_IN_FLIGHT {
            return Err(wrong(format!("max_in_flight is above {MAX_IN_FLIGHT}")));
        }
        for ports in [&self.inputs, &self.outputs] {
            distinct("port", ports.iter().map(|p| p.name.as_str()))?;
        }
        distinct("param", self.params.iter().map(|p| p.name.as_str()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredPort {
    name: String,
    /// Names of kinds; absent: any.
    kinds: Option<Vec<String>>,
    /// Sample rates; absent: any.
    rates: Option<Vec<u32>>,
    /// Numbers of channels; absent: any.
    channels: Option<Vec<u32>>,
    /// Sample formats; absent: any.
    samples: Option<Vec<String>>,
    planar: Option<bool>,
    #[serde(default)]
    like_input: bool,
    #[serde(default)]
    any: bool,
    #[serde(default)]
    doc: String,
}

impl DeclaredPort {
    fn port(&self) -> Result<Port> {
        let mut kinds = self.kinds.iter().flatten().map(|name| {
            let kind = Kind::ALL.into_iter().find(|k| k.name() == name);
            kind.map(Kinds::one).ok_or_else(|| {
                let names: Vec<_> = Kind::ALL.iter().map(|k| k.name()).collect();
                wrong(format!("'{name}' is no kind of packet: {}", names.join(", ")))
            })
        });
        let kinds = match kinds.next() {
            Some(first) => kinds.try_fold(first?, |set, kind| Ok::<_, Error>(set.or(kind?)))?,
            None => Kinds::ANY,
        };
        let mut samples = self.samples.iter().flatten().map(|name| {
            let format = SampleFormat::from_name(name);
            format.map(Samples::one).ok_or_else(|| wrong(format!("'{name}' is no sample format")))
        });
        let samples = match samples.next() {
            Some(first) => samples.try_fold(first?, |set, one| Ok::<_, Error>(set.or(one?)))?,
            None => Samples::ANY,
        };
        let numbers = |list: &Option<Vec<u32>>| match list {
            Some(list) if !list.is_empty() => Numbers::List(list.clone().into()),
            _ => Numbers::Any,
        };
        let audio = AudioCaps {
            rates: numbers(&self.rates),
            channels: numbers(&self.channels),
            samples,
            planar: self.planar,
        };
        Ok(Port {
            name: keep(&self.name),
            caps: Caps { kinds, audio },
            like_input: self.like_input,
            any: self.any,
            doc: keep(&self.doc),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredParam {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(rename = "type", default)]
    kind: DeclaredKind,
    default: Option<Json>,
    #[serde(default)]
    required: bool,
    min: Option<f64>,
    max: Option<f64>,
    #[serde(default)]
    choices: Vec<String>,
    unit: Option<String>,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    doc: String,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum DeclaredKind {
    Bool,
    Int,
    Float,
    Text,
    Choice,
    #[default]
    Any,
}

impl DeclaredParam {
    fn spec(&self) -> Result<ParamSpec> {
        let kind = match self.kind {
            DeclaredKind::Bool => ParamKind::Bool,
            DeclaredKind::Int => ParamKind::Int { min: i64::MIN, max: i64::MAX },
            DeclaredKind::Float => ParamKind::Float { min: f64::MIN, max: f64::MAX },
            DeclaredKind::Text => ParamKind::Text,
            DeclaredKind::Choice if self.choices.is_empty() => {
                return Err(wrong(format!("the choice '{}' has no choices", self.name)));
            }
            DeclaredKind::Choice => {
                let choice = |name: &String| ChoiceSpec { name: keep(name), aliases: &[], doc: "" };
                let choices: Vec<ChoiceSpec> = self.choices.iter().map(choice).collect();
                ParamKind::Choice(choices.leak())
            }
            DeclaredKind::Any => ParamKind::Any,
        };
        let ranged = matches!(kind, ParamKind::Int { .. } | ParamKind::Float { .. });
        if !ranged && (self.min.is_some() || self.max.is_some()) {
            return Err(wrong(format!("the param '{}' is no number and has no range", self.name)));
        }
        let kind = kind.with_range(self.min, self.max);
        let (kind, default) = match &self.default {
            Some(default) => {
                let normal = kind.normalise(default).map_err(|expected| {
                    wrong(format!("the default of '{}' is not {expected}", self.name))
                })?;
                (kind, Some(normal))
            }
            None if self.required => (kind, None),
            None => (ParamKind::Optional(Box::new(kind)), Some(Json::Null)),
        };
        Ok(ParamSpec {
            name: keep(&self.name),
            aliases: keep_all(&self.aliases),
            doc: keep(&self.doc),
            kind,
            default,
            unit: self.unit.as_deref().map(keep),
            live: self.live,
        })
    }
}

fn yes() -> bool {
    true
}

fn other() -> String {
    "other".to_owned()
}

fn keep(text: &str) -> &'static str {
    Box::leak(text.into())
}

fn keep_all(texts: &[String]) -> &'static [&'static str] {
    texts.iter().map(|text| keep(text)).collect::<Vec<_>>().leak()
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
