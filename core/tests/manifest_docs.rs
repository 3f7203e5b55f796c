//! The schema and the reference page say what the code says. `UPDATE_GOLDEN=1` writes them anew.

#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

use remotemedia_core::manifest::{Manifest, schema};
use remotemedia_core::nodes::builtin;
use serde_json::Value as Json;
use std::fmt::Write;
use std::path::Path;

/// Objects of a manifest, as the reference page orders them.
const OBJECTS: &[(&str, &str)] = &[
    ("", "The document"),
    ("metadata", "`metadata`"),
    ("node", "A node"),
    ("retry", "`retry`"),
    ("fallback", "`fallback`"),
    ("breaker", "`breaker`"),
    ("connection", "A connection"),
    ("input", "An input"),
    ("output", "An output"),
    ("queue", "A queue"),
    ("interrupt", "`interrupt`"),
    ("media_capabilities", "`media_capabilities`"),
    ("media_constraint", "A media constraint"),
    ("execution", "`execution`"),
    ("capabilities", "`capabilities`"),
    ("gpu", "`gpu`"),
    ("runtime", "`runtime`"),
];

fn check(file: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(before == now, "docs/{file} is not current: run the tests with UPDATE_GOLDEN=1");
}

// Which nodes there are depends on the features.
#[cfg(feature = "media")]
#[test]
fn the_schema_in_the_documentation_is_current() {
    let schema = serde_json::to_string_pretty(&schema(&builtin())).unwrap();
    check("manifest.schema.json", &format!("{schema}\n"));
}

#[test]
fn the_reference_page_lists_the_fields_that_there_are() {
    const BEGIN: &str = "<!-- fields: written by core/tests/manifest_docs.rs -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/manifest.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (text, _) = page.split_once(BEGIN).expect("the page has a place for the fields");
    let schema = schema(&builtin());
    let mut tables = String::new();
    for (name, title) in OBJECTS {
        let object = if name.is_empty() { &schema } else { &schema["$defs"][*name] };
        writeln!(tables, "\n### {title}\n\n| field | value | meaning |\n|---|---|---|").unwrap();
        let required = object["required"].as_array().cloned().unwrap_or_default();
        for (field, of) in object["properties"].as_object().expect(name) {
            let needed = if required.contains(&field.as_str().into()) { " (required)" } else { "" };
            let value = value(of).replace('|', "\\|");
            let meaning = of["description"].as_str().unwrap_or("Always `v1`.");
            writeln!(tables, "| `{field}`{needed} | {value} | {meaning} |").unwrap();
        }
    }
    check("reference/manifest.md", &format!("{text}{BEGIN}{tables}"));
}

/// The type of a field in a few words.
fn value(schema: &Json) -> String {
    if let Some(choices) = schema["enum"].as_array().filter(|c| c.len() < 12) {
        let names: Vec<_> = choices.iter().map(|c| format!("`{}`", c.as_str().unwrap())).collect();
        return names.join(" ");
    }
    if let Some(kinds) = schema["anyOf"].as_array() {
        let kinds: Vec<_> = kinds.iter().map(value).filter(|v| v != "null").collect();
        return kinds.join(" or ");
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap().replace('_', " ");
    }
    match schema["type"].as_str() {
        Some("array") => format!("list of {}", value(&schema["items"])),
        Some("object") => format!("object of {}", value(&schema["additionalProperties"])),
        Some("string") => "text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("null") => "null".to_owned(),
        Some("integer") => range("whole number", schema),
        Some("number") => range("number", schema),
        _ => schema["const"].as_str().map_or("anything".to_owned(), |c| format!("`{c}`")),
    }
}

fn range(what: &str, schema: &Json) -> String {
    match (&schema["minimum"], &schema["maximum"]) {
        (Json::Null, _) => what.to_owned(),
        (min, Json::Null) => format!("{what} ≥ {min}"),
        (min, max) => format!("{what} {min}…{max}"),
    }
}

#[test]
fn the_manifests_on_the_reference_page_are_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/manifest.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut checked = 0;
    for (fence, read) in
        [("```json\n", Manifest::from_json as fn(&str) -> _), ("```yaml\n", Manifest::from_yaml)]
    {
        for block in page.split(fence).skip(1) {
            let text = block.split("```").next().unwrap();
            let report = read(text).unwrap().validate(&builtin());
            assert!(report.problems.is_empty(), "{text}\n{:?}", report.problems);
            checked += 1;
        }
    }
    assert!(checked >= 2);
}
