//! Pipelines: made, fed, emptied. Their control is in `control`.

use crate::abi::{
    RMEDIA_ANY, RMEDIA_BUSY, RMEDIA_CUT, RMEDIA_DUE, RMEDIA_END, RMEDIA_FULL, RMEDIA_HOST,
    RMEDIA_IN_FLIGHT, RMEDIA_INTERRUPTED, RMEDIA_NEED_INPUT, RMEDIA_OK, RMEDIA_PIPELINE_UNTRUSTED,
    rmedia_engine_t, rmedia_error_t, rmedia_packet_t, rmedia_pipeline_options_t, rmedia_pipeline_t,
    rmedia_string_t,
};
use crate::boundary::{
    bad_handle, call, call_with, check_flags, invalid, null, out, panicked, released, text,
    too_many,
};
use crate::engine::{self, EngineEntry};
use crate::handle::{Object, Pin, Table};
use crate::host::{Deadline, SERVES_AGAIN, deadline};
use crate::packet::{PACKETS, check_memory};
use crate::wake::{Wake, waker};
use crate::{sized, string};
use remotemedia::error::{Error, Result, detail};
use remotemedia::packet::AudioFormat;
use remotemedia::{Audio, Closed, Closing, Manifest, Packet, Pipeline, Pull, PushError, Reason};
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

/// A pipeline with what C adds to it.
pub(crate) struct PipelineEntry {
    pub(crate) pipeline: Pipeline,
    engine: Arc<EngineEntry>,
    /// Per node: whether its jobs come to the engine's queue.
    hosted: Vec<bool>,
    pub(crate) wake: Arc<Wake>,
    waker: OnceLock<Waker>,
    /// How many changes there had been when a pull last began to look and found nothing.
    looked: AtomicU64,
    /// The library panicked in a call of it.
    poison: OnceLock<Error>,
}

impl Object for PipelineEntry {
    const KIND: u8 = 2;
}

pub(crate) static PIPELINES: Table<PipelineEntry> = Table::new();

/// A pipeline in use.
pub(crate) fn find(pipeline: rmedia_pipeline_t) -> Result<Pin<PipelineEntry>> {
    PIPELINES.pin(pipeline.id).ok_or_else(|| bad_handle("pipeline"))
}

