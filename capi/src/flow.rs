//! What goes into a pipeline and what comes out.

use crate::abi::{
    RMEDIA_ANY, RMEDIA_END, RMEDIA_FULL, RMEDIA_INTERRUPTED, RMEDIA_NEED_INPUT, RMEDIA_OK,
    rmedia_error_t, rmedia_packet_t, rmedia_pipeline_t,
};
use crate::boundary::{bad_handle, call_with, invalid, null, out, too_many};
use crate::host::{Deadline, deadline};
use crate::packet::{PACKETS, check_memory};
use crate::pipeline::{PipelineEntry, find};
use remotemedia::error::{Error, Result};
use remotemedia::packet::AudioFormat;
use remotemedia::{Audio, Packet, Pull, PushError, Reason};
use std::slice;
use std::time::Duration;

enum Pulled<'a> {
    Packet(&'a str, Packet),
    Nothing(i32, u32),
}

impl PipelineEntry {
    /// Pushes until the packet is taken, or waiting does not help any more. Gives it back if it was
    /// not taken.
    fn push(
        &self,
        input: u32,
        packet: Packet,
        until: Deadline,
    ) -> Result<i32, (Result<i32, Error>, Option<Packet>)> {
        let (mut packet, epoch) = (packet, self.pipeline.epoch());
        let input = match self.input(input) {
            Ok(input) => input,
            Err(error) => return Err((Err(error), Some(packet))),
        };
        loop {
            let seen = self.pipeline.changes();
            packet = match self.pipeline.push_at(input, packet) {
                Ok(()) => return Ok(RMEDIA_OK),
                Err(PushError::Full(packet) | PushError::Interrupted(packet)) => packet,
                Err(PushError::Refused(packet, error)) => return Err((Err(error), Some(packet))),
                Err(PushError::Failed(error)) => return Err((Err(error), None)),
            };
            let reason = self.pipeline.why_full();
            // Nothing is at work any more, and what was has made room.
            let stale = matches!(reason, Ok(Reason::Need(_))) && self.pipeline.changes() != seen;
            let (status, about) = match reason.map(|reason| self.idle(reason)) {
                Ok((RMEDIA_NEED_INPUT, about)) => (RMEDIA_FULL, about),
                Ok(idle) => idle,
                Err(error) => return Err((Err(error), Some(packet))),
            };
            let waited =
                self.waits(status, about, seen, until) || (stale && until != Deadline::Now);
            // Before it is pushed again: what an interrupt has made room for is the new epoch's.
            if self.pipeline.has_forgotten(input, epoch) {
                return Err((Ok(RMEDIA_INTERRUPTED), Some(packet)));
            }
            if !waited {
                self.arm();
                return Err((Ok(status), Some(packet)));
            }
        }
    }

    /// Pushes the packet behind a handle, which stays where it is not taken.
    fn push_handle(&self, input: u32, packet: rmedia_packet_t, until: Deadline) -> Result<i32> {
        if let Some((place, value)) = PACKETS.take(packet.id) {
            let pushed = self.push(input, value, until);
            return pushed.or_else(|(outcome, back)| {
                if let Some(back) = back {
                    place.fill(back);
                }
                outcome
            });
        }
        // Another thread looks at it at this moment.
        let shared = PACKETS.pin(packet.id).ok_or_else(|| bad_handle("packet"))?;
        let pushed = self.push(input, Packet::clone(&shared), until);
        drop(shared);
        match pushed {
            Ok(status) => {
                PACKETS.release(packet.id);
                Ok(status)
            }
            // The caller releases it after a failure, whatever became of it.
            Err((outcome, _)) => outcome,
        }
    }

    /// A packet with a copy of interleaved samples.
    ///
    /// # Safety
    /// `samples` has `frames` × `channels` samples.
    unsafe fn packet_of(
        &self,
        samples: *const f32,
        frames: usize,
        rate: u32,
        channels: u32,
    ) -> Result<Packet> {
        let format = AudioFormat::f32(rate, u16::try_from(channels).unwrap_or(u16::MAX));
        format.check()?;
        let count = frames.checked_mul(channels as usize);
        let count = count.filter(|n| *n <= isize::MAX as usize / 4);
        let count = count.ok_or_else(|| invalid("more samples than memory can hold"))?;
        if samples.is_null() && count > 0 {
            return Err(null("samples"));
        }
        let engine = &self.engine.engine;
        check_memory(count * 4, engine)?;
        let mut audio = Audio::new(format, engine.pool().try_buffer(count * 4)?)?;
        if let (Some(to), true) = (audio.f32_mut(), count > 0) {
            // SAFETY: not null; the rest by contract.
            to.copy_from_slice(unsafe { slice::from_raw_parts(samples, count) });
        }
        Ok(Packet::audio(audio))
    }

