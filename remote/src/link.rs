//! A node's line to its server: calls go out, answers come in, and when the connection breaks both
//! go on where they were.
//!
//! Calls wait in one queue until they are answered, so nothing has to be put aside for the time when
//! the connection breaks: a new stream begins with the first call that the server has not seen.

use crate::connection::Connection;
use crate::fleet::{self, Seated};
use crate::settings::Settings;
use crate::v1::node_service_client::NodeServiceClient;
use crate::v1::stream_node_request::{self as up, Request, call::Call};
use crate::v1::stream_node_response::{self as down, Response};
use crate::{failure, reactor, v1, wire};
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::node::Ticket;
use remotemedia_core::packet::{MediaTime, Packet, Pool};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio_stream::Stream;

/// A node's line to its server. Dropping it ends the session.
pub(crate) struct Link(Arc<Line>);

struct Line {
    settings: Settings,
    what: up::open::What,
    pool: Pool,
    latency: AtomicI64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is not answered, in order.
    calls: VecDeque<Waiting>,
    /// How many of them the present stream has sent; `None`: it is not known yet.
    sent: Option<usize>,
    /// The last number that was given to a call.
    last: u64,
    /// The last call whose answer has come.
    answered: u64,
    /// Answers that have come, in all sessions.
    progress: u64,
    /// Number of the present stream; an older one has nothing to send any more.
    stream: u64,
    sender: Option<Waker>,
    /// A task looks after it.
    tended: bool,
    /// A sign of life is due.
    beat: bool,
    closing: bool,
    /// Connections that lead to the node.
    lanes: u32,
    /// Outputs that nothing before a time will come out of, and nobody has been told.
    bounds: Vec<(usize, MediaTime)>,
    /// What the node held was lost when no call was there to say so.
    lost: Option<Error>,
    /// The server is about to end: nothing new goes to it.
    moving: Option<Moving>,
    /// What came out of the node's inside as it moved: it goes before all that is to come.
    tail: Vec<(usize, Packet)>,
    /// What is about to come out of it has been forgotten meanwhile.
    stale: bool,
    /// It has moved: the outputs that have begun anew since. `None`: it has not.
    begun: Option<Vec<usize>>,
}

/// How far a node has come that leaves a server which is about to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moving {
    /// What was sent is to be answered.
    Answers,
    /// What is inside is to come out.
    Tail,
    /// The session is to be closed.
    Close,
}

struct Waiting {
    /// Zero: it has not been sent in this session.
    seq: u64,
    call: Call,
    /// `None` where nobody waits for the answer.
    ticket: Option<Ticket>,
}

impl Link {
    /// A line that connects when it is first used.
    pub(crate) fn new(settings: Settings, what: up::open::What) -> Self {
        let (pool, latency, state) = (Pool::new(), AtomicI64::new(0), Mutex::default());
        Self(Arc::new(Line { settings, what, pool, latency, state }))
    }

    /// Sends a call; its answer completes the ticket. Never waits.
    pub(crate) fn call(&self, lanes: usize, call: Call, ticket: Ticket) {
        let bytes = call.encoded_len();
        if bytes > MOST_BYTES - ENVELOPE {
            return ticket.fail(too_large("the packet", bytes));
        }
        let mut state = self.0.lock();
        if let Some(lost) = state.lost.take() {
            drop(state);
            return ticket.fail(lost);
        }
        state.lanes = lanes as u32;
        self.put(state, call, Some(ticket));
    }

    /// Makes the node forget. What was not sent is not sent any more, and nobody waits for what was.
    pub(crate) fn reset(&self) {
        let mut state = self.0.lock();
        let sent = state.sent.unwrap_or_else(|| state.calls.iter().filter(|c| c.seq > 0).count());
        let sent = sent.min(state.calls.len());
        // Dropped when nothing is locked.
        let mut forgotten = Vec::new();
        let mut kept = VecDeque::new();
        for (index, mut waiting) in state.calls.drain(..).enumerate() {
            let wanted = waiting.ticket.is_none();
            forgotten.extend(waiting.ticket.take());
            if wanted || waiting.seq > 0 || index < sent {
                kept.push_back(waiting);
            }
        }
        state.calls = kept;
        state.bounds.clear();
        (state.tail, state.begun) = (Vec::new(), None);
        state.stale = state.moving == Some(Moving::Tail);
        // Before anything was sent there is nothing to forget.
        match state.last {
            0 => drop(state),
            _ => self.put(state, Call::Reset(up::Reset {}), None),
        }
        drop(forgotten);
    }

