//! Bare tonic, which sends the same messages as we do: a server that gives back what comes, and a client of
//! the generated code, which both servers understand.

use crate::Done;
use remotemedia::remote::v1::node_service_client::NodeServiceClient;
use remotemedia::remote::v1::node_service_server::{NodeService, NodeServiceServer};
use remotemedia::remote::v1::stream_node_request::{
    Call as Asked, Close, Open, Process, Request as Said, call::Call, open,
};
use remotemedia::remote::v1::stream_node_response::{self as down, Response as Say};
use remotemedia::remote::{Endpoint, v1};
use std::pin::Pin;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server, Uri};
use tonic::{Request, Response, Status, Streaming};

/// Windows and the largest message are what our server and client have.
const WINDOW: u32 = 4 << 20;
const MOST_BYTES: usize = 64 << 20;

/// The generated client.
pub(crate) type Client = NodeServiceClient<Channel>;

/// Connects.
pub(crate) async fn connect(endpoint: &str) -> Done<Client> {
    let target = |uri: String| -> Done<_> {
        Ok(tonic::transport::Endpoint::from_shared(uri)?
            .tcp_nodelay(true)
            .initial_stream_window_size(Some(WINDOW))
            .initial_connection_window_size(Some(4 * WINDOW)))
    };
    let channel = match Endpoint::parse(endpoint)? {
        Endpoint::Tcp { host, port, .. } => {
            target(format!("http://{host}:{port}"))?.connect().await?
        }
        Endpoint::Unix(path) => {
            let dial = move |_: Uri| {
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
        .max_decoding_message_size(MOST_BYTES)
        .max_encoding_message_size(MOST_BYTES))
}

/// The message that begins a stream of our server; the bare one takes no notice.
pub(crate) fn opening() -> v1::StreamNodeRequest {
    let node = open::What::Node(pass_through());
    let open = Open { what: Some(node), lanes: 1, heartbeat_ms: 60_000, ..Open::default() };
    v1::StreamNodeRequest { request: Some(Said::Open(open)) }
}

/// The message that ends one.
pub(crate) fn closing() -> v1::StreamNodeRequest {
    v1::StreamNodeRequest { request: Some(Said::Close(Close {})) }
}

/// The node that both sides run.
pub(crate) fn pass_through() -> v1::NodeSpec {
    v1::NodeSpec { node_type: "PassThrough".to_owned(), params: String::new() }
}

/// A call with a packet.
pub(crate) fn call(seq: u64, answered: u64, packet: v1::Packet) -> v1::StreamNodeRequest {
    let process = Process { port: 0, lane: 0, packet: Some(packet) };
    let call = Asked { seq, answered, call: Some(Call::Process(process)) };
    v1::StreamNodeRequest { request: Some(Said::Call(call)) }
}

/// The next answer; `None` when the stream is over.
pub(crate) async fn answer(
    answers: &mut Streaming<v1::StreamNodeResponse>,
) -> Done<Option<down::Answer>> {
    loop {
        match answers.message().await? {
            None => return Ok(None),
            Some(v1::StreamNodeResponse { response: Some(Say::Answer(answer)) }) => {
                return match answer.error {
                    Some(error) => Err(error.message.into()),
                    None => Ok(Some(answer)),
                };
            }
            // What our server says beside.
            Some(_) => {}
        }
    }
}

/// Serves until the process ends.
pub(crate) async fn serve(endpoint: &str) -> Done {
    let service = NodeServiceServer::new(Echo)
        .max_decoding_message_size(MOST_BYTES)
        .max_encoding_message_size(MOST_BYTES);
    let server = Server::builder()
        .initial_stream_window_size(Some(WINDOW))
        .initial_connection_window_size(Some(4 * WINDOW))
        .add_service(service);
    match Endpoint::parse(endpoint)? {
        Endpoint::Tcp { host, port, .. } => {
            let listener = TcpListener::bind((host, port)).await?;
            crate::listening(&listener.local_addr()?);
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            server.serve_with_incoming(incoming).await?;
        }
        Endpoint::Unix(path) => {
            let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
            crate::listening(&endpoint);
            server.serve_with_incoming(incoming).await?;
        }
    }
    Ok(())
}

/// What comes goes back.
struct Echo;

type Answers = Pin<Box<dyn Stream<Item = Result<v1::StreamNodeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl NodeService for Echo {
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
        let answers = request.into_inner().filter_map(|request| {
            let request = match request {
                Ok(request) => request.request,
                Err(status) => return Some(Err(status)),
            };
            let Some(Said::Call(call)) = request else { return None };
            let Some(Call::Process(process)) = call.call else { return None };
            let outputs = vec![v1::Output { port: 0, packet: process.packet }];
            let answer = down::Answer { seq: call.seq, outputs, ..down::Answer::default() };
            Some(Ok(v1::StreamNodeResponse { response: Some(Say::Answer(answer)) }))
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
