//! `rmedia serve` against clients that abuse HTTP/2. Each test has an abuser and somebody who behaves:
//! the abuser is cut or held up, the server's memory stays within a bound, and the other one's calls
//! are answered all the while.
#![cfg(target_os = "linux")]

mod http2;
mod serving;
mod support;

use http2::{ENHANCE_YOUR_CALM, INITIAL_WINDOW, PREFACE, Raw, Sent};
use prost::Message;
use remotemedia::remote::v1;
use remotemedia::remote::v1::node_service_client::NodeServiceClient;
use remotemedia::remote::v1::stream_node_request::{self as up, Request as Say};
use remotemedia::{Packet, Pipeline, Pull};
use serde_json::{Value as Json, json};
use serving::{PATIENCE, Server, engine, pipeline, remote};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const STREAM: &str = "/remotemedia.v1.NodeService/StreamNode";
const EXECUTE: &str = "/remotemedia.v1.NodeService/ExecuteNode";

/// A client that behaves: it sends a number, awaits the answer, and so on.
struct Good {
    answered: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Good {
    fn with(remote: &Json) -> Self {
        let manifest = json!({"version": "v1", "nodes": [
            {"id": "pass", "node_type": "PassThrough", "placement": "remote", "remote": remote}]});
        let pipeline = pipeline(&engine(), &manifest);
        let (answered, ends) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (answered, ends) = (Arc::clone(&answered), Arc::clone(&ends));
            move || {
                while !ends.load(Ordering::Acquire) {
                    ask(&pipeline, answered.load(Ordering::Acquire));
                    answered.fetch_add(1, Ordering::AcqRel);
                }
            }
        });
        let good = Self { answered, ends, thread };
        good.goes_on();
        good
    }

    /// Waits until it has got another few answers.
    fn goes_on(&self) {
        let (before, begun) = (self.answered.load(Ordering::Acquire), Instant::now());
        while self.answered.load(Ordering::Acquire) < before + 50 {
            assert!(begun.elapsed() < PATIENCE && !self.thread.is_finished(), "it is not answered");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn end(self) {
        self.ends.store(true, Ordering::Release);
        self.thread.join().expect("all its answers came");
    }
}

fn ask(pipeline: &Pipeline, number: u64) {
    pipeline.push(Packet::json(json!(number))).unwrap_or_else(|e| panic!("{e:?}"));
    match pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}")) {
        Pull::Packet(_, packet) => assert_eq!(packet.as_json(), Some(&json!(number))),
        other => panic!("{other:?}"),
    }
}

fn server(args: &[&str]) -> Server {
    Server::start(&[&["--metrics", "127.0.0.1:0"], args].concat())
}

