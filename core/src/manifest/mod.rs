//! Manifests: JSON or YAML text to a validated [`Graph`].
//!
//! Reading is fast; that a document is wrong is found out on the way, and where exactly by a
//! second pass, so only refused manifests pay for it. [`Manifest::validate`] says everything that
//! is wrong at once. Nothing in a manifest is ignored or replaced in silence.

mod fields;
mod locate;
mod params;
mod parse_json;
mod parse_yaml;
mod problem;
pub(crate) mod read;
mod shape;

use crate::error::{Error, Problem, Result, detail};
use crate::graph::{self, Graph};
use crate::node::Registry;
use problem::{Problems, error};
use serde_json::Value as Json;

pub use params::check as check_params;
pub(crate) use problem::{Problems as ProblemList, at, error as problem, excerpt, nearest};

/// Deepest nesting of a document, in levels.
pub(crate) const MAX_DEPTH: usize = 127;
/// Longest text, in bytes.
const MAX_BYTES: usize = 4 << 20;
/// Most nodes.
const MAX_NODES: usize = 10_000;
/// Most connections.
const MAX_CONNECTIONS: usize = 50_000;

/// A manifest: a well-formed document, whose fields are not checked yet.
///
/// Two manifests are equal when their documents are, however they were written.
#[derive(Debug, Clone)]
pub struct Manifest {
    document: Json,
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

/// What validation says about a manifest.
#[derive(Debug, Clone)]
pub struct Report {
    /// Errors and warnings, in the order of the document.
    pub problems: Vec<Problem>,
    /// What would run; there is one unless there are errors.
    pub graph: Option<Graph>,
}

impl Manifest {
    /// Reads JSON.
    ///
    /// # Errors
    /// `manifest.syntax`, `manifest.duplicate_key`, `manifest.too_deep`, `manifest.too_large`.
    pub fn from_json(text: &str) -> Result<Self> {
        let parsed = parse_json::parse(text).map_err(|e| {
            refuse(error(detail::MANIFEST_SYNTAX, "", format!("this is not JSON: {e}")))
        })?;
        Self::from_parsed(parsed)
    }

    /// Reads YAML.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json), and `manifest.alias`.
    pub fn from_yaml(text: &str) -> Result<Self> {
        let parsed = parse_yaml::parse(text).map_err(|(problem, _)| refuse(problem))?;
        Self::from_parsed(parsed)
    }

    fn from_parsed(parsed: parse_json::Parsed) -> Result<Self> {
        if parsed.duplicates {
            return Err(refuse(error(detail::MANIFEST_DUPLICATE_KEY, "", "a key is there twice")));
        }
        Self::from_value(parsed.value)
    }

    /// Takes a document that is a value already.
    ///
    /// # Errors
    /// `manifest.too_deep`, `manifest.too_large`.
    pub fn from_value(document: Json) -> Result<Self> {
        Ok(Self { document })
    }

    /// Reads a file: JSON or YAML by its extension (`.json`, `.yaml`, `.yml`).
    ///
    /// # Errors
    /// `io.open` and `io.read`, and what is wrong in the text.
    pub fn from_file(path: impl AsRef<std::path::Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::new(
                detail::IO_OPEN,
                format!("can't read the manifest '{}': {e}", path.display()),
            )
        })?;
        match path.extension().and_then(|e| e.to_str()) {
            Some("yaml" | "yml") => Self::from_yaml(&text),
            _ => Self::from_json(&text),
        }
    }

    /// The document.
    pub fn to_json(&self) -> Json {
        self.document.clone()
    }

    /// Checks everything and says everything that is wrong.
    pub fn validate(&self, registry: &Registry) -> Report {
        let mut problems = Problems::default();
        shape::check(&self.document, &shape::Shape::Object(&fields::MANIFEST), "", &mut problems);
        if let Some(Json::String(version)) = self.document.get("version")
            && version != "v1"
        {
            problems.add(
                error(
                    detail::MANIFEST_VERSION,
                    "/version",
                    format!("Unsupported manifest version: {}", problem::excerpt(version)),
                )
                .expected("'v1'"),
            );
        }
        let graph = graph::build(&read::read(&self.document), registry, &mut problems);
        let graph = graph.filter(|_| !problems.any_error());
        Report { problems: problems.into_vec(), graph }
    }

    /// The graph that the manifest describes.
    ///
    /// # Errors
    /// Everything that is wrong, in [`Error::problems`].
    pub fn resolve(&self, registry: &Registry) -> Result<Graph> {
        let report = self.validate(registry);
        report.graph.ok_or_else(|| Error::from_problems(report.problems))
    }
}

fn refuse(problem: Problem) -> Error {
    Error::from_problems(vec![problem])
}
