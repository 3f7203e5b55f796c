//! Pipelines.

use crate::c_string;
use crate::engine::Engine;
use crate::error::{Result, call, checked, text};
use crate::packet::Packet;
use crate::wakeup::{self, Wakeup};
use rmedia_capi::abi::*;
use rmedia_capi::control::*;
use rmedia_capi::flow::*;
use rmedia_capi::pipeline::*;
use rmedia_capi::ports::*;
use rmedia_capi::ready::{rmedia_pipeline_unwatch, rmedia_pipeline_watch};

/// How long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(i32);

impl Timeout {
    /// Don't wait.
    pub const TRY: Self = Self(RMEDIA_TRY);
    /// As long as it takes.
    pub const FOREVER: Self = Self(RMEDIA_FOREVER);

    /// So many milliseconds.
    pub fn from_millis(millis: u32) -> Self {
        Self(i32::try_from(millis).unwrap_or(i32::MAX))
    }

    pub(crate) fn millis(self) -> i32 {
        self.0
    }
}

/// How a pipeline is made.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// Its engine; the default one where there is none.
    pub engine: Option<&'a Engine>,
    /// The manifest comes from somewhere unknown.
    pub untrusted: bool,
}

impl Options<'_> {
    fn raw(&self) -> rmedia_pipeline_options_t {
        rmedia_pipeline_options_t {
            struct_size: size_of::<rmedia_pipeline_options_t>() as u32,
            flags: if self.untrusted { RMEDIA_PIPELINE_UNTRUSTED } else { 0 },
            engine: self.engine.map(Engine::handle).unwrap_or_default(),
        }
    }
}

/// Why a pipeline does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// An input wants packets, or its end.
    NeedInput,
    /// A queue is full: pull.
    Full,
    /// A node has work under way elsewhere.
    InFlight,
    /// A node goes on by itself in a while.
    Due,
    /// Another thread runs the pipeline.
    Busy,
    /// A job waits for a host node: take it with `Engine::next_job`.
    Host,
    /// Of a push: an interrupt or reset came while it waited for room.
    Interrupted,
}

impl Idle {
    fn from_status(status: i32) -> Self {
        match status {
            RMEDIA_NEED_INPUT => Self::NeedInput,
            RMEDIA_FULL => Self::Full,
            RMEDIA_IN_FLIGHT => Self::InFlight,
            RMEDIA_HOST => Self::Host,
            RMEDIA_DUE => Self::Due,
            RMEDIA_INTERRUPTED => Self::Interrupted,
            _ => Self::Busy,
        }
    }
}

/// What a pull came to.
#[derive(Debug)]
pub enum Pulled {
    /// A packet.
    Packet {
        /// Index of the output that it came from.
        output: u32,
        /// The packet.
        packet: Packet,
    },
    /// Everything was pulled.
    End,
    /// Nothing now.
    Idle {
        /// Why.
        reason: Idle,
        /// Index of the input, output or node that it is about.
        about: u32,
    },
}

/// What a push came to.
#[derive(Debug)]
pub enum Pushed {
    /// The packet was taken.
    Taken,
    /// It was not; here it is, and why.
    Back(Packet, Idle),
}

/// How a close went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Every node has delivered its tail.
    Drained,
    /// Time was up first.
    Cut,
    /// It goes on closing, and waits for a job that nobody serves: take it, then close again.
    Host,
}

/// What a pipeline is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It takes packets and gives results.
    Running,
    /// `close` is at work.
    Closing,
    /// Over.
    Closed,
    /// Over: a node failed.
    Failed,
    /// Over: cancelled.
    Cancelled,
}

impl State {
    /// Its name, as in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A running pipeline. Dropping it cancels it.
#[derive(Debug)]
pub struct Pipeline {
    handle: rmedia_pipeline_t,
}

impl Pipeline {
    /// From a manifest's text, JSON or YAML.
    ///
    /// # Errors
    /// Everything that is wrong in it; what keeps a node from being made.
    pub fn from_text(manifest: &str) -> Result<Self> {
        Self::from_text_with(manifest, &Options::default())
    }

    /// As [`from_text`](Self::from_text), with options.
    ///
    /// # Errors
    /// As there.
    pub fn from_text_with(manifest: &str, options: &Options<'_>) -> Result<Self> {
        let manifest = c_string(manifest, "manifest")?;
        let mut handle = rmedia_pipeline_t::default();
        // SAFETY: a text that ends with a zero byte, and variables of their types.
        call(|error| unsafe {
            rmedia_pipeline_create(manifest.as_ptr(), &options.raw(), &mut handle, error)
        })?;
        Ok(Self { handle })
    }

    /// From a manifest's file.
    ///
    /// # Errors
    /// As [`from_text`](Self::from_text); when the file can't be read.
    pub fn from_file(path: &str, options: &Options<'_>) -> Result<Self> {
        let path = c_string(path, "path")?;
        let mut handle = rmedia_pipeline_t::default();
        // SAFETY: as in `from_text_with`.
        call(|error| unsafe {
            rmedia_pipeline_create_from_file(path.as_ptr(), &options.raw(), &mut handle, error)
        })?;
        Ok(Self { handle })
    }

