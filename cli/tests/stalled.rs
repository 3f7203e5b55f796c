//! `rmedia serve`, and clients that die, freeze, or don't take what they asked for.
#![cfg(target_os = "linux")]

mod serving;
mod support;

use remotemedia::remote::v1;
use remotemedia::remote::v1::node_service_client::NodeServiceClient;
use remotemedia::remote::v1::stream_node_request::{self as up, Request as Say};
use remotemedia::remote::v1::stream_node_response::Response;
use remotemedia::{Packet, Pipeline, Pull, PushError};
use serde_json::{Value as Json, json};
use serving::{PATIENCE, Server, engine, numbers, pipeline, push, remote};
use std::io::{BufRead, BufReader, Write};
use std::pin::Pin;
use std::process::{Child, ChildStdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use support::{Folder, finish};
use tokio_stream::Stream;

fn pass(remote: &Json) -> Json {
    json!({"version": "v1", "nodes": [
        {"id": "pass", "node_type": "PassThrough", "placement": "remote", "remote": remote}]})
}

/// A server that keeps sessions for so long.
fn server(folder: &Folder, lease_ms: u32) -> Server {
    folder.write("server.toml", format!("listen = \"127.0.0.1:0\"\nlease_ms = {lease_ms}\n"));
    let config = folder.path("server.toml");
    Server::start(&["--config", config.to_str().expect("a path"), "--metrics", "127.0.0.1:0"])
}

/// A client as a process, which pipes lines through a node on the server.
struct Client {
    child: Child,
    stdin: ChildStdin,
    stdout: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Client {
    fn of(folder: &Folder, server: &Server, more: &Json) -> Self {
        let mut remote = remote(&server.endpoint);
        for (key, value) in more.as_object().expect("an object") {
            remote[key] = value.clone();
        }
        folder.write("client.json", pass(&remote).to_string());
        let mut child = folder.start(&["stream", "client.json"]);
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut client = Self { child, stdin, stdout };
        client.says(0..1);
        client.hears(0..1);
        client
    }

    fn says(&mut self, numbers: std::ops::Range<u64>) {
        numbers.for_each(|n| writeln!(self.stdin, "{n}").expect("it reads"));
    }

    fn hears(&mut self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            let line = self.stdout.next().expect("a line").expect("text");
            assert_eq!(line, n.to_string());
        }
    }

    fn signal(&self, signal: i32) {
        let id = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: the child has not been waited for, so the id is its own.
        assert_eq!(unsafe { libc::kill(id, signal) }, 0);
    }
}

/// Another client of the server, whom nothing of it all concerns.
struct Other(Pipeline, Vec<i64>, i64);

impl Other {
    fn of(server: &Server) -> Self {
        let mut other = Self(pipeline(&engine(), &pass(&remote(&server.endpoint))), Vec::new(), 0);
        other.goes_on();
        other
    }

    /// Sends some, and gets at least one of them back.
    fn goes_on(&mut self) {
        let heard = self.1.len();
        while self.1.len() < heard + 20 {
            push(&self.0, &mut self.1, self.2);
            self.2 += 1;
        }
    }

    fn ends(mut self) {
        numbers(&self.0, &mut self.1);
        assert_eq!(self.1, (0..self.2).collect::<Vec<_>>());
    }
}

#[test]
fn a_client_that_is_killed_leaves_its_session_for_the_lease_and_no_longer() {
    let folder = Folder::new();
    let server = server(&folder, 3_000);
    let mut other = Other::of(&server);
    for times in 1..=3 {
        let mut client = Client::of(&folder, &server, &json!({}));
        assert_eq!(server.counters().sessions(), 2);
        // In the middle of what it has to say, and with answers on their way.
        client.says(1..5_000);
        client.hears(1..100);
        client.child.kill().expect("it runs");
        client.child.wait().expect("it ends");
        let kept = server.until(|counters| counters.happened("detached") == times);
        assert_eq!((kept.sessions(), kept.happened("expired")), (2, times - 1));
        other.goes_on();
        let gone = server.until(|counters| counters.happened("expired") == times);
        other.goes_on();
        assert_eq!(gone.sessions().max(server.counters().sessions()), 1);
    }
    other.ends();
    let counters = server.until(|counters| counters.sessions() == 0);
    assert_eq!(counters.happened("opened"), 4);
    assert_eq!(counters.happened("closed"), 1, "the other one");
    assert_eq!(counters.happened("attached"), 0);
}

#[test]
fn a_client_that_freezes_is_let_go_and_goes_on_if_it_is_back_before_its_lease_is_over() {
    let folder = Folder::new();
    let server = server(&folder, 20_000);
    let mut other = Other::of(&server);
    let mut client = Client::of(&folder, &server, &json!({"heartbeat_ms": 100}));
    client.says(1..500);
    client.hears(1..100);
    client.signal(libc::SIGSTOP);
    let kept = server.until(|counters| counters.happened("detached") == 1);
    assert_eq!(kept.sessions(), 2);
    other.goes_on();
    client.signal(libc::SIGCONT);
    client.says(500..1_000);
    client.hears(100..1_000);
    let counters = server.counters();
    assert_eq!((counters.happened("attached"), counters.happened("expired")), (1, 0));
    let Client { child, stdin, .. } = client;
    drop(stdin);
    assert_eq!(finish(child).code, 0);
    other.ends();
    server.until(|counters| counters.sessions() == 0);
}

#[test]
fn a_client_that_is_frozen_beyond_its_lease_is_told_that_its_session_is_lost() {
    let folder = Folder::new();
    let server = server(&folder, 500);
    let mut other = Other::of(&server);
    let mut client = Client::of(&folder, &server, &json!({"heartbeat_ms": 100}));
    client.signal(libc::SIGSTOP);
    let gone = server.until(|counters| counters.happened("expired") == 1);
    assert_eq!(gone.sessions(), 1);
    other.goes_on();
    client.signal(libc::SIGCONT);
    client.says(1..2);
    let Client { child, stdin, .. } = client;
    drop(stdin);
    let ran = finish(child);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("remote.lost") && ran.err.contains("pass"), "{}", ran.err);
    other.ends();
    server.until(|counters| counters.sessions() == 0);
}

