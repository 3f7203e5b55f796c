//! What the tables of fields can't say.

use super::problem::{Problems, at, describe, error, excerpt, warning};
use super::read::says_remote;
use super::{Limits, Trust};
use crate::error::detail;
use crate::node::{Lookup, Registry};
use crate::packet::SampleFormat;
use serde_json::Value as Json;

/// The version that this engine reads.
const VERSION: &str = "v1";

/// Checks the version.
pub(crate) fn version(document: &Json, problems: &mut Problems) {
    if !document.is_object() {
        return;
    }
    let hint = format!("write \"version\": \"{VERSION}\"");
    let problem = match document.get("version") {
        Some(Json::String(version)) if version == VERSION => return,
        Some(Json::String(version)) => {
            let message = format!("Unsupported manifest version: {}", excerpt(version));
            error(detail::MANIFEST_VERSION, "/version", message)
        }
        Some(other) => {
            let message = format!("the manifest's version is text, found {}", describe(other));
            error(detail::MANIFEST_VERSION, "/version", message).hint(hint)
        }
        None => error(detail::MANIFEST_VERSION, "", "the manifest names no version").hint(hint),
    };
    problems.add(problem.expected(format!("'{VERSION}'")));
}

/// Checks the numbers of nodes and connections. Says whether they are within the limits.
pub(crate) fn size(document: &Json, limits: &Limits, problems: &mut Problems) -> bool {
    let before = problems.any_error();
    for (field, most) in [("nodes", limits.nodes), ("connections", limits.connections)] {
        let found = document.get(field).and_then(Json::as_array).map_or(0, Vec::len);
        if found > most {
            problems.add(
                error(
                    detail::MANIFEST_TOO_LARGE,
                    format!("/{field}"),
                    format!("the manifest has {found} {field}, more than {most}"),
                )
                .expected(format!("at most {most}")),
            );
        }
    }
    before == problems.any_error()
}

/// Checks a node's fields against each other and the machine.
pub(crate) fn node(value: &Json, pointer: &str, problems: &mut Problems) {
    if value.get("lane").is_some_and(Json::is_string)
        && value.get("placement").and_then(Json::as_str) != Some("thread")
    {
        let message = "'lane' says which threads run a segment, and no segment begins here";
        problems.add(
            error(detail::MANIFEST_WRONG_VALUE, format!("{pointer}/lane"), message)
                .hint("add \"placement\": \"thread\", or take it out"),
        );
    }
    if says_remote(value).is_none() {
        for field in ["remote", "host"] {
            if value.get(field).is_some_and(|v| !v.is_null()) {
                let message = format!("'{field}' names a server, and the node does not run on one");
                problems.add(
                    error(detail::MANIFEST_WRONG_VALUE, format!("{pointer}/{field}"), message)
                        .hint("add \"placement\": \"remote\", or take it out"),
                );
            }
        }
    }
    if let Some(gpu) = value.get("capabilities").and_then(|c| c.get("gpu")?.as_object()) {
        let pointer = format!("{pointer}/capabilities/gpu");
        if gpu.get("required").and_then(Json::as_bool).unwrap_or(true) {
            problems.add(
                error(
                    detail::MANIFEST_NOT_SUPPORTED,
                    pointer,
                    "the node requires a GPU; this engine has no nodes that use one",
                )
                .hint("set 'required' to false, or take 'gpu' out"),
            );
        } else {
            problems.add(warning(
                detail::MANIFEST_HINT_IGNORED,
                pointer,
                "'gpu' has no effect: this engine has no nodes that use one",
            ));
        }
    }
    for side in ["inputs", "outputs"] {
        let ports = value.get("media_capabilities").and_then(|m| m.get(side)?.as_object());
        for (port, constraint) in ports.into_iter().flatten() {
            let pointer = at(&format!("{pointer}/media_capabilities/{side}"), port);
            media(constraint, &pointer, problems);
        }
    }
}

