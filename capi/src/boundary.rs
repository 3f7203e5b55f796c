//! The border: what every exported function goes through.
//!
//! A call is refused in a forked child, a panic becomes an error, an [`Error`] becomes a status and,
//! if the caller wants one, an error object. Values are written only on success.

use crate::abi::{RMEDIA_OK, rmedia_error_t};
use crate::error;
use remotemedia::error::{Error, Result, Status, detail};
use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(panic = "abort")]
compile_error!("librmedia needs panic=unwind: with abort, a fault of one node ends the program");

/// Runs the body of a call that reports no error object.
pub(crate) fn call(work: impl FnOnce() -> Result<i32>) -> i32 {
    if !is_usable() {
        return Status::Forked.code();
    }
    match guarded(work) {
        Ok(status) => status,
        Err(error) => error.status().code(),
    }
}

/// Runs the body of a call; writes its error to `error`, if that is not null.
///
/// # Safety
/// `error` is null or points to a handle that may be written.
pub(crate) unsafe fn call_with(
    error: *mut rmedia_error_t,
    work: impl FnOnce() -> Result<i32>,
) -> i32 {
    // SAFETY: by contract.
    let error = unsafe { error.as_mut() };
    if !is_usable() {
        // Nothing is made in a forked child, not even memory is asked for: another thread of the
        // parent may have been in the middle of it. The functions of errors know what to say.
        if let Some(error) = error {
            *error = rmedia_error_t::default();
        }
        return Status::Forked.code();
    }
    match guarded(work) {
        Ok(status) => status,
        Err(failure) => {
            let code = failure.status().code();
            if let Some(error) = error {
                *error = error::handle(failure);
            }
            code
        }
    }
}

fn guarded(work: impl FnOnce() -> Result<i32>) -> Result<i32> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// What a panic of the library itself is to the caller.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Error::new(detail::INTERNAL_PANIC, format!("the library panicked: {text}"))
        .with_hint("this is a fault of librmedia; please report it")
}

/// A value to write when the call succeeds.
///
/// # Safety
/// `out` is null or points to a `T` that may be written.
pub(crate) unsafe fn out<'a, T>(out: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: by contract.
    unsafe { out.as_mut() }.ok_or_else(|| null(name))
}

/// A text that ends with a zero byte.
///
/// # Safety
/// `text` is null or points to such a text, which stays as it is for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null; the rest by contract.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    utf8(bytes, name)
}

pub(crate) fn utf8<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|e| {
        let message = format!("'{name}' is not UTF-8 from byte {} on", e.valid_up_to());
        Error::new(detail::ARGUMENT_UTF8, message)
    })
}

pub(crate) fn null(name: &str) -> Error {
    Error::new(detail::ARGUMENT_NULL, format!("'{name}' is null"))
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(detail::ARGUMENT_INVALID, message)
}

pub(crate) fn bad_handle(what: &str) -> Error {
    Error::new(detail::HANDLE_BAD, format!("the handle is not that of a live {what}"))
}

pub(crate) fn too_many(what: &str) -> Error {
    Error::new(detail::LIMIT_HANDLES, format!("there are too many {what} handles"))
        .with_hint("release those that are not used any more")
}

/// Refuses flags that are not `known`.
pub(crate) fn check_flags(flags: u32, known: u32) -> Result<()> {
    match flags & !known {
        0 => Ok(()),
        unknown => {
            let message = format!("this version of librmedia doesn't know the flags {unknown:#x}");
            Err(Error::new(detail::UNSUPPORTED_FLAG, message))
        }
    }
}

/// Status of a call on a handle that may be zero: releasing nothing is fine.
pub(crate) fn released(id: u64, release: impl FnOnce(u64) -> bool) -> i32 {
    call(|| match id == 0 || release(id) {
        true => Ok(RMEDIA_OK),
        false => Ok(Status::BadHandle.code()),
    })
}

thread_local! {
    /// Callbacks of the program that this thread is in.
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

/// Runs a callback of the program. Calls that wait are refused inside it.
pub(crate) fn callback<R>(run: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            CALLBACKS.with(|depth| depth.set(depth.get() - 1));
        }
    }
    CALLBACKS.with(|depth| depth.set(depth.get() + 1));
    let _leave = Leave;
    run()
}

/// An error inside a callback of the program, where waiting could be for ever.
pub(crate) fn check_may_wait() -> Result<()> {
    if CALLBACKS.with(Cell::get) == 0 {
        return Ok(());
    }
    Err(Error::new(detail::STATE_CALLBACK, "a call that waits was made from a callback")
        .with_hint("don't wait there: use a timeout of 0, or cancel instead of close"))
}

/// What errors say in a forked child.
pub(crate) const FORKED: &CStr = c"librmedia was used before this process was forked off and can't be used in it; fork before the first call, or start the child with exec";

const UNUSED: u8 = 0;
const USED: u8 = 1;
const CHILD: u8 = 2;

/// Whether this process has used the library, or is the child of one that had.
static PROCESS: AtomicU8 = AtomicU8::new(UNUSED);

/// Whether the library may be used in this process: not in a child that was forked after it was used,
/// where locks that other threads of the parent held would be held for ever.
pub(crate) fn is_usable() -> bool {
    match PROCESS.load(Ordering::Relaxed) {
        USED => true,
        CHILD => false,
        _ => {
            watch_for_fork();
            true
        }
    }
}

/// Whether this is the child of a process that had used the library.
pub(crate) fn is_forked() -> bool {
    PROCESS.load(Ordering::Relaxed) == CHILD
}

#[cfg(unix)]
fn watch_for_fork() {
    extern "C" fn in_child() {
        PROCESS.store(CHILD, Ordering::Relaxed);
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a plain function that stores to an atomic, which is allowed in a
        // forked child. It fails only where there is no memory at all.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        PROCESS.store(USED, Ordering::Relaxed);
    });
}

#[cfg(not(unix))]
fn watch_for_fork() {
    PROCESS.store(USED, Ordering::Relaxed);
}
