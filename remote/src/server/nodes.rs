//! The service of single nodes.

use super::calls::{self, CREDIT, Waiting};
use super::ears::{self, Ears, Event, begun_again};
use super::hold::Hold;
use super::runs::seat;
use super::served::Served;
use super::session::{Opening, Session};
use super::sessions::CallUnderWay;
use crate::parts::cut_if_large;
use crate::v1::node_service_server::NodeService;
use crate::v1::stream_node_request::Request as Said;
use crate::v1::stream_node_response::{self as down, Response as Say};
use crate::v1::{
    ExecuteNodeRequest, ExecuteNodeResponse, ListNodesRequest, ListNodesResponse,
    StreamNodeRequest, StreamNodeResponse,
};
use crate::wire;
use prost::Message;
use remotemedia_core::error::Result;
use remotemedia_core::node;
use remotemedia_core::seat::{Call, Seat};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

pub(super) struct Nodes(pub(super) Arc<Served>);

type Answers = Pin<Box<dyn Stream<Item = Result<StreamNodeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl NodeService for Nodes {
    type StreamNodeStream = Answers;

    async fn execute_node(
        &self,
        request: Request<ExecuteNodeRequest>,
    ) -> Result<Response<ExecuteNodeResponse>, Status> {
        let request = request.into_inner();
        let bytes = request.encoded_len();
        let outputs = self.0.make_call(bytes, |call| self.execute(call, request, bytes)).await?;
        Ok(Response::new(ExecuteNodeResponse { outputs }))
    }

    async fn stream_node(
        &self,
        request: Request<Streaming<StreamNodeRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let opening = self.0.opening(&request)?;
        let mut inbound = request.into_inner();
        let first = ears::first(&mut inbound).await?;
        let begun = self.begin(first.and_then(|first| first.request), opening);
        let begun = begun.map_err(|e| self.0.refuse(&e))?;
        Ok(Response::new(Box::pin(begun.serve(inbound))))
    }

    async fn list_nodes(
        &self,
        _: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        let registry = self.0.engine.registry();
        let nodes = registry.types();
        let nodes = nodes.map(|(full, node_type)| node::describe(full, &**node_type).to_string());
        Ok(Response::new(ListNodesResponse { nodes: nodes.collect() }))
    }
}

/// Bytes of a call of one node that is short, whatever the node does with them.
const SHORT: usize = 64 << 10;

impl Nodes {
    async fn execute(
        &self,
        under_way: CallUnderWay,
        request: ExecuteNodeRequest,
        bytes: usize,
    ) -> Result<Vec<crate::v1::Output>> {
        let (engine, only) = (&self.0.engine, self.0.sessions.access().nodes());
        let seat = seat(wire::present(request.node)?, 1, engine, only.as_deref())?;
        let pool = engine.pool();
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
        Served::away(under_way, move || runtime.block_on(work(seat, calls))).await
    }

    /// Opens a session, or attaches to one.
    fn begin(&self, said: Option<Said>, opening: Opening) -> Result<Begun> {
        let sessions = &self.0.sessions;
        match said {
            Some(Said::Open(open)) => {
                let (engine, only) = (&self.0.engine, sessions.access().nodes());
                let session = sessions.add(opening, |opening| {
                    calls::open(opening, open, engine, only.as_deref(), sessions.limits())
                })?;
                let opened = Say::Opened(down::Opened {
                    session: session.id.clone(),
                    lease_ms: sessions.lease_ms(),
                    load: sessions.count() as u32,
                    credit: CREDIT,
                    message_bytes: sessions.limits().message as u64,
                });
                Ok(Begun { hold: Hold::on(session, sessions), first: opened, told: 0 })
            }
            Some(Said::Attach(attach)) => {
                let fits = |session: &Session| session.calls().map(drop);
                let hold = Hold::back_on(sessions, &attach.session, &opening.who, fits)?;
                let calls = hold.session.calls()?;
                calls.acknowledge(attach.answered);
                let received = calls.received();
                let first = Say::Attached(down::Attached { received });
                Ok(Begun { hold, first, told: attach.answered.min(received) })
            }
            _ => Err(wire::wrong("neither 'open' nor 'attach' to begin with".to_owned())),
        }
    }
}

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

