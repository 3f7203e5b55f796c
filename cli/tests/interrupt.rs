//! Ctrl-C.
#![cfg(unix)]

mod support;

use remotemedia::AudioFormat;
use remotemedia::media::wav;
use remotemedia::packet::SampleFormat;
use std::io::{BufRead, BufReader, Read, Write};
use support::{Folder, PASS, audio, example, finish, interrupt};

#[test]
fn the_file_is_finished_with_everything_that_came() {
    let folder = Folder::new();
    folder.write("pass.json", PASS);
    let mut child = folder.start(&["run", "pass.json", "-i", "-", "-o", "out.wav", "-o", "-"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let format = AudioFormat::f32(16_000, 1).with_sample(SampleFormat::I16);
    stdin.write_all(&wav::open_header(&format)).expect("writes");
    stdin.write_all(&[7; 2 * 4096]).expect("writes");
    // A packet of plain WAV has 1024 frames; four lines mean that all have been written.
    for _ in 0..4 {
        let mut line = String::new();
        stdout.read_line(&mut line).expect("reads");
        assert!(line.starts_with("{\"type\":\"audio\""), "{line}");
    }
    interrupt(&child);
    // Standard input is still open: only Ctrl-C can have ended it.
    let ran = finish(child);
    drop(stdin);
    assert_eq!((ran.code, ran.err.as_str()), (130, ""));
    assert_eq!(audio(folder.path("out.wav")).1, 4096);
    assert_eq!(folder.files(), ["out.wav", "pass.json"]);
}

#[test]
fn a_stream_that_waits_for_a_line_ends() {
    let folder = Folder::new();
    let mut child = folder.start(&["stream", &example("calculator.json")]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    // Half a line is not taken for a whole one.
    stdin.write_all(b"5\n7").expect("writes");
    let mut line = String::new();
    stdout.read_line(&mut line).expect("reads");
    interrupt(&child);
    line.clear();
    stdout.read_line(&mut line).expect("reads");
    assert_eq!(line, "", "nothing more comes");
    assert_eq!(finish(child).code, 130);
}

#[test]
fn a_second_one_aborts_and_leaves_no_file() {
    let folder = Folder::new();
    // A line that fits into no pipe: the command waits inside it until somebody reads.
    folder.write("pass.json", PASS).write("in.jsonl", format!("\"{}\"\n", "x".repeat(4 << 20)));
    let mut child =
        folder.start(&["run", "pass.json", "-i", "in.jsonl", "-o", "-", "-o", "out.jsonl"]);
    let mut first = [0];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("reads");
    let status = loop {
        if let Some(status) = child.try_wait().expect("is ours") {
            break status;
        }
        interrupt(&child);
    };
    assert_eq!(status.code(), Some(130));
    assert!(!folder.files().contains(&"out.jsonl".to_owned()));
}
