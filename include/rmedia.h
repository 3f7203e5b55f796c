/* librmedia: media pipelines from a manifest. https://crates.io/crates/remotemedia
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Generated from capi/src by `cargo xtask header`; do not edit.
 *
 *     rmedia_pipeline_t pipeline;
 *     rmedia_error_t error = {0};
 *     if (rmedia_pipeline_create_from_file("voice.yaml", NULL, &pipeline, &error) != RMEDIA_OK) {
 *         fprintf(stderr, "%s\n", rmedia_error_message(error));
 *         return rmedia_error_release(error), 1;
 *     }
 *     rmedia_pipeline_push_f32(pipeline, RMEDIA_ANY, samples, frames, 48000, 1, NULL);
 *     rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL);
 *     rmedia_packet_t packet;
 *     while (rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_FOREVER, &packet, NULL, NULL) == 0) {
 *         rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
 *         rmedia_packet_view(packet, &info);      // info.data, info.size, info.frames, ...
 *         rmedia_packet_release(packet);
 *     }
 *     rmedia_pipeline_destroy(pipeline);
 *
 * Rules for every function:
 * - Status: RMEDIA_OK is 0; positive numbers are answers, no failures (RMEDIA_END, RMEDIA_FULL, ...);
 *   negative ones are failures (RMEDIA_E_...). Treat numbers that you don't know as failures.
 * - Errors: a last parameter `error` may be NULL; it is written only when the call fails, and then
 *   yours to release with rmedia_error_release.
 * - Handles are numbers, not pointers. {0} is no object (for engines: the default one). A handle that
 *   is zero, released, of another kind or of another copy of the library gives RMEDIA_E_BAD_HANDLE.
 *   Handles that a call makes are {0} when it fails.
 * - Texts are UTF-8 and end with a zero byte; paths, too, on every system.
 * - Structs that begin with `struct_size` are begun with their ..._INIT; what is not set is zero,
 *   which is always the default.
 * - Threads: "any" functions may be called from all threads at once, also on the same handle.
 *   "Real-time: yes" means no lock, allocation or system call after warm-up. Nodes run inline, in
 *   the calls; an engine has threads only for those that a manifest places on threads, and one to
 *   wake who watches a pipeline (wait handle, wakeup, watch) in which something is due.
 * - Callbacks: calls that wait give RMEDIA_E_REENTRANT inside one. None may throw or longjmp.
 * - fork: in the child of a process that has used the library calls give RMEDIA_E_FORKED and write
 *   nothing; those of errors, versions and names work.
 * - A panic inside the library gives RMEDIA_E_PANIC. If it was in a call that works on a pipeline,
 *   that pipeline is over, and no other.
 */

#ifndef RMEDIA_H
#define RMEDIA_H

#include <stddef.h>
#include <stdint.h>

#if defined(RMEDIA_STATIC) || !defined(_WIN32)
#define RMEDIA_API
#else
#define RMEDIA_API __declspec(dllimport)
#endif

/** A length: the text ends at its first zero byte. */
#define RMEDIA_NUL_TERMINATED SIZE_MAX

