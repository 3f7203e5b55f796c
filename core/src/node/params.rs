//! Params: what a node can be told, declared once as a Rust struct.
//!
//! `#[derive(Params)]` on a struct gives its schema (types, defaults, ranges, units, docs, other
//! spellings) and the code that reads it, so that validation, documentation and the node itself
//! can't disagree.

pub use remotemedia_derive::{Choice, Params};

pub use serde_json::{Map, Value as Json};

/// What the manifest says about one param of a node type.
#[derive(Debug)]
pub struct ParamSpec {
    /// Its name.
    pub name: &'static str,
    /// Other spellings that are taken.
    pub aliases: &'static [&'static str],
    /// What it does.
    pub doc: &'static str,
    /// Type and range.
    pub kind: ParamKind,
    /// What it is when it's not given; `None` when it must be given.
    pub default: Option<Json>,
    /// Unit, e.g. `ms`, `dB`, `Hz`.
    pub unit: Option<&'static str>,
    /// Whether it can be set while the pipeline runs.
    pub live: bool,
}

/// Type and range of a param.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamKind {
    /// `true` or `false`.
    Bool,
    /// A whole number in a range.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A number in a range.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// Text.
    Text,
    /// One of a list of names, in any case.
    Choice(&'static [ChoiceSpec]),
    /// A list.
    List(Box<ParamKind>),
    /// The inner type, or `null`.
    Optional(Box<ParamKind>),
    /// Any JSON value.
    Any,
}

/// One name that a choice takes.
#[derive(Debug, PartialEq, Eq)]
pub struct ChoiceSpec {
    /// The name.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// Meaning.
    pub doc: &'static str,
}

/// The params of a node type. Implemented by `#[derive(Params)]`.
pub trait Params: Clone + Send + 'static {
    /// Their schema.
    fn specs() -> &'static [ParamSpec];

    /// Reads validated params: canonical names, each value fitting its [`ParamKind`]. What is
    /// missing takes its default.
    fn from_map(values: &Map<String, Json>) -> Self;

    /// The params as JSON, under canonical names.
    fn to_map(&self) -> Map<String, Json>;
}

/// A node type that has no params.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoParams;

impl Params for NoParams {
    fn specs() -> &'static [ParamSpec] {
        &[]
    }
    fn from_map(_: &Map<String, Json>) -> Self {
        Self
    }
    fn to_map(&self) -> Map<String, Json> {
        Map::new()
    }
}

/// A Rust type that a param can have.
pub trait ParamValue: Sized {
    /// Its type and widest range.
    fn kind() -> ParamKind;
    /// Reads a value; `None` when it doesn't fit [`kind`](Self::kind).
    fn from_json(value: &Json) -> Option<Self>;
    /// The value as JSON.
    fn to_json(&self) -> Json;
}

impl ParamValue for bool {
    fn kind() -> ParamKind {
        ParamKind::Bool
    }
    fn from_json(value: &Json) -> Option<Self> {
        value.as_bool()
    }
    fn to_json(&self) -> Json {
        (*self).into()
    }
}

macro_rules! int_param {
    ($($int:ty),*) => {$(
        impl ParamValue for $int {
            fn kind() -> ParamKind {
                // Wider types are cut to what i64 holds.
                ParamKind::Int { min: <$int>::MIN as i64, max: i64::try_from(<$int>::MAX).unwrap_or(i64::MAX) }
            }
            fn from_json(value: &Json) -> Option<Self> {
                as_int(value).and_then(|n| n.try_into().ok())
            }
            fn to_json(&self) -> Json {
                (*self).into()
            }
        }
    )*};
}
int_param!(u8, u16, u32, u64, usize, i32, i64);

macro_rules! float_param {
    ($($float:ty),*) => {$(
        impl ParamValue for $float {
            fn kind() -> ParamKind {
                ParamKind::Float { min: f64::from(<$float>::MIN), max: f64::from(<$float>::MAX) }
            }
            fn from_json(value: &Json) -> Option<Self> {
                value.as_f64().map(|n| n as $float)
            }
            fn to_json(&self) -> Json {
                // Through text, so that 0.1_f32 reads 0.1 and not 0.10000000149.
                self.to_string().parse::<f64>().map_or(Json::Null, Json::from)
            }
        }
    )*};
}
float_param!(f32, f64);

impl ParamValue for String {
    fn kind() -> ParamKind {
        ParamKind::Text
    }
    fn from_json(value: &Json) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
    fn to_json(&self) -> Json {
        self.as_str().into()
    }
}

