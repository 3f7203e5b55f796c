//! `rmedia run`: files in, files out.

mod support;

use remotemedia::packet::SampleFormat;
use serde_json::Value as Json;
use support::{Folder, PASS, audio, example, media};

#[test]
fn an_mp3_becomes_a_wav_of_exactly_its_length() {
    let folder = Folder::new();
    folder.write("pass.json", PASS);
    let ran = folder.run(&["run", "pass.json", "-i", &media("speech.mp3"), "-o", "out.wav"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    let (format, frames) = audio(folder.path("out.wav"));
    assert_eq!((format.rate, format.sample, frames), (44_100, SampleFormat::F32, 1_090_593));
    assert_eq!(folder.files(), ["out.wav", "pass.json"]);
}

#[test]
fn the_sample_format_of_the_file_can_be_asked_for() {
    let folder = Folder::new();
    folder.write("pass.json", PASS);
    let input = media("music-44k-stereo.flac");
    for (format, sample) in [("i16", SampleFormat::I16), ("i24", SampleFormat::I32)] {
        let ran =
            folder.run(&["run", "pass.json", "-i", &input, "-o", "out.flac", "--format", format]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        // 24 bits are read back as i32.
        let (found, frames) = audio(folder.path("out.flac"));
        assert_eq!((found.sample, found.channels, frames), (sample, 2, 264_600), "{format}");
    }
}

#[test]
fn a_param_is_set_over_the_manifest() {
    let folder = Folder::new();
    let (pipeline, input) = (example("resample.json"), media("speech-16k.wav"));
    let set = ["--set", "resample.target_rate=8000"];
    let ran = folder.run(&[&["run", &pipeline, "-i", &input, "-o", "out.wav"][..], &set].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (format, frames) = audio(folder.path("out.wav"));
    assert_eq!((format.rate, frames), (8_000, 123_120));
}

#[test]
fn values_in_a_json_file_are_pushed_one_by_one() {
    let folder = Folder::new();
    folder.write("list.json", "[5, 7, 3]").write("one.json", "5").write("lines.jsonl", "5\n\n7\n");
    for (input, expected) in
        [("list.json", "20\n24\n16\n"), ("one.json", "20\n"), ("lines.jsonl", "20\n24\n")]
    {
        let ran = folder.run(&["run", &example("calculator.json"), "-i", input, "-o", "-"]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""), "{input}");
    }
    let ran = folder.run(&["run", &example("calculator.json"), "-i", "list.json", "-o", "a.jsonl"]);
    assert_eq!((ran.code, folder.read("a.jsonl").as_str()), (0, "20\n24\n16\n"));
}

#[test]
fn text_files_go_line_by_line_into_text_inputs() {
    let folder = Folder::new();
    folder.write("in.txt", "one two\nthree\n");
    let set = r#"text1.operations=["word_count"]"#;
    let ran = folder.run(&[
        "run",
        &example("text-processor.json"),
        "-i",
        "in.txt",
        "-o",
        "-",
        "--set",
        set,
    ]);
    let counts: Vec<Json> = ran
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<Json>(line).expect("JSON")["results"]["word_count"].clone()
        })
        .collect();
    assert_eq!((ran.code, counts), (0, vec![2.into(), 1.into()]), "{}", ran.err);
}

#[test]
fn several_inputs_and_outputs_go_by_their_names() {
    let folder = Folder::new();
    folder.write(
        "two.yaml",
        "version: v1
nodes:
  - { id: a, node_type: PassThrough }
  - { id: b, node_type: PassThrough }
inputs: { left: a.in, right: b.in }
outputs: { first: a.out, second: b.out }
",
    );
    let (left, right) =
        (format!("left={}", media("speech-8k.wav")), format!("right={}", media("tabla-22k.wav")));
    let ran = folder.run(&[
        "run",
        "two.yaml",
        "-i",
        &right,
        "-i",
        &left,
        "-o",
        "first=l.wav",
        "-o",
        "second=r.flac",
        "-o",
        "first=l.pcm",
    ]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(audio(folder.path("l.wav")).1, 48_400);
    assert_eq!(audio(folder.path("r.flac")).1, 88_200);
    assert_eq!(std::fs::metadata(folder.path("l.pcm")).expect("is there").len(), 4 * 48_400);

    let ran = folder.run(&["run", "two.yaml", "-i", &left, "-i", &right]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.err.matches("warning").count(), 1, "{}", ran.err);
    assert!(ran.err.contains("nothing takes the outputs 'first', 'second'"), "{}", ran.err);
}

#[test]
fn a_pipeline_with_its_own_files_needs_none_on_the_command_line() {
    let folder = Folder::new();
    let manifest = serde_json::json!({
        "version": "v1",
        "nodes": [
            {"id": "r", "node_type": "MediaReader", "params": {"path": media("speech-8k.mp3")}},
            {"id": "w", "node_type": "MediaWriter", "params": {"path": "copy.wav"}},
        ],
        "connections": [{"from": "r", "to": "w"}],
    });
    folder.write("copy.json", manifest.to_string());
    let ran = folder.run(&["run", "copy.json", "--json"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let summary: Json = serde_json::from_str(&ran.err).expect("one line of JSON");
    assert_eq!(summary["summary"]["files"], serde_json::json!(["copy.wav"]));
    assert_eq!(summary["summary"]["media_s"], 3.29);
    assert_eq!(audio(folder.path("copy.wav")).1, 26_320);
}

#[test]
fn a_manifest_comes_from_standard_input_too() {
    let folder = Folder::new();
    let args = ["run", "-", "-i", &media("speech-8k.wav"), "-o", "out.wav"];
    let yaml = "version: v1\nnodes:\n  - { id: pass, node_type: PassThrough }\n";
    for manifest in [PASS, yaml] {
        let ran = folder.pipe(&args, manifest);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_eq!(audio(folder.path("out.wav")).1, 48_400);
    }
}

#[test]
fn a_run_that_fails_leaves_no_file_and_yet_metrics_and_events() {
    let folder = Folder::new();
    folder.write("in.jsonl", "{\"text\": \"good\"}\n{\"text\": 5}\n");
    folder.write("out.jsonl", "from before\n");
    let pipeline = example("text-processor.json");
    let ran = folder.run(&[
        "run",
        &pipeline,
        "-i",
        "in.jsonl",
        "-o",
        "out.jsonl",
        "--metrics",
        "m.json",
        "--events",
        "e.jsonl",
    ]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(folder.files(), ["e.jsonl", "in.jsonl", "m.json", "out.jsonl"]);
    assert_eq!(folder.read("out.jsonl"), "from before\n");
    let metrics: Json = serde_json::from_str(&folder.read("m.json")).expect("JSON");
    assert_eq!(metrics["state"], "failed");
    assert_eq!(metrics["node_metrics"][0]["error_count"], 1);
    let events = folder.read("e.jsonl");
    let first: Json = serde_json::from_str(events.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["event"], "error");
    let expected = "\
error[format.value]: the object has no string named 'text'
  |
  = note: in node 'text1'
  = help: Give {\"text\": …, \"operations\": […]}, or a text packet.
";
    assert_eq!(ran.err.replace("\n |", "\n  |").replace("\n =", "\n  ="), expected);
}

#[test]
fn audio_through_standard_input_is_told_from_lines() {
    let folder = Folder::new();
    folder.write("pass.json", PASS);
    let wav = std::fs::read(media("speech-8k.wav")).expect("reads");
    let ran = folder.pipe(&["run", "pass.json", "-i", "-", "-o", "out.wav"], wav);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(audio(folder.path("out.wav")).1, 48_400);
    let ran = folder.pipe(&["run", "pass.json", "-i", "-", "-o", "-"], "1\n[2]\n");
    assert_eq!((ran.code, ran.out.as_str()), (0, "1\n[2]\n"));
}

#[test]
fn the_voice_example_gives_speech_segments_and_levels() {
    let folder = Folder::new();
    let input = format!("input={}", media("speech.mp3"));
    let ran = folder.run(&[
        "run",
        &example("voice.yaml"),
        "-i",
        &input,
        "-o",
        "audio=speech.wav",
        "-o",
        "segments=segments.jsonl",
        "-o",
        "levels=levels.jsonl",
        "--metrics",
        "metrics.json",
    ]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    let (format, frames) = audio(folder.path("speech.wav"));
    assert_eq!((format.rate, format.channels, format.sample), (16_000, 1, SampleFormat::I16));
    // 1,090,593 frames at 44.1 kHz.
    assert_eq!(frames, 395_680);
    let line = |text: &str| serde_json::from_str::<Json>(text).expect("JSON");
    let lines = |name: &str| folder.read(name).lines().map(line).collect::<Vec<Json>>();
    assert!(!lines("segments.jsonl").is_empty());
    assert_eq!(lines("levels.jsonl").len(), 248);
    let metrics = line(&folder.read("metrics.json"));
    assert_eq!(metrics["node_metrics"].as_array().map(Vec::len), Some(6));
}
