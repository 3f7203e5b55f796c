//! A panic inside the library is an error of the call, and ends that pipeline and no other.
#![cfg(debug_assertions)]

use rmedia_capi::abi::*;
use rmedia_capi::control::*;
use rmedia_capi::error::{rmedia_error_detail, rmedia_error_release};
use rmedia_capi::flow::*;
use rmedia_capi::pipeline::*;
use rmedia_capi::ready::*;
use rmedia_capi::status::{RMEDIA_E_PANIC, RMEDIA_E_STATE};
use rmedia_capi::testing::panic_in_next_call;
use std::ffi::CStr;
use std::ptr::null_mut;

const MANIFEST: &CStr =
    c"{\"version\": \"v1\", \"nodes\": [{\"id\": \"n\", \"node_type\": \"Gain\"}]}";

fn pipeline() -> rmedia_pipeline_t {
    let mut pipeline = rmedia_pipeline_t::default();
    // SAFETY: a text that ends with a zero byte, no options, and a variable.
    let status = unsafe {
        rmedia_pipeline_create(MANIFEST.as_ptr(), std::ptr::null(), &mut pipeline, null_mut())
    };
    assert_eq!(status, RMEDIA_OK);
    pipeline
}

/// A call on a pipeline: its status, and the id of its error.
type Call = fn(rmedia_pipeline_t, *mut rmedia_error_t) -> i32;

#[allow(
    clippy::undocumented_unsafe_blocks,
    reason = "one proof for all: variables of their types, and texts that end with a zero byte"
)]
const CALLS: [(&str, Call); 9] = [
    ("push_f32", |p, e| unsafe {
        rmedia_pipeline_push_f32(p, RMEDIA_ANY, [0.0; 4].as_ptr(), 4, 48_000, 1, e)
    }),
    ("push", |p, e| unsafe {
        rmedia_pipeline_push(p, RMEDIA_ANY, rmedia_packet_t::default(), RMEDIA_TRY, e)
    }),
    ("pull", |p, e| unsafe {
        let mut packet = rmedia_packet_t::default();
        rmedia_pipeline_pull(p, RMEDIA_ANY, RMEDIA_TRY, &mut packet, null_mut(), e)
    }),
    ("end", |p, e| unsafe { rmedia_pipeline_end(p, RMEDIA_ANY, e) }),
    ("advance", |p, e| unsafe { rmedia_pipeline_advance(p, e) }),
    ("reset", |p, e| unsafe { rmedia_pipeline_reset(p, null_mut(), e) }),
    ("rewind", |p, e| unsafe { rmedia_pipeline_rewind(p, e) }),
    ("close", |p, e| unsafe { rmedia_pipeline_close(p, 100, e) }),
    ("set_params", |p, e| unsafe {
        let (node, params) = (c"n".as_ptr(), c"{\"gain_db\": -6}".as_ptr());
        rmedia_pipeline_set_params(p, node, params, RMEDIA_NO_TIME, null_mut(), e)
    }),
];

#[test]
fn a_panic_in_any_call_ends_its_pipeline_and_no_other() {
    // The panics are wanted; their messages would only confuse.
    std::panic::set_hook(Box::new(|_| {}));
    let bystander = pipeline();
    for (name, call) in CALLS {
        let pipeline = pipeline();
        let mut error = rmedia_error_t::default();
        panic_in_next_call();
        assert_eq!(call(pipeline, &mut error), RMEDIA_E_PANIC, "{name}");
        // SAFETY: the error is live.
        let detail = unsafe { CStr::from_ptr(rmedia_error_detail(error)) };
        assert_eq!(detail, c"internal.panic", "{name}");
        assert_eq!(rmedia_error_release(error), RMEDIA_OK);
        for (later, call) in CALLS {
            assert_eq!(call(pipeline, null_mut()), RMEDIA_E_PANIC, "{later} after {name}");
        }
        let mut state = -1;
        // SAFETY: a variable.
        assert_eq!(unsafe { rmedia_pipeline_state(pipeline, &mut state) }, RMEDIA_OK);
        assert_eq!(state, RMEDIA_STATE_CANCELLED);
        assert_eq!(rmedia_pipeline_destroy(pipeline), RMEDIA_OK, "{name}");
    }
    // SAFETY: as in CALLS.
    unsafe {
        let samples = [0.5; 4];
        let mut packet = rmedia_packet_t::default();
        let pushed = rmedia_pipeline_push_f32(
            bystander,
            RMEDIA_ANY,
            samples.as_ptr(),
            4,
            48_000,
            1,
            null_mut(),
        );
        let pulled = rmedia_pipeline_pull(
            bystander,
            RMEDIA_ANY,
            RMEDIA_TRY,
            &mut packet,
            null_mut(),
            null_mut(),
        );
        assert_eq!((pushed, pulled), (RMEDIA_OK, RMEDIA_OK));
        assert_eq!(rmedia_pipeline_rewind(bystander, null_mut()), RMEDIA_E_STATE);
        rmedia_capi::packet::rmedia_packet_release(packet);
    }
    assert_eq!(rmedia_pipeline_destroy(bystander), RMEDIA_OK);
}

#[test]
fn a_pipeline_that_has_panicked_is_told_of_and_not_for_ever() {
    std::panic::set_hook(Box::new(|_| {}));
    let (pipeline, mut ready) = (pipeline(), rmedia_pipeline_t::default());
    let (mut event, mut packet) = (rmedia_string_t::default(), rmedia_packet_t::default());
    let engine = rmedia_engine_t::default();
    assert_eq!(rmedia_pipeline_watch(pipeline, 1), RMEDIA_OK);
    panic_in_next_call();
    // SAFETY: variables of their types.
    unsafe {
        assert_eq!(rmedia_pipeline_end(pipeline, RMEDIA_ANY, null_mut()), RMEDIA_E_PANIC);
        assert_eq!(rmedia_engine_next_ready(engine, &mut ready, null_mut()), RMEDIA_OK);
        assert_eq!(ready.id, pipeline.id);
        let (any, none) = (RMEDIA_ANY, null_mut());
        let pulled = rmedia_pipeline_pull(ready, any, RMEDIA_TRY, &mut packet, none, null_mut());
        assert_eq!(pulled, RMEDIA_E_PANIC);
        while rmedia_pipeline_next_event(ready, &mut event) == RMEDIA_OK {
            rmedia_capi::string::rmedia_string_release(event);
        }
        assert_eq!(rmedia_engine_next_ready(engine, &mut ready, null_mut()), RMEDIA_EMPTY);
    }
    assert_eq!(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
}
