//! Runs the real command in a folder of its own.
#![allow(dead_code, reason = "each test file uses a part of it")]

use remotemedia::media::AudioDecoder;
use remotemedia::packet::{AudioFormat, Pool};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder that is removed at the end, and the command in it.
pub(crate) struct Folder(tempfile::TempDir);

/// How a command went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) bytes: Vec<u8>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), text).expect("writes");
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("is there and is text")
    }

    /// Names of the files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let name = |e: std::io::Result<std::fs::DirEntry>| {
            e.expect("an entry").file_name().into_string().expect("a plain name")
        };
        let mut names: Vec<_> =
            std::fs::read_dir(self.0.path()).expect("reads").map(name).collect();
        names.sort();
        names
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rmedia"));
        command.args(args).current_dir(self.0.path()).env_remove("CLICOLOR_FORCE");
        command
    }

    /// Starts it with pipes on all sides.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let piped = || Stdio::piped();
        let mut command = self.command(args);
        command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().expect("starts")
    }

    /// Runs it with nothing on standard input.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.pipe(args, "")
    }

    /// Runs it with that on standard input.
    pub(crate) fn pipe(&self, args: &[&str], input: impl AsRef<[u8]>) -> Ran {
        let mut child = self.start(args);
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.as_ref().to_vec();
        // From another thread: it may answer before it has read everything. It may also not read.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let ran = finish(child);
        writer.join().expect("writes");
        ran
    }
}

/// Waits for its end.
pub(crate) fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().expect("ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code().expect("ends by itself"),
        out: text(&output.stdout),
        err: text(&output.stderr),
        bytes: output.stdout,
    }
}

/// Presses Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status().expect("kill is there");
    assert!(status.success(), "no process {pid}");
}

/// Path of one of the recordings.
pub(crate) fn media(name: &str) -> String {
    root(&format!("media/{name}"))
}

/// Path of one of the examples.
pub(crate) fn example(name: &str) -> String {
    root(&format!("examples/{name}"))
}

fn root(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in a workspace");
    root.join(path).to_str().expect("a plain path").to_owned()
}

/// Format and length of a media file.
pub(crate) fn audio(path: impl AsRef<Path>) -> (AudioFormat, usize) {
    let mut decoder = AudioDecoder::open(path).expect("opens").native(true);
    let (pool, format, mut frames) = (Pool::new(), decoder.format(), 0);
    while let Some(packet) = decoder.next(&pool).expect("decodes") {
        frames += packet.as_audio().expect("audio").frames();
    }
    (format, frames)
}

/// A pipeline that hands on whatever comes.
pub(crate) const PASS: &str =
    r#"{"version": "v1", "nodes": [{"id": "pass", "node_type": "PassThrough"}]}"#;