    /// Index of an input.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn input(&self, name: &str) -> Result<u32> {
        let (name, mut index) = (c_string(name, "name")?, 0);
        // SAFETY: a text that ends with a zero byte; `index` may be written.
        call(|error| unsafe {
            rmedia_pipeline_input(self.handle, name.as_ptr(), &mut index, error)
        })?;
        Ok(index)
    }

    /// Index of an output.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn output(&self, name: &str) -> Result<u32> {
        let (name, mut index) = (c_string(name, "name")?, 0);
        // SAFETY: as in `input`.
        call(|error| unsafe {
            rmedia_pipeline_output(self.handle, name.as_ptr(), &mut index, error)
        })?;
        Ok(index)
    }

    /// What runs, as JSON.
    ///
    /// # Errors
    /// In a forked child.
    pub fn describe(&self) -> Result<String> {
        self.text(rmedia_pipeline_describe).map(Option::unwrap_or_default)
    }

    /// All counters and times, as JSON.
    ///
    /// # Errors
    /// In a forked child.
    pub fn metrics(&self) -> Result<String> {
        self.text(rmedia_pipeline_metrics).map(Option::unwrap_or_default)
    }

    /// The oldest event, as JSON.
    ///
    /// # Errors
    /// In a forked child.
    pub fn next_event(&self) -> Result<Option<String>> {
        self.text(rmedia_pipeline_next_event)
    }

    fn text(
        &self,
        call: unsafe extern "C" fn(rmedia_pipeline_t, *mut rmedia_string_t) -> i32,
    ) -> Result<Option<String>> {
        // SAFETY: `string` points to a handle.
        text(|string| unsafe { call(self.handle, string) })
    }

    /// Pushes a packet into the input of that index (`None`: the only one).
    ///
    /// # Errors
    /// When the packet or the call is not right, or the pipeline is over; the packet is then gone.
    pub fn push(&self, input: Option<u32>, packet: Packet, timeout: Timeout) -> Result<Pushed> {
        let input = input.unwrap_or(RMEDIA_ANY);
        let handle = packet.handle();
        // SAFETY: `error` may be written.
        let status = call(|error| unsafe {
            rmedia_pipeline_push(self.handle, input, handle, timeout.0, error)
        })?;
        Ok(match status {
            RMEDIA_OK => {
                packet.given();
                Pushed::Taken
            }
            status => Pushed::Back(packet, Idle::from_status(status)),
        })
    }

    /// Copies interleaved samples into a packet and pushes it without waiting. False: full.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_f32(
        &self,
        input: Option<u32>,
        samples: &[f32],
        rate: u32,
        channels: u32,
    ) -> Result<bool> {
        let frames = samples.len() / (channels.max(1) as usize);
        let (input, data) = (input.unwrap_or(RMEDIA_ANY), samples.as_ptr());
        // SAFETY: the slice has at least `frames` × `channels` samples.
        let status = call(|error| unsafe {
            rmedia_pipeline_push_f32(self.handle, input, data, frames, rate, channels, error)
        })?;
        Ok(status == RMEDIA_OK)
    }

    /// Pulls the next packet of the output of that index (`None`: of any).
    ///
    /// # Errors
    /// Once the pipeline is over, why.
    pub fn pull(&self, output: Option<u32>, timeout: Timeout) -> Result<Pulled> {
        let (mut packet, mut from) = (rmedia_packet_t::default(), 0);
        let output = output.unwrap_or(RMEDIA_ANY);
        // SAFETY: variables of their types.
        let status = call(|error| unsafe {
            rmedia_pipeline_pull(self.handle, output, timeout.0, &mut packet, &mut from, error)
        })?;
        Ok(match status {
            RMEDIA_OK => Pulled::Packet { output: from, packet: Packet::owned(packet) },
            RMEDIA_END => Pulled::End,
            status => Pulled::Idle { reason: Idle::from_status(status), about: from },
        })
    }

    /// Ends the input of that index (`None`: all).
    ///
    /// # Errors
    /// Once the pipeline is over, why.
    pub fn end(&self, input: Option<u32>) -> Result<()> {
        let input = input.unwrap_or(RMEDIA_ANY);
        // SAFETY: `error` may be written.
        call(|error| unsafe { rmedia_pipeline_end(self.handle, input, error) }).map(|_| ())
    }

    /// Says that nothing earlier will come into the input of that index (`None`: the only one).
    ///
    /// # Errors
    /// When there is no such input, or it has ended; once the pipeline is over, why.
    pub fn gap(&self, input: Option<u32>, until_ns: i64) -> Result<()> {
        let input = input.unwrap_or(RMEDIA_ANY);
        // SAFETY: `error` may be written.
        call(|error| unsafe { rmedia_pipeline_gap(self.handle, input, until_ns, error) })
            .map(|_| ())
    }

    /// Runs whatever can run; says why it stopped.
    ///
    /// # Errors
    /// Once the pipeline is over, why.
    pub fn advance(&self) -> Result<Idle> {
        // SAFETY: `error` may be written.
        call(|error| unsafe { rmedia_pipeline_advance(self.handle, error) }).map(Idle::from_status)
    }

    /// Forgets everything inside; gives the epoch that begins.
    ///
    /// # Errors
    /// Once the pipeline is over, why.
    pub fn reset(&self) -> Result<u32> {
        let mut epoch = 0;
        // SAFETY: variables of their types.
        call(|error| unsafe { rmedia_pipeline_reset(self.handle, &mut epoch, error) })?;
        Ok(epoch)
    }

    /// Forgets what lies behind where the manifest says that an interrupt hits; gives the epoch that
    /// begins.
    ///
    /// # Errors
    /// Once the pipeline is over, why.
    pub fn interrupt(&self) -> Result<u32> {
        let mut epoch = 0;
        // SAFETY: variables of their types.
        call(|error| unsafe { rmedia_pipeline_interrupt(self.handle, &mut epoch, error) })?;
        Ok(epoch)
    }

    /// Makes a pipeline that has come to its end ready for another run.
    ///
    /// # Errors
    /// While it still runs.
    pub fn rewind(&self) -> Result<()> {
        // SAFETY: `error` may be written.
        call(|error| unsafe { rmedia_pipeline_rewind(self.handle, error) }).map(|_| ())
    }

    /// Ends all inputs and works everything off.
    ///
    /// # Errors
    /// Why the pipeline failed or was cancelled.
    pub fn close(&self, timeout: Timeout) -> Result<Closed> {
        // SAFETY: `error` may be written.
        let status = call(|error| unsafe { rmedia_pipeline_close(self.handle, timeout.0, error) })?;
        Ok(match status {
            RMEDIA_CUT => Closed::Cut,
            RMEDIA_HOST => Closed::Host,
            _ => Closed::Drained,
        })
    }

    /// Stops at once.
    pub fn cancel(&self) {
        rmedia_pipeline_cancel(self.handle);
    }

    /// What it is doing.
    ///
    /// # Errors
    /// In a forked child.
    pub fn state(&self) -> Result<State> {
        let mut state = 0;
        // SAFETY: `state` may be written.
        checked(unsafe { rmedia_pipeline_state(self.handle, &mut state) })?;
        Ok(match state {
            RMEDIA_STATE_RUNNING => State::Running,
            RMEDIA_STATE_CLOSING => State::Closing,
            RMEDIA_STATE_CLOSED => State::Closed,
            RMEDIA_STATE_FAILED => State::Failed,
            _ => State::Cancelled,
        })
    }

    /// Sets live params of a node, from that time of its input on. Gives the number of the change.
    ///
    /// # Errors
    /// When a value can't be set so; nothing is set then.
    pub fn set_params(&self, node: &str, params: &str, at_ns: Option<i64>) -> Result<u64> {
        let (node, params) = (c_string(node, "node")?, c_string(params, "params")?);
        let (at, mut seq) = (at_ns.unwrap_or(RMEDIA_NO_TIME), 0);
        // SAFETY: texts that end with a zero byte, and variables of their types.
        call(|error| unsafe {
            let (node, params) = (node.as_ptr(), params.as_ptr());
            rmedia_pipeline_set_params(self.handle, node, params, at, &mut seq, error)
        })?;
        Ok(seq)
    }

    /// A descriptor that is readable while there is something to do. It is the pipeline's.
    ///
    /// # Errors
    /// Where the system has no such thing.
    pub fn wait_handle(&self) -> Result<i32> {
        let mut fd = -1;
        // SAFETY: `fd` may be written.
        checked(unsafe { rmedia_pipeline_wait_handle(self.handle, &mut fd) })?;
        Ok(fd)
    }

    /// Sets what is called when there is something to do, on whatever thread; `None`: nothing. When
    /// this returns the former function is not running and will not be called.
    ///
    /// # Errors
    /// In a forked child.
    pub fn set_wakeup(&self, wakeup: Option<Wakeup>) -> Result<()> {
        wakeup::set(wakeup, |call, user, free| {
            // SAFETY: by `set`.
            unsafe { rmedia_pipeline_set_wakeup(self.handle, call, user, free) }
        })
    }

    /// Has the engine tell of it: `Engine::next_ready` gives the tag when there is something to do.
    ///
    /// # Errors
    /// When its engine is gone.
    pub fn watch(&self, tag: u64) -> Result<()> {
        checked(rmedia_pipeline_watch(self.handle, tag)).map(|_| ())
    }

    /// Takes that back: the engine does not tell of it any more.
    ///
    /// # Errors
    /// In a forked child.
    pub fn unwatch(&self) -> Result<()> {
        checked(rmedia_pipeline_unwatch(self.handle)).map(|_| ())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        rmedia_pipeline_destroy(self.handle);
    }
}
