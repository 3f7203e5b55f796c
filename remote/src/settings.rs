//! What a manifest says under `remote`.

use crate::endpoint::Endpoint;
use remotemedia_core::error::{Error, Result, detail};
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// Name of the environment's variable for where no endpoint is given.
const VARIABLE: &str = "REMOTEMEDIA_ENDPOINT";

/// Name of the environment's variable for the trace that the process belongs to.
const TRACE: &str = "TRACEPARENT";

/// Files for connections that are secured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tls {
    /// The manifest speaks of it, so there is no going without.
    pub(crate) wanted: bool,
    pub(crate) ca: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) server_name: Option<String>,
}

impl Tls {
    fn read(tls: Option<&Map<String, Json>>) -> Self {
        let text = |name| tls.and_then(|tls| tls.get(name)?.as_str()).map(str::to_owned);
        Self {
            wanted: tls.is_some(),
            ca: text("ca"),
            cert: text("cert"),
            key: text("key"),
            server_name: text("server_name"),
        }
    }
}

/// A server, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Settings {
    /// At least one.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) token: Option<String>,
    pub(crate) tls: Tls,
    /// How long it may be out of reach.
    pub(crate) connect: Duration,
    /// How long it may say nothing.
    pub(crate) heartbeat: Duration,
    pub(crate) max_in_flight: usize,
    /// The trace that its sessions belong to.
    pub(crate) traceparent: Option<String>,
}

/// Whether it is a `traceparent` of W3C's Trace Context: `00-` trace `-` span `-` flags, in hexadecimal.
pub(crate) fn is_traceparent(text: &str) -> bool {
    let lengths = [2, 32, 16, 2];
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let known = text.starts_with("00-");
    // A later version may have more behind it.
    (parts.len() == lengths.len() || !known && parts.len() > lengths.len() && text.len() < 256)
        && !text.starts_with("ff-")
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == length && part.bytes().all(hex))
        && [1, 2].iter().all(|part| parts[*part].bytes().any(|c| c != b'0'))
}

impl Settings {
    /// Reads them. The types of the fields have been checked.
    ///
    /// # Errors
    /// `remote.endpoint` when none is given, or what is given is none.
    pub(crate) fn read(remote: &Map<String, Json>) -> Result<Self> {
        let mut texts: Vec<String> = match remote.get("endpoint") {
            Some(Json::String(one)) => vec![one.clone()],
            Some(Json::Array(list)) => {
                list.iter().filter_map(Json::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        if texts.is_empty() {
            let found = std::env::var(VARIABLE).unwrap_or_default();
            texts = found
                .split(',')
                .map(str::trim)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
                .collect();
        }
        if texts.is_empty() {
            let message = "the node is to run on a server, and none is named";
            return Err(Error::new(detail::REMOTE_ENDPOINT, message).with_hint(format!(
                "add \"remote\": {{\"endpoint\": \"host:port\"}}, or set {VARIABLE}"
            )));
        }
        let ms = |name, default| {
            let ms = remote.get(name).and_then(Json::as_f64).unwrap_or(default);
            Duration::from_secs_f64(ms / 1e3)
        };
        let most = remote.get("max_in_flight").and_then(Json::as_u64).unwrap_or(64);
        let endpoints = texts.iter().map(|text| Endpoint::parse(text));
        let endpoints = endpoints.collect::<Result<Vec<_>>>()?;
        let tls = Tls::read(remote.get("tls").and_then(Json::as_object));
        let token = remote.get("token").and_then(Json::as_str).map(str::to_owned);
        let open = |e: &&Endpoint| !e.is_secure() && !tls.wanted && !e.is_local();
        if let (Some(_), Some(open)) = (&token, endpoints.iter().find(open)) {
            let message = format!("the token would go to {open} where others can read it");
            return Err(Error::new(detail::REMOTE_ENDPOINT, message)
                .with_hint("write https:// before it, or add \"tls\": {}"));
        }
        // Behind whatever began the process, where nothing else is said.
        let said = remote.get("traceparent").and_then(Json::as_str).map(str::to_owned);
        let traceparent = match said {
            Some(said) if is_traceparent(&said) => Some(said),
            Some(said) => {
                let message = format!("'{said}' is no traceparent");
                return Err(Error::new(detail::ARGUMENT_INVALID, message).with_hint(
                    "write it as W3C's Trace Context has it: 00-<32 hex digits>-<16>-<2>",
                ));
            }
            None => std::env::var(TRACE).ok().filter(|text| is_traceparent(text)),
        };
        Ok(Self {
            endpoints,
            token,
            tls,
            connect: ms("connect_ms", 10_000.0),
            heartbeat: ms("heartbeat_ms", 10_000.0),
            max_in_flight: usize::try_from(most).unwrap_or(64),
            traceparent,
        })
    }
}