impl PipelineEntry {
    /// Runs a call on the pipeline. If it panics the pipeline is over, and that alone.
    pub(crate) fn guard(&self, work: impl FnOnce(&Pipeline) -> Result<i32>) -> Result<i32> {
        if let Some(poison) = self.poison.get() {
            return Err(poison.clone());
        }
        let run = || {
            #[cfg(debug_assertions)]
            crate::testing::maybe_panic();
            work(&self.pipeline)
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let error = panicked(&*panic);
            let _ = self.poison.set(error.clone());
            self.pipeline.cancel();
            Err(error)
        })
    }

    /// The next change is to be told.
    fn watch(&self) {
        if self.wake.is_wanted() {
            let waker = self.waker.get_or_init(|| waker(&self.wake));
            self.pipeline.wake_on_change(waker);
        }
    }

    /// After looking and finding nothing: takes the signal back, unless there is more to do. That is
    /// when packets or events wait, and when something has changed that no pull has looked for.
    pub(crate) fn look_again(&self) {
        if self.wake.is_wanted() {
            self.wake.clear();
            self.watch();
            let looked = self.looked.load(Ordering::Acquire);
            if self.pipeline.has_news() || self.pipeline.changes() != looked {
                self.wake.signal();
            }
        }
    }

    /// The status for a pipeline that does not go on; and the port or node that it is about.
    pub(crate) fn idle(&self, reason: Reason) -> (i32, u32) {
        match reason {
            Reason::Need(ports) => (RMEDIA_NEED_INPUT, first(ports.iter())),
            Reason::Full(output) => (RMEDIA_FULL, output as u32),
            Reason::InFlight(node) if self.hosted[node] && self.engine.host.is_forsaken() => {
                (RMEDIA_HOST, node as u32)
            }
            Reason::InFlight(node) => (RMEDIA_IN_FLIGHT, node as u32),
            Reason::Due(_) => (RMEDIA_DUE, RMEDIA_ANY),
            Reason::Busy => (RMEDIA_BUSY, RMEDIA_ANY),
        }
    }

    fn pull(&self, output: u32, until: Deadline) -> Result<Pulled<'_>> {
        loop {
            let seen = self.pipeline.changes();
            let pull = match output {
                RMEDIA_ANY => self.pipeline.try_pull(),
                output => self.pipeline.pull_at(output as usize, Duration::ZERO),
            };
            let (status, about) = match pull? {
                Pull::Packet(name, packet) => return Ok(Pulled::Packet(name, packet)),
                Pull::End => (RMEDIA_END, RMEDIA_ANY),
                Pull::Idle(reason) => self.idle(reason),
            };
            if !self.waits(status, about, seen, until) {
                self.looked.store(seen, Ordering::Release);
                self.look_again();
                return Ok(Pulled::Nothing(status, about));
            }
        }
    }

    /// Closes, waiting where waiting helps.
    pub(crate) fn close(&self, until: Deadline) -> Result<i32> {
        loop {
            let seen = self.pipeline.changes();
            let (status, about) = match self.pipeline.close_now()? {
                Closing::Over(Closed::Drained) => return Ok(RMEDIA_OK),
                Closing::Over(Closed::Cut) => return Ok(RMEDIA_CUT),
                Closing::Waits(reason) => self.idle(reason),
            };
            if status == RMEDIA_HOST && until != Deadline::Now {
                return Ok(status);
            }
            if !self.waits(status, about, seen, until) {
                self.pipeline.cut()?;
                return Ok(RMEDIA_CUT);
            }
        }
    }

    /// Waits for a change where waiting helps. False: it doesn't, or time is up.
    fn waits(&self, status: i32, about: u32, seen: u64, until: Deadline) -> bool {
        if !matches!(status, RMEDIA_IN_FLIGHT | RMEDIA_DUE | RMEDIA_BUSY) {
            return false;
        }
        let end = match until {
            Deadline::Now => return false,
            Deadline::At(at) => Some(at),
            Deadline::Never => None,
        };
        let hosted = self.hosted.get(about as usize) == Some(&true);
        if !(status == RMEDIA_IN_FLIGHT && hosted) {
            return self.pipeline.wait_for_change(seen, end);
        }
        // Whether somebody still serves the node is looked at from time to time.
        let look = Instant::now() + SERVES_AGAIN;
        match end {
            Some(end) if end <= look => self.pipeline.wait_for_change(seen, Some(end)),
            _ => {
                self.pipeline.wait_for_change(seen, Some(look));
                true
            }
        }
    }

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
                self.watch();
                return Err((Ok(status), Some(packet)));
            }
        }
    }

    /// The input of that index; RMEDIA_ANY is the only one.
    pub(crate) fn input(&self, input: u32) -> Result<usize> {
        match input {
            RMEDIA_ANY => self.pipeline.only_input(),
            input => Ok(input as usize),
        }
    }

    fn index_of_output(&self, name: &str) -> u32 {
        // The name is the pipeline's own, so its address tells it.
        let own = |n: &str| n.as_ptr() == name.as_ptr() || n == name;
        self.pipeline.outputs().position(own).map_or(RMEDIA_ANY, |index| index as u32)
    }
}

enum Pulled<'a> {
    Packet(&'a str, Packet),
    Nothing(i32, u32),
}

fn first(mut ports: impl Iterator<Item = usize>) -> u32 {
    ports.next().map_or(RMEDIA_ANY, |port| port as u32)
}

