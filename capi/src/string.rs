//! Texts that the library has made: JSON, names, log lines.

use crate::abi::{RMEDIA_OK, rmedia_string_t};
use crate::boundary::{is_usable, out, released, too_many};
use crate::error::c_string;
use crate::handle::{Object, Table};
use remotemedia::error::Result;
use std::ffi::{CString, c_char};
use std::ptr;

impl Object for CString {
    const KIND: u8 = 5;
}

pub(crate) static STRINGS: Table<CString> = Table::new();

/// The caller's handle, zero until a text is given.
///
/// # Safety
/// `to` is null or points to a handle that may be written.
pub(crate) unsafe fn empty(to: *mut rmedia_string_t) -> Result<()> {
    // SAFETY: by contract.
    unsafe { out(to, "string")? }.id = 0;
    Ok(())
}

/// Gives a text to the caller.
///
/// # Safety
/// `to` is null or points to a handle that may be written.
pub(crate) unsafe fn give(to: *mut rmedia_string_t, text: impl Into<String>) -> Result<i32> {
    // SAFETY: by contract.
    let to = unsafe { out(to, "string") }?;
    to.id = STRINGS.insert(c_string(text)).map_err(|_| too_many("string"))?;
    Ok(RMEDIA_OK)
}

/// The text, UTF-8, with a zero byte behind it; NULL for a handle that is none. Lives as long as
/// the handle.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_string_data(string: rmedia_string_t) -> *const c_char {
    if !is_usable() {
        return ptr::null();
    }
    STRINGS.pin(string.id).map_or(ptr::null(), |text| text.as_ptr())
}

/// Its length in bytes, without the zero byte; 0 for a handle that is none.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_string_size(string: rmedia_string_t) -> usize {
    if !is_usable() {
        return 0;
    }
    STRINGS.pin(string.id).map_or(0, |text| text.as_bytes().len())
}

/// Lets go of a text. {0} is fine.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_string_release(string: rmedia_string_t) -> i32 {
    released(string.id, |id| STRINGS.release(id))
}
