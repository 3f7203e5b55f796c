//! Checks a node's params against the schema of its type.

use super::problem::{at, describe, error, excerpt, nearest};
use crate::error::{Problem, detail};
use crate::node::params::{ParamKind, ParamSpec};
use serde_json::{Map, Value as Json};

/// The params under their canonical names, values as the node type wants to read them. What does
/// not fit is reported and left out.
pub fn check(
    specs: &'static [ParamSpec],
    given: &Map<String, Json>,
    node_type: &str,
    pointer: &str,
    problems: &mut impl FnMut(Problem),
) -> Map<String, Json> {
    let mut params = Map::new();
    let mut written: Vec<(&str, &str)> = Vec::new();
    let mut wrong: Vec<&str> = Vec::new();
    for (key, value) in given {
        let pointer = at(pointer, key);
        let Some(spec) = specs.iter().find(|s| s.name == key || s.aliases.contains(&key.as_str()))
        else {
            problems(unknown(key, specs, node_type, pointer));
            continue;
        };
        if let Some((_, other)) = written.iter().find(|(name, _)| *name == spec.name) {
            problems(
                error(
                    detail::MANIFEST_PARAM_CONFLICT,
                    pointer,
                    format!("'{other}' and '{key}' are the same param of {node_type}"),
                )
                .hint(format!("keep '{}' alone", spec.name)),
            );
            continue;
        }
        written.push((spec.name, key));
        match normal(&spec.kind, value, &pointer) {
            Ok(value) => {
                params.insert(spec.name.to_owned(), value);
            }
            Err(misfit) => {
                wrong.push(spec.name);
                problems(misfit.problem(key, spec));
            }
        }
    }
    for spec in specs {
        let missing = spec.default.is_none() && !matches!(spec.kind, ParamKind::Optional(_));
        if missing && !params.contains_key(spec.name) && !wrong.contains(&spec.name) {
            problems(
                error(
                    detail::MANIFEST_MISSING_PARAM,
                    pointer,
                    format!("{node_type} needs the param '{}'", spec.name),
                )
                .expected(spec.kind.to_string()),
            );
        }
    }
    params
}

fn unknown(key: &str, specs: &'static [ParamSpec], node_type: &str, pointer: String) -> Problem {
    let names = || specs.iter().map(|s| s.name);
    let problem = error(
        detail::MANIFEST_UNKNOWN_PARAM,
        pointer,
        format!("{node_type} has no param '{}'", excerpt(key)),
    );
    if specs.is_empty() {
        return problem.hint("it takes no params");
    }
    let spellings = specs.iter().flat_map(|s| s.aliases.iter().copied().chain([s.name]));
    match nearest(key, spellings) {
        Some(name) => problem.hint(format!("did you mean '{name}'?")),
        None => problem.hint(format!("its params are {}", names().collect::<Vec<_>>().join(", "))),
    }
}

/// A value that does not fit.
struct Misfit<'a> {
    /// What it should have been.
    kind: &'a ParamKind,
    found: &'a Json,
    pointer: String,
}

impl Misfit<'_> {
    fn problem(self, key: &str, spec: &ParamSpec) -> Problem {
        let Self { kind, found, pointer } = self;
        let expected = match spec.unit {
            Some(unit) => format!("{kind}, in {unit}"),
            None => kind.to_string(),
        };
        let (detail, near) = match (kind, found) {
            (ParamKind::Choice(choices), Json::String(text)) => {
                (detail::MANIFEST_PARAM_VALUE, nearest(text, choices.iter().map(|c| c.name)))
            }
            (ParamKind::Int { .. } | ParamKind::Float { .. }, Json::Number(_)) => {
                (detail::MANIFEST_PARAM_VALUE, None)
            }
            _ => (detail::MANIFEST_PARAM_TYPE, None),
        };
        let message =
            format!("param '{}' takes {expected}; found {}", excerpt(key), describe(found));
        let problem = error(detail, pointer, message).expected(expected).found(found);
        match near {
            Some(name) => problem.hint(format!("did you mean '{name}'?")),
            None => problem,
        }
    }
}

/// The value as the node type reads it. Goes into lists, to say which item does not fit.
fn normal<'a>(kind: &'a ParamKind, value: &'a Json, pointer: &str) -> Result<Json, Misfit<'a>> {
    match (kind, value) {
        (ParamKind::List(inner), Json::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(i, value)| normal(inner, value, &format!("{pointer}/{i}")))
            .collect(),
        (ParamKind::Optional(inner), value) if !value.is_null() => normal(inner, value, pointer),
        _ => kind.normalise(value).map_err(|_| Misfit {
            kind,
            found: value,
            pointer: pointer.to_owned(),
        }),
    }
}
