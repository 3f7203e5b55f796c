//! Manifests that are wrong, and what is said about them.
//!
//! For each `tests/golden/manifests/NAME.json` or `.yaml` the problems stand in `NAME.expected`.
//! `UPDATE_GOLDEN=1` writes what is said now; read the difference before committing it.

#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

extern crate remotemedia_core as remotemedia;

mod support;

use remotemedia::error::{Problem, Severity, detail};
use remotemedia::manifest::Manifest;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/manifests")
}

fn problems(path: &Path) -> Vec<Problem> {
    // Names say what the manifest is loaded as.
    let name = path.file_name().unwrap().to_str().unwrap();
    let manifest = if name.contains("variable") {
        Manifest::from_file(path)
    } else {
        let format = match path.extension().unwrap().to_str() {
            Some("json") => remotemedia::manifest::Format::Json,
            _ => remotemedia::manifest::Format::Yaml,
        };
        match String::from_utf8(std::fs::read(path).unwrap()) {
            Ok(text) => Manifest::from_text(&text, format),
            Err(e) => Manifest::from_slice(e.as_bytes()),
        }
    };
    let registry = match name.contains("without_adapter") {
        true => support::without_adapter(),
        false => support::registry(),
    };
    match manifest {
        Err(e) => e.problems().to_vec(),
        Ok(m) if name.starts_with("untrusted_only") => {
            m.untrusted_only(["PassThrough", "Stt"]).validate(&registry).problems
        }
        Ok(m) => m.validate(&registry).problems,
    }
}

fn render(problems: &[Problem]) -> String {
    let mut text = String::new();
    for p in problems {
        let severity = if p.severity == Severity::Error { "error" } else { "warning" };
        let place = p.position.map_or("-".to_owned(), |at| format!("{}:{}", at.line, at.column));
        let pointer = if p.pointer.is_empty() { "(document)" } else { &p.pointer };
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
        let (expected, found, hint) = (part(&p.expected), part(&p.found), part(&p.hint));
        let id = p.detail.id;
        writeln!(text, "{severity} {id} {pointer} {place} {}", p.message).unwrap();
        writeln!(text, "    | {expected} | {found} | {hint}").unwrap();
    }
    text
}

fn manifests() -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json" || e == "yaml"))
        .collect();
    paths.sort();
    let names: BTreeSet<_> = paths.iter().map(|p| p.file_stem()).collect();
    assert_eq!(names.len(), paths.len(), "two manifests share a name, and so what is expected");
    paths
}

#[test]
fn what_is_said_about_bad_manifests_is_as_written_down() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    let paths = manifests();
    assert!(paths.len() >= 60, "only {} bad manifests", paths.len());
    for path in paths {
        let now = render(&problems(&path));
        let expected = path.with_extension("expected");
        if update {
            std::fs::write(&expected, &now).unwrap();
        }
        let before = std::fs::read_to_string(&expected).unwrap_or_default();
        if before != now {
            wrong.push(format!("{}\n--- before\n{before}--- now\n{now}", path.display()));
        }
        assert!(!now.is_empty(), "nothing is wrong in {}", path.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_way_to_be_wrong_has_a_bad_manifest() {
    let found: BTreeSet<_> =
        manifests().iter().flat_map(|p| problems(p)).map(|p| p.detail.id).collect();
    // Too large to be kept as a file; `manifest_hostile` makes such documents.
    let elsewhere = [detail::MANIFEST_TOO_LARGE.id];
    let missing: Vec<_> = detail::ALL
        .iter()
        .map(|d| d.id)
        .filter(|id| id.starts_with("manifest.") && !found.contains(id) && !elsewhere.contains(id))
        .collect();
    assert!(missing.is_empty(), "no bad manifest for {missing:?}");
}

#[test]
fn a_position_is_where_the_text_says_what_is_wrong() {
    let mut checked = 0;
    for path in manifests() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for p in problems(&path) {
            let at = p.position.expect("text has positions");
            let line = text.split('\n').nth(at.line - 1).unwrap_or_default();
            let before: String = line.chars().take(at.column - 1).collect();
            let line_start =
                text.split_inclusive('\n').take(at.line - 1).map(str::len).sum::<usize>();
            assert_eq!(line_start + before.len(), at.offset, "{}: {p:?}", path.display());
            assert!(text.get(at.offset..at.offset + at.len).is_some(), "{}: {p:?}", path.display());
            if p.detail == detail::MANIFEST_UNKNOWN_FIELD
                || p.detail == detail::MANIFEST_UNKNOWN_PARAM
            {
                let here = &text[at.offset..at.offset + at.len];
                let key =
                    p.pointer.rsplit('/').next().unwrap().replace("~1", "/").replace("~0", "~");
                assert_eq!(here.trim_matches('"'), key, "{}", path.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 5);
}
