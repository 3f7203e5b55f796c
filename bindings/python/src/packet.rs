//! Packets.

use crate::dlpack;
use crate::error::{OrRaise, from_json};
use crate::exit::Inside;
use crate::export::{self, Layout};
use crate::input::{self, Copies, Spec, Takes};
use crate::pictures::PIXELS;
use crate::samples::SAMPLES;
use crate::{array, keep};
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString, PyTuple};
use remotemedia_binding::{Kind, Packet as Handle, View};
use std::ffi::c_int;

/// See `_native.pyi`.
#[pyclass(frozen, module = "remotemedia", weakref)]
pub(crate) struct Packet {
    handle: Handle,
    port: Option<Py<PyString>>,
}

impl Packet {
    pub(crate) fn new(handle: Handle, port: Option<Py<PyString>>) -> Self {
        Self { handle, port }
    }

    /// Another handle to the packet.
    pub(crate) fn shared(&self, py: Python<'_>) -> PyResult<Handle> {
        self.handle.try_clone().or_raise(py)
    }

    fn view(&self, py: Python<'_>) -> PyResult<View<'_>> {
        self.handle.view().or_raise(py)
    }

    fn layout(&self, py: Python<'_>) -> PyResult<Layout<'_>> {
        Layout::of(&self.view(py)?)
    }

    /// A property that only some kinds have.
    fn of<T>(
        &self,
        py: Python<'_>,
        kind: Kind,
        name: &str,
        get: impl FnOnce(&View<'_>) -> T,
    ) -> PyResult<T> {
        let view = self.view(py)?;
        if view.kind() == Some(kind) {
            return Ok(get(&view));
        }
        let own = name_of(view.kind());
        Err(PyAttributeError::new_err(format!(
            "a packet of kind {own} has no {name}: that is for {}",
            name_of(Some(kind))
        )))
    }
}

#[pymethods]
impl Packet {
    #[new]
    #[pyo3(signature = (data, *, kind=None, rate=None, channels=None, pts_ns=None, discont=false,
                        sample_format=None, planar=false, pixel_format=None, codec=None, key=false, copy=true))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords")]
    fn from_python(
        data: &Bound<'_, PyAny>,
        kind: Option<&str>,
        rate: Option<u32>,
        channels: Option<u32>,
        pts_ns: Option<i64>,
        discont: bool,
        sample_format: Option<&str>,
        planar: bool,
        pixel_format: Option<&str>,
        codec: Option<&str>,
        key: bool,
        copy: bool,
    ) -> PyResult<Self> {
        let _inside = Inside::new()?;
        keep::give_back(data.py());
        let borrow = !copy;
        let spec = Spec {
            kind,
            rate,
            channels,
            pts_ns,
            discont,
            sample_format,
            planar,
            pixel_format,
            codec,
            key,
            borrow,
            engine: None,
        };
        let takes = Takes { others: true, ..Takes::default() };
        let handle = input::packet(data, &spec, takes, &Copies::default())?;
        Ok(Self { handle, port: None })
    }

    #[getter]
    fn kind(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(name_of(self.view(py)?.kind()))
    }

    #[getter]
    fn port<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyString>> {
        self.port.as_ref().map(|port| port.bind(py))
    }

    #[getter]
    fn pts_ns(&self, py: Python<'_>) -> PyResult<Option<i64>> {
        Ok(self.view(py)?.pts_ns())
    }

    #[getter]
    fn discont(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.view(py)?.is_discont())
    }

    #[getter]
    fn rate(&self, py: Python<'_>) -> PyResult<u32> {
        self.of(py, Kind::Audio, "rate", |view| view.rate())
    }

    #[getter]
    fn channels(&self, py: Python<'_>) -> PyResult<u32> {
        self.of(py, Kind::Audio, "channels", |view| view.channels())
    }

    #[getter]
    fn frames(&self, py: Python<'_>) -> PyResult<usize> {
        self.of(py, Kind::Audio, "frames", |view| view.frames())
    }

    #[getter]
    fn duration_ns(&self, py: Python<'_>) -> PyResult<i64> {
        self.of(py, Kind::Audio, "duration_ns", |view| view.duration_ns())
    }

    #[getter]
    fn sample_format(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.of(py, Kind::Audio, "sample_format", |view| {
            let known = SAMPLES.iter().find(|(_, format)| Some(*format) == view.sample());
            known.map_or("unknown", |(name, _)| *name)
        })
    }

    #[getter]
    fn planar(&self, py: Python<'_>) -> PyResult<bool> {
        self.of(py, Kind::Audio, "planar", |view| view.is_planar())
    }

    #[getter]
    fn width(&self, py: Python<'_>) -> PyResult<u32> {
        self.of(py, Kind::Video, "width", |view| view.width())
    }

