"""The native part of the package."""

from typing import Any, Self, final

from typing_extensions import disjoint_base

__version__: str

@final
class Packet:
    """A packet: immutable data of one kind, with a time.

    Made of: a NumPy array or anything else with the buffer protocol or DLPack (with `rate=`:
    audio, of shape (frames,) or (frames, channels), float32, float64, int16, int32 or uint8; with
    `pixel_format=`: video, uint8 of shape (height, width[, channels]); else a tensor), bytes, str,
    a path (a file), or a JSON value. `kind=` says it outright.

    It is a read-only buffer: `numpy.asarray(packet)` and `memoryview(packet)` share its memory,
    which lives as long as anything refers to it. DLPack, too: `torch.from_dlpack(packet)`.

    Raises FormatError for data that fits no kind, ArgumentError for a kind that there is not.
    """

    def __new__(
        cls,
        data: Any,
        *,
        kind: str | None = None,
        rate: int | None = None,
        channels: int | None = None,
        pts_ns: int | None = None,
        discont: bool = False,
        sample_format: str | None = None,
        planar: bool = False,
        pixel_format: str | None = None,
        codec: str | None = None,
        key: bool = False,
        copy: bool = True,
    ) -> Self:
        """`channels`: of samples in one dimension, which are then interleaved. `sample_format`
        ("f32", "i16", "i24", "i32", "u8"): of samples given as bytes. `planar`: each channel has
        its own stretch, (channels, frames). `pts_ns`: the time in nanoseconds. `discont`: the
        stream breaks before it. `copy=False`: borrows the memory of a read-only, contiguous
        array."""

    @property
    def kind(self) -> str:
        """audio, video, encoded, tensor, text, json, record, bytes or file."""

    @property
    def port(self) -> str | None:
        """Name of the output that it was pulled from."""

    @property
    def pts_ns(self) -> int | None:
        """Its time in nanoseconds."""

    @property
    def discont(self) -> bool:
        """Whether the stream breaks before it."""

    @property
    def rate(self) -> int:
        """Audio: frames a second."""

    @property
    def channels(self) -> int:
        """Audio: channels."""

    @property
    def frames(self) -> int:
        """Audio: frames (samples per channel)."""

    @property
    def duration_ns(self) -> int:
        """Audio: how long it lasts, in nanoseconds."""

    @property
    def sample_format(self) -> str:
        """Audio: f32, i16, i24, i32 or u8."""

    @property
    def planar(self) -> bool:
        """Audio: whether each channel has a plane of its own."""

    @property
    def width(self) -> int:
        """Video: pixels a row."""

    @property
    def height(self) -> int:
        """Video: rows."""

    @property
    def pixel_format(self) -> str:
        """Video: rgb24, bgr24, rgba, bgra, gray8, i420 or nv12."""

    @property
    def key(self) -> bool:
        """Encoded: whether decoding can begin here."""

    @property
    def nbytes(self) -> int:
        """Bytes of the payload."""

    @property
    def dtype(self) -> str:
        """Type of the elements, as NumPy calls it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes: audio (frames,) or (frames, channels); video (height, width[, channels])."""

    @property
    def text(self) -> str:
        """Text: the text; file: the path."""

    def json(self) -> Any:
        """json and record: the value."""

    @property
    def value(self) -> Any:
        """text and file: str; json and record: the value; bytes: bytes; tensor: a read-only array;
        audio, video and encoded: the packet."""

    def numpy(self) -> Any:
        """As `numpy.asarray(packet)`: a read-only array over the packet's memory."""

    def tobytes(self) -> bytes:
        """A copy of the elements, row by row."""

    def slice(self, first: int, frames: int) -> Packet:
        """Audio: a part of it, without a copy."""

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __release_buffer__(self, buffer: memoryview, /) -> None: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...