    /// Sets live params.
    pub(crate) fn set_params(&self, params: String) {
        self.put(self.0.lock(), Call::Params(params), None);
    }

    /// By how much the node's outputs lag behind its inputs, as its last answer said.
    pub(crate) fn latency(&self) -> MediaTime {
        MediaTime::from_nanos(self.0.latency.load(Ordering::Acquire))
    }

    /// Outputs that nothing before a time will come out of: what is new.
    pub(crate) fn take_bounds(&self) -> Vec<(usize, MediaTime)> {
        std::mem::take(&mut self.0.lock().bounds)
    }

    fn put(&self, mut state: MutexGuard<'_, State>, call: Call, ticket: Option<Ticket>) {
        state.calls.push_back(Waiting { seq: 0, call, ticket });
        let tended = std::mem::replace(&mut state.tended, true);
        state.wake();
        drop(state);
        if tended {
            return;
        }
        match reactor::handle() {
            Ok(reactor) => drop(reactor.spawn(tend(Arc::clone(&self.0), Tended::begin()))),
            Err(error) => self.0.fail(&error),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closing = true;
        // Who waited for it has gone.
        let forgotten = std::mem::take(&mut state.calls);
        state.sent = Some(0);
        state.wake();
        drop(state);
        drop(forgotten);
    }
}

/// How a stream ended.
enum Ended {
    /// The node is gone.
    Closed,
    /// The connection broke: there may be another.
    Broken(Error),
    /// There is no going on.
    Failed(Error),
    /// All is out of the server that is about to end: there has to be another.
    Moved,
}

/// A session on a server.
struct Session {
    id: String,
    seated: Seated,
}

/// A stream that lasts so long is one.
const LIVES: Duration = Duration::from_secs(1);

/// Lines that are looked after.
static TENDED: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Waits until the sessions of all nodes that are gone have been closed, so that their servers need not
/// wait for clients that don't come back. For programs that are about to end. False: the time was over.
pub fn leave(timeout: Duration) -> bool {
    let tended = TENDED.0.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = TENDED.1.wait_timeout_while(tended, timeout, |lines| *lines > 0);
    !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
}

/// A line that is looked after.
struct Tended;

impl Tended {
    fn begin() -> Self {
        *TENDED.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Tended {
    fn drop(&mut self) {
        *TENDED.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        TENDED.1.notify_all();
    }
}

/// Looks after a line until its node is gone, or the server out of reach for too long.
async fn tend(line: Arc<Line>, _tended: Tended) {
    let mut session: Option<Session> = None;
    let (mut out_of_reach, mut tries) = (Instant::now(), 0);
    loop {
        let (begun, before) = (Instant::now(), line.lock().progress);
        let mut heard = false;
        let ended = line.stream(&mut session, &mut heard).await;
        // A stream that breaks as soon as it is there, again and again, is of no use either.
        if heard && (begun.elapsed() >= LIVES || line.lock().progress > before) {
            (out_of_reach, tries) = (Instant::now(), 0);
        }
        let error = match ended {
            Ended::Closed => return,
            Ended::Failed(error) => error,
            Ended::Moved => {
                session = None;
                continue;
            }
            Ended::Broken(error) => {
                if out_of_reach.elapsed() < line.settings.connect {
                    if line.lock().closing {
                        return;
                    }
                    tokio::time::sleep(fleet::pause(tries)).await;
                    tries += 1;
                    continue;
                }
                match session {
                    Some(_) => lost(&error),
                    None => error,
                }
            }
        };
        return line.fail_after(&error, session.is_some());
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One stream, from its beginning to its end.
    async fn stream(self: &Arc<Self>, session: &mut Option<Session>, heard: &mut bool) -> Ended {
        let endpoint = match session {
            Some(session) => session.seated.endpoint().clone(),
            None => fleet::choose(&self.settings.endpoints),
        };
        let connection = match Connection::to(&endpoint, &self.settings.tls, self.settings.connect)
        {
            Ok(connection) => connection,
            Err(error) => return Ended::Failed(error),
        };
        let sender = self.begin(session.as_ref());
        let ended = self.listen(&endpoint, &connection, sender, session, heard).await;
        match &ended {
            Ended::Closed => {}
            Ended::Broken(_) => {
                fleet::fails(&endpoint);
                connection.give_up();
            }
            // It is there, and says no.
            Ended::Failed(_) => fleet::answers(&endpoint),
            // The next session goes to another server, if there is one.
            Ended::Moved => fleet::fails(&endpoint),
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
                state.calls.iter_mut().for_each(|waiting| waiting.seq = 0);
                Request::Open(up::Open {
                    what: Some(self.what.clone()),
                    lanes: state.lanes.max(1),
                    heartbeat_ms: self.settings.heartbeat.as_millis() as u32,
                })
            }
        };
        Sender { line: Arc::clone(self), stream: state.stream, first: Some(first), closed: false }
    }

    /// Reads what the server says until the stream is over.
    async fn listen(
        &self,
        endpoint: &crate::Endpoint,
        connection: &Connection,
        sender: Sender,
        session: &mut Option<Session>,
        heard: &mut bool,
    ) -> Ended {
        let server = endpoint.to_string();
        let judge = |status: &tonic::Status| {
            let error = failure::from_status(status, &server);
            if failure::may_pass(&error) { Ended::Broken(error) } else { Ended::Failed(error) }
        };
        let mut client = NodeServiceClient::new(connection.channel.clone())
            .max_decoding_message_size(MOST_BYTES)
            .max_encoding_message_size(MOST_BYTES);
        let mut request = tonic::Request::new(sender);
        if let Err(error) = authorize(&mut request, self.settings.token.as_deref()) {
            return Ended::Failed(error);
        }
        let beat = self.settings.heartbeat;
        let mut stream = match tokio::time::timeout(beat, client.stream_node(request)).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return judge(&status),
            Err(_) => return Ended::Broken(silent(&server, beat)),
        };
        let mut ticks = tokio::time::interval((beat / 4).max(Duration::from_millis(1)));
        let mut alive = Instant::now();
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
            let response = match message {
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
            match response {
                Some(Response::Answer(answer)) => {
                    if let Err(error) = self.answered(answer) {
                        return Ended::Failed(error);
                    }
                }
                Some(Response::Opened(opened)) => {
                    fleet::answers(endpoint);
                    let seated = Seated::at(endpoint, opened.load);
                    *session = Some(Session { id: opened.session, seated });
                }
                Some(Response::Attached(attached)) => {
                    fleet::answers(endpoint);
                    self.attached(attached.received);
                }
                Some(Response::Draining(_)) => self.move_on(),
                // A newer server may say more than is known here.
                Some(Response::Heartbeat(_)) | None => {}
            }
        }
    }

    /// Goes on with leaving the server: first all answers, then what is inside.
    fn move_on(&self) {
        let mut state = self.lock();
        let sent = state.sent.unwrap_or(usize::MAX);
        let next = match state.moving {
            None | Some(Moving::Answers) if sent > 0 => Moving::Answers,
            // Nothing was ever asked of it.
            None | Some(Moving::Answers) if state.last == 0 => Moving::Close,
            None | Some(Moving::Answers) => {
                let call = Call::Drain(up::Drain {});
                state.calls.push_front(Waiting { seq: 0, call, ticket: None });
                Moving::Tail
            }
            Some(Moving::Tail | Moving::Close) => Moving::Close,
        };
        state.moving = Some(next);
        state.wake();
    }

    /// Asks for a sign of life to be sent.
    fn beat(&self) {
        let mut state = self.lock();
        state.beat = true;
        state.wake();
    }

    /// Goes on behind the last call that the server has seen.
    fn attached(&self, received: u64) {
        let mut state = self.lock();
        let seen = |waiting: &&Waiting| waiting.seq > 0 && waiting.seq <= received;
        state.sent = Some(state.calls.iter().take_while(seen).count());
        state.wake();
    }

    /// Takes an answer.
    fn answered(&self, answer: down::Answer) -> Result<()> {
        let mut state = self.lock();
        if answer.seq <= state.answered {
            // It came twice: the stream broke before the server knew that it had come.
            return Ok(());
        }
        let Some(waiting) = state.calls.pop_front_if(|w| w.seq == answer.seq) else {
            return match state.closing {
                true => Ok(()),
                false => Err(wire::wrong(format!("an answer to call {}", answer.seq))),
            };
        };
        state.answered = answer.seq;
        state.progress += 1;
        state.sent = state.sent.map(|sent| sent.saturating_sub(1));
        let bounds = answer.bounds.iter();
        let bounds = bounds.map(|b| (b.port as usize, MediaTime::from_nanos(b.until_ns)));
        state.bounds.extend(bounds);
        self.latency.store(answer.latency_ns, Ordering::Release);
        let mut outputs = wire::outputs_from_wire(answer.outputs, &self.pool);
        match (state.moving, &mut outputs) {
            (Some(Moving::Tail), Ok(outputs)) => {
                if !std::mem::take(&mut state.stale) {
                    state.tail.append(outputs);
                }
                state.begun = Some(Vec::new());
                state.lost = answer.error.map(failure::from_wire);
                drop(state);
                self.move_on();
                return Ok(());
            }
            (_, Ok(outputs)) => state.after_move(outputs),
            (_, Err(_)) => {}
        }
        let moving = state.moving.is_some();
        drop(state);
        if moving {
            self.move_on();
        }
        let Some(ticket) = waiting.ticket else { return Ok(()) };
        match (answer.error, outputs) {
            (Some(error), _) => ticket.fail(failure::from_wire(error)),
            (None, Ok(outputs)) => ticket.complete(outputs),
            (None, Err(error)) => ticket.fail(error),
        }
        Ok(())
    }

    fn fail_after(&self, error: &Error, had_session: bool) {
        let mut state = self.lock();
        if had_session && state.calls.iter().all(|waiting| waiting.ticket.is_none()) {
            state.lost = Some(error.clone());
        }
        drop(state);
        self.fail(error);
    }

    /// Fails every call that waits. The next one begins with another session.
    fn fail(&self, error: &Error) {
        let mut state = self.lock();
        state.tended = false;
        state.stream += 1;
        (state.sent, state.last, state.answered) = (Some(0), 0, 0);
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        for ticket in calls.into_iter().filter_map(|waiting| waiting.ticket) {
            ticket.fail(error.clone());
        }
    }
}

impl State {
    /// There may be something to send.
    fn wake(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }

