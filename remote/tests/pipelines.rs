//! Whole pipelines on a server, by a client without an engine.

mod common;

use common::gates::{self, Gate};
use common::{PATIENCE, Running, engine, pipeline, speech};
use remotemedia::remote::server::Config;
use remotemedia::remote::v1::pipeline_service_client::PipelineServiceClient;
use remotemedia::remote::v1::stream_pipeline_request::{
    self as up, Request as Say, command::Command,
};
use remotemedia::remote::v1::stream_pipeline_response::{self as down, Response as Said};
use remotemedia::remote::{error_from_wire, packet_from_wire, packet_to_wire, v1};
use remotemedia::{Packet, packet::Pool};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

/// Two inputs, two outputs.
fn mixed() -> Json {
    json!({
        "version": "v1",
        "nodes": [
            {"id": "voice", "node_type": "AudioResample", "params": {"target_rate": 8000}},
            {"id": "note", "node_type": "PassThrough"},
            {"id": "noted", "node_type": "PassThrough"},
            {"id": "level", "node_type": "AudioLevel"},
        ],
        "connections": [{"from": "voice", "to": "level"}, {"from": "note", "to": "noted"}],
    })
}

fn numbers() -> Json {
    json!({"version": "v1", "nodes": [{"id": "pass", "node_type": "PassThrough"}]})
}

async fn server() -> (Running, PipelineServiceClient<Channel>) {
    let running =
        tokio::task::spawn_blocking(|| Running::of(Config::at("127.0.0.1:0"), gates::engine()));
    let running = running.await.expect("a server");
    let client = PipelineServiceClient::connect(format!("http://{}", running.endpoint)).await;
    (running, client.expect("it connects"))
}

fn given(port: &str, packet: &Packet) -> v1::PortPacket {
    v1::PortPacket { port: port.to_owned(), packet: Some(packet_to_wire(packet)) }
}

