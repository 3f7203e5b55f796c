//! Jobs of host nodes.

use crate::c_string;
use crate::error::{Result, call, checked};
use crate::packet::Packet;
use rmedia_capi::abi::{
    RMEDIA_JOB_DRAIN, RMEDIA_JOB_PARAMS, RMEDIA_JOB_PROCESS, RMEDIA_JOB_RESET, rmedia_job_info_t,
    rmedia_job_t,
};
use rmedia_capi::job::{
    rmedia_job_done, rmedia_job_emit, rmedia_job_fail, rmedia_job_is_cancelled,
};
use std::ffi::{CStr, c_char};

/// What a host node is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Work on the packet.
    Process,
    /// Emit what is still inside.
    Drain,
    /// Forget what is inside.
    Reset,
    /// Take the params as they are now.
    Params,
    /// The node is not needed any more.
    Close,
}

/// A job that this process has taken. Dropping it without [`done`](Self::done) or
/// [`fail`](Self::fail) fails it.
#[derive(Debug)]
pub struct Job {
    handle: rmedia_job_t,
    kind: JobKind,
    node: u64,
    node_type: String,
    params: String,
    port: u32,
    packet: Option<Packet>,
    ended: bool,
}

impl Job {
    pub(crate) fn new(info: &rmedia_job_info_t) -> Self {
        let text = |from: *const c_char| {
            // SAFETY: the library gives texts that live as long as the job, which is open.
            unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned()
        };
        Self {
            handle: info.job,
            kind: match info.kind {
                RMEDIA_JOB_PROCESS => JobKind::Process,
                RMEDIA_JOB_DRAIN => JobKind::Drain,
                RMEDIA_JOB_RESET => JobKind::Reset,
                RMEDIA_JOB_PARAMS => JobKind::Params,
                _ => JobKind::Close,
            },
            node: info.node,
            node_type: text(info.node_type),
            params: text(info.params),
            port: info.port,
            // A reference of our own: the lent one ends with the job.
            packet: Packet::shared(info.packet),
            ended: false,
        }
    }

    /// What is asked for.
    pub fn kind(&self) -> JobKind {
        self.kind
    }

    /// The node: a number of its own for each.
    pub fn node(&self) -> u64 {
        self.node
    }

    /// Full name of its type.
    pub fn node_type(&self) -> &str {
        &self.node_type
    }

    /// Its params, a JSON object, complete.
    pub fn params(&self) -> &str {
        &self.params
    }

    /// The input port that the packet came to.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// The packet to work on.
    pub fn packet(&self) -> Option<&Packet> {
        self.packet.as_ref()
    }

    /// Emits a packet on an output port. It counts when the job is done.
    ///
    /// # Errors
    /// For a port that the type doesn't have.
    pub fn emit(&self, port: u32, packet: Packet) -> Result<()> {
        // SAFETY: `error` may be written.
        call(|error| unsafe { rmedia_job_emit(self.handle, port, packet.handle(), error) })?;
        packet.given();
        Ok(())
    }

    /// Whether nobody wants its result any more; it has to be ended all the same.
    ///
    /// # Errors
    /// When it has ended.
    pub fn is_cancelled(&self) -> Result<bool> {
        Ok(checked(rmedia_job_is_cancelled(self.handle))? == 1)
    }

    /// Ends it well.
    ///
    /// # Errors
    /// When it has ended.
    pub fn done(mut self) -> Result<()> {
        self.ended = true;
        self.packet = None;
        checked(rmedia_job_done(self.handle)).map(|_| ())
    }

    /// Ends it with a failure.
    ///
    /// # Errors
    /// When it has ended.
    pub fn fail(mut self, message: &str) -> Result<()> {
        let message = c_string(&message.replace('\0', " "), "message")?;
        self.ended = true;
        self.packet = None;
        // SAFETY: the text ends with a zero byte.
        checked(unsafe { rmedia_job_fail(self.handle, message.as_ptr()) }).map(|_| ())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: a constant text that ends with a zero byte.
            unsafe {
                rmedia_job_fail(self.handle, c"the job was dropped without a result".as_ptr())
            };
        }
    }
}
