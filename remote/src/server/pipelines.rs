//! The service of whole pipelines.

use super::ears::{self, Ears, Event};
use super::hold::Hold;
use super::nodes::Served;
use super::running::{self, CREDIT, MOST_COMMANDS, Told, Waiting};
use super::session::Opening;
use super::whole;
use crate::parts::{MOST_BYTES, cut_if_large};
use crate::v1::pipeline_service_server::PipelineService;
use crate::v1::stream_pipeline_request::Request as Said;
use crate::v1::stream_pipeline_response::{self as down, Response as Say};
use crate::v1::{
    ExecutePipelineRequest, ExecutePipelineResponse, StreamPipelineRequest, StreamPipelineResponse,
};
use crate::{failure, wire};
use remotemedia_core::engine::Pipeline;
use remotemedia_core::error::{Error, Result, detail};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

pub(super) struct Pipelines(pub(super) Arc<Served>);

type Answers = Pin<Box<dyn Stream<Item = Result<StreamPipelineResponse, Status>> + Send>>;

/// Cancels a pipeline that nobody waits for any more.
struct Cancel(Arc<Pipeline>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[tonic::async_trait]
impl PipelineService for Pipelines {
    type StreamPipelineStream = Answers;

    async fn execute_pipeline(
        &self,
        request: Request<ExecutePipelineRequest>,
    ) -> Result<Response<ExecutePipelineResponse>, Status> {
        let _call = self.0.sessions.begin_call().map_err(|e| self.0.refuse(&e))?;
        let executed = self.execute(request.into_inner()).await;
        executed.map(Response::new).map_err(|e| failure::to_status(&e))
    }

    async fn stream_pipeline(
        &self,
        request: Request<Streaming<StreamPipelineRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let opening = self.0.opening(&request)?;
        let mut inbound = request.into_inner();
        let first = ears::first(&mut inbound).await?;
        let begun = self.begin(first.and_then(|first| first.request), opening);
        let begun = begun.map_err(|e| self.0.refuse(&e))?;
        Ok(Response::new(Box::pin(begun.serve(inbound))))
    }
}

/// A stream that has said what it is for.
struct Begun {
    hold: Hold,
    /// What is said first.
    first: Vec<Say>,
    told: Told,
}

impl Pipelines {
    async fn execute(&self, request: ExecutePipelineRequest) -> Result<ExecutePipelineResponse> {
        let engine = self.0.engine.clone();
        let only = self.0.sessions.access().nodes();
        let pipeline = whole::pipeline(&request.manifest, &engine, only.as_deref())?;
        let pipeline = Arc::new(pipeline);
        // A client that goes, or whose time is over, leaves nothing running.
        let _cancel = Cancel(Arc::clone(&pipeline));
        // Away from the threads of the connections: it may be long.
        let worked = tokio::task::spawn_blocking(move || {
            let outputs = whole::execute(&pipeline, request.inputs, engine.pool(), MOST_BYTES)?;
            let metrics = pipeline.metrics().to_string();
            Ok(ExecutePipelineResponse { outputs, metrics })
        });
        worked.await.unwrap_or_else(|e| {
            let message = format!("the pipeline did not come back: {e}");
            Err(Error::new(detail::NODE_PANICKED, message))
        })
    }

    /// Opens a session, or attaches to one.
    fn begin(&self, said: Option<Said>, opening: Opening) -> Result<Begun> {
        let sessions = &self.0.sessions;
        match said {
            Some(Said::Open(open)) => {
                let (engine, only) = (&self.0.engine, sessions.access().nodes());
                let session = sessions.add(opening, |opening| {
                    running::open(opening, &open, engine, only.as_deref(), sessions.limits())
                })?;
                let (inputs, outputs) = session.running()?.ports();
                let opened = Say::Opened(down::Opened {
                    session: session.id.clone(),
                    lease_ms: sessions.lease_ms(),
                    inputs,
                    outputs,
                    credit: CREDIT as u32,
                    message_bytes: sessions.limits().message as u64,
                });
                let hold = Hold::on(session, sessions);
                Ok(Begun { hold, first: vec![opened], told: Told::default() })
            }
            Some(Said::Attach(attach)) => {
                let session = sessions.find(&attach.session, &opening.who)?;
                session.running()?;
                let hold = Hold::back_on(session, sessions);
                let first = hold.session.running()?.rest(attach.received);
                let told = Told { output: attach.received, over: false };
                Ok(Begun { hold, first, told })
            }
            _ => Err(wire::wrong("neither 'open' nor 'attach' to begin with".to_owned())),
        }
    }
}

impl Begun {
    /// Does what comes, and says what comes of it.
    fn serve(
        self,
        inbound: Streaming<StreamPipelineRequest>,
    ) -> impl Stream<Item = Result<StreamPipelineResponse, Status>> + Send {
        let Self { mut hold, first, mut told } = self;
        let part_bytes = hold.session.running().map_or(0, |running| running.part_bytes);
        let say = move |response| {
            let response = StreamPipelineResponse { response: Some(response) };
            cut_if_large(response, part_bytes, |part| StreamPipelineResponse {
                response: Some(Say::Part(part)),
            })
        };
        async_stream::stream! {
            for response in first {
                for piece in say(response) {
                    yield Ok(piece);
                }
            }
            let session = Arc::clone(&hold.session);
            let Ok(running) = session.running() else { return };
            let mut ears = Ears::new(inbound, &session, hold.stream, &hold.sessions);
            let mut line = VecDeque::<Waiting>::new();
            // The client says nothing more.
            let mut ends = false;
            loop {
                // More is not read than may wait, so that the client has to wait; but behind all that may
                // wait there may be an interrupt, or what allows more outputs.
                let pushes = line.iter().filter(|waiting| waiting.is_push()).count();
                let stuck = running.is_out_of_credit();
                if line.len() >= MOST_COMMANDS && stuck {
                    hold.close();
                    yield Err(failure::to_status(&too_many()));
                    break;
                }
                let listening = !ends && line.len() < MOST_COMMANDS && (pushes <= CREDIT || stuck);
                ears.patient = !line.is_empty();
                let (on, stream) = (&session, hold.stream);
                let event = tokio::select! {
                    biased;
                    event = ears.hear(listening) => event,
                    said = poll_fn(|cx| {
                        let is_on = || on.is_on(stream);
                        blocking(|| running.poll(cx, &mut line, &mut told, is_on))
                    }) => {
                        match said {
                            Ok(said) => {
                                for response in said {
                                    let over = matches!(response, Say::Ended(_) | Say::Failed(_));
                                    if let Say::Done(down::Done { seq, error: Some(error) }) = &response {
                                        hold.failed(*seq, &error.message);
                                    }
                                    for piece in say(response) {
                                        yield Ok(piece);
                                    }
                                    if over && ends {
                                        hold.close();
                                        return;
                                    }
                                }
                                continue;
                            }
                            Err(error) => Event::Wrong(error),
                        }
                    }
                };
                let said = match event {
                    Event::Said(message) => message.request,
                    Event::Tick => {
                        yield Ok(StreamPipelineResponse {
                            response: Some(Say::Heartbeat(down::Heartbeat {})),
                        });
                        continue;
                    }
                    Event::Draining(deadline_ms) => {
                        yield Ok(StreamPipelineResponse {
                            response: Some(Say::Draining(down::Draining { deadline_ms })),
                        });
                        continue;
                    }
                    Event::Done => {
                        ends = true;
                        if running.is_over() {
                            hold.close();
                            break;
                        }
                        continue;
                    }
                    Event::Gone => break,
                    Event::Over(status) => {
                        yield Err(status);
                        break;
                    }
                    Event::Wrong(error) => {
                        hold.close();
                        yield Err(failure::to_status(&error));
                        break;
                    }
                };
                match said {
                    Some(Said::Command(command)) => {
                        match Waiting::new(command, hold.sessions.budget().share()) {
                            Ok(next) => {
                                if next.overtakes() {
                                    line.iter_mut().for_each(Waiting::forget);
                                }
                                line.push_back(next);
                            }
                            Err(error) => {
                                hold.close();
                                yield Err(failure::to_status(&error));
                                break;
                            }
                        }
                    }
                    Some(Said::Credit(credit)) => running.allow(credit.until, credit.received),
                    Some(Said::Close(_)) => {
                        hold.close();
                        break;
                    }
                    Some(Said::Heartbeat(_) | Said::Part(_)) | None => {}
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

/// The client sends on, and allows nothing to come out.
fn too_many() -> Error {
    let message = format!("{MOST_COMMANDS} commands wait, and no more outputs are allowed");
    Error::new(detail::REMOTE_LIMIT, message)
        .with_hint("allow outputs with 'credit', and push no more than the server has room for")
}

/// Nodes may work in it: where there are other threads, connections that this one looks after go on
/// there.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
