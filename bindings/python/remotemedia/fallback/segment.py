"""From scores of frames to stretches of speech: hysteresis, shortest speech, shortest silence,
padding. Time is counted in samples; all of it is whole numbers, so it equals the engine's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A stretch of speech that became certain, or is over."""

    #: Whether it begins.
    start: bool
    #: Where it began or ended, with its padding, in samples.
    at: int


@dataclass(frozen=True)
class Rules:
    """When something counts as speech. Lengths are in samples."""

    #: Score from which a frame is speech.
    threshold: float
    #: Score below which a frame of a stretch is silence; between the two it is neither.
    neg_threshold: float
    min_speech: int
    min_silence: int
    pad: int


_SILENCE, _CANDIDATE, _SPEECH = "silence", "candidate", "speech"


class Segmenter:
    """Finds stretches of speech in the scores of frames."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.reset()

    def reset(self) -> None:
        """Forgets everything and stands at sample zero."""
        self._state = _SILENCE
        #: Where the candidate or stretch began, and where the silence in it did.
        self._since = 0
        self._quiet: int | None = None
        #: Speech that a candidate has had.
        self._speech = 0
        #: End of the last frame.
        self._now = 0
        #: End of the last stretch: padding doesn't reach back beyond it.
        self._ended = 0

    @property
    def is_speech(self) -> bool:
        """Whether a stretch is open."""
        return self._state == _SPEECH

    @property
    def settled(self) -> int:
        """Sample up to which the verdict is final."""
        pad = self._rules.pad
        if self._state == _SILENCE:
            return max(self._now - pad, self._ended)
        if self._state == _CANDIDATE:
            return max(self._since - pad, self._ended)
        return self._now if self._quiet is None else min(self._quiet + pad, self._now)

    def push(self, score: float, samples: int) -> Change | None:
        """Takes the score of the next frame, which has that many samples."""
        rules = self._rules
        min_silence = max(rules.min_silence, rules.pad)
        begin, end = self._now, self._now + samples
        self._now = end
        loud, silent = score >= rules.threshold, score < rules.neg_threshold
        if self._state == _SILENCE:
            if not loud:
                return None
            self._state, self._since, self._speech, self._quiet = _CANDIDATE, begin, 0, None
            return self._confirm(samples)
        if loud:
            self._quiet = None
        elif silent and self._quiet is None:
            self._quiet = begin
        over = self._quiet is not None and end - self._quiet >= min_silence
        if self._state == _CANDIDATE:
            if over:
                self._state = _SILENCE
                return None
            return self._confirm(0 if silent else samples)
        if over and silent and self._quiet is not None:
            return self._end_at(self._quiet + rules.pad)
        return None

    def finish(self, end: int) -> Change | None:
        """Ends the stream at that sample: an open stretch ends. Then it stands at zero again."""
        change = None
        if self._state == _SPEECH:
            self._now = max(self._now, end)
            at = self._now if self._quiet is None else self._quiet + self._rules.pad
            change = self._end_at(at)
        self.reset()
        return change

    def _confirm(self, samples: int) -> Change | None:
        self._speech += samples
        if self._speech < self._rules.min_speech:
            return None
        self._state = _SPEECH
        self._since = max(self._since - self._rules.pad, self._ended, 0)
        return Change(True, self._since)

    def _end_at(self, at: int) -> Change:
        self._ended = min(max(at, self._since), self._now)
        self._state = _SILENCE
        return Change(False, self._ended)
