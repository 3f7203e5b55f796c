//! Sessions: what runs here for engines elsewhere. A session outlives its connection by its lease.

use super::access::Who;
use super::budget::Budget;
use super::calls::Calls;
use super::running::Running;
use crate::wire;
use remotemedia_core::error::Result;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// A node or a pipeline that runs here, for one client.
pub(super) struct Session {
    pub(super) id: String,
    /// Who opened it, and alone may attach to it.
    pub(super) who: Who,
    /// What runs in it.
    pub(super) about: String,
    /// What its client says of the trace that it belongs to: `traceparent` of W3C's Trace Context.
    pub(super) trace: Option<String>,
    /// How long the server may say nothing, on whichever stream.
    pub(super) beat: Duration,
    /// Number of the stream that it is on; an older one ends.
    stream: AtomicU64,
    /// Wakes a stream that is not the present one any more.
    pub(super) replaced: Notify,
    pub(super) work: Work,
}

/// What runs in a session.
pub(super) enum Work {
    /// A node, or a pipeline that is called as one.
    Calls(Calls),
    Pipeline(Running),
}

/// What a session is to be.
pub(super) struct Opening {
    pub(super) id: String,
    pub(super) who: Who,
    pub(super) trace: Option<String>,
    pub(super) budget: Budget,
}

/// How long a side may say nothing, unless the client says otherwise.
const BEAT: Duration = Duration::from_secs(10);

/// The version of the protocol that is spoken here.
const PROTOCOL: u32 = 1;

impl Session {
    pub(super) fn new(opening: Opening, about: String, heartbeat_ms: u32, work: Work) -> Self {
        // A client that says nothing of it need not say anything for that long.
        let beat = match heartbeat_ms {
            0 => BEAT,
            ms => Duration::from_millis(ms.clamp(10, 86_400_000).into()),
        };
        let Opening { id, who, trace, .. } = opening;
        let (stream, replaced) = (AtomicU64::new(0), Notify::new());
        Self { id, who, about, trace, beat, stream, replaced, work }
    }

    /// Takes the session over for another stream: its number.
    pub(super) fn take_over(&self) -> u64 {
        let number = self.stream.fetch_add(1, Ordering::AcqRel) + 1;
        self.replaced.notify_waiters();
        number
    }

    /// Ends what runs in it.
    pub(super) fn close(&self) {
        match &self.work {
            Work::Calls(calls) => calls.close(),
            Work::Pipeline(running) => running.close(),
        }
    }

    /// Whether that stream is the present one.
    pub(super) fn is_on(&self, stream: u64) -> bool {
        self.stream.load(Ordering::Acquire) == stream
    }
}

/// Checks that the client speaks what is spoken here.
///
/// # Errors
/// `remote.protocol` with both versions.
pub(super) fn check_protocol(version: u32) -> Result<()> {
    if version > PROTOCOL {
        return Err(wire::wrong(format!(
            "the client speaks version {version} of the protocol, and the server version {PROTOCOL}"
        ))
        .with_hint("use a server of the client's version, or a later one"));
    }
    Ok(())
}
