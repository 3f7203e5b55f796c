"""`capi.py` on the library that REMOTEMEDIA_LIBRARY names (or that the system finds).

python3 -m unittest discover bindings/python/tests
"""

from __future__ import annotations

import array
import ctypes
import gc
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import wave
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent / "remotemedia"))

import capi  # noqa: E402

HALF = {
    "name": "test/Half",
    "inputs": [{"name": "in", "kinds": ["audio"], "samples": ["f32"], "planar": False}],
    "outputs": [{"name": "out", "kinds": ["audio"], "like_input": True}],
}


def manifest(*nodes: capi.Json) -> str:
    """A chain of nodes."""
    ids = [node["id"] for node in nodes]
    links = [{"from": one, "to": other} for one, other in itertools.pairwise(ids)]
    return json.dumps({"version": "v1", "nodes": nodes, "connections": links})


HOST = manifest({"id": "half", "node_type": "test/Half"})
PASS = manifest({"id": "p", "node_type": "PassThrough"})


def halve(library: capi.Library, job: capi.Job) -> None:
    """The work of test/Half."""
    with job:
        if job.packet is not None:
            info = job.packet.info
            samples = array.array("f", (sample * 0.5 for sample in job.packet.view()))
            with capi.Packet.audio(library, samples, info.rate, info.channels) as half:
                job.emit(half)


