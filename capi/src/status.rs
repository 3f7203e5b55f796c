//! Status codes of failures.
// Generated from core/errors.toml by `cargo xtask errors`; do not edit.

use std::ffi::CStr;

/// A call or a value is not what the function takes.
pub const RMEDIA_E_INVALID_ARGUMENT: i32 = -1;
/// The manifest does not describe a pipeline that can run.
pub const RMEDIA_E_INVALID_MANIFEST: i32 = -2;
/// A file, node, port or type of that name does not exist.
pub const RMEDIA_E_NOT_FOUND: i32 = -3;
/// Understood, but this build of the engine does not do it.
pub const RMEDIA_E_UNSUPPORTED: i32 = -4;
/// Media of this kind or format does not fit here.
pub const RMEDIA_E_FORMAT: i32 = -5;
/// The operating system refused a file operation.
pub const RMEDIA_E_IO: i32 = -6;
/// A stated limit (memory, size, depth, count) would be passed.
pub const RMEDIA_E_LIMIT: i32 = -7;
/// The pipeline is not in a state in which this call has a meaning.
pub const RMEDIA_E_STATE: i32 = -8;
/// The pipeline is closed.
pub const RMEDIA_E_CLOSED: i32 = -9;
/// The pipeline was cancelled.
pub const RMEDIA_E_CANCELLED: i32 = -10;
/// A node failed while it worked.
pub const RMEDIA_E_NODE: i32 = -11;
/// A node panicked; its pipeline has failed.
pub const RMEDIA_E_PANIC: i32 = -12;
/// Called from inside a node or callback of the same pipeline.
pub const RMEDIA_E_REENTRANT: i32 = -13;
/// The packet lies before what the port has already passed.
pub const RMEDIA_E_LATE: i32 = -14;
/// A server can't be reached, or has lost what it held for the caller.
pub const RMEDIA_E_UNAVAILABLE: i32 = -18;
/// The handle is null, released, of another kind, or not from this library.
pub const RMEDIA_E_BAD_HANDLE: i32 = -16;
/// The process was forked after the library was used; use it in one of the two, or fork first.
pub const RMEDIA_E_FORKED: i32 = -17;

/// Name of a failure's status.
pub(crate) fn status_name(status: i32) -> &'static CStr {
    match status {
        RMEDIA_E_INVALID_ARGUMENT => c"InvalidArgument",
        RMEDIA_E_INVALID_MANIFEST => c"InvalidManifest",
        RMEDIA_E_NOT_FOUND => c"NotFound",
        RMEDIA_E_UNSUPPORTED => c"Unsupported",
        RMEDIA_E_FORMAT => c"Format",
        RMEDIA_E_IO => c"Io",
        RMEDIA_E_LIMIT => c"Limit",
        RMEDIA_E_STATE => c"State",
        RMEDIA_E_CLOSED => c"Closed",
        RMEDIA_E_CANCELLED => c"Cancelled",
        RMEDIA_E_NODE => c"Node",
        RMEDIA_E_PANIC => c"Panic",
        RMEDIA_E_REENTRANT => c"Reentrant",
        RMEDIA_E_LATE => c"Late",
        RMEDIA_E_UNAVAILABLE => c"Unavailable",
        RMEDIA_E_BAD_HANDLE => c"BadHandle",
        RMEDIA_E_FORKED => c"Forked",
        _ => c"Unknown",
    }
}
