//! A stream's hold on its session.

use super::happened::What;
use super::session::Session;
use super::sessions::Sessions;
use crate::failure;
use remotemedia_core::error::Error;
use std::sync::Arc;
use tonic::Status;

/// A stream's hold on its session. When it goes, the session waits for another stream.
pub(super) struct Hold {
    pub(super) session: Arc<Session>,
    pub(super) stream: u64,
    pub(super) sessions: Sessions,
    /// The client has closed the session.
    over: bool,
}

impl Hold {
    /// Takes a session over that was just opened.
    pub(super) fn on(session: Arc<Session>, sessions: &Sessions) -> Self {
        let (stream, sessions) = (session.take_over(), sessions.clone());
        Self { session, stream, sessions, over: false }
    }

    /// Takes a session over that its client comes back to.
    pub(super) fn back_on(session: Arc<Session>, sessions: &Sessions) -> Self {
        sessions.note(What::Attached, Some(&session), &session.about);
        Self::on(session, sessions)
    }

    /// The session is over, and not only the stream.
    pub(super) fn close(&mut self) {
        self.over = true;
    }

    /// The session is over with an error: what its stream ends with.
    pub(super) fn fail(&mut self, error: &Error) -> Status {
        self.close();
        failure::to_status(error)
    }

    /// A call has failed.
    pub(super) fn failed(&self, seq: u64, message: &str) {
        self.sessions.note_call(&self.session, seq, message);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.over {
            self.sessions.note(What::Closed, Some(&self.session), &self.session.about);
            self.sessions.remove(&self.session);
        } else if self.session.is_on(self.stream) {
            self.sessions.detach(Arc::clone(&self.session), self.stream);
        }
    }
}
