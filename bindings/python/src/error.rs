//! The engine's errors as Python's exceptions, whose classes are in `remotemedia/errors.py`.

use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use remotemedia_binding::Error;

/// The exception for an error of the engine.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = MAKE.import(py, "remotemedia.errors", "from_native").and_then(|make| {
        let status = error.status();
        make.call1((status.0, status.name(), error.detail(), error.message(), error.json()))
    });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// An exception of `remotemedia.errors` that the engine doesn't know, by its class.
pub(crate) fn own(py: Python<'_>, class: &str, message: String) -> PyErr {
    let class = py.import("remotemedia.errors").and_then(|module| module.getattr(class));
    match class.and_then(|class| class.call1((message,))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// A request of a buffer that can't be met.
pub(crate) fn no_buffer(message: &str) -> PyErr {
    PyBufferError::new_err(message.to_owned())
}

/// For results of the engine.
pub(crate) trait OrRaise<T> {
    /// The value, or the exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}

/// A JSON text as Python's objects.
pub(crate) fn from_json<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS.import(py, "json", "loads")?.call1((text,))
}

/// Python's objects as a JSON text; NumPy's scalars and arrays are taken, too.
pub(crate) fn to_json(value: &Bound<'_, PyAny>) -> PyResult<String> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    DUMPS.import(value.py(), "remotemedia._jsontext", "dumps")?.call1((value,))?.extract()
}
