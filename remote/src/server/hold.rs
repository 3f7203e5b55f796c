//! A stream's hold on its session.

use super::access::Who;
use super::happened::What;
use super::session::Session;
use super::sessions::Sessions;
use crate::failure;
use remotemedia_core::error::{Error, Result};
use std::sync::Arc;
use tonic::Status;

/// A stream's hold on its session. When it goes, the session waits for another stream.
pub(super) struct Hold {
    pub(super) session: Arc<Session>,
    pub(super) stream: u64,
    pub(super) sessions: Sessions,
    /// The session is over, and not only the stream: what the log says of it.
    over: Option<String>,
}

impl Hold {
    /// Takes a session over that was just opened.
    pub(super) fn on(session: Arc<Session>, sessions: &Sessions) -> Self {
        let stream = session.take_over();
        Self { session, stream, sessions: sessions.clone(), over: None }
    }

    /// Takes a session over that its client comes back to.
    ///
    /// # Errors
    /// `remote.lost` when there is none; as `fits`, and then nothing has changed.
    pub(super) fn back_on(
        sessions: &Sessions,
        name: &str,
        who: &Who,
        fits: impl FnOnce(&Session) -> Result<()>,
    ) -> Result<Self> {
        let (session, stream) = sessions.take_over(name, who, fits)?;
        sessions.note(What::Attached, Some(&session), &session.about);
        Ok(Self { session, stream, sessions: sessions.clone(), over: None })
    }

    /// Its client has closed the session.
    pub(super) fn close(&mut self) {
        self.over = Some(self.session.about.clone());
    }

    /// The session is over with an error: what its stream ends with.
    pub(super) fn fail(&mut self, error: &Error) -> Status {
        self.over = Some(error.message().to_owned());
        failure::to_status(error)
    }

    /// A call has failed.
    pub(super) fn failed(&self, seq: u64, message: &str) {
        self.sessions.note_call(&self.session, seq, message);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Self { session, stream, sessions, over } = self;
        if let Ok(calls) = session.calls() {
            // It may have been told in place of the stream that has taken over.
            calls.finished.notify_one();
        }
        match over.take() {
            Some(about) => {
                if sessions.remove(session, *stream) {
                    sessions.note(What::Closed, Some(session), &about);
                }
            }
            None => sessions.detach(session, *stream),
        }
    }
}