fn shown(packet: Option<v1::Packet>) -> String {
    let packet = packet_from_wire(packet.expect("a packet"), &Pool::new()).expect("a packet");
    format!("{packet:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_over_what_is_given_gives_what_it_gives_here() {
    let (_server, mut client) = server().await;
    let speech = speech();
    let note = Packet::json(json!({"n": 1}));
    let mut inputs: Vec<_> = speech.iter().map(|packet| given("voice", packet)).collect();
    inputs.push(given("note", &note));
    let request = v1::ExecutePipelineRequest { manifest: mixed().to_string(), inputs };
    let response = client.execute_pipeline(request).await.expect("it runs").into_inner();

    let here = tokio::task::spawn_blocking(move || {
        let pipeline = pipeline(&engine(), &mixed());
        let mut out = Vec::new();
        for packet in speech {
            while pipeline.has_news() {
                if let remotemedia::Pull::Packet(name, packet) =
                    pipeline.try_pull().expect("it runs")
                {
                    out.push((name.to_owned(), format!("{packet:?}")));
                }
            }
            pipeline.push_to("voice", packet).expect("there is room");
        }
        pipeline.push_to("note", note).expect("there is room");
        let each = |name: &str, packet: Packet| {
            out.push((name.to_owned(), format!("{packet:?}")));
            Ok(())
        };
        pipeline.run(each).expect("it runs");
        out
    });
    let here = here.await.expect("it runs here");
    let there: Vec<_> =
        response.outputs.into_iter().map(|o| (o.port.clone(), shown(o.packet))).collect();
    for output in ["noted", "level"] {
        let of = |all: &[(String, String)]| {
            all.iter().filter(|(name, _)| name == output).cloned().collect::<Vec<_>>()
        };
        assert!(!of(&here).is_empty() && of(&here) == of(&there), "{output}");
    }
    let metrics: Json = serde_json::from_str(&response.metrics).expect("JSON");
    assert_eq!(metrics["node_metrics"].as_array().map(Vec::len), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_pipeline_is_said_with_its_place() {
    let (_server, mut client) = server().await;
    for (manifest, code, says) in [
        ("{".to_owned(), Code::InvalidArgument, "remote.protocol"),
        (
            json!({"version": "v1", "nodes": [{"id": "a", "node_type": "Gane"}]}).to_string(),
            Code::InvalidArgument,
            "manifest",
        ),
        (
            json!({"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough",
            "placement": "remote", "remote": {"endpoint": "127.0.0.1:1"}}]})
            .to_string(),
            Code::InvalidArgument,
            "manifest",
        ),
        (
            format!("{{\"version\": \"v1\", \"nodes\": [], \"x\": \"{}\"}}", "x".repeat(2 << 20)),
            Code::ResourceExhausted,
            "remote.limit",
        ),
    ] {
        let request = v1::ExecutePipelineRequest { manifest, inputs: Vec::new() };
        let status = client.execute_pipeline(request).await.expect_err("it is refused");
        assert_eq!(status.code(), code, "{status:?}");
        let error: v1::Error = prost::Message::decode(status.details()).expect("an error");
        assert!(error_from_wire(error).detail().id.starts_with(says), "{status:?}");
    }
    let inputs = vec![given("nowhere", &Packet::json(json!(1)))];
    let request = v1::ExecutePipelineRequest { manifest: numbers().to_string(), inputs };
    let status = client.execute_pipeline(request).await.expect_err("it has no such input");
    assert!(status.message().contains("nowhere"), "{status:?}");
}

struct Raw {
    send: mpsc::Sender<v1::StreamPipelineRequest>,
    answers: Streaming<v1::StreamPipelineResponse>,
}

impl Raw {
    /// A stream with a new session.
    async fn open(
        client: &mut PipelineServiceClient<Channel>,
        manifest: &Json,
        credit: u64,
    ) -> (Self, down::Opened) {
        let manifest = manifest.to_string();
        let open = up::Open { manifest, credit, heartbeat_ms: 200, ..up::Open::default() };
        let mut raw = Self::begin(client, Say::Open(open)).await;
        match raw.hear().await {
            Some(Said::Opened(opened)) => (raw, opened),
            other => panic!("{other:?}"),
        }
    }

    async fn begin(client: &mut PipelineServiceClient<Channel>, first: Say) -> Self {
        let (send, requests) = mpsc::channel(4096);
        let raw = Self::send(&send, first).await;
        assert!(raw);
        let answers = client.stream_pipeline(ReceiverStream::new(requests)).await;
        Self { send, answers: answers.expect("it opens").into_inner() }
    }

    async fn send(send: &mpsc::Sender<v1::StreamPipelineRequest>, request: Say) -> bool {
        send.send(v1::StreamPipelineRequest { request: Some(request) }).await.is_ok()
    }

    async fn command(&self, seq: u64, command: Command) {
        let command = up::Command { seq, command: Some(command) };
        assert!(Self::send(&self.send, Say::Command(command)).await);
    }

    async fn push(&self, seq: u64) {
        self.command(seq, Command::Push(given("", &Packet::json(json!(seq))))).await;
    }

    /// The same without waiting for room on the way.
    fn try_push(&self, seq: u64) {
        let push = Some(Command::Push(given("", &Packet::json(json!(seq)))));
        let command = Say::Command(up::Command { seq, command: push });
        let request = v1::StreamPipelineRequest { request: Some(command) };
        self.send.try_send(request).expect("there is room");
    }

    /// What is said next that is more than a sign of life; `None`: nothing for a while.
    async fn hear(&mut self) -> Option<Said> {
        let mut beats = 0;
        loop {
            let next = tokio::time::timeout(PATIENCE, self.answers.message());
            match next.await.expect("something comes").expect("it goes on")?.response {
                Some(Said::Heartbeat(_)) if beats == 3 => return None,
                Some(Said::Heartbeat(_)) => beats += 1,
                said => return said,
            }
        }
    }

    /// All that is said up to the end.
    async fn hear_the_rest(&mut self) -> Came {
        let mut came = Came::default();
        loop {
            match self.hear().await {
                Some(Said::Output(output)) => {
                    came.outputs.push((output.seq, shown(output.packet.and_then(|p| p.packet))));
                }
                Some(Said::Done(done)) => {
                    came.done = done.seq;
                    came.failed.extend(done.error.map(|_| done.seq));
                }
                Some(Said::Ended(_)) => return came,
                other => panic!("{other:?}"),
            }
        }
    }
}

/// What has come by the end.
#[derive(Default)]
struct Came {
    /// Number and packet of each output.
    outputs: Vec<(u64, String)>,
    /// The last command that was done, and those that were not.
    done: u64,
    failed: Vec<u64>,
}

/// A node with its gate.
fn gated(node_type: &str, gate: &Gate) -> Json {
    json!({"version": "v1", "nodes": [
        {"id": "gate", "node_type": node_type, "params": {"gate": gate.0}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_go_no_further_than_the_credit_and_a_broken_stream_loses_and_repeats_nothing() {
    let (_server, mut client) = server().await;
    let (mut raw, opened) = Raw::open(&mut client, &numbers(), 5).await;
    assert_eq!(
        (opened.inputs.as_slice(), opened.outputs.as_slice()),
        (["pass".to_owned()].as_slice(), ["pass".to_owned()].as_slice())
    );
    for seq in 1..=1000 {
        raw.push(seq).await;
    }
    // Nothing more than five comes out, and what the pipeline has no room for is not done.
    let (mut got, mut done) = (Vec::new(), 0);
    while let Some(said) = raw.hear().await {
        match said {
            Said::Output(output) => got.push(output.seq),
            Said::Done(said) => done = said.seq,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got, [1, 2, 3, 4, 5]);
    assert!(done < 300, "{done}");
    // The stream breaks; the client has got three.
    let session = opened.session;
    drop(raw);
    let attach = Say::Attach(up::Attach { session, received: 3 });
    let mut raw = Raw::begin(&mut client, attach).await;
    let Some(Said::Attached(attached)) = raw.hear().await else { panic!("it attaches") };
    assert!(attached.received >= done && attached.received < 300, "{attached:?}");
    got.truncate(3);
    assert!(Raw::send(&raw.send, Say::Credit(up::Credit { until: 4000, received: 3 })).await);
    for seq in attached.received + 1..=1000 {
        raw.push(seq).await;
    }
    raw.command(1001, Command::EndInput(String::new())).await;
    let came = raw.hear_the_rest().await;
    assert!(came.outputs.iter().all(|(seq, number)| number.contains(&seq.to_string())));
    got.extend(came.outputs.iter().map(|(seq, _)| *seq));
    assert_eq!((got, came.failed), ((1..=1000).collect(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_may_wait_and_an_end_behind_it_go_on_when_there_is_credit() {
    let (_server, mut client) = server().await;
    let (mut raw, opened) = Raw::open(&mut client, &numbers(), 0).await;
    // More than the pipeline itself has room for, by far.
    let pushes = 10 * u64::from(opened.credit);
    (1..=pushes).for_each(|seq| raw.try_push(seq));
    raw.command(pushes + 1, Command::EndInput(String::new())).await;
    while raw.hear().await.is_some() {}
    assert!(Raw::send(&raw.send, Say::Credit(up::Credit { until: 4000, received: 0 })).await);
    let came = raw.hear_the_rest().await;
    assert_eq!((came.outputs.len() as u64, came.done), (pushes, pushes + 1));
    assert!(came.failed.is_empty(), "{:?}", came.failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nothing_more_comes_out_needs_no_credit_and_is_told_again_to_who_comes_back() {
    let (_server, mut client) = server().await;
    let (mut raw, opened) = Raw::open(&mut client, &numbers(), 0).await;
    // Something happens of which nobody asks.
    raw.command(1, Command::Interrupt(up::Interrupt {})).await;
    raw.command(2, Command::EndInput(String::new())).await;
    let session = opened.session;
    for _ in 0..2 {
        while !matches!(raw.hear().await, Some(Said::Ended(_))) {}
        let attach = Say::Attach(up::Attach { session: session.clone(), received: 0 });
        raw = Raw::begin(&mut client, attach).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_hears_of_the_server_while_a_node_of_its_pipeline_works() {
    for node_type in ["Gate", "GateHere", "LaterGate"] {
        let (_server, mut client) = server().await;
        let gate = Gate(node_type);
        let (mut raw, _) = Raw::open(&mut client, &gated(node_type, &gate), 10).await;
        raw.push(1).await;
        // Four signs of life, and nothing else but that the packet has been handed in.
        while raw.hear().await.is_some() {}
        gate.open();
        while !matches!(raw.hear().await, Some(Said::Output(_))) {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_at_work_when_its_stream_breaks_is_done_once() {
    let (_server, mut client) = server().await;
    let gate = Gate("broken-off");
    let (mut raw, opened) = Raw::open(&mut client, &gated("GateHere", &gate), 1000).await;
    let session = opened.session;
    for _ in 0..3 {
        (1..=9).for_each(|seq| raw.try_push(seq));
        gate.reached_by(1);
        drop(raw);
        let attach = Say::Attach(up::Attach { session: session.clone(), received: 0 });
        raw = Raw::begin(&mut client, attach).await;
        let Some(Said::Attached(attached)) = raw.hear().await else { panic!("it attaches") };
        assert!(attached.received <= 1, "{attached:?}");
    }
    (1..=9).for_each(|seq| raw.try_push(seq));
    raw.command(10, Command::EndInput(String::new())).await;
    gate.open();
    let came = raw.hear_the_rest().await;
    assert_eq!((came.outputs.len(), came.failed), (9, Vec::new()), "{:?}", came.outputs);
    let right = |(seq, number): &(u64, String)| number.contains(&seq.to_string());
    assert!(came.outputs.iter().all(right), "{:?}", came.outputs);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_thousands_of_commands_that_fail_each_says_why() {
    const COMMANDS: u64 = 3_000;
    let (_server, mut client) = server().await;
    let (mut raw, _) = Raw::open(&mut client, &numbers(), 10).await;
    let send = raw.send.clone();
    tokio::spawn(async move {
        for seq in 1..=COMMANDS {
            let set = up::SetParams { node: "nobody".to_owned(), params: "{}".to_owned() };
            let command = Some(Command::SetParams(set));
            Raw::send(&send, Say::Command(up::Command { seq, command })).await;
        }
    });
    for seq in 1..=COMMANDS {
        match raw.hear().await {
            Some(Said::Done(done)) => assert!(done.seq == seq && done.error.is_some(), "{done:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_client_says_nothing_more_ends_and_its_session_stays() {
    let (_server, mut client) = server().await;
    let (mut raw, opened) = Raw::open(&mut client, &numbers(), 10).await;
    raw.push(1).await;
    drop(std::mem::replace(&mut raw.send, mpsc::channel(1).0));
    let status = loop {
        match raw.answers.message().await {
            Ok(said) => assert!(said.is_some(), "it ends without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    let attach = Say::Attach(up::Attach { session: opened.session, received: 0 });
    let mut raw = Raw::begin(&mut client, attach).await;
    assert!(matches!(raw.hear().await, Some(Said::Attached(up)) if up.received == 1));
    assert!(matches!(raw.hear().await, Some(Said::Output(output)) if output.seq == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_goes_past_pushes_that_wait_behind_a_node_that_works() {
    let (_server, mut client) = server().await;
    let gate = Gate("interrupted");
    let (mut raw, _) = Raw::open(&mut client, &gated("GateHere", &gate), 1000).await;
    (1..=60).for_each(|seq| raw.try_push(seq));
    raw.command(61, Command::Interrupt(up::Interrupt {})).await;
    raw.push(62).await;
    raw.command(63, Command::EndInput(String::new())).await;
    // All of it has come to the server, where the first packet is at work.
    while raw.hear().await.is_some() {}
    gate.open();
    let Came { outputs, failed, .. } = raw.hear_the_rest().await;
    // The one that was at work may be out.
    let last = outputs.last().is_some_and(|(_, number)| number.contains("62"));
    assert!(outputs.len() <= 2 && last && failed.is_empty(), "{outputs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_forgets_what_waits_and_params_are_set_while_it_runs() {
    let (_server, mut client) = server().await;
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "gain", "node_type": "Gain", "params": {"gain_db": 0}}]});
    let (mut raw, _) = Raw::open(&mut client, &manifest, 0).await;
    // Without a time, so that it may come again and again.
    let audio = speech()[3].as_audio().expect("audio").clone();
    let block = &Packet::audio(audio);
    for seq in 1..=60 {
        raw.command(seq, Command::Push(given("gain", block))).await;
    }
    raw.command(61, Command::Interrupt(up::Interrupt {})).await;
    let params = json!({"gain_db": -60}).to_string();
    let set = up::SetParams { node: "gain".to_owned(), params };
    raw.command(62, Command::SetParams(set)).await;
    let wrong = up::SetParams { node: "nobody".to_owned(), params: "{}".to_owned() };
    raw.command(63, Command::SetParams(wrong)).await;
    raw.command(64, Command::Push(given("gain", block))).await;
    raw.command(65, Command::EndInput("gain".to_owned())).await;
    assert!(Raw::send(&raw.send, Say::Credit(up::Credit { until: 1000, received: 0 })).await);
    let Came { outputs, failed, .. } = raw.hear_the_rest().await;
    assert_eq!(failed, [63]);
    // What was out before the interrupt is out; of the sixty some are not.
    assert!(outputs.len() < 60, "{}", outputs.len());
    assert_eq!(outputs.last().map(|(seq, _)| *seq), Some(outputs.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_fails_says_why_also_to_who_comes_back() {
    let (_server, mut client) = server().await;
    let manifest = json!({"version": "v1", "nodes": [{"id": "gain", "node_type": "Gain"}]});
    let (mut raw, opened) = Raw::open(&mut client, &manifest, 100).await;
    raw.command(1, Command::Push(given("", &Packet::json(json!("no audio"))))).await;
    let error = loop {
        match raw.hear().await {
            Some(Said::Done(done)) => {
                if let Some(error) = done.error {
                    break error;
                }
            }
            Some(Said::Failed(error)) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert!(error_from_wire(error).to_string().contains("gain"));
    drop(raw);
    // A session of the other service can't be attached to.
    let attach = v1::stream_node_request::Attach { session: opened.session.clone(), answered: 0 };
    let request =
        v1::StreamNodeRequest { request: Some(v1::stream_node_request::Request::Attach(attach)) };
    let mut nodes =
        v1::node_service_client::NodeServiceClient::connect(format!("http://{}", _server.endpoint))
            .await
            .expect("it connects");
    let status = nodes.stream_node(tokio_stream::once(request)).await.expect_err("it is refused");
    assert!(status.message().contains("StreamPipeline"), "{status:?}");
}
