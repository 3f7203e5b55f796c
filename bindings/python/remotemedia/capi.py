"""The C library librmedia for Python, by ctypes: for programs that have no wheel of ours.

Generated from include/rmedia.h by generate_capi.py; do not edit. One file, without other packages:

    import capi

    library = capi.load()
    with capi.Pipeline.from_file(library, "voice.yaml") as pipeline:
        pipeline.push(capi.Packet.audio(library, samples, rate=48000, channels=1))
        pipeline.end()
        while (pulled := pipeline.pull(timeout_ms=capi.RMEDIA_FOREVER)).packet is not None:
            with pulled.packet as packet:
                print(packet.info.frames, bytes(packet.view()[:16]))

`Library` has every function of the header under its own name, with ctypes' types; the classes
below it own handles, and raise `Error`. Nodes of the program are served with `Engine.next_job`, and
wrapped memory is given back in `Engine.run_releases`: on threads of the program's choice.
"""

# Comments are those of the header; Python 3.8 has only the older Callable.
# ruff: noqa: E501, RUF003, UP035

from __future__ import annotations

import array
import ctypes
import inspect
import itertools
import json
import os
import time
from ctypes import (
    POINTER,
    c_char_p,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Callable, ClassVar, NamedTuple, TypeVar, cast

#: A value that is JSON.
Json = Any
#: What ctypes makes: `byref(x)`, an array, a pointer; None for NULL.
Pointer = Any
#: What a packet is made of: bytes, bytearray, array, memoryview, an array of numpy, …
Buffer = Any
_Type = Any

#: A length: the text ends at its first zero byte.
RMEDIA_NUL_TERMINATED = ctypes.c_size_t(-1).value
#: Version of this header: major, minor and patch in the bits 31–24, 23–8 and 7–0.
RMEDIA_ABI_VERSION = 1 << 8
#: Done.
RMEDIA_OK = 0
#: pull: everything was pulled, nothing more will come.
RMEDIA_END = 1
#: pull: nothing more comes before an input gets packets or its end.
RMEDIA_NEED_INPUT = 2
#: push: the input is full; pull, then push again. pull: another output is full; pull that one.
RMEDIA_FULL = 3
#: A node has work under way elsewhere; waiting helps.
RMEDIA_IN_FLIGHT = 4
#: A thread, the program's or the engine's, is running the pipeline; waiting helps.
RMEDIA_BUSY = 5
#: A job waits for a host node of this process, and nobody serves it: take it with
#: rmedia_engine_next_job.
RMEDIA_HOST = 6
#: close: the time was up; what was left is dropped.
RMEDIA_CUT = 7
#: There is none now.
RMEDIA_EMPTY = 8
#: A node goes on by itself in a while: a source in real time, a call that is tried again, a join
#: that waits no longer; waiting helps.
RMEDIA_DUE = 9
#: push: while it waited for room, an interrupt or reset made the pipeline forget what the packet
#: belongs to; it stays with the caller.
RMEDIA_INTERRUPTED = 10
#: The only input; any output; all inputs.
RMEDIA_ANY = 4294967295
#: A timeout: don't wait.
RMEDIA_TRY = 0
#: A timeout: wait as long as it takes.
RMEDIA_FOREVER = -1
#: A time: none.
RMEDIA_NO_TIME = -9223372036854775808
#: States of a pipeline: it takes packets and gives results.
RMEDIA_STATE_RUNNING = 0
#: rmedia_pipeline_close is at work.
RMEDIA_STATE_CLOSING = 1
#: Over; everything was worked off, or cut by the timeout.
RMEDIA_STATE_CLOSED = 2
#: Over; a node failed.
RMEDIA_STATE_FAILED = 3
#: Over; cancelled.
RMEDIA_STATE_CANCELLED = 4
#: Samples.
RMEDIA_KIND_AUDIO = 1
#: An uncompressed picture.
RMEDIA_KIND_VIDEO = 2
#: A unit of compressed media.
RMEDIA_KIND_ENCODED = 3
#: An array of numbers, row by row.
RMEDIA_KIND_TENSOR = 4
#: Text, UTF-8.
RMEDIA_KIND_TEXT = 5
#: A JSON value.
RMEDIA_KIND_JSON = 6
#: A small finding of a node; its fields by rmedia_packet_json. Can't be made from outside.
RMEDIA_KIND_RECORD = 7
#: Bytes without meaning to the engine.
RMEDIA_KIND_BYTES = 8
#: A file by its path.
RMEDIA_KIND_FILE = 9
#: 32-bit float, full scale ±1.
RMEDIA_SAMPLE_F32 = 0
#: Signed 16-bit.
RMEDIA_SAMPLE_I16 = 1
#: Signed 24-bit in three bytes, little-endian.
RMEDIA_SAMPLE_I24 = 2
#: Signed 32-bit.
RMEDIA_SAMPLE_I32 = 3
#: Unsigned 8-bit, silence at 128.
RMEDIA_SAMPLE_U8 = 4
#: 8 bits of red, green, blue.
RMEDIA_PIXEL_RGB24 = 0
#: 8 bits of blue, green, red.
RMEDIA_PIXEL_BGR24 = 1
#: 8 bits of red, green, blue, alpha.
RMEDIA_PIXEL_RGBA = 2
#: 8 bits of blue, green, red, alpha.
RMEDIA_PIXEL_BGRA = 3
#: 8 bits of luma.
RMEDIA_PIXEL_GRAY8 = 4
#: Planes Y, U, V; U and V at half the width and height.
RMEDIA_PIXEL_I420 = 5
#: Planes Y and UV; UV at half the width and height.
RMEDIA_PIXEL_NV12 = 6
#: Elements of tensors: 32-bit float.
RMEDIA_DTYPE_F32 = 0
#: 64-bit float.
RMEDIA_DTYPE_F64 = 1
#: 16-bit float.
RMEDIA_DTYPE_F16 = 2
#: Signed 8-bit.
RMEDIA_DTYPE_I8 = 3
#: Signed 16-bit.
RMEDIA_DTYPE_I16 = 4
#: Signed 32-bit.
RMEDIA_DTYPE_I32 = 5
#: Signed 64-bit.
RMEDIA_DTYPE_I64 = 6
#: Unsigned 8-bit.
RMEDIA_DTYPE_U8 = 7
#: One byte, 0 or 1.
RMEDIA_DTYPE_BOOL = 8
#: `pts_ns` holds the packet's time. Without it a packet goes on where its input stands.
RMEDIA_PACKET_PTS = 1
#: The stream breaks before this packet.
RMEDIA_PACKET_DISCONT = 1 << 1
#: Audio: each channel lies in a plane of its own.
RMEDIA_PACKET_PLANAR = 1 << 2
#: Encoded: decoding can begin here.
RMEDIA_PACKET_KEY = 1 << 3
#: Encoded: `dts_ns` holds the time of decoding.
RMEDIA_PACKET_DTS = 1 << 4
#: The manifest comes from somewhere unknown: no nodes that use files, no variables, tighter limits.
RMEDIA_PIPELINE_UNTRUSTED = 1
#: Release wrapped memory wherever what refers to it last goes.
RMEDIA_RELEASE_DIRECT = 0
#: Release wrapped memory in rmedia_engine_run_releases.
RMEDIA_RELEASE_DEFERRED = 1
#: Work on `packet`, which came to the input `port`; emit what comes of it.
RMEDIA_JOB_PROCESS = 1
#: Emit what is still inside; afterwards the node is as new.
RMEDIA_JOB_DRAIN = 2
#: Forget what is inside.
RMEDIA_JOB_RESET = 3
#: Take `params` as they are now.
RMEDIA_JOB_PARAMS = 4
#: The node is not needed any more; no job of it follows.
RMEDIA_JOB_CLOSE = 5
#: A call or a value is not what the function takes.
RMEDIA_E_INVALID_ARGUMENT = -1
#: The manifest does not describe a pipeline that can run.
RMEDIA_E_INVALID_MANIFEST = -2
#: A file, node, port or type of that name does not exist.
RMEDIA_E_NOT_FOUND = -3
#: Understood, but this build of the engine does not do it.
RMEDIA_E_UNSUPPORTED = -4
#: Media of this kind or format does not fit here.
RMEDIA_E_FORMAT = -5
#: The operating system refused a file operation.
RMEDIA_E_IO = -6
#: A stated limit (memory, size, depth, count) would be passed.
RMEDIA_E_LIMIT = -7
#: The pipeline is not in a state in which this call has a meaning.
RMEDIA_E_STATE = -8
#: The pipeline is closed.
RMEDIA_E_CLOSED = -9
#: The pipeline was cancelled.
RMEDIA_E_CANCELLED = -10
#: A node failed while it worked.
RMEDIA_E_NODE = -11
#: A node panicked; its pipeline has failed.
RMEDIA_E_PANIC = -12
#: Called from inside a node or callback of the same pipeline.
RMEDIA_E_REENTRANT = -13
#: The packet lies before what the port has already passed.
RMEDIA_E_LATE = -14
#: A server can't be reached, or has lost what it held for the caller.
RMEDIA_E_UNAVAILABLE = -18
#: The handle is null, released, of another kind, or not from this library.
RMEDIA_E_BAD_HANDLE = -16
#: The process was forked after the library was used; use it in one of the two, or fork first.
RMEDIA_E_FORKED = -17


class rmedia_string_t(ctypes.Structure):
    """A text that the library has made."""

    #: Opaque; 0 for none.
    id: int

    _fields_: ClassVar[Json] = [
        ("id", c_uint64),
    ]


class rmedia_error_t(ctypes.Structure):
    """Why a call failed."""

    #: Opaque; 0 for none.
    id: int

    _fields_: ClassVar[Json] = [
        ("id", c_uint64),
    ]


class rmedia_engine_t(ctypes.Structure):
    """The engine. The default one is {0}: it always exists and can't be destroyed."""

    #: Opaque; 0 for the default engine.
    id: int

    _fields_: ClassVar[Json] = [
        ("id", c_uint64),
    ]


class rmedia_pipeline_options_t(ctypes.Structure):
    """How a pipeline is made."""

    #: Size of the struct; set by RMEDIA_PIPELINE_OPTIONS_INIT.
    struct_size: int
    #: RMEDIA_PIPELINE_…
    flags: int
    #: Its engine.
    engine: rmedia_engine_t

    _fields_: ClassVar[Json] = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("engine", rmedia_engine_t),
    ]


