//! The end of the interpreter. Up to Python 3.13 it ends a thread that asks for Python's lock then by
//! unwinding its stack, which must not pass through Rust: the process would abort. `PyO3` lets threads
//! hang that come back from a wait; here is what it leaves open, code of Python's that runs inside a
//! call of ours.

use pyo3::exceptions::PySystemExit;
use pyo3::ffi::{PyObject, PyObject_Call};
use pyo3::marker::Ungil;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{hint, mem, thread};

/// Calls that may run code of Python's at this moment, not counting those that wait or run a user's.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
static LEAVING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// This is the thread that ends the interpreter.
    static LEAVES: Cell<bool> = const { Cell::new(false) };
}

/// How long the end of the interpreter is held up for calls that are under way. They are short; where
/// the machine is loaded, each may have to wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// A call of this module. Once the interpreter ends, calls of other threads raise `SystemExit`, with
/// which a thread ends without a word.
pub(crate) struct Inside(());

impl Inside {
    pub(crate) fn new() -> PyResult<Self> {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let inside = Self(());
        inside.check()?;
        Ok(inside)
    }

    fn check(&self) -> PyResult<()> {
        if LEAVING.load(Ordering::SeqCst) && !LEAVES.get() {
            return Err(PySystemExit::new_err(()));
        }
        Ok(())
    }

    /// Does something that may take long without Python's lock.
    pub(crate) fn detach<T: Ungil>(
        &self,
        py: Python<'_>,
        work: impl FnOnce() -> T + Ungil,
    ) -> PyResult<T> {
        let done = {
            let _outside = Outside::new();
            py.detach(work)
        };
        self.check()?;
        Ok(done)
    }

    /// Calls a method that runs code of the user's, which may take as long as it likes.
    pub(crate) fn call<'py>(
        &self,
        object: &Bound<'py, PyAny>,
        method: &Bound<'py, pyo3::types::PyString>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        type Call = unsafe extern "C-unwind" fn(
            *mut PyObject,
            *mut PyObject,
            *mut PyObject,
        ) -> *mut PyObject;
        let (py, method) = (object.py(), object.getattr(method)?);
        // SAFETY: "C" and "C-unwind" differ only in what the caller makes of unwinding.
        let call = unsafe {
            mem::transmute::<
                unsafe extern "C" fn(*mut PyObject, *mut PyObject, *mut PyObject) -> *mut PyObject,
                Call,
            >(PyObject_Call)
        };
        // Seen through, it would be a call that can't unwind again.
        let call = hint::black_box(call);
        let outside = Outside::new();
        let hang = Hang;
        // SAFETY: a callable object and a tuple, alive and attached; no keywords. If the thread is
        // unwound, it stops at `hang` for good, and holds Python's lock no more by then.
        let result = unsafe { call(method.as_ptr(), arguments.as_ptr(), std::ptr::null_mut()) };
        mem::forget(hang);
        drop(outside);
        // SAFETY: a new reference, or null with an exception set.
        let result = unsafe { Bound::from_owned_ptr_or_err(py, result) };
        self.check()?;
        result
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A part of a call that is not counted.
struct Outside(());

impl Outside {
    fn new() -> Self {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        INSIDE.fetch_add(1, Ordering::SeqCst);
    }
}

/// Stops the thread when it is unwound.
struct Hang;

impl Drop for Hang {
    fn drop(&mut self) {
        loop {
            thread::park();
        }
    }
}

/// Says that the interpreter ends, and waits until other threads are out of calls that run Python.
#[pyfunction]
#[pyo3(name = "_leave")]
pub(crate) fn leave(py: Python<'_>) {
    LEAVES.set(true);
    LEAVING.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    while INSIDE.load(Ordering::SeqCst) > 0 && begun.elapsed() < PATIENCE {
        py.detach(|| thread::sleep(Duration::from_millis(1)));
    }
}
