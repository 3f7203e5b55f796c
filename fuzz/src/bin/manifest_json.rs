//! See `checks::manifest_json`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| remotemedia_fuzz::checks::manifest_json(data));
