//! A whole pipeline that is called as if it were one node.

use crate::wire;
use remotemedia_core::engine::{Engine, Pipeline, Pull, PushError, Reason};
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::manifest::Manifest;
use remotemedia_core::node::Emission;
use remotemedia_core::packet::{Packet, read_json};
use remotemedia_core::seat::{Answer, Call};
use std::time::Duration;

/// A pipeline with one input and one output.
pub(crate) struct Whole(Pipeline);

/// How long a call waits at a time for what threads of the pipeline bring.
const WAIT: Duration = Duration::from_secs(1);

impl Whole {
    /// Makes the pipeline. What comes over the network is not trusted.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn new(text: &str, engine: &Engine, only: Option<&[String]>) -> Result<Self> {
        let document = read_json(text);
        let document =
            document.map_err(|e| wire::wrong(format!("a manifest that is no JSON: {e}")))?;
        let manifest = Manifest::from_value(document)?;
        let manifest = match only {
            Some(only) => manifest.untrusted_only(only),
            None => manifest.untrusted(),
        };
        let pipeline = engine.pipeline(&manifest)?;
        let (inputs, outputs) = (pipeline.inputs().len(), pipeline.outputs().len());
        if (inputs, outputs) != (1, 1) {
            let message = format!(
                "the pipeline has {inputs} inputs and {outputs} outputs; as one node it has one of each"
            );
            return Err(Error::new(detail::ARGUMENT_INVALID, message));
        }
        Ok(Self(pipeline))
    }

    /// Hands in what the call brings, and takes what comes of it.
    ///
    /// # Errors
    /// When the pipeline fails; for sets of packets.
    pub(crate) fn call(&self, call: Call) -> Result<Answer> {
        let mut answer = Answer::default();
        match call {
            Call::Process { packet, .. } => self.push(packet, &mut answer)?,
            Call::Finish => self.0.end()?,
            // Its nodes see for themselves where the stream breaks.
            Call::Drain | Call::Advance(_) => return Ok(answer),
            Call::Join(_) => return Err(wire::wrong("a set of packets for a pipeline".to_owned())),
        }
        while self.take(&mut answer)? {}
        Ok(answer)
    }

    /// Makes it forget what is inside.
    ///
    /// # Errors
    /// When it is over.
    pub(crate) fn reset(&self) -> Result<()> {
        self.0.reset().map(|_| ())
    }

    fn push(&self, mut packet: Packet, answer: &mut Answer) -> Result<()> {
        loop {
            packet = match self.0.push_within(0, packet, WAIT) {
                Ok(()) => return Ok(()),
                Err(PushError::Full(back)) => back,
                Err(refused) => return Err(refused.into()),
            };
            self.take(answer)?;
        }
    }

    /// Takes a packet. False: nothing more comes without another push.
    fn take(&self, answer: &mut Answer) -> Result<bool> {
        match self.0.pull(WAIT)? {
            Pull::Packet(_, packet) => {
                answer.outputs.push(Emission { port: 0, packet });
                Ok(true)
            }
            Pull::Idle(Reason::InFlight(_) | Reason::Due(_) | Reason::Busy) => Ok(true),
            Pull::End | Pull::Idle(_) => Ok(false),
        }
    }
}
