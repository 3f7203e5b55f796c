//! The sessions that a server has.

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
}

impl Sessions {
    pub(super) fn new(most: usize, lease: Duration) -> Self {
        let (open, deadline, left) = (Mutex::default(), watch::Sender::new(None), Notify::new());
        Self(Arc::new(Inner { open, most, lease, deadline, left }))
    }

    /// How long one is kept when its connection breaks.
    pub(super) fn lease(&self) -> Duration {
        self.0.lease
    }

    /// Takes no more, and says that all have to be gone in so long.
    pub(super) fn drain(&self, time: Duration) {
        self.0.deadline.send_replace(Some(Instant::now() + time));
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
        let sessions = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(sessions.0.lease).await;
            if session.is_on(stream) {
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