    /// Puts what came out of the node's inside when it moved before its first outputs since, which
    /// begin anew.
    fn after_move(&mut self, outputs: &mut Vec<(usize, Packet)>) {
        let Some(begun) = &mut self.begun else { return };
        for (port, packet) in outputs.iter_mut() {
            if !begun.contains(port) {
                begun.push(*port);
                packet.set_discont(true);
            }
        }
        if !self.tail.is_empty() {
            let fresh = std::mem::replace(outputs, std::mem::take(&mut self.tail));
            outputs.extend(fresh);
        }
    }
}

/// What a stream sends.
struct Sender {
    line: Arc<Line>,
    stream: u64,
    first: Option<Request>,
    closed: bool,
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
        // To a server that is about to end goes only what brings out what is inside.
        let holds = match state.moving {
            None => false,
            Some(Moving::Tail) => state.sent != Some(0),
            Some(Moving::Answers | Moving::Close) => true,
        };
        if let (Some(sent), false) = (&mut state.sent, holds)
            && let Some(waiting) = state.calls.get_mut(*sent)
        {
            *sent += 1;
            if waiting.seq == 0 {
                state.last += 1;
                waiting.seq = state.last;
            }
            let (seq, answered) = (waiting.seq, state.answered);
            let call = Some(waiting.call.clone());
            return say(Request::Call(up::Call { seq, answered, call }));
        }
        if state.closing || state.moving == Some(Moving::Close) {
            self.closed = true;
            return say(Request::Close(up::Close {}));
        }
        if std::mem::take(&mut state.beat) {
            return say(Request::Heartbeat(up::Heartbeat {}));
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Says who asks.
pub(crate) fn authorize<T>(request: &mut tonic::Request<T>, token: Option<&str>) -> Result<()> {
    let Some(token) = token else { return Ok(()) };
    let value = format!("Bearer {token}").parse().map_err(|_| {
        let message = "the token has characters that no header can carry";
        Error::new(detail::ARGUMENT_INVALID, message)
    })?;
    request.metadata_mut().insert("authorization", value);
    Ok(())
}

/// Bytes of a message at most.
pub(crate) const MOST_BYTES: usize = 64 << 20;
/// Bytes that a message may have around its call or its outputs.
pub(crate) const ENVELOPE: usize = 1024;

/// What can't go over the wire.
pub(crate) fn too_large(what: &str, bytes: usize) -> Error {
    let message = format!("{what} has {bytes} bytes as a message, more than {MOST_BYTES}");
    Error::new(detail::REMOTE_LIMIT, message)
        .with_hint("cut it into smaller packets in front of the node on the server")
}

fn silent(server: &str, time: Duration) -> Error {
    let message = format!("{server} has said nothing for {} ms", time.as_millis());
    Error::new(detail::REMOTE_UNREACHABLE, message)
}

/// What the server held for the node is gone.
fn lost(cause: &Error) -> Error {
    let message = "the server was out of reach for too long: what it held for the node is lost";
    Error::new(detail::REMOTE_LOST, message).caused_by(cause.clone())
}
