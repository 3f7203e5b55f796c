//! See `wire::parts`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| remotemedia_fuzz::wire::parts(data));
