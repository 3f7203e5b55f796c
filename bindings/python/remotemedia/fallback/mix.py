"""Channel mixing: every output channel is a weighted sum of input channels.

The usual weights are those of ITU-R BS.775: centre and surround channels go to the front pair at
0.7071, the low-frequency channel is left out; all are divided by the largest sum of an output's
weights where that is more than one, so that no mix can clip.

Measured against the engine: equal in every bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .errors import unfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Speakers by their bit in the mask of WAVE_FORMAT_EXTENSIBLE.
_FL, _FR, _FC, _LFE, _BL, _BR, _SL, _SR = 0, 1, 2, 3, 4, 5, 9, 10
#: The speakers of so many channels; for other numbers they are not known.
_USUAL: dict[int, tuple[int, ...]] = {
    1: (_FC,),
    2: (_FL, _FR),
    4: (_FL, _FR, _BL, _BR),
    6: (_FL, _FR, _FC, _LFE, _BL, _BR),
    8: (_FL, _FR, _FC, _LFE, _BL, _BR, _SL, _SR),
}
_SHARE = np.float32(0.70710677)


class Mix:
    """A mixing matrix: (outputs, inputs) weights, held as float32."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self.weights = weights

    @property
    def inputs(self) -> int:
        """Input channels."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """Output channels."""
        return int(self.weights.shape[0])

    def run(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mixes (frames, inputs) to (frames, outputs). A weight of zero lets nothing through, not
        even what is no number. Sums go from the first channel to the last."""
        mixed = np.zeros((table.shape[0], self.outputs), np.float32)
        for out in range(self.outputs):
            for channel in np.flatnonzero(self.weights[out]):
                mixed[:, out] += table[:, channel] * self.weights[out, channel]
        return mixed


def given(rows: list[list[float]]) -> Mix | None:
    """The mix of a matrix: one row for each output. None where it is no matrix of 1 … 64 each."""
    if not 1 <= len(rows) <= 64 or not 1 <= len(rows[0]) <= 64:
        return None
    if any(len(row) != len(rows[0]) for row in rows):
        return None
    return Mix(np.array(rows, np.float32))


def usual(inputs: int, outputs: int) -> Mix:
    """The usual mix: channels stay where they are as many; one is copied to all; two, or any whose
    speakers are not known, are averaged to one; others go by their speakers."""
    if inputs == outputs:
        return Mix(np.eye(inputs, dtype=np.float32))
    if inputs == 1:
        return Mix(np.ones((outputs, 1), np.float32))
    sources, targets = _USUAL.get(inputs), _USUAL.get(outputs)
    if outputs == 1 and (inputs == 2 or sources is None):
        return Mix(np.full((1, inputs), np.float32(1) / np.float32(inputs), np.float32))
    weights = _by_speaker(sources, targets) if sources and targets else None
    if weights is None:
        raise unfit(
            f"there is no usual mix from {inputs} channels to {outputs}",
            "put a ChannelMixer with a matrix before it",
        )
    return Mix(weights)


def _by_speaker(sources: tuple[int, ...], targets: tuple[int, ...]) -> NDArray[np.float32] | None:
    weights = np.zeros((len(targets), len(sources)), np.float32)
    rows = {speaker: row for row, speaker in enumerate(targets)}
    # Where a speaker goes instead: the other pair at full level, else the front at less.
    other = {_BL: _SL, _BR: _SR, _SL: _BL, _SR: _BR}
    front = {_FL: _FL, _FR: _FR, _BL: _FL, _BR: _FR, _SL: _FL, _SR: _FR}
    for column, speaker in enumerate(sources):
        if speaker in rows:
            weights[rows[speaker], column] = 1
        elif speaker == _FC:
            if _FL not in rows or _FR not in rows:
                return None
            weights[[rows[_FL], rows[_FR]], column] = _SHARE
        elif speaker != _LFE:
            weight = np.float32(1) if speaker in (_FL, _FR) else _SHARE
            if other.get(speaker) in rows:
                weights[rows[other[speaker]], column] = 1
            elif front[speaker] in rows:
                weights[rows[front[speaker]], column] = weight
            else:
                weights[rows[_FC], column] = weight / np.float32(2)
    if targets == (_FC,) and _FC in sources:
        weights[0, sources.index(_FC)] = _SHARE
    # Added up from the first to the last, as float32.
    largest = max(np.float32(1), *(np.cumsum(row, dtype=np.float32)[-1] for row in weights))
    return weights / largest
