//! Jobs: what a host node is asked to do, and what comes of it.
//!
//! A job of a function node ends when its function returns, unless that says RMEDIA_IN_FLIGHT; a job
//! taken from the queue ends with `rmedia_job_done` or `rmedia_job_fail`. Outputs count only if the
//! job succeeds.

use crate::abi::{RMEDIA_IN_FLIGHT, RMEDIA_OK, rmedia_error_t, rmedia_job_t, rmedia_packet_t};
use crate::boundary::{bad_handle, call, call_with, invalid, text, too_many};
use crate::handle::{Object, Table};
use crate::host::Taken;
use crate::packet::PACKETS;
use remotemedia::Packet;
use remotemedia::error::{Error, Result, detail};
use remotemedia::node::{Emission, Ticket};
use std::ffi::c_char;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

impl Object for Arc<Job> {
    const KIND: u8 = 6;
}

pub(crate) static JOBS: Table<Arc<Job>> = Table::new();

/// A job that is open.
pub(crate) struct Job {
    outputs: u32,
    /// Texts of the job's info, and the taking of it; of queue jobs.
    pub(crate) taken: Option<Taken>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    emissions: Vec<Emission>,
    failure: Option<Error>,
    /// Where the result goes, of a job that outlives its call.
    ticket: Option<Ticket>,
    /// The packet that was lent with the job.
    lent: Option<rmedia_packet_t>,
    ended: bool,
}

/// What came of a job that ended with its call.
pub(crate) enum Outcome {
    Done,
    Failed(Error),
    /// It goes on; its result comes by ticket.
    InFlight,
}

impl Job {
    /// A job for a node with so many outputs.
    pub(crate) fn new(outputs: usize) -> Self {
        Self { outputs: outputs as u32, taken: None, state: Mutex::default() }
    }

    /// Makes a job that has ended new, with its memory.
    pub(crate) fn renew(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut emissions = std::mem::take(&mut state.emissions);
        emissions.clear();
        *state = State { emissions, ..State::default() };
    }

    pub(crate) fn queued(outputs: usize, ticket: Option<Ticket>, taken: Taken) -> Self {
        let state = State { ticket, ..State::default() };
        Self { outputs: outputs as u32, taken: Some(taken), state: Mutex::new(state) }
    }

    pub(crate) fn lend(&self, packet: Option<rmedia_packet_t>) {
        self.lock().lent = packet;
    }

    /// Opens a handle for it.
    pub(crate) fn open(self: &Arc<Self>) -> Result<rmedia_job_t> {
        let id = JOBS.insert(self.clone()).map_err(|_| too_many("job"))?;
        Ok(rmedia_job_t { id })
    }

    fn emit(&self, port: u32, packet: Packet) -> Result<(), (Error, Packet)> {
        if port >= self.outputs {
            let message = format!("the node has {} outputs, none of index {port}", self.outputs);
            return Err((invalid(message), packet));
        }
        let mut state = self.lock();
        if state.ended {
            return Err((over(), packet));
        }
        state.emissions.push(Emission { port: port as usize, packet });
        Ok(())
    }

    /// Ends it. Says whether its handle goes with it: that of a job in its call goes when its
    /// function returns.
    fn end(&self, failure: Option<Error>) -> Result<bool> {
        let (ticket, failure, emissions, lent) = {
            let mut state = self.lock();
            if state.ended {
                return Err(over());
            }
            if failure.is_some() {
                state.failure = failure;
            }
            state.ended = true;
            let Some(ticket) = state.ticket.take() else {
                if self.taken.is_none() {
                    // What it has emitted goes when its function returns.
                    return Ok(false);
                }
                let lent = state.lent.take();
                drop(state);
                take_back(lent);
                return Ok(true);
            };
            let emissions = std::mem::take(&mut state.emissions);
            (ticket, state.failure.take(), emissions, state.lent.take())
        };
        take_back(lent);
        match failure {
            Some(error) => ticket.fail(error),
            None => ticket.complete(emissions.into_iter().map(|e| (e.port, e.packet))),
        }
        Ok(true)
    }

