//! What the header declares besides functions: plain data, all in one flat module.
//!
//! Rules: fixed-width integers, `size_t`, `double` and pointers only; no enums, no `bool`. A struct
//! begins with its `struct_size`, grows only at its end, and zero is always the default. Members lie
//! without padding between them.
#![allow(non_camel_case_types, reason = "these are the names that C sees")]

use std::ffi::{c_char, c_void};

/// Version of this header: major, minor and patch in the bits 31–24, 23–8 and 7–0.
pub const RMEDIA_ABI_VERSION: u32 = 1 << 8;

/// The engine. The default one is {0}: it always exists and can't be destroyed.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct rmedia_engine_t {
    /// Opaque; 0 for the default engine.
    pub id: u64,
}

/// A running pipeline.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct rmedia_pipeline_t {
    /// Opaque; 0 for none.
    pub id: u64,
}

/// A packet: one owner's handle to it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct rmedia_packet_t {
    /// Opaque; 0 for none.
    pub id: u64,
}

/// Why a call failed.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct rmedia_error_t {
    /// Opaque; 0 for none.
    pub id: u64,
}

/// A text that the library has made.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct rmedia_string_t {
    /// Opaque; 0 for none.
    pub id: u64,
}

/// What a host node is asked to do.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct rmedia_job_t {
    /// Opaque; 0 for none.
    pub id: u64,
}

/// Done.
pub const RMEDIA_OK: i32 = 0;
/// pull: everything was pulled, nothing more will come.
pub const RMEDIA_END: i32 = 1;
/// pull: nothing more comes before an input gets packets or its end.
pub const RMEDIA_NEED_INPUT: i32 = 2;
/// push: the input is full; pull, then push again. pull: another output is full; pull that one.
pub const RMEDIA_FULL: i32 = 3;
/// A node has work under way elsewhere; waiting helps.
pub const RMEDIA_IN_FLIGHT: i32 = 4;
/// A thread, the program's or the engine's, is running the pipeline; waiting helps.
pub const RMEDIA_BUSY: i32 = 5;
/// A job waits for a host node of this process, and nobody serves it: take it with
/// rmedia_engine_next_job.
pub const RMEDIA_HOST: i32 = 6;
/// close: the time was up; what was left is dropped.
pub const RMEDIA_CUT: i32 = 7;
/// There is none now.
pub const RMEDIA_EMPTY: i32 = 8;
/// A node goes on by itself in a while: a source in real time, a call that is tried again, a join
/// that waits no longer; waiting helps.
pub const RMEDIA_DUE: i32 = 9;
/// push: while it waited for room, an interrupt or reset made the pipeline forget what the packet
/// belongs to; it stays with the caller.
pub const RMEDIA_INTERRUPTED: i32 = 10;

/// The only input; any output; all inputs.
pub const RMEDIA_ANY: u32 = u32::MAX;
/// A length: the text ends at its first zero byte. (The generator can't write this one.)
/// cbindgen:ignore
pub const RMEDIA_NUL_TERMINATED: usize = usize::MAX;
/// A timeout: don't wait.
pub const RMEDIA_TRY: i32 = 0;
/// A timeout: wait as long as it takes.
pub const RMEDIA_FOREVER: i32 = -1;
/// A time: none.
pub const RMEDIA_NO_TIME: i64 = i64::MIN;

/// States of a pipeline: it takes packets and gives results.
pub const RMEDIA_STATE_RUNNING: i32 = 0;
/// rmedia_pipeline_close is at work.
pub const RMEDIA_STATE_CLOSING: i32 = 1;
/// Over; everything was worked off, or cut by the timeout.
pub const RMEDIA_STATE_CLOSED: i32 = 2;
/// Over; a node failed.
pub const RMEDIA_STATE_FAILED: i32 = 3;
/// Over; cancelled.
pub const RMEDIA_STATE_CANCELLED: i32 = 4;

/// Samples.
pub const RMEDIA_KIND_AUDIO: u32 = 1;
/// An uncompressed picture.
pub const RMEDIA_KIND_VIDEO: u32 = 2;
/// A unit of compressed media.
pub const RMEDIA_KIND_ENCODED: u32 = 3;
/// An array of numbers, row by row.
pub const RMEDIA_KIND_TENSOR: u32 = 4;
/// Text, UTF-8.
pub const RMEDIA_KIND_TEXT: u32 = 5;
/// A JSON value.
pub const RMEDIA_KIND_JSON: u32 = 6;
/// A small finding of a node; its fields by rmedia_packet_json. Can't be made from outside.
pub const RMEDIA_KIND_RECORD: u32 = 7;
/// Bytes without meaning to the engine.
pub const RMEDIA_KIND_BYTES: u32 = 8;
/// A file by its path.
pub const RMEDIA_KIND_FILE: u32 = 9;

