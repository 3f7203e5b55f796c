//! YAML text to values: the part of YAML 1.2 that says what JSON can say.
//!
//! Scalars follow the core schema, so `no` and `12:30` are text. Anchors, aliases, tags, several
//! documents and keys that are no scalars are refused. Nothing here recurses: depth is a number,
//! not a stack.

use super::MAX_DEPTH;
use super::problem::{error, excerpt};
use super::source::{Event, Parsed, Span, Stop, stop};
use crate::error::{Problem, detail};
use saphyr_parser::{Event as Yaml, Parser, ScalarStyle};
use serde_json::{Map, Number, Value as Json};

/// Goes through YAML, event by event. Spans count characters.
pub(crate) fn walk<'a>(
    text: &'a str,
    mut visit: impl FnMut(Event<'a>, Span) -> Result<(), Stop>,
) -> Result<(), Stop> {
    // For each open object or list: whether it is an object that waits for a key.
    let mut open: Vec<Option<bool>> = Vec::new();
    let mut documents = 0;
    for step in Parser::new_from_str(text) {
        let (event, span) = step.map_err(|e| {
            let index = e.marker().index();
            let span = Span { start: index, end: index };
            if e.info() == "recursion limit exceeded" {
                return stop(too_deep(), span);
            }
            let message = format!("this is not YAML: {}", e.info());
            stop(error(detail::MANIFEST_SYNTAX, "", message), span)
        })?;
        let span = Span { start: span.start.index(), end: span.end.index() };
        let refuse = |message: &str| Err(stop(error(detail::MANIFEST_SYNTAX, "", message), span));
        let (anchor, tag) = match &event {
            Yaml::Scalar(_, _, anchor, tag)
            | Yaml::SequenceStart(anchor, tag)
            | Yaml::MappingStart(anchor, tag) => (*anchor != 0, tag.is_some()),
            Yaml::Alias(_) => (true, false),
            _ => (false, false),
        };
        if anchor || tag {
            let what = if tag { "YAML tags" } else { "YAML anchors and aliases" };
            let message = format!("{what} are not taken in manifests");
            let problem = error(detail::MANIFEST_ALIAS, "", message).hint("write the value out");
            return Err(stop(problem, span));
        }
        let is_key = matches!(open.last(), Some(Some(true)));
        match event {
            Yaml::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return refuse("a manifest is one YAML document");
                }
            }
            Yaml::MappingStart(..) | Yaml::SequenceStart(..) => {
                if is_key {
                    return refuse("keys are text, not objects or lists");
                }
                if open.len() == MAX_DEPTH {
                    return Err(stop(too_deep(), span));
                }
                flip(&mut open);
                let map = matches!(event, Yaml::MappingStart(..));
                open.push(map.then_some(true));
                visit(if map { Event::Map } else { Event::List }, span)?;
            }
            Yaml::MappingEnd | Yaml::SequenceEnd => {
                open.pop();
                visit(Event::End, span)?;
            }
            Yaml::Scalar(text, style, ..) => {
                flip(&mut open);
                let plain = style == ScalarStyle::Plain;
                visit(if is_key { Event::Key(text) } else { Event::Scalar { text, plain } }, span)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// After a key comes a value, after a value a key.
fn flip(open: &mut [Option<bool>]) {
    if let Some(Some(key)) = open.last_mut() {
        *key = !*key;
    }
}

pub(crate) fn too_deep() -> Problem {
    error(
        detail::MANIFEST_TOO_DEEP,
        "",
        format!("the document nests deeper than {MAX_DEPTH} levels"),
    )
}

/// Reads YAML. Says whether some object names a key twice; the first one counts.
pub(crate) fn parse(text: &str) -> Result<Parsed, Stop> {
    let mut done: Option<Json> = None;
    let mut open: Vec<(Json, Option<String>)> = Vec::new();
    let mut duplicates = false;
    walk(text, |event, span| {
        let value = match event {
            Event::Map => {
                open.push((Json::Object(Map::new()), None));
                return Ok(());
            }
            Event::List => {
                open.push((Json::Array(Vec::new()), None));
                return Ok(());
            }
            Event::Key(text) => {
                if let Some((_, key)) = open.last_mut() {
                    *key = Some(text.into_owned());
                }
                return Ok(());
            }
            Event::End => open.pop().map_or(Json::Null, |(value, _)| value),
            Event::Scalar { text, plain: false } => text.into_owned().into(),
            Event::Scalar { text, plain: true } => plain(&text).ok_or_else(|| {
                let message = format!("'{}' is no number that a manifest can hold", excerpt(&text));
                stop(error(detail::MANIFEST_SYNTAX, "", message), span)
            })?,
        };
        match open.last_mut() {
            None => done = Some(value),
            Some((Json::Array(list), _)) => list.push(value),
            Some((Json::Object(map), key)) => {
                let key = key.take().unwrap_or_default();
                if map.contains_key(&key) {
                    duplicates = true;
                } else {
                    map.insert(key, value);
                }
            }
            Some(_) => {}
        }
        Ok(())
    })?;
    Ok(Parsed { value: done.unwrap_or(Json::Null), duplicates })
}

/// The value of a plain scalar in the core schema; `None` for infinities and NaN, which JSON
/// does not have.
pub(crate) fn plain(text: &str) -> Option<Json> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Json::Null),
        "true" | "True" | "TRUE" => return Some(true.into()),
        "false" | "False" | "FALSE" => return Some(false.into()),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF")
        || (unsigned.len() == text.len() && matches!(text, ".nan" | ".NaN" | ".NAN"))
    {
        return None;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && digits.chars().all(|c| c.is_digit(radix))
            && let Ok(n) = u64::from_str_radix(digits, radix)
        {
            return Some(n.into());
        }
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !is_number(unsigned) {
        return Some(text.into());
    }
    if let Ok(n) = text.parse::<i64>() {
        return Some(n.into());
    }
    if let Ok(n) = text.parse::<u64>() {
        return Some(n.into());
    }
    Number::from_f64(text.parse().ok()?).map(Json::Number)
}

/// `12`, `1.`, `.5`, `1e-3`: digits with at most one point, then perhaps an exponent.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(&format!("{whole}{fraction}"))
        && exponent.is_none_or(|e| digits(e.strip_prefix(['-', '+']).unwrap_or(e)))
}
