use super::*;
use crate::node::testing::Harness;
use crate::packet::MediaTime;
use serde_json::Map;

fn answer(params: Json, value: Json) -> Result<Json> {
    let mut node = Harness::new::<Calculator>(params).expect("makes");
    let out = node.push(Packet::json(value).at(MediaTime::from_millis(3)))?;
    assert_eq!(out[0].1.pts(), Some(MediaTime::from_millis(3)));
    Ok(out[0].1.as_json().expect("json").clone())
}

/// The result as text, so that 8 and 8.0 differ.
fn result(operation: &str, operands: Json) -> Result<String> {
    let request = json!({"operation": operation, "operands": operands});
    Ok(answer(json!({}), request)?["result"].to_string())
}

// What is expected is what Python 3.11 gives for +, -, *, /, ** and %.
#[test]
fn results_are_those_of_python() {
    for (operation, operands, expected) in [
        ("add", json!([5, 3]), "8"),
        ("add", json!([5, 3.0]), "8.0"),
        ("add", json!([1, 2, 3, 4]), "10"),
        ("add", json!([7]), "7"),
        ("add", json!([0.1, 0.2]), "0.30000000000000004"),
        ("subtract", json!([9, 3, 1]), "5"),
        ("subtract", json!([3, 9]), "-6"),
        ("multiply", json!([6, 7]), "42"),
        ("multiply", json!([-1.5, 2]), "-3.0"),
        ("divide", json!([10, 4]), "2.5"),
        ("divide", json!([8, 2]), "4.0"),
        ("divide", json!([100, 5, 2]), "10.0"),
        ("power", json!([2, 10]), "1024"),
        ("power", json!([2, -1]), "0.5"),
        ("power", json!([2, 3, 2]), "64"),
        ("power", json!([2.25, 0.5]), "1.5"),
        ("power", json!([0, 0]), "1"),
        ("modulo", json!([7, 4]), "3"),
        ("modulo", json!([-7, 4]), "1"),
        ("modulo", json!([7, -4]), "-1"),
        ("modulo", json!([-7.5, 2]), "0.5"),
        ("modulo", json!([7.5, -2]), "-0.5"),
        ("modulo", json!([4.0, -2]), "-0.0"),
    ] {
        let found = result(operation, operands.clone()).expect("numbers");
        assert_eq!(found, expected, "{operation} {operands}");
    }
}

#[test]
fn whole_numbers_that_do_not_fit_become_floats() {
    for (operation, operands, expected) in [
        ("add", json!([i64::MAX, 1]), "9223372036854775808"),
        ("add", json!([u64::MAX, 1]), "1.8446744073709552e+19"),
        ("subtract", json!([i64::MIN, 1]), "-9.223372036854776e+18"),
        ("multiply", json!([u64::MAX, u64::MAX]), "3.402823669209385e+38"),
        ("power", json!([3, 60]), "4.23911582752162e+28"),
        ("power", json!([-1, 4_294_967_297u64]), "-1.0"),
        ("modulo", json!([u64::MAX, 10]), "5"),
    ] {
        let found = result(operation, operands.clone()).expect("numbers");
        assert_eq!(found, expected, "{operation} {operands}");
    }
}

#[test]
fn the_answer_repeats_the_request_under_the_name_it_came_by() {
    let found = answer(json!({}), json!({"operation": "ADD", "operands": [5, 3.0], "other": 1}));
    let expected = r#"{"operation":"add","operands":[5,3.0],"result":8.0}"#;
    assert_eq!(found.expect("adds").to_string(), expected);
    let found = answer(json!({}), json!({"args": [5, 3], "operation": "subtract"}));
    let expected = r#"{"operation":"subtract","operands":[5,3],"args":[5,3],"result":2}"#;
    assert_eq!(found.expect("subtracts").to_string(), expected);
    let list = json!([{"operation": "add", "args": [1]}, {"operation": "add", "operands": [2]}]);
    let found = answer(json!({}), list).expect("adds");
    assert_eq!((&found[0]["result"], &found[1]["result"]), (&json!(1), &json!(2)));
    assert_eq!(answer(json!({}), json!([])).expect("nothing to do"), json!([]));
}

