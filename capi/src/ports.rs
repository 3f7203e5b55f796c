//! Inputs and outputs of a pipeline: their indices, their names, what they take and give.

use crate::abi::{RMEDIA_ANY, RMEDIA_OK, rmedia_error_t, rmedia_pipeline_t, rmedia_string_t};
use crate::boundary::{call, call_with, out, text};
use crate::pipeline::{PipelineEntry, find};
use crate::string;
use remotemedia::error::{Error, Result, detail};
use std::ffi::c_char;

impl PipelineEntry {
    /// The input of that index; RMEDIA_ANY is the only one.
    pub(crate) fn input(&self, input: u32) -> Result<usize> {
        match input {
            RMEDIA_ANY => self.pipeline.only_input(),
            input => Ok(input as usize),
        }
    }

    pub(crate) fn index_of_output(&self, name: &str) -> u32 {
        // The name is the pipeline's own, so its address tells it.
        let own = |n: &str| n.as_ptr() == name.as_ptr() || n == name;
        self.pipeline.outputs().position(own).map_or(RMEDIA_ANY, |index| index as u32)
    }
}

/// Gives the index of an input or (see rmedia_pipeline_output) an output by its name. Indices stay
/// as they are.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
/// Errors: NOT_FOUND with the names that there are.
///
/// # Safety
/// Pointers are NULL or good for their type; `name` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_input(
    pipeline: rmedia_pipeline_t,
    name: *const c_char,
    index: *mut u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let index = out(index, "index")?;
            let name = text(name, "name")?;
            *index = find(pipeline)?.pipeline.input_index(name)? as u32;
            Ok(RMEDIA_OK)
        })
    }
}

/// As rmedia_pipeline_input, for an output.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
///
/// # Safety
/// Pointers are NULL or good for their type; `name` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_output(
    pipeline: rmedia_pipeline_t,
    name: *const c_char,
    index: *mut u32,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let index = out(index, "index")?;
            let name = text(name, "name")?;
            *index = find(pipeline)?.pipeline.output_index(name)? as u32;
            Ok(RMEDIA_OK)
        })
    }
}

/// Gives the name of an input by its index.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: NOT_FOUND for an index that there is not.
///
/// # Safety
/// `name` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_input_name(
    pipeline: rmedia_pipeline_t,
    index: u32,
    name: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(name) }?;
        let entry = find(pipeline)?;
        // SAFETY: by contract.
        unsafe { give_name(entry.pipeline.inputs().nth(index as usize), name) }
    })
}

/// Gives the name of an output by its index.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: NOT_FOUND for an index that there is not.
///
/// # Safety
/// `name` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_output_name(
    pipeline: rmedia_pipeline_t,
    index: u32,
    name: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(name) }?;
        let entry = find(pipeline)?;
        // SAFETY: by contract.
        unsafe { give_name(entry.pipeline.outputs().nth(index as usize), name) }
    })
}

/// # Safety
/// `to` is null or may be written.
unsafe fn give_name(name: Option<&str>, to: *mut rmedia_string_t) -> Result<i32> {
    // SAFETY: by contract.
    unsafe { string::give(to, name.ok_or_else(no_port)?) }
}

pub(crate) fn no_port() -> Error {
    Error::new(detail::ARGUMENT_UNKNOWN_PORT, "the pipeline has no port of that index")
}

/// Gives what runs as JSON: {nodes: [{id, node_type}], inputs: {name: what it takes}, outputs:
/// {name: what it gives}, source_rates: {name: Hz}, adapters, determinate, indeterminate}. Inputs and
/// outputs stand in the order of their indices.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// `json` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_pipeline_describe(
    pipeline: rmedia_pipeline_t,
    json: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(json) }?;
        let entry = find(pipeline)?;
        // SAFETY: by contract.
        unsafe { string::give(json, entry.pipeline.graph().to_json().to_string()) }
    })
}
