//! See `checks::manifest_yaml`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| remotemedia_fuzz::checks::manifest_yaml(data));
