//! Engines, for pipelines with nodes of Python's, and for whoever wants limits of their own.

use crate::error::{OrRaise, from_json, to_json};
use crate::exit::Inside;
use crate::job::Job;
use crate::wait::Deadline;
use pyo3::prelude::*;
use remotemedia_binding::Engine as Handle;
use std::sync::Arc;

/// See `_native.pyi`.
#[pyclass(frozen, module = "remotemedia._native", weakref)]
pub(crate) struct Engine {
    handle: Arc<Handle>,
}

impl Engine {
    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (memory_limit=0))]
    fn new(py: Python<'_>, memory_limit: u64) -> PyResult<Self> {
        Ok(Self { handle: Arc::new(Handle::new(memory_limit).or_raise(py)?) })
    }

    #[staticmethod]
    fn default() -> Self {
        Self { handle: Arc::new(Handle::DEFAULT) }
    }

    fn nodes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let _inside = Inside::new()?;
        from_json(py, &self.handle.nodes().or_raise(py)?)
    }

    fn threads<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let _inside = Inside::new()?;
        from_json(py, &self.handle.threads().or_raise(py)?)
    }

    fn validate<'py>(&self, py: Python<'py>, manifest: &str) -> PyResult<Bound<'py, PyAny>> {
        let _inside = Inside::new()?;
        from_json(py, &self.handle.validate(manifest).or_raise(py)?)
    }

    fn add_host_node(&self, declaration: &Bound<'_, PyAny>) -> PyResult<()> {
        let _inside = Inside::new()?;
        let text = to_json(declaration)?;
        self.handle.add_host_node(&text).or_raise(declaration.py())
    }

    #[pyo3(signature = (timeout=None))]
    fn next_job(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Job>> {
        let (inside, deadline) = (Inside::new()?, Deadline::new(timeout)?);
        loop {
            let slice = deadline.slice();
            let job = match deadline.is_now() {
                true => self.handle.next_job(slice),
                false => inside.detach(py, || self.handle.next_job(slice))?,
            };
            if let Some(job) = job.or_raise(py)? {
                return Ok(Some(Job::new(job)));
            }
            if deadline.has_passed() {
                return Ok(None);
            }
            py.check_signals()?;
        }
    }

    fn next_log<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let _inside = Inside::new()?;
        let line = self.handle.next_log().or_raise(py)?;
        line.map(|line| from_json(py, &line)).transpose()
    }

    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        self.handle.wait_handle().or_raise(py)
    }
}
