//! `${VARIABLES}` in the text values of a manifest that is loaded from a local file.

use super::problem::{Problems, at, error, excerpt};
use crate::error::detail;
use serde_json::Value as Json;

/// Replaces `${NAME}` and `${NAME:-default}` in all text values; `$${` stands for `${`. As in a
/// shell, the default also serves when the variable is empty. Keys stay as they are, and what was
/// put in is not looked at again.
pub(crate) fn replace(
    value: &mut Json,
    variable: &impl Fn(&str) -> Option<String>,
    pointer: &str,
    problems: &mut Problems,
) {
    match value {
        Json::String(text) if text.contains("${") => {
            let mut missing = |name: &str| {
                let name = excerpt(name);
                problems.add(
                    error(
                        detail::MANIFEST_VARIABLE,
                        pointer,
                        format!("the variable '{name}' is not set and has no default"),
                    )
                    .hint(format!("set it, or write ${{{name}:-default}}")),
                );
            };
            *text = replaced(text, variable, &mut missing);
        }
        Json::Array(list) => {
            for (i, value) in list.iter_mut().enumerate() {
                replace(value, variable, &format!("{pointer}/{i}"), problems);
            }
        }
        Json::Object(map) => {
            for (key, value) in map {
                replace(value, variable, &at(pointer, key), problems);
            }
        }
        _ => {}
    }
}

fn replaced(
    text: &str,
    variable: &impl Fn(&str) -> Option<String>,
    missing: &mut impl FnMut(&str),
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let (before, from) = rest.split_at(begin);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let found = from.find('}').and_then(|end| {
            let inner = &from[2..end];
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            is_name(name).then_some((end, name, default))
        });
        // What only looks like a variable stays as it is.
        let Some((end, name, default)) = found else {
            out.push_str("${");
            rest = &from[2..];
            continue;
        };
        match (variable(name), default) {
            (Some(value), None) => out.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => out.push_str(&value),
            (_, Some(default)) => out.push_str(default),
            (None, None) => missing(name),
        }
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    out
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> (String, Vec<String>) {
        let variable = |name: &str| match name {
            "RATE" => Some("16000".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${RATE}".to_owned()),
            _ => None,
        };
        let mut missing = Vec::new();
        (replaced(text, &variable, &mut |name| missing.push(name.to_owned())), missing)
    }

    #[test]
    fn variables_and_defaults_are_put_in_once() {
        for (text, expected) in [
            ("${RATE}", "16000"),
            ("a ${RATE} b ${RATE}", "a 16000 b 16000"),
            ("${NO:-x y}", "x y"),
            ("${NO:-}", ""),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY}", ""),
            ("${NESTED}", "${RATE}"),
            ("$${RATE}", "${RATE}"),
            ("$RATE $", "$RATE $"),
            ("${", "${"),
            ("${RATE", "${RATE"),
            ("${1}", "${1}"),
            ("${}", "${}"),
            ("ü${RATE}ü", "ü16000ü"),
        ] {
            assert_eq!(with(text), (expected.to_owned(), vec![]), "{text}");
        }
        assert_eq!(with("x ${NO} y"), ("x  y".to_owned(), vec!["NO".to_owned()]));
    }
}
