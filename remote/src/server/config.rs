//! How a server is set up.

use super::access::Token;
use super::happened::Happened;
use crate::endpoint::Endpoint;
use crate::parts::WHOLE_BYTES;
use remotemedia_core::error::{Error, Result, detail};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a server is set up.
#[derive(Clone)]
pub struct Config {
    /// Where it listens: `host:port` or `unix:/path`. Port 0 is any that is free.
    pub listen: String,
    /// How its connections are secured.
    pub tls: Option<Tls>,
    /// Whether it may listen without TLS where others may listen, too.
    pub plaintext: bool,
    /// Who may use it: those with one of these tokens. Empty: everybody who can reach it.
    pub tokens: Vec<Token>,
    /// Node types that may be used, by name or alias; `None`: all but those that use files.
    pub nodes: Option<Vec<String>>,
    /// Sessions at a time.
    pub max_sessions: usize,
    /// Sessions of one client at a time.
    pub max_client_sessions: usize,
    /// Connections at a time; one more is closed as soon as it comes.
    pub max_connections: usize,
    /// Bytes of a message in parts at most.
    pub max_message: usize,
    /// Bytes that messages may take, all together: what comes in, what waits to be worked on, and what
    /// clients have not acknowledged.
    pub max_memory: usize,
    /// How long a call may take that is no stream.
    pub max_call: Duration,
    /// How long a session is kept when its connection breaks.
    pub lease: Duration,
    /// How long sessions may take to end when the server does.
    pub drain: Duration,
    /// Is told what happens to sessions. Must not block.
    pub log: Option<Log>,
}

/// Is told what happens.
pub type Log = Arc<dyn Fn(&Happened) + Send + Sync>;

/// Certificates, as PEM.
#[derive(Clone)]
pub struct Tls {
    /// The server's, with those that it comes from.
    pub cert: String,
    /// Its key.
    pub key: String,
    /// Those that the clients' own must come from. `None`: clients need none.
    pub client_ca: Option<String>,
}

impl fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("client_ca", &self.client_ca.is_some()).finish_non_exhaustive()
    }
}

impl Config {
    /// The defaults, at that place.
    pub fn at(listen: &str) -> Self {
        Self {
            listen: listen.to_owned(),
            tls: None,
            plaintext: false,
            tokens: Vec::new(),
            nodes: None,
            max_sessions: 1024,
            max_client_sessions: 1024,
            max_connections: 1024,
            max_message: WHOLE_BYTES,
            max_memory: 2 << 30,
            max_call: Duration::from_secs(300),
            lease: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            log: None,
        }
    }

    /// Where it listens, if it may listen there.
    pub(super) fn endpoint(&self) -> Result<Endpoint> {
        let endpoint = Endpoint::parse(&self.listen)?;
        if self.tls.is_none() && !self.plaintext && !endpoint.is_local() {
            let message = format!("at {endpoint} others may listen, too, and there is no TLS");
            let hint = "give it a certificate, or allow plaintext if the network is your own";
            return Err(Error::new(detail::REMOTE_ENDPOINT, message).with_hint(hint));
        }
        Ok(endpoint)
    }
}
