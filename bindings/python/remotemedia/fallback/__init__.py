"""Runs a chain of nodes in Python with NumPy alone: what `runtime_hint="python"` asks for, for
machines without the native engine.

    pipeline = LinearPipeline({"version": "v1", "nodes": [{"id": "vad", "node_type": "VAD"}],
                               "outputs": {"audio": "vad.out", "decisions": "vad.vad"}})
    for name, item in [*pipeline.push(Audio(samples, rate=16_000)), *pipeline.end()]:
        …

It has PassThrough, Buffer, AudioResample, ChannelMixer, FormatConverter, VAD, TextProcessorNode,
MultiplyNode and AddNode, under the engine's names and aliases, with all of their params, and the
adapters that the engine puts between nodes whose audio differs. Refused with a `FallbackError` that
names the node and the way out: other node types, VAD's neural engine, samples of 24 bits, graphs
that are no chain, queues that drop, `on_error` other than fail, `media_capabilities`, `interrupt`,
and the combination of `planar: true` before another node with `auto_negotiate: false`.

How near it is to the engine, as measured by tests/test_fallback_engine.py (recordings of speech and
music, cut at random) and test_fallback_random.py (chains at random over noise, with jumps in time,
breaks and changes of format):

=====================================  ==========================  ===============================
what                                   measured                    promised
=====================================  ==========================  ===============================
formats, lengths, times, breaks        equal                       equal
sample formats, mixes, Buffer          equal in every bit          equal in every bit
rates, latency auto and low, adapters  equal in every bit          -120 dB of full scale
rates, latency offline                 -135 dB on recordings,      -110 dB of full scale; 1 LSB of
                                       -129 dB on noise            16 bits
VAD: decisions, segments, records      all equal                   equal in 99.9 % of the frames
VAD: scores                            1.2e-7 on recordings,       1e-4
                                       3e-5 on artificial sounds
numbers, text                          equal                       equal, by Python's Unicode tables
=====================================  ==========================  ===============================

NumPy is imported here and nowhere else in the package.
"""

from __future__ import annotations

from .errors import FallbackError
from .run import LinearPipeline
from .values import Audio, Record

__all__ = ["Audio", "FallbackError", "LinearPipeline", "Record"]