/// Lets a server be abused: what `abuse` gives is what the abuser still holds when the other client is
/// looked after. The server may take so many MiB for it.
fn withstands<T>(mib: u64, abuse: impl FnOnce(&Server) -> T) {
    let server = server(&[]);
    let good = Good::with(&remote(&server.endpoint));
    let before = server.forget_peak();
    let held = abuse(&server);
    good.goes_on();
    let peak = server.memory().1;
    assert!(peak < before + mib * 1024, "{before} KiB before, then {peak}");
    drop(held);
    good.goes_on();
    good.end();
    assert_eq!(server.counters().happened("attached"), 0, "its connection never broke");
    let ran = support::Folder::new().run(&["remote", "health", &server.endpoint]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
}

fn open(node_type: &str) -> Vec<u8> {
    let node = v1::NodeSpec { node_type: node_type.to_owned(), params: String::new() };
    let what = Some(up::open::What::Node(node));
    let open = Say::Open(up::Open { what, lanes: 1, ..up::Open::default() });
    http2::message(&v1::StreamNodeRequest { request: Some(open) }.encode_to_vec())
}

fn process(seq: u64, bytes: usize) -> Vec<u8> {
    let payload = Some(v1::packet::Payload::Text("x".repeat(bytes)));
    let packet = Some(v1::Packet { payload, ..v1::Packet::default() });
    let call = Some(up::call::Call::Process(up::Process { port: 0, lane: 0, packet }));
    let call = Say::Call(up::Call { seq, answered: 0, call });
    http2::message(&v1::StreamNodeRequest { request: Some(call) }.encode_to_vec())
}

#[test]
fn streams_that_are_opened_and_reset_at_once_end_their_connection() {
    withstands(16, |server| {
        let mut raw = Raw::to(&server.endpoint);
        let sent = (0..500).map(|_| {
            let streams = (0..100).map(|_| raw.stream()).collect::<Vec<_>>();
            let pair = |id: &u32| [http2::call(*id, STREAM), http2::reset(*id)].concat();
            raw.send(&streams.iter().flat_map(pair).collect::<Vec<u8>>())
        });
        assert!(sent.last() == Some(Sent::Cut) || raw.reason(PATIENCE) == Some(ENHANCE_YOUR_CALM));
        raw
    });
}

#[test]
fn streams_that_the_server_has_to_reset_end_their_connection() {
    withstands(16, |server| {
        let mut raw = Raw::to(&server.endpoint);
        for _ in 0..5_000 {
            let streams = (0..10).map(|_| raw.stream()).collect::<Vec<_>>();
            // A window that grows by nothing is an error of its stream.
            let pair = |id: &u32| [http2::call(*id, STREAM), http2::window(*id, 0)].concat();
            if raw.send(&streams.iter().flat_map(pair).collect::<Vec<u8>>()) == Sent::Cut {
                return raw;
            }
        }
        assert_eq!(raw.reason(PATIENCE), Some(ENHANCE_YOUR_CALM));
        raw
    });
}

#[test]
fn headers_that_never_end_end_their_connection() {
    let long = "x".repeat(15_000);
    for part in [vec![("x-more", long.as_str())], vec![("x", "y")], vec![]] {
        withstands(8, |server| {
            let mut raw = Raw::to(&server.endpoint);
            let stream = raw.stream();
            raw.send(&http2::first_headers(stream, &http2::request(STREAM)));
            let more = http2::more_headers(stream, &part).repeat(1000 / (part.len() * 100 + 1));
            let cut = (0..100_000).any(|_| raw.send(&more) == Sent::Cut);
            assert!(cut, "it takes more and more");
            raw
        });
    }
}

#[test]
fn headers_that_are_too_long_are_refused_and_others_on_the_connection_are_not() {
    withstands(8, |server| {
        let mut raw = Raw::to(&server.endpoint);
        let long = "x".repeat(15_000);
        for _ in 0..1_000 {
            let stream = raw.stream();
            let mut headers = http2::request(STREAM);
            // Each frame is as long as one may be; together they are too long.
            headers.push(("x-long", &long[..14_000]));
            let first = http2::first_headers(stream, &headers);
            let last = http2::last_headers(stream, &[("x-long", &long)]);
            assert_eq!(raw.send(&[first, last].concat()), Sent::Taken);
            raw.settle(PATIENCE);
        }
        raw
    });
}

#[test]
fn pings_whose_answers_nobody_reads_are_held_up() {
    withstands(8, |server| {
        let mut raw = Raw::to(&server.endpoint);
        let pings = (0..1_000).flat_map(http2::ping).collect::<Vec<u8>>();
        assert_ne!((0..1_000).map(|_| raw.send(&pings)).find(|s| *s != Sent::Taken), None);
        raw
    });
    // Where they are read, there is no end to it, and no harm.
    withstands(8, |server| {
        let mut raw = Raw::to(&server.endpoint);
        let pongs = (0..1_000).flat_map(http2::pong).collect::<Vec<u8>>();
        for _ in 0..1_000 {
            assert_eq!(raw.send(&pongs), Sent::Taken);
            raw.settle(PATIENCE);
        }
        raw
    });
}

#[test]
fn settings_whose_acknowledgements_nobody_reads_are_held_up() {
    withstands(8, |server| {
        let mut raw = Raw::to(&server.endpoint);
        let frame = |n| http2::settings(&[(INITIAL_WINDOW, n)]);
        let frames = (0..1_000).flat_map(frame).collect::<Vec<u8>>();
        assert_ne!((0..1_000).map(|_| raw.send(&frames)).find(|s| *s != Sent::Taken), None);
        raw
    });
}

#[test]
fn streams_without_a_window_take_what_windows_allow_and_go_with_a_client_that_says_nothing() {
    // A connection may have 16 MiB on its way: those are kept, and little more.
    withstands(4 * 16 + 32, |server| {
        let mut raws: Vec<_> = (0..4)
            .map(|_| {
                let mut raw = Raw::with(&server.endpoint, &[(INITIAL_WINDOW, 0)]);
                for _ in 0..4 {
                    let stream = raw.stream();
                    let mut bytes =
                        [http2::call(stream, STREAM), http2::data(stream, &open("PassThrough"))]
                            .concat();
                    (1..=60).for_each(|n| bytes.extend(http2::data(stream, &process(n, 60_000))));
                    assert_eq!(raw.send(&bytes), Sent::Taken);
                }
                for _ in 0..200 {
                    let stream = raw.stream();
                    let bytes = [open("PassThrough"), process(1, 10)].concat();
                    let bytes = [http2::call(stream, STREAM), http2::data(stream, &bytes)].concat();
                    assert_eq!(raw.send(&bytes), Sent::Taken);
                }
                raw
            })
            .collect();
        server.until(|counters| counters.sessions() == 4 * 204 + 1);
        // Their client answers nothing, not even the server's pings: it is taken for gone.
        raws.iter_mut().for_each(|raw| raw.end(PATIENCE));
        server.until(|counters| counters.happened("detached") == 4 * 204);
        raws
    });
}

#[test]
fn a_hundred_thousand_streams_on_a_connection_are_refused_beyond_what_it_may_have() {
    for begins in [&[][..], &http2::announced(64 << 20)] {
        for path in [STREAM, EXECUTE] {
            withstands(64, |server| {
                let mut raw = Raw::to(&server.endpoint);
                for _ in 0..1_000 {
                    let streams = (0..100).map(|_| raw.stream()).collect::<Vec<_>>();
                    let begun =
                        |id: &u32| [http2::call(*id, path), http2::data(*id, begins)].concat();
                    if raw.send(&streams.iter().flat_map(begun).collect::<Vec<u8>>()) != Sent::Taken
                    {
                        return raw;
                    }
                }
                raw.end(PATIENCE);
                raw
            });
        }
    }
}

#[test]
fn who_has_no_token_is_refused_before_what_it_sends_is_kept() {
    let folder = support::Folder::new();
    folder.write("tokens", "sesame\n");
    let server = server(&["--token-file", folder.path("tokens").to_str().expect("a path")]);
    let mut remote = remote(&server.endpoint);
    remote["token"] = json!("sesame");
    let good = Good::with(&remote);
    let before = server.forget_peak();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = NodeServiceClient::connect(format!("http://{}", server.endpoint)).await;
        let client = client.expect("it connects");
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let mut client = client.clone();
            let payload = Some(v1::packet::Payload::Text("x".repeat(30 << 20)));
            let inputs = vec![v1::Packet { payload, ..v1::Packet::default() }];
            let node = v1::NodeSpec { node_type: "PassThrough".to_owned(), params: String::new() };
            let request = v1::ExecuteNodeRequest { node: Some(node), inputs };
            calls.spawn(async move { client.execute_node(request).await.map(drop) });
        }
        while let Some(ended) = calls.join_next().await {
            let refused = ended.expect("no panic").expect_err("it has no token");
            assert_eq!(format!("{:?}", refused.code()), "Unauthenticated");
        }
    });
    let peak = server.memory().1;
    // What may be on its way on the one connection, twice.
    assert!(peak < before + 2 * 16 * 1024, "{before} KiB before, then {peak}");
    good.goes_on();
    good.end();
}

