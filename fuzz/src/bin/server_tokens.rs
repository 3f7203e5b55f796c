//! See `wire::tokens`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| remotemedia_fuzz::wire::tokens(data));
