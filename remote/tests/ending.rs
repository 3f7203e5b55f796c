//! Servers that end: what they wait for, what they refuse, and what becomes of what is not done in time.

mod common;

use common::gates::{self, Gate};
use common::raw::{Raw, client, gate, node, number};
use common::{PATIENCE, Running};
use remotemedia::remote::server::Config;
use remotemedia::remote::v1::pipeline_service_client::PipelineServiceClient;
use remotemedia::remote::v1::stream_node_request::Request as Say;
use remotemedia::remote::v1::stream_node_response::Response as Said;
use remotemedia::remote::v1::stream_pipeline_request as up;
use remotemedia::remote::{error_from_wire, packet_to_wire, v1};
use remotemedia::{Error, Packet};
use serde_json::json;
use std::time::Duration;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

async fn server() -> Running {
    let start = || Running::of(Config::at("127.0.0.1:0"), gates::engine());
    tokio::task::spawn_blocking(start).await.expect("a server")
}

fn one() -> v1::Packet {
    packet_to_wire(&Packet::json(json!(1)))
}

/// A call of the node with its gate.
fn execute(node_type: &str, gate: &Gate) -> v1::ExecuteNodeRequest {
    let params = json!({"gate": gate.0}).to_string();
    let node = v1::NodeSpec { node_type: node_type.to_owned(), params };
    v1::ExecuteNodeRequest { node: Some(node), inputs: vec![one()] }
}

fn manifest(gate: &Gate) -> String {
    let node = json!({"id": "gate", "node_type": "Gate", "params": {"gate": gate.0}});
    json!({"version": "v1", "nodes": [node]}).to_string()
}

fn error(status: &Status) -> Error {
    error_from_wire(prost::Message::decode(status.details()).expect("an error"))
}

/// Waits until the server takes nothing new: what it says of it.
async fn refusal(server: &Running) -> Status {
    let mut client = client(server).await;
    let request = v1::ExecuteNodeRequest {
        node: Some(v1::NodeSpec { node_type: "PassThrough".to_owned(), params: String::new() }),
        inputs: vec![one()],
    };
    loop {
        if let Err(status) = client.execute_node(request.clone()).await {
            return status;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_waits_for_calls_and_takes_no_new_ones() {
    let server = server().await;
    let closed = Gate("waited-for");
    let mut raw = Raw::begin(&server, Say::Open(gate("Gate", closed.0))).await.expect("it opens");
    raw.opened().await;
    raw.call(1, number(1)).await;
    let call = {
        let (mut client, request) = (client(&server).await, execute("Gate", &closed));
        tokio::spawn(async move { client.execute_node(request).await })
    };
    closed.reached_by(2);
    server.control.drain(Some(PATIENCE));
    let status = refusal(&server).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(error(&status).detail().id, "remote.draining");
    let status = Raw::begin(&server, Say::Open(node("PassThrough"))).await.err();
    assert_eq!(error(&status.expect("it is refused")).detail().id, "remote.draining");
    assert!(matches!(raw.hear().await, Ok(Some(Said::Draining(_)))));
    closed.open();
    assert_eq!(raw.answer().await.error, None);
    raw.say(Say::Close(v1::stream_node_request::Close {})).await;
    let response = call.await.expect("no panic").expect("it is answered");
    assert_eq!(response.into_inner().outputs.len(), 1);
    tokio::task::spawn_blocking(move || server.wait()).await.expect("it ends long before its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_when_a_server_has_no_more_time_ends_and_says_why() {
    let server = server().await;
    let closed = Gate("never");
    // A node's call, a pipeline's, and one of each that is no session's; none ever comes to its end.
    let mut raw = Raw::begin(&server, Say::Open(gate("Gate", closed.0))).await.expect("it opens");
    raw.opened().await;
    raw.call(1, number(1)).await;
    let mut pipelines = PipelineServiceClient::connect(format!("http://{}", server.endpoint))
        .await
        .expect("it connects");
    let (send, requests) = tokio::sync::mpsc::channel(8);
    let open = up::Open { manifest: manifest(&closed), credit: 5, ..up::Open::default() };
    let push = v1::PortPacket { port: String::new(), packet: Some(one()) };
    let push = up::Command { seq: 1, command: Some(up::command::Command::Push(push)) };
    for request in [up::Request::Open(open), up::Request::Command(push)] {
        let request = v1::StreamPipelineRequest { request: Some(request) };
        send.send(request).await.expect("it goes");
    }
    let stream = pipelines.stream_pipeline(ReceiverStream::new(requests)).await;
    let mut stream = stream.expect("it opens").into_inner();
    let execute_node = {
        let (mut client, request) = (client(&server).await, execute("LaterGate", &closed));
        tokio::spawn(async move { client.execute_node(request).await.map(drop) })
    };
    let execute_pipeline = {
        let inputs = vec![v1::PortPacket { port: String::new(), packet: Some(one()) }];
        let request = v1::ExecutePipelineRequest { manifest: manifest(&closed), inputs };
        let mut client = pipelines.clone();
        tokio::spawn(async move { client.execute_pipeline(request).await.map(drop) })
    };
    closed.reached_by(4);
    server.control.drain(Some(Duration::from_millis(100)));
    let of_stream = async {
        loop {
            if let Err(status) = stream.message().await {
                return status;
            }
        }
    };
    let of_node = async {
        loop {
            if let Err(status) = raw.hear().await {
                return status;
            }
        }
    };
    for status in [
        tokio::time::timeout(PATIENCE, of_node).await.expect("it ends"),
        tokio::time::timeout(PATIENCE, of_stream).await.expect("it ends"),
        execute_node.await.expect("no panic").expect_err("it is not done"),
        execute_pipeline.await.expect("no panic").expect_err("it is not done"),
    ] {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(error(&status).detail().id, "remote.draining");
    }
    tokio::task::spawn_blocking(move || {
        server.wait();
        // The node's thread is not to hold this up.
        drop(closed);
    })
    .await
    .expect("it has ended");
}
