"""The command `remotemedia`, run as a process on real files, against what the engine gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import remotemedia
from remotemedia import Pipeline

ROOT = Path(__file__).resolve().parents[3]
VOICE, RESAMPLE = ROOT / "examples/voice.yaml", ROOT / "examples/resample.json"
CALCULATOR = ROOT / "examples/calculator.json"
SPEECH = ROOT / "media/speech-16k.wav"
#: Where the package is that is tested.
PACKAGE = Path(remotemedia.__file__).resolve().parents[1]


def command(*args: Any, text: str = "", cwd: Path = ROOT, **more: str) -> Any:
    """Runs `python -m remotemedia`."""
    quiet = {k: v for k, v in os.environ.items() if k not in ("RUST_LOG", "REMOTEMEDIA_LOG")}
    environment = {**quiet, "PYTHONPATH": str(PACKAGE), **more}
    line = [sys.executable, "-m", "remotemedia", *map(str, args)]
    return subprocess.run(
        line, input=text, capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


def good(*args: Any, **more: Any) -> str:
    """What a command prints that ends well."""
    ran = command(*args, **more)
    assert ran.returncode == 0, ran.stderr
    return str(ran.stdout)


def bad(code: int, *args: Any, **more: Any) -> str:
    """What a command says that does not."""
    ran = command(*args, **more)
    assert ran.returncode == code, (ran.returncode, ran.stdout, ran.stderr)
    assert "Traceback" not in ran.stderr
    return str(ran.stderr)


def samples_of(path: Path) -> tuple[Any, int]:
    """int16 samples of a WAV file, and its rate in Hz."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


def voice() -> Any:
    """What the engine gives for the recording."""
    reader = [{"id": "in", "node_type": "MediaReader", "params": {"path": str(SPEECH)}}]
    with Pipeline({"version": "v1", "nodes": reader}) as pipeline:
        packets = list(pipeline)
    return Pipeline(VOICE).run(packets).value


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_info_tells_versions() -> None:
    told = dict(line.split("  ", 1) for line in good("info").splitlines())
    assert told["remotemedia"].strip() == remotemedia.__version__
    assert told["NumPy"].strip() == np.__version__
    assert "media" in told["features"] and "0 pipelines" in told["live handles"]


def test_nodes_are_listed_by_category_and_shown_one_by_one() -> None:
    listed = good("nodes")
    # Other tests register types in this process; the command's has the engine's.
    names = [kind["node_type"] for kind in remotemedia.node_types()]
    for name in (name for name in names if name.startswith("rmedia/")):
        assert f"  {name.removeprefix('rmedia/')} " in listed
    assert listed.startswith("audio\n")
    page = good("nodes", "AudioResample")
    assert "target_rate  " in page and "Inputs\n  in  audio" in page and "in Hz" in page
    assert good("nodes", "rmedia/AudioResample") == page
    assert good("nodes", "AudioResampleNode") == page, "another name of it"
    assert "did you mean 'Gain'?" in bad(2, "nodes", "Gian")


def test_good_manifests_are_ok(tmp_path: Path) -> None:
    assert good("validate", VOICE, RESAMPLE) == f"ok {VOICE}\nok {RESAMPLE}\n"
    found = json_lines(good("validate", "--json", VOICE, CALCULATOR))
    assert [each["ok"] for each in found] == [True, True]
    assert found[0]["problems"] == [] and found[1]["problems"][0]["severity"] == "warning"


def test_all_problems_are_told_each_on_a_line_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    lines = [
        '{"version": "v1",',
        '"nodes": [{"id": "a", "node_type": "Nope"},',
        '{"id": "b", "node_type": "AddNode", "params": {"addend": "x"}}]}',
    ]
    path.write_text("\n".join(lines))
    columns = lines[1].index('"Nope"') + 1, lines[2].index('"x"') + 1
    told = bad(1, "validate", path, VOICE)
    assert told.splitlines() == [
        f"{path}:2:{columns[0]}: error: Unknown node type 'Nope' for node 'a'",
        f"{path}:3:{columns[1]}: error: param 'addend' takes a number; found text \"x\"",
    ]
    assert bad(1, "run", path) == told, "running says the same"
    ran = command("validate", "--json", path, "/nowhere.yaml")
    assert ran.returncode == 1 and ran.stderr == ""
    assert [len(each["problems"]) for each in json_lines(ran.stdout)] == [2, 1]
    assert "can't be read: No such file" in bad(1, "validate", "/nowhere.yaml")