    /// What has been said by the end of its call; where it goes on, `ticket` makes the place that
    /// its result goes to.
    pub(crate) fn close(&self, status: i32, ticket: impl FnOnce() -> Option<Ticket>) -> Outcome {
        let mut state = self.lock();
        if status == RMEDIA_IN_FLIGHT && !state.ended && state.failure.is_none() {
            if let Some(ticket) = ticket() {
                state.ticket = Some(ticket);
                return Outcome::InFlight;
            }
            state.failure = Some(Error::new(
                detail::NODE_CONTRACT,
                "the node returned IN_FLIGHT, but its type declares no max_in_flight",
            ));
        }
        let lent = state.lent.take();
        state.ended = true;
        let failure = state.failure.take();
        let gone = match failure.is_some() || status < 0 {
            true => std::mem::take(&mut state.emissions),
            false => Vec::new(),
        };
        drop(state);
        // Outside the lock: they may be memory of the program.
        drop(gone);
        take_back(lent);
        match failure {
            Some(error) => Outcome::Failed(error),
            None if status < 0 => Outcome::Failed(Error::new(
                detail::NODE_FAILED,
                format!("the node returned the status {status}"),
            )),
            None => Outcome::Done,
        }
    }

    /// Hands on what it has emitted, and keeps the memory.
    pub(crate) fn drain_emissions(&self, mut each: impl FnMut(usize, Packet)) {
        for Emission { port, packet } in self.lock().emissions.drain(..) {
            each(port, packet);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lent packet goes back; it may have been emitted or released already.
fn take_back(lent: Option<rmedia_packet_t>) {
    if let Some(packet) = lent {
        PACKETS.release(packet.id);
    }
}

fn over() -> Error {
    Error::new(detail::STATE_ENDED, "the job has ended")
}

/// Emits a packet on the output port of that index (0 is the default port). It counts when the job
/// succeeds.
///
/// Ownership: takes the packet on success.
/// Thread: any, one at a time per job. Blocks: no. Real-time: yes after warm-up. Since: 0.1.
/// Errors: INVALID_ARGUMENT for a port that the type doesn't have; STATE for a job that has ended.
///
/// # Safety
/// `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_job_emit(
    job: rmedia_job_t,
    port: u32,
    packet: rmedia_packet_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let job = JOBS.pin(job.id).ok_or_else(|| bad_handle("job"))?;
            if let Some((place, value)) = PACKETS.take(packet.id) {
                return match job.emit(port, value) {
                    Ok(()) => Ok(RMEDIA_OK),
                    Err((error, value)) => {
                        place.fill(value);
                        Err(error)
                    }
                };
            }
            // Another thread looks at it at this moment.
            let shared = PACKETS.pin(packet.id).ok_or_else(|| bad_handle("packet"))?;
            job.emit(port, Packet::clone(&shared)).map_err(|(error, _)| error)?;
            drop(shared);
            PACKETS.release(packet.id);
            Ok(RMEDIA_OK)
        })
    }
}

/// Ends a job that was taken with rmedia_engine_next_job, or whose function returned
/// RMEDIA_IN_FLIGHT. What it emitted goes on.
///
/// Ownership: takes the job, and what was lent with it.
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: STATE for a job that has ended.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_job_done(job: rmedia_job_t) -> i32 {
    call(|| {
        let pinned = JOBS.pin(job.id).ok_or_else(|| bad_handle("job"))?;
        if pinned.end(None)? {
            JOBS.release(job.id);
        }
        Ok(RMEDIA_OK)
    })
}

/// 1 when nobody wants the job's result any more: an interrupt or reset has forgotten its packet, its
/// deadline has passed, or the pipeline is over. Work that asks now and then can end early; the job has
/// to be ended all the same, and what it emitted is dropped. 0 while the result is wanted. It tells of
/// jobs that go on after a call: those of the queue that work on a packet or drain, and those whose
/// function has returned RMEDIA_IN_FLIGHT. Of all others it is 0.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: BAD_HANDLE for a job that has ended.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_job_is_cancelled(job: rmedia_job_t) -> i32 {
    call(|| {
        let pinned = JOBS.pin(job.id).ok_or_else(|| bad_handle("job"))?;
        let state = pinned.lock();
        if state.ended {
            return Err(over());
        }
        Ok(i32::from(state.ticket.as_ref().is_some_and(Ticket::is_cancelled)))
    })
}

/// Fails a job with a message for people. In a function node's function: say why here, then return
/// a negative status. Elsewhere it ends the job, as rmedia_job_done does.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// `message` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_job_fail(job: rmedia_job_t, message: *const c_char) -> i32 {
    call(|| {
        let pinned = JOBS.pin(job.id).ok_or_else(|| bad_handle("job"))?;
        // SAFETY: by contract.
        let message = unsafe { text(message, "message") }?;
        let failure = Error::new(detail::NODE_FAILED, message);
        let in_its_call = {
            let mut state = pinned.lock();
            if state.ended {
                return Err(over());
            }
            let inside = state.ticket.is_none() && pinned.taken.is_none();
            if inside {
                state.failure = Some(failure.clone());
            }
            inside
        };
        if !in_its_call && pinned.end(Some(failure))? {
            JOBS.release(job.id);
        }
        Ok(RMEDIA_OK)
    })
}
