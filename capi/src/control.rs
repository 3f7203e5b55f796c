//! A pipeline's life from outside: ends, reset, close, cancel, live params, events, metrics, waiting.

use crate::abi::{
    RMEDIA_ANY, RMEDIA_EMPTY, RMEDIA_NO_TIME, RMEDIA_OK, rmedia_error_t, rmedia_free_fn,
    rmedia_pipeline_t, rmedia_string_t, rmedia_wakeup_fn,
};
use crate::boundary::{call, call_with, check_may_wait, out, text};
use crate::host::deadline;
use crate::pipeline::find;
use crate::ports::no_port;
use crate::string;
use crate::wake::Wakeup;
use remotemedia::error::{Error, Result, detail};
use remotemedia::packet::read_json;
use remotemedia::{MediaTime, Pipeline};
use serde_json::{Map, Value as Json};
use std::ffi::{c_char, c_void};

/// Ends the input of that index (RMEDIA_ANY: all inputs): nothing more will be pushed. What nodes
/// still hold comes with the next pulls, then RMEDIA_END. Ending again does nothing.
///
/// Thread: any. Blocks: as its nodes do. Real-time: no. Since: 0.1.
/// Errors: once the pipeline is over, why.
///
/// # Safety
/// `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_end(
    pipeline: rmedia_pipeline_t,
    input: u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let entry = find(pipeline)?;
            entry.guard(|pipeline| {
                match input {
                    RMEDIA_ANY => pipeline.end()?,
                    input => pipeline.end_at(input as usize)?,
                }
                Ok(RMEDIA_OK)
            })
        })
    }
}

/// Says that nothing earlier than `until_ns` will come into the input of that index (RMEDIA_ANY: the
/// only one): a node that waits for it there, to take packets of several connections by their time,
/// goes on. A packet that is pushed afterwards without a time begins at `until_ns`, after a break. A
/// time before where the input stands does nothing.
///
/// Thread: any. Blocks: as its nodes do. Real-time: if its nodes are. Since: 0.1.
/// Errors: NOT_FOUND for an index that there is not; STATE after the input's end; once the pipeline
/// is over, why.
///
/// # Safety
/// `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_gap(
    pipeline: rmedia_pipeline_t,
    input: u32,
    until_ns: i64,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let entry = find(pipeline)?;
            entry.guard(|pipeline| {
                let name = pipeline.inputs().nth(entry.input(input)?).ok_or_else(no_port)?;
                pipeline.gap(name, MediaTime::from_nanos(until_ns)).map(|()| RMEDIA_OK)
            })
        })
    }
}

/// Runs whatever runs inline, sources included, until the outputs are full or there is nothing left
/// to do, and lets sources begin that are placed on threads. Pulls nothing and never waits. Says why
/// it stopped, as rmedia_pipeline_pull does: RMEDIA_NEED_INPUT, RMEDIA_FULL, RMEDIA_IN_FLIGHT,
/// RMEDIA_DUE, RMEDIA_BUSY (while threads are at work) or RMEDIA_HOST.
///
/// Thread: any. Blocks: as its nodes do. Real-time: if its nodes are. Since: 0.1.
/// Errors: once the pipeline is over, why.
///
/// # Safety
/// `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_advance(
    pipeline: rmedia_pipeline_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let entry = find(pipeline)?;
            entry.guard(|pipeline| Ok(entry.idle(pipeline.advance()?).0))
        })
    }
}

/// Forgets everything inside, at once: queues, what nodes hold, open jobs. Params, ends and formats
/// stay; sources that have not ended begin again. Nothing that was emitted before is pulled
/// afterwards; a push afterwards belongs to the new epoch, whose number `epoch` gets (may be NULL).
///
/// Thread: any. Blocks: no, a node's call that is running goes on. Real-time: no. Since: 0.1.
/// Errors: once the pipeline is over, why.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_reset(
    pipeline: rmedia_pipeline_t,
    epoch: *mut u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe { call_with(error, || begin(pipeline, epoch, Pipeline::reset)) }
}