#[test]
fn messages_that_never_become_whole_take_no_more_than_messages_may() {
    let folder = support::Folder::new();
    folder.write("serve.toml", "max_memory_bytes = 8388608\n");
    let config = folder.path("serve.toml");
    for (path, begins) in [(EXECUTE, Vec::new()), (STREAM, open("PassThrough"))] {
        let server = server(&["--config", config.to_str().expect("a path")]);
        let before = server.forget_peak();
        // Of 60 MiB each stream brings what a window holds: 112 MiB in all.
        let begun = [begins, http2::announced(60 << 20), vec![0; 7 << 19]].concat();
        let raws: Vec<_> = (0..8)
            .map(|_| {
                let mut raw = Raw::to(&server.endpoint);
                for _ in 0..4 {
                    let stream = raw.stream();
                    let bytes = [http2::call(stream, path), http2::data(stream, &begun)].concat();
                    assert_eq!(raw.send(&bytes), Sent::Taken);
                }
                raw.settle(PATIENCE);
                raw
            })
            .collect();
        // There is room for two.
        server.until(|counters| counters.happened("refused") >= 30);
        let peak = server.memory().1;
        // Beside it what a connection may have on its way, until it is looked at.
        assert!(peak < before + (8 + 2 * 16) * 1024, "{before} KiB before, then {peak}");
        drop(raws);
        let good = Good::with(&remote(&server.endpoint));
        good.end();
    }
}