@disjoint_base
class Pipeline:
    """What Pipeline and AsyncPipeline inherit."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def _open(self, text: str, engine: Engine | None = None, untrusted: bool = False) -> None: ...
    def _open_file(
        self, path: str, engine: Engine | None = None, untrusted: bool = False
    ) -> None: ...
    @property
    def _is_open(self) -> bool: ...
    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""

    def push(
        self,
        data: Any,
        port: str | None = None,
        *,
        rate: int | None = None,
        channels: int | None = None,
        pts_ns: int | None = None,
        discont: bool = False,
        kind: str | None = None,
        sample_format: str | None = None,
        planar: bool = False,
        pixel_format: str | None = None,
        copy: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Pushes a packet, or what `Packet` makes one of, into an input (None: the only one).

        An array is what the input takes: audio (without `rate` the manifest's `source_rate`, else
        48 kHz with a RateAssumedWarning), video, else a tensor. Waits up to `timeout` seconds
        (None: as long as it takes) where others can make room: threads, open jobs, time.

        Raises BackpressureError when the input is full and only a pull makes room, or time was up;
        Interrupted; FormatError, LateError, LimitError, StateError, NodeError. The data stays
        whole.
        """

    def _packet(
        self,
        data: Any,
        port: str | None = None,
        *,
        rate: int | None = None,
        channels: int | None = None,
        pts_ns: int | None = None,
        discont: bool = False,
        kind: str | None = None,
        sample_format: str | None = None,
        planar: bool = False,
        pixel_format: str | None = None,
        copy: bool = True,
    ) -> Packet: ...
    def _offer(self, packet: Packet, port: str | None = None) -> str | None: ...
    def pull(self, port: str | None = None, timeout: float | None = None) -> Packet | None:
        """The next packet of an output (None: of any, in the order in which they were emitted).

        Waits up to `timeout` seconds (None: as long as it takes) where others can bring one:
        threads, open jobs, time. None: nothing more comes before an input gets packets or its end,
        or everything was pulled (`ended`); with `timeout=0` also when there is none now.

        Raises PullTimeout when time was up; BackpressureError when another output must be pulled
        first; once the pipeline is over, why (NodeError, …), after all packets from before.
        """

    def _take(self, port: str | None = None) -> Packet | tuple[str, str | None]: ...
    @property
    def ended(self) -> bool:
        """Whether everything was pulled."""

    def end(self, port: str | None = None) -> None:
        """Ends an input (None: all): what nodes still hold comes with the next pulls."""

    def gap(self, until_ns: int, port: str | None = None) -> None:
        """Says that nothing earlier than `until_ns` will come into an input."""

    def advance(self) -> str:
        """Runs what can run; says why it stopped: need_input, full, in_flight, due, busy or
        host."""

    def interrupt(self) -> int:
        """Forgets everything behind where the manifest says (`interrupt: {from: […]}`), at once.
        Gives the epoch that begins: nothing older is pulled from now on."""

    def reset(self) -> int:
        """Forgets everything inside, at once. Gives the epoch that begins."""

    def rewind(self) -> None:
        """Makes a pipeline that has come to its end ready for another run."""

    def cancel(self) -> None:
        """Stops at once, from any thread. Waiting calls return."""

    def _close(self, timeout: float | None = None) -> str: ...
    @property
    def state(self) -> str:
        """new, running, closing, closed, failed or cancelled."""

    def describe(self) -> dict[str, Any]:
        """What runs: nodes, inputs, outputs, adapters, determinate."""

    def metrics(self) -> dict[str, Any]:
        """All counters and times; under "python" how payloads came in: copied, borrowed, …"""

    def _next_event(self) -> dict[str, Any] | None: ...
    def _set(self, node: str, params: Any, at_ns: int | None = None) -> int: ...
    def fileno(self) -> int:
        """A descriptor that is readable when something has changed since a pull found nothing."""

@final
class Engine:
    """An engine: node types and memory of its own."""

    def __new__(cls, memory_limit: int = 0) -> Self: ...
    @staticmethod
    def default() -> Engine: ...
    def nodes(self) -> list[dict[str, Any]]: ...
    def threads(self) -> dict[str, int]: ...
    def validate(self, manifest: str) -> dict[str, Any]: ...
    def add_host_node(self, declaration: Any) -> None: ...
    def next_job(self, timeout: float | None = None) -> Job | None: ...
    def next_log(self) -> dict[str, Any] | None: ...
    def fileno(self) -> int: ...

@final
class Job:
    """What a node written in Python is asked to do."""

    @property
    def kind(self) -> str: ...
    @property
    def node(self) -> int: ...
    @property
    def node_type(self) -> str: ...
    @property
    def params(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def packet(self) -> Packet | None: ...
    @property
    def is_cancelled(self) -> bool: ...
    def emit(self, port: int, packet: Packet) -> None: ...
    def done(self) -> None: ...
    def fail(self, message: str) -> None: ...

def function_table() -> dict[str, int]:
    """The address of each function of `rmedia.h`, by its name."""

def live() -> dict[str, int]:
    """How many handles of each kind are live in the process."""

def _leave() -> None:
    """Says that the interpreter ends: calls of other threads raise SystemExit from now on. Waits,
    for 5 seconds at most, until those that run code of Python's are over."""
