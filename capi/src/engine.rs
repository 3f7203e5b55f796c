//! Engines, and what belongs to all pipelines of one: node types, log, deferred releases.

use crate::abi::{
    RMEDIA_EMPTY, RMEDIA_OK, rmedia_engine_options_t, rmedia_engine_t, rmedia_error_t,
    rmedia_free_fn, rmedia_string_t, rmedia_wakeup_fn,
};
use crate::boundary::{bad_handle, call, call_with, check_flags, out, text, too_many};
use crate::handle::{Object, Table};
use crate::host::HostQueue;
use crate::ready::Ready;
use crate::release::Releases;
use crate::wake::{Wake, Wakeup};
use crate::{sized, string};
use remotemedia::error::Result;
use remotemedia::{Engine, Manifest};
use serde_json::{Map, Value as Json};
use std::ffi::{c_char, c_void};
use std::sync::{Arc, LazyLock};

/// An engine with what C adds to it.
pub(crate) struct EngineEntry {
    pub(crate) engine: Engine,
    pub(crate) releases: Arc<Releases>,
    pub(crate) host: Arc<HostQueue>,
    /// Pipelines with something to do, of those that are watched.
    pub(crate) ready: Arc<Ready>,
    /// Told of jobs, deferred releases and ready pipelines.
    pub(crate) wake: Arc<Wake>,
}

impl EngineEntry {
    fn new(engine: Engine) -> Self {
        #[cfg(feature = "remote")]
        remotemedia::remote::install(&engine);
        let wake = Arc::new(Wake::default());
        let releases = Arc::new(Releases::new(wake.clone()));
        let host = Arc::new(HostQueue::new(wake.clone()));
        let ready = Arc::new(Ready::new(wake.clone()));
        Self { engine, releases, host, ready, wake }
    }
}

impl Drop for EngineEntry {
    fn drop(&mut self) {
        self.releases.go_direct();
    }
}

impl Object for Arc<EngineEntry> {
    const KIND: u8 = 1;
}

pub(crate) static ENGINES: Table<Arc<EngineEntry>> = Table::new();

static DEFAULT: LazyLock<Arc<EngineEntry>> =
    LazyLock::new(|| Arc::new(EngineEntry::new(Engine::default())));

/// The engine behind a handle; {0} is the default one.
pub(crate) fn find(engine: rmedia_engine_t) -> Result<Arc<EngineEntry>> {
    if engine.id == 0 {
        return Ok(DEFAULT.clone());
    }
    ENGINES.pin(engine.id).map(|entry| Arc::clone(&entry)).ok_or_else(|| bad_handle("engine"))
}

/// Makes an engine: node types, memory and limits of its own. Most programs need none and use the
/// default engine, {0}. `options` may be NULL.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: INVALID_ARGUMENT for a NULL `engine`; UNSUPPORTED for unknown flags.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_create(
    options: *const rmedia_engine_options_t,
    engine: *mut rmedia_engine_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let engine = out(engine, "engine")?;
            engine.id = 0;
            let mut limit = 4 << 30;
            if !options.is_null() {
                let options = sized::read(options, "options")?;
                check_flags(options.flags, 0)?;
                if options.memory_limit > 0 {
                    limit = options.memory_limit;
                }
            }
            let made = Engine::with_memory_limit(remotemedia::nodes::builtin(), limit);
            let entry = Arc::new(EngineEntry::new(made));
            engine.id = ENGINES.insert(entry).map_err(|_| too_many("engine"))?;
            Ok(RMEDIA_OK)
        })
    }
}

/// Lets go of an engine. Pipelines that run on it go on; deferred releases that wait are made now,
/// later ones where their last packet goes. Threads that wait in rmedia_engine_next_job return, and
/// pipelines whose host nodes have jobs that nobody has taken fail. No call of its wakeup function
/// begins afterwards, and nobody is told of its pipelines by rmedia_engine_next_ready any more. {0} is
/// fine and does nothing.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_engine_destroy(engine: rmedia_engine_t) -> i32 {
    call(|| {
        if engine.id == 0 {
            return Ok(RMEDIA_OK);
        }
        let entry = find(engine)?;
        if !ENGINES.release(engine.id) {
            return Err(bad_handle("engine"));
        }
        entry.wake.stop();
        entry.ready.stop();
        entry.releases.go_direct();
        entry.host.stop();
        Ok(RMEDIA_OK)
    })
}

/// Gives the node types of an engine as a JSON list: name, ports, params with types, ranges,
/// defaults, units.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_nodes(
    engine: rmedia_engine_t,
    json: *mut rmedia_string_t,
) -> i32 {
    // SAFETY: by contract.
    call(|| unsafe {
        string::empty(json)?;
        string::give(json, find(engine)?.engine.registry().to_json().to_string())
    })
}

