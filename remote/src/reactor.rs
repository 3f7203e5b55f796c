//! The thread on which the client's connections live. Started by the first of them.

use remotemedia_core::error::{Error, Result, detail};
use std::sync::OnceLock;
use tokio::runtime::{Builder, Handle, Runtime};

/// Where the client's tasks run.
///
/// # Errors
/// `limit.threads` when the system gives no thread.
pub(crate) fn handle() -> Result<&'static Handle> {
    static REACTOR: OnceLock<Result<Runtime>> = OnceLock::new();
    let made = REACTOR.get_or_init(|| {
        // One thread: what a connection brings is handed on where it comes in.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rmedia-remote")
            .enable_all()
            .build();
        runtime.map_err(|e| {
            Error::new(detail::LIMIT_THREADS, format!("no thread for connections: {e}"))
        })
    });
    made.as_ref().map(Runtime::handle).map_err(Clone::clone)
}
