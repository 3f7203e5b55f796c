//! JSON text to values: fast, with duplicate keys noticed. And through it step by step, for who
//! wants to know where things stand.

use super::problem::error;
use super::source::{Event, Parsed, Span, Stop, stop};
use super::yaml::too_deep;
use crate::error::detail;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// Reads JSON. Nesting is limited by `serde_json`, to [`MAX_DEPTH`](super::MAX_DEPTH) levels.
pub(crate) fn parse(text: &str) -> Result<Parsed, Stop> {
    let duplicates = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = AnyValue(&duplicates).deserialize(&mut reader);
    match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(Parsed { value, duplicates: duplicates.get() }),
        Err(e) => Err(explain(text, &e)),
    }
}

fn explain(text: &str, e: &serde_json::Error) -> Stop {
    let before: usize = text.split_inclusive('\n').take(e.line() - 1).map(str::len).sum();
    let mut start = (before + e.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let rest = &text[start..];
    let span = Span { start, end: start + rest.chars().next().map_or(0, char::len_utf8) };
    let said = e.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    if said == "recursion limit exceeded" {
        return stop(too_deep(), span);
    }
    let said = if said == "expected ident" { "there is no such value" } else { said };
    let problem = error(detail::MANIFEST_SYNTAX, "", format!("this is not JSON: {said}"));
    let hint = match rest.as_bytes() {
        [b'/', b'/' | b'*', ..] | [b'#', ..] => Some("JSON has no comments; YAML has"),
        [b'\'', ..] => Some("JSON takes double quotes only"),
        [b'N' | b'I', ..] => Some("JSON has no such value"),
        [b'T' | b'F', ..] => Some("JSON writes true and false"),
        _ if said == "there is no such value" => Some("text stands in double quotes"),
        _ if said == "trailing comma" => Some("take the comma out"),
        _ if e.is_eof() => Some("the text ends too early"),
        _ => None,
    };
    match hint {
        Some(hint) => stop(problem.hint(hint), span),
        None => stop(problem, span),
    }
}

#[derive(Clone, Copy)]
struct AnyValue<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(number.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Json::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(self)?;
            if map.contains_key(&key) {
                self.0.set(true);
            } else {
                map.insert(key, value);
            }
        }
        Ok(Json::Object(map))
    }
}

/// Goes through JSON that has been read without error. Spans count bytes.
pub(crate) fn walk<'a>(
    text: &'a str,
    mut visit: impl FnMut(Event<'a>, Span) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let bytes = text.as_bytes();
    // For each open object or list: whether it is an object that waits for a key.
    let mut open: Vec<Option<bool>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'{' | b'[' => {
                let map = bytes[start] == b'{';
                open.push(map.then_some(true));
                visit(if map { Event::Map } else { Event::List }, Span { start, end: at })?;
            }
            b'}' | b']' => {
                open.pop();
                visit(Event::End, Span { start, end: at })?;
            }
            b':' | b',' => {
                if let Some(Some(key)) = open.last_mut() {
                    *key = bytes[start] == b',';
                }
            }
            b'"' => {
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                let (raw, span) =
                    (text.get(start..at).unwrap_or_default(), Span { start, end: at });
                let event = if matches!(open.last(), Some(Some(true))) {
                    Event::Key(unquote(raw))
                } else {
                    Event::Scalar { text: Cow::Borrowed(raw), plain: false }
                };
                visit(event, span)?;
            }
            b if b.is_ascii_whitespace() => {}
            _ => {
                let ends = |b: &u8| matches!(b, b',' | b']' | b'}') || b.is_ascii_whitespace();
                at = bytes[start..].iter().position(ends).map_or(bytes.len(), |n| start + n);
                let raw = text.get(start..at).unwrap_or_default();
                visit(
                    Event::Scalar { text: Cow::Borrowed(raw), plain: true },
                    Span { start, end: at },
                )?;
            }
        }
    }
    Ok(())
}

fn unquote(raw: &str) -> Cow<'_, str> {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if inner.contains('\\') {
        serde_json::from_str::<String>(raw).unwrap_or_default().into()
    } else {
        inner.into()
    }
}
