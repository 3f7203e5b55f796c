"""Each form in which pipelines are run, and the life of their nodes."""

from __future__ import annotations

import asyncio
import unittest
import warnings
from typing import Any

import remotemedia
from helpers import np
from remotemedia import Node, Pipeline
from remotemedia.nodes import AddNode, AudioResampleNode, PassThroughNode


class Counted(Node):
    """Counts what is done to it."""

    def __init__(self, fail: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.fail = fail
        self.did: list[str] = []

    def initialize(self) -> None:
        """Once."""
        self.did.append("initialize")

    def process(self, data: Any) -> Any:
        """For each item."""
        self.did.append("process")
        if self.fail:
            raise KeyError("no")
        return data

    def cleanup(self) -> None:
        """Once, also after an error."""
        self.did.append("cleanup")


class CountedAsync(Counted):
    """The same with `async`, as earlier versions had it."""

    async def initialize(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Once."""
        await asyncio.sleep(0)
        self.did.append("initialize")

    async def process(self, data: Any) -> Any:
        """For each item."""
        await asyncio.sleep(0)
        return super().process(data)

    async def cleanup(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Once."""
        await asyncio.sleep(0)
        self.did.append("cleanup")


class Runs(unittest.IsolatedAsyncioTestCase):
    """`run`, with and without an event loop."""

    def test_plain(self) -> None:
        run = Pipeline(AddNode(1)).run(1)
        self.assertEqual(run.value, 2)

    def test_by_asyncio_run(self) -> None:
        self.assertEqual(asyncio.run(Pipeline(AddNode(1)).run(1)), 2)

    async def test_awaited(self) -> None:
        self.assertEqual(await Pipeline(AddNode(1)).run(1), 2)
        self.assertEqual(await Pipeline(CountedAsync()).run([1, 2]), [1, 2])
        self.assertEqual(await asyncio.create_task(Pipeline(AddNode(1)).run(1)), 2)

        async def items() -> Any:
            for n in range(3):
                yield n

        self.assertEqual(await Pipeline(AddNode(1)).run(items()), [1, 2, 3])

    async def test_not_awaited(self) -> None:
        node = Counted()
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            Pipeline(node).run(1)
        self.assertIn("was never awaited", str(seen[0].message))
        self.assertEqual(node.did, [])

    def test_inputs(self) -> None:
        audio = np.linspace(-1, 1, 480, dtype=np.float32)
        resample = Pipeline(AudioResampleNode(16_000))
        right = resample.run((audio, 48_000)).value
        self.assertEqual(right.shape, (160,))
        as_dict = {"type": "audio", "samples": audio, "sample_rate": 48_000, "channels": 1}
        for given in ((audio, 48_000), as_dict, [(audio, 48_000)], {"audio": (audio, 48_000)}):
            with self.subTest(type(given)):
                np.testing.assert_array_equal(resample.run(given).value, right)
        for given in (audio, {"audio": audio}):
            np.testing.assert_array_equal(resample.run(given, rate=48_000).value, right)
        # Without a rate 48 kHz is taken, with a warning.
        with self.assertWarnsRegex(remotemedia.RateAssumedWarning, "48000 Hz"):
            np.testing.assert_array_equal(resample.run({"audio": audio}).value, right)

    def test_values(self) -> None:
        self.assertIsNone(Pipeline(PassThroughNode()).run().value)
        self.assertEqual(Pipeline(PassThroughNode()).run(["a"]).value, "a")
        self.assertEqual(Pipeline(PassThroughNode()).run(["a", "b"]).value, ["a", "b"])
        self.assertEqual(Pipeline(PassThroughNode()).run(b"raw").value, b"raw")


class Life(unittest.IsolatedAsyncioTestCase):
    """`initialize` and `cleanup`."""

    def test_once_a_run(self) -> None:
        for kind in (Counted, CountedAsync):
            node = kind()
            pipeline = Pipeline(node)
            pipeline.run([1, 2])
            self.assertEqual(node.did, ["initialize", "process", "process", "cleanup"])
            pipeline.run(3)
            self.assertEqual(node.did[4:], ["initialize", "process", "cleanup"])

    def test_managed(self) -> None:
        for kind in (Counted, CountedAsync):
            node = kind()
            with Pipeline(node).managed_execution() as pipeline:
                self.assertEqual([pipeline.run(n).value for n in range(3)], [0, 1, 2])
            self.assertEqual(node.did, ["initialize", *["process"] * 3, "cleanup"])

    async def test_managed_async(self) -> None:
        for kind in (Counted, CountedAsync):
            node = kind()
            async with Pipeline(node).managed_execution() as pipeline:
                self.assertEqual([await pipeline.run(n) for n in range(3)], [0, 1, 2])
            self.assertEqual(node.did, ["initialize", *["process"] * 3, "cleanup"])

    async def test_after_an_error(self) -> None:
        for kind in (Counted, CountedAsync):
            node = kind(fail=True)
            with self.assertRaises(remotemedia.NodeError) as caught:
                await Pipeline(node).run(1)
            self.assertIsInstance(caught.exception.__cause__, KeyError)
            self.assertEqual(node.did, ["initialize", "process", "cleanup"])


class Told(unittest.TestCase):
    """What a pipeline tells of itself."""

    def test_log(self) -> None:
        logs = self.assertLogs("remotemedia", "DEBUG")
        with logs as log, self.assertRaises(remotemedia.NodeError):
            Pipeline(Counted(fail=True), name="logged").run(1)
        self.assertTrue(any("logged" in line and "KeyError" in line for line in log.output))


if __name__ == "__main__":
    unittest.main()
