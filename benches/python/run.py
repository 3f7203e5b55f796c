"""Runs packet.py, voice.py and file.py in rounds, all sides in turn, and prints a table each.

The exit status is 1 where an output is wrong. No time makes it fail.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import file
import numpy as np
import voice
from common import MEDIA, Result, in_process, median, table
from quality import compare

#: What a right output has, below 7 kHz and against soxr VHQ of the whole: at least this many dB,
#: and no sample that is off by more steps of 16 bits.
SNR_DB = 60.0
ERROR = 32.0
#: The input is 24.7 s of speech with pauses, 3 s of music and 1 s of silence.
SPEECH = 0.6, 0.97

Results = dict[str, list[Result]]
Cell = Callable[[str], str]


def cell(results: Results, key: str, digits: int = 1, scale: float = 1.0) -> Cell:
    """The median of a key."""

    def text(row: str) -> str:
        value = median([r for r in results[row] if r.get(key) is not None], key) * scale
        return "-" if math.isnan(value) else f"{value:.{digits}f}"

    return text


def over(results: Results, key: str, first: Callable[[str], str]) -> Cell:
    """The median over rounds of the ratio to another row."""

    def text(row: str) -> str:
        pairs = zip(results[row], results[first(row)], strict=False)
        ratios = [{"x": a[key] / b[key]} for a, b in pairs if key in a and key in b]
        value = median(ratios, "x")
        return "-" if math.isnan(value) else f"{value:.2f}x"

    return text


def packets(rounds: int) -> bool:
    """packet.py."""
    results: Results = {}
    for number in range(1, rounds + 1):
        print(f"packet: round {number} of {rounds}", flush=True)
        told = in_process("packet.py")
        if "failed" in told:
            print(f"WRONG: packet.py: {told['failed']}")
            return False
        for name, result in told.items():
            if isinstance(result, dict):
                results.setdefault(name, []).append(result)
    for name, entry in results.items():
        for result in entry:
            result["least"] = min(each["cpu_us"] for each in results[name])
    table(
        f"a packet of 20 ms, 960 float32: microseconds, medians of {rounds} rounds",
        [
            ("CPU", cell(results, "cpu_us", 2)),
            ("least CPU", cell(results, "least", 2)),
            ("wall", cell(results, "wall_us", 2)),
        ],
        list(results),
    )
    return True


def wrong_voice(side: str, result: Result, frames: int) -> str | None:
    """What is wrong with an output."""
    if result["frames"] != frames:
        return f"{result['frames']} frames, expected {frames}"
    if not result["band_snr_db"] >= SNR_DB:
        return f"{result['band_snr_db']:.1f} dB below 7 kHz"
    if not result["error"] <= ERROR:
        return f"a sample is off by {result['error']:.0f} steps"
    if not 0.995 < result["gain"] < 1.005:
        return f"gain {result['gain']:.4f}"
    share = result["speech_share"]
    if ("no VAD" in side) != (share is None):
        return "no decisions" if share is None else "decisions without a VAD"
    if share is not None and not SPEECH[0] <= share <= SPEECH[1]:
        return f"{share:.0%} speech"
    return None


def voices(rounds: int, loops: int, folder: Path, gst_python: str) -> bool:
    """voice.py."""
    source, target = folder / "input.f32", folder / "output.i16"
    voice.prepare(source)
    truth = voice.reference(source, loops)
    results: Results = {side: [] for side in voice.SIDES}
    right, missing = True, dict[str, str]()
    for number in range(1, rounds + 1):
        print(f"voice: round {number} of {rounds}", flush=True)
        for side, entry in results.items():
            if side in missing:
                continue
            options = {"python": gst_python} if side.startswith("GStreamer") else {}
            result = in_process("voice.py", side, str(source), str(target), str(loops), **options)
            if "failed" in result:
                missing[side] = result["failed"]
                right &= not side.startswith("ours")
                continue
            output = np.fromfile(target, "<i2") / 32768
            result["frames"] = len(output)
            result |= compare(output, truth, voice.OUT_RATE, 7000)
            if (why := wrong_voice(side, result, len(truth))) is not None:
                print(f"WRONG: {side}: {why}")
                right = False
            entry.append(result)
    firsts = {side: next(iter(group)) for group in voice.GROUPS for side in group}
    count = source.stat().st_size // voice.PACKET * loops
    table(
        f"48 kHz stereo to 16 kHz mono int16, {count} packets of 20 ms: medians of {rounds} rounds",
        [
            ("CPU us/packet", cell(results, "cpu_us")),
            ("CPU ratio", over(results, "cpu_us", firsts.__getitem__)),
            ("wall us/packet", cell(results, "wall_us")),
            ("wall ratio", over(results, "wall_us", firsts.__getitem__)),
            ("RSS before, MB", cell(results, "rss_before_mb", 0)),
            ("most", cell(results, "rss_most_mb", 0)),
            ("held back, ms", cell(results, "held_ms")),
            ("SNR, dB", cell(results, "snr_db")),
            ("below 7 kHz", cell(results, "band_snr_db")),
            ("greatest error", cell(results, "error")),
            ("speech, %", cell(results, "speech_share", 0, 100)),
        ],
        [side for side in results if results[side]],
    )
    kept = len(truth) / 2**19
    print(f"frames expected of all: {len(truth)}; the output, kept in memory: {kept:.1f} MB")
    for side, why in missing.items():
        print(f"NOT RUN: {side}: {why}")
    return right


def files(rounds: int, name: str, folder: Path) -> bool:
    """file.py."""
    target = folder / "output.f32"
    cold: Results = {side: [] for side in file.SIDES}
    warm: Results = {side: [] for side in file.SIDES}
    outputs: dict[str, np.ndarray] = {}
    right = True
    # Bytecode and the page cache are warm for all.
    for number in range(rounds + 1):
        print(f"file: round {number} of {rounds}", flush=True)
        for side in file.SIDES:
            for count, entry in (("1", cold[side]), ("10", warm[side])):
                result = in_process("file.py", side, str(MEDIA / name), count, str(target))
                if "failed" in result:
                    print(f"{'WRONG' if side == 'ours' else 'NOT RUN'}: {side}: {result['failed']}")
                    right &= side != "ours"
                    continue
                outputs[side] = np.fromfile(target, "<f4")
                if number:
                    entry.append(result)
    for side, other in (("ours", "librosa"), ("ours", "soundfile + soxr HQ")):
        if side in outputs and other in outputs:
            found = compare(outputs[side], outputs[other], file.OUT_RATE, 7000)
            lengths = len(outputs[side]), len(outputs[other])
            print(
                f"{side} against {other}: {lengths[0]} and {lengths[1]} frames, "
                f"lag {found['lag_ms']:.3f} ms, SNR {found['snr_db']:.1f} dB, "
                f"below 7 kHz {found['band_snr_db']:.1f} dB"
            )
            if not found["band_snr_db"] >= SNR_DB or abs(lengths[0] - lengths[1]) > 1:
                print(f"WRONG: {side} is not what {other} gives")
                right = False

    def ours(_row: str) -> str:
        return "ours"

    table(
        f"{name} to mono 16 kHz float32: medians of {rounds} rounds",
        [
            ("cold process, ms", cell(cold, "process_ms", 0)),
            ("ratio", over(cold, "process_ms", ours)),
            ("CPU ms", cell(cold, "cpu_ms", 0)),
            ("most RSS, MB", cell(cold, "rss_most_mb", 0)),
            ("warm, ms", cell(warm, "warm_ms")),
            ("ratio", over(warm, "warm_ms", ours)),
            ("CPU ms", cell(warm, "warm_cpu_ms")),
            ("ratio", over(warm, "warm_cpu_ms", ours)),
            ("most RSS, MB", cell(warm, "rss_most_mb", 0)),
        ],
        list(file.SIDES),
    )
    return right


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help="packet, voice, file (absent: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", type=int, default=5, help="how often voice.py takes its input")
    parser.add_argument("--gst-python", default="/usr/bin/python3", help="a Python that has gi")
    options = parser.parse_args()
    what = options.what or ["packet", "voice", "file"]
    right = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "packet" in what:
            right &= packets(options.rounds)
        if "voice" in what:
            right &= voices(options.rounds, options.loops, folder, options.gst_python)
        if "file" in what:
            right &= files(options.rounds, "speech.mp3", folder)
            right &= files(options.rounds, "speech.flac", folder)
    print("all outputs are right" if right else "an output is WRONG")
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
