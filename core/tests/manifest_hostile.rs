//! Documents that mean harm: they are refused with the right words, at once, and without harm.

#![allow(clippy::unwrap_used, reason = "what a test needs is there, or the test fails")]

extern crate remotemedia_core as remotemedia;

mod support;

use remotemedia::error::Error;
use remotemedia::manifest::Manifest;
use serde_json::{Value as Json, json};

fn refusal(result: Result<Manifest, Error>) -> &'static str {
    result.expect_err("refused").detail().id
}

fn first_problem(manifest: &Manifest) -> &'static str {
    manifest.resolve(&support::registry()).expect_err("refused").detail().id
}

#[test]
fn deep_nesting_is_refused_without_using_the_stack() {
    for deep in [
        "[".repeat(200_000),
        format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)),
        "{\"a\":".repeat(200_000),
        format!("{{\"version\":\"v1\",\"nodes\":{}", "[{\"params\":".repeat(100_000)),
    ] {
        assert_eq!(refusal(Manifest::from_json(&deep)), "manifest.too_deep");
        assert_eq!(refusal(Manifest::from_yaml(&deep)), "manifest.too_deep");
    }
    assert_eq!(refusal(Manifest::from_yaml(&"- ".repeat(200_000))), "manifest.too_deep");
    let lines: String = (0..1_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert_eq!(refusal(Manifest::from_yaml(&lines)), "manifest.too_deep");
}

#[test]
fn deep_values_are_refused_at_the_same_depth_as_deep_text() {
    for levels in [127, 128] {
        let value = (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let text = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let fits = levels == 127;
        assert_eq!(Manifest::from_value(value).is_ok(), fits, "{levels}");
        assert_eq!(Manifest::from_json(&text).is_ok(), fits, "{levels}");
        assert_eq!(Manifest::from_yaml(&text).is_ok(), fits, "{levels}");
    }
}

#[test]
fn long_text_is_refused_before_it_is_read() {
    let long = format!("{{\"version\": \"{}\"}}", "v".repeat(5 << 20));
    assert_eq!(refusal(Manifest::from_json(&long)), "manifest.too_large");
    assert_eq!(refusal(Manifest::from_yaml(&long)), "manifest.too_large");
    assert_eq!(refusal(Manifest::from_slice(long.as_bytes())), "manifest.too_large");
}

fn chain(nodes: usize, connections: usize) -> Json {
    let node = |n| json!({"id": format!("n{n}"), "node_type": "PassThrough"});
    let connection = |n: usize| json!({"from": format!("n{n}"), "to": format!("n{}", n + 1)});
    json!({
        "version": "v1",
        "nodes": (0..nodes).map(node).collect::<Vec<_>>(),
        "connections": (0..connections).map(connection).collect::<Vec<_>>(),
    })
}

#[test]
fn too_many_nodes_and_connections_are_refused() {
    let most = Manifest::from_value(chain(10_000, 9_999)).unwrap();
    let graph = most.resolve(&support::registry()).unwrap();
    assert_eq!((graph.nodes.len(), graph.edges.len()), (10_000, 9_999));
    let refused = Manifest::from_value(chain(10_001, 50_001)).unwrap();
    let report = refused.validate(&support::registry());
    let said: Vec<_> = report.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "the manifest has 10001 nodes, more than 10000",
            "the manifest has 50001 connections, more than 50000",
        ]
    );
    let untrusted = Manifest::from_value(chain(501, 500)).unwrap().untrusted();
    assert_eq!(first_problem(&untrusted), "manifest.too_large");
    let says_so =
        json!({"version": "v1", "untrusted": true, "nodes": [], "x": "x".repeat(300_000)});
    let untrusted = Manifest::from_json(&says_so.to_string()).unwrap();
    assert_eq!(first_problem(&untrusted), "manifest.too_large");
}

#[test]
fn the_answer_stays_small_whatever_is_wrong() {
    let connection = json!({"from": "nobody", "to": "noone", "colour": 1});
    let mut manifest = chain(10_000, 0);
    manifest["connections"] = vec![connection; 50_000].into();
    for node in manifest["nodes"].as_array_mut().unwrap() {
        node["execution"] = json!({"placement": "prefer_remote"});
    }
    let text = manifest.to_string();
    assert!(text.len() < 4 << 20, "{}", text.len());
    let report = Manifest::from_json(&text).unwrap().validate(&support::registry());
    assert_eq!((report.errors().count(), report.warnings().count()), (200, 200));
    assert!(report.graph.is_none());
    assert!(report.problems.iter().all(|p| p.message.len() < 1_000));
}

