//! A pipeline that runs, and what is known of its ports.

use crate::error::{OrRaise, from_json, own};
use crate::input::Takes;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use remotemedia_binding::{Engine, Idle, Options, Pipeline};
use std::sync::Arc;

/// What a new pipeline is made from.
pub(crate) enum Source<'a> {
    Text(&'a str),
    File(&'a str),
}

/// A pipeline of the engine.
pub(crate) struct Running {
    pub(crate) pipeline: Pipeline,
    pub(crate) engine: Option<Arc<Engine>>,
    inputs: Vec<(String, Takes)>,
    outputs: Vec<Py<PyString>>,
}

impl Running {
    pub(crate) fn new(
        py: Python<'_>,
        source: &Source<'_>,
        engine: Option<Arc<Engine>>,
        untrusted: bool,
    ) -> PyResult<Self> {
        let options = Options { engine: engine.as_deref(), untrusted };
        let pipeline = py.detach(|| match source {
            Source::Text(text) => Pipeline::from_text_with(text, &options),
            Source::File(path) => Pipeline::from_file(path, &options),
        });
        let pipeline = pipeline.or_raise(py)?;
        let described = from_json(py, &pipeline.describe().or_raise(py)?)?;
        let part = |name: &str| Ok::<_, PyErr>(described.get_item(name)?.cast_into::<PyDict>()?);
        let rates = part("source_rates")?;
        let mut inputs = Vec::new();
        for (name, caps) in part("inputs")? {
            let (name, caps): (String, String) = (name.extract()?, caps.extract()?);
            let rate = rates.get_item(&name)?.map(|rate| rate.extract()).transpose()?;
            inputs.push((name, takes(&caps, rate)));
        }
        let mut outputs = Vec::new();
        for name in part("outputs")?.keys() {
            let text = name.cast_into::<PyString>()?;
            outputs.push(text.unbind());
        }
        Ok(Self { pipeline, engine, inputs, outputs })
    }

    pub(crate) fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn outputs(&self) -> &[Py<PyString>] {
        &self.outputs
    }

    /// The index of an input that is named, and what it takes. Without a name: what the only one takes.
    pub(crate) fn input(
        &self,
        py: Python<'_>,
        port: Option<&str>,
    ) -> PyResult<(Option<u32>, Takes)> {
        let Some(name) = port else {
            let only = (self.inputs.len() == 1).then(|| self.inputs[0].1);
            return Ok((None, only.unwrap_or(Takes { others: true, ..Takes::default() })));
        };
        match self.inputs.iter().position(|(known, _)| known == name) {
            Some(index) => Ok((Some(index as u32), self.inputs[index].1)),
            // Its error lists the names.
            None => Ok((Some(self.pipeline.input(name).or_raise(py)?), Takes::default())),
        }
    }

    /// The index of an output that is named.
    pub(crate) fn output(&self, py: Python<'_>, port: Option<&str>) -> PyResult<Option<u32>> {
        port.map(|name| self.pipeline.output(name).or_raise(py)).transpose()
    }

    /// The name of an output.
    pub(crate) fn output_name(&self, py: Python<'_>, index: u32) -> Option<Py<PyString>> {
        self.outputs.get(index as usize).map(|name| name.clone_ref(py))
    }

    /// The same as a text.
    pub(crate) fn output_text(&self, py: Python<'_>, index: u32) -> PyResult<Option<String>> {
        let name = self.outputs.get(index as usize);
        name.map(|name| name.bind(py).to_str().map(str::to_owned)).transpose()
    }

    /// Why a packet was not taken, as an exception.
    pub(crate) fn refused(&self, py: Python<'_>, reason: Idle) -> PyErr {
        let (class, message) = match reason {
            Idle::Interrupted => (
                "Interrupted",
                "an interrupt came while the packet waited for room; push it again if it is still wanted",
            ),
            Idle::Full => (
                "BackpressureError",
                "the input is full: pull what has come to the outputs, then push again",
            ),
            Idle::Host => (
                "BackpressureError",
                "the input is full, and a node written in Python is at work on another thread; push again",
            ),
            _ => (
                "BackpressureError",
                "the input stayed full for as long as the push was to wait: push again, or give a longer timeout",
            ),
        };
        own(py, class, message.to_owned())
    }
}

/// What a port takes, from its description: kinds parted by `|`, then formats.
fn takes(caps: &str, source_rate: Option<u32>) -> Takes {
    let kinds = caps.split(" (").next().unwrap_or(caps);
    let mut takes = Takes { source_rate, ..Takes::default() };
    for kind in kinds.split(" | ") {
        match kind {
            "audio" => takes.audio = true,
            "video" => takes.video = true,
            "any" => (takes.audio, takes.video, takes.others) = (true, true, true),
            _ => takes.others = true,
        }
    }
    takes
}

/// The name of what keeps a pipeline from going on.
pub(crate) fn reason(idle: Idle) -> &'static str {
    match idle {
        Idle::NeedInput => "need_input",
        Idle::Full => "full",
        Idle::InFlight => "in_flight",
        Idle::Due => "due",
        Idle::Busy => "busy",
        Idle::Host => "host",
        Idle::Interrupted => "interrupted",
    }
}
