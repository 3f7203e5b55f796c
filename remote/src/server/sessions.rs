//! The sessions that a server has.

use super::access::{Access, Who};
use super::budget::{Budget, Share};
use super::config::{Config, Log};
use super::happened::{Happened, What};
use super::metrics::Metrics;
use super::session::{Opening, Session};
use crate::failure;
use crate::parts::{ENVELOPE, MOST_BYTES};
use remotemedia_core::error::{Error, Result, detail};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// The sessions that a server has.
#[derive(Clone)]
pub(super) struct Sessions(Arc<Inner>);

/// What a session may take.
pub(super) struct Limits {
    /// Sessions at a time, and of one client.
    sessions: usize,
    client_sessions: usize,
    /// Bytes of a message at most.
    pub(super) message: usize,
}

struct Inner {
    open: Mutex<HashMap<String, Arc<Session>>>,
    limits: Limits,
    access: Access,
    budget: Budget,
    lease: Duration,
    term: watch::Sender<Term>,
    /// One has gone.
    left: Notify,
    /// Calls under way that are no session's.
    calls: AtomicUsize,
    metrics: Metrics,
    log: Option<Log>,
}

/// How long sessions may stay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    Stays,
    /// The server takes nothing new, and they have to be gone by then.
    Ends(Instant),
    /// There is no more time.
    Over,
}

/// What becomes of what is not done by the time that the server ends.
pub(super) fn no_more_time() -> Error {
    let message = "the server has ended before it was done";
    Error::new(detail::REMOTE_DRAINING, message)
}

impl Limits {
    /// Bytes of what goes into a message to a client that takes parts of that size (0: none).
    pub(super) fn most(&self, part_bytes: usize) -> usize {
        let message = if part_bytes == 0 { self.message.min(MOST_BYTES) } else { self.message };
        message.saturating_sub(ENVELOPE)
    }
}

impl Sessions {
    pub(super) fn new(config: &Config) -> Self {
        let (open, term, left) = (Mutex::default(), watch::Sender::new(Term::Stays), Notify::new());
        let (lease, log) = (config.lease, config.log.clone());
        let limits = Limits {
            sessions: config.max_sessions,
            client_sessions: config.max_client_sessions,
            message: config.max_message,
        };
        Self(Arc::new(Inner {
            open,
            limits,
            access: Access::new(config),
            budget: Budget::new(config.max_memory),
            lease,
            term,
            left,
            calls: AtomicUsize::new(0),
            metrics: Metrics::default(),
            log,
        }))
    }

    /// Notes what happened.
    pub(super) fn note(&self, what: What, session: Option<&Session>, about: &str) {
        self.tell(what, session, None, about);
    }

    /// Notes that a call of a session has failed.
    pub(super) fn note_call(&self, session: &Session, call: u64, about: &str) {
        self.tell(What::Failed, Some(session), Some(call), about);
    }

    fn tell(&self, what: What, session: Option<&Session>, call: Option<u64>, about: &str) {
        self.0.metrics.happened(what);
        if let Some(log) = &self.0.log {
            let trace = session.and_then(|session| session.trace.clone());
            let session = session.map(|session| session.id[..8].to_owned());
            // What a client has sent may stand in it.
            let mut about = about.to_owned();
            failure::cut_text(&mut about, failure::MOST_LINE);
            log(&Happened { what, session, call, trace, about });
        }
    }

    /// What a session may take.
    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Whom the server lets in.
    pub(super) fn access(&self) -> &Access {
        &self.0.access
    }

    /// How much messages may take.
    pub(super) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The server's counters.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The server's counters in Prometheus' text format.
    pub(super) fn metrics_text(&self) -> String {
        let draining = *self.0.term.borrow() != Term::Stays;
        self.0.metrics.text(self.count(), self.0.budget.held(), draining)
    }

    /// How long one is kept when its connection breaks, in milliseconds.
    pub(super) fn lease_ms(&self) -> u32 {
        u32::try_from(self.0.lease.as_millis()).unwrap_or(u32::MAX)
    }

    /// Takes no more, and says that all have to be gone in so long.
    pub(super) fn drain(&self, time: Duration) {
        self.0.term.send_replace(Term::Ends(Instant::now() + time));
        let about = format!("{} sessions have {} ms", self.count(), time.as_millis());
        self.note(What::Draining, None, &about);
    }

    /// Ends all that are left: their streams, and what runs in them.
    pub(super) fn cut(&self) {
        self.0.term.send_replace(Term::Over);
        let left = std::mem::take(&mut *self.open());
        for session in left.values() {
            self.note(What::Closed, Some(session), "the server has ended");
            session.close();
        }
        self.0.left.notify_waiters();
    }

    /// How long they may stay, and when that changes.
    pub(super) fn term(&self) -> watch::Receiver<Term> {
        self.0.term.subscribe()
    }

    /// Waits until there is no more time.
    pub(super) async fn over(&self) -> Error {
        // Who says so is not gone while this waits.
        let _ = self.term().wait_for(|term| *term == Term::Over).await;
        no_more_time()
    }

