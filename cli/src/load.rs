//! Manifests from files, with what `--set` changes in them.

use crate::args::SetArgs;
use crate::failure::{Exit, Failure, cannot_open, cannot_read};
use remotemedia::error::{Problem, Severity, detail};
use remotemedia::graph::Graph;
use remotemedia::manifest::Report;
use remotemedia::{Engine, Error, Manifest};
use serde_json::{Map, Value as Json, json};
use std::io::Read;

/// A manifest that has been read but not checked.
pub(crate) struct Loaded {
    /// File name, for messages.
    pub(crate) name: String,
    /// Its text, if it can be shown.
    pub(crate) text: Option<String>,
    manifest: Manifest,
}

impl Loaded {
    /// Reads a manifest (`-`: from standard input) and changes in it what is to be changed.
    pub(crate) fn read(path: &str, change: &SetArgs) -> Result<Self, Failure> {
        let mut loaded = if path == "-" { Self::stdin()? } else { Self::file(path)? };
        let SetArgs { set, remote } = change;
        if !set.is_empty() || remote.is_some() {
            let mut document = loaded.manifest.to_json();
            set.iter().try_for_each(|text| set_param(&mut document, text))?;
            if let (Some(endpoint), Some(fields)) = (remote, document.as_object_mut()) {
                fields.insert("placement".to_owned(), "remote".into());
                fields.insert("remote".to_owned(), json!({ "endpoint": endpoint }));
            }
            // What is changed stands nowhere in the text: problems are told by their pointers alone.
            let options = set.iter().map(|set| format!(" --set {set}"));
            let options = options.chain(remote.iter().map(|remote| format!(" --remote {remote}")));
            loaded.name = format!("{} with{}", loaded.name, options.collect::<String>());
            loaded.text = None;
            loaded.manifest = Manifest::from_value(document).map_err(|e| loaded.refuse(e))?;
        }
        Ok(loaded)
    }

    fn file(path: &str) -> Result<Self, Failure> {
        let name = path.to_owned();
        // Read for its own sake, so that a missing file is told apart from a bad one.
        let bytes = std::fs::read(path).map_err(|e| cannot_open(path, &e))?;
        let text = shown(bytes);
        match Manifest::from_file(path) {
            Ok(manifest) => Ok(Self { name, text, manifest }),
            Err(error) => Err(refuse(error, name, text)),
        }
    }

    fn stdin() -> Result<Self, Failure> {
        let name = "standard input".to_owned();
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|e| cannot_read(&name, &e))?;
        match Manifest::from_slice(&bytes) {
            Ok(manifest) => Ok(Self { name, text: shown(bytes), manifest }),
            Err(error) => Err(refuse(error, name, shown(bytes))),
        }
    }

    /// Everything that is wrong, and what would run.
    pub(crate) fn validate(&self, engine: &Engine) -> Report {
        self.manifest.validate(&engine.registry())
    }

    /// What would run, and the warnings.
    pub(crate) fn resolve(&self, engine: &Engine) -> Result<(Graph, Vec<Problem>), Failure> {
        let report = self.validate(engine);
        match report.graph {
            Some(graph) => Ok((graph, report.problems)),
            None => Err(self.refuse(Error::from_problems(report.problems))),
        }
    }

    fn refuse(&self, error: Error) -> Failure {
        refuse(error, self.name.clone(), self.text.clone())
    }
}

fn refuse(error: Error, name: String, text: Option<String>) -> Failure {
    Failure { exit: Exit::Manifest, error, source: Some((name, text)) }
}

/// Text without the byte order mark, which positions in it don't count.
fn shown(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    Some(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Whether any of them is an error.
pub(crate) fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|p| p.severity == Severity::Error)
}

/// Sets a param in a manifest's document: `node.param=value`.
fn set_param(document: &mut Json, text: &str) -> Result<(), Failure> {
    let parts = text.split_once('=').and_then(|(left, value)| {
        let (node, param) = left.rsplit_once('.')?;
        (!node.is_empty() && !param.is_empty()).then_some((node, param, value))
    });
    let Some((node, param, value)) = parts else {
        let failure = Failure::usage(format!("--set {text}: this is not NODE.PARAM=VALUE"));
        return Err(failure.hint("e.g. --set resample.target_rate=16000"));
    };
    // A document of another shape is for validation to refuse.
    let Some(nodes) = document.get_mut("nodes").and_then(Json::as_array_mut) else {
        return Ok(());
    };
    let ids: Vec<String> =
        nodes.iter().filter_map(|n| n.get("id")?.as_str()).map(str::to_owned).collect();
    let id = |n: &Json| n.get("id").and_then(Json::as_str) == Some(node);
    let Some(found) = nodes.iter_mut().find(|n| id(n)).and_then(Json::as_object_mut) else {
        let message = format!("--set {text}: there is no node '{node}'");
        let failure = Failure::usage_of(detail::ARGUMENT_UNKNOWN_NODE, message);
        return Err(failure.hint(format!("the nodes are {}", ids.join(", "))));
    };
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
    let params = found.entry("params").or_insert(Json::Null);
    if params.is_null() {
        *params = Json::Object(Map::new());
    }
    if let Some(params) = params.as_object_mut() {
        params.insert(param.to_owned(), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_and_otherwise_text() {
        let mut document = json!({"nodes": [{"id": "a.b", "params": {"x": 1}}, {"id": "c"}]});
        for text in ["a.b.x=2.5", "a.b.y=high", "c.list=[1,2]", "c.text=\"3\"", "c.eq=a=b"] {
            set_param(&mut document, text).expect("fits");
        }
        assert_eq!(
            document,
            json!({"nodes": [
                {"id": "a.b", "params": {"x": 2.5, "y": "high"}},
                {"id": "c", "params": {"list": [1, 2], "text": "3", "eq": "a=b"}},
            ]})
        );
    }

    #[test]
    fn a_wrong_setting_names_what_there_is() {
        let mut document = json!({"nodes": [{"id": "a"}]});
        for text in ["a", "a=1", "a.=1", ".x=1"] {
            let failure = set_param(&mut document, text).expect_err("is no setting");
            assert_eq!(failure.exit, Exit::Usage, "{text}");
        }
        let failure = set_param(&mut document, "b.x=1").expect_err("no such node");
        assert_eq!(failure.error.hint(), Some("the nodes are a"));
    }
}
