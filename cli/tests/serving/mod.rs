//! Servers and proxies for the tests of `rmedia serve`.
#![allow(dead_code, reason = "each test file uses a part of it")]

use remotemedia::{Engine, Manifest, Packet, Pipeline, Pull, PushError};
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// `rmedia serve` as a process. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) endpoint: String,
    args: Vec<String>,
    /// Where its counters are told, and all that it has said since.
    counters: Option<String>,
    said: Arc<Mutex<Vec<Json>>>,
}

impl Server {
    /// Starts one at any port, unless the arguments name one.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        if !args.iter().any(|arg| arg == "--config" || arg == "--listen") {
            args.extend(["--listen".to_owned(), "127.0.0.1:0".to_owned()]);
        }
        Self::run(args)
    }

    fn run(args: Vec<String>) -> Self {
        Self::by(Command::new(env!("CARGO_BIN_EXE_rmedia")), args)
    }

    /// Starts it by a command that becomes `rmedia` with the arguments that it is given.
    pub(crate) fn by(mut command: Command, args: Vec<String>) -> Self {
        let mut child = command
            .args(["--json", "serve"])
            .args(&args)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut counters = None;
        let endpoint = loop {
            let mut line = String::new();
            said.read_line(&mut line).expect("it says something");
            let value: Json = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            match (value["metrics"].as_str(), value["serving"].as_str()) {
                (Some(at), _) => counters = Some(at.to_owned()),
                (_, Some(endpoint)) => break endpoint.to_owned(),
                _ => panic!("{line}"),
            }
        };
        // Read on, so that it never waits for a reader.
        let lines = Arc::<Mutex<Vec<Json>>>::default();
        let keep = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                keep.lock().expect("no panic").extend(serde_json::from_str::<Json>(&line));
            }
        });
        Self { child, endpoint, args, counters, said: lines }
    }

    /// What it has said since it began to serve.
    pub(crate) fn said(&self) -> Vec<Json> {
        self.said.lock().expect("no panic").clone()
    }

    /// Its counters, once all sessions are closed.
    pub(crate) fn metrics(&self) -> String {
        let at = self.counters.as_deref().expect("it was started so");
        let host = at.trim_start_matches("http://").trim_end_matches("/metrics");
        for _ in 0..1000 {
            let mut stream = TcpStream::connect(host).expect("it connects");
            let request =
                format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("it is sent");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("an answer");
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            if text.contains("rmedia_server_sessions 0") {
                return text;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("sessions stay open");
    }

    /// Its counters as they are now.
    pub(crate) fn counters(&self) -> Counters {
        let at = self.counters.as_deref().expect("it was started so");
        let host = at.trim_start_matches("http://").trim_end_matches("/metrics");
        let mut stream = TcpStream::connect(host).expect("it connects");
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        Counters(text)
    }

    /// Waits until its counters are as they should be: what they are then.
    pub(crate) fn until(&self, are: impl Fn(&Counters) -> bool) -> Counters {
        let begun = Instant::now();
        loop {
            let counters = self.counters();
            if are(&counters) {
                return counters;
            }
            assert!(begun.elapsed() < PATIENCE, "{}", counters.0);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its memory, in KiB: what is resident now, and the most that ever was since
    /// [`forget_peak`](Self::forget_peak).
    pub(crate) fn memory(&self) -> (u64, u64) {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it is there");
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        (kib("VmRSS:"), kib("VmHWM:"))
    }

    /// Measures the most memory from now on: what is resident now, in KiB.
    pub(crate) fn forget_peak(&self) -> u64 {
        let path = format!("/proc/{}/clear_refs", self.child.id());
        std::fs::write(path, "5").expect("the process is the test's own");
        self.memory().0
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: i32) {
        let id = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: the child has not been waited for, so the id is its own.
        assert_eq!(unsafe { libc::kill(id, signal) }, 0);
    }

    /// Kills it, and starts it again at the same place.
    pub(crate) fn again(mut self) -> Self {
        let mut args = std::mem::take(&mut self.args);
        let at = args.iter().position(|arg| arg == "--listen").expect("it is said") + 1;
        args[at] = self.endpoint.clone();
        drop(self);
        Self::run(args)
    }

    /// Tells it to end: its exit code.
    pub(crate) fn end(self) -> Option<i32> {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Waits for its end: its exit code.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server's counters at one time.
pub(crate) struct Counters(String);

impl Counters {
    /// One of them, by its name without the prefix.
    pub(crate) fn value(&self, name: &str) -> u64 {
        let begin = format!("rmedia_server_{name} ");
        let line = self.0.lines().find_map(|line| line.strip_prefix(&begin));
        let value = line.and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.value("sessions")
    }

    /// How often that has happened.
    pub(crate) fn happened(&self, what: &str) -> u64 {
        self.value(&format!("events_total{{what=\"{what}\"}}"))
    }
}

/// Hands bytes on between clients and a server.
pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
    count: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn to(server: &str) -> Self {
        Self::slow(server, 64 << 10, Duration::ZERO)
    }

    /// So many bytes at a time, and a pause after each.
    pub(crate) fn slow(server: &str, bytes: usize, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("it listens");
        let endpoint = listener.local_addr().expect("an address").to_string();
        let (open, count) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (streams, counted, server) = (Arc::clone(&open), Arc::clone(&count), server.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(&server) else { continue };
                counted.fetch_add(1, Ordering::SeqCst);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().expect("one"), to.try_clone().expect("one"));
                    from.set_nodelay(true).ok();
                    streams.lock().expect("no panic").push(from.try_clone().expect("one"));
                    std::thread::spawn(move || hand_on(from, to, bytes, pause));
                }
            }
        });
        Self { endpoint, open, count }
    }

    /// Breaks all connections.
    pub(crate) fn cut(&self) {
        for stream in self.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, bytes: usize, pause: Duration) {
    let mut buffer = vec![0; bytes];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// What a manifest says of a server.
pub(crate) fn remote(endpoint: &str) -> Json {
    json!({"endpoint": endpoint})
}

pub(crate) fn engine() -> Engine {
    let engine = Engine::new(remotemedia::nodes::builtin());
    remotemedia::remote::install(&engine);
    engine
}

pub(crate) fn pipeline(engine: &Engine, manifest: &Json) -> Pipeline {
    let manifest = Manifest::from_value(manifest.clone()).expect("a document");
    engine.pipeline(&manifest).unwrap_or_else(|e| panic!("{e:?}"))
}

/// Pushes a number, and takes what has come.
pub(crate) fn push(pipeline: &Pipeline, got: &mut Vec<i64>, number: i64) {
    let mut packet = Packet::json(json!(number));
    loop {
        match pipeline.push_within(0, packet, PATIENCE) {
            Ok(()) => break,
            Err(PushError::Full(back)) => {
                packet = back;
                counted(pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}")), got);
            }
            Err(refused) => panic!("{refused:?}"),
        }
    }
    while let Pull::Packet(_, packet) = pipeline.try_pull().unwrap_or_else(|e| panic!("{e:?}")) {
        got.push(packet.as_json().and_then(Json::as_i64).expect("a number"));
    }
}

pub(crate) fn counted(pull: Pull<'_>, got: &mut Vec<i64>) {
    if let Pull::Packet(_, packet) = pull {
        got.push(packet.as_json().and_then(Json::as_i64).expect("a number"));
    }
}

/// Ends the pipeline and takes what is left.
pub(crate) fn numbers(pipeline: &Pipeline, got: &mut Vec<i64>) {
    pipeline.end().expect("it ends");
    loop {
        match pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}")) {
            Pull::End => return,
            Pull::Idle(reason) => panic!("{reason:?}"),
            pull => counted(pull, got),
        }
    }
}

/// Packets that the only node has lost.
pub(crate) fn errors(pipeline: &Pipeline) -> u64 {
    pipeline.metrics()["node_metrics"][0]["error_count"].as_u64().expect("a count")
}
