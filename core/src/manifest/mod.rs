//! Manifests: JSON or YAML text to a validated [`Graph`].
//!
//! Reading is fast; that a document is wrong is noticed on the way, and where exactly is found by
//! a second pass, so only refused manifests pay for it. [`Manifest::validate`] says everything
//! that is wrong at once. Nothing in a manifest is ignored or replaced in silence.

mod fields;
mod json;
mod locate;
mod params;
mod problem;
pub(crate) mod read;
mod rules;
mod schema;
mod shape;
mod source;
mod variables;
mod yaml;

pub use params::check as check_params;
pub use schema::{node_schema, schema};
pub use source::Format;

pub(crate) use problem::{Problems, error, excerpt, nearest, warning};

use crate::error::{Error, Problem, Result, Severity, detail};
use crate::graph::{self, Graph};
use crate::node::Registry;
use serde_json::Value as Json;
use shape::Shape;
use source::Source;
use std::path::Path;

/// Deepest nesting of a document, in levels.
const MAX_DEPTH: usize = 127;

/// How large a manifest may be.
struct Limits {
    bytes: usize,
    nodes: usize,
    connections: usize,
}

const LIMITS: Limits = Limits { bytes: 4 << 20, nodes: 10_000, connections: 50_000 };
/// Of untrusted manifests.
const TIGHT: Limits = Limits { bytes: 256 << 10, nodes: 500, connections: 2_000 };

/// What a manifest may do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trust {
    /// Everything.
    Full,
    /// No files; of the node types `only` those, if it is given.
    Untrusted { only: Option<Vec<String>> },
}

/// A manifest: a well-formed document, whose fields are checked by [`validate`](Self::validate).
///
/// Two manifests are equal when their documents say the same, in whatever they were written.
#[derive(Debug, Clone)]
pub struct Manifest {
    document: Json,
    source: Option<Source>,
    trust: Trust,
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document && self.trust == other.trust
    }
}

/// What validation says about a manifest.
#[derive(Debug, Clone)]
pub struct Report {
    /// Errors and warnings, in the order of the text if there is one. At most 200 of each.
    pub problems: Vec<Problem>,
    /// What would run; there is one unless there are errors. [`Graph::indeterminate`] says whether
    /// equal inputs give equal bytes.
    pub graph: Option<Graph>,
}

impl Report {
    /// The report as JSON: `{ok, problems: […]}`, and what [`Graph::to_json`] says about what would
    /// run.
    pub fn to_json(&self) -> Json {
        let mut map = serde_json::Map::new();
        map.insert("ok".to_owned(), self.graph.is_some().into());
        map.insert("problems".to_owned(), self.problems.iter().map(Problem::to_json).collect());
        if let Some(Json::Object(graph)) = self.graph.as_ref().map(Graph::to_json) {
            map.extend(graph);
        }
        map.into()
    }

    /// What keeps the manifest from running.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|p| p.severity == Severity::Error)
    }

    /// What the author should know all the same.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|p| p.severity == Severity::Warning)
    }
}

