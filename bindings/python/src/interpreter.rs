//! One interpreter of a process has the module. What it keeps (classes, the engine) can't be shared.

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicI64, Ordering};

/// The interpreter that has it; -1: none yet.
static OWNER: AtomicI64 = AtomicI64::new(-1);

/// Refuses to be imported by another interpreter than the first.
pub(crate) fn check(_attached: Python<'_>) -> PyResult<()> {
    // SAFETY: this thread is attached, so it has an interpreter.
    let own = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    match OWNER.compare_exchange(-1, own, Ordering::SeqCst, Ordering::SeqCst) {
        Err(owner) if owner != own => Err(PyImportError::new_err(
            "remotemedia can't be imported by a subinterpreter: another interpreter of this process \
             has it; import it in the main interpreter, or use processes",
        )),
        _ => Ok(()),
    }
}
