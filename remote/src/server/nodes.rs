//! The service of single nodes.

use super::Config;
use super::happened::What;
use super::sessions::Sessions;
use crate::session::{Session, seat};
use crate::v1::node_service_server::NodeService;
use crate::v1::stream_node_request::{self as up, Request as Said};
use crate::v1::stream_node_response::{self as down, Response as Say};
use crate::v1::{
    ExecuteNodeRequest, ExecuteNodeResponse, ListNodesRequest, ListNodesResponse,
    StreamNodeRequest, StreamNodeResponse,
};
use crate::{failure, wire};
use remotemedia_core::engine::Engine;
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::node;
use prost::Message;
use remotemedia_core::seat::{Call, Seat};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

pub(super) struct Nodes {
    pub(super) engine: Engine,
    pub(super) config: Arc<Config>,
    pub(super) sessions: Sessions,
}

type Answers = Pin<Box<dyn Stream<Item = Result<StreamNodeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl NodeService for Nodes {
    type StreamNodeStream = Answers;

    async fn execute_node(
        &self,
        request: Request<ExecuteNodeRequest>,
    ) -> Result<Response<ExecuteNodeResponse>, Status> {
        self.admit(&request)?;
        let outputs = self.execute(request.into_inner()).await;
        let response = outputs.map(|outputs| Response::new(ExecuteNodeResponse { outputs }));
        response.map_err(|e| failure::to_status(&e))
    }

    async fn stream_node(
        &self,
        request: Request<Streaming<StreamNodeRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let owner = self.admit(&request)?;
        let mut inbound = request.into_inner();
        let first = match tokio::time::timeout(FIRST, inbound.message()).await {
            Ok(first) => first?,
            Err(_) => return Err(Status::deadline_exceeded("the stream began with nothing")),
        };
        let begun = self.begin(first.and_then(|first| first.request), owner).await;
        let begun = begun.map_err(|e| self.refuse(&e))?;
        Ok(Response::new(Box::pin(begun.serve(inbound))))
    }

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        self.admit(&request)?;
        let registry = self.engine.registry();
        let nodes = registry.types();
        let nodes = nodes.map(|(full, node_type)| node::describe(full, &**node_type).to_string());
        Ok(Response::new(ListNodesResponse { nodes: nodes.collect() }))
    }
}

/// How long a stream may be open without saying what it is for.
const FIRST: Duration = Duration::from_secs(10);

impl Nodes {
    /// Who asks.
    fn admit<T>(&self, request: &Request<T>) -> Result<String, Status> {
        self.config.admit(request.metadata()).map_err(|e| self.refuse(&e))
    }

    fn refuse(&self, error: &Error) -> Status {
        self.sessions.note(What::Refused, None, error.message());
        failure::to_status(error)
    }

    fn only(&self) -> Option<&[String]> {
        self.config.nodes.as_deref()
    }

    async fn execute(&self, request: ExecuteNodeRequest) -> Result<Vec<crate::v1::Output>> {
        let pool = self.engine.pool();
        let bytes = request.encoded_len();
        let seat = seat(wire::present(request.node)?, 1, &self.engine, self.only())?;
        let inputs = request.inputs.into_iter().map(|packet| wire::from_wire(packet, pool));
        let mut calls = Vec::new();
        for (index, packet) in inputs.enumerate() {
            let packet = packet?;
            // What an engine does at a border.
            if index > 0 && packet.is_discont() {
                calls.push(Call::Drain);
            }
            calls.push(Call::Process { port: 0, lane: 0, packet });
        }
        calls.push(Call::Finish);
        // What may be long goes away from the threads of the connections; the way there costs more than
        // a short call.
        let long = bytes > SHORT || seat.node_type().descriptor().blocking;
        if !long {
            return work(seat, calls).await;
        }
        let runtime = tokio::runtime::Handle::current();
        let worked = tokio::task::spawn_blocking(move || runtime.block_on(work(seat, calls)));
        worked.await.unwrap_or_else(|e| {
            Err(Error::new(
                detail::NODE_PANICKED,
                format!("the node's call did not come back: {e}"),
            ))
        })
    }

    /// Opens a session, or attaches to one.
    async fn begin(&self, said: Option<Said>, owner: String) -> Result<Begun> {
        match said {
            Some(Said::Open(open)) => {
                let session = self
                    .sessions
                    .add(|id| Session::open(id, owner, open, &self.engine, self.only()))?;
                let opened = Say::Opened(down::Opened {
                    session: session.id.clone(),
                    lease_ms: u32::try_from(self.sessions.lease().as_millis()).unwrap_or(u32::MAX),
                    load: self.sessions.count() as u32,
                });
                Ok(Begun { hold: Hold::on(session, &self.sessions), first: vec![opened] })
            }
            Some(Said::Attach(attach)) => {
                let session = self.sessions.find(&attach.session, &owner)?;
                self.sessions.note(What::Attached, Some(&session), session.about());
                let hold = Hold::on(session, &self.sessions);
                let (received, answers) = hold.session.rest(attach.answered).await;
                let mut first = vec![Say::Attached(down::Attached { received })];
                first.extend(answers.into_iter().map(Say::Answer));
                Ok(Begun { hold, first })
            }
            _ => Err(wire::wrong("neither 'open' nor 'attach' to begin with".to_owned())),
        }
    }
}