    /// Begins a call that is no session's, and takes `bytes` of memory; it lasts until what comes back is
    /// dropped.
    ///
    /// # Errors
    /// `remote.draining` when the server takes nothing new, `remote.limit` when it has no room.
    pub(super) fn begin_call(&self, bytes: usize) -> Result<CallUnderWay> {
        self.check_draining()?;
        let mut share = self.0.budget.share();
        share.set(bytes)?;
        self.0.calls.fetch_add(1, Ordering::AcqRel);
        Ok(CallUnderWay { sessions: self.clone(), _share: share })
    }

    fn check_draining(&self) -> Result<()> {
        if *self.0.term.borrow() != Term::Stays {
            let message = "the server is about to end and takes nothing new";
            return Err(Error::new(detail::REMOTE_DRAINING, message));
        }
        Ok(())
    }

    /// Waits until there are none, and no other calls.
    pub(super) async fn gone(&self) {
        loop {
            let left = self.0.left.notified();
            tokio::pin!(left);
            // From here on nothing is missed.
            left.as_mut().enable();
            if self.count() == 0 && self.0.calls.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.open().len()
    }

    /// What a session of that client is to be made of.
    ///
    /// # Errors
    /// `io.open` when the system gives no random bytes for its name.
    pub(super) fn opening(&self, who: Who, trace: Option<String>) -> Result<Opening> {
        Ok(Opening { id: name()?, who, trace, budget: self.0.budget.clone() })
    }

    /// Adds a session, which `make` makes.
    ///
    /// # Errors
    /// `remote.limit` when there are as many as there may be; as `make`.
    pub(super) fn add(
        &self,
        opening: Opening,
        make: impl FnOnce(Opening) -> Result<Session>,
    ) -> Result<Arc<Session>> {
        self.check_draining()?;
        self.check_room(&self.open(), &opening.who)?;
        // Made while nothing is locked: it may take long.
        let session = Arc::new(make(opening)?);
        let mut open = self.open();
        self.check_draining()?;
        self.check_room(&open, &session.who)?;
        open.insert(session.id.clone(), Arc::clone(&session));
        drop(open);
        self.note(What::Opened, Some(&session), &session.about);
        Ok(session)
    }

    fn check_room(&self, open: &HashMap<String, Arc<Session>>, who: &Who) -> Result<()> {
        let Limits { sessions, client_sessions, .. } = self.0.limits;
        if open.len() >= sessions {
            let message = format!("the server has {sessions} sessions, as many as it may");
            return Err(Error::new(detail::REMOTE_LIMIT, message));
        }
        let own = || open.values().filter(|session| session.who.name() == who.name()).count();
        if client_sessions < sessions && own() >= client_sessions {
            let message = format!("the client has {client_sessions} sessions, as many as it may");
            return Err(Error::new(detail::REMOTE_LIMIT, message));
        }
        Ok(())
    }

    /// The session of that name, if it is this client's, taken over for another stream: its number.
    ///
    /// # Errors
    /// `remote.lost` when there is none; as `fits`, and then nothing has changed.
    pub(super) fn take_over(
        &self,
        name: &str,
        who: &Who,
        fits: impl FnOnce(&Session) -> Result<()>,
    ) -> Result<(Arc<Session>, u64)> {
        let open = self.open();
        let found = open.get(name).filter(|session| session.who.name() == who.name());
        let found = found.ok_or_else(|| {
            let message = "the server does not have the session any more: what it held for the node \
                           is lost";
            Error::new(detail::REMOTE_LOST, message)
        })?;
        fits(found)?;
        // While nothing is locked it could be removed, as nobody had come back.
        Ok((Arc::clone(found), found.take_over()))
    }

    /// Ends a session, if it is on that stream. Whether it was.
    pub(super) fn remove(&self, session: &Session, stream: u64) -> bool {
        let removed = {
            let mut open = self.open();
            if session.is_on(stream) { open.remove(&session.id) } else { None }
        };
        // The node goes when nothing is locked.
        if let Some(session) = &removed {
            session.close();
            self.0.left.notify_waiters();
        }
        removed.is_some()
    }

    /// Keeps a session for its lease, unless another stream takes it over.
    pub(super) fn detach(&self, session: &Arc<Session>, stream: u64) {
        if !session.is_on(stream) || !self.open().contains_key(&session.id) {
            return;
        }
        self.note(What::Detached, Some(session), "its connection broke");
        let sessions = self.clone();
        // Where the server itself ends, nobody waits any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // One that is closed meanwhile is gone then.
        let session = Arc::downgrade(session);
        runtime.spawn(async move {
            tokio::time::sleep(sessions.0.lease).await;
            if let Some(session) = session.upgrade()
                && sessions.remove(&session, stream)
            {
                sessions.note(What::Expired, Some(&session), "nobody came back");
            }
        });
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is no session's, while it lasts.
pub(super) struct CallUnderWay {
    sessions: Sessions,
    _share: Share,
}

impl Drop for CallUnderWay {
    fn drop(&mut self) {
        self.sessions.0.calls.fetch_sub(1, Ordering::AcqRel);
        self.sessions.0.left.notify_waiters();
    }
}

/// A name that nobody can guess.
fn name() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::new(detail::IO_OPEN, format!("the system gives no random bytes: {e}"))
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
