//! Error objects.

use crate::abi::rmedia_error_t;
use crate::boundary::released_anywhere;
use crate::handle::{Object, Table};
use remotemedia::error::{Error, Status};
use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::OnceLock;

/// An error and its texts, made when they are asked for.
pub(crate) struct Failure {
    error: Error,
    message: OnceLock<CString>,
    detail: OnceLock<CString>,
    json: OnceLock<CString>,
}

impl Object for Failure {
    const KIND: u8 = 4;
}

pub(crate) static ERRORS: Table<Failure> = Table::new();

/// A handle for an error; a null handle when there are too many.
pub(crate) fn handle(error: Error) -> rmedia_error_t {
    let (message, detail, json) = Default::default();
    let failure = Failure { error, message, detail, json };
    rmedia_error_t { id: ERRORS.insert(failure).unwrap_or(0) }
}

/// A text for C; zero bytes inside it become spaces.
pub(crate) fn c_string(text: impl Into<String>) -> CString {
    let mut text = text.into();
    if text.contains('\0') {
        text = text.replace('\0', " ");
    }
    CString::new(text).unwrap_or_default()
}

/// A text of a live error. The pin ends here; the error stays as long as its handle.
fn text(error: rmedia_error_t, make: impl FnOnce(&Failure) -> &CString) -> *const c_char {
    ERRORS.pin(error.id).map_or(ptr::null(), |failure| make(&failure).as_ptr())
}

/// The status of an error, negative: what the call returned. RMEDIA_E_BAD_HANDLE for no error. The
/// functions of errors work in a forked child, too.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_error_status(error: rmedia_error_t) -> i32 {
    let status = ERRORS.pin(error.id).map(|failure| failure.error.status());
    status.unwrap_or(Status::BadHandle).code()
}

/// The stable id of what went wrong, e.g. "manifest.unknown_param"; NULL for no error. Lives as
/// long as the error.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_error_detail(error: rmedia_error_t) -> *const c_char {
    text(error, |f| f.detail.get_or_init(|| c_string(f.error.detail().id)))
}

/// What went wrong, where, and what to do, in one line; NULL for no error. Lives as long as the
/// error.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_error_message(error: rmedia_error_t) -> *const c_char {
    text(error, |f| f.message.get_or_init(|| c_string(f.error.to_string())))
}

/// Everything about the error as JSON: {status, code, detail, message, node?, port?, pointer?,
/// hint?, cause?, problems?}; NULL for no error. Lives as long as the error.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_error_json(error: rmedia_error_t) -> *const c_char {
    text(error, |f| f.json.get_or_init(|| c_string(f.error.to_json().to_string())))
}

/// Lets go of an error. {0} is fine.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_error_release(error: rmedia_error_t) -> i32 {
    released_anywhere(error.id, |id| ERRORS.release(id))
}
