//! The sessions that a server has.

use super::config::{Config, Log};
use super::happened::{Happened, What};
use super::metrics::Metrics;
use crate::session::Session;
use remotemedia_core::error::{Error, Result, detail};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// The sessions that a server has.
#[derive(Clone)]
pub(super) struct Sessions(Arc<Inner>);

struct Inner {
    open: Mutex<HashMap<String, Arc<Session>>>,
    most: usize,
    lease: Duration,
    /// Until when they have to be gone; `None`: they may stay.
    deadline: watch::Sender<Option<Instant>>,
    /// One has gone.
    left: Notify,
    metrics: Metrics,
    log: Option<Log>,
}

impl Sessions {
    pub(super) fn new(config: &Config) -> Self {
        let (open, deadline, left) = (Mutex::default(), watch::Sender::new(None), Notify::new());
        let (most, lease, log) = (config.max_sessions, config.lease, config.log.clone());
        Self(Arc::new(Inner {
            open,
            most,
            lease,
            deadline,
            left,
            metrics: Metrics::default(),
            log,
        }))
    }

    /// Notes what happened.
    pub(super) fn note(&self, what: What, session: Option<&Session>, about: &str) {
        self.0.metrics.happened(what);
        if let Some(log) = &self.0.log {
            let session = session.map(|session| session.id[..8].to_owned());
            log(&Happened { what, session, about: about.to_owned() });
        }
    }

    /// The server's counters.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The server's counters in Prometheus' text format.
    pub(super) fn metrics_text(&self) -> String {
        self.0.metrics.text(self.count(), self.0.deadline.borrow().is_some())
    }

    /// How long one is kept when its connection breaks.
    pub(super) fn lease(&self) -> Duration {
        self.0.lease
    }

    /// Takes no more, and says that all have to be gone in so long.
    pub(super) fn drain(&self, time: Duration) {
        self.0.deadline.send_replace(Some(Instant::now() + time));
        let about = format!("{} sessions have {} ms", self.count(), time.as_millis());
        self.note(What::Draining, None, &about);
    }

    /// Until when they have to be gone, and when that changes.
    pub(super) fn deadline(&self) -> watch::Receiver<Option<Instant>> {
        self.0.deadline.subscribe()
    }

    /// Waits until there are none.
    pub(super) async fn gone(&self) {
        loop {
            let left = self.0.left.notified();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.open().len()
    }

    /// Adds a session, which `make` makes under the name that it is given.
    ///
    /// # Errors
    /// `remote.limit` when there are as many as there may be; as `make`.
    pub(super) fn add(&self, make: impl FnOnce(String) -> Result<Session>) -> Result<Arc<Session>> {
        let full = || {
            let message = format!("the server has {} sessions, as many as it may", self.0.most);
            Err(Error::new(detail::REMOTE_LIMIT, message))
        };
        if self.0.deadline.borrow().is_some() {
            let message = "the server is about to end and takes nothing new";
            return Err(Error::new(detail::REMOTE_DRAINING, message));
        }
        if self.count() >= self.0.most {
            return full();
        }
        // Made while nothing is locked: it may take long.
        let session = Arc::new(make(name()?)?);
        let mut open = self.open();
        if open.len() >= self.0.most {
            return full();
        }
        open.insert(session.id.clone(), Arc::clone(&session));
        drop(open);
        self.note(What::Opened, Some(&session), session.about());
        Ok(session)
    }

    /// The session of that name, if it is this client's.
    ///
    /// # Errors
    /// `remote.lost` when there is none.
    pub(super) fn find(&self, name: &str, owner: &str) -> Result<Arc<Session>> {
        let found = self.open().get(name).filter(|session| session.owner == owner).cloned();
        found.ok_or_else(|| {
            let message = "the server does not have the session any more: what it held for the node \
                           is lost";
            Error::new(detail::REMOTE_LOST, message)
        })
    }

    pub(super) fn remove(&self, session: &Session) {
        let removed = self.open().remove(&session.id);
        // The node goes when nothing is locked.
        drop(removed);
        self.0.left.notify_waiters();
    }

    /// Keeps a session for its lease, unless another stream takes it over.
    pub(super) fn detach(&self, session: Arc<Session>, stream: u64) {
        self.note(What::Detached, Some(&session), "its connection broke");
        let sessions = self.clone();
        // Where the server itself ends, nobody waits any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            tokio::time::sleep(sessions.0.lease).await;
            if session.is_on(stream) {
                sessions.note(What::Expired, Some(&session), "nobody came back");
                sessions.remove(&session);
            }
        });
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
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
