use super::*;
use crate::node::testing::{Harness, Random};
use crate::packet::record::{Field, FieldKind, Record, Schema, Value};
use serde_json::{Map, Value as Json, json};

/// The port to which a packet goes.
fn way(rules: Json, packet: Packet) -> &'static str {
    let mut node = Harness::new::<Router>(json!({"rules": rules})).expect("makes");
    let out = node.push(packet).expect("passes");
    assert_eq!(out.len(), 1);
    Router::DESCRIPTOR.outputs[out[0].0].name
}

fn json_way(rule: Json, value: Json) -> bool {
    let mut rule = rule;
    rule["to"] = json!("b");
    way(json!([rule]), Packet::json(value)) == "b"
}

#[test]
fn the_first_rule_that_fits_wins_and_without_one_it_is_out() {
    let rules = json!([
        {"to": "c", "kind": "json", "field": "/score", "min": 0.5},
        {"to": "a", "kind": "json"},
        {"to": "h", "kind": "AUDIO"},
    ]);
    for (packet, expected) in [
        (Packet::json(json!({"score": 0.5})), "c"),
        (Packet::json(json!({"score": 0.4})), "a"),
        (Packet::audio(Random::new(1).noise(8_000, 1, 4)), "h"),
        (Packet::text("score"), "out"),
    ] {
        assert_eq!(way(rules.clone(), packet), expected);
    }
    assert_eq!(way(json!([]), Packet::text("a")), "out");
    assert_eq!(way(json!([{"to": "d"}]), Packet::text("a")), "d", "a rule for everything");
}

#[test]
fn values_in_json_are_found_and_compared() {
    let value =
        json!({"a/b": {"list": [1, "two", null]}, "n": 2, "big": 9_007_199_254_740_993_u64});
    for (rule, fits) in [
        (json!({"field": "/a~1b/list/1", "equals": "two"}), true),
        (json!({"field": "/a~1b/list/1", "equals": "three"}), false),
        (json!({"field": "/a~1b/list/3", "exists": true}), false),
        (json!({"field": "/a~1b/list/3", "exists": false}), true),
        (json!({"field": "/a~1b/list/2", "exists": true}), true),
        (json!({"field": "/a~1b/list/2", "equals": null}), true),
        (json!({"field": "/a~1b", "equals": {"list": [1, "two", null]}}), true),
        (json!({"field": "/n", "equals": 2.0}), true),
        (json!({"field": "/n", "min": 2, "max": 2}), true),
        (json!({"field": "/n", "min": 2.1}), false),
        (json!({"field": "/n", "max": 1.9}), false),
        (json!({"field": "/big", "equals": 9_007_199_254_740_992_u64}), false),
        (json!({"field": "/a~1b", "min": 0}), false),
        (json!({"field": "/nothing/there", "equals": 1}), false),
        (json!({"field": "/n"}), true),
        (json!({"field": "/m"}), false),
    ] {
        assert_eq!(json_way(rule.clone(), value.clone()), fits, "{rule}");
    }
    assert!(json_way(json!({"field": "", "min": 3}), json!(3)), "the whole value");
    assert_eq!(way(json!([{"to": "a", "field": "", "exists": true}]), Packet::text("a")), "out");
}

#[test]
fn values_in_records_are_found_and_compared() {
    static SCHEMA: Schema = Schema {
        name: "vad",
        fields: &[
            Field { name: "speech", kind: FieldKind::Bool, doc: "" },
            Field { name: "level", kind: FieldKind::Float, doc: "" },
            Field { name: "frames", kind: FieldKind::Int, doc: "" },
            Field { name: "state", kind: FieldKind::Name(&["low", "high"]), doc: "" },
        ],
    };
    let values = [Value::Bool(true), Value::Float(-20.5), Value::Int(480), Value::Name("high")];
    for (rule, expected) in [
        (json!({"to": "a", "field": "/speech", "equals": true}), "a"),
        (json!({"to": "a", "field": "/speech", "equals": false}), "out"),
        (json!({"to": "a", "field": "/level", "max": -20.5}), "a"),
        (json!({"to": "a", "field": "/frames", "equals": 480.0}), "a"),
        (json!({"to": "a", "field": "/state", "equals": "high"}), "a"),
        (json!({"to": "a", "field": "/state", "min": 0}), "out"),
        (json!({"to": "a", "kind": "record", "field": "/nothing", "exists": false}), "a"),
        (json!({"to": "a", "kind": "json", "field": "/speech"}), "out"),
    ] {
        let packet = Packet::record(Record::new(&SCHEMA, &values));
        assert_eq!(way(json!([rule]), packet), expected, "{rule}");
    }
}

#[test]
fn wrong_rules_are_refused_and_the_message_says_which_and_why() {
    for (rule, part) in [
        (json!(7), "no object"),
        (json!({}), "'to'"),
        (json!({"to": "z"}), "outputs are out, a, b"),
        (json!({"to": 1}), "'to' is text"),
        (json!({"to": "a", "kind": "sound"}), "kinds are audio, video"),
        (json!({"to": "a", "filed": "/x"}), "no 'filed'"),
        (json!({"to": "a", "field": "x"}), "like '/x'"),
        (json!({"to": "a", "equals": 1}), "which 'field'"),
        (json!({"to": "a", "field": "/x", "min": "1"}), "'min' is a number"),
        (json!({"to": "a", "field": "/x", "exists": 1}), "'exists' is true or false"),
        (json!({"to": "a", "field": "/x", "min": 2, "max": 1}), "above"),
        (json!({"to": "a", "field": "/x", "equals": 2, "exists": false}), "does not exist"),
    ] {
        let params = json!({"rules": [{"to": "a"}, rule]});
        let params = RouterParams::from_map(params.as_object().expect("an object"));
        let error = Router::ports(&params, &mut Ports::of(&Router::DESCRIPTOR)).expect_err("wrong");
        assert_eq!(error.detail(), detail::MANIFEST_PARAM_CONFLICT);
        let message = error.message();
        assert!(message.starts_with("rules[1]") && message.contains(part), "{message}");
    }
}

#[test]
fn rules_can_change_between_two_packets() {
    let mut node = Harness::new::<Router>(json!({})).expect("makes");
    let port = |node: &mut Harness| node.push(Packet::text("a")).expect("passes")[0].0;
    assert_eq!(port(&mut node), 0);
    let mut params = Map::new();
    params.insert("rules".into(), json!([{"to": "b", "kind": "text"}]));
    let params = RouterParams::from_map(&params);
    assert_eq!(Json::Object(params.to_map()), json!({"rules": [{"to": "b", "kind": "text"}]}));
    node.set::<Router>(params);
    assert_eq!(port(&mut node), 2);
}
