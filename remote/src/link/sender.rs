//! What a stream sends: calls as far as there is credit, signs of life, the end.

use super::moving::Moving;
use super::{Line, State};
use crate::parts::PART_BYTES;
use crate::settings::Settings;
use crate::v1;
use crate::v1::stream_node_request::{self as up, Request, call::Call};
use bytes::Bytes;
use prost::Message;
use remotemedia_core::error::{Error, Result, detail};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio_stream::Stream;
use tonic::metadata::{Ascii, MetadataValue};

/// What a stream sends.
pub(super) struct Sender {
    line: Arc<Line>,
    stream: u64,
    first: Option<Request>,
    /// What is left of a call that goes in parts.
    parts: Bytes,
    closed: bool,
}

impl Sender {
    /// What that stream sends, beginning with `first`.
    pub(super) fn new(line: &Arc<Line>, stream: u64, first: Request) -> Self {
        let (line, first) = (Arc::clone(line), Some(first));
        Self { line, stream, first, parts: Bytes::new(), closed: false }
    }

    /// A call as it goes: whole, or the first part of it.
    fn put(&mut self, call: Request) -> Request {
        let request = v1::StreamNodeRequest { request: Some(call) };
        if request.encoded_len() <= PART_BYTES {
            return request.request.expect("it was just put there");
        }
        self.parts = request.encode_to_vec().into();
        self.next_part()
    }

    fn next_part(&mut self) -> Request {
        let data = self.parts.split_to(PART_BYTES.min(self.parts.len()));
        Request::Part(v1::Part { data, rest: self.parts.len() as u64 })
    }
}

impl Stream for Sender {
    type Item = v1::StreamNodeRequest;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let say = |request| Poll::Ready(Some(v1::StreamNodeRequest { request: Some(request) }));
        if let Some(first) = self.first.take() {
            return say(first);
        }
        let line = Arc::clone(&self.line);
        let mut state = line.lock();
        let state = &mut *state;
        if state.stream != self.stream || self.closed {
            return Poll::Ready(None);
        }
        if std::mem::take(&mut state.beat) {
            let answered = state.acknowledge();
            return say(Request::Heartbeat(up::Heartbeat { answered }));
        }
        if !self.parts.is_empty() {
            return say(self.next_part());
        }
        // To a server that is about to end goes only what brings out what is inside.
        let holds = match state.moving {
            None => false,
            Some(Moving::Tail) => state.sent != Some(0),
            Some(Moving::Answers | Moving::Close) => true,
        };
        if let (Some(sent), false) = (&mut state.sent, holds)
            && let Some(waiting) = state.calls.get_mut(*sent)
            // An interrupt needs no credit: it goes past what waits there.
            && (*sent < state.credit || matches!(waiting.call, Call::Reset(_)))
        {
            *sent += 1;
            if waiting.seq == 0 {
                state.last += 1;
                waiting.seq = state.last;
            }
            waiting.sent = Some(Instant::now());
            let (seq, call) = (waiting.seq, Some(waiting.call.clone()));
            let answered = state.acknowledge();
            return say(self.put(Request::Call(up::Call { seq, answered, call })));
        }
        if state.closing || state.moving == Some(Moving::Close) {
            self.closed = true;
            return say(Request::Close(up::Close {}));
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl State {
    /// The last call whose answer has come, to be told to the server.
    fn acknowledge(&mut self) -> u64 {
        self.unacknowledged = 0;
        self.answered
    }
}

/// Says who asks, and to which trace it belongs.
pub(crate) fn introduce<T>(request: &mut tonic::Request<T>, settings: &Settings) -> Result<()> {
    let value = |text: &str| {
        text.parse::<MetadataValue<Ascii>>().map_err(|_| {
            let message = "the token has characters that no header can carry";
            Error::new(detail::ARGUMENT_INVALID, message)
        })
    };
    let metadata = request.metadata_mut();
    if let Some(token) = &settings.token {
        metadata.insert("authorization", value(&format!("Bearer {token}"))?);
    }
    if let Some(trace) = &settings.traceparent {
        metadata.insert("traceparent", value(trace)?);
    }
    Ok(())
}