/// Makes a pipeline from the text of a manifest: JSON if it begins with `{`, else YAML. All nodes
/// are made here. `options` may be NULL.
///
/// Ownership: the caller gets the pipeline, and ends it with rmedia_pipeline_destroy.
/// Thread: any. Blocks: as its nodes do when they are made. Real-time: no. Since: 0.1.
/// Errors: INVALID_MANIFEST with everything that is wrong (rmedia_error_json, `problems`); what
/// keeps a node from being made.
///
/// # Safety
/// Pointers are NULL or good for their type; `manifest` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_create(
    manifest: *const c_char,
    options: *const rmedia_pipeline_options_t,
    pipeline: *mut rmedia_pipeline_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let pipeline = out(pipeline, "pipeline")?;
            pipeline.id = 0;
            let manifest = Manifest::from_slice(text(manifest, "manifest")?.as_bytes())?;
            *pipeline = create(manifest, options)?;
            Ok(RMEDIA_OK)
        })
    }
}

/// As rmedia_pipeline_create, from a file: .json, .yaml or .yml. `${NAME}` in its texts stands for
/// a variable of the environment.
///
/// Ownership: the caller gets the pipeline, and ends it with rmedia_pipeline_destroy.
/// Thread: any. Blocks: on the file. Real-time: no. Since: 0.1.
/// Errors: IO for a file that can't be read; as rmedia_pipeline_create.
///
/// # Safety
/// Pointers are NULL or good for their type; `path` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_create_from_file(
    path: *const c_char,
    options: *const rmedia_pipeline_options_t,
    pipeline: *mut rmedia_pipeline_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let pipeline = out(pipeline, "pipeline")?;
            pipeline.id = 0;
            *pipeline = create(Manifest::from_file(text(path, "path")?)?, options)?;
            Ok(RMEDIA_OK)
        })
    }
}

/// # Safety
/// `options` is null or points to as many bytes as its first member says.
unsafe fn create(
    manifest: Manifest,
    options: *const rmedia_pipeline_options_t,
) -> Result<rmedia_pipeline_t> {
    let mut engine = rmedia_engine_t::default();
    let mut manifest = manifest;
    if !options.is_null() {
        // SAFETY: by contract.
        let options = unsafe { sized::read(options, "options") }?;
        check_flags(options.flags, RMEDIA_PIPELINE_UNTRUSTED)?;
        if options.flags & RMEDIA_PIPELINE_UNTRUSTED != 0 {
            manifest = manifest.untrusted();
        }
        engine = options.engine;
    }
    let engine = engine::find(engine)?;
    let pipeline = engine.engine.pipeline(&manifest)?;
    let nodes = &pipeline.graph().nodes;
    let hosted = nodes.iter().map(|node| engine.host.serves(&node.type_name)).collect();
    let (wake, waker, looked, poison) = Default::default();
    let entry = PipelineEntry { pipeline, engine, hosted, wake, waker, looked, poison };
    let id = PIPELINES.insert(entry).map_err(|_| too_many("pipeline"))?;
    Ok(rmedia_pipeline_t { id })
}

/// Cancels a pipeline and lets go of it. Calls of other threads on it return. Its nodes go with the
/// last thread that leaves it. No call of its wakeup function begins afterwards; one that is running
/// ends, and then the function's `free` is called. {0} is fine.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_pipeline_destroy(pipeline: rmedia_pipeline_t) -> i32 {
    released(pipeline.id, |id| match PIPELINES.pin(id) {
        // One of those that destroy it at the same time does.
        Some(entry) if PIPELINES.release(id) => {
            entry.wake.stop();
            entry.pipeline.cancel();
            true
        }
        _ => false,
    })
}

/// Gives the index of an input or (see rmedia_pipeline_output) an output by its name. Indices stay
/// as they are.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
/// Errors: NOT_FOUND with the names that there are.
///
/// # Safety
/// Pointers are NULL or good for their type; `name` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_input(
    pipeline: rmedia_pipeline_t,
    name: *const c_char,
    index: *mut u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let index = out(index, "index")?;
            let name = text(name, "name")?;
            *index = find(pipeline)?.pipeline.input_index(name)? as u32;
            Ok(RMEDIA_OK)
        })
    }
}

/// As rmedia_pipeline_input, for an output.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
///
/// # Safety
/// Pointers are NULL or good for their type; `name` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_output(
    pipeline: rmedia_pipeline_t,
    name: *const c_char,
    index: *mut u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let index = out(index, "index")?;
            let name = text(name, "name")?;
            *index = find(pipeline)?.pipeline.output_index(name)? as u32;
            Ok(RMEDIA_OK)
        })
    }
}