impl ParamValue for Json {
    fn kind() -> ParamKind {
        ParamKind::Any
    }
    fn from_json(value: &Json) -> Option<Self> {
        Some(value.clone())
    }
    fn to_json(&self) -> Json {
        self.clone()
    }
}

impl<T: ParamValue> ParamValue for Option<T> {
    fn kind() -> ParamKind {
        ParamKind::Optional(Box::new(T::kind()))
    }
    fn from_json(value: &Json) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_json(value).map(Some) }
    }
    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, T::to_json)
    }
}

impl<T: ParamValue> ParamValue for Vec<T> {
    fn kind() -> ParamKind {
        ParamKind::List(Box::new(T::kind()))
    }
    fn from_json(value: &Json) -> Option<Self> {
        value.as_array()?.iter().map(T::from_json).collect()
    }
    fn to_json(&self) -> Json {
        Json::Array(self.iter().map(T::to_json).collect())
    }
}

/// A whole number, also when it is written as `2.0`.
pub(crate) fn as_int(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        // 2^53: beyond it a float does not hold every whole number.
        (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
    })
}

impl ParamKind {
    /// Narrows a number's range. Used by the derive.
    ///
    /// # Panics
    /// If the type is no number.
    #[must_use]
    pub fn with_range(self, low: Option<f64>, high: Option<f64>) -> Self {
        match self {
            Self::Int { min, max } => Self::Int {
                min: low.map_or(min, |l| l as i64),
                max: high.map_or(max, |h| h as i64),
            },
            Self::Float { min, max } => {
                Self::Float { min: low.unwrap_or(min), max: high.unwrap_or(max) }
            }
            Self::Optional(inner) => Self::Optional(Box::new(inner.with_range(low, high))),
            Self::List(inner) => Self::List(Box::new(inner.with_range(low, high))),
            other if low.is_none() && high.is_none() => other,
            other => panic!("{other:?} has no range"),
        }
    }

    /// The choice's spec for a written name, in any case and any spelling.
    pub fn choice(choices: &'static [ChoiceSpec], written: &str) -> Option<&'static ChoiceSpec> {
        choices.iter().find(|c| {
            c.name.eq_ignore_ascii_case(written)
                || c.aliases.iter().any(|a| a.eq_ignore_ascii_case(written))
        })
    }
}

impl ParamKind {
    /// Checks a value and gives it in canonical form: choices under their own names, whole numbers
    /// as such.
    ///
    /// # Errors
    /// What would have been right, in words.
    pub fn normalise(&self, value: &Json) -> Result<Json, String> {
        let fits = match self {
            Self::Bool => value.is_boolean().then(|| value.clone()),
            Self::Int { min, max } => {
                as_int(value).filter(|n| (min..=max).contains(&n)).map(Json::from)
            }
            Self::Float { min, max } => {
                value.as_f64().filter(|n| (min..=max).contains(&n)).map(|_| value.clone())
            }
            Self::Text => value.is_string().then(|| value.clone()),
            Self::Choice(choices) => {
                value.as_str().and_then(|w| Self::choice(choices, w)).map(|c| Json::from(c.name))
            }
            Self::List(inner) => match value.as_array() {
                Some(items) => {
                    let items: Result<Vec<_>, _> =
                        items.iter().map(|v| inner.normalise(v)).collect();
                    items.ok().map(Json::Array)
                }
                None => None,
            },
            Self::Optional(inner) if !value.is_null() => inner.normalise(value).ok(),
            Self::Optional(_) | Self::Any => Some(value.clone()),
        };
        fits.ok_or_else(|| self.to_string())
    }
}

impl std::fmt::Display for ParamKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::Int { min, max } if *min == i64::MIN || *max == i64::MAX => {
                match (*min == i64::MIN, *max == i64::MAX) {
                    (true, true) => f.write_str("a whole number"),
                    (true, false) => write!(f, "a whole number up to {max}"),
                    _ => write!(f, "a whole number from {min}"),
                }
            }
            Self::Int { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Float { min, max } => match (min.abs() > 1e37, max.abs() > 1e37) {
                (true, true) => f.write_str("a number"),
                (true, false) => write!(f, "a number up to {max}"),
                (false, true) => write!(f, "a number from {min}"),
                (false, false) => write!(f, "a number from {min} to {max}"),
            },
            Self::Text => f.write_str("text"),
            Self::Choice(choices) => {
                let names: Vec<_> = choices.iter().map(|c| c.name).collect();
                write!(f, "one of {}", names.join(", "))
            }
            Self::List(inner) => write!(f, "a list, each item {inner}"),
            Self::Optional(inner) => write!(f, "{inner}, or null"),
            Self::Any => f.write_str("any value"),
        }
    }
}
