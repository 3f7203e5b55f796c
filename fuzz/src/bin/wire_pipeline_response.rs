//! See `wire::pipeline_response`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| remotemedia_fuzz::wire::pipeline_response(data));
