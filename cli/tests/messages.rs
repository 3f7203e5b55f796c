//! What the command says, word for word, and its exit codes.

mod support;

use serde_json::{Value as Json, json};
use support::{Folder, PASS, example, media};

const BAD: &str = r#"{
  "version": "v1",
  "nodes": [
    { "id": "a", "node_type": "MultiplyNod", "params": { "multiplier": 2 } },
    { "id": "b", "node_type": "AddNode", "params": { "addend": "ten" } }
  ],
  "connections": [
    { "from": "a", "to": "c" }
  ]
}
"#;

#[test]
fn a_bad_manifest_is_shown_like_source_code() {
    let folder = Folder::new();
    folder.write("bad.json", BAD);
    let ran = folder.run(&["validate", "bad.json"]);
    let expected = r#"error[manifest.unknown_type]: Unknown node type 'MultiplyNod' for node 'a'
 --> bad.json:4:31
  |
4 |     { "id": "a", "node_type": "MultiplyNod", "params": { "multiplier": 2 } },
  |                               ^^^^^^^^^^^^^
  |
  = help: did you mean 'MultiplyNode'?

error[manifest.param_type]: param 'addend' takes a number; found text "ten"
 --> bad.json:5:64
  |
5 |     { "id": "b", "node_type": "AddNode", "params": { "addend": "ten" } }
  |                                                                ^^^^^ expected a number, found text "ten"

error[manifest.unknown_node]: Connection references unknown target node: c
 --> bad.json:8:26
  |
8 |     { "from": "a", "to": "c" }
  |                          ^^^

not valid bad.json: 3 problems
"#;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (3, expected, ""));
    // A run says the same, where messages go.
    let ran = folder.run(&["run", "bad.json"]);
    let shown = expected.split("\n\nnot valid").next().expect("a first part");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.trim_end()), (3, "", shown));
}

#[test]
fn a_good_manifest_is_described() {
    let folder = Folder::new();
    folder.write("pass.json", PASS);
    let ran = folder.run(&["validate", "pass.json"]);
    let expected = "\
ok pass.json
  nodes        1
  inputs       pass: any
  outputs      pass: any
  determinate: yes
";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""));
    let ran = folder.run(&["validate", "--json", "pass.json", "none.json"]);
    let report: Json = serde_json::from_str(&ran.out).expect("one line of JSON");
    assert_eq!(report["inputs"], json!({"pass": "any"}));
    assert_eq!((ran.code, &report["ok"]), (4, &json!(true)), "the worst one counts");
}

#[test]
fn adapters_are_named() {
    let ran = Folder::new().run(&["validate", "--json", &example("resample.json")]);
    let report: Json = serde_json::from_str(&ran.out).expect("one line of JSON");
    assert_eq!(report["adapters"], json!(["resample.in~adapter (AudioAdapter)"]));
    assert_eq!(report["nodes"], json!([{"id": "resample", "node_type": "rmedia/AudioResample"}]));
}

