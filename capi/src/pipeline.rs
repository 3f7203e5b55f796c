//! Pipelines: what C adds to one, how they are made and let go of, and what their calls wait for. Ports
//! are in `ports`, what goes in and out in `flow`, the rest in `control`.

use crate::abi::{
    RMEDIA_ANY, RMEDIA_BUSY, RMEDIA_CUT, RMEDIA_DUE, RMEDIA_FULL, RMEDIA_HOST, RMEDIA_IN_FLIGHT,
    RMEDIA_NEED_INPUT, RMEDIA_OK, RMEDIA_PIPELINE_UNTRUSTED, rmedia_engine_t, rmedia_error_t,
    rmedia_pipeline_options_t, rmedia_pipeline_t,
};
use crate::boundary::{
    bad_handle, call_with, check_flags, out, panicked, released, text, too_many,
};
use crate::engine::{self, EngineEntry};
use crate::handle::{Object, Pin, Table};
use crate::host::{Deadline, SERVES_AGAIN};
use crate::sized;
use crate::wake::{Wake, waker};
use remotemedia::error::{Error, Result};
use remotemedia::{Closed, Closing, Manifest, Pipeline, Reason};
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Instant;

/// A pipeline with what C adds to it.
pub(crate) struct PipelineEntry {
    pub(crate) pipeline: Pipeline,
    pub(crate) engine: Arc<EngineEntry>,
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
    pub(crate) fn arm(&self) {
        if self.wake.is_wanted() {
            let waker = self.waker.get_or_init(|| waker(&self.wake));
            self.pipeline.wake_on_change(waker);
        }
    }

    /// A pull that began after so many changes has found nothing.
    pub(crate) fn found_nothing(&self, seen: u64) {
        self.looked.store(seen, Ordering::Release);
        self.look_again();
    }

    /// After looking and finding nothing: takes the signal back, unless there is more to do. That is
    /// when packets or events wait, and when something has changed that no pull has looked for.
    pub(crate) fn look_again(&self) {
        if self.wake.is_wanted() {
            self.wake.clear();
            self.arm();
            let looked = self.looked.load(Ordering::Acquire);
            let has_changed = self.pipeline.changes() != looked && self.poison.get().is_none();
            if self.pipeline.has_news() || has_changed {
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
    pub(crate) fn waits(&self, status: i32, about: u32, seen: u64, until: Deadline) -> bool {
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
/// ends, and then the function's `free` is called. Its engine does not list it any more
/// (rmedia_pipeline_watch). {0} is fine.
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
