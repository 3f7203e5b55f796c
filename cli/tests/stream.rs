//! `rmedia stream`: standard input to standard output.

mod support;

use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Write};
use support::{Folder, PASS, example, finish};

#[test]
fn each_line_is_a_value_and_each_result_a_line() {
    let folder = Folder::new();
    let calculator = example("calculator.json");
    for (input, expected) in [
        ("5\n7\n3\n", "20\n24\n16\n"),
        ("5\n7\n3", "20\n24\n16\n"),
        ("[5,7,3]", "[20,24,16]\n"),
        ("0.25\n\n-5\n", "10.5\n0\n"),
        ("", ""),
    ] {
        let ran = folder.pipe(&["stream", &calculator], input);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""), "{input:?}");
    }
}

#[test]
fn a_result_appears_before_the_next_line_is_written() {
    let folder = Folder::new();
    let mut child = folder.start(&["stream", &example("calculator.json")]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    for (input, expected) in [(5, "20\n"), (7, "24\n"), (3, "16\n")] {
        writeln!(stdin, "{input}").expect("writes");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("reads");
        assert_eq!(line, expected);
    }
    drop(stdin);
    assert_eq!(finish(child).code, 0);
}

#[test]
fn a_bad_line_is_named_and_what_came_before_is_out() {
    let folder = Folder::new();
    let ran = folder.pipe(&["stream", &example("calculator.json")], "5\n\n{7\n3\n");
    assert_eq!((ran.code, ran.out.as_str()), (4, "20\n"));
    let expected = "error[format.value]: standard input line 3 is not a JSON value: key must be a string at column 2\n";
    assert_eq!(ran.err, expected);
    let ran = folder.pipe(&["stream", &example("calculator.json"), "--json"], "x");
    let error: Json = serde_json::from_str(&ran.err).expect("one line of JSON");
    assert_eq!(error["error"]["detail"], "format.value");
}

#[test]
fn the_text_processor_answers_as_its_readme_says() {
    let folder = Folder::new();
    let line = r#"{"text": "Hello WASM", "operations": ["uppercase", "word_count"]}"#;
    let ran = folder.pipe(&["stream", &example("text-processor.json")], line);
    let answer: Json = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(answer["results"], json!({"uppercase": "HELLO WASM", "word_count": 2}));
}

#[test]
fn the_envelope_says_where_a_result_comes_from() {
    let folder = Folder::new();
    folder.write("pass.json", PASS);
    let audio =
        json!({"type": "audio", "samples": [0.5, -0.25], "sample_rate": 8000, "channels": 1});
    let ran = folder.pipe(&["stream", "pass.json", "--envelope"], format!("5\n{audio}\n{audio}\n"));
    let lines: Vec<Json> =
        ran.out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(
        lines,
        [
            json!({"port": "pass", "kind": "json", "pts_ns": null, "value": 5}),
            json!({"port": "pass", "kind": "audio", "pts_ns": 0, "value": audio}),
            json!({"port": "pass", "kind": "audio", "pts_ns": 250_000, "value": audio}),
        ],
        "{}",
        ran.err
    );
}

#[test]
fn raw_audio_comes_out_as_it_went_in() {
    let folder = Folder::new();
    folder.write("pass.json", PASS);
    let bytes: Vec<u8> = (0..48_000u32).map(|n| ((n * 7919) >> 5) as u8).collect();
    for format in ["s16le:16000:2", "s24le:48000:1", "s32le:48000:2", "u8:8000:1"] {
        let ran = folder.pipe(&["stream", "pass.json", "--pcm", format], &bytes);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{format}");
        assert!(ran.bytes == bytes, "{format} changed");
    }
    let args = ["stream", "pass.json", "--pcm", "s16le:16000:1", "--out-pcm", "f32le"];
    let ran = folder.pipe(&args, 16_384i16.to_le_bytes());
    assert_eq!(ran.bytes, 0.5f32.to_le_bytes());
}

#[test]
fn findings_about_raw_audio_are_lines() {
    let folder = Folder::new();
    let level = json!({
        "version": "v1",
        "nodes": [{"id": "level", "node_type": "AudioLevel"}],
        "outputs": {"audio": "level.out", "levels": "level.levels"},
    });
    folder.write("level.json", level.to_string());
    let second = vec![0; 4 * 16_000];
    let args = ["stream", "level.json", "--pcm", "f32le:16000:1"];
    let ran = folder.pipe(&[&args[..], &["--output", "levels"]].concat(), &second);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<Json> =
        ran.out.lines().map(|l| serde_json::from_str(l).expect("a line of JSON")).collect();
    assert_eq!(lines.len(), 10, "{}", ran.out);
    assert_eq!(lines[0]["is_silence"], true);
    // Two kinds of results don't go into one raw stream, and no finding into raw audio.
    for (more, said) in [
        (&[][..], "raw audio on standard output has room for one output"),
        (&["--output", "levels", "--out-pcm", "f32le"], "has no place in raw audio"),
    ] {
        let ran = folder.pipe(&[&args[..], more].concat(), &second);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn half_a_frame_at_the_end_is_an_error() {
    let folder = Folder::new();
    folder.write("pass.json", PASS);
    let ran = folder.pipe(&["stream", "pass.json", "--pcm", "f32le:8000:2"], [0; 12]);
    assert_eq!((ran.code, ran.bytes.len()), (4, 8));
    assert!(ran.err.contains("ends inside a frame: 4 of its 8 bytes"), "{}", ran.err);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let folder = Folder::new();
    let mut child = folder.start(&["stream", &example("calculator.json")]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    writeln!(stdin, "5").expect("writes");
    let mut line = String::new();
    stdout.read_line(&mut line).expect("reads");
    drop(stdout);
    // Until it has noticed and is gone.
    while writeln!(stdin, "5").is_ok() {}
    let ran = finish(child);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}