#ifdef __cplusplus
extern "C" {
#endif

/** Version of this header: major, minor and patch in the bits 31–24, 23–8 and 7–0. */
#define RMEDIA_ABI_VERSION (1u << 8)

/** Done. */
#define RMEDIA_OK 0

/** pull: everything was pulled, nothing more will come. */
#define RMEDIA_END 1

/** pull: nothing more comes before an input gets packets or its end. */
#define RMEDIA_NEED_INPUT 2

/**
 * push: the input is full; pull, then push again. pull: another output is full; pull that one.
 */
#define RMEDIA_FULL 3

/** A node has work under way elsewhere; waiting helps. */
#define RMEDIA_IN_FLIGHT 4

/** A thread, the program's or the engine's, is running the pipeline; waiting helps. */
#define RMEDIA_BUSY 5

/**
 * A job waits for a host node of this process, and nobody serves it: take it with
 * rmedia_engine_next_job.
 */
#define RMEDIA_HOST 6

/** close: the time was up; what was left is dropped. */
#define RMEDIA_CUT 7

/** There is none now. */
#define RMEDIA_EMPTY 8

/**
 * A node goes on by itself in a while: a source in real time, a call that is tried again, a join
 * that waits no longer; waiting helps.
 */
#define RMEDIA_DUE 9

/**
 * push: while it waited for room, an interrupt or reset made the pipeline forget what the packet
 * belongs to; it stays with the caller.
 */
#define RMEDIA_INTERRUPTED 10

/** The only input; any output; all inputs. */
#define RMEDIA_ANY UINT32_MAX

/** A timeout: don't wait. */
#define RMEDIA_TRY 0

/** A timeout: wait as long as it takes. */
#define RMEDIA_FOREVER (-1)

/** A time: none. */
#define RMEDIA_NO_TIME INT64_MIN

/** States of a pipeline: it takes packets and gives results. */
#define RMEDIA_STATE_RUNNING 0

/** rmedia_pipeline_close is at work. */
#define RMEDIA_STATE_CLOSING 1

/** Over; everything was worked off, or cut by the timeout. */
#define RMEDIA_STATE_CLOSED 2

/** Over; a node failed. */
#define RMEDIA_STATE_FAILED 3

/** Over; cancelled. */
#define RMEDIA_STATE_CANCELLED 4

/** Samples. */
#define RMEDIA_KIND_AUDIO 1u

/** An uncompressed picture. */
#define RMEDIA_KIND_VIDEO 2u

/** A unit of compressed media. */
#define RMEDIA_KIND_ENCODED 3u

/** An array of numbers, row by row. */
#define RMEDIA_KIND_TENSOR 4u

/** Text, UTF-8. */
#define RMEDIA_KIND_TEXT 5u

/** A JSON value. */
#define RMEDIA_KIND_JSON 6u

/** A small finding of a node; its fields by rmedia_packet_json. Can't be made from outside. */
#define RMEDIA_KIND_RECORD 7u

/** Bytes without meaning to the engine. */
#define RMEDIA_KIND_BYTES 8u

/** A file by its path. */
#define RMEDIA_KIND_FILE 9u

/** 32-bit float, full scale ±1. */
#define RMEDIA_SAMPLE_F32 0u

/** Signed 16-bit. */
#define RMEDIA_SAMPLE_I16 1u

/** Signed 24-bit in three bytes, little-endian. */
#define RMEDIA_SAMPLE_I24 2u

/** Signed 32-bit. */
#define RMEDIA_SAMPLE_I32 3u

/** Unsigned 8-bit, silence at 128. */
#define RMEDIA_SAMPLE_U8 4u

/** 8 bits of red, green, blue. */
#define RMEDIA_PIXEL_RGB24 0u

/** 8 bits of blue, green, red. */
#define RMEDIA_PIXEL_BGR24 1u

/** 8 bits of red, green, blue, alpha. */
#define RMEDIA_PIXEL_RGBA 2u

/** 8 bits of blue, green, red, alpha. */
#define RMEDIA_PIXEL_BGRA 3u

/** 8 bits of luma. */
#define RMEDIA_PIXEL_GRAY8 4u

/** Planes Y, U, V; U and V at half the width and height. */
#define RMEDIA_PIXEL_I420 5u

/** Planes Y and UV; UV at half the width and height. */
#define RMEDIA_PIXEL_NV12 6u

/** Elements of tensors: 32-bit float. */
#define RMEDIA_DTYPE_F32 0u

/** 64-bit float. */
#define RMEDIA_DTYPE_F64 1u

/** 16-bit float. */
#define RMEDIA_DTYPE_F16 2u

/** Signed 8-bit. */
#define RMEDIA_DTYPE_I8 3u

/** Signed 16-bit. */
#define RMEDIA_DTYPE_I16 4u

/** Signed 32-bit. */
#define RMEDIA_DTYPE_I32 5u

/** Signed 64-bit. */
#define RMEDIA_DTYPE_I64 6u

/** Unsigned 8-bit. */
#define RMEDIA_DTYPE_U8 7u

/** One byte, 0 or 1. */
#define RMEDIA_DTYPE_BOOL 8u

/** `pts_ns` holds the packet's time. Without it a packet goes on where its input stands. */
#define RMEDIA_PACKET_PTS 1u

/** The stream breaks before this packet. */
#define RMEDIA_PACKET_DISCONT (1u << 1)

/** Audio: each channel lies in a plane of its own. */
#define RMEDIA_PACKET_PLANAR (1u << 2)

/** Encoded: decoding can begin here. */
#define RMEDIA_PACKET_KEY (1u << 3)

/** Encoded: `dts_ns` holds the time of decoding. */
#define RMEDIA_PACKET_DTS (1u << 4)

/**
 * The manifest comes from somewhere unknown: no nodes that use files, no variables, tighter limits.
 */
#define RMEDIA_PIPELINE_UNTRUSTED 1u

/** Release wrapped memory wherever what refers to it last goes. */
#define RMEDIA_RELEASE_DIRECT 0u

/** Release wrapped memory in rmedia_engine_run_releases. */
#define RMEDIA_RELEASE_DEFERRED 1u

/** Work on `packet`, which came to the input `port`; emit what comes of it. */
#define RMEDIA_JOB_PROCESS 1u

/** Emit what is still inside; afterwards the node is as new. */
#define RMEDIA_JOB_DRAIN 2u

/** Forget what is inside. */
#define RMEDIA_JOB_RESET 3u

/** Take `params` as they are now. */
#define RMEDIA_JOB_PARAMS 4u

/** The node is not needed any more; no job of it follows. */
#define RMEDIA_JOB_CLOSE 5u

/** A call or a value is not what the function takes. */
#define RMEDIA_E_INVALID_ARGUMENT (-1)

/** The manifest does not describe a pipeline that can run. */
#define RMEDIA_E_INVALID_MANIFEST (-2)

/** A file, node, port or type of that name does not exist. */
#define RMEDIA_E_NOT_FOUND (-3)

/** Understood, but this build of the engine does not do it. */
#define RMEDIA_E_UNSUPPORTED (-4)

/** Media of this kind or format does not fit here. */
#define RMEDIA_E_FORMAT (-5)

/** The operating system refused a file operation. */
#define RMEDIA_E_IO (-6)

/** A stated limit (memory, size, depth, count) would be passed. */
#define RMEDIA_E_LIMIT (-7)

/** The pipeline is not in a state in which this call has a meaning. */
#define RMEDIA_E_STATE (-8)

/** The pipeline is closed. */
#define RMEDIA_E_CLOSED (-9)

/** The pipeline was cancelled. */
#define RMEDIA_E_CANCELLED (-10)

/** A node failed while it worked. */
#define RMEDIA_E_NODE (-11)

/** A node panicked; its pipeline has failed. */
#define RMEDIA_E_PANIC (-12)

/** Called from inside a node or callback of the same pipeline. */
#define RMEDIA_E_REENTRANT (-13)

/** The packet lies before what the port has already passed. */
#define RMEDIA_E_LATE (-14)

/** A server can't be reached, or has lost what it held for the caller. */
#define RMEDIA_E_UNAVAILABLE (-18)

/** The handle is null, released, of another kind, or not from this library. */
#define RMEDIA_E_BAD_HANDLE (-16)

/**
 * The process was forked after the library was used; use it in one of the two, or fork first.
 */
#define RMEDIA_E_FORKED (-17)

/** A text that the library has made. */
typedef struct rmedia_string_t {
    /** Opaque; 0 for none. */
    uint64_t id;
} rmedia_string_t;

/** Why a call failed. */
typedef struct rmedia_error_t {
    /** Opaque; 0 for none. */
    uint64_t id;
} rmedia_error_t;

/** The engine. The default one is {0}: it always exists and can't be destroyed. */
typedef struct rmedia_engine_t {
    /** Opaque; 0 for the default engine. */
    uint64_t id;
} rmedia_engine_t;

/** How a pipeline is made. */
typedef struct rmedia_pipeline_options_t {
    /** Size of the struct; set by RMEDIA_PIPELINE_OPTIONS_INIT. */
    uint32_t struct_size;
    /** RMEDIA_PIPELINE_… */
    uint32_t flags;
    /** Its engine. */
    struct rmedia_engine_t engine;
} rmedia_pipeline_options_t;

/** A running pipeline. */
typedef struct rmedia_pipeline_t {
    /** Opaque; 0 for none. */
    uint64_t id;
} rmedia_pipeline_t;

/** A packet: one owner's handle to it. */
typedef struct rmedia_packet_t {
    /** Opaque; 0 for none. */
    uint64_t id;
} rmedia_packet_t;

/** Says that there is something to do. */
typedef void (*rmedia_wakeup_fn)(void *user);

/** Says that `user` is not needed any more. Called exactly once. */
typedef void (*rmedia_free_fn)(void *user);

/**
 * What a packet is: given to make one, and filled in by rmedia_packet_view. Set what the kind
 * needs and leave the rest zero.
 */
typedef struct rmedia_packet_info_t {
    /** Size of the struct; set by RMEDIA_PACKET_INFO_INIT. */
    uint32_t struct_size;
    /** RMEDIA_KIND_… */
    uint32_t kind;
    /** RMEDIA_PACKET_… */
    uint32_t flags;
    /** Audio: RMEDIA_SAMPLE_…; video: RMEDIA_PIXEL_…; tensor: RMEDIA_DTYPE_… */
    uint32_t format;
    /** Presentation time in nanoseconds, with the flag RMEDIA_PACKET_PTS. */
    int64_t pts_ns;
    /** Encoded: time of decoding in nanoseconds, with the flag RMEDIA_PACKET_DTS. */
    int64_t dts_ns;
    /** View only: how long the audio lasts, in nanoseconds. */
    int64_t duration_ns;
    /** Audio: frames a second, 1 … 768,000. */
    uint32_t rate;
    /** Audio: channels, 1 … 64. */
    uint32_t channels;
    /** Audio: speakers as in WAVE_FORMAT_EXTENSIBLE; 0: the usual ones, or unknown. */
    uint32_t layout;
    /** Tensor: number of dimensions, at most 16. */
    uint32_t rank;
    /** Video: pixels a row. */
    uint32_t width;
    /** Video: rows. */
    uint32_t height;
    /** Audio: number of frames (samples per channel). */
    size_t frames;
    /** Planar audio: bytes from one plane to the next; 0 when they follow each other. */
    size_t stride;
    /** Tensor: `rank` sizes, outermost first. */
    const size_t *shape;
    /** Encoded: codec in lower case, e.g. "opus". File: media type, or NULL. View: NULL. */
    const char *codec;
    /**
     * The payload: samples, pixels, elements, bytes, UTF-8 text, JSON text, or a path. NULL when a
     * packet is made without content. View: NULL for json and record packets; texts and paths have
     * no zero byte at their end.
     */
    const void *data;
    /**
     * Bytes of the payload. RMEDIA_NUL_TERMINATED is good for texts. 0 with audio, video or tensor
     * stands for the size that the format asks for.
     */
    size_t size;
    /** Whose memory to use. View: zero. */
    struct rmedia_engine_t engine;
} rmedia_packet_info_t;

/** Gives wrapped memory back. Called exactly once, on any thread. */
typedef void (*rmedia_release_fn)(void *user);

/** How an engine is made. */
typedef struct rmedia_engine_options_t {
    /** Size of the struct; set by RMEDIA_ENGINE_OPTIONS_INIT. */
    uint32_t struct_size;
    /** Zero. */
    uint32_t flags;
    /** Most bytes that packets in its memory may hold; 0: 4 GiB. */
    uint64_t memory_limit;
} rmedia_engine_options_t;

/** What a host node is asked to do. */
typedef struct rmedia_job_t {
    /** Opaque; 0 for none. */
    uint64_t id;
} rmedia_job_t;

/**
 * A node type whose nodes are functions of the program. Functions of one node are called one at a
 * time: inline on whatever thread calls the pipeline, placed on a thread (`placement: thread` in the
 * manifest) on whichever of the engine's. `create` is called where the pipeline is made, `destroy` on
 * the last thread that leaves it. They may be NULL but for `process`.
 */
typedef struct rmedia_node_type_t {
    /** Size of the struct; set by RMEDIA_NODE_TYPE_INIT. */
    uint32_t struct_size;
    /** Zero. */
    uint32_t flags;
    /**
     * What the type is, as JSON: {"name": "game/Voice", "inputs": [{"name": "in", "kinds":
     * ["audio"], "samples": ["f32"]}], "outputs": […], "params": […]}. See the guide.
     */
    const char *declaration;
    /** Handed to `create` and `free`. */
    void *user;
    /** Called once when the type is not needed any more. */
    rmedia_free_fn free;
    /**
     * Makes a node with these params (a JSON object, complete with defaults) and stores what the
     * other functions get as `node`. Without it they get `user`.
     */
    int32_t (*create)(void *user, struct rmedia_job_t job, const char *params, void **node);
    /**
     * Works on a packet of the input port of that index. The packet is lent for the job: emit it as
     * it is, or leave it; what is to be kept longer is shared (rmedia_packet_share).
     */
    int32_t (*process)(void *node,
                       struct rmedia_job_t job,
                       uint32_t port,
                       struct rmedia_packet_t packet);
    /** Emits what is still inside; afterwards the node is as new. */
    int32_t (*drain)(void *node, struct rmedia_job_t job);
    /** Forgets what is inside; params stay. */
    void (*reset)(void *node);
    /** Takes new values for its live params: a JSON object, complete. */
    void (*set_params)(void *node, const char *params);
    /**
     * The node is not needed any more. Called exactly once for each `create` that returned OK.
     */
    void (*destroy)(void *node);
} rmedia_node_type_t;

/** A job of a node type that rmedia_engine_add_host_node has added. */
typedef struct rmedia_job_info_t {
    /** Size of the struct; set by RMEDIA_JOB_INFO_INIT. */
    uint32_t struct_size;
    /** RMEDIA_JOB_… */
    uint32_t kind;
    /** The job; end it with rmedia_job_done or rmedia_job_fail. */
    struct rmedia_job_t job;
    /** The node: a number of its own for each. Make what it needs at its first job. */
    uint64_t node;
    /** Full name of its type. Lives as long as the job. */
    const char *node_type;
    /** Its params, a JSON object, complete with defaults. Lives as long as the job. */
    const char *params;
    /** RMEDIA_JOB_PROCESS: the packet, lent for the job. */
    struct rmedia_packet_t packet;
    /** RMEDIA_JOB_PROCESS: the input port that it came to. */
    uint32_t port;
    /** Zero. */
    uint32_t reserved;
} rmedia_job_info_t;

/**
 * The ABI of the loaded library: RMEDIA_ABI_VERSION of the header that it was built with. A program
 * fits while major and minor (the upper 24 bits) are those of its own header.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API uint32_t rmedia_abi_version(void);

/**
 * The version of the loaded library, e.g. "0.1.0". Lives as long as the library.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API const char *rmedia_version(void);

/**
 * Whether the loaded library has a feature: "media" (reading and writing media files),
 * "fft" (AudioResample with `latency: offline`), "remote" (nodes on servers), "wait_handle" (pollable
 * descriptors). 1 or 0; 0 also for names that it doesn't know.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_has_feature(const char *name);

/**
 * The name of a status, e.g. "InvalidManifest"; "Unknown" for a number that is none. Lives as long
 * as the library.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API const char *rmedia_status_name(int32_t status);

/**
 * Gives how many handles of each kind are live, as JSON: {engines, pipelines, packets, errors,
 * strings, jobs}. For tests: what a program forgets to release shows here.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_live(struct rmedia_string_t *json);

/**
 * The status of an error, negative: what the call returned. RMEDIA_E_BAD_HANDLE for no error. In a
 * forked child the functions of errors say, for every handle, that it is one.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_error_status(struct rmedia_error_t error);

/**
 * The stable id of what went wrong, e.g. "manifest.unknown_param"; NULL for no error. Lives as
 * long as the error.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API const char *rmedia_error_detail(struct rmedia_error_t error);

/**
 * What went wrong, where, and what to do, in one line; NULL for no error. Lives as long as the
 * error.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API const char *rmedia_error_message(struct rmedia_error_t error);

/**
 * Everything about the error as JSON: {status, code, detail, message, node?, port?, pointer?,
 * hint?, cause?, problems?}; NULL for no error. Lives as long as the error.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API const char *rmedia_error_json(struct rmedia_error_t error);

/**
 * Lets go of an error. {0} is fine.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_error_release(struct rmedia_error_t error);

/**
 * The text, UTF-8, with a zero byte behind it; NULL for a handle that is none. Lives as long as
 * the handle.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API const char *rmedia_string_data(struct rmedia_string_t string);

/**
 * Its length in bytes, without the zero byte; 0 for a handle that is none.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API size_t rmedia_string_size(struct rmedia_string_t string);

/**
 * Lets go of a text. {0} is fine.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_string_release(struct rmedia_string_t string);

/**
 * Makes a pipeline from the text of a manifest: JSON if it begins with `{`, else YAML. All nodes
 * are made here. `options` may be NULL.
 *
 * Ownership: the caller gets the pipeline, and ends it with rmedia_pipeline_destroy.
 * Thread: any. Blocks: as its nodes do when they are made. Real-time: no. Since: 0.1.
 * Errors: INVALID_MANIFEST with everything that is wrong (rmedia_error_json, `problems`); what
 * keeps a node from being made.
 */
RMEDIA_API
int32_t rmedia_pipeline_create(const char *manifest,
                               const struct rmedia_pipeline_options_t *options,
                               struct rmedia_pipeline_t *pipeline,
                               struct rmedia_error_t *error);

/**
 * As rmedia_pipeline_create, from a file: .json, .yaml or .yml. `${NAME}` in its texts stands for
 * a variable of the environment.
 *
 * Ownership: the caller gets the pipeline, and ends it with rmedia_pipeline_destroy.
 * Thread: any. Blocks: on the file. Real-time: no. Since: 0.1.
 * Errors: IO for a file that can't be read; as rmedia_pipeline_create.
 */
RMEDIA_API
int32_t rmedia_pipeline_create_from_file(const char *path,
                                         const struct rmedia_pipeline_options_t *options,
                                         struct rmedia_pipeline_t *pipeline,
                                         struct rmedia_error_t *error);

/**
 * Cancels a pipeline and lets go of it. Calls of other threads on it return. Its nodes go with the
 * last thread that leaves it. No call of its wakeup function begins afterwards; one that is running
 * ends, and then the function's `free` is called. Its engine does not list it any more
 * (rmedia_pipeline_watch). {0} is fine.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_pipeline_destroy(struct rmedia_pipeline_t pipeline);

/**
 * Gives the index of an input or (see rmedia_pipeline_output) an output by its name. Indices stay
 * as they are.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 * Errors: NOT_FOUND with the names that there are.
 */
RMEDIA_API
int32_t rmedia_pipeline_input(struct rmedia_pipeline_t pipeline,
                              const char *name,
                              uint32_t *index,
                              struct rmedia_error_t *error);

/**
 * As rmedia_pipeline_input, for an output.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_pipeline_output(struct rmedia_pipeline_t pipeline,
                               const char *name,
                               uint32_t *index,
                               struct rmedia_error_t *error);

/**
 * Gives the name of an input by its index.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: NOT_FOUND for an index that there is not.
 */
RMEDIA_API
int32_t rmedia_pipeline_input_name(struct rmedia_pipeline_t pipeline,
                                   uint32_t index,
                                   struct rmedia_string_t *name);

/**
 * Gives the name of an output by its index.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: NOT_FOUND for an index that there is not.
 */
RMEDIA_API
int32_t rmedia_pipeline_output_name(struct rmedia_pipeline_t pipeline,
                                    uint32_t index,
                                    struct rmedia_string_t *name);

/**
 * Gives what runs as JSON: {nodes: [{id, node_type}], inputs: {name: what it takes}, outputs:
 * {name: what it gives}, source_rates: {name: Hz}, adapters, determinate, indeterminate}. Inputs and
 * outputs stand in the order of their indices.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_pipeline_describe(struct rmedia_pipeline_t pipeline,
                                 struct rmedia_string_t *json);

/**
 * Pushes a packet into the input of that index (RMEDIA_ANY: the only one) and works it, on this
 * thread, through the nodes that run inline; those placed on threads are run by the engine's, and
 * nobody waits for them here. Where there is no room the packet is not taken: RMEDIA_FULL asks for a
 * pull; RMEDIA_IN_FLIGHT, RMEDIA_DUE and RMEDIA_BUSY for patience (`timeout_ms` waits: RMEDIA_TRY,
 * RMEDIA_FOREVER, or milliseconds); RMEDIA_HOST for rmedia_engine_next_job. RMEDIA_INTERRUPTED: not
 * taken, as an interrupt or reset came while the call waited; push it again if it is still wanted.
 *
 * Ownership: takes the packet on RMEDIA_OK. Otherwise it stays with the caller, who pushes it again
 * or releases it: that is right after every failure, also where the pipeline failed while it worked
 * on the packet, which is then gone (RMEDIA_E_BAD_HANDLE, and no harm). While the call runs, the
 * handle is good for nothing else.
 * Thread: any; packets of one thread keep their order. Blocks: as its nodes do, and up to the
 * timeout. Real-time: with RMEDIA_TRY, if its nodes are. Since: 0.1.
 * Errors: STATE after the end, CLOSED, CANCELLED, the failure of a node; FORMAT for a packet that
 * the input does not take; LATE for a time before what has passed; LIMIT; REENTRANT inside a node
 * of this pipeline.
 */
RMEDIA_API
int32_t rmedia_pipeline_push(struct rmedia_pipeline_t pipeline,
                             uint32_t input,
                             struct rmedia_packet_t packet,
                             int32_t timeout_ms,
                             struct rmedia_error_t *error);

/**
 * Copies interleaved 32-bit float samples into a packet and pushes it, as rmedia_pipeline_push does
 * without waiting. A push without a time goes on where the input stands.
 *
 * Thread: any. Blocks: as its nodes do. Real-time: if its nodes are, after warm-up. Since: 0.1.
 * Errors: as rmedia_pipeline_push; FORMAT for a rate or channels out of range; LIMIT above the
 * engine's memory limit.
 */
RMEDIA_API
int32_t rmedia_pipeline_push_f32(struct rmedia_pipeline_t pipeline,
                                 uint32_t input,
                                 const float *samples,
                                 size_t frames,
                                 uint32_t rate,
                                 uint32_t channels,
                                 struct rmedia_error_t *error);

/**
 * Pulls the next packet of the output of that index, or (RMEDIA_ANY) of all outputs in the order
 * in which they were emitted. Drives sources, and lets those begin that are placed on threads. Waits
 * up to `timeout_ms` (RMEDIA_TRY, RMEDIA_FOREVER, or milliseconds), and only where something but the
 * caller can bring a packet: a thread, an open job, time. RMEDIA_OK: a packet. RMEDIA_END: all was
 * pulled. Else why there is none: RMEDIA_NEED_INPUT, RMEDIA_FULL (pull the other output),
 * RMEDIA_IN_FLIGHT, RMEDIA_DUE (a node goes on by itself), RMEDIA_BUSY (a thread is at work),
 * RMEDIA_HOST. `from` (may be NULL) gets the index of the packet's output, or of the input, output
 * or node that the status is about.
 *
 * Ownership: the caller gets the packet on RMEDIA_OK.
 * Thread: any. Blocks: as its nodes do, and up to the timeout. Real-time: with RMEDIA_TRY, if its
 * nodes are. Since: 0.1.
 * Errors: once the pipeline is over, why; after a failure the packets from before it come first.
 */
RMEDIA_API
int32_t rmedia_pipeline_pull(struct rmedia_pipeline_t pipeline,
                             uint32_t output,
                             int32_t timeout_ms,
                             struct rmedia_packet_t *packet,
                             uint32_t *from,
                             struct rmedia_error_t *error);

/**
 * Ends the input of that index (RMEDIA_ANY: all inputs): nothing more will be pushed. What nodes
 * still hold comes with the next pulls, then RMEDIA_END. Ending again does nothing.
 *
 * Thread: any. Blocks: as its nodes do. Real-time: no. Since: 0.1.
 * Errors: once the pipeline is over, why.
 */
RMEDIA_API
int32_t rmedia_pipeline_end(struct rmedia_pipeline_t pipeline,
                            uint32_t input,
                            struct rmedia_error_t *error);

/**
 * Says that nothing earlier than `until_ns` will come into the input of that index (RMEDIA_ANY: the
 * only one): a node that waits for it there, to take packets of several connections by their time,
 * goes on. A packet that is pushed afterwards without a time begins at `until_ns`, after a break. A
 * time before where the input stands does nothing.
 *
 * Thread: any. Blocks: as its nodes do. Real-time: if its nodes are. Since: 0.1.
 * Errors: NOT_FOUND for an index that there is not; STATE after the input's end; once the pipeline
 * is over, why.
 */
RMEDIA_API
int32_t rmedia_pipeline_gap(struct rmedia_pipeline_t pipeline,
                            uint32_t input,
                            int64_t until_ns,
                            struct rmedia_error_t *error);

/**
 * Runs whatever runs inline, sources included, until the outputs are full or there is nothing left
 * to do, and lets sources begin that are placed on threads. Pulls nothing and never waits. Says why
 * it stopped, as rmedia_pipeline_pull does: RMEDIA_NEED_INPUT, RMEDIA_FULL, RMEDIA_IN_FLIGHT,
 * RMEDIA_DUE, RMEDIA_BUSY (while threads are at work) or RMEDIA_HOST.
 *
 * Thread: any. Blocks: as its nodes do. Real-time: if its nodes are. Since: 0.1.
 * Errors: once the pipeline is over, why.
 */
RMEDIA_API
int32_t rmedia_pipeline_advance(struct rmedia_pipeline_t pipeline,
                                struct rmedia_error_t *error);

/**
 * Forgets everything inside, at once: queues, what nodes hold, open jobs. Params, ends and formats
 * stay; sources that have not ended begin again. Nothing that was emitted before is pulled
 * afterwards; a push afterwards belongs to the new epoch, whose number `epoch` gets (may be NULL).
 *
 * Thread: any. Blocks: no, a node's call that is running goes on. Real-time: no. Since: 0.1.
 * Errors: once the pipeline is over, why.
 */
RMEDIA_API
int32_t rmedia_pipeline_reset(struct rmedia_pipeline_t pipeline,
                              uint32_t *epoch,
                              struct rmedia_error_t *error);

/**
 * Forgets, at once, everything behind where the manifest says (`interrupt: {from: […]}`; without it,
 * everything): what somebody has heard enough of. Queues there are emptied, nodes reset, open jobs
 * dropped; params and ends stay, and what lies before goes on. Nothing of it is pulled once this has
 * returned, and a push afterwards belongs to the new epoch, whose number `epoch` gets (may be NULL).
 * A push that waits for room there gives RMEDIA_INTERRUPTED. An `interrupted` event says what was
 * forgotten, once it has come through.
 *
 * Thread: any, not in its nodes. Blocks: no, a node's call that is running goes on. Real-time: no.
 * Since: 0.1.
 * Errors: once the pipeline is over, why; REENTRANT inside a node of this pipeline.
 */
RMEDIA_API
int32_t rmedia_pipeline_interrupt(struct rmedia_pipeline_t pipeline,
                                  uint32_t *epoch,
                                  struct rmedia_error_t *error);

/**
 * Makes a pipeline that has come to its end ready for another run: inputs are open again, sources
 * begin at their start.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: STATE while it still runs; once it is over, why.
 */
RMEDIA_API
int32_t rmedia_pipeline_rewind(struct rmedia_pipeline_t pipeline,
                               struct rmedia_error_t *error);

/**
 * Ends all inputs and works everything off, waiting for threads, open jobs and what is due up to
 * `timeout_ms` (RMEDIA_FOREVER: as long as it takes). What nobody pulls is dropped, so that writers on other
 * branches finish. To get every result: end, pull to the end, then close. RMEDIA_OK: every node
 * has delivered its tail; RMEDIA_CUT: time was up first. RMEDIA_HOST: it goes on closing, and waits
 * for a job that nobody serves: take it, then close again.
 *
 * Thread: any, not in a callback. Blocks: as its nodes do, and up to the timeout. Real-time: no.
 * Since: 0.1.
 * Errors: why the pipeline failed or was cancelled; REENTRANT in a callback or a node.
 */
RMEDIA_API
int32_t rmedia_pipeline_close(struct rmedia_pipeline_t pipeline,
                              int32_t timeout_ms,
                              struct rmedia_error_t *error);

/**
 * Stops at once, from any thread, also from inside its nodes. Waiting calls return. Sticky.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_pipeline_cancel(struct rmedia_pipeline_t pipeline);

/**
 * Gives what the pipeline is doing: RMEDIA_STATE_…
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_pipeline_state(struct rmedia_pipeline_t pipeline, int32_t *state);

/**
 * Sets live params of a node: `params` is a JSON object of those that change. `at_ns`: from the
 * sample at that time of its input on (audio is cut there), or RMEDIA_NO_TIME: at the next border
 * between two packets. `seq` (may be NULL) gets a number; exactly one `params` event with it will
 * say what became of it. When one value is wrong nothing is set.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: NOT_FOUND for a node that is not there; INVALID_ARGUMENT for what can't be set so, or live.
 */
RMEDIA_API
int32_t rmedia_pipeline_set_params(struct rmedia_pipeline_t pipeline,
                                   const char *node,
                                   const char *params,
                                   int64_t at_ns,
                                   uint64_t *seq,
                                   struct rmedia_error_t *error);

/**
 * Takes the pipeline's oldest event as JSON, {event: "state" | "error" | "warning" | "dropped" |
 * "params" | "format_changed" | "discontinuity" | "reset" | "interrupted" | "join_gap" |
 * "queue_grown" | "recovered" | "breaker" | "hung" | "lost", …}; RMEDIA_EMPTY when there is none.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_pipeline_next_event(struct rmedia_pipeline_t pipeline,
                                   struct rmedia_string_t *event);

/**
 * Gives all counters and times as JSON.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_pipeline_metrics(struct rmedia_pipeline_t pipeline,
                                struct rmedia_string_t *json);

/**
 * Gives a file descriptor for poll, select or an event loop. It is readable when something has
 * changed since a pull or rmedia_pipeline_next_event found nothing (also by the engine's threads, or
 * because a time has come), and while packets or events wait; once the pipeline is over, until a
 * pull has said why. Then: pull and take events until there are none. It belongs to the pipeline:
 * don't read or close it, and stop watching it before rmedia_pipeline_destroy.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: UNSUPPORTED where the system has no such thing.
 */
RMEDIA_API
int32_t rmedia_pipeline_wait_handle(struct rmedia_pipeline_t pipeline,
                                    int32_t *fd);

/**
 * Sets a function that is called when the wait handle would become readable: once, until a pull or
 * rmedia_pipeline_next_event has found nothing again. It is called on whatever thread changes the
 * pipeline, the engine's or, inside its own calls, the program's, and may only poke the program's
 * loop: it must not take a lock that the program holds while it calls this library. NULL takes the
 * function away. When this returns, no call of the former function is running or will begin (from inside that call it
 * returns at once), and `free` has been or will be called once with its `user`.
 *
 * Ownership: takes `user` on success.
 * Thread: any. Blocks: for a call of the former function that is running. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_pipeline_set_wakeup(struct rmedia_pipeline_t pipeline,
                                   rmedia_wakeup_fn wakeup,
                                   void *user,
                                   rmedia_free_fn free);

/**
 * Makes a packet in the engine's memory. What `info` says about format and size is checked;
 * content is copied from `info->data` (planes from `stride` apart). With NULL there, audio, video,
 * tensors and bytes are made without content, to be written through rmedia_packet_data.
 *
 * Ownership: the caller gets the packet.
 * Thread: any. Blocks: no. Real-time: yes for audio and bytes from warm memory. Since: 0.1.
 * Errors: FORMAT for a format out of range or a size that does not fit it; LIMIT above the
 * engine's memory limit.
 */
RMEDIA_API
int32_t rmedia_packet_create(const struct rmedia_packet_info_t *info,
                             struct rmedia_packet_t *packet,
                             struct rmedia_error_t *error);

/**
 * Makes a packet over memory of the program, without a copy. The memory must stay as it is until
 * `release` is called with `user`: exactly once after a success, when nothing refers to it any
 * more, on any thread (RMEDIA_RELEASE_DIRECT) or in rmedia_engine_run_releases (RMEDIA_RELEASE_DEFERRED);
 * never after a failure. `release` must not block, nor take a lock that
 * the program holds while it calls this library; inside it calls that wait are refused. Memory
 * that is still held when the process exits is not released.
 *
 * Ownership: the caller gets the packet.
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: INVALID_ARGUMENT for NULL data or an unknown mode; FORMAT for a size or alignment that does not
 * fit the format; UNSUPPORTED for planes that do not follow each other, and for text, json and
 * file packets.
 */
RMEDIA_API
int32_t rmedia_packet_wrap(const struct rmedia_packet_info_t *info,
                           uint32_t mode,
                           rmedia_release_fn release,
                           void *user,
                           struct rmedia_packet_t *packet,
                           struct rmedia_error_t *error);

/**
 * Gives another handle to the same packet, without a copy. Each of them has one owner, and is
 * released once.
 *
 * Ownership: the caller gets the new handle.
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_packet_share(struct rmedia_packet_t packet,
                            struct rmedia_packet_t *shared);

/**
 * Lets go of a packet. {0} is fine. When nothing refers to its memory any more, it goes back where
 * it came from, which for wrapped memory in direct mode calls the program's function here.
 *
 * Thread: any. Blocks: no. Real-time: yes for audio and bytes in the engine's memory. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_packet_release(struct rmedia_packet_t packet);

/**
 * Looks into a packet. What `info` points to lives as long as the handle.
 *
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_packet_view(struct rmedia_packet_t packet,
                           struct rmedia_packet_info_t *info);

/**
 * Gives the payload for writing, while nothing else refers to its memory and that is the engine's.
 * Write before it is pushed or shared; one thread at a time.
 *
 * Thread: one at a time. Blocks: no. Real-time: yes. Since: 0.1.
 * Errors: STATE when the memory is shared or the program's; FORMAT for kinds without such memory.
 */
RMEDIA_API int32_t rmedia_packet_data(struct rmedia_packet_t packet, void **data);

/**
 * Makes a packet of a part of an audio packet, without a copy: `frames` frames from the frame
 * `first` on, with its time.
 *
 * Ownership: the caller gets the new packet and keeps the old one.
 * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
 * Errors: FORMAT for other kinds; INVALID_ARGUMENT for a part that is not inside.
 */
RMEDIA_API
int32_t rmedia_packet_slice(struct rmedia_packet_t packet,
                            size_t first,
                            size_t frames,
                            struct rmedia_packet_t *part,
                            struct rmedia_error_t *error);

/**
 * Gives the value of a json packet, or the fields of a record packet, as JSON text.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: FORMAT for other kinds.
 */
RMEDIA_API int32_t rmedia_packet_json(struct rmedia_packet_t packet, struct rmedia_string_t *json);

/**
 * Makes an engine: node types, memory and limits of its own. Most programs need none and use the
 * default engine, {0}. `options` may be NULL.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: INVALID_ARGUMENT for a NULL `engine`; UNSUPPORTED for unknown flags.
 */
RMEDIA_API
int32_t rmedia_engine_create(const struct rmedia_engine_options_t *options,
                             struct rmedia_engine_t *engine,
                             struct rmedia_error_t *error);

/**
 * Lets go of an engine. Pipelines that run on it go on; deferred releases that wait are made now,
 * later ones where their last packet goes. Threads that wait in rmedia_engine_next_job return, and
 * pipelines whose host nodes have jobs that nobody has taken fail. No call of its wakeup function
 * begins afterwards, and nobody is told of its pipelines by rmedia_engine_next_ready any more. {0} is
 * fine and does nothing.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_engine_destroy(struct rmedia_engine_t engine);

/**
 * Gives the node types of an engine as a JSON list: name, ports, params with types, ranges,
 * defaults, units.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_engine_nodes(struct rmedia_engine_t engine, struct rmedia_string_t *json);

/**
 * Checks a manifest (JSON or YAML text) without making a pipeline. Gives {ok, problems: […], nodes,
 * inputs, outputs, adapters, determinate, indeterminate} as JSON: all problems at once, each with
 * its JSON pointer, line and column. RMEDIA_OK also when the manifest is wrong: see `ok`.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: INVALID_MANIFEST for a text that is not JSON or YAML at all.
 */
RMEDIA_API
int32_t rmedia_engine_validate(struct rmedia_engine_t engine,
                               const char *manifest,
                               struct rmedia_string_t *json,
                               struct rmedia_error_t *error);

/**
 * Gives the number of the engine's threads, by lane, as JSON: {pool, blocking, realtime}. They are
 * started when there is work for them.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_engine_threads(struct rmedia_engine_t engine,
                              struct rmedia_string_t *json);

/**
 * Takes the oldest line of the engine's log: {level, time_ns, pipeline, message, lost} as JSON;
 * RMEDIA_EMPTY when there is none. The log holds 1024 lines; `lost` counts those before this one
 * that nobody took.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_engine_next_log(struct rmedia_engine_t engine,
                               struct rmedia_string_t *line);

/**
 * Runs at most `max` deferred releases that wait, on this thread. Gives how many in `count`, which
 * may be NULL.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_engine_run_releases(struct rmedia_engine_t engine,
                                   uint32_t max,
                                   uint32_t *count);

/**
 * Gives a file descriptor for poll, select or an event loop. It is readable while jobs of host nodes,
 * deferred releases or pipelines of rmedia_pipeline_watch wait. Then: take them until there are none,
 * with rmedia_engine_next_job, rmedia_engine_run_releases and rmedia_engine_next_ready. It belongs to
 * the engine: don't read or close it, and stop watching it before rmedia_engine_destroy.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: UNSUPPORTED where the system has no such thing.
 */
RMEDIA_API
int32_t rmedia_engine_wait_handle(struct rmedia_engine_t engine,
                                  int32_t *fd);

/**
 * Sets a function that is called when the engine's wait handle would become readable; it may be
 * called more than once before anything is taken. It is called on whatever thread brings what waits,
 * the engine's or, inside its own calls, the program's, and may only poke the program's loop: it must
 * not take a lock that the program holds while it calls this library. NULL takes the function away.
 * When this returns, no call of the former function is running or will begin (from inside a wakeup it
 * returns at once), and `free` has been or will be called once with its `user`.
 *
 * Ownership: takes `user` on success.
 * Thread: any. Blocks: for a call of the former function that is running. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_engine_set_wakeup(struct rmedia_engine_t engine,
                                 rmedia_wakeup_fn wakeup,
                                 void *user,
                                 rmedia_free_fn free);

/**
 * Has the engine tell of a pipeline: from now on rmedia_engine_next_ready gives it, with this `tag`,
 * whenever its wait handle would become readable, so that one descriptor (rmedia_engine_wait_handle)
 * serves any number of pipelines, and none of them needs one of its own. It is given at once if
 * something waits already. Watching it again changes the tag.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: BAD_HANDLE also when its engine has been destroyed.
 */
RMEDIA_API
int32_t rmedia_pipeline_watch(struct rmedia_pipeline_t pipeline,
                              uint64_t tag);

/**
 * Takes back rmedia_pipeline_watch: once this has returned the engine does not give the pipeline any
 * more. One that is not watched is fine. rmedia_pipeline_destroy does it, too.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_pipeline_unwatch(struct rmedia_pipeline_t pipeline);

/**
 * Takes the pipeline that has had something to do for the longest time, of those that are watched, and
 * its tag (may be NULL); RMEDIA_EMPTY when there is none. Then: pull with RMEDIA_TRY and take events
 * until neither gives any. It is given again when there is more after a pull or
 * rmedia_pipeline_next_event has found nothing, and not before; with several threads it may so be one
 * that another thread has just served. The engine has one list: parts of a program that know nothing
 * of each other need an engine each.
 *
 * Ownership: the pipeline stays whose it is.
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_engine_next_ready(struct rmedia_engine_t engine,
                                 struct rmedia_pipeline_t *pipeline,
                                 uint64_t *tag);

/**
 * Adds a node type to an engine, for the pipelines to come. Its functions must not call their own
 * pipeline, which gives REENTRANT, whatever thread they run on. Those that wait hold up what runs on
 * the same thread; a type that says `blocking` gets one for waiting where it is placed on a thread.
 *
 * Ownership: takes `type->user` on success; `type->free` gives it back.
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: INVALID_ARGUMENT for a declaration that is none, a missing `process`, or a name that is taken.
 */
RMEDIA_API
int32_t rmedia_engine_add_node(struct rmedia_engine_t engine,
                               const struct rmedia_node_type_t *type,
                               struct rmedia_error_t *error);

/**
 * Adds a node type whose jobs the program takes with rmedia_engine_next_job. `declaration` is as
 * that of rmedia_node_type_t; its `max_in_flight` (1 if it gives none) is how many jobs of one node
 * may be open at a time. Outputs go on in the order of their inputs, in whatever order jobs end.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: INVALID_ARGUMENT for a declaration that is none, or a name that is taken.
 */
RMEDIA_API
int32_t rmedia_engine_add_host_node(struct rmedia_engine_t engine,
                                    const char *declaration,
                                    struct rmedia_error_t *error);

/**
 * Takes the next job of the engine's host nodes; RMEDIA_EMPTY when none comes within `timeout_ms`
 * (0: don't wait, -1: for ever), or the engine is destroyed. Jobs of one node come in order. Several
 * threads may serve; one that waits here is a server, and pulls of other threads rely on it for a
 * second after its last job.
 *
 * Ownership: the caller gets the job, and ends it with rmedia_job_done or rmedia_job_fail; the
 * packet is lent until then.
 * Thread: any, not in a callback when it waits. Blocks: up to the timeout. Real-time: no.
 * Since: 0.1.
 */
RMEDIA_API
int32_t rmedia_engine_next_job(struct rmedia_engine_t engine,
                               int32_t timeout_ms,
                               struct rmedia_job_info_t *job,
                               struct rmedia_error_t *error);

/**
 * Emits a packet on the output port of that index (0 is the default port). It counts when the job
 * succeeds.
 *
 * Ownership: takes the packet on success.
 * Thread: any, one at a time per job. Blocks: no. Real-time: yes after warm-up. Since: 0.1.
 * Errors: INVALID_ARGUMENT for a port that the type doesn't have; STATE for a job that has ended.
 */
RMEDIA_API
int32_t rmedia_job_emit(struct rmedia_job_t job,
                        uint32_t port,
                        struct rmedia_packet_t packet,
                        struct rmedia_error_t *error);

/**
 * Ends a job that was taken with rmedia_engine_next_job, or whose function returned
 * RMEDIA_IN_FLIGHT. What it emitted goes on.
 *
 * Ownership: takes the job, and what was lent with it.
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: STATE for a job that has ended.
 */
RMEDIA_API int32_t rmedia_job_done(struct rmedia_job_t job);

/**
 * 1 when nobody wants the job's result any more: an interrupt or reset has forgotten its packet, its
 * deadline has passed, or the pipeline is over. Work that asks now and then can end early; the job has
 * to be ended all the same, and what it emitted is dropped. 0 while the result is wanted. It tells of
 * jobs that go on after a call: those of the queue that work on a packet or drain, and those whose
 * function has returned RMEDIA_IN_FLIGHT. Of all others it is 0.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 * Errors: BAD_HANDLE for a job that has ended.
 */
RMEDIA_API
int32_t rmedia_job_is_cancelled(struct rmedia_job_t job);

/**
 * Fails a job with a message for people. In a function node's function: say why here, then return
 * a negative status. Elsewhere it ends the job, as rmedia_job_done does.
 *
 * Thread: any. Blocks: no. Real-time: no. Since: 0.1.
 */
RMEDIA_API int32_t rmedia_job_fail(struct rmedia_job_t job, const char *message);

#ifdef __cplusplus
} /* extern "C" */

