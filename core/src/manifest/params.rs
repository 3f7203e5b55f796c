//! Checks a node's params against the schema of its type.

use super::problem::{at, describe, error, excerpt};
use crate::error::{Problem, detail};
use crate::node::params::{ParamKind, ParamSpec, as_int};
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
                .expected(expected(&spec.kind, spec.unit)),
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
    match super::problem::nearest(key, spellings) {
        Some(name) => problem.hint(format!("did you mean '{name}'?")),
        None => problem.hint(format!("its params are {}", names().collect::<Vec<_>>().join(", "))),
    }
}

/// A value that does not fit.
struct Misfit {
    /// Of the wrong type, or else of the right type outside its range or list.
    wrong_type: bool,
    pointer: String,
    expected: String,
    found: Json,
    nearest: Option<&'static str>,
}

impl Misfit {
    fn problem(self, key: &str, spec: &ParamSpec) -> Problem {
        let detail = if self.wrong_type {
            detail::MANIFEST_PARAM_TYPE
        } else {
            detail::MANIFEST_PARAM_VALUE
        };
        let unit = spec.unit.map(|u| format!(" {u}")).unwrap_or_default();
        let expected = format!("{}{unit}", self.expected);
        let message = format!("param '{key}' takes {expected}, found {}", describe(&self.found));
        let problem = error(detail, self.pointer, message).expected(expected).found(&self.found);
        match self.nearest {
            Some(name) => problem.hint(format!("did you mean '{name}'?")),
            None => problem,
        }
    }
}

/// The value as the node type reads it.
fn normal(kind: &ParamKind, value: &Json, pointer: &str) -> Result<Json, Misfit> {
    let misfit = |wrong_type| Misfit {
        wrong_type,
        pointer: pointer.to_owned(),
        expected: expected(kind, None),
        found: value.clone(),
        nearest: None,
    };
    match (kind, value) {
        (ParamKind::Any, _)
        | (ParamKind::Bool, Json::Bool(_))
        | (ParamKind::Text, Json::String(_)) => Ok(value.clone()),
        (ParamKind::Int { min, max }, Json::Number(_)) => {
            let whole = value.as_f64().is_some_and(|n| n.fract() == 0.0);
            match as_int(value) {
                Some(n) if (*min..=*max).contains(&n) => Ok(n.into()),
                _ => Err(misfit(!whole)),
            }
        }
        (ParamKind::Float { min, max }, Json::Number(n)) => match n.as_f64() {
            Some(n) if (*min..=*max).contains(&n) => Ok(value.clone()),
            _ => Err(misfit(false)),
        },
        (ParamKind::Choice(choices), Json::String(text)) => {
            match ParamKind::choice(choices, text) {
                Some(choice) => Ok(choice.name.into()),
                None => Err(Misfit {
                    nearest: super::problem::nearest(text, choices.iter().map(|c| c.name)),
                    ..misfit(false)
                }),
            }
        }
        (ParamKind::List(inner), Json::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(i, value)| normal(inner, value, &format!("{pointer}/{i}")))
            .collect(),
        (ParamKind::Optional(_), Json::Null) => Ok(Json::Null),
        (ParamKind::Optional(inner), _) => normal(inner, value, pointer)
            .map_err(|m| Misfit { expected: format!("{} or null", m.expected), ..m }),
        _ => Err(misfit(true)),
    }
}

/// What a param takes, in words.
pub(crate) fn expected(kind: &ParamKind, unit: Option<&str>) -> String {
    let unit = unit.map(|u| format!(" {u}")).unwrap_or_default();
    let words = match kind {
        ParamKind::Bool => "true or false".to_owned(),
        ParamKind::Int { min, max } => match (*min, *max) {
            (i64::MIN, i64::MAX) => "a whole number".to_owned(),
            (min, max) if max >= i64::from(u32::MAX) => format!("a whole number of at least {min}"),
            (min, max) => format!("a whole number from {min} to {max}"),
        },
        ParamKind::Float { min, max } => {
            let (low, high) = (*min > f64::from(f32::MIN), *max < f64::from(f32::MAX));
            match (low, high) {
                (true, true) => format!("a number from {min} to {max}"),
                (true, false) => format!("a number of at least {min}"),
                (false, true) => format!("a number of at most {max}"),
                (false, false) => "a number".to_owned(),
            }
        }
        ParamKind::Text => "text".to_owned(),
        ParamKind::Choice(choices) => {
            let names: Vec<_> = choices.iter().map(|c| format!("'{}'", c.name)).collect();
            names.join(" or ")
        }
        ParamKind::List(inner) => format!("a list of {}", expected(inner, None)),
        ParamKind::Optional(inner) => {
            return expected(inner, Some(&unit).filter(|u| !u.is_empty()).map(|u| u.trim()));
        }
        ParamKind::Any => "any value".to_owned(),
    };
    format!("{words}{unit}")
}
