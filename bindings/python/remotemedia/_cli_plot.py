"""`remotemedia plot` and `demo`: where somebody speaks, as a picture and as a table."""

from __future__ import annotations

import array
import json
import math
from pathlib import Path
from typing import Any

from . import _values
from ._native import Packet
from .cli import Usage
from .pipeline import Pipeline

#: Where `demo` looks for a recording.
RECORDING = Path("media/speech.mp3")
PICTURES = (".png", ".svg", ".pdf")
#: Stretches of the waveform a second, and most of them in a picture.
_BINS_PER_SECOND, _MAX_COLUMNS = 200, 3_000


def _manifest(path: str | None) -> dict[str, Any]:
    """Finds speech in a media file, or in what is pushed."""
    nodes: list[dict[str, Any]] = [
        {"id": "to_mono", "node_type": "ChannelMixer", "params": {"channels": 1}},
        {
            "id": "resample",
            "node_type": "AudioResample",
            "params": {"target_rate": 16_000, "latency": "offline"},
        },
        {"id": "segmenter", "node_type": "SpeechSegmenter"},
    ]
    links = [("to_mono", "resample"), ("resample", "segmenter")]
    if path is not None:
        nodes.insert(0, {"id": "reader", "node_type": "MediaReader", "params": {"path": path}})
        links.insert(0, ("reader", "to_mono"))
    made: dict[str, Any] = {
        "version": "v1",
        "metadata": {"name": "speech"},
        "nodes": nodes,
        "connections": [{"from": a, "to": b} for a, b in links],
        "outputs": {"wave": "to_mono.out", "segments": "segmenter.segments"},
    }
    return made if path is not None else {**made, "inputs": {"audio": "to_mono.in"}}


