//! Shapes: which fields a manifest has, of which type, and whether the engine acts on them.
//!
//! The tables in `fields` are written in these words. Checking a document, its JSON Schema and
//! the reference page all come from the same tables, so they can't disagree.

use super::problem::{Problems, at, describe, error, excerpt, nearest, warning};
use crate::error::detail;
use serde_json::{Map, Value as Json};

/// What a value may be.
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// `true` or `false`.
    Bool,
    /// Text.
    Text,
    /// A whole number.
    Int { min: u64, max: u64 },
    /// A number.
    Number { min: f64, max: f64 },
    /// One of these names.
    Choice(&'static [Pick]),
    /// A list.
    List(&'static Shape),
    /// An object whose keys are names that the author chooses.
    Map(&'static Shape),
    /// An object with these fields.
    Object(&'static Object),
    /// The one of these whose JSON type fits.
    Either(&'static [Shape]),
}

/// An object with known fields.
pub(crate) struct Object {
    /// What it is, with its article: `a node`.
    pub(crate) name: &'static str,
    /// Its fields.
    pub(crate) fields: &'static [Field],
    /// What people write for some of them.
    pub(crate) habits: &'static [(&'static str, &'static str)],
    /// Whether unknown fields are only warned of.
    pub(crate) open: bool,
}

/// A field of an object.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    pub(crate) effect: Effect,
    pub(crate) doc: &'static str,
}

impl Field {
    pub(crate) const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: false, effect: Effect::Used, doc }
    }
    pub(crate) const fn required(self) -> Self {
        Self { required: true, effect: Effect::Used, ..self }
    }
    /// A preference that this engine does not act on.
    pub(crate) const fn ignored(self, why: &'static str) -> Self {
        Self { effect: Effect::Ignored(why), required: false, ..self }
    }
    /// A requirement that this engine can't meet.
    pub(crate) const fn refused(self, why: &'static str) -> Self {
        Self { effect: Effect::Refused(why), required: false, ..self }
    }
}

/// One name of a choice.
pub(crate) struct Pick(pub(crate) &'static str, pub(crate) Effect);

/// Whether the engine acts on a field.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    /// It does, or nothing needs to be done.
    Used,
    /// It's a preference without effect: a warning, with the reason.
    Ignored(&'static str),
    /// It's a requirement that can't be met: an error, with the reason.
    Refused(&'static str),
}

/// Checks a value against its shape. Goes as deep as the shape does, so at most ten levels.
pub(crate) fn check(value: &Json, shape: &Shape, pointer: &str, problems: &mut Problems) {
    if problems.full() {
        return;
    }
    match (shape, value) {
        (Shape::Any, _) | (Shape::Bool, Json::Bool(_)) | (Shape::Text, Json::String(_)) => {}
        (Shape::Int { min, max }, Json::Number(_)) => {
            let whole = crate::node::params::as_int(value).map(u64::try_from);
            match whole.or_else(|| value.as_u64().map(Ok)) {
                Some(Ok(n)) if (*min..=*max).contains(&n) => {}
                _ => problems.add(wrong_value(value, shape, pointer)),
            }
        }
        (Shape::Number { min, max }, Json::Number(n)) => {
            if !n.as_f64().is_some_and(|n| (*min..=*max).contains(&n)) {
                problems.add(wrong_value(value, shape, pointer));
            }
        }
        (Shape::Choice(picks), Json::String(text)) => match picks.iter().find(|p| p.0 == text) {
            Some(pick) => {
                let acted_on = picks.iter().find(|p| matches!(p.1, Effect::Used));
                let instead = acted_on.map_or(String::new(), |p| format!("write '{}', or ", p.0));
                note_effect(pick.1, text, &format!("{instead}take it out"), pointer, problems);
            }
            None => problems
                .add(wrong_value(value, shape, pointer).nearest(text, picks.iter().map(|p| p.0))),
        },
        (Shape::List(inner), Json::Array(list)) => {
            for (i, value) in list.iter().enumerate() {
                check(value, inner, &format!("{pointer}/{i}"), problems);
            }
        }
        (Shape::Map(inner), Json::Object(map)) => {
            for (key, value) in map {
                check(value, inner, &at(pointer, key), problems);
            }
        }
        (Shape::Object(object), Json::Object(map)) => {
            check_object(map, object, pointer, problems);
        }
        (Shape::Either(shapes), _) => match shapes.iter().find(|s| same_type(s, value)) {
            Some(shape) => check(value, shape, pointer, problems),
            None => problems.add(wrong_type(value, shape, pointer)),
        },
        _ => problems.add(wrong_type(value, shape, pointer)),
    }
}

fn check_object(map: &Map<String, Json>, object: &Object, pointer: &str, problems: &mut Problems) {
    for (key, value) in map {
        let Some(field) = object.fields.iter().find(|f| f.name == key) else {
            problems.add(unknown_field(key, object, map, pointer));
            continue;
        };
        // Optional fields may be null: exporters write them so.
        if value.is_null() && !field.required {
            continue;
        }
        let pointer = at(pointer, key);
        check(value, &field.shape, &pointer, problems);
        let says_nothing = match value {
            Json::Bool(on) => !on,
            Json::Array(list) => list.is_empty(),
            Json::Object(map) => map.is_empty(),
            _ => false,
        };
        if !says_nothing && same_type(&field.shape, value) {
            note_effect(field.effect, key, "take it out", &pointer, problems);
        }
    }
    for field in object.fields.iter().filter(|f| f.required && !map.contains_key(f.name)) {
        problems.add(
            error(
                detail::MANIFEST_MISSING_FIELD,
                pointer,
                format!("{} needs the field '{}'", object.name, field.name),
            )
            .expected(expected(&field.shape)),
        );
    }
}

fn unknown_field(
    key: &str,
    object: &Object,
    map: &Map<String, Json>,
    pointer: &str,
) -> crate::error::Problem {
    let make = if object.open { warning } else { error };
    let problem = make(
        detail::MANIFEST_UNKNOWN_FIELD,
        at(pointer, key),
        format!("{} has no field '{}'", object.name, excerpt(key)),
    );
    let free = object.fields.iter().map(|f| f.name).filter(|name| !map.contains_key(*name));
    let habit = object.habits.iter().find(|(habit, _)| *habit == key).map(|(_, name)| *name);
    match habit.or_else(|| nearest(key, free)) {
        Some(name) => problem.hint(format!("did you mean '{name}'?")),
        None if object.open => problem,
        None => {
            let names: Vec<_> = object.fields.iter().map(|f| f.name).collect();
            problem.hint(format!("its fields are {}", names.join(", ")))
        }
    }
}

fn note_effect(effect: Effect, what: &str, hint: &str, pointer: &str, problems: &mut Problems) {
    match effect {
        Effect::Used => {}
        Effect::Ignored(why) => problems.add(warning(
            detail::MANIFEST_HINT_IGNORED,
            pointer,
            format!("'{what}' has no effect: {why}"),
        )),
        Effect::Refused(why) => {
            let message = format!("'{what}' is not supported: {why}");
            problems.add(error(detail::MANIFEST_NOT_SUPPORTED, pointer, message).hint(hint));
        }
    }
}

fn wrong_type(value: &Json, shape: &Shape, pointer: &str) -> crate::error::Problem {
    let expected = expected(shape);
    error(
        detail::MANIFEST_WRONG_TYPE,
        pointer,
        format!("expected {expected}, found {}", describe(value)),
    )
    .expected(expected)
    .found(value)
}

fn wrong_value(value: &Json, shape: &Shape, pointer: &str) -> crate::error::Problem {
    crate::error::Problem {
        detail: detail::MANIFEST_WRONG_VALUE,
        ..wrong_type(value, shape, pointer)
    }
}

fn same_type(shape: &Shape, value: &Json) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Bool => value.is_boolean(),
        Shape::Text | Shape::Choice(_) => value.is_string(),
        Shape::Int { .. } | Shape::Number { .. } => value.is_number(),
        Shape::List(_) => value.is_array(),
        Shape::Map(_) | Shape::Object(_) => value.is_object(),
        Shape::Either(shapes) => shapes.iter().any(|s| same_type(s, value)),
    }
}

/// The shape in words.
pub(crate) fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any value".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Int { min, max } if *max == u64::MAX => {
            format!("a whole number of at least {min}")
        }
        Shape::Int { min, max } => format!("a whole number from {min} to {max}"),
        Shape::Number { min, max } if *max == f64::MAX => format!("a number of at least {min}"),
        Shape::Number { min, max } => format!("a number from {min} to {max}"),
        Shape::Choice(picks) => {
            let names: Vec<_> = picks.iter().map(|p| format!("'{}'", p.0)).collect();
            names.join(" or ")
        }
        Shape::List(_) => "a list".to_owned(),
        Shape::Map(_) => "an object".to_owned(),
        Shape::Object(object) => format!("{} (an object)", object.name),
        Shape::Either(shapes) => {
            let names: Vec<_> = shapes.iter().map(expected).collect();
            names.join(" or ")
        }
    }
}