def test_files_hold_what_the_engine_gives(tmp_path: Path) -> None:
    expected = voice()
    files = {"audio": "a.wav", "segments": "s.jsonl", "levels": "l.jsonl"}
    options = [f"--output={name}={tmp_path / file}" for name, file in files.items()]
    assert good("run", VOICE, "-i", SPEECH, *options, "--metrics", tmp_path / "m.json") == ""
    samples, rate = samples_of(tmp_path / "a.wav")
    assert rate == 16_000 and np.array_equal(samples, expected["audio"])
    assert json_lines((tmp_path / "s.jsonl").read_text()) == expected["segments"]
    assert json_lines((tmp_path / "l.jsonl").read_text()) == expected["levels"]
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert {"segmenter", "level"} <= {node["node_id"] for node in metrics["node_metrics"]}
    assert metrics["total_duration_us"] > 0


def test_audio_goes_to_flac_and_npy_too(tmp_path: Path) -> None:
    expected = voice()["audio"]
    flac, npy = tmp_path / "a.flac", tmp_path / "a.npy"
    ran = command(
        "run", VOICE, "-i", f"input={SPEECH}", "-o", f"audio={flac}", "-o", f"audio={npy}"
    )
    assert ran.returncode == 0
    assert ran.stderr == "remotemedia: note: without a file: segments, levels\n"
    assert np.array_equal(np.load(npy), expected)
    reader = {"node_type": "MediaReader", "params": {"path": str(flac), "format": "native"}}
    again = Pipeline({"version": "v1", "nodes": [{"id": "in", **reader}]}).run().value
    assert np.array_equal(again, expected)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.flac", "a.npy"]


def test_without_files_values_are_printed_and_audio_is_summed_up() -> None:
    expected = voice()
    printed = json_lines(good("run", VOICE, "-i", SPEECH))
    segments = [line["value"] for line in printed if line["output"] == "segments"]
    assert segments == expected["segments"]
    frames = len(expected["audio"])
    assert {"output": "audio", "audio": {
        "rate": 16_000, "channels": 1, "frames": frames, "format": "i16",
        "seconds": round(frames / 16_000, 6)}} in printed  # fmt: skip


def test_values_come_from_files_and_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text("[5, 7, 3]")
    (tmp_path / "v.jsonl").write_text("5\n\n7\n3\n")
    for path, text in ((tmp_path / "v.json", ""), (tmp_path / "v.jsonl", ""), ("-", "5\n7\n3\n")):
        assert good("run", CALCULATOR, "-i", path, text=text) == "20\n24\n16\n"
    out = tmp_path / "out.jsonl"
    good("run", CALCULATOR, "-i", tmp_path / "v.json", "-o", out)
    assert out.read_text() == "20\n24\n16\n"
    (tmp_path / "t.txt").write_text("hello there\n")
    printed = json_lines(
        good("run", ROOT / "examples/text-processor.json", "-i", tmp_path / "t.txt")
    )
    assert "hello there" in json.dumps(printed)


def test_several_inputs_are_fed_side_by_side(tmp_path: Path) -> None:
    manifest = tmp_path / "mix.yaml"
    manifest.write_text(
        "version: v1\nnodes:\n"
        "  - { id: a, node_type: PassThrough }\n  - { id: b, node_type: PassThrough }\n"
        "  - { id: mix, node_type: Mixer }\n"
        "connections:\n  - { from: a, to: mix }\n  - { from: b, to: mix }\n"
    )
    out = tmp_path / "mixed.npy"
    good("run", manifest, "-i", f"a={SPEECH}", "-i", f"b={SPEECH}", "-o", out)
    samples = samples_of(SPEECH)[0].astype(np.float32) / 32_768
    mixed = np.load(out).reshape(-1)
    assert len(mixed) == len(samples) and np.allclose(mixed, 2 * samples, atol=1e-6)


def test_the_fallback_gives_what_the_engine_gives(tmp_path: Path) -> None:
    for runtime in ("auto", "rust", "python"):
        out, metrics = tmp_path / f"{runtime}.npy", tmp_path / f"{runtime}.json"
        speech = ROOT / "media/speech-8k.wav"
        good("run", RESAMPLE, "-i", speech, "-o", out, "--runtime", runtime, "--metrics", metrics)
    native, numpy = np.load(tmp_path / "rust.npy"), np.load(tmp_path / "python.npy")
    assert np.array_equal(np.load(tmp_path / "auto.npy"), native)
    assert native.shape == numpy.shape and np.allclose(native, numpy, atol=1e-4)
    assert json.loads((tmp_path / "python.json").read_text())["runtime"] == "python"


