//! What comes to a session's stream: requests, whole or in parts, and what else it has to look at.

use super::budget::Share;
use super::session::Session;
use super::sessions::{Sessions, Term, no_more_time};
use crate::parts::Parts;
use crate::{failure, v1, wire};
use prost::Message;
use remotemedia_core::error::{Error, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tonic::{Code, Status, Streaming};

/// A request that may come in parts.
pub(super) trait Request: Message + Default {
    /// The part that it is, or the request itself.
    fn part(self) -> std::result::Result<v1::Part, Self>;
}

impl Request for v1::StreamNodeRequest {
    fn part(self) -> std::result::Result<v1::Part, Self> {
        match self.request {
            Some(v1::stream_node_request::Request::Part(part)) => Ok(part),
            _ => Err(self),
        }
    }
}

impl Request for v1::StreamPipelineRequest {
    fn part(self) -> std::result::Result<v1::Part, Self> {
        match self.request {
            Some(v1::stream_pipeline_request::Request::Part(part)) => Ok(part),
            _ => Err(self),
        }
    }
}

/// How long a stream may be open without saying what it is for.
const FIRST: Duration = Duration::from_secs(10);

/// What a stream begins with.
///
/// # Errors
/// When it is no message, or does not come.
pub(super) async fn first<T>(inbound: &mut Streaming<T>) -> std::result::Result<Option<T>, Status> {
    let first = tokio::time::timeout(FIRST, inbound.message()).await;
    first.unwrap_or_else(|_| Err(Status::deadline_exceeded("the stream began with nothing")))
}

/// What a stream ends with that begins a second time.
pub(super) fn begun_again() -> Status {
    failure::to_status(&wire::wrong("'open' or 'attach' in the middle".to_owned()))
}

/// A client that says nothing for so many heartbeats is gone.
const SILENT: u32 = 3;

/// Between so many ticks a stream looks at what else there is.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(2500);

/// A stream's ears.
pub(super) struct Ears<T> {
    inbound: Streaming<T>,
    parts: Parts,
    /// What the parts take.
    share: Share,
    session: Arc<Session>,
    stream: u64,
    sessions: Sessions,
    ticks: Interval,
    heard: Instant,
    /// The client waits for something, and need not say anything.
    pub(super) patient: bool,
    /// When it was last seen that the client is let in.
    checked: Instant,
    term: watch::Receiver<Term>,
    /// It was told that the server ends.
    told: bool,
}

/// What is to be looked at.
pub(super) enum Event<T> {
    Said(T),
    /// It is time for a sign of life.
    Tick,
    /// In so many milliseconds the server ends.
    Draining(u32),
    /// The client says nothing more: there is nothing more to listen to.
    Done,
    /// The stream ends with that.
    Over(Status),
    /// What came is wrong: the session ends with it.
    Wrong(Error),
}

impl<T: Request> Ears<T> {
    pub(super) fn new(
        inbound: Streaming<T>,
        session: &Arc<Session>,
        stream: u64,
        sessions: &Sessions,
    ) -> Self {
        let mut ticks = tokio::time::interval((session.beat / 4).clamp(SHORTEST, LONGEST));
        // A client that does not read needs no sign of life for each time that it did not.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            inbound,
            parts: Parts::new(sessions.limits().message),
            share: sessions.budget().share(),
            session: Arc::clone(session),
            stream,
            sessions: sessions.clone(),
            ticks,
            heard: Instant::now(),
            patient: false,
            checked: Instant::now(),
            term: sessions.term(),
            told: false,
        }
    }

    /// What the stream ends with when the server has no more time.
    pub(super) fn no_more_time(&self) -> Option<Status> {
        // What has not changed since it was looked at is not looked at again: all streams share it.
        let changed = self.term.has_changed().unwrap_or(false);
        let over = changed && *self.term.borrow() == Term::Over;
        over.then(|| failure::to_status(&no_more_time()))
    }

    /// Waits for what is next; without `listening` for other things than requests. Dropping the
    /// future loses nothing.
    pub(super) async fn hear(&mut self, listening: bool) -> Event<T> {
        loop {
            match *self.term.borrow_and_update() {
                Term::Ends(at) if !self.told => {
                    self.told = true;
                    let left = at.saturating_duration_since(Instant::now()).as_millis();
                    return Event::Draining(u32::try_from(left).unwrap_or(u32::MAX));
                }
                Term::Over => return Event::Over(failure::to_status(&no_more_time())),
                Term::Stays | Term::Ends(_) => {}
            }
            if !self.session.is_on(self.stream) {
                return Event::Over(Status::aborted("another stream has attached to the session"));
            }
            let message = tokio::select! {
                biased;
                message = self.inbound.message(), if listening => message,
                () = self.session.replaced.notified() => continue,
                _ = self.term.changed() => continue,
                _ = self.ticks.tick() => return self.tick(listening),
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return Event::Done,
                // A message that is too large, or that there is no room for; not the end of the connection.
                Err(status)
                    if matches!(status.code(), Code::ResourceExhausted | Code::OutOfRange)
                        && std::error::Error::source(&status).is_none() =>
                {
                    return Event::Wrong(failure::from_status(&status, "the server"));
                }
                // The connection is gone, or what came is no message.
                Err(status) => return Event::Over(status),
            };
            self.heard = Instant::now();
            if self.checked.elapsed() >= LONGEST
                && let Event::Over(status) = self.tick(false)
            {
                return Event::Over(status);
            }
            match self.take(message) {
                Ok(Some(request)) => return Event::Said(request),
                Ok(None) => {}
                Err(error) => return Event::Wrong(error),
            }
        }
    }

    fn tick(&mut self, listening: bool) -> Event<T> {
        let silent = self.heard.elapsed() >= self.session.beat.saturating_mul(SILENT);
        if listening && silent && !self.patient {
            let status = Status::deadline_exceeded("the client has said nothing for too long");
            return Event::Over(status);
        }
        self.checked = Instant::now();
        match self.sessions.access().still_admits(&self.session.who) {
            Ok(()) => Event::Tick,
            Err(error) => Event::Over(failure::to_status(&error)),
        }
    }

    fn take(&mut self, message: T) -> Result<Option<T>> {
        let part = match message.part() {
            Ok(part) => part,
            Err(request) => return Ok(Some(request)),
        };
        let whole = self.parts.take(part)?;
        self.share.set(self.parts.held())?;
        let Some(whole) = whole else { return Ok(None) };
        let request =
            T::decode(whole).map_err(|e| wire::wrong(format!("parts of no request: {e}")))?;
        match request.part() {
            Ok(_) => Err(wire::wrong("a part of a part".to_owned())),
            Err(request) => Ok(Some(request)),
        }
    }
}
