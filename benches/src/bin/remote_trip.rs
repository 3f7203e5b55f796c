//! A packet's way to a server and back: a node with `placement: remote`, beside bare tonic that sends the
//! same messages.
//!
//! ```text
//! remote_trip serve bare|ours ENDPOINT      until it is killed; prints a line when it listens
//! remote_trip trip bare|ours stream|unary ENDPOINT BYTES COUNT
//! ```
//!
//! A trip prints a JSON object with the median and the 99th percentile in microseconds. What comes back
//! is compared with what was sent.
#![allow(clippy::print_stdout, reason = "a command line tool speaks on stdout")]

use remotemedia::packet::{Buffer, DType, Tensor};
use remotemedia::remote::server::{Config, Server};
use remotemedia::remote::v1::node_service_client::NodeServiceClient;
use remotemedia::remote::v1::node_service_server::{NodeService, NodeServiceServer};
use remotemedia::remote::v1::stream_node_request::{self as up, Request as Said, call::Call};
use remotemedia::remote::v1::stream_node_response::{self as down, Response as Say};
use remotemedia::remote::{Endpoint, v1};
use remotemedia::{Engine, Manifest, Packet, Payload, Pull};
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::{UnboundedReceiverStream, UnixListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Done {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match args.as_slice() {
        ["serve", "ours", endpoint] => runtime.block_on(async {
            let engine = Engine::default();
            let server = Server::bind(Config::at(endpoint), &engine).await?;
            println!("serving");
            Ok(server.run().await?)
        }),
        ["serve", "bare", endpoint] => runtime.block_on(serve_bare(endpoint)),
        ["trip", side, form, endpoint, bytes, count] => {
            let (bytes, count) = (bytes.parse()?, count.parse()?);
            let times = match (*side, *form) {
                ("ours", "stream") => ours(endpoint, bytes, count)?,
                ("bare", "stream") => runtime.block_on(bare_stream(endpoint, bytes, count))?,
                (side, "unary") => runtime.block_on(unary(side, endpoint, bytes, count))?,
                _ => return Err("trip bare|ours stream|unary".into()),
            };
            println!("{}", figures(side, form, bytes, times));
            Ok(())
        }
        _ => {
            Err("serve bare|ours ENDPOINT, or trip bare|ours stream|unary ENDPOINT BYTES COUNT"
                .into())
        }
    }
}

fn figures(side: &str, form: &str, bytes: usize, mut times: Vec<Duration>) -> serde_json::Value {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    json!({"ok": true, "side": side, "form": form, "bytes": bytes, "count": times.len(),
           "p50_us": at(0.5), "p99_us": at(0.99)})
}

/// So many calls are made before those that count.
fn warm(count: usize) -> usize {
    (count / 10).clamp(3, 1000)
}

fn packet(bytes: usize, number: usize) -> Packet {
    let mut data = vec![7_u8; bytes];
    data[0] = number as u8;
    let tensor = Tensor::new(DType::U8, vec![bytes], Buffer::from_vec(data)).expect("it fits");
    Packet::new(Payload::Tensor(Arc::new(tensor)))
}

fn ours(endpoint: &str, bytes: usize, count: usize) -> Done<Vec<Duration>> {
    let engine = Engine::default();
    remotemedia::remote::install(&engine);
    let pipeline = engine.pipeline(&Manifest::from_value(json!({
        "version": "v1",
        "nodes": [{"id": "echo", "node_type": "PassThrough", "placement": "remote",
                   "remote": {"endpoint": endpoint}}],
    }))?)?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count + warm(count) {
        let packet = packet(bytes, number);
        let begun = Instant::now();
        pipeline.push(packet)?;
        let Pull::Packet(_, back) = pipeline.pull(Duration::from_secs(60))? else {
            return Err("nothing came back".into());
        };
        times.push(begun.elapsed());
        let Payload::Tensor(tensor) = back.payload() else { return Err("no tensor".into()) };
        check(tensor.buffer.as_slice(), bytes, number)?;
    }
    Ok(times.split_off(warm(count)))
}

fn check(back: &[u8], bytes: usize, number: usize) -> Done {
    match back.len() == bytes && back[0] == number as u8 && back[bytes - 1] == 7 {
        true => Ok(()),
        false => Err("what came back is not what was sent".into()),
    }
}

fn message(bytes: usize, number: usize) -> v1::Packet {
    let mut data = vec![7_u8; bytes];
    data[0] = number as u8;
    let payload =
        v1::Tensor { dtype: v1::DType::U8.into(), shape: vec![bytes as u64], data: data.into() };
    let payload = Some(v1::packet::Payload::Tensor(payload));
    v1::Packet { pts_ns: None, discont: false, payload }
}

fn check_message(packet: Option<v1::Packet>, bytes: usize, number: usize) -> Done {
    match packet.and_then(|packet| packet.payload) {
        Some(v1::packet::Payload::Tensor(tensor)) => check(&tensor.data, bytes, number),
        _ => Err("no tensor".into()),
    }
}

async fn connect(endpoint: &str) -> Done<NodeServiceClient<tonic::transport::Channel>> {
    let target = |uri: String| -> Done<_> {
        Ok(tonic::transport::Endpoint::from_shared(uri)?
            .tcp_nodelay(true)
            .initial_stream_window_size(Some(4 << 20))
            .initial_connection_window_size(Some(16 << 20)))
    };
    let channel = match Endpoint::parse(endpoint)? {
        Endpoint::Tcp { host, port, .. } => {
            target(format!("http://{host}:{port}"))?.connect().await?
        }
        Endpoint::Unix(path) => {
            let dial = move |_: tonic::transport::Uri| {
                let path = path.clone();
                async move {
                    let stream = UnixStream::connect(path).await?;
                    Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
                }
            };
            target("http://localhost".to_owned())?
                .connect_with_connector(tower::service_fn(dial))
                .await?
        }
    };
    Ok(NodeServiceClient::new(channel)
        .max_decoding_message_size(64 << 20)
        .max_encoding_message_size(64 << 20))
}

async fn bare_stream(endpoint: &str, bytes: usize, count: usize) -> Done<Vec<Duration>> {
    let mut client = connect(endpoint).await?;
    let (send, calls) = tokio::sync::mpsc::unbounded_channel();
    let mut answers = client.stream_node(UnboundedReceiverStream::new(calls)).await?.into_inner();
    let mut times = Vec::with_capacity(count);
    for number in 0..count + warm(count) {
        let packet = message(bytes, number);
        let begun = Instant::now();
        let process = up::Process { port: 0, lane: 0, packet: Some(packet) };
        let (seq, answered) = (number as u64 + 1, number as u64);
        let call = up::Call { seq, answered, call: Some(Call::Process(process)) };
        send.send(v1::StreamNodeRequest { request: Some(Said::Call(call)) })?;
        let answer = answers.message().await?.and_then(|message| message.response);
        times.push(begun.elapsed());
        let Some(Say::Answer(mut answer)) = answer else { return Err("no answer".into()) };
        check_message(answer.outputs.remove(0).packet, bytes, number)?;
    }
    Ok(times.split_off(warm(count)))
}

async fn unary(side: &str, endpoint: &str, bytes: usize, count: usize) -> Done<Vec<Duration>> {
    // The same client for both: unary calls are for those that have no engine.
    let _ = side;
    let mut client = connect(endpoint).await?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count + warm(count) {
        let node = v1::NodeSpec { node_type: "PassThrough".to_owned(), params: String::new() };
        let inputs = vec![message(bytes, number)];
        let begun = Instant::now();
        let request = v1::ExecuteNodeRequest { node: Some(node), inputs };
        let mut response = client.execute_node(request).await?.into_inner();
        times.push(begun.elapsed());
        check_message(response.outputs.remove(0).packet, bytes, number)?;
    }
    Ok(times.split_off(warm(count)))
}

/// Bare tonic: what comes goes back.
struct Bare;

type Answers = Pin<Box<dyn Stream<Item = Result<v1::StreamNodeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl NodeService for Bare {
    type StreamNodeStream = Answers;

    async fn execute_node(
        &self,
        request: Request<v1::ExecuteNodeRequest>,
    ) -> Result<Response<v1::ExecuteNodeResponse>, Status> {
        let output = |packet| v1::Output { port: 0, packet: Some(packet) };
        let outputs = request.into_inner().inputs.into_iter().map(output).collect();
        Ok(Response::new(v1::ExecuteNodeResponse { outputs }))
    }

    async fn stream_node(
        &self,
        request: Request<Streaming<v1::StreamNodeRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let answers = request.into_inner().map(|request| {
            let Some(Said::Call(up::Call { seq, call: Some(Call::Process(process)), .. })) =
                request?.request
            else {
                return Err(Status::invalid_argument("no call"));
            };
            let outputs = vec![v1::Output { port: 0, packet: process.packet }];
            let answer = down::Answer { seq, outputs, ..down::Answer::default() };
            Ok(v1::StreamNodeResponse { response: Some(Say::Answer(answer)) })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn list_nodes(
        &self,
        _: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        Err(Status::unimplemented("it only echoes"))
    }
}

async fn serve_bare(endpoint: &str) -> Done {
    let service = NodeServiceServer::new(Bare)
        .max_decoding_message_size(64 << 20)
        .max_encoding_message_size(64 << 20);
    let server = tonic::transport::Server::builder()
        .initial_stream_window_size(Some(4 << 20))
        .initial_connection_window_size(Some(16 << 20))
        .add_service(service);
    match Endpoint::parse(endpoint)? {
        Endpoint::Tcp { host, port, .. } => {
            let incoming =
                TcpIncoming::from(TcpListener::bind((host, port)).await?).with_nodelay(Some(true));
            println!("serving");
            server.serve_with_incoming(incoming).await?;
        }
        Endpoint::Unix(path) => {
            let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
            println!("serving");
            server.serve_with_incoming(incoming).await?;
        }
    }
    Ok(())
}
