//! The native part of the Python package `remotemedia`: pipelines, packets, engines and jobs, over the
//! functions of `rmedia.h`. What people see is in `remotemedia/`; `_native.pyi` says what is here.
//!
//! No thread of the engine ever enters Python: callers pull, event loops watch a descriptor, and nodes
//! written in Python are jobs that a thread of Python's takes.

mod array;
mod dlpack;
mod engine;
mod error;
mod exit;
mod export;
mod input;
mod interpreter;
mod job;
mod keep;
mod packet;
mod pictures;
mod pipeline;
mod running;
mod samples;
mod table;
mod wait;

/// See `_native.pyi`.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::exit::leave;
    #[pymodule_export]
    use crate::job::Job;
    #[pymodule_export]
    use crate::packet::Packet;
    #[pymodule_export]
    use crate::pipeline::Pipeline;
    #[pymodule_export]
    use crate::table::{function_table, live};

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name that Python's users expect")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::interpreter::check(module.py())
    }
}