/// Lets this process, and those that it starts, have that many connections; one test at a time.
fn allow_files(count: u64) -> MutexGuard<'static, ()> {
    static MANY: Mutex<()> = Mutex::new(());
    let many = MANY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a struct that is theirs for as long as they last.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_cur.max(count).min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    assert!(limit.rlim_cur >= count, "the test needs {count} open files: raise `ulimit -Hn`");
    many
}

/// Opens ten thousand connections that say this and then nothing, and waits until all have been cut.
fn stall(server: &Server, good: &Good, says: &[u8]) {
    let host = server.endpoint.trim_start_matches("https://");
    let before = server.forget_peak();
    let mut idle: Vec<_> = (0..10_000)
        .map(|_| {
            let mut stream = TcpStream::connect(host).expect("it connects");
            // It may have been cut already.
            let _ = stream.write_all(says);
            stream
        })
        .collect();
    good.goes_on();
    for stream in &mut idle {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        loop {
            match stream.read(&mut [0; 1024]) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => panic!("it is not cut"),
                Err(_) => break,
            }
        }
    }
    good.goes_on();
    let peak = server.memory().1;
    // A connection that has said hello has buffers of some 14 KiB.
    assert!(peak < before + 10_000 * 16, "{before} KiB before, then {peak}");
}

#[test]
fn ten_thousand_connections_that_never_say_hello_are_cut() {
    let _many = allow_files(12_000);
    let server = server(&[]);
    let good = Good::with(&remote(&server.endpoint));
    for says in [PREFACE, &[], &PREFACE[..20]] {
        stall(&server, &good, says);
    }
    good.end();
    let ran = support::Folder::new().run(&["remote", "health", &server.endpoint]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn ten_thousand_connections_that_never_finish_the_tls_handshake_are_cut() {
    let _many = allow_files(12_000);
    let folder = support::Folder::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
    folder.write("cert.pem", params.self_signed(&key).expect("a certificate").pem());
    folder.write("key.pem", key.serialize_pem());
    let path = |name: &str| folder.path(name).to_str().expect("a path").to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let server = server(&["--tls-cert", &cert, "--tls-key", &key]);
    let mut remote = remote(&server.endpoint);
    remote["tls"] = json!({"ca": cert, "server_name": "localhost"});
    let good = Good::with(&remote);
    // The head of a record with the beginning of a hello.
    for says in [&[][..], &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]] {
        stall(&server, &good, says);
    }
    good.end();
}
