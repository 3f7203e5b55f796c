//! The service of whole pipelines.

use super::ears::{self, Ears, Event, begun_again};
use super::hold::Hold;
use super::running::{self, CREDIT, Told, Waiting};
use super::served::Served;
use super::session::{Opening, Session};
use super::sessions::CallUnderWay;
use super::{drive, whole};
use crate::parts::{MOST_BYTES, cut_if_large};
use crate::v1::pipeline_service_server::PipelineService;
use crate::v1::stream_pipeline_request::Request as Said;
use crate::v1::stream_pipeline_response::{self as down, Response as Say};
use crate::v1::{
    ExecutePipelineRequest, ExecutePipelineResponse, StreamPipelineRequest, StreamPipelineResponse,
};
use crate::wire;
use prost::Message;
use remotemedia_core::engine::Pipeline;
use remotemedia_core::error::Result;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
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
        let request = request.into_inner();
        let bytes = request.encoded_len();
        self.0.make_call(bytes, |call| self.execute(call, request)).await.map(Response::new)
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
    async fn execute(
        &self,
        under_way: CallUnderWay,
        request: ExecutePipelineRequest,
    ) -> Result<ExecutePipelineResponse> {
        let engine = self.0.engine.clone();
        let only = self.0.sessions.access().nodes();
        let pipeline = whole::pipeline(&request.manifest, &engine, only.as_deref())?;
        let pipeline = Arc::new(pipeline);
        // A client that goes, or whose time is over, leaves nothing running.
        let _cancel = Cancel(Arc::clone(&pipeline));
        Served::away(under_way, move || {
            let outputs = whole::execute(&pipeline, request.inputs, engine.pool(), MOST_BYTES)?;
            let metrics = pipeline.metrics().to_string();
            Ok(ExecutePipelineResponse { outputs, metrics })
        })
        .await
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
                tokio::spawn(drive::drive(Arc::clone(&session), sessions.clone()));
                let hold = Hold::on(session, sessions);
                Ok(Begun { hold, first: vec![opened], told: Told::default() })
            }
            Some(Said::Attach(attach)) => {
                let fits = |session: &Session| session.running().map(drop);
                let hold = Hold::back_on(sessions, &attach.session, &opening.who, fits)?;
                let is_on = || hold.session.is_on(hold.stream);
                let (first, told) = hold.session.running()?.rest(attach.received, is_on);
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
            let (on, stream) = (&session, hold.stream);
            let is_on = || on.is_on(stream);
            // The client says nothing more.
            let mut ends = false;
            // When there was something to tell.
            let mut told_at = Instant::now();
            let status = loop {
                let listening = match running.has_room(&told) {
                    Ok(room) => room && !ends,
                    Err(error) => break hold.fail(&error),
                };
                ears.patient = running.is_busy();
                let event = tokio::select! {
                    biased;
                    event = ears.hear(listening) => event,
                    news = poll_fn(|cx| running.poll_news(cx, &mut told, is_on)) => {
                        told_at = Instant::now();
                        for response in news {
                            for piece in say(response) {
                                yield Ok(piece);
                            }
                        }
                        if told.over && ends {
                            hold.close();
                            return;
                        }
                        continue;
                    }
                };
                let said = match event {
                    Event::Said(message) => message.request,
                    // Who says nothing more does not bring what it waits for.
                    Event::Tick
                        if ends && running.wants() && told_at.elapsed() >= 3 * session.beat =>
                    {
                        break Status::deadline_exceeded("nothing comes that it waits for");
                    }
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
                        if told.over {
                            hold.close();
                            return;
                        }
                        continue;
                    }
                    Event::Over(status) => break status,
                    Event::Wrong(error) => break hold.fail(&error),
                };
                match said {
                    Some(Said::Command(command)) => {
                        let waiting = Waiting::new(command, hold.sessions.budget().share());
                        if let Err(error) = waiting.and_then(|next| running.bring(next, is_on)) {
                            break hold.fail(&error);
                        }
                    }
                    Some(Said::Credit(credit)) => running.allow(credit.until, credit.received),
                    Some(Said::Close(_)) => {
                        hold.close();
                        return;
                    }
                    Some(Said::Heartbeat(_) | Said::Part(_)) | None => {}
                    Some(Said::Open(_) | Said::Attach(_)) => break begun_again(),
                }
            };
            yield Err(status);
        }
    }
}
