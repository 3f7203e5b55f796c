//! What the protocol of nodes promises: calls that take their time, versions, credit, interrupts, parts,
//! tokens that end, and where the time went.

mod common;

use common::gates::{self, Gate};
use common::raw::{Raw, bytes, gate, node, number};
use common::{PATIENCE, Running, engine, pipeline, speech};
use remotemedia::remote::server::{Config, Token};
use remotemedia::remote::v1::stream_node_request::{self as up, Request as Say, call::Call};
use remotemedia::remote::v1::stream_node_response::{self as down, Response as Said};
use remotemedia::remote::{Remote, error_from_wire, packet_to_wire, v1};
use remotemedia::{MediaTime, Packet, Pull};
use serde_json::json;
use std::sync::Mutex;
use tonic::Code;

async fn server(config: Config) -> Running {
    tokio::task::spawn_blocking(|| Running::of(config, gates::engine())).await.expect("a server")
}

fn here() -> Config {
    Config::at("127.0.0.1:0")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_its_time_is_answered_on_the_next_stream_when_its_own_breaks() {
    let server = server(here()).await;
    let closed = Gate("long");
    let mut sessions = Vec::new();
    for node_type in ["Gate", "LaterGate"] {
        let raw = Raw::begin(&server, Say::Open(gate(node_type, closed.0))).await;
        let mut raw = raw.expect("it opens");
        let session = raw.opened().await.session;
        raw.call(1, number(7)).await;
        raw.call(2, number(8)).await;
        // It is at work, and says so by signs of life; the first may come before the calls do.
        for _ in 0..3 {
            let beat = tokio::time::timeout(PATIENCE, raw.answers.message()).await;
            let beat = beat.expect("it lives").expect("it lives").and_then(|m| m.response);
            assert!(matches!(beat, Some(Said::Heartbeat(_))));
        }
        sessions.push(session);
    }
    let mut streams = Vec::new();
    for session in sessions {
        let attach = Say::Attach(up::Attach { session, answered: 0 });
        let mut raw = Raw::begin(&server, attach).await.expect("it is still there");
        let attached = raw.hear().await.expect("it says so");
        // The second was not begun: it is to be sent again.
        assert_eq!(attached, Some(Said::Attached(down::Attached { received: 1 })));
        raw.call(2, number(8)).await;
        streams.push(raw);
    }
    closed.open();
    for mut raw in streams {
        for seq in 1..=2 {
            let answer = raw.answer().await;
            assert_eq!((answer.seq, answer.outputs.len(), answer.error), (seq, 1, None));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_later_version_is_told_of_both() {
    let server = server(here()).await;
    let open = up::Open { protocol: 9, ..node("PassThrough") };
    let status = Raw::begin(&server, Say::Open(open)).await.err().expect("it is refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    for version in ["version 9", "version 1"] {
        assert!(status.message().contains(version), "{status:?}");
    }
    // And what is only unknown, as a call of a later version, is an error of that call.
    let mut raw = Raw::begin(&server, Say::Open(node("PassThrough"))).await.expect("it opens");
    raw.opened().await;
    raw.say(Say::Call(up::Call { seq: 1, answered: 0, call: None })).await;
    let error = error_from_wire(raw.answer().await.error.expect("an error"));
    assert_eq!(error.detail().id, "remote.protocol");
    raw.call(2, number(1)).await;
    assert_eq!(raw.answer().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_goes_past_the_calls_that_wait_on_the_server() {
    let server = server(here()).await;
    // The first call keeps the node busy for long: a pipeline of its own that resamples an hour.
    let mut raw = Raw::begin(&server, Say::Open(node("PassThrough"))).await.expect("it opens");
    let opened = raw.opened().await;
    assert!(opened.credit >= 64, "{opened:?}");
    for seq in 1..=20 {
        raw.call(seq, number(seq as i64)).await;
    }
    raw.call(21, Call::Reset(up::Reset {})).await;
    raw.call(22, number(22)).await;
    let mut numbers = Vec::new();
    for seq in 1..=22 {
        let answer = raw.answer().await;
        assert_eq!((answer.seq, answer.error), (seq, None));
        numbers.extend(answer.outputs.iter().map(|_| seq));
    }
    // What the server had begun before it heard of the interrupt is out; all that waited is not.
    assert_eq!(numbers.last(), Some(&22));
    assert!(numbers.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_parts_gets_parts_and_one_that_does_not_gets_the_whole() {
    let server = server(here()).await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let packet = packet_to_wire(&Packet::new(remotemedia::Payload::Bytes(
        remotemedia::packet::Buffer::from_vec(bytes),
    )));
    for part_bytes in [0, 1 << 20] {
        let open = up::Open { part_bytes, ..node("PassThrough") };
        let mut raw = Raw::begin(&server, Say::Open(open)).await.expect("it opens");
        raw.opened().await;
        let call = Call::Process(up::Process { port: 0, lane: 0, packet: Some(packet.clone()) });
        let request = v1::StreamNodeRequest {
            request: Some(Say::Call(up::Call { seq: 1, answered: 0, call: Some(call) })),
        };
        // This side cuts it as it likes.
        let whole = prost::Message::encode_to_vec(&request);
        let mut rest = whole.len();
        for piece in whole.chunks(700_001) {
            rest -= piece.len();
            let data = piece.to_vec().into();
            raw.say(Say::Part(v1::Part { data, rest: rest as u64 })).await;
            raw.say(Say::Heartbeat(up::Heartbeat { answered: 0 })).await;
        }
        let (mut got, mut parts) = (Vec::new(), 0);
        let answer = loop {
            match raw.hear().await.expect("it goes on") {
                Some(Said::Answer(answer)) => break answer,
                Some(Said::Part(part)) => {
                    assert!(part.data.len() <= 1 << 20);
                    got.extend_from_slice(&part.data);
                    parts += 1;
                    if part.rest == 0 {
                        let response: v1::StreamNodeResponse =
                            prost::Message::decode(got.as_slice()).expect("a response");
                        let Some(Said::Answer(answer)) = response.response else { panic!() };
                        break answer;
                    }
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(parts, if part_bytes == 0 { 0 } else { 3 });
        assert_eq!(answer.outputs[0].packet.as_ref(), Some(&packet));
    }
    // Parts that don't fit each other end the session.
    let mut raw = Raw::begin(&server, Say::Open(node("PassThrough"))).await.expect("it opens");
    raw.opened().await;
    for rest in [10, 3] {
        raw.say(Say::Part(v1::Part { data: vec![0; 5].into(), rest })).await;
    }
    let status = raw.hear().await.expect_err("it is refused");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_messages_may_take_on_a_server_has_an_end() {
    let limits = Config { max_memory: 4 << 20, max_message: 8 << 20, ..here() };
    let server = server(limits).await;
    let mut raw = Raw::begin(&server, Say::Open(node("PassThrough"))).await.expect("it opens");
    assert_eq!(raw.opened().await.message_bytes, 8 << 20);
    // A message that never becomes whole.
    let mut status = None;
    for n in 1..=7_u64 {
        let data = vec![0; 1 << 20].into();
        let part = v1::Part { data, rest: (7 << 20) - (n << 20) + 1 };
        if raw.send.send(v1::StreamNodeRequest { request: Some(Say::Part(part)) }).await.is_err() {
            break;
        }
    }
    while status.is_none() {
        status = raw.hear().await.err();
    }
    let status = status.expect("it is refused");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    // And what it held is free again.
    let mut raw = Raw::begin(&server, Say::Open(node("PassThrough"))).await.expect("it opens");
    raw.opened().await;
    raw.call(1, bytes(1 << 20)).await;
    assert_eq!(raw.answer().await.error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_of_no_answer_that_it_has_come_is_held_up_and_then_told() {
    let server = server(here()).await;
    let open = up::Open { heartbeat_ms: 40, ..node("PassThrough") };
    let mut raw = Raw::begin(&server, Say::Open(open)).await.expect("it opens");
    raw.opened().await;
    let mut answers = 0;
    let status = loop {
        let call = up::Call { seq: answers + 1, answered: 0, call: Some(bytes(8 << 20)) };
        let request = v1::StreamNodeRequest { request: Some(Say::Call(call)) };
        // It may have ended meanwhile.
        let _ = raw.send.send(request).await;
        match raw.hear().await {
            Ok(Some(Said::Answer(answer))) => answers = answer.seq,
            Err(status) => break status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((status.code(), answers), (Code::ResourceExhausted, 8), "{status:?}");
    assert!(status.message().contains("answered"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_client_comes_back_on_another_which_goes_on() {
    let server = server(here()).await;
    let mut old = Raw::begin(&server, Say::Open(node("PassThrough"))).await.expect("it opens");
    let session = old.opened().await.session;
    old.call(1, number(1)).await;
    assert_eq!(old.answer().await.seq, 1);
    for answered in 1..=20 {
        let attach = Say::Attach(up::Attach { session: session.clone(), answered });
        let mut new = Raw::begin(&server, attach).await.expect("it attaches");
        let attached = new.hear().await.expect("it says so");
        assert_eq!(attached, Some(Said::Attached(down::Attached { received: answered })));
        let status = old.hear().await.expect_err("it ends");
        assert_eq!(status.code(), Code::Aborted, "{status:?}");
        new.call(answered + 1, number(2)).await;
        assert_eq!(new.answer().await.seq, answered + 1);
        old = new;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_token_is_withdrawn_and_others_go_on() {
    let tokens = vec![Token::new("anna"), Token::new("berta")];
    let server = server(Config { tokens, ..here() }).await;
    let begin =
        |token: &'static str| Raw::begin_as(&server, Say::Open(node("PassThrough")), Some(token));
    let (mut anna, mut berta) =
        (begin("anna").await.expect("it opens"), begin("berta").await.expect("it opens"));
    anna.opened().await;
    berta.opened().await;
    let config = Config { tokens: vec![Token::new("berta")], ..here() };
    server.control.reload(&config).expect("it is good");
    let status = anna.hear().await.expect_err("it ends");
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    assert!(status.message().contains("withdrawn"), "{status:?}");
    berta.call(1, number(1)).await;
    assert_eq!(berta.answer().await.error, None);
    let status = begin("anna").await.err().expect("it is refused");
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[test]
fn only_an_administrator_ends_a_server() {
    let tokens = Token::read("anna\nroot name=operations admin\n").expect("tokens");
    let server = Running::with(Config { tokens, ..here() });
    let ask = |token: Option<&str>| {
        let mut remote = json!({"endpoint": server.endpoint, "connect_ms": 2000});
        if let Some(token) = token {
            remote["token"] = json!(token);
        }
        let remote = remote.as_object().expect("an object").clone();
        Remote::new(&remote).expect("settings").drain(None)
    };
    for token in [None, Some("anna"), Some("nobody")] {
        let error = ask(token).expect_err("it is refused");
        assert_eq!(error.detail().id, "remote.auth", "{error:?}");
    }
    assert_eq!(ask(Some("root")).expect("it may"), 0);
    // Without tokens nobody is one, but by the socket.
    let server = Running::at("127.0.0.1:0");
    let remote = json!({"endpoint": server.endpoint}).as_object().expect("an object").clone();
    let error = Remote::new(&remote).expect("settings").drain(None).expect_err("it is refused");
    assert_eq!(error.detail().id, "remote.auth", "{error:?}");
    let folder = std::env::temp_dir().join(format!("rmedia-admin-{}.sock", std::process::id()));
    let server = Running::at(&format!("unix:{}", folder.display()));
    let remote = json!({"endpoint": server.endpoint}).as_object().expect("an object").clone();
    Remote::new(&remote).expect("settings").drain(None).expect("it may");
}

#[test]
fn metrics_say_where_the_time_of_calls_went() {
    let server = Running::at("127.0.0.1:0");
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "level", "node_type": "AudioLevel", "placement": "remote",
         "remote": {"endpoint": server.endpoint}},
        {"id": "here", "node_type": "PassThrough"}],
        "connections": [{"from": "level", "to": "here"}]});
    let pipeline = pipeline(&engine(), &manifest);
    let speech = speech();
    common::run(&pipeline, &speech[..50]);
    let metrics = pipeline.metrics();
    let nodes = metrics["node_metrics"].as_array().expect("nodes");
    let node = |id: &str| nodes.iter().find(|node| node["node_id"] == id).expect("a node");
    let remote = &node("level")["remote"];
    for part in ["queue_us", "wire_us", "server_queue_us", "node_us"] {
        // Each packet, and the end.
        assert!(remote[part]["count"].as_u64() >= Some(50), "{part}: {metrics}");
    }
    assert!(remote["wire_us"]["p50"].as_f64() > Some(0.0), "{metrics}");
    assert_eq!(node("here").get("remote"), None);
}

#[test]
fn a_trace_that_is_none_is_refused_and_a_good_one_reaches_the_servers_log() {
    let (tell, told) = std::sync::mpsc::channel();
    let tell = Mutex::new(tell);
    let log = std::sync::Arc::new(move |happened: &remotemedia::remote::server::Happened| {
        let _ = tell.lock().expect("the log").send(happened.to_json());
    });
    let server = Running::with(Config { log: Some(log), ..here() });
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let manifest = |trace: &str| {
        json!({"version": "v1", "nodes": [{
            "id": "n", "node_type": "PassThrough", "placement": "remote",
            "remote": {"endpoint": server.endpoint, "traceparent": trace}}]})
    };
    let made = pipeline(&engine(), &manifest(trace));
    made.push(Packet::json(json!(1)).at(MediaTime::ZERO)).expect("it is taken");
    assert!(matches!(made.pull(PATIENCE), Ok(Pull::Packet(..))));
    let opened = told.recv_timeout(PATIENCE).expect("a line");
    assert_eq!((&opened["what"], &opened["trace"]), (&json!("opened"), &json!(trace)));
    for none in ["", "00-0-0-0", &trace.replace('b', "B"), &trace.replace("0af7", "0xf7")] {
        let manifest = remotemedia::Manifest::from_value(manifest(none)).expect("a document");
        let error = engine().pipeline(&manifest).expect_err("it is refused");
        assert!(error.to_string().contains("traceparent"), "{error:?}");
    }
}
