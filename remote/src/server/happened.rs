//! What happens on a server: for its log.

use serde_json::{Value as Json, json};
use std::fmt;

/// Something that happened to a session, or kept one from being opened.
#[derive(Debug, Clone)]
pub struct Happened {
    /// What.
    pub what: What,
    /// The session, where there is one: the first letters of its name, which are not enough to attach.
    pub session: Option<String>,
    /// Number of the call or command, where it is about one.
    pub call: Option<u64>,
    /// The trace that the session belongs to, as its client says: `traceparent` of W3C's Trace Context.
    pub trace: Option<String>,
    /// More about it: the node's type, or why it was refused.
    pub about: String,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A session was opened.
    Opened,
    /// A client came back to its session.
    Attached,
    /// The connection of a session broke; the session waits for its client.
    Detached,
    /// A session was closed: by its client, for what the client did, or since the server ends.
    Closed,
    /// Nobody came back to a session.
    Expired,
    /// A session was not opened, a client not let in, or a message not taken.
    Refused,
    /// A call of a session ended with an error.
    Failed,
    /// Tokens, types or certificates were changed.
    Reloaded,
    /// The server is told to end.
    Draining,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Opened,
        Self::Attached,
        Self::Detached,
        Self::Closed,
        Self::Expired,
        Self::Refused,
        Self::Failed,
        Self::Reloaded,
        Self::Draining,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Attached => "attached",
            Self::Detached => "detached",
            Self::Closed => "closed",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Reloaded => "reloaded",
            Self::Draining => "draining",
        }
    }
}

impl Happened {
    /// As JSON: `{what, session, call, trace, about}`.
    pub fn to_json(&self) -> Json {
        let Self { session, call, trace, about, .. } = self;
        json!({
            "what": self.what.name(), "session": session, "call": call, "trace": trace, "about": about,
        })
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(session) = &self.session {
            write!(f, "session {session} ")?;
        }
        if let Some(call) = &self.call {
            write!(f, "call {call} ")?;
        }
        write!(f, "{}: {}", self.what.name(), self.about)?;
        match &self.trace {
            Some(trace) => write!(f, " (trace {trace})"),
            None => Ok(()),
        }
    }
}