/// Bytes of each packet of those who don't take them.
const BYTES: usize = 16 << 10;

fn packet(number: u64) -> Vec<u8> {
    number.to_le_bytes().into_iter().cycle().take(BYTES).collect()
}

fn bytes(number: u64) -> Packet {
    let payload = remotemedia::packet::Buffer::from_owner(packet(number));
    Packet::new(remotemedia::Payload::Bytes(payload))
}

/// A pipeline that nobody pulls.
struct Unpulled {
    pipeline: Pipeline,
    pushed: u64,
}

impl Unpulled {
    /// Pushes for as long as something is taken: how many it has pushed.
    fn push(&mut self, patience: Duration) -> u64 {
        loop {
            match self.pipeline.push_within(0, bytes(self.pushed), patience) {
                Ok(()) => self.pushed += 1,
                Err(PushError::Full(_)) => return self.pushed,
                Err(refused) => panic!("{refused:?}"),
            }
        }
    }

    /// Takes all of it, and as much again.
    fn goes_on(mut self) {
        let (mut pulled, all) = (0, 2 * self.pushed);
        while pulled < all {
            match self.pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}")) {
                Pull::Packet(_, got) => {
                    let remotemedia::Payload::Bytes(got) = got.payload() else { panic!("{got:?}") };
                    assert_eq!(got.as_slice(), packet(pulled));
                    pulled += 1;
                }
                Pull::Idle(_) if self.pushed < all => {
                    let _ = self
                        .pipeline
                        .push_within(0, bytes(self.pushed), PATIENCE)
                        .map(|()| self.pushed += 1);
                }
                Pull::Idle(_) => {}
                Pull::End => panic!("{pulled} of {all}"),
            }
        }
        assert_eq!(self.pushed, all);
        self.pipeline.end().expect("it ends");
        assert!(matches!(self.pipeline.pull(PATIENCE), Ok(Pull::End)), "and nothing more");
    }
}