/// Checks a manifest (JSON or YAML text) without making a pipeline. Gives {ok, problems: […], nodes,
/// inputs, outputs, adapters, determinate, indeterminate} as JSON: all problems at once, each with
/// its JSON pointer, line and column. RMEDIA_OK also when the manifest is wrong: see `ok`.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: INVALID_MANIFEST for a text that is not JSON or YAML at all.
///
/// # Safety
/// Pointers are NULL or good for their type; `manifest` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_validate(
    engine: rmedia_engine_t,
    manifest: *const c_char,
    json: *mut rmedia_string_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            string::empty(json)?;
            let manifest = Manifest::from_slice(text(manifest, "manifest")?.as_bytes())?;
            let report = manifest.validate(&find(engine)?.engine.registry());
            string::give(json, report.to_json().to_string())
        })
    }
}

/// Gives the number of the engine's threads, by lane, as JSON: {pool, blocking, realtime}. They are
/// started when there is work for them.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// `json` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_threads(
    engine: rmedia_engine_t,
    json: *mut rmedia_string_t,
) -> i32 {
    // SAFETY: by contract.
    call(|| unsafe {
        string::empty(json)?;
        let lanes = find(engine)?.engine.threads();
        let lanes: Map<_, _> = lanes.iter().map(|(l, n)| (l.name().into(), (*n).into())).collect();
        string::give(json, Json::Object(lanes).to_string())
    })
}

/// Takes the oldest line of the engine's log: {level, time_ns, pipeline, message, lost} as JSON;
/// RMEDIA_EMPTY when there is none. The log holds 1024 lines; `lost` counts those before this one
/// that nobody took.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_next_log(
    engine: rmedia_engine_t,
    line: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(line) }?;
        match find(engine)?.engine.log_line() {
            // SAFETY: by contract.
            Some(taken) => unsafe { string::give(line, taken.to_json().to_string()) },
            None => Ok(RMEDIA_EMPTY),
        }
    })
}

/// Runs at most `max` deferred releases that wait, on this thread. Gives how many in `count`, which
/// may be NULL.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_run_releases(
    engine: rmedia_engine_t,
    max: u32,
    count: *mut u32,
) -> i32 {
    call(|| {
        let entry = find(engine)?;
        let ran = entry.releases.run(max);
        entry.look_again();
        // SAFETY: by contract.
        if let Some(count) = unsafe { count.as_mut() } {
            *count = ran;
        }
        Ok(RMEDIA_OK)
    })
}

/// Gives a file descriptor for poll, select or an event loop. It is readable while jobs of host nodes,
/// deferred releases or pipelines of rmedia_pipeline_watch wait. Then: take them until there are none,
/// with rmedia_engine_next_job, rmedia_engine_run_releases and rmedia_engine_next_ready. It belongs to
/// the engine: don't read or close it, and stop watching it before rmedia_engine_destroy.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: UNSUPPORTED where the system has no such thing.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_wait_handle(engine: rmedia_engine_t, fd: *mut i32) -> i32 {
    call(|| {
        // SAFETY: by contract.
        let fd = unsafe { out(fd, "fd")? };
        let entry = find(engine)?;
        *fd = entry.wake.descriptor()?;
        entry.look_again();
        Ok(RMEDIA_OK)
    })
}

/// Sets a function that is called when the engine's wait handle would become readable; it may be
/// called more than once before anything is taken. It is called on whatever thread brings what waits,
/// the engine's or, inside its own calls, the program's, and may only poke the program's loop: it must
/// not take a lock that the program holds while it calls this library. NULL takes the function away.
/// When this returns, no call of the former function is running or will begin (from inside a wakeup it
/// returns at once), and `free` has been or will be called once with its `user`.
///
/// Ownership: takes `user` on success.
/// Thread: any. Blocks: for a call of the former function that is running. Real-time: no. Since: 0.1.
///
/// # Safety
/// The functions may be called with `user` on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_set_wakeup(
    engine: rmedia_engine_t,
    wakeup: rmedia_wakeup_fn,
    user: *mut c_void,
    free: rmedia_free_fn,
) -> i32 {
    call(|| {
        let entry = find(engine)?;
        entry.wake.set_wakeup(Wakeup::new(wakeup, user, free));
        entry.look_again();
        Ok(RMEDIA_OK)
    })
}

impl EngineEntry {
    /// Sets the descriptor to whether there is something to do.
    pub(crate) fn look_again(&self) {
        if !self.wake.is_wanted() {
            return;
        }
        self.wake.clear();
        if self.host.has_jobs() || self.releases.any() || self.ready.any() {
            self.wake.signal();
        }
    }
}