/// 32-bit float, full scale ±1.
pub const RMEDIA_SAMPLE_F32: u32 = 0;
/// Signed 16-bit.
pub const RMEDIA_SAMPLE_I16: u32 = 1;
/// Signed 24-bit in three bytes, little-endian.
pub const RMEDIA_SAMPLE_I24: u32 = 2;
/// Signed 32-bit.
pub const RMEDIA_SAMPLE_I32: u32 = 3;
/// Unsigned 8-bit, silence at 128.
pub const RMEDIA_SAMPLE_U8: u32 = 4;

/// 8 bits of red, green, blue.
pub const RMEDIA_PIXEL_RGB24: u32 = 0;
/// 8 bits of blue, green, red.
pub const RMEDIA_PIXEL_BGR24: u32 = 1;
/// 8 bits of red, green, blue, alpha.
pub const RMEDIA_PIXEL_RGBA: u32 = 2;
/// 8 bits of blue, green, red, alpha.
pub const RMEDIA_PIXEL_BGRA: u32 = 3;
/// 8 bits of luma.
pub const RMEDIA_PIXEL_GRAY8: u32 = 4;
/// Planes Y, U, V; U and V at half the width and height.
pub const RMEDIA_PIXEL_I420: u32 = 5;
/// Planes Y and UV; UV at half the width and height.
pub const RMEDIA_PIXEL_NV12: u32 = 6;

/// Elements of tensors: 32-bit float.
pub const RMEDIA_DTYPE_F32: u32 = 0;
/// 64-bit float.
pub const RMEDIA_DTYPE_F64: u32 = 1;
/// 16-bit float.
pub const RMEDIA_DTYPE_F16: u32 = 2;
/// Signed 8-bit.
pub const RMEDIA_DTYPE_I8: u32 = 3;
/// Signed 16-bit.
pub const RMEDIA_DTYPE_I16: u32 = 4;
/// Signed 32-bit.
pub const RMEDIA_DTYPE_I32: u32 = 5;
/// Signed 64-bit.
pub const RMEDIA_DTYPE_I64: u32 = 6;
/// Unsigned 8-bit.
pub const RMEDIA_DTYPE_U8: u32 = 7;
/// One byte, 0 or 1.
pub const RMEDIA_DTYPE_BOOL: u32 = 8;

/// `pts_ns` holds the packet's time. Without it a packet goes on where its input stands.
pub const RMEDIA_PACKET_PTS: u32 = 1;
/// The stream breaks before this packet.
pub const RMEDIA_PACKET_DISCONT: u32 = 1 << 1;
/// Audio: each channel lies in a plane of its own.
pub const RMEDIA_PACKET_PLANAR: u32 = 1 << 2;
/// Encoded: decoding can begin here.
pub const RMEDIA_PACKET_KEY: u32 = 1 << 3;
/// Encoded: `dts_ns` holds the time of decoding.
pub const RMEDIA_PACKET_DTS: u32 = 1 << 4;

/// What a packet is: given to make one, and filled in by rmedia_packet_view. Set what the kind
/// needs and leave the rest zero.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct rmedia_packet_info_t {
    /// Size of the struct; set by RMEDIA_PACKET_INFO_INIT.
    pub struct_size: u32,
    /// RMEDIA_KIND_…
    pub kind: u32,
    /// RMEDIA_PACKET_…
    pub flags: u32,
    /// Audio: RMEDIA_SAMPLE_…; video: RMEDIA_PIXEL_…; tensor: RMEDIA_DTYPE_…
    pub format: u32,
    /// Presentation time in nanoseconds, with the flag RMEDIA_PACKET_PTS.
    pub pts_ns: i64,
    /// Encoded: time of decoding in nanoseconds, with the flag RMEDIA_PACKET_DTS.
    pub dts_ns: i64,
    /// View only: how long the audio lasts, in nanoseconds.
    pub duration_ns: i64,
    /// Audio: frames a second, 1 … 768,000.
    pub rate: u32,
    /// Audio: channels, 1 … 64.
    pub channels: u32,
    /// Audio: speakers as in WAVE_FORMAT_EXTENSIBLE; 0: the usual ones, or unknown.
    pub layout: u32,
    /// Tensor: number of dimensions, at most 16.
    pub rank: u32,
    /// Video: pixels a row.
    pub width: u32,
    /// Video: rows.
    pub height: u32,
    /// Audio: number of frames (samples per channel).
    pub frames: usize,
    /// Planar audio: bytes from one plane to the next; 0 when they follow each other.
    pub stride: usize,
    /// Tensor: `rank` sizes, outermost first.
    pub shape: *const usize,
    /// Encoded: codec in lower case, e.g. "opus". File: media type, or NULL. View: NULL.
    pub codec: *const c_char,
    /// The payload: samples, pixels, elements, bytes, UTF-8 text, JSON text, or a path. NULL when a
    /// packet is made without content. View: NULL for json and record packets; texts and paths have
    /// no zero byte at their end.
    pub data: *const c_void,
    /// Bytes of the payload. RMEDIA_NUL_TERMINATED is good for texts. 0 with audio, video or tensor
    /// stands for the size that the format asks for.
    pub size: usize,
    /// Whose memory to use. View: zero.
    pub engine: rmedia_engine_t,
}