class Envelope:
    """The lowest and highest sample of each short stretch of a stream of mono audio."""

    def __init__(self) -> None:
        self.rate = 0
        self.frames = 0
        self.low: list[float] = []
        self.high: list[float] = []
        self._rest: Any = None

    def add(self, packet: Packet) -> None:
        """Goes on with the next packet."""
        np = _values.numpy()
        samples = np.asarray(packet).reshape(-1)
        self.rate = packet.rate
        self.frames += packet.frames
        if self._rest is not None:
            samples = np.concatenate((self._rest, samples))
        step = max(1, self.rate // _BINS_PER_SECOND)
        whole = len(samples) // step * step
        self._put(samples[:whole].reshape(-1, step))
        self._rest = samples[whole:].copy()

    def _put(self, rows: Any) -> None:
        self.low += rows.min(axis=1).tolist()
        self.high += rows.max(axis=1).tolist()

    def columns(self) -> tuple[Any, Any, Any]:
        """Times in seconds, lowest and highest samples, few enough for a picture."""
        np = _values.numpy()
        if self._rest is not None and len(self._rest):
            self._put(self._rest.reshape(1, -1))
            self._rest = None
        low, high = np.array(self.low), np.array(self.high)
        times = np.arange(len(low)) * (max(1, self.rate // _BINS_PER_SECOND) / max(1, self.rate))
        group = -(-len(low) // _MAX_COLUMNS) if len(low) else 1
        starts = np.arange(0, len(low), group)
        if not len(starts):
            return times, low, high
        return times[starts], np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)


def plot(media: str, output: str) -> int:
    """Draws the waveform of a media file with the stretches of speech marked."""
    if Path(output).suffix.lower() not in PICTURES:
        raise Usage(f"'{output}' is no picture: end it in {', '.join(PICTURES)}")
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        message = "plotting needs matplotlib: pip install 'remotemedia[plot]'"
        raise ImportError(message) from error
    envelope, segments = Envelope(), list[dict[str, Any]]()
    with Pipeline(_manifest(media)) as pipeline:
        for packet in pipeline:
            if packet.port == "wave":
                envelope.add(packet)
            else:
                segments.append(packet.json())
    _draw(plt, Path(media).name, envelope, segments, output)
    print(f"{output}: {_segments(segments)} of speech")
    return 0


def _segments(segments: list[Any]) -> str:
    return f"{len(segments)} segment{'' if len(segments) == 1 else 's'}"


def _draw(
    plt: Any, name: str, envelope: Envelope, segments: list[dict[str, Any]], output: str
) -> None:
    times, low, high = envelope.columns()
    seconds = envelope.frames / max(1, envelope.rate)
    figure, axes = plt.subplots(figsize=(12, 3.6), layout="constrained")
    for n, segment in enumerate(segments):
        begin, end = segment["start_ms"] / 1000, segment["end_ms"] / 1000
        label = "speech" if n == 0 else None
        axes.axvspan(begin, end, color="#f2b134", alpha=0.35, linewidth=0, label=label)
        axes.text((begin + end) / 2, 0.97, str(n + 1), ha="center", va="top", fontsize=9,
                  color="#8a5a00", transform=axes.get_xaxis_transform())  # fmt: skip
    axes.fill_between(times, low, high, color="#1f5a92", linewidth=0.3, edgecolor="#1f5a92",
                      step="post", label="waveform")  # fmt: skip
    axes.axhline(0, color="#1f5a92", linewidth=0.5)
    peak = max(0.01, float(max(high.max(), -low.min()))) if len(times) else 1.0
    axes.set_xlim(0, max(seconds, 1e-3))
    # Room above the waveform for the numbers.
    axes.set_ylim(-1.08 * peak, 1.25 * peak)
    axes.set_xlabel("time (s)")
    axes.set_ylabel("amplitude (full scale = 1)")
    spoken = sum(segment["duration_ms"] for segment in segments) / 1000
    axes.set_title(
        f"{name if len(name) <= 50 else name[:49] + '…'}: {seconds:.1f} s at "
        f"{envelope.rate / 1000:g} kHz, {spoken:.1f} s of speech in {_segments(segments)}",
        loc="left",
        fontsize=11,
    )
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower right", bbox_to_anchor=(1, 1), ncols=2,
                frameon=False, fontsize=9)  # fmt: skip
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(output, dpi=120)
    plt.close(figure)


def demo(media: str | None) -> int:
    """Finds speech in a recording, or in tones, and prints the segments and what that took."""
    path = media or (str(RECORDING) if RECORDING.is_file() else None)
    segments: list[dict[str, Any]] = []
    seconds = 0.0
    with Pipeline(_manifest(path), enable_metrics=True) as pipeline:
        if path is None:
            print("no media/speech.mp3 here: three tones with pauses, 16 kHz")
            pipeline.push(_tones(), rate=16_000)
            pipeline.end()
        else:
            print(path)
        for packet in pipeline:
            if packet.port == "segments":
                segments.append(packet.json())
            else:
                seconds += packet.frames / packet.rate
        metrics = json.loads(json.dumps(pipeline.get_metrics()))
    rows = [["segment", "begin (s)", "end (s)", "length (s)", "level (dBFS)"]]
    for segment in segments:
        begin, end = segment["start_ms"] / 1000, segment["end_ms"] / 1000
        level = f"{segment['rms_db']:.1f}"
        rows.append(
            [str(segment["index"] + 1), f"{begin:.2f}", f"{end:.2f}", f"{end - begin:.2f}", level]
        )
    _table(rows)
    rows = [["node", "packets", "total (ms)", "mean (µs)"]]
    for node in metrics["node_metrics"]:
        total = f"{node['total_duration_us'] / 1000:.2f}"
        mean = f"{node['avg_duration_us']:.1f}"
        rows.append([node["node_id"], str(node["execution_count"]), total, mean])
    _table(rows)
    took = metrics["total_duration_us"] / 1000
    print(f"\n{seconds:.1f} s of audio in {took:.1f} ms of work")
    return 0


def _tones() -> array.array[float]:
    """Silence and three tones of a low voice's pitch, float32 at 16 kHz."""
    samples = array.array("f")
    for pitch, length, pause in ((110, 0.8, 0.7), (140, 1.2, 0.9), (120, 0.6, 0.8)):
        samples.extend([0.0] * int(16_000 * pause))
        for n in range(int(16_000 * length)):
            phase = 2 * math.pi * pitch * n / 16_000
            samples.append(0.1 * sum(math.sin(k * phase) / k for k in (1, 2, 3, 5)))
    samples.extend([0.0] * 16_000)
    return samples


def _table(rows: list[list[str]]) -> None:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    print()
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells))