class Header(unittest.TestCase):
    """The module is what the header says."""

    def test_the_module_is_not_stale(self) -> None:
        check = [sys.executable, str(HERE.parent / "generate_capi.py"), "--check"]
        subprocess.run(check, check=True)

    @unittest.skipUnless(shutil.which("gcc"), "needs gcc")
    def test_structs_lie_as_the_c_compiler_lays_them(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            program = str(Path(folder) / "layout")
            source = str(HERE / "layout.c")
            subprocess.run(["gcc", "-I", str(ROOT / "include"), source, "-o", program], check=True)
            told = subprocess.run([program], capture_output=True, check=True, text=True).stdout
        lines = dict(line.split() for line in told.splitlines())
        found: dict[str, str] = {}
        for name, struct in vars(capi).items():
            if isinstance(struct, type) and issubclass(struct, ctypes.Structure):
                found[name] = str(ctypes.sizeof(struct))
                for field, *_ in getattr(struct, "_fields_", []):
                    found[f"{name}.{field}"] = str(getattr(struct, field).offset)
        self.assertEqual(found, lines)

    def test_every_function_is_in_the_library(self) -> None:
        library = capi.load()
        names = [name for name in vars(capi.Library) if name.startswith("rmedia_")]
        self.assertGreater(len(names), 50)
        for name in names:
            self.assertTrue(getattr(library, name).__doc__, name)


class Loading(unittest.TestCase):
    """What is said when there is no fitting library."""

    def test_a_path_that_is_none_is_named(self) -> None:
        with self.assertRaisesRegex(OSError, "nowhere.so.*REMOTEMEDIA_LIBRARY"):
            capi.load("nowhere.so")

    @unittest.skipUnless(shutil.which("gcc"), "needs gcc")
    def test_another_version_is_told_with_both_numbers_and_the_path(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source, made = Path(folder) / "old.c", str(Path(folder) / "old.so")
            source.write_text("unsigned rmedia_abi_version(void) { return 7 << 8 | 3; }\n")
            subprocess.run(["gcc", "-shared", "-fPIC", str(source), "-o", made], check=True)
            with self.assertRaisesRegex(OSError, r"old\.so.*0\.7\.3.*0\.1"):
                capi.load(made)


class WithLibrary(unittest.TestCase):
    """Every test leaves nothing behind."""

    def setUp(self) -> None:
        self.library = capi.load()

    def tearDown(self) -> None:
        gc.collect()
        live = capi.live(self.library)
        self.assertEqual({kind: n for kind, n in live.items() if n}, {})


class Pipelines(WithLibrary):
    """Packets in, packets out."""

    def test_a_recording_goes_through(self) -> None:
        with wave.open(str(ROOT / "media" / "speech-16k.wav")) as file:
            rate, channels = file.getframerate(), file.getnchannels()
            data = file.readframes(file.getnframes())
        text = manifest({"id": "g", "node_type": "Gain", "params": {"gain_db": 0}})
        frames, samples = 0, array.array("f")
        with capi.Pipeline(self.library, text) as pipeline:
            for at in range(0, len(data), 1920):
                piece = data[at : at + 1920]
                packet = capi.Packet.audio(self.library, piece, rate, channels, sample="i16")
                self.assertEqual(pipeline.push(packet), capi.RMEDIA_OK)
                while (pulled := pipeline.pull()).packet is not None:
                    with pulled.packet as out:
                        frames += out.info.frames
                        samples.extend(out.view())
            pipeline.end()
            self.assertEqual(pipeline.pull().status, capi.RMEDIA_END)
            self.assertEqual(pipeline.close(), capi.RMEDIA_OK)
            self.assertEqual(pipeline.state(), capi.RMEDIA_STATE_CLOSED)
        self.assertEqual(frames, len(data) // 2)
        self.assertEqual(samples[4000], array.array("h", data)[4000] / 32768)

    def test_every_kind_comes_out_as_it_went_in(self) -> None:
        make, library = capi.Packet, self.library
        with capi.Pipeline(library, PASS) as pipeline:
            pipeline.push(make.text(library, "grüß dich", pts_ns=7))
            pipeline.push(make.value(library, {"a": [1, None]}))
            pipeline.push(make.from_bytes(library, memoryview(b"0123")[1:3]))
            text, value, data = (pipeline.pull().packet for _ in range(3))
            assert text is not None and value is not None and data is not None
            self.assertEqual((bytes(text.view()).decode(), text.pts_ns), ("grüß dich", 7))
            self.assertEqual((value.json(), value.pts_ns), ({"a": [1, None]}, 7))
            self.assertEqual(bytes(data.view()), b"12")

    def test_errors_say_where(self) -> None:
        text = manifest({"id": "g", "node_type": "Gain", "params": {"gian_db": 1}})
        with self.assertRaises(capi.Error) as caught:
            capi.Pipeline(self.library, text)
        error = caught.exception
        self.assertEqual(error.status, capi.RMEDIA_E_INVALID_MANIFEST)
        self.assertEqual((error.name, error.detail), ("InvalidManifest", "manifest.unknown_param"))
        self.assertEqual(error.json["pointer"], "/nodes/0/params/gian_db")
        self.assertEqual(str(error), error.message)
        report = capi.Engine.default(self.library).validate(text)
        self.assertEqual(report["problems"][0]["pointer"], "/nodes/0/params/gian_db")

    def test_use_after_release_is_an_error(self) -> None:
        pipeline = capi.Pipeline(self.library, PASS)
        packet = capi.Packet.text(self.library, "x")
        stale = capi.rmedia_packet_t(packet.handle.id)
        packet.release()
        packet.release()
        for use in (packet.view, packet.share, packet.json, lambda: pipeline.push(packet)):
            self.assertEqual(self.status_of(use), capi.RMEDIA_E_BAD_HANDLE)
        shared = ctypes.byref(capi.rmedia_packet_t())
        status = self.library.rmedia_packet_share(stale, shared)
        self.assertEqual(status, capi.RMEDIA_E_BAD_HANDLE)
        pipeline.release()
        for use in (pipeline.pull, pipeline.metrics, pipeline.end, pipeline.cancel):
            self.assertEqual(self.status_of(use), capi.RMEDIA_E_BAD_HANDLE)

    def status_of(self, use: capi.Callable[[], object]) -> int:
        """The status of the error that it gives."""
        with self.assertRaises(capi.Error) as caught:
            use()
        return caught.exception.status

    def test_a_view_outlives_its_packet(self) -> None:
        packet = capi.Packet.audio(self.library, array.array("f", [0.5] * 960), 48000, 1)
        part = packet.slice(100, 10)
        packet.release()
        view = part.view()
        part.release()
        self.assertEqual((list(view), view.readonly), ([0.5] * 10, True))
        self.assertEqual(capi.live(self.library)["packets"], 1)
        del view

    def test_an_interrupt_forgets_and_a_gap_lets_go(self) -> None:
        """Epochs count; a time that comes later begins there."""
        with capi.Pipeline(self.library, PASS) as pipeline:
            pipeline.push(capi.Packet.text(self.library, "a"))
            self.assertEqual(pipeline.interrupt(), 1)
            self.assertEqual(pipeline.pull().status, capi.RMEDIA_NEED_INPUT)
            self.assertEqual(pipeline.next_event()["event"], "interrupted")
            pipeline.gap(10**9)
            pipeline.push(capi.Packet.text(self.library, "b"))
            pulled = pipeline.pull().packet
            assert pulled is not None
            self.assertEqual(pulled.pts_ns, 10**9)

    def test_one_descriptor_serves_many_pipelines(self) -> None:
        """The engine lists those that have something to do, by their tags."""
        engine = capi.Engine(self.library)
        pipelines = [capi.Pipeline(self.library, PASS, engine) for _ in range(20)]
        for tag, pipeline in enumerate(pipelines):
            pipeline.watch(tag)
        descriptor = engine.wait_handle()
        self.assertEqual(select.select([descriptor], [], [], 0)[0], [])
        for n in (7, 3, 7, 11):
            pipelines[n].push(capi.Packet.text(self.library, str(n)))
        pipelines[3].unwatch()
        self.assertEqual(select.select([descriptor], [], [], 0)[0], [descriptor])
        found: dict[int, int] = {}
        while (tag := engine.next_ready()) is not None:
            found[tag] = 0
            while pipelines[tag].pull().packet is not None:
                found[tag] += 1
        self.assertEqual(found, {7: 2, 11: 1})
        self.assertEqual(select.select([descriptor], [], [], 0)[0], [])
        for pipeline in pipelines:
            pipeline.release()
        engine.release()

    def test_params_events_and_metrics_are_told(self) -> None:
        text = manifest({"id": "g", "node_type": "Gain"})
        with capi.Pipeline(self.library, text) as pipeline:
            number = pipeline.set_params("g", {"gain_db": -6})
            pipeline.push(capi.Packet.audio(self.library, bytes(400), 8000, 1), "g")
            self.assertEqual(pipeline.next_event()["seq"], number)
            self.assertIsNone(pipeline.next_event())
            nodes = [node["node_id"] for node in pipeline.metrics()["node_metrics"]]
            self.assertIn("g", nodes)
            self.assertEqual(list(pipeline.describe()["inputs"]), ["g"])


class HostNodes(WithLibrary):
    """Nodes of the program, by queue."""

    def setUp(self) -> None:
        super().setUp()
        self.engine = capi.Engine(self.library)
        self.engine.add_host_node(HALF)
        self.pipeline = capi.Pipeline(self.library, HOST, self.engine)

    def tearDown(self) -> None:
        self.pipeline.release()
        while (job := self.engine.next_job()) is not None:
            job.done()
        self.engine.release()
        super().tearDown()

    def push(self, value: float) -> None:
        """Pushes a packet of one sample."""
        samples = array.array("f", [value])
        self.pipeline.push(capi.Packet.audio(self.library, samples, 8000, 1))

    def test_the_thread_that_pulls_serves(self) -> None:
        self.push(1.0)
        self.assertEqual(self.pipeline.pull(timeout_ms=-1).status, capi.RMEDIA_HOST)
        job = self.engine.next_job()
        assert job is not None
        self.assertEqual((job.kind, job.node_type), (capi.RMEDIA_JOB_PROCESS, "test/Half"))
        halve(self.library, job)
        packet = self.pipeline.pull().packet
        assert packet is not None
        self.assertEqual(list(packet.view()), [0.5])

    def test_another_thread_serves(self) -> None:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                job = self.engine.next_job(timeout_ms=20)
                if job is not None:
                    halve(self.library, job)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            found: list[float] = []
            for n in range(50):
                self.push(float(n))
                while not (pulled := self.pipeline.pull(timeout_ms=-1)).packet:
                    self.assertEqual(pulled.status, capi.RMEDIA_HOST)
                found.extend(pulled.packet.view())
            self.assertEqual(found, [n / 2 for n in range(50)])
        finally:
            over.set()
            thread.join()

    def test_an_exception_fails_the_node(self) -> None:
        self.push(1.0)
        job = self.engine.next_job()
        assert job is not None
        with self.assertRaises(ZeroDivisionError), job:
            _ = 1 / 0
        with self.assertRaises(capi.Error) as caught:
            self.pipeline.pull()
        self.assertEqual(caught.exception.detail, "node.failed")
        self.assertEqual(caught.exception.json["node"], "half")

    def test_a_job_that_is_dropped_fails(self) -> None:
        self.push(1.0)
        self.assertIsNotNone(self.engine.next_job())
        gc.collect()
        with self.assertRaisesRegex(capi.Error, "dropped"):
            self.pipeline.pull()

    def test_the_packet_of_a_job_is_emitted_twice_and_kept(self) -> None:
        self.push(1.0)
        job = self.engine.next_job()
        assert job is not None and job.packet is not None
        kept, again = job.packet.share(), job.packet.share()
        with job:
            job.emit(job.packet)
            job.emit(again)
        self.assertEqual(list(kept.view()), [1.0])
        kept.release()
        for _ in range(2):
            packet = self.pipeline.pull().packet
            assert packet is not None
            self.assertEqual(list(packet.view()), [1.0])

    def test_a_pull_that_waits_lets_other_threads_run(self) -> None:
        self.push(1.0)
        job = self.engine.next_job()
        assert job is not None
        pulling = threading.Event()
        pulled: list[capi.Pulled] = []

        def pull() -> None:
            packet, about = capi.rmedia_packet_t(), capi.c_uint32()
            error = capi.rmedia_error_t()
            pulling.set()
            status = self.library.rmedia_pipeline_pull(
                self.pipeline.handle,
                capi.RMEDIA_ANY,
                capi.RMEDIA_FOREVER,
                ctypes.byref(packet),
                ctypes.byref(about),
                ctypes.byref(error),
            )
            taken = capi.Packet(self.library, packet)
            pulled.append(capi.Pulled(status, taken, about.value))

        thread = threading.Thread(target=pull)
        thread.start()
        pulling.wait()
        # One call of the library waits for the job; were the lock held, nothing here would go on.
        count = 0
        began = time.monotonic()
        while time.monotonic() - began < 0.05:
            count += 1
        self.assertGreater(count, 0)
        self.assertTrue(thread.is_alive())
        halve(self.library, job)
        thread.join()
        assert pulled[0].packet is not None
        self.assertEqual((pulled[0].status, list(pulled[0].packet.view())), (0, [0.5]))
        pulled.clear()


class Wrapped(WithLibrary):
    """Memory of the program, given back when the program asks."""

    def test_wrapped_memory_comes_back_once_and_when_asked(self) -> None:
        engine = capi.Engine(self.library)
        memory = bytearray(array.array("f", [0.25] * 960).tobytes())
        packet = capi.Packet.audio(self.library, memory, 48000, 1, engine=engine, wrap=True)
        self.assertEqual(packet.info.data, self.address(memory))
        with self.assertRaises(BufferError):
            memory.append(0)
        with capi.Pipeline(self.library, PASS, engine) as pipeline:
            pipeline.push(packet)
            self.assertEqual(engine.run_releases(), 0)
            out = pipeline.pull().packet
            assert out is not None
            self.assertEqual(out.info.data, self.address(memory))
            out.release()
        with self.assertRaises(BufferError):
            memory.append(0)
        self.assertEqual([engine.run_releases(), engine.run_releases()], [1, 0])
        gc.collect()
        memory.append(0)
        engine.release()

    def test_what_was_refused_is_not_kept(self) -> None:
        memory = bytearray(4)
        with self.assertRaises(capi.Error):
            capi.Packet.audio(self.library, memory, 0, 1, wrap=True)
        gc.collect()
        memory.append(0)

    def test_releases_after_the_engine_are_made_where_they_fall(self) -> None:
        engine = capi.Engine(self.library)
        memory = bytearray(8)
        packet = capi.Packet.from_bytes(self.library, memory, engine=engine, wrap=True)
        engine.release()
        thread = threading.Thread(target=packet.release)
        thread.start()
        thread.join()
        gc.collect()
        memory.append(0)

    def address(self, memory: bytearray) -> int:
        """Where the bytes lie."""
        return ctypes.addressof(ctypes.c_ubyte.from_buffer(memory))


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
