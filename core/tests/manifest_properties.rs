//! What holds for every manifest.

extern crate remotemedia_core as remotemedia;

mod support;

use proptest::prelude::*;
use remotemedia::manifest::Manifest;
use serde_json::{Value as Json, json};

/// Nodes in a random order, and connections that only lead from lower to higher numbers.
fn acyclic() -> impl Strategy<Value = (Vec<usize>, Vec<(usize, usize)>)> {
    (2..20_usize).prop_flat_map(|n| {
        let order = Just((0..n).collect::<Vec<_>>()).prop_shuffle();
        let link = (0..n - 1).prop_flat_map(move |a| (Just(a), a + 1..n));
        (order, prop::collection::btree_set(link, 1..40).prop_map(|s| s.into_iter().collect()))
    })
}

fn manifest(order: &[usize], links: &[(usize, usize)]) -> Json {
    let joined = |n: &&usize| links.iter().any(|(a, b)| a == *n || b == *n);
    let node = |n: &usize| json!({"id": format!("n{n}"), "node_type": "Funnel"});
    let link = |(a, b): &(usize, usize)| json!({"from": format!("n{a}"), "to": format!("n{b}.in")});
    json!({
        "version": "v1",
        "nodes": order.iter().filter(joined).map(node).collect::<Vec<_>>(),
        "connections": links.iter().map(link).collect::<Vec<_>>(),
    })
}

/// Any JSON that a manifest may hold somewhere.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[ -~äß\n\"\\\\]{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[a-z/~. ]{0,6}", inner, 0..5)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// A good manifest with many fields, to break at random.
const GOOD: &str = r#"{"version": "v1", "metadata": {"name": "größer", "auto_negotiate": true},
 "nodes": [
  {"id": "t", "node_type": "Tone", "params": {"rate": 44100}},
  {"id": "k", "node_type": "Knobs", "params": {"count": 3, "quality": "best", "taps": [1, 2]}},
  {"id": "r", "node_type": "Recognizer", "is_output_node": true,
   "media_capabilities": {"inputs": {"in": {"type": "audio", "rate": {"min": 8000}}}}},
  {"id": "p", "node_type": "Printer", "execution": {"placement": "local"}}],
 "connections": [{"from": "t", "to": "k"}, {"from": "k.out", "to": "r", "queue": {"items": 3}},
  {"from": "r", "to": "p"}], "outputs": {"level": "r.level"}}"#;

const GOOD_YAML: &str = "
version: v1
metadata: {name: größer}
nodes:
  - id: t
    node_type: \"Tone\"
    params: {rate: 44100}
  - id: s   # a comment
    node_type: 'Speaker'
connections:
  - {from: t, to: s, queue: {policy: block}}
";

fn look_at(read: fn(&str) -> Result<Manifest, remotemedia::error::Error>, text: &str) {
    match read(text) {
        Err(e) => assert!(e.problems().iter().all(|p| p.position.is_some()), "{e:?}"),
        Ok(manifest) => {
            let report = manifest.validate(&support::registry());
            assert_eq!(report.graph.is_some(), report.errors().count() == 0);
            for p in &report.problems {
                let at = p.position.expect("text has positions");
                assert!(text.get(at.offset..at.offset + at.len).is_some(), "{p:?}\n{text}");
            }
        }
    }
}

#[test]
fn what_is_broken_at_random_was_good_before() {
    for manifest in [Manifest::from_json(GOOD), Manifest::from_yaml(GOOD_YAML)] {
        let report = manifest.unwrap().validate(&support::registry());
        assert_eq!(report.problems, []);
    }
}

proptest! {
    #[test]
    fn graphs_without_cycles_resolve_to_a_topological_order((order, links) in acyclic()) {
        let manifest = Manifest::from_value(manifest(&order, &links)).unwrap();
        let graph = manifest.resolve(&support::registry()).unwrap();
        prop_assert_eq!(graph.edges.len(), links.len());
        for edge in &graph.edges {
            prop_assert!(edge.from.node < edge.to.node);
        }
        // Nodes that could change places stand as in the manifest.
        for pair in graph.nodes.windows(2) {
            let place = |id: &str| order.iter().position(|n| format!("n{n}") == id);
            let (a, b) = (&pair[0].id, &pair[1].id);
            let joined = links.iter().any(|(x, y)| &format!("n{x}") == a && &format!("n{y}") == b);
            prop_assert!(joined || place(a) < place(b));
        }
    }

    #[test]
    fn a_link_that_leads_back_is_a_cycle((order, links) in acyclic(), pick in any::<prop::sample::Index>()) {
        let (a, b) = *pick.get(&links);
        let mut links = links;
        links.push((b, a));
        let refused = Manifest::from_value(manifest(&order, &links)).unwrap();
        let error = refused.resolve(&support::registry()).unwrap_err();
        prop_assert!(error.problems().iter().any(|p| p.detail.id == "manifest.cycle"));
    }

    #[test]
    fn json_says_what_was_read(value in any_json()) {
        let manifest = Manifest::from_value(value.clone()).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        for text in [value.to_string(), pretty] {
            let read = Manifest::from_json(&text).unwrap();
            prop_assert_eq!(&read, &manifest);
            prop_assert_eq!(&Manifest::from_value(read.to_json()).unwrap(), &manifest);
        }
    }

    #[test]
    fn yaml_reads_json_as_json(value in any_json()) {
        let text = value.to_string();
        let yaml = Manifest::from_yaml(&text).map(|m| m.to_json());
        prop_assert_eq!(yaml.unwrap(), Manifest::from_json(&text).unwrap().to_json());
    }

    #[test]
    fn any_field_may_hold_anything_without_harm(value in any_json(), pick in any::<prop::sample::Index>()) {
        let good: Json = serde_json::from_str(GOOD).unwrap();
        let mut pointers = Vec::new();
        let mut open = vec![(String::new(), &good)];
        while let Some((pointer, value)) = open.pop() {
            match value {
                Json::Object(map) => open.extend(map.iter().map(|(k, v)| (format!("{pointer}/{k}"), v))),
                Json::Array(list) => open.extend(list.iter().enumerate().map(|(k, v)| (format!("{pointer}/{k}"), v))),
                _ => {}
            }
            pointers.push(pointer);
        }
        let mut broken = good.clone();
        let pointer: &String = pick.get(&pointers);
        *broken.pointer_mut(pointer).unwrap() = value;
        look_at(Manifest::from_json, &broken.to_string());
    }

    #[test]
    fn text_with_random_bytes_in_it_does_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
        yaml in any::<bool>(),
    ) {
        let mut bytes = if yaml { GOOD_YAML } else { GOOD }.as_bytes().to_vec();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        look_at(if yaml { Manifest::from_yaml } else { Manifest::from_json }, &text);
    }
}
