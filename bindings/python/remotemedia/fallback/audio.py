"""The audio nodes: AudioResample, ChannelMixer, FormatConverter, and the AudioAdapter that the
engine puts where two nodes don't fit by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import mix
from .clock import SampleClock
from .convert import convert
from .errors import unfit
from .node import Emissions, Node, audio, expect
from .resample import Resampler
from .values import Audio, Format, Item, Stream, flat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .caps import AudioCaps
    from .params import Values


class _Rate:
    """A resampler with the clock of its output."""

    def __init__(self, came: int, to: int, channels: int, quality: str, latency: str) -> None:
        self._to = to
        self._resampler = Resampler(came, to, channels, quality, latency)
        self._clock: SampleClock | None = None

    def run(self, block: Audio) -> Emissions:
        """What comes of a float32 block; nothing while it has too little for a frame."""
        if self._clock is None:
            self._clock = SampleClock(block.pts_ns or 0, self._to)
        return self._emit(self._clock, self._resampler.process(block.table))

    def drain(self) -> Emissions:
        """What is still inside."""
        clock, self._clock = self._clock, None
        tail = self._resampler.drain()
        return [] if clock is None else self._emit(clock, tail)

    def _emit(self, clock: SampleClock, table: NDArray[np.float32]) -> Emissions:
        if not table.shape[0]:
            return []
        return [(0, Audio(flat(table), self._to, clock.advance(table.shape[0])))]


class AudioResample(Node):
    """Converts audio to another sample rate, at its time and with its length."""

    def __init__(self, params: Values) -> None:
        self._params = params
        self._rate: _Rate | None = None

    def configure(self, stream: Stream) -> None:
        if not isinstance(stream, Format):
            return
        params, came = self._params, stream.rate
        expect("source_rate", params.whole("source_rate"), came, "Hz")
        expect("channels", params.whole("channels"), stream.channels, "ch")
        to = params.whole("target_rate") or came
        quality, latency = params.text("quality"), params.text("latency")
        differs = to != came
        self._rate = _Rate(came, to, stream.channels, quality, latency) if differs else None

    def process(self, item: Item) -> Emissions:
        return [(0, item)] if self._rate is None else self._rate.run(audio(item))

    def drain(self) -> Emissions:
        return [] if self._rate is None else self._rate.drain()


def mixer_params(params: Values) -> tuple[int, mix.Mix | None]:
    """Channels of a ChannelMixer's output, and its mix where it is given."""
    channels, rows = params.whole("channels"), params.rows("matrix")
    if rows is None:
        if channels is None:
            raise unfit("neither channels nor matrix is given", "give one of them")
        return channels, None
    given = mix.given(rows)
    if given is None:
        raise unfit("matrix is not 1 to 64 rows of 1 to 64 weights each")
    if channels is not None and channels != given.outputs:
        raise unfit(f"matrix has {given.outputs} rows, but channels says {channels}")
    return given.outputs, given


class ChannelMixer(Node):
    """Mixes channels by a matrix, or by the usual rules."""

    def __init__(self, params: Values) -> None:
        self._channels, self._given = mixer_params(params)
        self._mix: mix.Mix | None = None

    def configure(self, stream: Stream) -> None:
        if not isinstance(stream, Format):
            return
        if self._given is None:
            same = stream.channels == self._channels
            self._mix = None if same else mix.usual(stream.channels, self._channels)
        elif self._given.inputs == stream.channels:
            self._mix = self._given
        else:
            raise unfit(
                f"the matrix is for {self._given.inputs} channels, "
                f"the stream has {stream.channels}",
                "give one weight for each input channel in each row",
            )

    def process(self, item: Item) -> Emissions:
        block = audio(item)
        if self._mix is None:
            return [(0, block)]
        return [(0, block.holding(self._mix.run(block.table)))]


class FormatConverter(Node):
    """Converts sample formats. `planar` is the order in memory: each channel contiguous (numpy's
    order F), or frame by frame (order C)."""

    def __init__(self, params: Values) -> None:
        self._to = params.text("format")
        self._planar = params.flag("planar")

    def process(self, item: Item) -> Emissions:
        block = audio(item)
        samples = convert(block.samples, self._to)
        if self._planar is not None and block.channels > 1:
            order = np.asfortranarray if self._planar else np.ascontiguousarray
            samples = order(samples)
        return [(0, block if samples is block.samples else block.holding(samples))]


class AudioAdapter(Node):
    """Hands audio on untouched where the next node takes it, and else converts it to the nearest
    format that it takes: to float32, channels by the usual mix, the rate with 100 dB rejection and
    at most 20 ms of lag (the resampler's `medium` and `auto`)."""

    def __init__(self, caps: AudioCaps) -> None:
        self._caps = caps
        self._sample = "f32"
        self._mix: mix.Mix | None = None
        self._rate: _Rate | None = None

    def configure(self, stream: Stream) -> None:
        if not isinstance(stream, Format):
            return
        to = self._caps.nearest(stream)
        self._sample = to.sample
        differs = to.channels != stream.channels
        self._mix = mix.usual(stream.channels, to.channels) if differs else None
        self._rate = None
        if to.rate != stream.rate:
            self._rate = _Rate(stream.rate, to.rate, to.channels, "medium", "auto")

    def process(self, item: Item) -> Emissions:
        block = audio(item)
        samples = convert(block.samples, self._sample)
        if samples is not block.samples:
            block = block.holding(samples)
        if self._mix is not None:
            block = block.holding(self._mix.run(block.table))
        return [(0, block)] if self._rate is None else self._rate.run(block)

    def drain(self) -> Emissions:
        return [] if self._rate is None else self._rate.drain()