impl Manifest {
    /// Reads JSON.
    ///
    /// # Errors
    /// `manifest.syntax`, `manifest.duplicate_key`, `manifest.too_deep` (127 levels),
    /// `manifest.too_large` (4 MiB), with the place in [`Error::problems`].
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_text(text, Format::Json)
    }

    /// Reads YAML: the part of YAML 1.2 that says what JSON can say.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json), and `manifest.alias` for anchors, aliases and tags.
    pub fn from_yaml(text: &str) -> Result<Self> {
        Self::from_text(text, Format::Yaml)
    }

    /// Reads JSON or YAML.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json) and [`from_yaml`](Self::from_yaml).
    pub fn from_text(text: &str, format: Format) -> Result<Self> {
        // Editors on Windows put a byte order mark before the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        refuse_long(text.len())?;
        let source = Source { text: text.into(), format };
        let document = source.parse()?;
        Ok(Self { document, source: Some(source), trust: Trust::Full })
    }

    /// Reads bytes: JSON where the text begins with `{`, else YAML.
    ///
    /// # Errors
    /// As [`from_text`](Self::from_text); `manifest.syntax` for text that is not UTF-8.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        refuse_long(bytes.len())?;
        let text = source::utf8(bytes)?;
        let begin = text.trim_start_matches('\u{feff}').trim_start();
        Self::from_text(text, if begin.starts_with('{') { Format::Json } else { Format::Yaml })
    }

    /// Reads a local file: JSON or YAML by its extension (`.json`, `.yaml`, `.yml`). Replaces
    /// `${NAME}` and `${NAME:-default}` in its text values by what the environment says, unless
    /// the file says that it is `untrusted`.
    ///
    /// # Errors
    /// `io.open` for files that can't be read, `argument.invalid` for other extensions,
    /// `manifest.variable`, and as [`from_text`](Self::from_text).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let format = match path.extension().and_then(|e| e.to_str()) {
            Some("json") => Format::Json,
            Some("yaml" | "yml") => Format::Yaml,
            _ => {
                let message = format!("'{}' is neither .json nor .yaml", path.display());
                return Err(Error::new(detail::ARGUMENT_INVALID, message)
                    .with_hint("name the manifest .json, .yaml or .yml"));
            }
        };
        let open = |e: std::io::Error| {
            let message = format!("can't read the manifest '{}': {e}", path.display());
            Error::new(detail::IO_OPEN, message)
        };
        let size = std::fs::metadata(path).map_err(open)?.len();
        refuse_long(usize::try_from(size).unwrap_or(usize::MAX))?;
        let bytes = std::fs::read(path).map_err(open)?;
        let mut manifest = Self::from_text(source::utf8(&bytes)?, format)?;
        if !manifest.is_untrusted() {
            let mut problems = Problems::default();
            let variable = |name: &str| std::env::var(name).ok();
            variables::replace(&mut manifest.document, &variable, "", &mut problems);
            if problems.any_error() {
                return Err(Error::from_problems(manifest.located(problems)));
            }
        }
        Ok(manifest)
    }

    /// Takes a document that is a value already.
    ///
    /// # Errors
    /// `manifest.too_deep` (127 levels).
    pub fn from_value(document: Json) -> Result<Self> {
        if deeper_than(&document, MAX_DEPTH) {
            return Err(refuse(yaml::too_deep()));
        }
        Ok(Self { document, source: None, trust: Trust::Full })
    }

    /// The manifest as one that came from somewhere unknown: no nodes that use files, and tighter
    /// limits (256 KiB, 500 nodes, 2000 connections).
    #[must_use]
    pub fn untrusted(self) -> Self {
        Self { trust: Trust::Untrusted { only: None }, ..self }
    }

    /// As [`untrusted`](Self::untrusted), and of the node types only these: names or aliases.
    #[must_use]
    pub fn untrusted_only<T: Into<String>>(self, types: impl IntoIterator<Item = T>) -> Self {
        let only = Some(types.into_iter().map(Into::into).collect());
        Self { trust: Trust::Untrusted { only }, ..self }
    }

    /// The document. Variables of a file have been replaced in it.
    pub fn to_json(&self) -> Json {
        self.document.clone()
    }

    /// Checks everything, and says everything that is wrong and what would run.
    pub fn validate(&self, registry: &Registry) -> Report {
        let mut problems = Problems::default();
        let graph = self.check(registry, &mut problems);
        let graph = graph.filter(|_| !problems.any_error());
        Report { problems: self.located(problems), graph }
    }

    /// The graph that the manifest describes.
    ///
    /// # Errors
    /// Everything that is wrong, in [`Error::problems`].
    pub fn resolve(&self, registry: &Registry) -> Result<Graph> {
        let report = self.validate(registry);
        report.graph.ok_or_else(|| Error::from_problems(report.problems))
    }

    fn check(&self, registry: &Registry, problems: &mut Problems) -> Option<Graph> {
        let trust = match &self.trust {
            Trust::Full if self.is_untrusted() => &Trust::Untrusted { only: None },
            trust => trust,
        };
        let limits = if *trust == Trust::Full { &LIMITS } else { &TIGHT };
        if let Some(source) = &self.source
            && let Some(problem) = too_long(source.text.len(), limits)
        {
            problems.add(problem);
            return None;
        }
        if !rules::size(&self.document, limits, problems) {
            return None;
        }
        rules::version(&self.document, problems);
        shape::check(&self.document, &Shape::Object(&fields::MANIFEST), "", problems);
        let nodes = self.document.get("nodes").and_then(Json::as_array);
        for (i, node) in nodes.into_iter().flatten().enumerate() {
            rules::node(node, &format!("/nodes/{i}"), problems);
        }
        rules::trust(&self.document, trust, registry, problems);
        graph::build(&read::read(&self.document), registry, problems)
    }

    fn is_untrusted(&self) -> bool {
        let says = self.document.get("untrusted").and_then(Json::as_bool) == Some(true);
        says || self.trust != Trust::Full
    }

    fn located(&self, problems: Problems) -> Vec<Problem> {
        let mut problems = problems.into_vec();
        if let Some(source) = &self.source
            && !problems.is_empty()
        {
            locate::locate(source, &mut problems);
        }
        problems
    }
}

fn too_long(bytes: usize, limits: &Limits) -> Option<Problem> {
    let message = format!("the manifest has {bytes} bytes, more than {}", limits.bytes);
    let problem = error(detail::MANIFEST_TOO_LARGE, "", message);
    (bytes > limits.bytes).then(|| problem.expected(format!("at most {} bytes", limits.bytes)))
}

fn refuse_long(bytes: usize) -> Result<()> {
    too_long(bytes, &LIMITS).map_or(Ok(()), |problem| Err(refuse(problem)))
}

/// Whether lists and objects nest deeper than so many levels.
fn deeper_than(value: &Json, levels: usize) -> bool {
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        let inside: &mut dyn Iterator<Item = &Json> = match value {
            Json::Array(list) => &mut list.iter(),
            Json::Object(map) => &mut map.values(),
            _ => continue,
        };
        if depth == levels {
            return true;
        }
        open.extend(inside.map(|value| (value, depth + 1)));
    }
    false
}

fn refuse(problem: Problem) -> Error {
    Error::from_problems(vec![problem])
}
