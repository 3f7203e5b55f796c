//! Clients without an engine, and their streams.

use super::{PATIENCE, Running};
use remotemedia::Packet;
use remotemedia::remote::v1::node_service_client::NodeServiceClient;
use remotemedia::remote::v1::stream_node_request::{self as up, Request as Say, call::Call};
use remotemedia::remote::v1::stream_node_response::{self as down, Response as Said};
use remotemedia::remote::{packet_to_wire, v1};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

/// A stream of a node.
pub(crate) struct Raw {
    pub(crate) send: mpsc::Sender<v1::StreamNodeRequest>,
    pub(crate) answers: Streaming<v1::StreamNodeResponse>,
}

pub(crate) async fn client(server: &Running) -> NodeServiceClient<Channel> {
    let client = NodeServiceClient::connect(format!("http://{}", server.endpoint)).await;
    client.expect("it connects").max_decoding_message_size(64 << 20)
}

impl Raw {
    pub(crate) async fn begin(server: &Running, first: Say) -> Result<Self, tonic::Status> {
        Self::begin_as(server, first, None).await
    }

    pub(crate) async fn begin_as(
        server: &Running,
        first: Say,
        token: Option<&str>,
    ) -> Result<Self, tonic::Status> {
        let (send, requests) = mpsc::channel(1024);
        let mut raw = tonic::Request::new(ReceiverStream::new(requests));
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().expect("a header");
            raw.metadata_mut().insert("authorization", value);
        }
        send.send(v1::StreamNodeRequest { request: Some(first) }).await.expect("it goes");
        let answers = client(server).await.stream_node(raw).await?.into_inner();
        Ok(Self { send, answers })
    }

    pub(crate) async fn say(&self, request: Say) {
        let request = v1::StreamNodeRequest { request: Some(request) };
        self.send.send(request).await.expect("it goes");
    }

    pub(crate) async fn call(&self, seq: u64, call: Call) {
        self.say(Say::Call(up::Call { seq, answered: seq - 1, call: Some(call) })).await;
    }

    /// What is said next that is more than a sign of life.
    pub(crate) async fn hear(&mut self) -> Result<Option<Said>, tonic::Status> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.answers.message());
            match next.await.expect("something comes")?.map(|message| message.response) {
                Some(Some(Said::Heartbeat(_))) => {}
                said => return Ok(said.flatten()),
            }
        }
    }

    pub(crate) async fn answer(&mut self) -> down::Answer {
        match self.hear().await {
            Ok(Some(Said::Answer(answer))) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn opened(&mut self) -> down::Opened {
        match self.hear().await {
            Ok(Some(Said::Opened(opened))) => opened,
            other => panic!("{other:?}"),
        }
    }
}

/// Opens a node of that type.
pub(crate) fn node(node_type: &str) -> up::Open {
    with_params(node_type, String::new())
}

/// Opens a node with its gate.
pub(crate) fn gate(node_type: &str, gate: &str) -> up::Open {
    with_params(node_type, json!({"gate": gate}).to_string())
}

fn with_params(node_type: &str, params: String) -> up::Open {
    let node = v1::NodeSpec { node_type: node_type.to_owned(), params };
    let what = Some(up::open::What::Node(node));
    up::Open { what, lanes: 1, heartbeat_ms: 2000, ..up::Open::default() }
}

/// A call with a number.
pub(crate) fn number(number: i64) -> Call {
    let packet = Some(packet_to_wire(&Packet::json(json!(number))));
    Call::Process(up::Process { port: 0, lane: 0, packet })
}

/// A call with so many bytes.
pub(crate) fn bytes(bytes: usize) -> Call {
    let buffer = remotemedia::packet::Buffer::zeroed(bytes);
    let packet = Some(packet_to_wire(&Packet::new(remotemedia::Payload::Bytes(buffer))));
    Call::Process(up::Process { port: 0, lane: 0, packet })
}
