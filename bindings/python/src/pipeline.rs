//! Pipelines: what `remotemedia.Pipeline` and `remotemedia.AsyncPipeline` inherit.

use crate::engine::Engine;
use crate::error::{OrRaise, exception, from_json, own, to_json};
use crate::exit::Inside;
use crate::input::{self, Copies, Spec};
use crate::keep;
use crate::packet::Packet;
use crate::running::{Running, Source, reason};
use crate::wait::{self, Deadline};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use remotemedia_binding::{
    Closed, Error, Idle, Packet as Handle, Pipeline as EnginePipeline, Pulled, Pushed, Timeout,
};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// See `_native.pyi`.
#[pyclass(subclass, frozen, weakref, module = "remotemedia._native")]
pub(crate) struct Pipeline {
    running: Mutex<Option<Arc<Running>>>,
    copies: Copies,
    /// Everything was pulled.
    ended: AtomicBool,
}

/// A call of an open pipeline.
struct Call {
    running: Arc<Running>,
    inside: Inside,
}

impl Deref for Call {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

impl Call {
    /// Does something with the engine's pipeline that may take long, without Python's lock.
    fn detach<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&EnginePipeline) -> T + Send,
    ) -> PyResult<T> {
        let pipeline = &self.running.pipeline;
        self.inside.detach(py, || work(pipeline))
    }
}

impl Pipeline {
    fn running(slf: &Bound<'_, Self>) -> PyResult<Call> {
        let (py, inside) = (slf.py(), Inside::new()?);
        if let Some(running) = slf.get().now() {
            return Ok(Call { running, inside });
        }
        inside.call(slf, intern!(py, "_start"), &PyTuple::empty(py))?;
        match slf.get().now() {
            Some(running) => Ok(Call { running, inside }),
            None => Err(own(py, "StateError", "the pipeline is not open".to_owned())),
        }
    }

    fn now(&self) -> Option<Arc<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the engine's pipeline, in place of a former one.
    fn make_running(
        &self,
        py: Python<'_>,
        source: &Source<'_>,
        engine: Option<&Bound<'_, Engine>>,
        untrusted: bool,
    ) -> PyResult<()> {
        let _inside = Inside::new()?;
        let engine = engine.map(|engine| engine.get().handle().clone());
        let running = Arc::new(Running::new(py, source, engine, untrusted)?);
        let former = {
            let mut place = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            place.replace(running)
        };
        self.ended.store(false, Ordering::Relaxed);
        drop(former);
        Ok(())
    }

    /// The exception for an error; where a node written in Python is the cause, with what it raised.
    fn raised(slf: &Bound<'_, Self>, error: &Error) -> PyErr {
        let exception = exception(slf.py(), error);
        if slf.get().now().is_some_and(|running| running.engine.is_some()) {
            let value = exception.value(slf.py()).clone();
            if let Err(failure) = slf.call_method1(intern!(slf.py(), "_explain"), (value,)) {
                return failure;
            }
        }
        exception
    }

    /// As `running`, for calls that make no sense inside a node of this very pipeline: they would wait
    /// for what only that node can do.
    fn entered(slf: &Bound<'_, Self>) -> PyResult<Call> {
        let running = Self::running(slf)?;
        if running.engine.is_some() {
            slf.call_method0(intern!(slf.py(), "_enter"))?;
        }
        Ok(running)
    }

    /// Runs jobs of nodes written in Python that wait, on this thread. False: that is another's work, or
    /// another thread is at it, and was so for all of the `seconds` that this one has waited.
    fn serve(slf: &Bound<'_, Self>, running: &Call, seconds: f64) -> PyResult<bool> {
        if running.engine.is_none() {
            return Ok(false);
        }
        let (py, arguments) = (slf.py(), (seconds,).into_pyobject(slf.py())?);
        running.inside.call(slf, intern!(py, "_serve"), &arguments)?.is_truthy()
    }

    /// The same, and what comes of them goes on: a node that fails fails the call that fed it.
    fn work_off(slf: &Bound<'_, Self>, running: &Call) -> PyResult<()> {
        while Self::serve(slf, running, 0.0)? {
            let done = running.detach(slf.py(), |pipeline| pipeline.advance())?;
            if done.map_err(|error| Self::raised(slf, &error))? != Idle::Host {
                break;
            }
        }
        Ok(())
    }

