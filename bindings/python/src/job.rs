//! Jobs of nodes written in Python.

use crate::error::{OrRaise, own};
use crate::packet::Packet;
use pyo3::prelude::*;
use remotemedia_binding::{Job as Handle, JobKind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See `_native.pyi`.
#[pyclass(frozen, module = "remotemedia._native")]
pub(crate) struct Job {
    kind: JobKind,
    node: u64,
    node_type: String,
    params: String,
    port: u32,
    /// None once it has ended.
    open: Mutex<Option<Handle>>,
}

impl Job {
    pub(crate) fn new(handle: Handle) -> Self {
        Self {
            kind: handle.kind(),
            node: handle.node(),
            node_type: handle.node_type().to_owned(),
            params: handle.params().to_owned(),
            port: handle.port(),
            open: Mutex::new(Some(handle)),
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<Handle>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, py: Python<'_>) -> PyResult<Handle> {
        self.open().take().ok_or_else(|| own(py, "StateError", "the job has ended".to_owned()))
    }
}

#[pymethods]
impl Job {
    #[getter]
    fn kind(&self) -> &'static str {
        match self.kind {
            JobKind::Process => "process",
            JobKind::Drain => "drain",
            JobKind::Reset => "reset",
            JobKind::Params => "params",
            JobKind::Close => "close",
        }
    }

    #[getter]
    fn node(&self) -> u64 {
        self.node
    }

    #[getter]
    fn node_type(&self) -> &str {
        &self.node_type
    }

    #[getter]
    fn params(&self) -> &str {
        &self.params
    }

    #[getter]
    fn port(&self) -> u32 {
        self.port
    }

    #[getter]
    fn packet(&self) -> Option<Packet> {
        let packet = self.open().as_ref().and_then(|job| job.packet().cloned());
        packet.map(|packet| Packet::new(packet, None))
    }

    #[getter]
    fn is_cancelled(&self, py: Python<'_>) -> PyResult<bool> {
        match self.open().as_ref() {
            Some(job) => job.is_cancelled().or_raise(py),
            None => Ok(true),
        }
    }

    fn emit(&self, py: Python<'_>, port: u32, packet: &Bound<'_, Packet>) -> PyResult<()> {
        match self.open().as_ref() {
            Some(job) => job.emit(port, packet.get().shared(py)?).or_raise(py),
            None => {
                Err(own(py, "StateError", "the job has ended: it can't emit any more".to_owned()))
            }
        }
    }

    fn done(&self, py: Python<'_>) -> PyResult<()> {
        let job = self.end(py)?;
        // What waits for it may go on at once, on this thread.
        py.detach(|| job.done()).or_raise(py)
    }

    fn fail(&self, py: Python<'_>, message: &str) -> PyResult<()> {
        let job = self.end(py)?;
        py.detach(|| job.fail(message)).or_raise(py)
    }
}