/// How an engine is made.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct rmedia_engine_options_t {
    /// Size of the struct; set by RMEDIA_ENGINE_OPTIONS_INIT.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Most bytes that packets in its memory may hold; 0: 4 GiB.
    pub memory_limit: u64,
}

/// The manifest comes from somewhere unknown: no nodes that use files, no variables, tighter limits.
pub const RMEDIA_PIPELINE_UNTRUSTED: u32 = 1;

/// How a pipeline is made.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct rmedia_pipeline_options_t {
    /// Size of the struct; set by RMEDIA_PIPELINE_OPTIONS_INIT.
    pub struct_size: u32,
    /// RMEDIA_PIPELINE_…
    pub flags: u32,
    /// Its engine.
    pub engine: rmedia_engine_t,
}

/// Gives wrapped memory back. Called exactly once, on any thread.
pub type rmedia_release_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;
/// Says that there is something to do.
pub type rmedia_wakeup_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;
/// Says that `user` is not needed any more. Called exactly once.
pub type rmedia_free_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Release wrapped memory wherever what refers to it last goes.
pub const RMEDIA_RELEASE_DIRECT: u32 = 0;
/// Release wrapped memory in rmedia_engine_run_releases.
pub const RMEDIA_RELEASE_DEFERRED: u32 = 1;

/// A node type whose nodes are functions of the program. Functions of one node are called one at a
/// time: inline on whatever thread calls the pipeline, placed on a thread (`placement: thread` in the
/// manifest) on whichever of the engine's. `create` is called where the pipeline is made, `destroy` on
/// the last thread that leaves it. They may be NULL but for `process`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct rmedia_node_type_t {
    /// Size of the struct; set by RMEDIA_NODE_TYPE_INIT.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// What the type is, as JSON: {"name": "game/Voice", "inputs": [{"name": "in", "kinds":
    /// ["audio"], "samples": ["f32"]}], "outputs": […], "params": […]}. See the guide.
    pub declaration: *const c_char,
    /// Handed to `create` and `free`.
    pub user: *mut c_void,
    /// Called once when the type is not needed any more.
    pub free: rmedia_free_fn,
    /// Makes a node with these params (a JSON object, complete with defaults) and stores what the
    /// other functions get as `node`. Without it they get `user`.
    pub create: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            job: rmedia_job_t,
            params: *const c_char,
            node: *mut *mut c_void,
        ) -> i32,
    >,
    /// Works on a packet of the input port of that index. The packet is lent for the job: emit it as
    /// it is, or leave it; what is to be kept longer is shared (rmedia_packet_share).
    pub process: Option<
        unsafe extern "C" fn(
            node: *mut c_void,
            job: rmedia_job_t,
            port: u32,
            packet: rmedia_packet_t,
        ) -> i32,
    >,
    /// Emits what is still inside; afterwards the node is as new.
    pub drain: Option<unsafe extern "C" fn(node: *mut c_void, job: rmedia_job_t) -> i32>,
    /// Forgets what is inside; params stay.
    pub reset: Option<unsafe extern "C" fn(node: *mut c_void)>,
    /// Takes new values for its live params: a JSON object, complete.
    pub set_params: Option<unsafe extern "C" fn(node: *mut c_void, params: *const c_char)>,
    /// The node is not needed any more. Called exactly once for each `create` that returned OK.
    pub destroy: Option<unsafe extern "C" fn(node: *mut c_void)>,
}

/// Work on `packet`, which came to the input `port`; emit what comes of it.
pub const RMEDIA_JOB_PROCESS: u32 = 1;
/// Emit what is still inside; afterwards the node is as new.
pub const RMEDIA_JOB_DRAIN: u32 = 2;
/// Forget what is inside.
pub const RMEDIA_JOB_RESET: u32 = 3;
/// Take `params` as they are now.
pub const RMEDIA_JOB_PARAMS: u32 = 4;
/// The node is not needed any more; no job of it follows.
pub const RMEDIA_JOB_CLOSE: u32 = 5;

/// A job of a node type that rmedia_engine_add_host_node has added.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct rmedia_job_info_t {
    /// Size of the struct; set by RMEDIA_JOB_INFO_INIT.
    pub struct_size: u32,
    /// RMEDIA_JOB_…
    pub kind: u32,
    /// The job; end it with rmedia_job_done or rmedia_job_fail.
    pub job: rmedia_job_t,
    /// The node: a number of its own for each. Make what it needs at its first job.
    pub node: u64,
    /// Full name of its type. Lives as long as the job.
    pub node_type: *const c_char,
    /// Its params, a JSON object, complete with defaults. Lives as long as the job.
    pub params: *const c_char,
    /// RMEDIA_JOB_PROCESS: the packet, lent for the job.
    pub packet: rmedia_packet_t,
    /// RMEDIA_JOB_PROCESS: the input port that it came to.
    pub port: u32,
    /// Zero.
    pub reserved: u32,
}