class rmedia_pipeline_t(ctypes.Structure):
    """A running pipeline."""

    #: Opaque; 0 for none.
    id: int

    _fields_: ClassVar[Json] = [
        ("id", c_uint64),
    ]


class rmedia_packet_t(ctypes.Structure):
    """A packet: one owner's handle to it."""

    #: Opaque; 0 for none.
    id: int

    _fields_: ClassVar[Json] = [
        ("id", c_uint64),
    ]


class rmedia_packet_info_t(ctypes.Structure):
    """What a packet is: given to make one, and filled in by rmedia_packet_view. Set what the kind
    needs and leave the rest zero.
    """

    #: Size of the struct; set by RMEDIA_PACKET_INFO_INIT.
    struct_size: int
    #: RMEDIA_KIND_…
    kind: int
    #: RMEDIA_PACKET_…
    flags: int
    #: Audio: RMEDIA_SAMPLE_…; video: RMEDIA_PIXEL_…; tensor: RMEDIA_DTYPE_…
    format: int
    #: Presentation time in nanoseconds, with the flag RMEDIA_PACKET_PTS.
    pts_ns: int
    #: Encoded: time of decoding in nanoseconds, with the flag RMEDIA_PACKET_DTS.
    dts_ns: int
    #: View only: how long the audio lasts, in nanoseconds.
    duration_ns: int
    #: Audio: frames a second, 1 … 768,000.
    rate: int
    #: Audio: channels, 1 … 64.
    channels: int
    #: Audio: speakers as in WAVE_FORMAT_EXTENSIBLE; 0: the usual ones, or unknown.
    layout: int
    #: Tensor: number of dimensions, at most 16.
    rank: int
    #: Video: pixels a row.
    width: int
    #: Video: rows.
    height: int
    #: Audio: number of frames (samples per channel).
    frames: int
    #: Planar audio: bytes from one plane to the next; 0 when they follow each other.
    stride: int
    #: Tensor: `rank` sizes, outermost first.
    shape: Pointer
    #: Encoded: codec in lower case, e.g. "opus". File: media type, or NULL. View: NULL.
    codec: bytes | None
    #: The payload: samples, pixels, elements, bytes, UTF-8 text, JSON text, or a path. NULL when a
    #: packet is made without content. View: NULL for json and record packets; texts and paths have
    #: no zero byte at their end.
    data: int | None
    #: Bytes of the payload. RMEDIA_NUL_TERMINATED is good for texts. 0 with audio, video or tensor
    #: stands for the size that the format asks for.
    size: int
    #: Whose memory to use. View: zero.
    engine: rmedia_engine_t

    _fields_: ClassVar[Json] = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("flags", c_uint32),
        ("format", c_uint32),
        ("pts_ns", c_int64),
        ("dts_ns", c_int64),
        ("duration_ns", c_int64),
        ("rate", c_uint32),
        ("channels", c_uint32),
        ("layout", c_uint32),
        ("rank", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("frames", c_size_t),
        ("stride", c_size_t),
        ("shape", POINTER(c_size_t)),
        ("codec", c_char_p),
        ("data", c_void_p),
        ("size", c_size_t),
        ("engine", rmedia_engine_t),
    ]


class rmedia_engine_options_t(ctypes.Structure):
    """How an engine is made."""

    #: Size of the struct; set by RMEDIA_ENGINE_OPTIONS_INIT.
    struct_size: int
    #: Zero.
    flags: int
    #: Most bytes that packets in its memory may hold; 0: 4 GiB.
    memory_limit: int

    _fields_: ClassVar[Json] = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("memory_limit", c_uint64),
    ]


class rmedia_job_t(ctypes.Structure):
    """What a host node is asked to do."""

    #: Opaque; 0 for none.
    id: int

    _fields_: ClassVar[Json] = [
        ("id", c_uint64),
    ]


class rmedia_node_type_t(ctypes.Structure):
    """A node type whose nodes are functions of the program. Functions of one node are called one at a
    time: inline on whatever thread calls the pipeline, placed on a thread (`placement: thread` in the
    manifest) on whichever of the engine's. `create` is called where the pipeline is made, `destroy` on
    the last thread that leaves it. They may be NULL but for `process`.
    """

    #: Size of the struct; set by RMEDIA_NODE_TYPE_INIT.
    struct_size: int
    #: Zero.
    flags: int
    #: What the type is, as JSON: {"name": "game/Voice", "inputs": [{"name": "in", "kinds":
    #: ["audio"], "samples": ["f32"]}], "outputs": […], "params": […]}. See the guide.
    declaration: bytes | None
    #: Handed to `create` and `free`.
    user: int | None
    #: Called once when the type is not needed any more.
    free: int | None
    #: Makes a node with these params (a JSON object, complete with defaults) and stores what the
    #: other functions get as `node`. Without it they get `user`.
    create: int | None
    #: Works on a packet of the input port of that index. The packet is lent for the job: emit it as
    #: it is, or leave it; what is to be kept longer is shared (rmedia_packet_share).
    process: int | None
    #: Emits what is still inside; afterwards the node is as new.
    drain: int | None
    #: Forgets what is inside; params stay.
    reset: int | None
    #: Takes new values for its live params: a JSON object, complete.
    set_params: int | None
    #: The node is not needed any more. Called exactly once for each `create` that returned OK.
    destroy: int | None

    _fields_: ClassVar[Json] = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("declaration", c_char_p),
        ("user", c_void_p),
        ("free", c_void_p),
        ("create", c_void_p),
        ("process", c_void_p),
        ("drain", c_void_p),
        ("reset", c_void_p),
        ("set_params", c_void_p),
        ("destroy", c_void_p),
    ]


class rmedia_job_info_t(ctypes.Structure):
    """A job of a node type that rmedia_engine_add_host_node has added."""

    #: Size of the struct; set by RMEDIA_JOB_INFO_INIT.
    struct_size: int
    #: RMEDIA_JOB_…
    kind: int
    #: The job; end it with rmedia_job_done or rmedia_job_fail.
    job: rmedia_job_t
    #: The node: a number of its own for each. Make what it needs at its first job.
    node: int
    #: Full name of its type. Lives as long as the job.
    node_type: bytes | None
    #: Its params, a JSON object, complete with defaults. Lives as long as the job.
    params: bytes | None
    #: RMEDIA_JOB_PROCESS: the packet, lent for the job.
    packet: rmedia_packet_t
    #: RMEDIA_JOB_PROCESS: the input port that it came to.
    port: int
    #: Zero.
    reserved: int

    _fields_: ClassVar[Json] = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("job", rmedia_job_t),
        ("node", c_uint64),
        ("node_type", c_char_p),
        ("params", c_char_p),
        ("packet", rmedia_packet_t),
        ("port", c_uint32),
        ("reserved", c_uint32),
    ]


T = TypeVar("T", bound=ctypes.Structure)
F = TypeVar("F", bound=Callable[..., Any])


def init(struct: type[T]) -> T:
    """Begins a struct that has a `struct_size`: its size, and zeros."""
    made = struct()
    made.struct_size = ctypes.sizeof(struct)
    return made


class _Function:
    """A function of the library; bound when it is first used."""

    def __init__(self, stub: Callable[..., _Type], restype: _Type, argtypes: _Type) -> None:
        self.name, self.restype, self.argtypes = stub.__name__, restype, argtypes
        self.__doc__ = stub.__doc__

    def __get__(self, library: Library | None, owner: type[Library]) -> object:
        if library is None:
            return self
        function = library.cdll[self.name]
        function.restype, function.argtypes = self.restype, self.argtypes
        function.__doc__ = inspect.cleandoc(self.__doc__ or "")
        library.__dict__[self.name] = function
        return function


def _function(restype: _Type, *argtypes: _Type) -> Callable[[F], F]:
    def bind(method: F) -> F:
        return cast("F", _Function(method, restype, argtypes))

    return bind


