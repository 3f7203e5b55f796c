//! The arrows between the crates, from cargo's own knowledge of them.

use crate::Failure;
use crate::process::Run;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// The crates that users get, and the crates of the project that each may use.
const CRATES: &[(&str, &[&str])] = &[
    ("remotemedia-derive", &[]),
    ("remotemedia-core", &["remotemedia-derive"]),
    ("remotemedia-remote", &["remotemedia-core"]),
    ("remotemedia", &["remotemedia-core", "remotemedia-remote"]),
    ("remotemedia-capi", &["remotemedia"]),
    ("remotemedia-binding", &["remotemedia-capi"]),
    ("remotemedia-python", &["remotemedia-binding"]),
    ("rmedia", &["remotemedia"]),
    ("xtask", &[]),
];

/// Folders whose crates may use any of them, and are used by none.
const LEAVES: &[&str] = &["examples", "benches", "tests"];

/// Neither core nor anything below it may bring an async runtime, a network or a language.
const NEVER_IN_CORE: &[&str] = &[
    "async-std",
    "h2",
    "hyper",
    "mio",
    "napi",
    "prost",
    "pyo3",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tonic",
    "ureq",
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<ResolvedNode>,
}

#[derive(Deserialize)]
struct ResolvedNode {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// Absent for what is needed when it runs; `dev` or `build` otherwise.
    kind: Option<String>,
}

/// Adds what breaks a rule to `faults`; gives the number of the project's crates.
pub(super) fn check(root: &Path, faults: &mut Vec<String>) -> Result<usize, Failure> {
    let json = Run::cargo(root, "metadata --format-version 1 --all-features --locked").output()?;
    let metadata: Metadata =
        serde_json::from_slice(&json).map_err(|e| format!("cargo metadata: {e}"))?;
    check_metadata(&metadata, &root.to_string_lossy(), faults);
    Ok(metadata.workspace_members.len())
}

fn check_metadata(metadata: &Metadata, root: &str, faults: &mut Vec<String>) {
    let packages: HashMap<&str, &Package> =
        metadata.packages.iter().map(|p| (p.id.as_str(), p)).collect();
    let needs: HashMap<&str, Vec<&str>> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = |d: &&Dependency| d.dep_kinds.iter().any(|k| k.kind.is_none());
            let all = node.deps.iter().filter(normal).map(|d| d.pkg.as_str());
            (node.id.as_str(), all.collect())
        })
        .collect();

    for member in &metadata.workspace_members {
        let Some(package) = packages.get(member.as_str()) else { continue };
        let own = needs.get(member.as_str()).into_iter().flatten();
        let own = own.filter(|id| metadata.workspace_members.contains(**id));
        let own = own.filter_map(|id| packages.get(id)).map(|p| p.name.as_str());
        let folder = package.manifest_path.strip_prefix(root).unwrap_or_default();
        let leaf = folder.split('/').any(|part| LEAVES.contains(&part));
        match CRATES.iter().find(|(name, _)| *name == package.name) {
            Some((name, may_use)) => faults.extend(
                own.filter(|used| !may_use.contains(used))
                    .map(|used| format!("crate `{name}` must not depend on `{used}`")),
            ),
            None if leaf => {}
            None => faults.push(format!(
                "crate `{}` has no layer: give it one in xtask/src/layers/crates.rs",
                package.name
            )),
        }
    }

    let core = metadata.packages.iter().find(|p| p.name == "remotemedia-core");
    let mut open: Vec<&str> = core.iter().map(|p| p.id.as_str()).collect();
    let mut seen: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        let name = packages.get(id).map_or("", |p| &p.name);
        if NEVER_IN_CORE.contains(&name) {
            faults.push(format!("crate `remotemedia-core` must not bring `{name}`"));
        }
        open.extend(needs.get(id).into_iter().flatten().copied().filter(|id| seen.insert(*id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Faults of a project whose crates are given as (name, folder, what it needs, as what).
    fn faults(crates: &[(&str, &str, &[&str], Value)]) -> Vec<String> {
        let mut packages = Vec::new();
        let mut members = Vec::new();
        let mut nodes = Vec::new();
        for (name, folder, needs, kind) in crates {
            packages.push(json!({
                "id": name, "name": name, "manifest_path": format!("/project/{folder}/Cargo.toml"),
            }));
            if !folder.is_empty() {
                members.push(name);
            }
            let dep = |pkg: &&str| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]});
            nodes.push(json!({"id": name, "deps": needs.iter().map(dep).collect::<Vec<_>>()}));
        }
        let metadata = json!({
            "packages": packages, "workspace_members": members, "resolve": {"nodes": nodes},
        });
        let metadata: Metadata = serde_json::from_value(metadata).expect("it is metadata");
        let mut faults = Vec::new();
        check_metadata(&metadata, "/project", &mut faults);
        faults
    }

    const NORMAL: Value = Value::Null;

    #[test]
    fn arrows_down_are_fine_and_examples_may_use_anything() {
        let crates = [
            ("remotemedia-core", "core", &["serde"] as &[_], NORMAL),
            ("remotemedia", "sdk", &["remotemedia-core"], NORMAL),
            ("voice", "examples/voice", &["remotemedia", "remotemedia-core", "tokio"], NORMAL),
            ("serde", "", &[], NORMAL),
            ("tokio", "", &[], NORMAL),
        ];
        assert_eq!(faults(&crates), [""; 0]);
    }

    #[test]
    fn an_arrow_upwards_is_seen_but_not_one_for_tests_only() {
        let with = |kind| {
            faults(&[
                ("remotemedia-core", "core", &["remotemedia"], kind),
                ("remotemedia", "sdk", &["remotemedia-core"], NORMAL),
            ])
        };
        assert_eq!(with(NORMAL), ["crate `remotemedia-core` must not depend on `remotemedia`"]);
        assert_eq!(with(json!("dev")), [""; 0]);
    }

    #[test]
    fn the_command_reaches_the_engine_only_through_the_sdk() {
        let crates = [
            ("rmedia", "cli", &["remotemedia-core"] as &[_], NORMAL),
            ("remotemedia-core", "core", &[], NORMAL),
        ];
        assert_eq!(faults(&crates), ["crate `rmedia` must not depend on `remotemedia-core`"]);
    }

    #[test]
    fn an_async_runtime_below_core_is_seen_at_any_depth() {
        let crates = [
            ("remotemedia-core", "core", &["a"] as &[_], NORMAL),
            ("a", "", &["b"], NORMAL),
            ("b", "", &["tokio"], NORMAL),
            ("tokio", "", &[], NORMAL),
        ];
        assert_eq!(faults(&crates), ["crate `remotemedia-core` must not bring `tokio`"]);
    }

    #[test]
    fn a_new_crate_needs_a_layer() {
        assert_eq!(faults(&[("misc", "misc", &[], NORMAL)]).len(), 1);
    }
}