fn media(constraint: &Json, pointer: &str, problems: &mut Problems) {
    for field in ["rate", "sample_rate", "channels", "format"] {
        if constraint.get(field).and_then(Json::as_array).is_some_and(Vec::is_empty) {
            problems.add(error(
                detail::MANIFEST_WRONG_VALUE,
                format!("{pointer}/{field}"),
                "an empty list allows nothing",
            ));
        }
        let bound = |name| constraint.get(field).and_then(|v| v.get(name)?.as_u64());
        if let (Some(min), Some(max)) = (bound("min"), bound("max"))
            && min > max
        {
            problems.add(error(
                detail::MANIFEST_WRONG_VALUE,
                format!("{pointer}/{field}"),
                format!("'min' is {min}, more than 'max', which is {max}"),
            ));
        }
    }
    if constraint.get("rate").is_some() && constraint.get("sample_rate").is_some() {
        problems.add(error(
            detail::MANIFEST_WRONG_VALUE,
            format!("{pointer}/sample_rate"),
            "'rate' and 'sample_rate' are the same; give one of them",
        ));
    }
    if constraint.get("type").and_then(Json::as_str) != Some("audio") {
        return;
    }
    let (formats, list) = match constraint.get("format") {
        Some(Json::Array(list)) => (list.as_slice(), true),
        Some(one) => (std::slice::from_ref(one), false),
        None => return,
    };
    for (i, format) in formats.iter().enumerate() {
        let Some(name) = format.as_str() else { continue };
        if SampleFormat::from_name(name).is_none() {
            let names: Vec<_> = SampleFormat::ALL.iter().map(|f| f.name()).collect();
            let at =
                if list { format!("{pointer}/format/{i}") } else { format!("{pointer}/format") };
            let message = format!("there is no sample format '{}'", excerpt(name));
            problems.add(
                error(detail::MANIFEST_WRONG_VALUE, at, message)
                    .expected(names.join(" or "))
                    .nearest(name, names),
            );
        }
    }
}

/// Checks what an untrusted manifest may use.
pub(crate) fn trust(document: &Json, trust: &Trust, registry: &Registry, problems: &mut Problems) {
    let Trust::Untrusted { only } = trust else { return };
    let only: Option<Vec<&str>> = only.as_ref().map(|names| {
        let full = |name: &String| match registry.find(name) {
            Lookup::Found(full, _) => Some(full),
            _ => None,
        };
        names.iter().filter_map(full).collect()
    });
    if document.get("placement").and_then(Json::as_str) == Some("remote") {
        let message = "an untrusted manifest may not have nodes on other servers";
        problems.add(error(detail::MANIFEST_UNTRUSTED, "/placement", message));
    }
    let nodes = document.get("nodes").and_then(Json::as_array);
    for (i, node) in nodes.into_iter().flatten().enumerate() {
        let pointer = format!("/nodes/{i}");
        for (place, field) in
            [(Some(node), "placement"), (node.get("execution"), "execution/placement")]
        {
            let said = place.and_then(|place| place.get("placement")).and_then(Json::as_str);
            if said == Some("remote") {
                let message = "an untrusted manifest may not have nodes on other servers";
                let pointer = format!("{pointer}/{field}");
                problems.add(error(detail::MANIFEST_UNTRUSTED, pointer, message));
            }
        }
        let fallback = node.get("fallback");
        for (value, pointer) in [
            (node.get("node_type"), format!("{pointer}/node_type")),
            (fallback, format!("{pointer}/fallback")),
            (fallback.and_then(|f| f.get("node_type")), format!("{pointer}/fallback/node_type")),
        ] {
            let Some(name) = value.and_then(Json::as_str) else { continue };
            let Lookup::Found(full, node_type) = registry.find(name) else { continue };
            let why = if node_type.descriptor().files {
                "it reads or writes files"
            } else if only.is_none() && node_type.descriptor().external {
                "it reaches what lies outside, e.g. other servers"
            } else if only.as_ref().is_some_and(|only| !only.contains(&full)) {
                "it is not among the node types that are allowed here"
            } else {
                continue;
            };
            let message = format!("an untrusted manifest may not use '{}': {why}", excerpt(name));
            problems.add(error(detail::MANIFEST_UNTRUSTED, pointer, message));
        }
    }
}