#[test]
fn params_make_it_work_on_plain_numbers_and_the_operand_is_live() {
    let params = json!({"operation": "power", "operand": 2});
    assert_eq!(answer(params.clone(), json!(7)).expect("a number").to_string(), "49");
    let found = answer(params.clone(), json!([1.5, [-3]])).expect("numbers");
    assert_eq!(found.to_string(), "[2.25,[9]]");
    // An object says its own; what it leaves out is as the params say.
    let request = json!({"operation": "add", "operands": [1, 1]});
    assert_eq!(answer(params.clone(), request).expect("adds")["result"], json!(2));
    let request = json!({"operands": [3, 3]});
    assert_eq!(answer(params.clone(), request).expect("a power")["result"], json!(27));

    let mut node = Harness::new::<Calculator>(params).expect("makes");
    let mut change = Map::new();
    change.insert("operation".into(), json!("power"));
    change.insert("operand".into(), json!(0.5));
    node.set::<Calculator>(CalculatorParams::from_map(&change));
    let out = node.push(Packet::json(json!(9))).expect("a number");
    assert_eq!(out[0].1.as_json(), Some(&json!(3.0)));
}

#[test]
fn what_can_not_be_calculated_says_what_was_expected() {
    for (value, part) in [
        (json!({"operation": "root", "operands": [4]}), "\"root\""),
        (json!({"operation": 1, "operands": [4]}), "no operation 1"),
        (json!({"operands": [4]}), "'operation'"),
        (json!({"operation": "add"}), "'operands'"),
        (json!({"operation": "add", "operands": [1], "args": [1]}), "both"),
        (json!({"operation": "add", "operands": []}), "1 or more numbers"),
        (json!({"operation": "subtract", "operands": [1]}), "2 or more numbers"),
        (json!({"operation": "add", "operands": [1, "2"]}), "numbers, not [1,\"2\"]"),
        (json!({"operation": "add", "operands": [true]}), "numbers, not [true]"),
        (json!({"operation": "add", "operands": 3}), "numbers, not 3"),
        (json!({"operation": "divide", "operands": [1, 0]}), "not 0"),
        (json!({"operation": "divide", "operands": [1, 0.0]}), "not 0"),
        (json!({"operation": "modulo", "operands": [1, 0]}), "not 0"),
        (json!({"operation": "power", "operands": [0, -1]}), "finite"),
        (json!({"operation": "power", "operands": [-1, 0.5]}), "finite"),
        (json!({"operation": "multiply", "operands": [1e200, 1e200]}), "finite"),
        (json!(3), "an object, not 3"),
        (json!([[3]]), "an object, not [3]"),
    ] {
        let error = answer(json!({}), value.clone()).expect_err("no result");
        assert_eq!(error.detail(), detail::FORMAT_VALUE, "{value}");
        assert!(error.message().contains(part), "{value}: {error}");
    }
    let error = answer(json!({}), json!({"operation": "root"})).expect_err("unknown");
    assert!(error.hint().is_some_and(|h| h.contains("add") && h.contains("modulo")));
    let params = json!({"operation": "add", "operand": 2});
    let error = answer(params, json!("3")).expect_err("no number");
    assert!(error.message().contains("a string"), "{error}");
}

#[test]
fn params_that_make_no_sense_together_are_refused() {
    for params in [
        json!({"operand": 2}),
        json!({"operation": "divide", "operand": 0}),
        json!({"operation": "modulo", "operand": 0.0}),
    ] {
        let Json::Object(map) = &params else { unreachable!("written above") };
        let mut ports = Ports::of(&Calculator::DESCRIPTOR);
        let error = Calculator::ports(&CalculatorParams::from_map(map), &mut ports);
        let error = error.expect_err("refused");
        assert_eq!(error.detail(), detail::MANIFEST_PARAM_CONFLICT, "{params}");
    }
}