    #[getter]
    fn height(&self, py: Python<'_>) -> PyResult<u32> {
        self.of(py, Kind::Video, "height", |view| view.height())
    }

    #[getter]
    fn pixel_format(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.of(py, Kind::Video, "pixel_format", |view| {
            let known = PIXELS.iter().find(|(_, format, _)| Some(*format) == view.pixel());
            known.map_or("unknown", |(name, ..)| *name)
        })
    }

    #[getter]
    fn key(&self, py: Python<'_>) -> PyResult<bool> {
        self.of(py, Kind::Encoded, "key", |view| view.is_key())
    }

    #[getter]
    fn nbytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.view(py)?.bytes().len())
    }

    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(array::name(self.layout(py)?.dtype))
    }

    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.layout(py)?.shape())
    }

    #[getter]
    fn text(&self, py: Python<'_>) -> PyResult<String> {
        let view = self.view(py)?;
        match view.text() {
            Some(text) => Ok(text.to_owned()),
            None => self.of(py, Kind::Text, "text", |_| String::new()),
        }
    }

    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let _inside = Inside::new()?;
        from_json(py, &self.handle.json().or_raise(py)?)
    }

    #[getter]
    fn value<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let _inside = Inside::new()?;
        static VALUE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        VALUE.import(slf.py(), "remotemedia._values", "value")?.call1((slf,))
    }

    fn numpy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let _inside = Inside::new()?;
        static NUMPY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        // What is no array would become one of objects.
        slf.get().layout(slf.py())?;
        let numpy = NUMPY.import(slf.py(), "remotemedia._values", "numpy")?.call0()?;
        numpy.call_method1("asarray", (slf,))
    }

    fn tobytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.layout(py)?.gather()))
    }

    fn slice(&self, py: Python<'_>, first: usize, frames: usize) -> PyResult<Self> {
        let handle = self.handle.slice(first, frames).or_raise(py)?;
        Ok(Self { handle, port: self.port.as_ref().map(|port| port.clone_ref(py)) })
    }

    #[pyo3(signature = (*, stream=None, max_version=None, dl_device=None, copy=None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<Bound<'py, PyAny>>,
        max_version: Option<Bound<'py, PyTuple>>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        drop(stream);
        if dl_device.is_some_and(|device| device != (1, 0)) {
            return Err(crate::error::no_buffer(
                "packets lie on the CPU; copy the tensor from there",
            ));
        }
        dlpack::export(py, &self.handle, &self.layout(py)?, max_version, copy)
    }

    fn __dlpack_device__(&self) -> (i32, i32) {
        (1, 0)
    }

    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        buffer: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let layout = slf.get().layout(slf.py())?;
        // SAFETY: Python gives a buffer to fill in; the packet keeps its data.
        unsafe { layout.fill(slf.as_any(), buffer, flags) }
    }

    unsafe fn __releasebuffer__(&self, buffer: *mut ffi::Py_buffer) {
        // SAFETY: filled in above.
        unsafe { export::release(buffer) }
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let layout = self.layout(py)?;
        Ok(layout.shape().first().copied().unwrap_or(1))
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let view = self.view(py)?;
        let what = match view.kind() {
            Some(Kind::Audio) => {
                let (frames, rate, channels) = (view.frames(), view.rate(), view.channels());
                format!(", {frames} frames, {rate} Hz, {channels} ch, {}", self.sample_format(py)?)
            }
            Some(Kind::Video) => {
                format!(", {}x{}, {}", view.width(), view.height(), self.pixel_format(py)?)
            }
            Some(Kind::Tensor) => format!(", {} {:?}", self.dtype(py)?, view.shape()),
            Some(Kind::Text | Kind::File) => format!(", {:?}", view.text().unwrap_or_default()),
            Some(Kind::Json | Kind::Record) => format!(", {}", self.handle.json().or_raise(py)?),
            _ => format!(", {} bytes", view.bytes().len()),
        };
        let time = view.pts_ns().map(|pts| format!(", pts_ns={pts}")).unwrap_or_default();
        let port = match &self.port {
            Some(port) => format!(", port={:?}", port.bind(py).to_str()?),
            None => String::new(),
        };
        Ok(format!("<Packet {}{what}{time}{port}>", name_of(view.kind())))
    }
}

fn name_of(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Audio) => "audio",
        Some(Kind::Video) => "video",
        Some(Kind::Encoded) => "encoded",
        Some(Kind::Tensor) => "tensor",
        Some(Kind::Text) => "text",
        Some(Kind::Json) => "json",
        Some(Kind::Record) => "record",
        Some(Kind::Bytes) => "bytes",
        Some(Kind::File) => "file",
        _ => "unknown",
    }
}
