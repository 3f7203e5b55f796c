//! Whole pipelines: made from what comes over the network, called as if they were one node, or run over
//! what is given.

use crate::parts::{ENVELOPE, too_large};
use crate::v1::PortPacket;
use crate::wire;
use prost::Message;
use remotemedia_core::engine::{Engine, Pipeline, Pull, PushError, Reason};
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::manifest::Manifest;
use remotemedia_core::node::Emission;
use remotemedia_core::packet::{Packet, Pool, read_json};
use remotemedia_core::seat::{Answer, Call};
use std::sync::Arc;
use std::time::Duration;

/// A pipeline with one input and one output.
pub(super) struct Whole(Arc<Pipeline>);

/// How long a call waits at a time for what threads of the pipeline bring.
const WAIT: Duration = Duration::from_secs(1);

/// Bytes of a manifest at most.
const MOST_MANIFEST: usize = 1 << 20;

/// Makes the pipeline. What comes over the network is not trusted.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn pipeline(text: &str, engine: &Engine, only: Option<&[String]>) -> Result<Pipeline> {
    if text.len() > MOST_MANIFEST {
        let message = format!("a manifest of {} bytes, more than {MOST_MANIFEST}", text.len());
        return Err(Error::new(detail::REMOTE_LIMIT, message));
    }
    let document = read_json(text);
    let document = document.map_err(|e| wire::wrong(format!("a manifest that is no JSON: {e}")))?;
    let manifest = Manifest::from_value(document)?;
    let manifest = match only {
        Some(only) => manifest.untrusted_only(only),
        None => manifest.untrusted(),
    };
    engine.pipeline(&manifest)
}

impl Whole {
    /// # Errors
    /// `argument.invalid` for a pipeline that has several inputs or outputs, or none.
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Result<Self> {
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
    pub(super) fn call(&self, call: Call) -> Result<Answer> {
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
    pub(super) fn reset(&self) -> Result<()> {
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

/// Index of an input or output by its name; without one the only one.
///
/// # Errors
/// `argument.invalid` or what the pipeline says of such a name.
pub(super) fn input(pipeline: &Pipeline, name: &str) -> Result<usize> {
    if name.is_empty() { pipeline.only_input() } else { pipeline.input_index(name) }
}

/// Runs a pipeline over what is given, to its end.
///
/// # Errors
/// When the pipeline fails; `remote.limit` when more comes out than goes into a message.
pub(super) fn execute(
    pipeline: &Pipeline,
    inputs: Vec<PortPacket>,
    pool: &Pool,
    most: usize,
) -> Result<Vec<PortPacket>> {
    let (mut outputs, mut bytes) = (Vec::new(), 0);
    let mut take = |pull: Pull<'_>| {
        let (name, packet) = match pull {
            Pull::Packet(name, packet) => (name.to_owned(), packet),
            Pull::Idle(Reason::InFlight(_) | Reason::Due(_) | Reason::Busy) => return Ok(true),
            Pull::End | Pull::Idle(_) => return Ok(false),
        };
        let output = PortPacket { port: name, packet: Some(wire::to_wire(&packet)) };
        bytes += output.encoded_len();
        if bytes > most - ENVELOPE {
            return Err(too_large("what the pipeline gives", bytes as u64, most));
        }
        outputs.push(output);
        Ok(true)
    };
    for given in inputs {
        let port = input(pipeline, &given.port)?;
        let mut packet = wire::from_wire(wire::present(given.packet)?, pool)?;
        loop {
            packet = match pipeline.push_within(port, packet, WAIT) {
                Ok(()) => break,
                Err(PushError::Full(back)) => back,
                Err(refused) => return Err(refused.into()),
            };
            take(pipeline.pull(WAIT)?)?;
        }
    }
    pipeline.end()?;
    while take(pipeline.pull(WAIT)?)? {}
    Ok(outputs)
}
