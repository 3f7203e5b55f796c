//! Waiting without holding up Python: in slices, so that Ctrl-C comes through.

use crate::error::own;
use crate::exit::Inside;
use crate::running::Running;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use remotemedia_binding::{Closed, Error, Idle, Timeout};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a wait may take before signals are looked at.
const SLICE: u32 = 50;

/// When a wait ends.
#[derive(Clone, Copy)]
pub(crate) enum Deadline {
    /// At once: it is none.
    Now,
    /// Then.
    At(Instant),
    /// Never.
    Never,
}

impl Deadline {
    /// From Python's `timeout`: seconds, or None for ever.
    pub(crate) fn new(timeout: Option<f64>) -> PyResult<Self> {
        match timeout {
            None => Ok(Self::Never),
            Some(seconds) if seconds <= 0.0 => Ok(Self::Now),
            Some(seconds) if seconds.is_nan() => {
                Err(PyValueError::new_err("timeout is not a number; give seconds, or None"))
            }
            Some(seconds) => {
                let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                Ok(Instant::now().checked_add(wait).map_or(Self::Never, Self::At))
            }
        }
    }

    /// How long one call of the engine may wait.
    pub(crate) fn slice(self) -> Timeout {
        Timeout::from_millis(self.slice_millis())
    }

    /// The same for waits in Python, in seconds.
    pub(crate) fn slice_seconds(self) -> f64 {
        f64::from(self.slice_millis()) / 1e3
    }

    fn slice_millis(self) -> u32 {
        match self {
            Self::Now => 0,
            Self::Never => SLICE,
            Self::At(at) => {
                let left = at.saturating_duration_since(Instant::now()).as_millis();
                u32::try_from(left).unwrap_or(SLICE).min(SLICE)
            }
        }
    }

    /// All the time that is left, for a call that can't be made in parts.
    fn rest(self) -> Timeout {
        match self {
            Self::Now => Timeout::TRY,
            Self::Never => Timeout::FOREVER,
            Self::At(at) => {
                let left = at.saturating_duration_since(Instant::now()).as_millis();
                Timeout::from_millis(u32::try_from(left).unwrap_or(u32::MAX))
            }
        }
    }

    /// Whether there is no more time.
    pub(crate) fn has_passed(self) -> bool {
        match self {
            Self::Now => true,
            Self::Never => false,
            Self::At(at) => Instant::now() >= at,
        }
    }

    /// Whether it is a call that doesn't wait at all.
    pub(crate) fn is_now(self) -> bool {
        matches!(self, Self::Now)
    }
}

/// Closes a pipeline. A close can't be waited for in slices, since time that is up cuts it: where it
/// may wait for others, a thread of its own makes the call, and Ctrl-C cancels the pipeline.
pub(crate) fn close(
    py: Python<'_>,
    running: &Arc<Running>,
    inside: &Inside,
    deadline: Deadline,
) -> PyResult<Result<Closed, Error>> {
    let pipeline = &running.pipeline;
    let at_once = inside.detach(py, || {
        let ended = pipeline.end(None).and_then(|()| pipeline.advance());
        let waits = matches!(ended, Ok(Idle::InFlight | Idle::Busy | Idle::Due | Idle::Full));
        (!waits || deadline.is_now()).then(|| pipeline.close(deadline.rest()))
    })?;
    if let Some(closed) = at_once {
        return Ok(closed);
    }
    let (sender, receiver) = mpsc::channel();
    let closing = running.clone();
    thread::spawn(move || {
        let closed = closing.pipeline.close(deadline.rest());
        // Who waits is to find nothing of it here.
        drop(closing);
        // Nobody listens after a Ctrl-C.
        sender.send(closed).ok();
    });
    let slice = Duration::from_millis(SLICE.into());
    // Python may let another thread in meanwhile, so what is waited on must be shareable.
    let receiver = Mutex::new(receiver);
    loop {
        let receive =
            || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(slice);
        match inside.detach(py, receive)? {
            Ok(closed) => return Ok(closed),
            Err(RecvTimeoutError::Timeout) => {
                py.check_signals().inspect_err(|_| pipeline.cancel())?;
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(own(py, "InternalError", "the thread that closes is gone".to_owned()));
            }
        }
    }
}