#[test]
fn warnings_do_not_hide_an_error_that_comes_after_them() {
    let mut manifest = chain(300, 299);
    for node in manifest["nodes"].as_array_mut().unwrap() {
        node["execution"] = json!({"placement": "prefer_remote"});
    }
    manifest["connections"][298]["to"] = "n0".into();
    let report = Manifest::from_value(manifest).unwrap().validate(&support::registry());
    assert!(report.graph.is_none());
    assert!(report.errors().any(|p| p.detail.id == "manifest.cycle"));
}

#[test]
fn long_names_do_not_make_long_messages() {
    let long = "x".repeat(1 << 20);
    let manifest = json!({
        "version": long,
        "nodes": [{"id": long, "node_type": long, long.clone(): 1}],
        "connections": [{"from": long, "to": "a"}],
    });
    let report = Manifest::from_value(manifest).unwrap().validate(&support::registry());
    assert!(report.problems.len() >= 4);
    assert!(report.problems.iter().all(|p| p.message.len() < 1_000));
}

/// Work that grows with the square of the text would keep these from ending.
#[test]
fn text_that_is_hard_to_parse_is_parsed_or_refused() {
    let big = 1 << 20;
    for text in [
        "? ".repeat(big / 2),
        "a: ".repeat(big / 3),
        "&a ".repeat(big / 3),
        "a\n".repeat(big / 2),
        " ".repeat(big),
        "\n".repeat(big),
        "#".repeat(big),
        "\"".repeat(big),
        "'".repeat(big),
        "{".repeat(big),
        "%".repeat(big),
        "---\n".repeat(big / 4),
        "- a\n".repeat(big / 4),
        format!("[{}", "a, ".repeat(big / 3)),
        format!("{{{}", "a: b, ".repeat(big / 6)),
        format!("a: |\n{}", " x\n".repeat(big / 3)),
        format!("a: \"{}", "\\\n".repeat(big / 2)),
        (0..big / 10).map(|n| format!("k{n}: v\n")).collect(),
    ] {
        for read in [Manifest::from_yaml, Manifest::from_json] {
            let read = read(&text);
            let what = &text[..12];
            match read {
                Ok(manifest) => {
                    assert!(!manifest.validate(&support::registry()).problems.is_empty())
                }
                Err(e) => assert!(!e.problems().is_empty(), "{what:?}: {e:?}"),
            }
        }
    }
}

#[test]
fn a_long_path_with_many_children_is_located_at_once() {
    let long = "k".repeat(1 << 20);
    let items = vec!["1"; 1 << 19].join(",");
    let text = format!("{{\"version\":\"v1\",\"nodes\":[],\"{long}\":[{items}],\"x\":1,\"x\":2}}");
    assert_eq!(refusal(Manifest::from_json(&text)), "manifest.duplicate_key");
    let text = format!("{{\"version\":\"v1\",\"nodes\":[],\"{long}\":[{items}],\"x\":1}}");
    assert_eq!(
        Manifest::from_json(&text).unwrap().validate(&support::registry()).problems.len(),
        3
    );
}

#[test]
fn only_local_files_see_the_environment() {
    let dir = std::env::temp_dir().join(format!("rmedia-manifest-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    // Cargo sets this one for every test.
    let text = r#"{"version": "v1", "metadata": {"name": "${CARGO_PKG_NAME} ${NOPE_X:-d}"},
        "nodes": [{"id": "a", "node_type": "PassThrough"}]"#;
    let name = |manifest: Manifest| manifest.to_json()["metadata"]["name"].clone();
    let write = |file: &str, text: &str| {
        let path = dir.join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let open = write("open.json", &format!("{text}}}"));
    let closed = write("closed.json", &format!("{text}, \"untrusted\": true}}"));
    let other = write("manifest.txt", text);
    let untouched = json!("${CARGO_PKG_NAME} ${NOPE_X:-d}");
    assert_eq!(name(Manifest::from_file(&open).unwrap()), json!("remotemedia-core d"));
    assert_eq!(name(Manifest::from_file(&closed).unwrap()), untouched);
    assert_eq!(name(Manifest::from_json(&format!("{text}}}")).unwrap()), untouched);
    assert_eq!(refusal(Manifest::from_file(&other)), "argument.invalid");
    assert_eq!(refusal(Manifest::from_file(dir.join("missing.yaml"))), "io.open");
    std::fs::remove_dir_all(&dir).unwrap();
}