/// Forgets, at once, everything behind where the manifest says (`interrupt: {from: […]}`; without it,
/// everything): what somebody has heard enough of. Queues there are emptied, nodes reset, open jobs
/// dropped; params and ends stay, and what lies before goes on. Nothing of it is pulled once this has
/// returned, and a push afterwards belongs to the new epoch, whose number `epoch` gets (may be NULL).
/// A push that waits for room there gives RMEDIA_INTERRUPTED. An `interrupted` event says what was
/// forgotten, once it has come through.
///
/// Thread: any, not in its nodes. Blocks: no, a node's call that is running goes on. Real-time: no.
/// Since: 0.1.
/// Errors: once the pipeline is over, why; REENTRANT inside a node of this pipeline.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_interrupt(
    pipeline: rmedia_pipeline_t,
    epoch: *mut u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe { call_with(error, || begin(pipeline, epoch, Pipeline::interrupt)) }
}

/// # Safety
/// `epoch` is null or may be written.
unsafe fn begin(
    pipeline: rmedia_pipeline_t,
    epoch: *mut u32,
    begin: impl FnOnce(&Pipeline) -> Result<u32>,
) -> Result<i32> {
    find(pipeline)?.guard(|pipeline| {
        let begun = begin(pipeline)?;
        // SAFETY: by contract.
        if let Some(epoch) = unsafe { epoch.as_mut() } {
            *epoch = begun;
        }
        Ok(RMEDIA_OK)
    })
}

/// Makes a pipeline that has come to its end ready for another run: inputs are open again, sources
/// begin at their start.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: STATE while it still runs; once it is over, why.
///
/// # Safety
/// `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_rewind(
    pipeline: rmedia_pipeline_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || find(pipeline)?.guard(|pipeline| pipeline.rewind().map(|()| RMEDIA_OK)))
    }
}

/// Ends all inputs and works everything off, waiting for threads, open jobs and what is due up to
/// `timeout_ms` (RMEDIA_FOREVER: as long as it takes). What nobody pulls is dropped, so that writers on other
/// branches finish. To get every result: end, pull to the end, then close. RMEDIA_OK: every node
/// has delivered its tail; RMEDIA_CUT: time was up first. RMEDIA_HOST: it goes on closing, and waits
/// for a job that nobody serves: take it, then close again.
///
/// Thread: any, not in a callback. Blocks: as its nodes do, and up to the timeout. Real-time: no.
/// Since: 0.1.
/// Errors: why the pipeline failed or was cancelled; REENTRANT in a callback or a node.
///
/// # Safety
/// `error` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_close(
    pipeline: rmedia_pipeline_t,
    timeout_ms: i32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            check_may_wait()?;
            let until = deadline(timeout_ms)?;
            let entry = find(pipeline)?;
            entry.guard(|_| entry.close(until))
        })
    }
}

/// Stops at once, from any thread, also from inside its nodes. Waiting calls return. Sticky.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_pipeline_cancel(pipeline: rmedia_pipeline_t) -> i32 {
    call(|| {
        find(pipeline)?.pipeline.cancel();
        Ok(RMEDIA_OK)
    })
}

/// Gives what the pipeline is doing: RMEDIA_STATE_…
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
///
/// # Safety
/// `state` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_state(
    pipeline: rmedia_pipeline_t,
    state: *mut i32,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        let state = unsafe { out(state, "state") }?;
        *state = find(pipeline)?.pipeline.state() as i32;
        Ok(RMEDIA_OK)
    })
}

