//! Engines: node types, jobs, log, deferred releases.

use crate::c_string;
use crate::error::{Result, call, checked, text};
use crate::job::Job;
use crate::pipeline::Timeout;
use crate::wakeup::{self, Wakeup};
use rmedia_capi::abi::{
    RMEDIA_OK, rmedia_engine_options_t, rmedia_engine_t, rmedia_job_info_t, rmedia_pipeline_t,
};
use rmedia_capi::engine::{
    rmedia_engine_create, rmedia_engine_destroy, rmedia_engine_next_log, rmedia_engine_nodes,
    rmedia_engine_run_releases, rmedia_engine_set_wakeup, rmedia_engine_threads,
    rmedia_engine_validate, rmedia_engine_wait_handle,
};
use rmedia_capi::host::{rmedia_engine_add_host_node, rmedia_engine_next_job};
use rmedia_capi::library::rmedia_live;
use rmedia_capi::ready::rmedia_engine_next_ready;
use std::mem::MaybeUninit;

/// An engine. The default one is always there; dropping another lets go of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Engine {
    handle: rmedia_engine_t,
}

/// How many deferred releases have run.
pub type Releases = u32;

impl Engine {
    /// The default engine.
    pub const DEFAULT: Self = Self { handle: rmedia_engine_t { id: 0 } };

    /// An engine whose packets may hold so many bytes (0: 4 GiB).
    ///
    /// # Errors
    /// When there are too many engines.
    pub fn new(memory_limit: u64) -> Result<Self> {
        let struct_size = size_of::<rmedia_engine_options_t>() as u32;
        let options = rmedia_engine_options_t { struct_size, flags: 0, memory_limit };
        let mut handle = rmedia_engine_t::default();
        // SAFETY: both point to variables of their types.
        call(|error| unsafe { rmedia_engine_create(&options, &mut handle, error) })?;
        Ok(Self { handle })
    }

    pub(crate) fn handle(&self) -> rmedia_engine_t {
        self.handle
    }

    /// The node types, as a JSON list.
    ///
    /// # Errors
    /// In a forked child.
    pub fn nodes(&self) -> Result<String> {
        // SAFETY: `string` points to a handle.
        text(|string| unsafe { rmedia_engine_nodes(self.handle, string) })
            .map(Option::unwrap_or_default)
    }

    /// How many threads it has, by lane, as JSON.
    ///
    /// # Errors
    /// In a forked child.
    pub fn threads(&self) -> Result<String> {
        // SAFETY: `string` points to a handle.
        text(|string| unsafe { rmedia_engine_threads(self.handle, string) })
            .map(Option::unwrap_or_default)
    }

    /// What is wrong in a manifest, and what it would run, as JSON.
    ///
    /// # Errors
    /// When the text is neither JSON nor YAML.
    pub fn validate(&self, manifest: &str) -> Result<String> {
        let manifest = c_string(manifest, "manifest")?;
        let mut report = None;
        call(|error| {
            let mut status = RMEDIA_OK;
            report = text(|string| {
                // SAFETY: the text ends with a zero byte, the others point to handles.
                status = unsafe {
                    rmedia_engine_validate(self.handle, manifest.as_ptr(), string, error)
                };
                // Its error is told by the outer call.
                status.max(RMEDIA_OK)
            })
            .unwrap_or_default();
            status
        })?;
        Ok(report.unwrap_or_default())
    }

    /// Adds a node type whose jobs come by [`next_job`](Self::next_job); the declaration is JSON.
    ///
    /// # Errors
    /// When the declaration is none, or its name is taken.
    pub fn add_host_node(&self, declaration: &str) -> Result<()> {
        let declaration = c_string(declaration, "declaration")?;
        // SAFETY: the text ends with a zero byte.
        call(|error| unsafe {
            rmedia_engine_add_host_node(self.handle, declaration.as_ptr(), error)
        })?;
        Ok(())
    }

    /// The next job of a host node; `None` when none comes in time.
    ///
    /// # Errors
    /// When it would wait inside a callback.
    pub fn next_job(&self, timeout: Timeout) -> Result<Option<Job>> {
        let mut info = MaybeUninit::<rmedia_job_info_t>::zeroed();
        // SAFETY: plain data, for which zeros are a value.
        let mut info = unsafe {
            (*info.as_mut_ptr()).struct_size = size_of::<rmedia_job_info_t>() as u32;
            info.assume_init()
        };
        // SAFETY: `info` says how large it is.
        let status = call(|error| unsafe {
            rmedia_engine_next_job(self.handle, timeout.millis(), &mut info, error)
        })?;
        Ok((status == RMEDIA_OK).then(|| Job::new(&info)))
    }

    /// The oldest line of the log, as JSON.
    ///
    /// # Errors
    /// In a forked child.
    pub fn next_log(&self) -> Result<Option<String>> {
        // SAFETY: `string` points to a handle.
        text(|string| unsafe { rmedia_engine_next_log(self.handle, string) })
    }

    /// Runs at most so many deferred releases on this thread.
    ///
    /// # Errors
    /// In a forked child.
    pub fn run_releases(&self, max: u32) -> Result<Releases> {
        let mut count = 0;
        // SAFETY: `count` may be written.
        checked(unsafe { rmedia_engine_run_releases(self.handle, max, &mut count) })?;
        Ok(count)
    }

    /// The tag of the next pipeline that has something to do, of those that are watched
    /// (`Pipeline::watch`): pull and take events until there are none. `None`: no pipeline has.
    ///
    /// # Errors
    /// In a forked child.
    pub fn next_ready(&self) -> Result<Option<u64>> {
        let (mut pipeline, mut tag) = (rmedia_pipeline_t::default(), 0);
        // SAFETY: both may be written.
        let status = unsafe { rmedia_engine_next_ready(self.handle, &mut pipeline, &mut tag) };
        Ok((checked(status)? == RMEDIA_OK).then_some(tag))
    }

    /// Sets what is called when jobs, deferred releases or ready pipelines wait, on whatever thread;
    /// `None`: nothing. When this returns the former function is not running and will not be called.
    ///
    /// # Errors
    /// In a forked child.
    pub fn set_wakeup(&self, wakeup: Option<Wakeup>) -> Result<()> {
        wakeup::set(wakeup, |call, user, free| {
            // SAFETY: by `set`.
            unsafe { rmedia_engine_set_wakeup(self.handle, call, user, free) }
        })
    }

    /// A descriptor that is readable while jobs, deferred releases or ready pipelines wait. It is the
    /// engine's.
    ///
    /// # Errors
    /// Where the system has no such thing.
    pub fn wait_handle(&self) -> Result<i32> {
        let mut fd = -1;
        // SAFETY: `fd` may be written.
        checked(unsafe { rmedia_engine_wait_handle(self.handle, &mut fd) })?;
        Ok(fd)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        rmedia_engine_destroy(self.handle);
    }
}

/// Live handles of the whole process, as JSON.
///
/// # Errors
/// In a forked child.
pub fn live() -> Result<String> {
    // SAFETY: `string` points to a handle.
    text(|string| unsafe { rmedia_live(string) }).map(Option::unwrap_or_default)
}