#[test]
fn every_way_to_fail_has_its_exit_code_and_says_what_to_do() {
    let folder = Folder::new();
    folder.write("pass.json", PASS).write("bad.json", BAD).write("broken.json", "{");
    folder.write("in.jsonl", "5\n").write("not.json", "1\n2\n").write("junk.wav", "no sound");
    let (calculator, wav) = (example("calculator.json"), media("speech-8k.wav"));
    let cases: &[(i32, &[&str], &str)] = &[
        (2, &["run", "pass.json"], "no file for input 'pass' (any)"),
        (2, &["run", "pass.json"], "give it one with `-i FILE`"),
        (2, &["run", "pass.json", "-i", "x=in.jsonl"], "there is no input 'x'"),
        (2, &["run", "pass.json", "-i", "in.jsonl", "-i", "in.jsonl"], "gets two files"),
        (2, &["run", &calculator, "-i", "in.jsonl", "-o", "a.wav"], "gives json, which 'a.wav'"),
        (2, &["run", "pass.json", "-i", "in.jsonl", "-o", "a.mp3"], "end it in .wav"),
        (2, &["run", "pass.json", "-i", "in.jsonl", "--set", "x"], "NODE.PARAM=VALUE"),
        (2, &["run", "pass.json", "-i", "in.jsonl", "--set", "x.y=1"], "the nodes are pass"),
        (2, &["run", "pass.json", "-i", &wav, "--format", "i16"], "no output is one"),
        (2, &["stream", "pass.json", "--pcm", "f32"], "f32le:48000:1"),
        (2, &["stream", &calculator, "--pcm", "f32le:8000:1"], "takes json, not audio"),
        (2, &["stream", "pass.json", "--output", "x"], "there is no output 'x'"),
        (2, &["nodes", "Resampler"], "did you mean"),
        (2, &["frobnicate"], "unrecognized subcommand"),
        (3, &["run", "bad.json"], "did you mean 'MultiplyNode'?"),
        (3, &["run", "broken.json"], "broken.json:1:"),
        (3, &["graph", "bad.json"], "did you mean 'MultiplyNode'?"),
        (3, &["run", &calculator, "--set", "add.addend=x"], "takes a number"),
        (4, &["run", "none.json"], "'none.json' can't be opened"),
        (4, &["run", "pass.json", "-i", "none.wav"], "'none.wav' can't be opened"),
        (4, &["run", "pass.json", "-i", "junk.wav"], "junk.wav"),
        (4, &["run", "pass.json", "-i", "not.json"], "a file with one value a line ends in .jsonl"),
        (4, &["run", &calculator, "-i", &wav], "give it a .jsonl, .json or .txt file"),
        (4, &["run", "pass.json", "-i", "in.jsonl", "-o", "no/where.wav"], "can't be created"),
        (4, &["run", "pass.json", "-i", "in.jsonl", "--metrics", "no/m.json"], "can't be opened"),
        (1, &["run", "pass.json", "-i", "in.jsonl", "-o", "a.wav"], "does not fit into 'a.wav'"),
    ];
    for (code, args, said) in cases {
        let ran = folder.run(args);
        assert_eq!(ran.code, *code, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{args:?} said: {}", ran.err);
        if *args != ["frobnicate"] {
            let ran = folder.run(&[args, &["--json"][..]].concat());
            let last = ran.err.lines().last().expect("a line");
            let error: Json = serde_json::from_str(last).expect("JSON");
            assert!(error["error"]["message"].is_string(), "{args:?}: {last}");
            assert_eq!(ran.code, *code, "{args:?} --json");
        }
    }
    let made = ["a.wav", ".a.wav.part"].map(|name| folder.path(name).exists());
    assert_eq!(made, [false, false], "a run that failed has left a file");
}

#[test]
fn node_types_are_listed_and_shown() {
    let folder = Folder::new();
    let ran = folder.run(&["nodes"]);
    assert!(
        ran.out.contains("\n  PassThrough           Hands every packet on as it is.\n"),
        "{}",
        ran.out
    );
    let ran = folder.run(&["nodes", "AudioResampleNode"]);
    for line in ["AudioResample: ", "Inputs\n  in  audio", "  quality  one of low, medium, high"] {
        assert!(ran.out.contains(line), "{line} is not in {}", ran.out);
    }
    let ran = folder.run(&["nodes", "--json"]);
    let list: Vec<Json> = serde_json::from_str(&ran.out).expect("JSON");
    assert!(list.iter().any(|n| n["node_type"] == "rmedia/AudioResample"));
    let ran = folder.run(&["schema", "AddNode"]);
    let schema: Json = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(schema["properties"]["addend"]["type"], "number");
    let ran = folder.run(&["schema"]);
    let schema: Json = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(schema["required"], json!(["version", "nodes"]));
}

#[test]
fn graphs_are_drawn() {
    let folder = Folder::new();
    let calculator = example("calculator.json");
    let ran = folder.run(&["graph", &calculator]);
    let expected = r#"flowchart LR
  i0(["multiply"])
  n0["multiply<br/>MultiplyNode"]
  n1["add<br/>AddNode"]
  o0(["add"])
  i0 -->|"json"| n0
  n0 -->|"json"| n1
  n1 -->|"json"| o0
"#;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""));
    let ran = folder.run(&["graph", &calculator, "--format", "dot"]);
    assert!(ran.out.contains(r#"n0 [shape=box, label="multiply\nMultiplyNode"];"#), "{}", ran.out);
    let ran = folder.run(&["graph", &calculator, "--json"]);
    let graph: Json = serde_json::from_str(&ran.out).expect("one line of JSON");
    assert_eq!(graph["connections"][0]["from"], "multiply.out");
}

#[test]
fn a_graph_shows_what_a_run_has_measured() {
    let folder = Folder::new();
    let manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16000},
             "placement": "thread"},
            {"id": "level", "node_type": "VAD"},
            {"id": "gain", "node_type": "Gain", "placement": "thread"},
        ],
        "connections": [{"from": "resample", "to": "level"}, {"from": "level.out", "to": "gain"}],
    });
    folder.write("chain.json", manifest.to_string());
    let ran = folder.run(&[
        "run",
        "chain.json",
        "-i",
        &media("speech-8k.wav"),
        "-o",
        "gain=out.wav",
        "--metrics",
        "m.json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let metrics: Json = serde_json::from_str(&folder.read("m.json")).expect("JSON");
    assert_eq!(metrics["segments"][0]["lane"], "pool");
    assert_eq!(metrics["segments"][0]["waiting"], 0);
    // A worker's last run is added when it is over, which may be after the end was pulled.
    assert!(metrics["worker_us"].as_f64() > Some(0.0));
    let path = &metrics["paths"]["gain"];
    let ids: Vec<_> = path["nodes"].as_array().expect("a list").iter().collect();
    assert!(ids.iter().any(|id| **id == "resample") && *ids[ids.len() - 1] == "gain", "{path}");
    assert!(path["declared_ms"].as_f64() > Some(0.0), "{path}");

    let ran = folder.run(&["graph", "chain.json", "--metrics", "m.json"]);
    let line = |with: &str| ran.out.lines().find(|line| line.contains(with)).unwrap_or_default();
    assert!(line("AudioResample<br/>p50 ").contains(" ms\"]"), "{}", ran.out);
    assert!(line("AudioResample<br/>p50 ").contains(", lag "), "{}", ran.out);
    assert!(line("[≤ 64, 2000 ms]<br/>").contains(" waited, p50 "), "{}", ran.out);
    assert!(line("o0([\"gain<br/>p50 ").contains(", lag "), "{}", ran.out);
    let dot = folder.run(&["graph", "chain.json", "--metrics", "m.json", "--format", "dot"]);
    assert!(dot.out.contains(r"AudioResample\np50 "), "{}", dot.out);

    folder.write("other.json", "[]");
    for (metrics, what) in [("other.json", "holds no metrics"), ("chain.json", "holds no metrics")]
    {
        let ran = folder.run(&["graph", "chain.json", "--metrics", metrics]);
        assert_eq!(ran.code, 4);
        assert!(ran.err.contains(what), "{}", ran.err);
    }
    let ran = folder.run(&["graph", &example("calculator.json"), "--metrics", "m.json"]);
    assert!(ran.err.contains("of another pipeline"), "{}", ran.err);
}

#[test]
fn preferences_that_have_no_effect_are_for_validate_to_tell() {
    let folder = Folder::new();
    let ran = folder.run(&["validate", &example("calculator.json")]);
    assert!(ran.out.contains("warning[manifest.hint_ignored]"), "{}", ran.out);
    assert_eq!(ran.code, 0);
}

#[test]
fn colour_is_for_terminals() {
    let folder = Folder::new();
    folder.write("bad.json", BAD);
    assert!(!folder.run(&["validate", "bad.json"]).out.contains('\u{1b}'));
    assert!(!folder.run(&["nodes"]).out.contains('\u{1b}'));
}
