//! Looks after a line: one stream after the other, until its node is gone or the server out of reach for
//! too long.

use super::Line;
use crate::fleet::{self, Seated};
use remotemedia_core::error::{Error, detail};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// What the server held for the node is gone.
fn lost(cause: &Error) -> Error {
    let message = "the server was out of reach for too long: what it held for the node is lost";
    Error::new(detail::REMOTE_LOST, message).caused_by(cause.clone())
}
