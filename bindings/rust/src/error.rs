//! Errors, and texts that the library gives.

use rmedia_capi::abi::{rmedia_error_t, rmedia_string_t};
use rmedia_capi::error::{
    rmedia_error_detail, rmedia_error_json, rmedia_error_message, rmedia_error_release,
};
use rmedia_capi::library::rmedia_status_name;
use rmedia_capi::status::RMEDIA_E_INVALID_ARGUMENT;
use rmedia_capi::string::{rmedia_string_data, rmedia_string_release};
use std::ffi::{CStr, c_char};
use std::fmt;

/// Result of the calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The number of a failure's status: `RMEDIA_E_…` of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub i32);

impl Status {
    /// Its name, e.g. `InvalidManifest`.
    pub fn name(self) -> &'static str {
        // SAFETY: the library's names live as long as the library, and are never null.
        unsafe { CStr::from_ptr(rmedia_status_name(self.0)) }.to_str().unwrap_or("Unknown")
    }
}

/// Why a call failed.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    status: Status,
    detail: String,
    message: String,
    json: String,
}

impl Error {
    /// Takes the error that a call has left; there is none where the library could not make one.
    pub(crate) fn take(status: i32, error: rmedia_error_t) -> Self {
        let text = |from: *const c_char| match from.is_null() {
            true => String::new(),
            // SAFETY: not null, so a text of the error, which is released below.
            false => unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned(),
        };
        let mut taken = Self {
            status: Status(status),
            detail: text(rmedia_error_detail(error)),
            message: text(rmedia_error_message(error)),
            json: text(rmedia_error_json(error)),
        };
        rmedia_error_release(error);
        if taken.message.is_empty() {
            taken.message = taken.status.name().to_owned();
        }
        taken
    }

    pub(crate) fn argument(message: String) -> Self {
        Self {
            status: Status(RMEDIA_E_INVALID_ARGUMENT),
            detail: "argument.invalid".to_owned(),
            message,
            json: String::new(),
        }
    }

    /// The coarse status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The stable id of what went wrong; empty where the call reports a status only.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What went wrong, where, and what to do.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Everything as JSON; empty where the call reports a status only.
    pub fn json(&self) -> &str {
        &self.json
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.detail, self.message)
    }
}

impl std::error::Error for Error {}

/// Runs a call that may leave an error. Gives its status, which is an answer and no failure.
pub(crate) fn call(run: impl FnOnce(*mut rmedia_error_t) -> i32) -> Result<i32> {
    let mut error = rmedia_error_t::default();
    match run(&mut error) {
        status if status < 0 => Err(Error::take(status, error)),
        status => Ok(status),
    }
}

/// As `call`, for functions that report a status only.
pub(crate) fn checked(status: i32) -> Result<i32> {
    call(|_| status)
}

/// Takes a text that a call gives. `None`: the answer was not `RMEDIA_OK`.
pub(crate) fn text(run: impl FnOnce(*mut rmedia_string_t) -> i32) -> Result<Option<String>> {
    let mut string = rmedia_string_t::default();
    if checked(run(&mut string))? != 0 {
        return Ok(None);
    }
    let data = rmedia_string_data(string);
    let text = match data.is_null() {
        true => None,
        // SAFETY: not null, so the text of the handle, which is released below.
        false => Some(unsafe { CStr::from_ptr(data) }.to_string_lossy().into_owned()),
    };
    rmedia_string_release(string);
    Ok(text)
}
