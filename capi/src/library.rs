//! The library itself: version, features, names, live handles.

use crate::abi::{
    RMEDIA_ABI_VERSION, RMEDIA_BUSY, RMEDIA_CUT, RMEDIA_DUE, RMEDIA_EMPTY, RMEDIA_END, RMEDIA_FULL,
    RMEDIA_HOST, RMEDIA_IN_FLIGHT, RMEDIA_INTERRUPTED, RMEDIA_NEED_INPUT, RMEDIA_OK,
    rmedia_string_t,
};
use crate::boundary::call;
use crate::engine::ENGINES;
use crate::error::ERRORS;
use crate::job::JOBS;
use crate::packet::PACKETS;
use crate::pipeline::PIPELINES;
use crate::status::status_name;
use crate::string::{self, STRINGS};
use serde_json::json;
use std::ffi::{CStr, c_char};

/// The ABI of the loaded library: RMEDIA_ABI_VERSION of the header that it was built with. A program
/// fits while major and minor (the upper 24 bits) are those of its own header.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_abi_version() -> u32 {
    RMEDIA_ABI_VERSION
}

/// The version of the loaded library, e.g. "0.1.0". Lives as long as the library.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!("the version has a zero byte"),
        };
    VERSION.as_ptr()
}

/// Features, and whether this build has them.
const FEATURES: [(&CStr, bool); 4] = [
    (c"media", cfg!(feature = "media")),
    (c"remote", cfg!(feature = "remote")),
    (c"fft", cfg!(feature = "fft")),
    (c"wait_handle", cfg!(target_os = "linux")),
];

/// Whether the loaded library has a feature: "media" (reading and writing media files),
/// "fft" (AudioResample with `latency: offline`), "remote" (nodes on servers), "wait_handle" (pollable
/// descriptors). 1 or 0; 0 also for names that it doesn't know.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
///
/// # Safety
/// `name` is NULL or ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_has_feature(name: *const c_char) -> i32 {
    if name.is_null() {
        return 0;
    }
    // SAFETY: not null; the rest by contract.
    let name = unsafe { CStr::from_ptr(name) };
    i32::from(FEATURES.iter().any(|(known, has)| *known == name && *has))
}

/// The name of a status, e.g. "InvalidManifest"; "Unknown" for a number that is none. Lives as long
/// as the library.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_status_name(status: i32) -> *const c_char {
    let name = match status {
        RMEDIA_OK => c"Ok",
        RMEDIA_END => c"End",
        RMEDIA_NEED_INPUT => c"NeedInput",
        RMEDIA_FULL => c"Full",
        RMEDIA_IN_FLIGHT => c"InFlight",
        RMEDIA_BUSY => c"Busy",
        RMEDIA_HOST => c"Host",
        RMEDIA_CUT => c"Cut",
        RMEDIA_EMPTY => c"Empty",
        RMEDIA_DUE => c"Due",
        RMEDIA_INTERRUPTED => c"Interrupted",
        other => status_name(other),
    };
    name.as_ptr()
}

/// Gives how many handles of each kind are live, as JSON: {engines, pipelines, packets, errors,
/// strings, jobs}. For tests: what a program forgets to release shows here.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// `json` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_live(json: *mut rmedia_string_t) -> i32 {
    call(|| {
        let live = json!({
            "engines": ENGINES.live(),
            "pipelines": PIPELINES.live(),
            "packets": PACKETS.live(),
            "errors": ERRORS.live(),
            "strings": STRINGS.live(),
            "jobs": JOBS.live(),
        });
        // SAFETY: by contract.
        unsafe { string::give(json, live.to_string()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_abi_version_is_that_of_the_package() {
        let parts =
            env!("CARGO_PKG_VERSION").split('.').map(|p| p.parse::<u32>().expect("a number"));
        let [major, minor, patch] = parts.collect::<Vec<_>>()[..] else { panic!("three parts") };
        assert_eq!(RMEDIA_ABI_VERSION, major << 24 | minor << 8 | patch);
    }
}