/// Sets live params of a node: `params` is a JSON object of those that change. `at_ns`: from the
/// sample at that time of its input on (audio is cut there), or RMEDIA_NO_TIME: at the next border
/// between two packets. `seq` (may be NULL) gets a number; exactly one `params` event with it will
/// say what became of it. When one value is wrong nothing is set.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: NOT_FOUND for a node that is not there; INVALID_ARGUMENT for what can't be set so, or live.
///
/// # Safety
/// Pointers are NULL or good for their type; texts end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_set_params(
    pipeline: rmedia_pipeline_t,
    node: *const c_char,
    params: *const c_char,
    at_ns: i64,
    seq: *mut u64,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let (node, params) = (text(node, "node")?, object(text(params, "params")?)?);
            find(pipeline)?.guard(|pipeline| {
                let number = match at_ns {
                    RMEDIA_NO_TIME => pipeline.set_params(node, &params)?,
                    at => pipeline.set_params_at(node, &params, MediaTime::from_nanos(at))?,
                };
                if let Some(seq) = seq.as_mut() {
                    *seq = number;
                }
                Ok(RMEDIA_OK)
            })
        })
    }
}

fn object(text: &str) -> Result<Map<String, Json>> {
    let wrong = |why: String| {
        Error::new(detail::ARGUMENT_JSON, format!("'params' is not a JSON object: {why}"))
            .with_hint("give the params that change, e.g. {\"gain_db\": -6}")
    };
    match read_json(text) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(other) => Err(wrong(format!("found {other}"))),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Takes the pipeline's oldest event as JSON, {event: "state" | "error" | "warning" | "dropped" |
/// "params" | "format_changed" | "discontinuity" | "reset" | "interrupted" | "join_gap" |
/// "queue_grown" | "recovered" | "breaker" | "hung" | "lost", …}; RMEDIA_EMPTY when there is none.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// `event` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_next_event(
    pipeline: rmedia_pipeline_t,
    event: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(event) }?;
        let entry = find(pipeline)?;
        match entry.pipeline.event() {
            // SAFETY: by contract.
            Some(next) => unsafe { string::give(event, next.to_json().to_string()) },
            None => {
                entry.look_again();
                Ok(RMEDIA_EMPTY)
            }
        }
    })
}

/// Gives all counters and times as JSON.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// `json` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_metrics(
    pipeline: rmedia_pipeline_t,
    json: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(json) }?;
        let entry = find(pipeline)?;
        // SAFETY: by contract.
        unsafe { string::give(json, entry.pipeline.metrics().to_string()) }
    })
}

/// Gives a file descriptor for poll, select or an event loop. It is readable when something has
/// changed since a pull or rmedia_pipeline_next_event found nothing (also by the engine's threads, or
/// because a time has come), and while packets or events wait; once the pipeline is over, until a
/// pull has said why. Then: pull and take events until there are none. It belongs to the pipeline:
/// don't read or close it, and stop watching it before rmedia_pipeline_destroy.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: UNSUPPORTED where the system has no such thing.
///
/// # Safety
/// `fd` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_wait_handle(
    pipeline: rmedia_pipeline_t,
    fd: *mut i32,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        let fd = unsafe { out(fd, "fd") }?;
        let entry = find(pipeline)?;
        *fd = entry.wake.descriptor()?;
        entry.look_again();
        Ok(RMEDIA_OK)
    })
}

/// Sets a function that is called when the wait handle would become readable: once, until a pull or
/// rmedia_pipeline_next_event has found nothing again. It is called on whatever thread changes the
/// pipeline, the engine's or, inside its own calls, the program's, and may only poke the program's
/// loop: it must not take a lock that the program holds while it calls this library. NULL takes the
/// function away. When this returns, no call of the former function is running or will begin (from inside that call it
/// returns at once), and `free` has been or will be called once with its `user`.
///
/// Ownership: takes `user` on success.
/// Thread: any. Blocks: for a call of the former function that is running. Real-time: no. Since: 0.1.
///
/// # Safety
/// The functions may be called with `user` on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_set_wakeup(
    pipeline: rmedia_pipeline_t,
    wakeup: rmedia_wakeup_fn,
    user: *mut c_void,
    free: rmedia_free_fn,
) -> i32 {
    call(|| {
        let entry = find(pipeline)?;
        entry.wake.set_wakeup(Wakeup::new(wakeup, user, free));
        entry.look_again();
        Ok(RMEDIA_OK)
    })
}