/// Bytes of a call of one node that is short, whatever the node does with them.
const SHORT: usize = 64 << 10;

async fn work(mut seat: Seat, calls: Vec<Call>) -> Result<Vec<crate::v1::Output>> {
    let mut outputs = Vec::new();
    for call in calls {
        let answer = match seat.call(call)? {
            Poll::Ready(answer) => answer,
            Poll::Pending => poll_fn(|cx| seat.poll(cx.waker())).await?,
        };
        outputs.extend(wire::outputs_to_wire(&answer.outputs));
    }
    Ok(outputs)
}

/// A stream's hold on its session. When it goes, the session waits for another stream.
struct Hold {
    session: Arc<Session>,
    stream: u64,
    sessions: Sessions,
    /// The client has closed the session.
    over: bool,
}

impl Hold {
    /// Takes the session over.
    fn on(session: Arc<Session>, sessions: &Sessions) -> Self {
        let (stream, sessions) = (session.take_over(), sessions.clone());
        Self { session, stream, sessions, over: false }
    }

    /// The session is over, and not only the stream.
    fn close(&mut self) {
        self.over = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.over {
            self.sessions.note(What::Closed, Some(&self.session), self.session.about());
            self.sessions.remove(&self.session);
        } else if self.session.is_on(self.stream) {
            self.sessions.detach(Arc::clone(&self.session), self.stream);
        }
    }
}

/// A stream that has said what it is for.
struct Begun {
    hold: Hold,
    /// What is said first.
    first: Vec<Say>,
}

/// A client that says nothing for so many heartbeats is gone.
const SILENT: u32 = 3;

impl Begun {
    /// Makes the calls that come, and says what has become of them. Each is made where it comes in: an
    /// answer waits for nothing but its node.
    fn serve(
        self,
        mut inbound: Streaming<StreamNodeRequest>,
    ) -> impl Stream<Item = Result<StreamNodeResponse, Status>> + Send {
        let say = |response| Ok(StreamNodeResponse { response: Some(response) });
        let Self { mut hold, first } = self;
        let beat = hold.session.beat;
        async_stream::stream! {
            for response in first {
                yield say(response);
            }
            let session = Arc::clone(&hold.session);
            let mut ticks = tokio::time::interval((beat / 4).max(Duration::from_millis(1)));
            let mut heard = Instant::now();
            let mut deadline = hold.sessions.deadline();
            let mut told = false;
            loop {
                let message = tokio::select! {
                    biased;
                    message = inbound.message() => Some(message),
                    () = session.replaced.notified() => None,
                    _ = deadline.changed() => None,
                    _ = ticks.tick() => {
                        if heard.elapsed() >= beat * SILENT {
                            break;
                        }
                        None
                    }
                };
                if !session.is_on(hold.stream) {
                    yield Err(Status::aborted("another stream has attached to the session"));
                    break;
                }
                let ends = *deadline.borrow_and_update();
                if let (Some(at), false) = (ends, told) {
                    told = true;
                    let left = at.saturating_duration_since(Instant::now()).as_millis();
                    let deadline_ms = u32::try_from(left).unwrap_or(u32::MAX);
                    yield say(Say::Draining(down::Draining { deadline_ms }));
                }
                let said = match message {
                    None => {
                        yield say(Say::Heartbeat(down::Heartbeat {}));
                        continue;
                    }
                    // The connection is gone, or what came is no message.
                    Some(Err(_) | Ok(None)) => break,
                    Some(Ok(Some(message))) => message.request,
                };
                heard = Instant::now();
                match said {
                    Some(Said::Call(call)) => {
                        let made = session.call(call);
                        tokio::pin!(made);
                        let answer = loop {
                            let made = tokio::select! {
                                biased;
                                made = &mut made => Some(made),
                                _ = ticks.tick() => None,
                            };
                            match made {
                                Some(made) => break made,
                                None => yield say(Say::Heartbeat(down::Heartbeat {})),
                            }
                        };
                        match answer {
                            Ok(Some(answer)) => {
                                let failed = answer.error.is_some();
                                let metrics = hold.sessions.metrics();
                                metrics.call(failed, answer.node_ns, answer.queue_ns);
                                yield say(Say::Answer(answer));
                            }
                            Ok(None) => {}
                            Err(error) => {
                                hold.close();
                                yield Err(failure::to_status(&error));
                                break;
                            }
                        }
                    }
                    Some(Said::Close(up::Close {})) => {
                        hold.close();
                        break;
                    }
                    Some(Said::Heartbeat(_)) | None => {}
                    Some(Said::Open(_) | Said::Attach(_)) => {
                        let error = wire::wrong("'open' or 'attach' in the middle".to_owned());
                        yield Err(failure::to_status(&error));
                        break;
                    }
                }
            }
        }
    }
}