/** Begins a struct: its size, and zeros. */
template <class T> inline T rmedia_struct_init() {
    T value = {};
    value.struct_size = static_cast<uint32_t>(sizeof(T));
    return value;
}
#define RMEDIA_STRUCT_INIT(type) rmedia_struct_init<type>()
/** The default engine. */
#define RMEDIA_DEFAULT_ENGINE (rmedia_engine_t{0})
#else
/** Begins a struct: its size, and zeros. */
#define RMEDIA_STRUCT_INIT(type) { .struct_size = (uint32_t)sizeof(type) }
/** The default engine. */
#define RMEDIA_DEFAULT_ENGINE ((rmedia_engine_t){0})
#endif

#define RMEDIA_PACKET_INFO_INIT RMEDIA_STRUCT_INIT(rmedia_packet_info_t)
#define RMEDIA_ENGINE_OPTIONS_INIT RMEDIA_STRUCT_INIT(rmedia_engine_options_t)
#define RMEDIA_PIPELINE_OPTIONS_INIT RMEDIA_STRUCT_INIT(rmedia_pipeline_options_t)
#define RMEDIA_NODE_TYPE_INIT RMEDIA_STRUCT_INIT(rmedia_node_type_t)
#define RMEDIA_JOB_INFO_INIT RMEDIA_STRUCT_INIT(rmedia_job_info_t)

#endif /* RMEDIA_H */
