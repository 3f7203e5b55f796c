//! The functions of `rmedia.h` in this module, for programs that bring their own ctypes or cffi.

use crate::error::{OrRaise, from_json};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use remotemedia_binding::capi;

/// Names and addresses of the functions.
macro_rules! functions {
    ($($module:ident: $($name:ident)*;)*) => {
        [$($((stringify!($name), capi::$module::$name as *const () as usize)),*),*]
    };
}

/// The address of each function of `rmedia.h`, by its name. They live as long as the process.
#[pyfunction]
pub(crate) fn function_table(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let table = PyDict::new(py);
    let functions = functions! {
        control: rmedia_pipeline_end rmedia_pipeline_gap rmedia_pipeline_advance
            rmedia_pipeline_reset rmedia_pipeline_interrupt rmedia_pipeline_rewind
            rmedia_pipeline_close rmedia_pipeline_cancel rmedia_pipeline_state
            rmedia_pipeline_set_params rmedia_pipeline_next_event rmedia_pipeline_metrics
            rmedia_pipeline_wait_handle rmedia_pipeline_set_wakeup;
        engine: rmedia_engine_create rmedia_engine_destroy rmedia_engine_nodes
            rmedia_engine_validate rmedia_engine_threads rmedia_engine_next_log
            rmedia_engine_run_releases rmedia_engine_wait_handle rmedia_engine_set_wakeup;
        error: rmedia_error_status rmedia_error_detail rmedia_error_message rmedia_error_json
            rmedia_error_release;
        flow: rmedia_pipeline_push rmedia_pipeline_push_f32 rmedia_pipeline_pull;
        host: rmedia_engine_add_host_node rmedia_engine_next_job;
        job: rmedia_job_emit rmedia_job_done rmedia_job_is_cancelled rmedia_job_fail;
        library: rmedia_abi_version rmedia_version rmedia_has_feature rmedia_status_name
            rmedia_live;
        node: rmedia_engine_add_node;
        packet: rmedia_packet_create rmedia_packet_wrap rmedia_packet_share
            rmedia_packet_release rmedia_packet_view rmedia_packet_data rmedia_packet_slice
            rmedia_packet_json;
        pipeline: rmedia_pipeline_create rmedia_pipeline_create_from_file
            rmedia_pipeline_destroy;
        ports: rmedia_pipeline_input rmedia_pipeline_output rmedia_pipeline_input_name
            rmedia_pipeline_output_name rmedia_pipeline_describe;
        ready: rmedia_pipeline_watch rmedia_pipeline_unwatch rmedia_engine_next_ready;
        string: rmedia_string_data rmedia_string_size rmedia_string_release;
    };
    for (name, address) in functions {
        table.set_item(name, address)?;
    }
    Ok(table)
}

/// How many handles of each kind are live in the process.
#[pyfunction]
pub(crate) fn live(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    from_json(py, &remotemedia_binding::live().or_raise(py)?)
}
