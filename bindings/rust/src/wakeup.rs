//! Functions that are called when there is something to do.

use crate::error::{Result, checked};
use rmedia_capi::abi::{rmedia_free_fn, rmedia_wakeup_fn};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

/// It may only poke the program's loop, and is called on whatever thread.
pub type Wakeup = Box<dyn Fn() + Send + Sync>;

unsafe extern "C" fn call(user: *mut c_void) {
    // SAFETY: the box that `set` has leaked, alive until `free`.
    let wakeup = unsafe { &*user.cast::<Wakeup>() };
    // A panic must not cross into the library's caller.
    let _ = catch_unwind(AssertUnwindSafe(wakeup));
}

unsafe extern "C" fn free(user: *mut c_void) {
    // SAFETY: the box that `set` has leaked, given back once.
    drop(unsafe { Box::from_raw(user.cast::<Wakeup>()) });
}

/// Hands a function to a call of the library that takes one with what it is called with, and owns both
/// once it has succeeded. The function may be called on any thread until it is freed.
pub(crate) fn set(
    wakeup: Option<Wakeup>,
    give: impl FnOnce(rmedia_wakeup_fn, *mut c_void, rmedia_free_fn) -> i32,
) -> Result<()> {
    let Some(wakeup) = wakeup else {
        return checked(give(None, null_mut(), None)).map(|_| ());
    };
    let user = Box::into_raw(Box::new(wakeup));
    let status = give(Some(call), user.cast(), Some(free));
    if status < 0 {
        // SAFETY: after a failure nothing was taken.
        drop(unsafe { Box::from_raw(user) });
    }
    checked(status).map(|_| ())
}