/// What a client without an engine sends: calls for as long as somebody wants them.
struct Calls {
    begun: bool,
    /// How many were given away, and how many answers have come.
    made: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
    most: u64,
}

impl Stream for Calls {
    type Item = v1::StreamNodeRequest;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let say = |request| Poll::Ready(Some(v1::StreamNodeRequest { request: Some(request) }));
        if !std::mem::replace(&mut self.begun, true) {
            let node = v1::NodeSpec { node_type: "PassThrough".to_owned(), params: String::new() };
            let what = Some(up::open::What::Node(node));
            // It says nothing but calls, for longer than the default allows.
            return say(Say::Open(up::Open {
                what,
                lanes: 1,
                heartbeat_ms: 300_000,
                ..up::Open::default()
            }));
        }
        let seq = self.made.load(Ordering::Acquire) + 1;
        if seq > self.most {
            return Poll::Ready(None);
        }
        self.made.store(seq, Ordering::Release);
        let payload = Some(v1::packet::Payload::Bytes(packet(seq).into()));
        let packet = Some(v1::Packet { payload, ..v1::Packet::default() });
        let call = Some(up::call::Call::Process(up::Process { port: 0, lane: 0, packet }));
        say(Say::Call(up::Call { seq, answered: self.answered.load(Ordering::Acquire), call }))
    }
}

#[test]
fn who_takes_nothing_for_a_minute_holds_up_itself_alone_and_loses_nothing() {
    let server = Server::start(&["--metrics", "127.0.0.1:0"]);
    let mut other = Other::of(&server);
    // One that has an engine, which nobody pulls.
    let mut unpulled =
        Unpulled { pipeline: pipeline(&engine(), &pass(&remote(&server.endpoint))), pushed: 0 };
    // One that has none, and does not read.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (made, answered, most) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default(), 6_000);
    let mut answers = runtime.block_on(async {
        let client = NodeServiceClient::connect(format!("http://{}", server.endpoint)).await;
        let (made, answered) = (Arc::clone(&made), Arc::clone(&answered));
        let calls = Calls { begun: false, made, answered, most };
        let opened = client.expect("it connects").stream_node(calls).await;
        opened.expect("it opens").into_inner()
    });

    // Both come to a stop.
    let pushed = unpulled.push(Duration::from_secs(3));
    let mut sent = made.load(Ordering::Acquire);
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = made.load(Ordering::Acquire);
        if std::mem::replace(&mut sent, now) == now {
            break;
        }
    }
    // What may wait in a pipeline, and what the windows of both directions and buffers take.
    assert!((64..1_000).contains(&pushed), "{pushed}");
    assert!((64..1_000).contains(&sent), "{sent}");
    let before = server.forget_peak();
    for _ in 0..60 {
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(unpulled.push(Duration::ZERO), pushed);
        assert_eq!(made.load(Ordering::Acquire), sent);
        other.goes_on();
    }
    let (after, peak) = server.memory();
    assert!(peak < before + 4 * 1024, "{before} KiB before, {after} after, {peak} between");

    // And now they take it.
    unpulled.goes_on();
    runtime.block_on(async {
        let mut next = 1;
        while let Some(message) = answers.message().await.expect("nothing is wrong") {
            let Some(Response::Answer(answer)) = message.response else { continue };
            assert_eq!((answer.seq, answer.error), (next, None));
            let outputs = answer.outputs.into_iter().map(|o| o.packet.and_then(|p| p.payload));
            let expected = v1::packet::Payload::Bytes(packet(next).into());
            assert_eq!(outputs.collect::<Vec<_>>(), [Some(expected)]);
            answered.store(next, Ordering::Release);
            next += 1;
            if next > most {
                break;
            }
        }
        assert_eq!(next, most + 1);
    });
    other.ends();
    assert_eq!(server.counters().happened("attached"), 0, "no connection ever broke");
}
