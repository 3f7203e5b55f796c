"""What ports take and give, and where an adapter must go between them: the engine's rules.

Only as much set arithmetic as the fallback's nodes need: numbers are any, or a range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

from .values import Format

#: From the first to the second, both included; None: any number.
Range = Optional[tuple[int, int]]  # noqa: UP045 (Python 3.9)
#: Kinds of items, or sample formats; None: any.
Names = Optional[frozenset[str]]  # noqa: UP045


def _within(inner: Range, outer: Range) -> bool:
    if outer is None:
        return True
    return inner is not None and outer[0] <= inner[0] and inner[1] <= outer[1]


def _meet(one: Range, other: Range) -> Range:
    """What both hold; an empty range, from high to low, where that is nothing."""
    if one is None or other is None:
        return other if one is None else one
    return max(one[0], other[0]), min(one[1], other[1])


def _nearest(taken: Range, n: int) -> int:
    return n if taken is None else min(max(n, taken[0]), taken[1])


def _names_meet(one: Names, other: Names) -> Names:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _holds_none(numbers: Range) -> bool:
    return numbers is not None and numbers[0] > numbers[1]


@dataclass(frozen=True)
class AudioCaps:
    """A set of audio formats. Rates in Hz; `planar`: only with each channel in a plane of its own,
    only frame by frame, or (None) both."""

    rates: Range = None
    channels: Range = None
    samples: Names = None
    planar: bool | None = None

    def nearest(self, came: Format) -> Format:
        """The format of the set that an adapter makes of `came`."""
        sample = came.sample
        if self.samples is not None and sample not in self.samples:
            sample = min(self.samples)
        rate, channels = _nearest(self.rates, came.rate), _nearest(self.channels, came.channels)
        return Format(rate, channels, sample)

    def contains(self, came: Format) -> bool:
        """Whether audio of that format is in the set."""
        return self.nearest(came) == came

    def within(self, other: AudioCaps) -> bool:
        """Whether every format of this set is in the other."""
        in_samples = other.samples is None or (
            self.samples is not None and self.samples <= other.samples
        )
        one_channel = self.channels == (1, 1)
        in_planes = other.planar is None or self.planar == other.planar or one_channel
        numbers = _within(self.rates, other.rates) and _within(self.channels, other.channels)
        return numbers and in_samples and in_planes

    def differs(self, other: AudioCaps) -> str:
        """The first thing in which the sets hold nothing together; "" where they do."""
        if _holds_none(_meet(self.rates, other.rates)):
            return "rate"
        if _holds_none(_meet(self.channels, other.channels)):
            return "channel count"
        if _names_meet(self.samples, other.samples) == frozenset():
            return "sample format"
        both = self.planar is not None and other.planar is not None
        return "order of the samples" if both and self.planar != other.planar else ""


@dataclass(frozen=True)
class Caps:
    """A set of items: kinds, and for the audio among them formats."""

    kinds: Names = None
    audio: AudioCaps = AudioCaps()

    def __str__(self) -> str:
        return "anything" if self.kinds is None else " or ".join(sorted(self.kinds))

    @property
    def has_audio(self) -> bool:
        """Whether there is audio among them."""
        return self.kinds is None or "audio" in self.kinds


ANY = Caps()
AUDIO = Caps(frozenset({"audio"}))
#: Frame by frame in float32.
AUDIO_F32 = Caps(AUDIO.kinds, AudioCaps(samples=frozenset({"f32"}), planar=False))


@dataclass(frozen=True)
class Port:
    """An output: its name, what it gives, and whether that follows what came in."""

    name: str
    caps: Caps
    like_input: bool = False


@dataclass(frozen=True)
class Ports:
    """What a node takes on `in`, and its outputs, the default one first."""

    takes: Caps
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class Fit:
    """How what comes fits a port: what then comes to it, and whether through an adapter."""

    arrives: Caps
    adapter: bool


def fit(given: Caps, taken: Caps) -> Fit | None:
    """How items of `given` fit a port that takes `taken`; None where nothing helps."""
    kinds = _names_meet(given.kinds, taken.kinds)
    if kinds == frozenset():
        return None
    if not Caps(kinds).has_audio or given.audio.within(taken.audio):
        return Fit(Caps(kinds, given.audio), False)
    return Fit(Caps(kinds, _converted(given.audio, taken.audio)), True)


def meet(given: Caps, taken: Caps) -> Caps:
    """What is in both, of two sets that do hold something together."""
    kinds = _names_meet(given.kinds, taken.kinds)
    one, other = given.audio, taken.audio
    planar = one.planar if one.planar is not None else other.planar
    samples = _names_meet(one.samples, other.samples)
    rates, channels = _meet(one.rates, other.rates), _meet(one.channels, other.channels)
    return Caps(kinds, AudioCaps(rates, channels, samples, planar))


def output(port: Port, arrived: Caps) -> Caps:
    """What an output gives when this comes to the node."""
    own = port.caps
    kinds = _names_meet(own.kinds, arrived.kinds)
    if not port.like_input or kinds == frozenset():
        return own
    met = meet(own, arrived).audio
    return Caps(
        kinds,
        replace(
            met,
            rates=own.audio.rates if _holds_none(met.rates) else met.rates,
            channels=own.audio.channels if _holds_none(met.channels) else met.channels,
            samples=met.samples if met.samples != frozenset() else own.audio.samples,
        ),
    )


def _converted(given: AudioCaps, taken: AudioCaps) -> AudioCaps:
    """What conversion to the nearest format makes of `given`."""

    def numbers(came: Range, to: Range) -> Range:
        if _within(came, to):
            return came
        if came is not None and came[0] == came[1]:
            n = _nearest(to, came[0])
            return n, n
        return to

    samples = taken.samples
    if taken.samples is None or (given.samples is not None and given.samples <= taken.samples):
        samples = given.samples
    return AudioCaps(
        numbers(given.rates, taken.rates),
        numbers(given.channels, taken.channels),
        samples,
        taken.planar if taken.planar is not None else given.planar,
    )