class Library:
    """The functions of the header. A call lets other threads of Python run.

    Texts are bytes, pointers are what ctypes makes: `ctypes.byref(x)`, an array, None.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.cdll = ctypes.CDLL(path)

    @_function(c_uint32)
    def rmedia_abi_version(self) -> int:
        """The ABI of the loaded library: RMEDIA_ABI_VERSION of the header that it was built with. A program
        fits while major and minor (the upper 24 bits) are those of its own header.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_char_p)
    def rmedia_version(self) -> bytes | None:
        """The version of the loaded library, e.g. "0.1.0". Lives as long as the library.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_int32, c_char_p)
    def rmedia_has_feature(self, name: bytes | None) -> int:
        """Whether the loaded library has a feature: "media" (reading and writing media files),
        "fft" (AudioResample with `latency: offline`), "remote" (nodes on servers), "wait_handle" (pollable
        descriptors). 1 or 0; 0 also for names that it doesn't know.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_char_p, c_int32)
    def rmedia_status_name(self, status: int) -> bytes | None:
        """The name of a status, e.g. "InvalidManifest"; "Unknown" for a number that is none. Lives as long
        as the library.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_int32, POINTER(rmedia_string_t))
    def rmedia_live(self, json: Pointer) -> int:
        """Gives how many handles of each kind are live, as JSON: {engines, pipelines, packets, errors,
        strings, jobs}. For tests: what a program forgets to release shows here.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_error_t)
    def rmedia_error_status(self, error: rmedia_error_t) -> int:
        """The status of an error, negative: what the call returned. RMEDIA_E_BAD_HANDLE for no error. In a
        forked child the functions of errors say, for every handle, that it is one.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_char_p, rmedia_error_t)
    def rmedia_error_detail(self, error: rmedia_error_t) -> bytes | None:
        """The stable id of what went wrong, e.g. "manifest.unknown_param"; NULL for no error. Lives as
        long as the error.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_char_p, rmedia_error_t)
    def rmedia_error_message(self, error: rmedia_error_t) -> bytes | None:
        """What went wrong, where, and what to do, in one line; NULL for no error. Lives as long as the
        error.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_char_p, rmedia_error_t)
    def rmedia_error_json(self, error: rmedia_error_t) -> bytes | None:
        """Everything about the error as JSON: {status, code, detail, message, node?, port?, pointer?,
        hint?, cause?, problems?}; NULL for no error. Lives as long as the error.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_error_t)
    def rmedia_error_release(self, error: rmedia_error_t) -> int:
        """Lets go of an error. {0} is fine.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_char_p, rmedia_string_t)
    def rmedia_string_data(self, string: rmedia_string_t) -> bytes | None:
        """The text, UTF-8, with a zero byte behind it; NULL for a handle that is none. Lives as long as
        the handle.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_size_t, rmedia_string_t)
    def rmedia_string_size(self, string: rmedia_string_t) -> int:
        """Its length in bytes, without the zero byte; 0 for a handle that is none.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_string_t)
    def rmedia_string_release(self, string: rmedia_string_t) -> int:
        """Lets go of a text. {0} is fine.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(
        c_int32,
        c_char_p,
        POINTER(rmedia_pipeline_options_t),
        POINTER(rmedia_pipeline_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_pipeline_create(
        self,
        manifest: bytes | None,
        options: Pointer,
        pipeline: Pointer,
        error: Pointer,
    ) -> int:
        """Makes a pipeline from the text of a manifest: JSON if it begins with `{`, else YAML. All nodes
        are made here. `options` may be NULL.

        Ownership: the caller gets the pipeline, and ends it with rmedia_pipeline_destroy.
        Thread: any. Blocks: as its nodes do when they are made. Real-time: no. Since: 0.1.
        Errors: INVALID_MANIFEST with everything that is wrong (rmedia_error_json, `problems`); what
        keeps a node from being made.
        """
        ...

    @_function(
        c_int32,
        c_char_p,
        POINTER(rmedia_pipeline_options_t),
        POINTER(rmedia_pipeline_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_pipeline_create_from_file(
        self,
        path: bytes | None,
        options: Pointer,
        pipeline: Pointer,
        error: Pointer,
    ) -> int:
        """As rmedia_pipeline_create, from a file: .json, .yaml or .yml. `${NAME}` in its texts stands for
        a variable of the environment.

        Ownership: the caller gets the pipeline, and ends it with rmedia_pipeline_destroy.
        Thread: any. Blocks: on the file. Real-time: no. Since: 0.1.
        Errors: IO for a file that can't be read; as rmedia_pipeline_create.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t)
    def rmedia_pipeline_destroy(self, pipeline: rmedia_pipeline_t) -> int:
        """Cancels a pipeline and lets go of it. Calls of other threads on it return. Its nodes go with the
        last thread that leaves it. No call of its wakeup function begins afterwards; one that is running
        ends, and then the function's `free` is called. Its engine does not list it any more
        (rmedia_pipeline_watch). {0} is fine.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(
        c_int32,
        rmedia_pipeline_t,
        c_char_p,
        POINTER(c_uint32),
        POINTER(rmedia_error_t),
    )
    def rmedia_pipeline_input(
        self,
        pipeline: rmedia_pipeline_t,
        name: bytes | None,
        index: Pointer,
        error: Pointer,
    ) -> int:
        """Gives the index of an input or (see rmedia_pipeline_output) an output by its name. Indices stay
        as they are.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        Errors: NOT_FOUND with the names that there are.
        """
        ...

    @_function(
        c_int32,
        rmedia_pipeline_t,
        c_char_p,
        POINTER(c_uint32),
        POINTER(rmedia_error_t),
    )
    def rmedia_pipeline_output(
        self,
        pipeline: rmedia_pipeline_t,
        name: bytes | None,
        index: Pointer,
        error: Pointer,
    ) -> int:
        """As rmedia_pipeline_input, for an output.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, c_uint32, POINTER(rmedia_string_t))
    def rmedia_pipeline_input_name(
        self,
        pipeline: rmedia_pipeline_t,
        index: int,
        name: Pointer,
    ) -> int:
        """Gives the name of an input by its index.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: NOT_FOUND for an index that there is not.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, c_uint32, POINTER(rmedia_string_t))
    def rmedia_pipeline_output_name(
        self,
        pipeline: rmedia_pipeline_t,
        index: int,
        name: Pointer,
    ) -> int:
        """Gives the name of an output by its index.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: NOT_FOUND for an index that there is not.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(rmedia_string_t))
    def rmedia_pipeline_describe(self, pipeline: rmedia_pipeline_t, json: Pointer) -> int:
        """Gives what runs as JSON: {nodes: [{id, node_type}], inputs: {name: what it takes}, outputs:
        {name: what it gives}, source_rates: {name: Hz}, adapters, determinate, indeterminate}. Inputs and
        outputs stand in the order of their indices.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(
        c_int32,
        rmedia_pipeline_t,
        c_uint32,
        rmedia_packet_t,
        c_int32,
        POINTER(rmedia_error_t),
    )
    def rmedia_pipeline_push(
        self,
        pipeline: rmedia_pipeline_t,
        input: int,
        packet: rmedia_packet_t,
        timeout_ms: int,
        error: Pointer,
    ) -> int:
        """Pushes a packet into the input of that index (RMEDIA_ANY: the only one) and works it, on this
        thread, through the nodes that run inline; those placed on threads are run by the engine's, and
        nobody waits for them here. Where there is no room the packet is not taken: RMEDIA_FULL asks for a
        pull; RMEDIA_IN_FLIGHT, RMEDIA_DUE and RMEDIA_BUSY for patience (`timeout_ms` waits: RMEDIA_TRY,
        RMEDIA_FOREVER, or milliseconds); RMEDIA_HOST for rmedia_engine_next_job. RMEDIA_INTERRUPTED: not
        taken, as an interrupt or reset came while the call waited; push it again if it is still wanted.

        Ownership: takes the packet on RMEDIA_OK. Otherwise it stays with the caller, who pushes it again
        or releases it: that is right after every failure, also where the pipeline failed while it worked
        on the packet, which is then gone (RMEDIA_E_BAD_HANDLE, and no harm). While the call runs, the
        handle is good for nothing else.
        Thread: any; packets of one thread keep their order. Blocks: as its nodes do, and up to the
        timeout. Real-time: with RMEDIA_TRY, if its nodes are. Since: 0.1.
        Errors: STATE after the end, CLOSED, CANCELLED, the failure of a node; FORMAT for a packet that
        the input does not take; LATE for a time before what has passed; LIMIT; REENTRANT inside a node
        of this pipeline.
        """
        ...

    @_function(
        c_int32,
        rmedia_pipeline_t,
        c_uint32,
        POINTER(c_float),
        c_size_t,
        c_uint32,
        c_uint32,
        POINTER(rmedia_error_t),
    )
    def rmedia_pipeline_push_f32(
        self,
        pipeline: rmedia_pipeline_t,
        input: int,
        samples: Pointer,
        frames: int,
        rate: int,
        channels: int,
        error: Pointer,
    ) -> int:
        """Copies interleaved 32-bit float samples into a packet and pushes it, as rmedia_pipeline_push does
        without waiting. A push without a time goes on where the input stands.

        Thread: any. Blocks: as its nodes do. Real-time: if its nodes are, after warm-up. Since: 0.1.
        Errors: as rmedia_pipeline_push; FORMAT for a rate or channels out of range; LIMIT above the
        engine's memory limit.
        """
        ...

    @_function(
        c_int32,
        rmedia_pipeline_t,
        c_uint32,
        c_int32,
        POINTER(rmedia_packet_t),
        POINTER(c_uint32),
        POINTER(rmedia_error_t),
    )
    def rmedia_pipeline_pull(
        self,
        pipeline: rmedia_pipeline_t,
        output: int,
        timeout_ms: int,
        packet: Pointer,
        from_: Pointer,
        error: Pointer,
    ) -> int:
        """Pulls the next packet of the output of that index, or (RMEDIA_ANY) of all outputs in the order
        in which they were emitted. Drives sources, and lets those begin that are placed on threads. Waits
        up to `timeout_ms` (RMEDIA_TRY, RMEDIA_FOREVER, or milliseconds), and only where something but the
        caller can bring a packet: a thread, an open job, time. RMEDIA_OK: a packet. RMEDIA_END: all was
        pulled. Else why there is none: RMEDIA_NEED_INPUT, RMEDIA_FULL (pull the other output),
        RMEDIA_IN_FLIGHT, RMEDIA_DUE (a node goes on by itself), RMEDIA_BUSY (a thread is at work),
        RMEDIA_HOST. `from` (may be NULL) gets the index of the packet's output, or of the input, output
        or node that the status is about.

        Ownership: the caller gets the packet on RMEDIA_OK.
        Thread: any. Blocks: as its nodes do, and up to the timeout. Real-time: with RMEDIA_TRY, if its
        nodes are. Since: 0.1.
        Errors: once the pipeline is over, why; after a failure the packets from before it come first.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, c_uint32, POINTER(rmedia_error_t))
    def rmedia_pipeline_end(
        self,
        pipeline: rmedia_pipeline_t,
        input: int,
        error: Pointer,
    ) -> int:
        """Ends the input of that index (RMEDIA_ANY: all inputs): nothing more will be pushed. What nodes
        still hold comes with the next pulls, then RMEDIA_END. Ending again does nothing.

        Thread: any. Blocks: as its nodes do. Real-time: no. Since: 0.1.
        Errors: once the pipeline is over, why.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, c_uint32, c_int64, POINTER(rmedia_error_t))
    def rmedia_pipeline_gap(
        self,
        pipeline: rmedia_pipeline_t,
        input: int,
        until_ns: int,
        error: Pointer,
    ) -> int:
        """Says that nothing earlier than `until_ns` will come into the input of that index (RMEDIA_ANY: the
        only one): a node that waits for it there, to take packets of several connections by their time,
        goes on. A packet that is pushed afterwards without a time begins at `until_ns`, after a break. A
        time before where the input stands does nothing.

        Thread: any. Blocks: as its nodes do. Real-time: if its nodes are. Since: 0.1.
        Errors: NOT_FOUND for an index that there is not; STATE after the input's end; once the pipeline
        is over, why.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(rmedia_error_t))
    def rmedia_pipeline_advance(self, pipeline: rmedia_pipeline_t, error: Pointer) -> int:
        """Runs whatever runs inline, sources included, until the outputs are full or there is nothing left
        to do, and lets sources begin that are placed on threads. Pulls nothing and never waits. Says why
        it stopped, as rmedia_pipeline_pull does: RMEDIA_NEED_INPUT, RMEDIA_FULL, RMEDIA_IN_FLIGHT,
        RMEDIA_DUE, RMEDIA_BUSY (while threads are at work) or RMEDIA_HOST.

        Thread: any. Blocks: as its nodes do. Real-time: if its nodes are. Since: 0.1.
        Errors: once the pipeline is over, why.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(c_uint32), POINTER(rmedia_error_t))
    def rmedia_pipeline_reset(
        self,
        pipeline: rmedia_pipeline_t,
        epoch: Pointer,
        error: Pointer,
    ) -> int:
        """Forgets everything inside, at once: queues, what nodes hold, open jobs. Params, ends and formats
        stay; sources that have not ended begin again. Nothing that was emitted before is pulled
        afterwards; a push afterwards belongs to the new epoch, whose number `epoch` gets (may be NULL).

        Thread: any. Blocks: no, a node's call that is running goes on. Real-time: no. Since: 0.1.
        Errors: once the pipeline is over, why.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(c_uint32), POINTER(rmedia_error_t))
    def rmedia_pipeline_interrupt(
        self,
        pipeline: rmedia_pipeline_t,
        epoch: Pointer,
        error: Pointer,
    ) -> int:
        """Forgets, at once, everything behind where the manifest says (`interrupt: {from: […]}`; without it,
        everything): what somebody has heard enough of. Queues there are emptied, nodes reset, open jobs
        dropped; params and ends stay, and what lies before goes on. Nothing of it is pulled once this has
        returned, and a push afterwards belongs to the new epoch, whose number `epoch` gets (may be NULL).
        A push that waits for room there gives RMEDIA_INTERRUPTED. An `interrupted` event says what was
        forgotten, once it has come through.

        Thread: any, not in its nodes. Blocks: no, a node's call that is running goes on. Real-time: no.
        Since: 0.1.
        Errors: once the pipeline is over, why; REENTRANT inside a node of this pipeline.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(rmedia_error_t))
    def rmedia_pipeline_rewind(self, pipeline: rmedia_pipeline_t, error: Pointer) -> int:
        """Makes a pipeline that has come to its end ready for another run: inputs are open again, sources
        begin at their start.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: STATE while it still runs; once it is over, why.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, c_int32, POINTER(rmedia_error_t))
    def rmedia_pipeline_close(
        self,
        pipeline: rmedia_pipeline_t,
        timeout_ms: int,
        error: Pointer,
    ) -> int:
        """Ends all inputs and works everything off, waiting for threads, open jobs and what is due up to
        `timeout_ms` (RMEDIA_FOREVER: as long as it takes). What nobody pulls is dropped, so that writers on other
        branches finish. To get every result: end, pull to the end, then close. RMEDIA_OK: every node
        has delivered its tail; RMEDIA_CUT: time was up first. RMEDIA_HOST: it goes on closing, and waits
        for a job that nobody serves: take it, then close again.

        Thread: any, not in a callback. Blocks: as its nodes do, and up to the timeout. Real-time: no.
        Since: 0.1.
        Errors: why the pipeline failed or was cancelled; REENTRANT in a callback or a node.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t)
    def rmedia_pipeline_cancel(self, pipeline: rmedia_pipeline_t) -> int:
        """Stops at once, from any thread, also from inside its nodes. Waiting calls return. Sticky.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(c_int32))
    def rmedia_pipeline_state(self, pipeline: rmedia_pipeline_t, state: Pointer) -> int:
        """Gives what the pipeline is doing: RMEDIA_STATE_…

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(
        c_int32,
        rmedia_pipeline_t,
        c_char_p,
        c_char_p,
        c_int64,
        POINTER(c_uint64),
        POINTER(rmedia_error_t),
    )
    def rmedia_pipeline_set_params(
        self,
        pipeline: rmedia_pipeline_t,
        node: bytes | None,
        params: bytes | None,
        at_ns: int,
        seq: Pointer,
        error: Pointer,
    ) -> int:
        """Sets live params of a node: `params` is a JSON object of those that change. `at_ns`: from the
        sample at that time of its input on (audio is cut there), or RMEDIA_NO_TIME: at the next border
        between two packets. `seq` (may be NULL) gets a number; exactly one `params` event with it will
        say what became of it. When one value is wrong nothing is set.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: NOT_FOUND for a node that is not there; INVALID_ARGUMENT for what can't be set so, or live.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(rmedia_string_t))
    def rmedia_pipeline_next_event(self, pipeline: rmedia_pipeline_t, event: Pointer) -> int:
        """Takes the pipeline's oldest event as JSON, {event: "state" | "error" | "warning" | "dropped" |
        "params" | "format_changed" | "discontinuity" | "reset" | "interrupted" | "join_gap" |
        "queue_grown" | "recovered" | "breaker" | "hung" | "lost", …}; RMEDIA_EMPTY when there is none.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(rmedia_string_t))
    def rmedia_pipeline_metrics(self, pipeline: rmedia_pipeline_t, json: Pointer) -> int:
        """Gives all counters and times as JSON.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, POINTER(c_int32))
    def rmedia_pipeline_wait_handle(self, pipeline: rmedia_pipeline_t, fd: Pointer) -> int:
        """Gives a file descriptor for poll, select or an event loop. It is readable when something has
        changed since a pull or rmedia_pipeline_next_event found nothing (also by the engine's threads, or
        because a time has come), and while packets or events wait; once the pipeline is over, until a
        pull has said why. Then: pull and take events until there are none. It belongs to the pipeline:
        don't read or close it, and stop watching it before rmedia_pipeline_destroy.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: UNSUPPORTED where the system has no such thing.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, c_void_p, c_void_p, c_void_p)
    def rmedia_pipeline_set_wakeup(
        self,
        pipeline: rmedia_pipeline_t,
        wakeup: int | None,
        user: int | None,
        free: int | None,
    ) -> int:
        """Sets a function that is called when the wait handle would become readable: once, until a pull or
        rmedia_pipeline_next_event has found nothing again. It is called on whatever thread changes the
        pipeline, the engine's or, inside its own calls, the program's, and may only poke the program's
        loop: it must not take a lock that the program holds while it calls this library. NULL takes the
        function away. When this returns, no call of the former function is running or will begin (from inside that call it
        returns at once), and `free` has been or will be called once with its `user`.

        Ownership: takes `user` on success.
        Thread: any. Blocks: for a call of the former function that is running. Real-time: no. Since: 0.1.
        """
        ...

    @_function(
        c_int32,
        POINTER(rmedia_packet_info_t),
        POINTER(rmedia_packet_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_packet_create(self, info: Pointer, packet: Pointer, error: Pointer) -> int:
        """Makes a packet in the engine's memory. What `info` says about format and size is checked;
        content is copied from `info->data` (planes from `stride` apart). With NULL there, audio, video,
        tensors and bytes are made without content, to be written through rmedia_packet_data.

        Ownership: the caller gets the packet.
        Thread: any. Blocks: no. Real-time: yes for audio and bytes from warm memory. Since: 0.1.
        Errors: FORMAT for a format out of range or a size that does not fit it; LIMIT above the
        engine's memory limit.
        """
        ...

    @_function(
        c_int32,
        POINTER(rmedia_packet_info_t),
        c_uint32,
        c_void_p,
        c_void_p,
        POINTER(rmedia_packet_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_packet_wrap(
        self,
        info: Pointer,
        mode: int,
        release: int | None,
        user: int | None,
        packet: Pointer,
        error: Pointer,
    ) -> int:
        """Makes a packet over memory of the program, without a copy. The memory must stay as it is until
        `release` is called with `user`: exactly once after a success, when nothing refers to it any
        more, on any thread (RMEDIA_RELEASE_DIRECT) or in rmedia_engine_run_releases (RMEDIA_RELEASE_DEFERRED);
        never after a failure. `release` must not block, nor take a lock that
        the program holds while it calls this library; inside it calls that wait are refused. Memory
        that is still held when the process exits is not released.

        Ownership: the caller gets the packet.
        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: INVALID_ARGUMENT for NULL data or an unknown mode; FORMAT for a size or alignment that does not
        fit the format; UNSUPPORTED for planes that do not follow each other, and for text, json and
        file packets.
        """
        ...

    @_function(c_int32, rmedia_packet_t, POINTER(rmedia_packet_t))
    def rmedia_packet_share(self, packet: rmedia_packet_t, shared: Pointer) -> int:
        """Gives another handle to the same packet, without a copy. Each of them has one owner, and is
        released once.

        Ownership: the caller gets the new handle.
        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_packet_t)
    def rmedia_packet_release(self, packet: rmedia_packet_t) -> int:
        """Lets go of a packet. {0} is fine. When nothing refers to its memory any more, it goes back where
        it came from, which for wrapped memory in direct mode calls the program's function here.

        Thread: any. Blocks: no. Real-time: yes for audio and bytes in the engine's memory. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_packet_t, POINTER(rmedia_packet_info_t))
    def rmedia_packet_view(self, packet: rmedia_packet_t, info: Pointer) -> int:
        """Looks into a packet. What `info` points to lives as long as the handle.

        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_packet_t, POINTER(c_void_p))
    def rmedia_packet_data(self, packet: rmedia_packet_t, data: Pointer) -> int:
        """Gives the payload for writing, while nothing else refers to its memory and that is the engine's.
        Write before it is pushed or shared; one thread at a time.

        Thread: one at a time. Blocks: no. Real-time: yes. Since: 0.1.
        Errors: STATE when the memory is shared or the program's; FORMAT for kinds without such memory.
        """
        ...

    @_function(
        c_int32,
        rmedia_packet_t,
        c_size_t,
        c_size_t,
        POINTER(rmedia_packet_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_packet_slice(
        self,
        packet: rmedia_packet_t,
        first: int,
        frames: int,
        part: Pointer,
        error: Pointer,
    ) -> int:
        """Makes a packet of a part of an audio packet, without a copy: `frames` frames from the frame
        `first` on, with its time.

        Ownership: the caller gets the new packet and keeps the old one.
        Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
        Errors: FORMAT for other kinds; INVALID_ARGUMENT for a part that is not inside.
        """
        ...

    @_function(c_int32, rmedia_packet_t, POINTER(rmedia_string_t))
    def rmedia_packet_json(self, packet: rmedia_packet_t, json: Pointer) -> int:
        """Gives the value of a json packet, or the fields of a record packet, as JSON text.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: FORMAT for other kinds.
        """
        ...

    @_function(
        c_int32,
        POINTER(rmedia_engine_options_t),
        POINTER(rmedia_engine_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_engine_create(self, options: Pointer, engine: Pointer, error: Pointer) -> int:
        """Makes an engine: node types, memory and limits of its own. Most programs need none and use the
        default engine, {0}. `options` may be NULL.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: INVALID_ARGUMENT for a NULL `engine`; UNSUPPORTED for unknown flags.
        """
        ...

    @_function(c_int32, rmedia_engine_t)
    def rmedia_engine_destroy(self, engine: rmedia_engine_t) -> int:
        """Lets go of an engine. Pipelines that run on it go on; deferred releases that wait are made now,
        later ones where their last packet goes. Threads that wait in rmedia_engine_next_job return, and
        pipelines whose host nodes have jobs that nobody has taken fail. No call of its wakeup function
        begins afterwards, and nobody is told of its pipelines by rmedia_engine_next_ready any more. {0} is
        fine and does nothing.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_engine_t, POINTER(rmedia_string_t))
    def rmedia_engine_nodes(self, engine: rmedia_engine_t, json: Pointer) -> int:
        """Gives the node types of an engine as a JSON list: name, ports, params with types, ranges,
        defaults, units.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(
        c_int32,
        rmedia_engine_t,
        c_char_p,
        POINTER(rmedia_string_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_engine_validate(
        self,
        engine: rmedia_engine_t,
        manifest: bytes | None,
        json: Pointer,
        error: Pointer,
    ) -> int:
        """Checks a manifest (JSON or YAML text) without making a pipeline. Gives {ok, problems: […], nodes,
        inputs, outputs, adapters, determinate, indeterminate} as JSON: all problems at once, each with
        its JSON pointer, line and column. RMEDIA_OK also when the manifest is wrong: see `ok`.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: INVALID_MANIFEST for a text that is not JSON or YAML at all.
        """
        ...

    @_function(c_int32, rmedia_engine_t, POINTER(rmedia_string_t))
    def rmedia_engine_threads(self, engine: rmedia_engine_t, json: Pointer) -> int:
        """Gives the number of the engine's threads, by lane, as JSON: {pool, blocking, realtime}. They are
        started when there is work for them.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_engine_t, POINTER(rmedia_string_t))
    def rmedia_engine_next_log(self, engine: rmedia_engine_t, line: Pointer) -> int:
        """Takes the oldest line of the engine's log: {level, time_ns, pipeline, message, lost} as JSON;
        RMEDIA_EMPTY when there is none. The log holds 1024 lines; `lost` counts those before this one
        that nobody took.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_engine_t, c_uint32, POINTER(c_uint32))
    def rmedia_engine_run_releases(
        self,
        engine: rmedia_engine_t,
        max: int,
        count: Pointer,
    ) -> int:
        """Runs at most `max` deferred releases that wait, on this thread. Gives how many in `count`, which
        may be NULL.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_engine_t, POINTER(c_int32))
    def rmedia_engine_wait_handle(self, engine: rmedia_engine_t, fd: Pointer) -> int:
        """Gives a file descriptor for poll, select or an event loop. It is readable while jobs of host nodes,
        deferred releases or pipelines of rmedia_pipeline_watch wait. Then: take them until there are none,
        with rmedia_engine_next_job, rmedia_engine_run_releases and rmedia_engine_next_ready. It belongs to
        the engine: don't read or close it, and stop watching it before rmedia_engine_destroy.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: UNSUPPORTED where the system has no such thing.
        """
        ...

    @_function(c_int32, rmedia_engine_t, c_void_p, c_void_p, c_void_p)
    def rmedia_engine_set_wakeup(
        self,
        engine: rmedia_engine_t,
        wakeup: int | None,
        user: int | None,
        free: int | None,
    ) -> int:
        """Sets a function that is called when the engine's wait handle would become readable; it may be
        called more than once before anything is taken. It is called on whatever thread brings what waits,
        the engine's or, inside its own calls, the program's, and may only poke the program's loop: it must
        not take a lock that the program holds while it calls this library. NULL takes the function away.
        When this returns, no call of the former function is running or will begin (from inside a wakeup it
        returns at once), and `free` has been or will be called once with its `user`.

        Ownership: takes `user` on success.
        Thread: any. Blocks: for a call of the former function that is running. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t, c_uint64)
    def rmedia_pipeline_watch(self, pipeline: rmedia_pipeline_t, tag: int) -> int:
        """Has the engine tell of a pipeline: from now on rmedia_engine_next_ready gives it, with this `tag`,
        whenever its wait handle would become readable, so that one descriptor (rmedia_engine_wait_handle)
        serves any number of pipelines, and none of them needs one of its own. It is given at once if
        something waits already. Watching it again changes the tag.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: BAD_HANDLE also when its engine has been destroyed.
        """
        ...

    @_function(c_int32, rmedia_pipeline_t)
    def rmedia_pipeline_unwatch(self, pipeline: rmedia_pipeline_t) -> int:
        """Takes back rmedia_pipeline_watch: once this has returned the engine does not give the pipeline any
        more. One that is not watched is fine. rmedia_pipeline_destroy does it, too.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(c_int32, rmedia_engine_t, POINTER(rmedia_pipeline_t), POINTER(c_uint64))
    def rmedia_engine_next_ready(
        self,
        engine: rmedia_engine_t,
        pipeline: Pointer,
        tag: Pointer,
    ) -> int:
        """Takes the pipeline that has had something to do for the longest time, of those that are watched, and
        its tag (may be NULL); RMEDIA_EMPTY when there is none. Then: pull with RMEDIA_TRY and take events
        until neither gives any. It is given again when there is more after a pull or
        rmedia_pipeline_next_event has found nothing, and not before; with several threads it may so be one
        that another thread has just served. The engine has one list: parts of a program that know nothing
        of each other need an engine each.

        Ownership: the pipeline stays whose it is.
        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...

    @_function(
        c_int32,
        rmedia_engine_t,
        POINTER(rmedia_node_type_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_engine_add_node(
        self,
        engine: rmedia_engine_t,
        type: Pointer,
        error: Pointer,
    ) -> int:
        """Adds a node type to an engine, for the pipelines to come. Its functions must not call their own
        pipeline, which gives REENTRANT, whatever thread they run on. Those that wait hold up what runs on
        the same thread; a type that says `blocking` gets one for waiting where it is placed on a thread.

        Ownership: takes `type->user` on success; `type->free` gives it back.
        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: INVALID_ARGUMENT for a declaration that is none, a missing `process`, or a name that is taken.
        """
        ...

    @_function(c_int32, rmedia_engine_t, c_char_p, POINTER(rmedia_error_t))
    def rmedia_engine_add_host_node(
        self,
        engine: rmedia_engine_t,
        declaration: bytes | None,
        error: Pointer,
    ) -> int:
        """Adds a node type whose jobs the program takes with rmedia_engine_next_job. `declaration` is as
        that of rmedia_node_type_t; its `max_in_flight` (1 if it gives none) is how many jobs of one node
        may be open at a time. Outputs go on in the order of their inputs, in whatever order jobs end.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: INVALID_ARGUMENT for a declaration that is none, or a name that is taken.
        """
        ...

    @_function(
        c_int32,
        rmedia_engine_t,
        c_int32,
        POINTER(rmedia_job_info_t),
        POINTER(rmedia_error_t),
    )
    def rmedia_engine_next_job(
        self,
        engine: rmedia_engine_t,
        timeout_ms: int,
        job: Pointer,
        error: Pointer,
    ) -> int:
        """Takes the next job of the engine's host nodes; RMEDIA_EMPTY when none comes within `timeout_ms`
        (0: don't wait, -1: for ever), or the engine is destroyed. Jobs of one node come in order. Several
        threads may serve; one that waits here is a server, and pulls of other threads rely on it for a
        second after its last job.

        Ownership: the caller gets the job, and ends it with rmedia_job_done or rmedia_job_fail; the
        packet is lent until then.
        Thread: any, not in a callback when it waits. Blocks: up to the timeout. Real-time: no.
        Since: 0.1.
        """
        ...

    @_function(
        c_int32,
        rmedia_job_t,
        c_uint32,
        rmedia_packet_t,
        POINTER(rmedia_error_t),
    )
    def rmedia_job_emit(
        self,
        job: rmedia_job_t,
        port: int,
        packet: rmedia_packet_t,
        error: Pointer,
    ) -> int:
        """Emits a packet on the output port of that index (0 is the default port). It counts when the job
        succeeds.

        Ownership: takes the packet on success.
        Thread: any, one at a time per job. Blocks: no. Real-time: yes after warm-up. Since: 0.1.
        Errors: INVALID_ARGUMENT for a port that the type doesn't have; STATE for a job that has ended.
        """
        ...

    @_function(c_int32, rmedia_job_t)
    def rmedia_job_done(self, job: rmedia_job_t) -> int:
        """Ends a job that was taken with rmedia_engine_next_job, or whose function returned
        RMEDIA_IN_FLIGHT. What it emitted goes on.

        Ownership: takes the job, and what was lent with it.
        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: STATE for a job that has ended.
        """
        ...

    @_function(c_int32, rmedia_job_t)
    def rmedia_job_is_cancelled(self, job: rmedia_job_t) -> int:
        """1 when nobody wants the job's result any more: an interrupt or reset has forgotten its packet, its
        deadline has passed, or the pipeline is over. Work that asks now and then can end early; the job has
        to be ended all the same, and what it emitted is dropped. 0 while the result is wanted. It tells of
        jobs that go on after a call: those of the queue that work on a packet or drain, and those whose
        function has returned RMEDIA_IN_FLIGHT. Of all others it is 0.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        Errors: BAD_HANDLE for a job that has ended.
        """
        ...

    @_function(c_int32, rmedia_job_t, c_char_p)
    def rmedia_job_fail(self, job: rmedia_job_t, message: bytes | None) -> int:
        """Fails a job with a message for people. In a function node's function: say why here, then return
        a negative status. Elsewhere it ends the job, as rmedia_job_done does.

        Thread: any. Blocks: no. Real-time: no. Since: 0.1.
        """
        ...


def load(path: str | None = None) -> Library:
    """Loads the library: from `path`, else from what the environment variable REMOTEMEDIA_LIBRARY
    names, else librmedia.so of this version where the system finds it. OSError: it is not there, or
    of another version.
    """
    ours = f"{RMEDIA_ABI_VERSION >> 24}.{RMEDIA_ABI_VERSION >> 8 & 0xFFFF}"
    found = path or os.environ.get("REMOTEMEDIA_LIBRARY") or f"librmedia.so.{ours}"
    try:
        library = Library(found)
    except OSError as error:
        hint = "give its path, or set REMOTEMEDIA_LIBRARY to it"
        raise OSError(f"'{found}' can't be loaded ({error}); {hint}") from None
    try:
        abi = library.rmedia_abi_version()
    except AttributeError:
        raise OSError(f"'{found}' is no librmedia") from None
    if abi >> 8 != RMEDIA_ABI_VERSION >> 8:
        theirs = f"{abi >> 24}.{abi >> 8 & 0xFFFF}.{abi & 0xFF}"
        raise OSError(f"'{found}' has version {theirs} of the ABI; this module is for {ours}")
    return library


class Error(Exception):
    """Why a call failed."""

    def __init__(self, status: int, name: str, detail: str, message: str, told: str) -> None:
        super().__init__(message)
        #: RMEDIA_E_…
        self.status = status
        #: Its name, e.g. "InvalidManifest".
        self.name = name
        #: The stable id of what went wrong; empty where a call tells its status only.
        self.detail = detail
        self.message = message
        #: Everything: {detail, message, node?, port?, pointer?, hint?, cause?, problems?}.
        self.json: Json = json.loads(told) if told else {}


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def _failure(library: Library, status: int, error: rmedia_error_t | None = None) -> Error:
    """Takes the error that a call has left."""
    name = _text(library.rmedia_status_name(status))
    if error is None or not error.id:
        return Error(status, name, "", name, "")
    try:
        detail = _text(library.rmedia_error_detail(error))
        message = _text(library.rmedia_error_message(error))
        return Error(status, name, detail, message, _text(library.rmedia_error_json(error)))
    finally:
        library.rmedia_error_release(error)


def _call(library: Library, function: Callable[..., int], *arguments: object) -> int:
    """Calls a function whose last parameter is an error. Gives its status, which is no failure."""
    error = rmedia_error_t()
    status = function(*arguments, ctypes.byref(error))
    if status < 0:
        raise _failure(library, status, error)
    return status


def _checked(library: Library, status: int) -> int:
    """The status of a call that leaves no error."""
    if status < 0:
        raise _failure(library, status)
    return status


def _taken(library: Library, string: rmedia_string_t) -> str:
    """The words of a text, which is let go of."""
    data = library.rmedia_string_data(string)
    library.rmedia_string_release(string)
    return _text(data)


def _told(library: Library, function: Callable[..., int], *arguments: object) -> Json:
    """The JSON that a function gives; None for RMEDIA_EMPTY."""
    string = rmedia_string_t()
    if _checked(library, function(*arguments, ctypes.byref(string))) != RMEDIA_OK:
        return None
    return json.loads(_taken(library, string))


def _wait(call: Callable[[int], int], timeout_ms: int) -> int:
    """Calls again for as long as waiting helps, so that signals (Ctrl-C) come through."""
    began = time.monotonic()
    while True:
        left = timeout_ms
        if timeout_ms > 0:
            left = max(0, timeout_ms - int((time.monotonic() - began) * 1000))
        status = call(100 if left < 0 else min(left, 100))
        waits = status in (RMEDIA_IN_FLIGHT, RMEDIA_DUE, RMEDIA_BUSY, RMEDIA_EMPTY)
        if not waits or 0 <= left <= 100:
            return status


_keys = itertools.count(1)
#: Memory that packets wrap.
_wrapped: dict[int, object] = {}
_release: _Type = None


def _pin(data: Buffer, copy: bool) -> tuple[int | None, int, object]:
    """Address and size of a buffer, and what keeps them. What can't be pinned is copied, or not."""
    if isinstance(data, bytes):
        return ctypes.cast(ctypes.c_char_p(data), c_void_p).value, len(data), data
    view = memoryview(data)
    if view.readonly or not view.c_contiguous:
        if not copy:
            raise ValueError("only bytes, and memory that can be written, can be wrapped")
        return _pin(view.tobytes(), copy)
    pinned = (ctypes.c_ubyte * view.nbytes).from_buffer(view)
    return ctypes.addressof(pinned), view.nbytes, pinned


class _Handle:
    """An object of the library, released once."""

    def __init__(self, library: Library, handle: _Type, release: Callable[[_Type], int]) -> None:
        self.library = library
        #: The handle; its id is 0 once it is released.
        self.handle = handle
        self._release = release

    def release(self) -> None:
        """Lets go of it. Again: nothing happens."""
        handle, self.handle = self.handle, type(self.handle)()
        if handle.id:
            self._release(handle)

    def __del__(self) -> None:
        if hasattr(self, "_release"):
            self.release()


SAMPLES = {
    "f32": RMEDIA_SAMPLE_F32,
    "i16": RMEDIA_SAMPLE_I16,
    "i24": RMEDIA_SAMPLE_I24,
    "i32": RMEDIA_SAMPLE_I32,
    "u8": RMEDIA_SAMPLE_U8,
}
#: Bytes of a sample, and what the view of one is; by RMEDIA_SAMPLE_…
_SIZES = [4, 2, 3, 4, 1]
_VIEWS = ["f", "h", "B", "i", "B"]


class Packet(_Handle):
    """A packet: the owner of a handle to it."""

    def __init__(self, library: Library, handle: rmedia_packet_t) -> None:
        super().__init__(library, handle, library.rmedia_packet_release)

    def __enter__(self) -> Packet:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @staticmethod
    def create(
        library: Library,
        info: rmedia_packet_info_t,
        data: Buffer = None,
        pts_ns: int | None = None,
        discont: bool = False,
        engine: Engine | None = None,
        wrap: bool = False,
    ) -> Packet:
        """Makes a packet with what `info` says; `data` is copied, or (`wrap`) used as it is: it must
        not change, and is given back in `Engine.run_releases`."""
        packet, owner = rmedia_packet_t(), None
        if data is not None:
            info.data, info.size, owner = _pin(data, not wrap)
        if pts_ns is not None:
            info.flags |= RMEDIA_PACKET_PTS
            info.pts_ns = pts_ns
        if discont:
            info.flags |= RMEDIA_PACKET_DISCONT
        if engine is not None:
            info.engine = engine.handle
        to = ctypes.byref(info)
        if wrap:
            key = next(_keys)
            _wrapped[key] = owner
            mode, given = RMEDIA_RELEASE_DEFERRED, _release_function()
            try:
                wrapper = library.rmedia_packet_wrap
                _call(library, wrapper, to, mode, given, key, ctypes.byref(packet))
            except Error:
                del _wrapped[key]
                raise
        else:
            _call(library, library.rmedia_packet_create, to, ctypes.byref(packet))
        return Packet(library, packet)

    @staticmethod
    def audio(
        library: Library,
        data: Buffer,
        rate: int,
        channels: int,
        sample: str = "f32",
        planar: bool = False,
        **more: _Type,
    ) -> Packet:
        """Samples, frame by frame or (`planar`) one channel behind the other. `more` as in `create`."""
        info = init(rmedia_packet_info_t)
        info.kind = RMEDIA_KIND_AUDIO
        info.format = SAMPLES[sample]
        info.flags = RMEDIA_PACKET_PLANAR if planar else 0
        info.rate, info.channels = rate, channels
        frame = _SIZES[info.format] * channels
        info.frames = memoryview(data).nbytes // frame if frame else 0
        return Packet.create(library, info, data, **more)

    @staticmethod
    def text(library: Library, text: str, **more: _Type) -> Packet:
        """Text. `more` as in `create`."""
        info = init(rmedia_packet_info_t)
        info.kind = RMEDIA_KIND_TEXT
        return Packet.create(library, info, text.encode(), **more)

    @staticmethod
    def value(library: Library, value: Json, **more: _Type) -> Packet:
        """A JSON value. `more` as in `create`."""
        return Packet.json_text(library, json.dumps(value), **more)

    @staticmethod
    def json_text(library: Library, text: str, **more: _Type) -> Packet:
        """A JSON value, from its text. `more` as in `create`."""
        info = init(rmedia_packet_info_t)
        info.kind = RMEDIA_KIND_JSON
        return Packet.create(library, info, text.encode(), **more)

    @staticmethod
    def from_bytes(library: Library, data: Buffer, **more: _Type) -> Packet:
        """Bytes. `more` as in `create`."""
        info = init(rmedia_packet_info_t)
        info.kind = RMEDIA_KIND_BYTES
        return Packet.create(library, info, data, **more)

    def share(self) -> Packet:
        """Another handle to it, without a copy."""
        return _share(self.library, self.handle)

    @property
    def info(self) -> rmedia_packet_info_t:
        """What it is. Its pointers live as long as the handle: for the payload take `view`."""
        info = init(rmedia_packet_info_t)
        _checked(self.library, self.library.rmedia_packet_view(self.handle, ctypes.byref(info)))
        return info

    @property
    def pts_ns(self) -> int | None:
        """Its time, if it has one."""
        info = self.info
        return info.pts_ns if info.flags & RMEDIA_PACKET_PTS else None

    def view(self) -> memoryview:
        """The payload, without a copy: numbers for audio (bytes for i24), else bytes. It can't be
        written, and keeps the packet alive for as long as it is there itself."""
        info = self.info
        form = _VIEWS[info.format] if info.kind == RMEDIA_KIND_AUDIO else "B"
        if not info.data or not info.size:
            return memoryview(cast("Any", array.array(form))).toreadonly()
        memory = (ctypes.c_ubyte * info.size).from_address(info.data)
        cast("Any", memory).owner = self.share()
        view: Any = memoryview(memory).toreadonly().cast("B")
        return view if form == "B" else view.cast(form)

    def slice(self, first: int, frames: int) -> Packet:
        """A part of an audio packet, without a copy."""
        part, call = rmedia_packet_t(), self.library.rmedia_packet_slice
        _call(self.library, call, self.handle, first, frames, ctypes.byref(part))
        return Packet(self.library, part)

    def json(self) -> Json:
        """The value of a json packet, or the fields of a record."""
        return _told(self.library, self.library.rmedia_packet_json, self.handle)


def _share(library: Library, handle: rmedia_packet_t) -> Packet:
    shared = rmedia_packet_t()
    _checked(library, library.rmedia_packet_share(handle, ctypes.byref(shared)))
    return Packet(library, shared)


def _release_function() -> Pointer:
    """What is called for wrapped memory: in `run_releases`, or once the engine is gone wherever the
    last packet goes. ctypes takes the interpreter's lock for it."""
    global _release
    if _release is None:

        def release(key: int | None) -> None:
            _wrapped.pop(key or 0, None)

        _release = ctypes.CFUNCTYPE(None, c_void_p)(release)
    return ctypes.cast(_release, c_void_p)


class Engine(_Handle):
    """An engine: node types, jobs, deferred releases. `Engine.default` is the one that always is."""

    def __init__(self, library: Library, memory_limit: int = 0) -> None:
        """`memory_limit`: most bytes that its packets may hold; 0 is 4 GiB."""
        options, handle = init(rmedia_engine_options_t), rmedia_engine_t()
        options.memory_limit = memory_limit
        to = ctypes.byref(options)
        _call(library, library.rmedia_engine_create, to, ctypes.byref(handle))
        super().__init__(library, handle, library.rmedia_engine_destroy)

    @classmethod
    def default(cls, library: Library) -> Engine:
        """The default engine."""
        engine = cls.__new__(cls)
        _Handle.__init__(engine, library, rmedia_engine_t(), library.rmedia_engine_destroy)
        return engine

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def nodes(self) -> Json:
        """The node types."""
        return _told(self.library, self.library.rmedia_engine_nodes, self.handle)

    def validate(self, manifest: str) -> Json:
        """What is wrong in a manifest, and what it would run: {ok, problems, …}."""
        string, text = rmedia_string_t(), manifest.encode()
        call = self.library.rmedia_engine_validate
        _call(self.library, call, self.handle, text, ctypes.byref(string))
        return json.loads(_taken(self.library, string))

    def add_host_node(self, declaration: Json) -> None:
        """Adds a node type whose jobs come by `next_job`."""
        text = json.dumps(declaration).encode()
        _call(self.library, self.library.rmedia_engine_add_host_node, self.handle, text)

    def next_job(self, timeout_ms: int = RMEDIA_TRY) -> Job | None:
        """The next job of a node of the program; None when none comes in time."""
        info, call = init(rmedia_job_info_t), self.library.rmedia_engine_next_job

        def once(left: int) -> int:
            return _call(self.library, call, self.handle, left, ctypes.byref(info))

        return Job(self.library, info) if _wait(once, timeout_ms) == RMEDIA_OK else None

    def next_log(self) -> Json:
        """The oldest line of the log; None when there is none."""
        return _told(self.library, self.library.rmedia_engine_next_log, self.handle)

    def threads(self) -> Json:
        """How many threads it has, by lane."""
        return _told(self.library, self.library.rmedia_engine_threads, self.handle)

    def run_releases(self, most: int = 2**32 - 1) -> int:
        """Gives wrapped memory back that nobody needs any more. How many."""
        count = c_uint32()
        call = self.library.rmedia_engine_run_releases
        _checked(self.library, call(self.handle, most, ctypes.byref(count)))
        return count.value

    def next_ready(self) -> int | None:
        """The tag of the next pipeline that has something to do, of those that are watched; None when
        no pipeline has. Pull and take its events until there are none."""
        pipeline, tag = rmedia_pipeline_t(), c_uint64()
        call = self.library.rmedia_engine_next_ready
        status = call(self.handle, ctypes.byref(pipeline), ctypes.byref(tag))
        return tag.value if _checked(self.library, status) == RMEDIA_OK else None

    def wait_handle(self) -> int:
        """A file descriptor that is readable while jobs, releases or ready pipelines wait."""
        fd = c_int32()
        call = self.library.rmedia_engine_wait_handle
        _checked(self.library, call(self.handle, ctypes.byref(fd)))
        return fd.value


class Job:
    """What a node of the program is asked to do. In a `with` block it ends with it: well, or with
    the exception's message as the node's failure."""

    def __init__(self, library: Library, info: rmedia_job_info_t) -> None:
        self.library = library
        self.handle = info.job
        #: RMEDIA_JOB_…
        self.kind = info.kind
        #: A number of its own for each node.
        self.node = info.node
        self.node_type = _text(info.node_type)
        self.params: Json = json.loads(_text(info.params))
        self.port = info.port
        #: The packet to work on.
        self.packet = _share(library, info.packet) if info.packet.id else None

    def __enter__(self) -> Job:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self.handle.id and error is None:
            self.done()
        elif self.handle.id:
            self.fail(str(error) or type(error).__name__)

    def emit(self, packet: Packet, port: int = 0) -> None:
        """Emits a packet, which is gone then. It counts when the job is done."""
        call = self.library.rmedia_job_emit
        _call(self.library, call, self.handle, port, packet.handle)
        packet.handle = rmedia_packet_t()

    def is_cancelled(self) -> bool:
        """Whether nobody wants its result any more; it has to be ended all the same."""
        return _checked(self.library, self.library.rmedia_job_is_cancelled(self.handle)) == 1

    def done(self) -> None:
        """Ends it well."""
        handle = self._end()
        _checked(self.library, self.library.rmedia_job_done(handle))

    def fail(self, message: str) -> None:
        """Ends it with a failure."""
        handle = self._end()
        _checked(self.library, self.library.rmedia_job_fail(handle, message.encode()))

    def _end(self) -> rmedia_job_t:
        handle, self.handle = self.handle, rmedia_job_t()
        if self.packet is not None:
            self.packet.release()
        return handle

    def __del__(self) -> None:
        if hasattr(self, "handle") and self.handle.id:
            self.fail("the job was dropped without a result")


class Pulled(NamedTuple):
    """What a pull came to."""

    #: RMEDIA_OK with a packet, RMEDIA_END, or why there is none.
    status: int
    packet: Packet | None
    #: Index of the packet's output, or of the input, output or node that the status is about.
    about: int


class Pipeline(_Handle):
    """A running pipeline. Leaving its `with` block cancels it and lets go of it."""

    def __init__(
        self,
        library: Library,
        manifest: str,
        engine: Engine | None = None,
        untrusted: bool = False,
    ) -> None:
        """From a manifest's text, JSON or YAML."""
        self._create(library, library.rmedia_pipeline_create, manifest, engine, untrusted)

    @classmethod
    def from_file(
        cls,
        library: Library,
        path: str | os.PathLike[str],
        engine: Engine | None = None,
        untrusted: bool = False,
    ) -> Pipeline:
        """From a manifest's file."""
        pipeline, call = cls.__new__(cls), library.rmedia_pipeline_create_from_file
        pipeline._create(library, call, os.fspath(path), engine, untrusted)
        return pipeline

    def _create(
        self,
        library: Library,
        call: Callable[..., int],
        text: str,
        engine: Engine | None,
        untrusted: bool,
    ) -> None:
        options, handle = init(rmedia_pipeline_options_t), rmedia_pipeline_t()
        options.flags = RMEDIA_PIPELINE_UNTRUSTED if untrusted else 0
        if engine is not None:
            options.engine = engine.handle
        to = ctypes.byref(options)
        _call(library, call, text.encode(), to, ctypes.byref(handle))
        super().__init__(library, handle, library.rmedia_pipeline_destroy)

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _index(self, call: Callable[..., int], port: str | int | None) -> int:
        if port is None:
            return RMEDIA_ANY
        if isinstance(port, int):
            return port
        index = c_uint32()
        _call(self.library, call, self.handle, port.encode(), ctypes.byref(index))
        return index.value

    def input(self, name: str) -> int:
        """Index of an input."""
        return self._index(self.library.rmedia_pipeline_input, name)

    def output(self, name: str) -> int:
        """Index of an output."""
        return self._index(self.library.rmedia_pipeline_output, name)

    def input_name(self, index: int) -> str:
        """Name of an input."""
        return self._name(self.library.rmedia_pipeline_input_name, index)

    def output_name(self, index: int) -> str:
        """Name of an output."""
        return self._name(self.library.rmedia_pipeline_output_name, index)

    def _name(self, call: Callable[..., int], index: int) -> str:
        string = rmedia_string_t()
        _checked(self.library, call(self.handle, index, ctypes.byref(string)))
        return _taken(self.library, string)

    def push(
        self, packet: Packet, input: str | int | None = None, timeout_ms: int = RMEDIA_TRY
    ) -> int:
        """Pushes a packet into an input (name, index; None: the only one). RMEDIA_OK: the packet is
        gone. RMEDIA_FULL, RMEDIA_IN_FLIGHT, RMEDIA_DUE, RMEDIA_BUSY, RMEDIA_HOST,
        RMEDIA_INTERRUPTED: it is still there."""
        index, call = self._index(self.library.rmedia_pipeline_input, input), self._push

        def once(left: int) -> int:
            return call(index, packet, left)

        return _wait(once, timeout_ms)

    def _push(self, index: int, packet: Packet, timeout_ms: int) -> int:
        call = self.library.rmedia_pipeline_push
        status = _call(self.library, call, self.handle, index, packet.handle, timeout_ms)
        if status == RMEDIA_OK:
            packet.handle = rmedia_packet_t()
        return status

    def pull(self, output: str | int | None = None, timeout_ms: int = RMEDIA_TRY) -> Pulled:
        """Pulls the next packet of an output (name, index; None: of any)."""
        index = self._index(self.library.rmedia_pipeline_output, output)
        packet, about = rmedia_packet_t(), c_uint32(RMEDIA_ANY)
        call = self.library.rmedia_pipeline_pull

        def once(left: int) -> int:
            found = ctypes.byref(packet), ctypes.byref(about)
            return _call(self.library, call, self.handle, index, left, *found)

        status = _wait(once, timeout_ms)
        pulled = Packet(self.library, packet) if status == RMEDIA_OK else None
        return Pulled(status, pulled, about.value)

    def end(self, input: str | int | None = None) -> None:
        """Ends an input (name, index; None: all)."""
        index = self._index(self.library.rmedia_pipeline_input, input)
        _call(self.library, self.library.rmedia_pipeline_end, self.handle, index)

    def gap(self, until_ns: int, input: str | int | None = None) -> None:
        """Says that nothing earlier will come into an input (name, index; None: the only one)."""
        index = self._index(self.library.rmedia_pipeline_input, input)
        _call(self.library, self.library.rmedia_pipeline_gap, self.handle, index, until_ns)

    def advance(self) -> int:
        """Runs whatever can run. Says why it stopped."""
        return _call(self.library, self.library.rmedia_pipeline_advance, self.handle)

    def reset(self) -> int:
        """Forgets everything inside. Gives the epoch that begins."""
        epoch, call = c_uint32(), self.library.rmedia_pipeline_reset
        _call(self.library, call, self.handle, ctypes.byref(epoch))
        return epoch.value

    def interrupt(self) -> int:
        """Forgets what lies behind where the manifest says. Gives the epoch that begins."""
        epoch, call = c_uint32(), self.library.rmedia_pipeline_interrupt
        _call(self.library, call, self.handle, ctypes.byref(epoch))
        return epoch.value

    def rewind(self) -> None:
        """Makes a pipeline that has come to its end ready for another run."""
        _call(self.library, self.library.rmedia_pipeline_rewind, self.handle)

    def close(self, timeout_ms: int = RMEDIA_FOREVER) -> int:
        """Ends all inputs and works everything off: RMEDIA_OK, or RMEDIA_CUT when time was up."""
        return _call(self.library, self.library.rmedia_pipeline_close, self.handle, timeout_ms)

    def cancel(self) -> None:
        """Stops at once."""
        _checked(self.library, self.library.rmedia_pipeline_cancel(self.handle))

    def state(self) -> int:
        """What it is doing: RMEDIA_STATE_…"""
        state = c_int32()
        call = self.library.rmedia_pipeline_state
        _checked(self.library, call(self.handle, ctypes.byref(state)))
        return state.value

    def set_params(self, node: str, params: Json, at_ns: int = RMEDIA_NO_TIME) -> int:
        """Sets live params of a node, from that time of its input on. The number of the change."""
        number, call = c_uint64(), self.library.rmedia_pipeline_set_params
        texts = node.encode(), json.dumps(params).encode()
        _call(self.library, call, self.handle, *texts, at_ns, ctypes.byref(number))
        return number.value

    def describe(self) -> Json:
        """What runs: {nodes, inputs, outputs, adapters, …}."""
        return _told(self.library, self.library.rmedia_pipeline_describe, self.handle)

    def next_event(self) -> Json:
        """The oldest event; None when there is none."""
        return _told(self.library, self.library.rmedia_pipeline_next_event, self.handle)

    def metrics(self) -> Json:
        """All counters and times."""
        return _told(self.library, self.library.rmedia_pipeline_metrics, self.handle)

    def wait_handle(self) -> int:
        """A file descriptor that is readable while there is something to do."""
        fd = c_int32()
        call = self.library.rmedia_pipeline_wait_handle
        _checked(self.library, call(self.handle, ctypes.byref(fd)))
        return fd.value

    def watch(self, tag: int) -> None:
        """Has the engine tell of it: its `next_ready` gives the tag when there is something to do."""
        _checked(self.library, self.library.rmedia_pipeline_watch(self.handle, tag))

    def unwatch(self) -> None:
        """Takes that back: the engine does not tell of it any more."""
        _checked(self.library, self.library.rmedia_pipeline_unwatch(self.handle))


def live(library: Library) -> Json:
    """How many handles of each kind are live."""
    return _told(library, library.rmedia_live)
