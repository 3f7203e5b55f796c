"""A file to an array: media/speech.mp3 or .flac to mono 16 kHz float32.

`file.py SIDE FILE COUNT OUTPUT` does it COUNT times in this process, writes the last result and
prints a line of JSON: COUNT 1 is a cold start, more of them show what a warm process takes.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import memory_mb, say

OUT_RATE = 16_000


def ours(path: str) -> Any:
    """Our pipeline, by its manifest."""
    import remotemedia as rm

    return (
        rm.Pipeline(
            {
                "version": "v1",
                "nodes": [
                    {"id": "read", "node_type": "MediaReader", "params": {"path": path}},
                    {"id": "mono", "node_type": "ChannelMixer", "params": {"channels": 1}},
                    {
                        "id": "resample",
                        "node_type": "AudioResample",
                        "params": {
                            "target_rate": OUT_RATE,
                            "quality": "high",
                            "latency": "offline",
                        },
                    },
                ],
                "connections": [{"from": "read", "to": "mono"}, {"from": "mono", "to": "resample"}],
            }
        )
        .run()
        .value
    )


def librosa(path: str) -> Any:
    """librosa.load, which resamples by soxr HQ."""
    import librosa as library

    return library.load(path, sr=OUT_RATE)[0]


def soundfile(path: str) -> Any:
    """soundfile, NumPy and soxr HQ."""
    import soundfile as library
    import soxr

    data, rate = library.read(path, dtype="float32", always_2d=True)
    return soxr.resample(data.mean(axis=1), rate, OUT_RATE, "HQ")


def nothing(_path: str) -> Any:
    """Python's start and the import of NumPy."""
    import numpy as np

    return np.zeros(0, np.float32)


SIDES: dict[str, Callable[[str], Any]] = {
    "ours": ours,
    "librosa": librosa,
    "soundfile + soxr HQ": soundfile,
    "(start and NumPy)": nothing,
}


def main(args: list[str]) -> int:
    """The program."""
    if len(args) != 4:
        print(__doc__, list(SIDES), file=sys.stderr)
        return 2
    side, path, count, target = args
    walls: list[float] = []
    cpus: list[float] = []
    result: Any = None
    for _ in range(int(count)):
        wall, cpu = time.perf_counter(), time.process_time()
        result = SIDES[side](path)
        walls.append((time.perf_counter() - wall) * 1e3)
        cpus.append((time.process_time() - cpu) * 1e3)
    most = memory_mb("VmHWM")
    import numpy as np

    np.asarray(result, dtype=np.float32).reshape(-1).tofile(Path(target))
    warm = {
        "warm_ms": statistics.median(walls[1:] or walls),
        "warm_cpu_ms": statistics.median(cpus[1:] or cpus),
    }
    say({"rss_most_mb": most, "cpu_ms": time.process_time() * 1e3, **warm})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
