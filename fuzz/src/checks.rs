//! One function per target.

use remotemedia_core::error::Error;
use remotemedia_core::manifest::{Format, Manifest};
use remotemedia_core::node::Declaration;
use remotemedia_core::nodes::builtin;
use serde_json::json;

/// What a target does with an input; it panics when the input breaks something.
pub type Check = fn(&[u8]);

/// The targets by their names.
pub const TARGETS: &[(&str, Check)] = &[
    ("manifest_json", manifest_json),
    ("manifest_yaml", manifest_yaml),
    ("params", params),
    ("declaration", declaration),
];

/// JSON text as a manifest.
pub fn manifest_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    look_at(Manifest::from_text(text, Format::Json), text);
}

/// YAML text as a manifest.
pub fn manifest_yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    look_at(Manifest::from_text(text, Format::Yaml), text);
}

/// A node type in the first line, and its params as JSON behind it.
pub fn params(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((node_type, params)) = text.split_once('\n') else { return };
    let Ok(params) = serde_json::from_str::<serde_json::Value>(params) else { return };
    let node = json!({"id": "node", "node_type": node_type, "params": params});
    let manifest = json!({"version": "v1", "nodes": [node]});
    let Ok(manifest) = Manifest::from_value(manifest) else { return };
    let Ok(graph) = manifest.resolve(&builtin()) else { return };
    for node in &graph.nodes {
        // Panics when the params that validation let through can't be read.
        let _ = node.node_type.prepare(&node.params);
    }
}

/// JSON text as the declaration of a node type, which is then used by a manifest.
pub fn declaration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(declared) = Declaration::from_json(text) {
        assert!(!declared.descriptor.inputs.is_empty() && !declared.descriptor.name.is_empty());
        for param in declared.params {
            assert!(param.default.as_ref().is_none_or(|d| param.kind.normalise(d).is_ok()));
        }
    }
}

fn look_at(manifest: Result<Manifest, Error>, text: &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let problems = match manifest {
        Err(e) => {
            assert!(!e.problems().is_empty());
            e.problems().to_vec()
        }
        Ok(manifest) => {
            let report = manifest.validate(&builtin());
            let again = Manifest::from_value(manifest.to_json()).expect("it was read before");
            let again = again.validate(&builtin());
            assert_eq!(report.graph.is_some(), report.errors().count() == 0);
            assert_eq!(report.graph.is_some(), again.graph.is_some());
            assert_eq!(report.problems.len(), again.problems.len());
            report.problems
        }
    };
    for p in &problems {
        if let Some(at) = p.position {
            assert!(text.get(at.offset..at.offset + at.len).is_some(), "{p:?}");
        } else {
            assert_eq!(p.detail.id, "manifest.too_large");
        }
    }
}