/// A stream that has said what it is for.
struct Begun {
    hold: Hold,
    /// What is said first.
    first: Say,
    /// The last answer that the client has.
    told: u64,
}

/// Bytes of calls that may wait for their turn, and one more call.
const CREDIT_BYTES: usize = 64 << 20;

impl Begun {
    /// Makes the calls that come, and says what has become of them.
    fn serve(
        self,
        inbound: Streaming<StreamNodeRequest>,
    ) -> impl Stream<Item = Result<StreamNodeResponse, Status>> + Send {
        let say = |response| StreamNodeResponse { response: Some(response) };
        let Self { mut hold, first, mut told } = self;
        async_stream::stream! {
            yield Ok(say(first));
            let session = Arc::clone(&hold.session);
            let Ok(calls) = session.calls() else { return };
            let mut ears = Ears::new(inbound, &session, hold.stream, &hold.sessions);
            let (mut line, mut bytes) = (VecDeque::<Waiting>::new(), 0);
            // The last interrupt: calls before it are forgotten.
            let mut overtaken = 0;
            // How long the client has had to acknowledge something.
            let mut full = 0;
            // The client says nothing more, but for what waits.
            let mut ends = false;
            let status = loop {
                if let Some(status) = ears.no_more_time() {
                    break status;
                }
                // Before the answers are looked at: one that comes to its end behind that wakes.
                let busy = calls.is_busy();
                while let Some(answer) = calls.answer_after(told) {
                    told = answer.seq;
                    if calls.is_first(told) {
                        let metrics = hold.sessions.metrics();
                        metrics.call(answer.error.is_some(), answer.node_ns, answer.queue_ns);
                        if let Some(error) = &answer.error {
                            hold.failed(answer.seq, &error.message);
                        }
                    }
                    let part = |part| say(Say::Part(part));
                    for piece in cut_if_large(say(Say::Answer(answer)), calls.part_bytes, part) {
                        yield Ok(piece);
                    }
                }
                if ends {
                    // It can't say any more that they have come.
                    calls.acknowledge(told);
                }
                let held_up = calls.is_full();
                if !busy && !held_up && let Some(next) = line.pop_front() {
                    bytes -= next.bytes();
                    full = 0;
                    match calls::begin(&session, next, overtaken) {
                        Ok(()) => continue,
                        Err(error) => break hold.fail(&error),
                    }
                }
                if ends && !busy && line.is_empty() {
                    return;
                }
                // More is not read than may wait, unless what is to come says what may be forgotten.
                let few = line.len() <= CREDIT as usize;
                let listening = !ends && few && (held_up || bytes < CREDIT_BYTES);
                ears.patient = busy || !line.is_empty();
                let event = tokio::select! {
                    biased;
                    () = calls.finished.notified(), if busy => continue,
                    event = ears.hear(listening) => event,
                };
                let said = match event {
                    Event::Said(message) => message.request,
                    Event::Tick => {
                        full += u32::from(held_up);
                        if full > 8 || held_up && !few {
                            break hold.fail(&calls::unacknowledged());
                        }
                        yield Ok(say(Say::Heartbeat(down::Heartbeat {})));
                        continue;
                    }
                    Event::Draining(deadline_ms) => {
                        yield Ok(say(Say::Draining(down::Draining { deadline_ms })));
                        continue;
                    }
                    Event::Done => {
                        ends = true;
                        continue;
                    }
                    Event::Over(status) => break status,
                    Event::Wrong(error) => break hold.fail(&error),
                };
                match said {
                    Some(Said::Call(call)) => {
                        calls.acknowledge(call.answered);
                        match Waiting::new(call, hold.sessions.budget().share()) {
                            Ok(next) => {
                                if next.overtakes() {
                                    overtaken = next.seq();
                                }
                                bytes += next.bytes();
                                line.push_back(next);
                            }
                            Err(error) => break hold.fail(&error),
                        }
                    }
                    Some(Said::Heartbeat(beat)) => calls.acknowledge(beat.answered),
                    Some(Said::Close(_)) => {
                        hold.close();
                        ends = true;
                    }
                    Some(Said::Part(_)) | None => {}
                    Some(Said::Open(_) | Said::Attach(_)) => break begun_again(),
                }
            };
            yield Err(status);
        }
    }
}