    /// Makes a packet for an input.
    fn make<'a>(
        slf: &Bound<'_, Self>,
        running: &'a Running,
        data: &Bound<'_, PyAny>,
        port: Option<&str>,
        mut spec: Spec<'a>,
    ) -> PyResult<(Option<u32>, Handle)> {
        let (py, me) = (slf.py(), slf.get());
        keep::give_back(py);
        let (index, takes) = running.input(py, port)?;
        spec.engine = running.engine.as_deref();
        let assumed = me.copies.assumed_rate.load(Ordering::Relaxed);
        let packet = input::packet(data, &spec, takes, &me.copies)?;
        if assumed == 0 && me.copies.assumed_rate.load(Ordering::Relaxed) > 0 {
            slf.call_method1(intern!(py, "_rate_assumed"), (port,))?;
        }
        Ok((index, packet))
    }

    fn pulled(&self, py: Python<'_>, running: &Running, output: u32, packet: Handle) -> Packet {
        Packet::new(packet, running.output_name(py, output))
    }
}

#[pymethods]
impl Pipeline {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { running: Mutex::new(None), copies: Copies::default(), ended: AtomicBool::new(false) }
    }

    #[pyo3(signature = (text, engine=None, untrusted=false))]
    fn _open(
        &self,
        py: Python<'_>,
        text: &str,
        engine: Option<&Bound<'_, Engine>>,
        untrusted: bool,
    ) -> PyResult<()> {
        self.make_running(py, &Source::Text(text), engine, untrusted)
    }

    #[pyo3(signature = (path, engine=None, untrusted=false))]
    fn _open_file(
        &self,
        py: Python<'_>,
        path: &str,
        engine: Option<&Bound<'_, Engine>>,
        untrusted: bool,
    ) -> PyResult<()> {
        self.make_running(py, &Source::File(path), engine, untrusted)
    }

    #[getter]
    fn _is_open(&self) -> bool {
        self.now().is_some()
    }

    #[getter]
    fn inputs<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let running = Self::running(slf)?;
        PyTuple::new(slf.py(), running.inputs().collect::<Vec<_>>())
    }

    #[getter]
    fn outputs<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let running = Self::running(slf)?;
        PyTuple::new(slf.py(), running.outputs())
    }

    #[pyo3(signature = (data, port=None, *, rate=None, channels=None, pts_ns=None, discont=false,
                        kind=None, sample_format=None, planar=false, pixel_format=None, copy=true, timeout=None))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords")]
    fn push(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        port: Option<&str>,
        rate: Option<u32>,
        channels: Option<u32>,
        pts_ns: Option<i64>,
        discont: bool,
        kind: Option<&str>,
        sample_format: Option<&str>,
        planar: bool,
        pixel_format: Option<&str>,
        copy: bool,
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let (py, borrow) = (slf.py(), !copy);
        let running = Self::entered(slf)?;
        let spec = Spec {
            kind,
            rate,
            channels,
            sample_format,
            planar,
            pts_ns,
            discont,
            pixel_format,
            borrow,
            ..Spec::default()
        };
        let (index, mut packet) = Self::make(slf, &running, data, port, spec)?;
        let deadline = Deadline::new(timeout)?;
        loop {
            let slice = deadline.slice();
            let pushed = running.detach(py, |pipeline| pipeline.push(index, packet, slice))?;
            let reason = match pushed.map_err(|error| Self::raised(slf, &error))? {
                Pushed::Taken => return Self::work_off(slf, &running),
                Pushed::Back(back, reason) => {
                    packet = back;
                    reason
                }
            };
            match reason {
                Idle::Host if Self::serve(slf, &running, deadline.slice_seconds())? => {}
                Idle::Host | Idle::InFlight | Idle::Due | Idle::Busy if !deadline.has_passed() => {
                    py.check_signals()?
                }
                reason => return Err(running.refused(py, reason)),
            }
        }
    }

    /// A packet for an input, to be offered.
    #[pyo3(signature = (data, port=None, *, rate=None, channels=None, pts_ns=None, discont=false,
                        kind=None, sample_format=None, planar=false, pixel_format=None, copy=true))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords")]
    fn _packet(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        port: Option<&str>,
        rate: Option<u32>,
        channels: Option<u32>,
        pts_ns: Option<i64>,
        discont: bool,
        kind: Option<&str>,
        sample_format: Option<&str>,
        planar: bool,
        pixel_format: Option<&str>,
        copy: bool,
    ) -> PyResult<Packet> {
        let (running, borrow) = (Self::entered(slf)?, !copy);
        let spec = Spec {
            kind,
            rate,
            channels,
            sample_format,
            planar,
            pts_ns,
            discont,
            pixel_format,
            borrow,
            ..Spec::default()
        };
        let (_, packet) = Self::make(slf, &running, data, port, spec)?;
        Ok(Packet::new(packet, None))
    }

    /// Pushes a packet without waiting. None: taken; else why not.
    #[pyo3(signature = (packet, port=None))]
    fn _offer(
        slf: &Bound<'_, Self>,
        packet: &Bound<'_, Packet>,
        port: Option<&str>,
    ) -> PyResult<Option<&'static str>> {
        let (py, running) = (slf.py(), Self::entered(slf)?);
        let (index, _) = running.input(py, port)?;
        let packet = packet.get().shared(py)?;
        let pushed = running.detach(py, |pipeline| pipeline.push(index, packet, Timeout::TRY))?;
        match pushed.map_err(|error| Self::raised(slf, &error))? {
            Pushed::Taken => Ok(None),
            Pushed::Back(_, idle) => Ok(Some(reason(idle))),
        }
    }

    #[pyo3(signature = (port=None, timeout=None))]
    fn pull(
        slf: &Bound<'_, Self>,
        port: Option<&str>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Packet>> {
        let (py, me, running) = (slf.py(), slf.get(), Self::entered(slf)?);
        keep::give_back(py);
        let output = running.output(py, port)?;
        let deadline = Deadline::new(timeout)?;
        loop {
            let slice = deadline.slice();
            let pulled = running.detach(py, |pipeline| pipeline.pull(output, slice))?;
            match pulled.map_err(|error| Self::raised(slf, &error))? {
                Pulled::Packet { output, packet } => {
                    return Ok(Some(me.pulled(py, &running, output, packet)));
                }
                Pulled::End => {
                    me.ended.store(output.is_none(), Ordering::Relaxed);
                    return Ok(None);
                }
                Pulled::Idle { reason: Idle::NeedInput, .. } => return Ok(None),
                Pulled::Idle { reason: Idle::Full, about } => {
                    let name = running.output_text(py, about)?;
                    let name = name.as_deref().unwrap_or("another");
                    let message = format!(
                        "the output '{name}' is full, and nothing more comes here before it is pulled"
                    );
                    return Err(own(py, "BackpressureError", message));
                }
                // What has come of it is seen whether or not time is up.
                Pulled::Idle { reason: Idle::Host, .. }
                    if Self::serve(slf, &running, deadline.slice_seconds())? => {}
                Pulled::Idle { .. } if deadline.is_now() => return Ok(None),
                Pulled::Idle { .. } if deadline.has_passed() => {
                    let message =
                        "no packet came within the timeout; the pipeline is still at work";
                    return Err(own(py, "PullTimeout", message.to_owned()));
                }
                Pulled::Idle { .. } => py.check_signals()?,
            }
        }
    }

    /// Pulls without waiting: a packet, or why there is none, and the input or output it is about.
    #[pyo3(signature = (port=None))]
    fn _take<'py>(slf: &Bound<'py, Self>, port: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        let (py, me, running) = (slf.py(), slf.get(), Self::entered(slf)?);
        keep::give_back(py);
        let output = running.output(py, port)?;
        let pulled = running.detach(py, |pipeline| pipeline.pull(output, Timeout::TRY))?;
        match pulled.map_err(|error| Self::raised(slf, &error))? {
            Pulled::Packet { output, packet } => {
                Ok(Bound::new(py, me.pulled(py, &running, output, packet))?.into_any())
            }
            Pulled::End => {
                me.ended.store(output.is_none(), Ordering::Relaxed);
                Ok(("end", None::<&str>).into_pyobject(py)?.into_any())
            }
            Pulled::Idle { reason: idle, about } => {
                let about = match idle {
                    Idle::NeedInput => running.inputs().nth(about as usize).map(str::to_owned),
                    Idle::Full => running.output_text(py, about)?,
                    _ => None,
                };
                Ok((reason(idle), about).into_pyobject(py)?.into_any())
            }
        }
    }

    /// Whether everything was pulled.
    #[getter]
    fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    #[pyo3(signature = (port=None))]
    fn end(slf: &Bound<'_, Self>, port: Option<&str>) -> PyResult<()> {
        let (py, running) = (slf.py(), Self::running(slf)?);
        let (index, _) = running.input(py, port)?;
        let ended = running.detach(py, |pipeline| pipeline.end(index))?;
        ended.map_err(|error| Self::raised(slf, &error))?;
        Self::work_off(slf, &running)
    }

    #[pyo3(signature = (until_ns, port=None))]
    fn gap(slf: &Bound<'_, Self>, until_ns: i64, port: Option<&str>) -> PyResult<()> {
        let (py, running) = (slf.py(), Self::running(slf)?);
        let (index, _) = running.input(py, port)?;
        let done = running.detach(py, |pipeline| pipeline.gap(index, until_ns))?;
        done.map_err(|error| Self::raised(slf, &error))
    }

    fn advance(slf: &Bound<'_, Self>) -> PyResult<&'static str> {
        let (py, running) = (slf.py(), Self::running(slf)?);
        loop {
            let done = running.detach(py, |pipeline| pipeline.advance())?;
            match done.map_err(|error| Self::raised(slf, &error))? {
                Idle::Host if Self::serve(slf, &running, 0.0)? => {}
                idle => return Ok(reason(idle)),
            }
        }
    }

    fn interrupt(slf: &Bound<'_, Self>) -> PyResult<u32> {
        let (py, running) = (slf.py(), Self::running(slf)?);
        running
            .detach(py, |pipeline| pipeline.interrupt())?
            .map_err(|error| Self::raised(slf, &error))
    }

    fn reset(slf: &Bound<'_, Self>) -> PyResult<u32> {
        let (py, running) = (slf.py(), Self::running(slf)?);
        running.detach(py, |pipeline| pipeline.reset())?.map_err(|error| Self::raised(slf, &error))
    }

    fn rewind(slf: &Bound<'_, Self>) -> PyResult<()> {
        let running = Self::running(slf)?;
        running.pipeline.rewind().map_err(|error| Self::raised(slf, &error))?;
        slf.get().ended.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Does nothing for a pipeline that is not open.
    fn cancel(&self) {
        if let Some(running) = self.now() {
            running.pipeline.cancel();
        }
    }

    #[pyo3(signature = (timeout=None))]
    fn _close(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<&'static str> {
        let (py, me) = (slf.py(), slf.get());
        keep::give_back(py);
        let inside = Inside::new()?;
        let Some(running) = me.now() else { return Ok("drained") };
        let running = Call { running, inside };
        let deadline = Deadline::new(timeout)?;
        loop {
            match wait::close(py, &running.running, &running.inside, deadline)?
                .map_err(|error| Self::raised(slf, &error))?
            {
                Closed::Drained => return Ok("drained"),
                Closed::Cut => return Ok("cut"),
                Closed::Host if deadline.has_passed() => {
                    running.pipeline.cancel();
                    return Ok("cut");
                }
                Closed::Host => drop(Self::serve(slf, &running, deadline.slice_seconds())?),
            }
        }
    }

    #[getter]
    fn state(&self, py: Python<'_>) -> PyResult<&'static str> {
        match self.now() {
            Some(running) => Ok(running.pipeline.state().or_raise(py)?.name()),
            None => Ok("new"),
        }
    }

    fn describe<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let running = Self::running(slf)?;
        from_json(slf.py(), &running.pipeline.describe().or_raise(slf.py())?)
    }

    fn metrics<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (py, me, running) = (slf.py(), slf.get(), Self::running(slf)?);
        let metrics = from_json(py, &running.pipeline.metrics().or_raise(py)?)?;
        let border = PyDict::new(py);
        let copies = &me.copies;
        for (name, counter) in [
            ("copied", &copies.copied),
            ("copied_bytes", &copies.copied_bytes),
            ("gathered", &copies.gathered),
            ("narrowed", &copies.narrowed),
            ("borrowed", &copies.borrowed),
            ("borrowed_bytes", &copies.borrowed_bytes),
            ("assumed_rate", &copies.assumed_rate),
        ] {
            border.set_item(name, counter.load(Ordering::Relaxed))?;
        }
        metrics.set_item("python", border)?;
        Ok(metrics)
    }

    fn _next_event<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let running = Self::running(slf)?;
        let event = running.pipeline.next_event().or_raise(slf.py())?;
        event.map(|event| from_json(slf.py(), &event)).transpose()
    }

    #[pyo3(signature = (node, params, at_ns=None))]
    fn _set(
        slf: &Bound<'_, Self>,
        node: &str,
        params: &Bound<'_, PyAny>,
        at_ns: Option<i64>,
    ) -> PyResult<u64> {
        let running = Self::running(slf)?;
        let text = to_json(params)?;
        let set = running.pipeline.set_params(node, &text, at_ns);
        set.map_err(|error| Self::raised(slf, &error))
    }

    fn fileno(slf: &Bound<'_, Self>) -> PyResult<i32> {
        Self::running(slf)?.pipeline.wait_handle().or_raise(slf.py())
    }
}
