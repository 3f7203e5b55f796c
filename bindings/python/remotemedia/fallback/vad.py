"""VAD with the energy engine: decisions frame by frame, and a gate that lets only speech through.

Each frame gives a record on `vad` with the frame's time: has_speech, speech_probability (0 … 1),
is_speech_start, is_speech_end, boundary_ms (media time in ms at a start or end, else None). The
audio passes on `out` untouched, or, as a gate, without what is not speech.

Measured against the engine on recordings: every decision and every segment equal, scores within
1.2e-7. Promised: decisions equal in 99.9 % of the frames, scores within 1e-4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .clock import SampleClock, whole_frames
from .energy import Energy
from .errors import unfit
from .node import Emissions, Node, audio
from .segment import Change, Rules, Segmenter
from .values import Audio, Format, Item, Json, Record, Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .params import Values

OUT, VAD = 0, 1
#: Lowest rate at which the voice band is there to be measured, in Hz.
MIN_RATE = 4000


def check(params: Values) -> None:
    """Refuses params that contradict each other."""
    neg, threshold = params.number("neg_threshold"), params.amount("threshold")
    if neg is not None and np.float32(neg) > np.float32(threshold):
        raise unfit("param 'neg_threshold' lies above 'threshold'")


def _rules(params: Values, rate: int) -> Rules:
    threshold = np.float32(params.amount("threshold"))
    neg = params.number("neg_threshold")
    low = max(threshold - np.float32(0.15), np.float32(0.01)) if neg is None else np.float32(neg)
    return Rules(
        float(threshold),
        float(min(low, threshold)),
        whole_frames(params.amount("min_speech_duration_ms"), rate),
        whole_frames(params.amount("min_silence_duration_ms"), rate),
        whole_frames(params.amount("speech_pad_ms"), rate),
    )


@dataclass
class _Stream:
    """One stream between two breaks or changes of format."""

    rate: int
    energy: Energy
    segmenter: Segmenter
    partial: list[NDArray[np.float32]]
    #: Samples of the frame that is not full yet, and of all.
    waiting: int = 0
    taken: int = 0
    clock: SampleClock | None = None


class Vad(Node):
    """Says which parts of mono float32 audio are speech."""

    def __init__(self, params: Values) -> None:
        self._params = params
        self._changes_only = params.text("report") == "changes"
        self._gate = _Gate() if params.flag("gate") else None
        self._stream: _Stream | None = None

    def configure(self, stream: Stream) -> None:
        if not isinstance(stream, Format) or stream.channels != 1 or stream.rate < MIN_RATE:
            raise unfit(
                f"speech is looked for in mono f32 audio of a fitting rate, not in {stream}",
                "the energy engine takes any rate from 4 kHz",
            )
        rate, params = stream.rate, self._params
        frame = whole_frames(params.amount("frame_duration_ms"), rate)
        energy = Energy(rate, frame, params.number("energy_threshold"))
        self._stream = _Stream(rate, energy, Segmenter(_rules(params, rate)), [])
        if self._gate is not None:
            self._gate.reset()

    def process(self, item: Item) -> Emissions:
        block, s = audio(item), self._stream
        if s is None:
            return []
        if s.clock is None:
            s.clock = SampleClock(block.pts_ns or 0, s.rate)
        out: Emissions = []
        if self._gate is None:
            out.append((OUT, block))
        else:
            self._gate.hold(block)
        rest = block.table[:, 0]
        while rest.shape[0]:
            now, rest = np.split(rest, [s.energy.frame - s.waiting])
            s.partial.append(now)
            s.waiting += now.shape[0]
            s.taken += now.shape[0]
            if s.waiting < s.energy.frame:
                continue
            score = s.energy.score(np.concatenate(s.partial))
            s.partial, s.waiting = [], 0
            change = s.segmenter.push(score, s.energy.frame)
            begin = s.taken - s.energy.frame
            out += self._report(s.clock, begin, score, s.segmenter.is_speech, change)
            if self._gate is not None:
                out += self._gate.apply(change, s.segmenter.settled, s.clock)
        return out

    def drain(self) -> Emissions:
        s = self._stream
        out: Emissions = []
        if s is not None and s.clock is not None:
            # Whoever counts on an end after each start gets it.
            change = s.segmenter.finish(s.taken)
            if change is not None:
                out += self._report(s.clock, s.taken, 0.0, False, change)
            if self._gate is not None:
                out += self._gate.apply(change, s.taken, s.clock)
        if s is not None:
            s.energy.reset()
            s.segmenter.reset()
            s.partial, s.waiting, s.taken, s.clock = [], 0, 0, None
        if self._gate is not None:
            self._gate.reset()
        return out

    def _report(
        self, clock: SampleClock, begin: int, score: float, speech: bool, change: Change | None
    ) -> Emissions:
        if self._changes_only and change is None:
            return []
        fields: dict[str, Json] = {
            "has_speech": speech,
            "speech_probability": score,
            "is_speech_start": change is not None and change.start,
            "is_speech_end": change is not None and not change.start,
            "boundary_ms": None if change is None else clock.at(change.at) / 1e9 * 1e3,
        }
        return [(VAD, Record("vad", fields, clock.at(begin)))]


class _Gate:
    """Audio that waits for the verdict, as the blocks that it came in."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything; what comes next is sample zero."""
        self._blocks: list[Audio] = []
        #: Sample at which the first block begins.
        self._begin = 0
        #: Whether what comes next is speech, and whether something was dropped before it.
        self._open = False
        self._hole = False

    def hold(self, block: Audio) -> None:
        """Takes a block."""
        if block.frames:
            self._blocks.append(block)

    def apply(self, change: Change | None, settled: int, clock: SampleClock) -> Emissions:
        """Lets pass or drops what is decided."""
        out: Emissions = []
        if change is not None and change.start:
            self._drop(change.at)
            self._open = True
        elif change is not None:
            out += self._pass(change.at, clock)
            self._open = False
        if self._open:
            return out + self._pass(settled, clock)
        self._drop(settled)
        return out

    def _drop(self, until: int) -> None:
        while self._take(until) is not None:
            self._hole = True

    def _pass(self, until: int, clock: SampleClock) -> Emissions:
        out: Emissions = []
        while (taken := self._take(until)) is not None:
            begin, block = taken
            out.append((OUT, Audio(block.samples, block.rate, clock.at(begin), self._hole)))
            self._hole = False
        return out

    def _take(self, until: int) -> tuple[int, Audio] | None:
        """The next block, as far as it lies before sample `until`, and where it begins."""
        wanted = until - self._begin
        if wanted <= 0 or not self._blocks:
            return None
        begin, block = self._begin, self._blocks.pop(0)
        if wanted < block.frames:
            self._blocks.insert(0, block.slice(wanted, block.frames))
            block = block.slice(0, wanted)
        self._begin += block.frames
        return begin, block