def test_wrong_use_is_told_with_what_to_do(tmp_path: Path) -> None:
    assert "no file for input 'resample' (audio)" in bad(2, "run", RESAMPLE)
    assert "there is no input 'x'; its inputs are input" in bad(2, "run", VOICE, "-i", "x=a.wav")
    assert "gets two files" in bad(2, "run", VOICE, "-i", SPEECH, "-i", SPEECH)
    told = bad(2, "run", VOICE, "-i", SPEECH, "-o", tmp_path / "a.wav")
    assert "its outputs are audio, segments, levels; write audio=" in told
    assert "does not say what to write" in bad(2, "run", RESAMPLE, "-i", SPEECH, "-o", "a.mp4")
    same = f"--output=audio={tmp_path}/a.wav"
    assert "the same file" in bad(2, "run", VOICE, "-i", SPEECH, same, same)
    assert "is no picture" in bad(2, "plot", SPEECH, "-o", "a.txt")
    for args in ((), ("nonsense",), ("run",), ("run", RESAMPLE, "--runtime", "x")):
        assert "usage: remotemedia" in bad(2, *args)
    assert "examples:" in good("--help")


def test_trouble_with_files_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "a.wav"
    told = bad(1, "run", RESAMPLE, "-i", tmp_path / "no.wav", "-o", out)
    assert told.count("\n") == 1 and "no.wav' can't be opened: No such file" in told
    assert "no known audio format" in bad(1, "run", RESAMPLE, "-i", ROOT / "README.md", "-o", out)
    (tmp_path / "v.jsonl").write_text("5\n{\n")
    told = bad(1, "run", CALCULATOR, "-i", tmp_path / "v.jsonl", "-o", tmp_path / "o.jsonl")
    assert f"{tmp_path}/v.jsonl:2: this line is no JSON" in told
    assert "takes json" in bad(1, "run", CALCULATOR, "-i", SPEECH)
    told = bad(1, "run", VOICE, "-i", SPEECH, "-o", f"segments={tmp_path / 's.wav'}")
    assert told.splitlines()[-1].startswith("remotemedia: error: ")
    assert "no.yaml" in bad(1, "run", tmp_path / "no.yaml")
    assert [each.name for each in tmp_path.iterdir()] == ["v.jsonl"]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    for args in (("--debug", "run", RESAMPLE), ("run", RESAMPLE, "--debug")):
        ran = command(*args, "-i", tmp_path / "no.wav")
        assert ran.returncode == 1 and "Traceback" in ran.stderr and "MediaFileError" in ran.stderr


def test_the_log_is_told_where_it_is_asked_for(tmp_path: Path) -> None:
    assert "remotemedia: " in command("demo", SPEECH, RUST_LOG="debug").stderr
    assert command("demo", SPEECH, RUST_LOG="error,hyper=1").stderr == ""
    assert command("demo", SPEECH).stderr == ""
    assert "REMOTEMEDIA_LOG: 'loud'" in bad(1, "info", REMOTEMEDIA_LOG="loud")


def test_demo_finds_segments_in_a_recording_and_in_tones(tmp_path: Path) -> None:
    segments = voice()["segments"]
    table = good("demo", SPEECH)
    assert f"{segments[0]['end_ms'] / 1000:.2f}" in table and "segmenter" in table
    tones = good("demo", cwd=tmp_path)
    rows = [line.split() for line in tones.splitlines() if line[:1].isdigit()]
    assert [row[0] for row in rows[:3]] == ["1", "2", "3"]
    assert "three tones" in tones


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "speech.png"
    printed = good("plot", ROOT / "media/speech.mp3", "-o", out)
    assert printed == f"{out}: 5 segments of speech\n"
    assert out.read_bytes().startswith(b"\x89PNG") and out.stat().st_size > 10_000


def test_a_picture_without_matplotlib_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('none here')")
    path = f"{tmp_path}{os.pathsep}{PACKAGE}"
    told = bad(1, "plot", SPEECH, "-o", tmp_path / "a.png", PYTHONPATH=path)
    assert "pip install 'remotemedia[plot]'" in told


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps(list(range(50_000))))
    args = [sys.executable, "-m", "remotemedia", "run", CALCULATOR, "-i", tmp_path / "v.json"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    process = subprocess.Popen(
        args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "10\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_ends_it_with_130(tmp_path: Path) -> None:
    args = [sys.executable, "-m", "remotemedia", "run", CALCULATOR, "-i", "-"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    process = subprocess.Popen(
        args,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        # Where the tests run in the background, signals of the terminal are ignored, and that is
        # inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("5\n")
    process.stdin.flush()
    assert process.stdout.readline() == "20\n", "a value is worked on before the next one comes"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    process.stdin.close()
    process.stdout.close()
