//! One stream of a line: what it begins with, and what the server says on it.

use super::sender::{Sender, introduce};
use super::tend::{Ended, Session};
use super::{Line, Moving};
use crate::connection::Connection;
use crate::fleet::{Seated, Try};
use crate::parts::{MOST_BYTES, PART_BYTES, Parts, WHOLE_BYTES};
use crate::v1::node_service_client::NodeServiceClient;
use crate::v1::stream_node_request::{self as up, Request};
use crate::v1::stream_node_response::Response;
use crate::{failure, v1, wire};
use prost::Message;
use remotemedia_core::error::{Error, Result, detail};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The version of the protocol that is spoken here.
const PROTOCOL: u32 = 1;
/// Calls that may be without an answer until the server says how many.
const CREDIT: usize = 64;

impl Line {
    /// One stream, from its beginning to its end.
    pub(super) async fn stream(
        self: &Arc<Self>,
        mut tried: Try,
        session: &mut Option<Session>,
        heard: &mut bool,
    ) -> Ended {
        let connection = match Connection::to(tried.place(), self.settings.connect) {
            Ok(connection) => connection,
            Err(error) => return Ended::Failed(error),
        };
        let mut request = tonic::Request::new(self.begin(session.as_ref()));
        if let Err(error) = introduce(&mut request, &self.settings) {
            return Ended::Failed(error);
        }
        let ended = self.listen(&mut tried, &connection, request, session, heard).await;
        let ended = match ended {
            // All is out of it: that it is gone is what was to come.
            Ended::Broken(_) | Ended::Failed(_) if self.lock().moving == Some(Moving::Close) => {
                Ended::Moved
            }
            ended => ended,
        };
        match &ended {
            Ended::Closed => {}
            Ended::Broken(error) => {
                tried.fails(error.clone());
                connection.give_up();
            }
            // It is there, and says no.
            Ended::Failed(_) => tried.answers(),
            // The next session goes to another server, if there is one.
            Ended::Moved => {
                let message = format!("{} is about to end", tried.place().endpoint);
                tried.fails(Error::new(detail::REMOTE_DRAINING, message));
            }
        }
        ended
    }

    /// Begins another stream: what it sends.
    fn begin(self: &Arc<Self>, session: Option<&Session>) -> Sender {
        let mut state = self.lock();
        state.stream += 1;
        let first = match session {
            Some(session) => {
                state.sent = None;
                let (session, answered) = (session.id.clone(), state.answered);
                Request::Attach(up::Attach { session, answered })
            }
            None => {
                (state.sent, state.last, state.answered) = (Some(0), 0, 0);
                state.moving = None;
                state.credit = CREDIT;
                for waiting in &mut state.calls {
                    (waiting.seq, waiting.sent) = (0, None);
                }
                Request::Open(up::Open {
                    what: Some(self.what.clone()),
                    lanes: state.lanes.max(1),
                    heartbeat_ms: self.settings.heartbeat.as_millis() as u32,
                    protocol: PROTOCOL,
                    part_bytes: PART_BYTES as u32,
                })
            }
        };
        Sender::new(self, state.stream, first)
    }

    /// Reads what the server says until the stream is over.
    async fn listen(
        &self,
        tried: &mut Try,
        connection: &Connection,
        request: tonic::Request<Sender>,
        session: &mut Option<Session>,
        heard: &mut bool,
    ) -> Ended {
        let server = tried.place().endpoint.to_string();
        let judge = |status: &tonic::Status| {
            let error = failure::from_status(status, &server);
            if failure::may_pass(&error) { Ended::Broken(error) } else { Ended::Failed(error) }
        };
        let mut client = NodeServiceClient::new(connection.channel.clone())
            .max_decoding_message_size(MOST_BYTES)
            .max_encoding_message_size(MOST_BYTES);
        let beat = self.settings.heartbeat;
        let mut stream = match tokio::time::timeout(beat, client.stream_node(request)).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return judge(&status),
            Err(_) => return Ended::Broken(silent(&server, beat)),
        };
        let mut ticks = tokio::time::interval((beat / 4).max(Duration::from_millis(1)));
        let mut alive = Instant::now();
        let mut parts = Parts::new(WHOLE_BYTES);
        loop {
            let message = tokio::select! {
                biased;
                message = stream.message() => message,
                _ = ticks.tick() => {
                    if alive.elapsed() >= beat {
                        return Ended::Broken(silent(&server, beat));
                    }
                    self.beat();
                    continue;
                }
            };
            let mut response = match message {
                Ok(Some(response)) => response.response,
                Ok(None) if self.lock().closing => return Ended::Closed,
                Ok(None) if self.lock().moving == Some(Moving::Close) => return Ended::Moved,
                Ok(None) => {
                    let message = format!("{server} ended the stream");
                    return Ended::Broken(Error::new(detail::REMOTE_UNREACHABLE, message));
                }
                Err(status) => return judge(&status),
            };
            alive = Instant::now();
            *heard = true;
            if let Some(Response::Part(part)) = response {
                response = match whole(&mut parts, part) {
                    Ok(whole) => whole,
                    Err(error) => return Ended::Failed(error),
                };
            }
            match response {
                Some(Response::Answer(answer)) => {
                    if let Err(error) = self.answered(answer) {
                        return Ended::Failed(error);
                    }
                }
                Some(Response::Opened(opened)) => {
                    tried.answers();
                    let seated = Seated::at(tried.place(), opened.load);
                    self.opened(opened.credit, opened.message_bytes);
                    parts = Parts::new(self.lock().most.unwrap_or(WHOLE_BYTES));
                    *session = Some(Session { id: opened.session, seated });
                }
                Some(Response::Attached(attached)) => {
                    tried.answers();
                    self.attached(attached.received);
                }
                Some(Response::Draining(_)) => self.draining(),
                // A newer server may say more than is known here.
                Some(Response::Heartbeat(_) | Response::Part(_)) | None => {}
            }
        }
    }

    /// Asks for a sign of life to be sent.
    fn beat(&self) {
        let mut state = self.lock();
        state.beat = true;
        state.wake();
    }
}

/// Takes a part; `None`: there is more to come.
fn whole(parts: &mut Parts, part: v1::Part) -> Result<Option<Response>> {
    let Some(whole) = parts.take(part)? else { return Ok(None) };
    let response = v1::StreamNodeResponse::decode(whole);
    let response = response.map_err(|e| wire::wrong(format!("parts of no response: {e}")))?;
    Ok(response.response)
}

fn silent(server: &str, time: Duration) -> Error {
    let message = format!("{server} has said nothing for {} ms", time.as_millis());
    Error::new(detail::REMOTE_UNREACHABLE, message)
}