/// Gives the name of an input by its index.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: NOT_FOUND for an index that there is not.
///
/// # Safety
/// `name` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_input_name(
    pipeline: rmedia_pipeline_t,
    index: u32,
    name: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(name) }?;
        let entry = find(pipeline)?;
        // SAFETY: by contract.
        unsafe { give_name(entry.pipeline.inputs().nth(index as usize), name) }
    })
}

/// Gives the name of an output by its index.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: NOT_FOUND for an index that there is not.
///
/// # Safety
/// `name` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_output_name(
    pipeline: rmedia_pipeline_t,
    index: u32,
    name: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(name) }?;
        let entry = find(pipeline)?;
        // SAFETY: by contract.
        unsafe { give_name(entry.pipeline.outputs().nth(index as usize), name) }
    })
}

/// # Safety
/// `to` is null or may be written.
unsafe fn give_name(name: Option<&str>, to: *mut rmedia_string_t) -> Result<i32> {
    // SAFETY: by contract.
    unsafe { string::give(to, name.ok_or_else(no_port)?) }
}

pub(crate) fn no_port() -> Error {
    Error::new(detail::ARGUMENT_UNKNOWN_PORT, "the pipeline has no port of that index")
}

/// Gives what runs as JSON: {nodes: [{id, node_type}], inputs: {name: what it takes}, outputs:
/// {name: what it gives}, adapters, determinate, indeterminate}. Inputs and outputs stand in the
/// order of their indices.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// `json` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_describe(
    pipeline: rmedia_pipeline_t,
    json: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(json) }?;
        let entry = find(pipeline)?;
        // SAFETY: by contract.
        unsafe { string::give(json, entry.pipeline.graph().to_json().to_string()) }
    })
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
            entry.guard(|_| {
                if let Some((place, value)) = PACKETS.take(packet.id) {
                    let pushed = entry.push(input, value, until);
                    return pushed.or_else(|(outcome, back)| {
                        if let Some(back) = back {
                            place.fill(back);
                        }
                        outcome
                    });
                }
                // Another thread looks at it at this moment.
                let shared = PACKETS.pin(packet.id).ok_or_else(|| bad_handle("packet"))?;
                let pushed = entry.push(input, Packet::clone(&shared), until);
                drop(shared);
                match pushed {
                    Ok(status) => {
                        PACKETS.release(packet.id);
                        Ok(status)
                    }
                    // The caller releases it after a failure, whatever became of it.
                    Err((outcome, _)) => outcome,
                }
            })
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
                let format = AudioFormat::f32(rate, u16::try_from(channels).unwrap_or(u16::MAX));
                format.check()?;
                let count = frames.checked_mul(channels as usize);
                let count = count.filter(|n| *n <= isize::MAX as usize / 4);
                let count = count.ok_or_else(|| invalid("more samples than memory can hold"))?;
                if samples.is_null() && count > 0 {
                    return Err(null("samples"));
                }
                check_memory(count * 4, &entry.engine.engine)?;
                let buffer = entry.engine.engine.pool().try_buffer(count * 4)?;
                let mut audio = Audio::new(format, buffer)?;
                if let (Some(to), true) = (audio.f32_mut(), count > 0) {
                    to.copy_from_slice(slice::from_raw_parts(samples, count));
                }
                let pushed = entry.push(input, Packet::audio(audio), Deadline::Now);
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
                // The place first: a packet that was pulled must not be lost.
                let place = PACKETS.reserve().ok_or_else(|| too_many("packet"))?;
                match entry.pull(output, until)? {
                    Pulled::Packet(name, pulled) => {
                        packet.id = place.fill(pulled);
                        if let Some(from) = from.as_mut() {
                            *from = entry.index_of_output(name);
                        }
                        Ok(RMEDIA_OK)
                    }
                    Pulled::Nothing(status, about) => {
                        if let Some(from) = from.as_mut() {
                            *from = about;
                        }
                        Ok(status)
                    }
                }
            })
        })
    }
}