    fn pull(&self, output: u32, until: Deadline) -> Result<Pulled<'_>> {
        loop {
            let seen = self.pipeline.changes();
            let pull = match output {
                RMEDIA_ANY => self.pipeline.try_pull(),
                output => self.pipeline.pull_at(output as usize, Duration::ZERO),
            };
            let (status, about) = match pull {
                Ok(Pull::Packet(name, packet)) => return Ok(Pulled::Packet(name, packet)),
                Ok(Pull::End) => (RMEDIA_END, RMEDIA_ANY),
                Ok(Pull::Idle(reason)) => self.idle(reason),
                Err(error) => {
                    // Of one that is over, why it is so is all that is left to be told.
                    if self.pipeline.state().is_terminal() {
                        self.found_nothing(seen);
                    }
                    return Err(error);
                }
            };
            if !self.waits(status, about, seen, until) {
                self.found_nothing(seen);
                return Ok(Pulled::Nothing(status, about));
            }
        }
    }

    /// Pulls a packet into a handle. Gives the status, and the index of what it is about.
    fn pull_handle(
        &self,
        output: u32,
        until: Deadline,
        packet: &mut rmedia_packet_t,
    ) -> Result<(i32, u32)> {
        // The place first: a packet that was pulled must not be lost.
        let place = PACKETS.reserve().ok_or_else(|| too_many("packet"))?;
        Ok(match self.pull(output, until)? {
            Pulled::Packet(name, pulled) => {
                packet.id = place.fill(pulled);
                (RMEDIA_OK, self.index_of_output(name))
            }
            Pulled::Nothing(status, about) => (status, about),
        })
    }
}

/// Pushes a packet into the input of that index (RMEDIA_ANY: the only one) and works it, on this
/// thread, through the nodes that run inline; those placed on threads are run by the engine's, and
/// nobody waits for them here. Where there is no room the packet is not taken: RMEDIA_FULL asks for a
/// pull; RMEDIA_IN_FLIGHT, RMEDIA_DUE and RMEDIA_BUSY for patience (`timeout_ms` waits: RMEDIA_TRY,
/// RMEDIA_FOREVER, or milliseconds); RMEDIA_HOST for rmedia_engine_next_job. RMEDIA_INTERRUPTED: not
/// taken, as an interrupt or reset came while the call waited; push it again if it is still wanted.
///
/// Ownership: takes the packet on RMEDIA_OK. Otherwise it stays with the caller, who pushes it again
/// or releases it: that is right after every failure, also where the pipeline failed while it worked
/// on the packet, which is then gone (RMEDIA_E_BAD_HANDLE, and no harm). While the call runs, the
/// handle is good for nothing else.
/// Thread: any; packets of one thread keep their order. Blocks: as its nodes do, and up to the
/// timeout. Real-time: with RMEDIA_TRY, if its nodes are. Since: 0.1.
/// Errors: STATE after the end, CLOSED, CANCELLED, the failure of a node; FORMAT for a packet that
/// the input does not take; LATE for a time before what has passed; LIMIT; REENTRANT inside a node
/// of this pipeline.
///
/// # Safety
/// `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_push(
    pipeline: rmedia_pipeline_t,
    input: u32,
    packet: rmedia_packet_t,
    timeout_ms: i32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let until = deadline(timeout_ms)?;
            let entry = find(pipeline)?;
            entry.guard(|_| entry.push_handle(input, packet, until))
        })
    }
}

/// Copies interleaved 32-bit float samples into a packet and pushes it, as rmedia_pipeline_push does
/// without waiting. A push without a time goes on where the input stands.
///
/// Thread: any. Blocks: as its nodes do. Real-time: if its nodes are, after warm-up. Since: 0.1.
/// Errors: as rmedia_pipeline_push; FORMAT for a rate or channels out of range; LIMIT above the
/// engine's memory limit.
///
/// # Safety
/// `samples` has `frames` × `channels` samples; `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_push_f32(
    pipeline: rmedia_pipeline_t,
    input: u32,
    samples: *const f32,
    frames: usize,
    rate: u32,
    channels: u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let entry = find(pipeline)?;
            entry.guard(|_| {
                let packet = entry.packet_of(samples, frames, rate, channels)?;
                let pushed = entry.push(input, packet, Deadline::Now);
                pushed.or_else(|(outcome, _)| outcome)
            })
        })
    }
}

/// Pulls the next packet of the output of that index, or (RMEDIA_ANY) of all outputs in the order
/// in which they were emitted. Drives sources, and lets those begin that are placed on threads. Waits
/// up to `timeout_ms` (RMEDIA_TRY, RMEDIA_FOREVER, or milliseconds), and only where something but the
/// caller can bring a packet: a thread, an open job, time. RMEDIA_OK: a packet. RMEDIA_END: all was
/// pulled. Else why there is none: RMEDIA_NEED_INPUT, RMEDIA_FULL (pull the other output),
/// RMEDIA_IN_FLIGHT, RMEDIA_DUE (a node goes on by itself), RMEDIA_BUSY (a thread is at work),
/// RMEDIA_HOST. `from` (may be NULL) gets the index of the packet's output, or of the input, output
/// or node that the status is about.
///
/// Ownership: the caller gets the packet on RMEDIA_OK.
/// Thread: any. Blocks: as its nodes do, and up to the timeout. Real-time: with RMEDIA_TRY, if its
/// nodes are. Since: 0.1.
/// Errors: once the pipeline is over, why; after a failure the packets from before it come first.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_pull(
    pipeline: rmedia_pipeline_t,
    output: u32,
    timeout_ms: i32,
    packet: *mut rmedia_packet_t,
    from: *mut u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let packet = out(packet, "packet")?;
            packet.id = 0;
            let until = deadline(timeout_ms)?;
            let entry = find(pipeline)?;
            entry.guard(|_| {
                let (status, about) = entry.pull_handle(output, until, packet)?;
                if let Some(from) = from.as_mut() {
                    *from = about;
                }
                Ok(status)
            })
        })
    }
}
