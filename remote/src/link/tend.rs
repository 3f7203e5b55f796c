//! Looks after a line: one stream after the other, until its node is gone or the server out of reach for
//! too long.

use super::Line;
use crate::fleet::{self, Place, Seated, Try};
use crate::gate::{self, Aim};
use remotemedia_core::error::{Error, Result, detail};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How a stream ended.
pub(super) enum Ended {
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
pub(super) struct Session {
    pub(super) id: String,
    pub(super) seated: Seated,
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
pub(super) struct Tended;

impl Tended {
    pub(super) fn begin() -> Self {
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
pub(super) async fn tend(line: Arc<Line>, _tended: Tended) {
    let mut session: Option<Session> = None;
    // Streams in a row that broke as soon as they were there.
    let (mut out_of_reach, mut useless) = (Instant::now(), 0);
    loop {
        let until = out_of_reach + line.settings.connect;
        let tried = tokio::select! {
            biased;
            // Nobody waits for it: what is left on the server goes when nobody comes back.
            () = line.gone.notified() => return,
            tried = line.enter(session.as_ref(), useless, until) => tried,
        };
        let (begun, before) = (Instant::now(), line.lock().progress);
        let mut heard = false;
        let ended = match tried {
            Ok(tried) => line.stream(tried, &mut session, &mut heard).await,
            Err(error) => Ended::Broken(error),
        };
        if heard && (begun.elapsed() >= LIVES || line.lock().progress > before) {
            (out_of_reach, useless) = (Instant::now(), 0);
        } else if heard {
            useless += 1;
        }
        let error = match ended {
            Ended::Closed => return,
            Ended::Failed(error) => error,
            Ended::Moved => {
                session = None;
                continue;
            }
            Ended::Broken(_) if out_of_reach.elapsed() < line.settings.connect => continue,
            Ended::Broken(error) => match session {
                Some(_) => lost(&error),
                None => error,
            },
        };
        return line.fail_after(&error, session.is_some());
    }
}

impl Line {
    /// Waits until a server may be tried.
    async fn enter(&self, session: Option<&Session>, useless: u32, until: Instant) -> Result<Try> {
        // The gate knows nothing of what breaks behind it.
        if useless > 0 {
            tokio::time::sleep(gate::pause(useless - 1)).await;
        }
        match session {
            Some(Session { seated, .. }) => {
                fleet::enter(std::slice::from_ref(seated.place()), Aim::Attach, until).await
            }
            None => fleet::enter(&Place::all(&self.settings), Aim::Open, until).await,
        }
    }
}

/// What the server held for the node is gone.
fn lost(cause: &Error) -> Error {
    let message = "the server was out of reach for too long: what it held for the node is lost";
    Error::new(detail::REMOTE_LOST, message).caused_by(cause.clone())
}
