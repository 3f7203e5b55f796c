"""The classes of nodes for video."""

from __future__ import annotations

import unittest
from typing import Any

from helpers import np
from remotemedia import ConfigurationError, Pipeline, nodes


def value(node: Any, given: Any) -> Any:
    """What `run` gives for pictures."""
    return Pipeline(node).run(given, kind="video").value


class Video(unittest.TestCase):
    """Nodes for video."""

    def test_buffer(self) -> None:
        pictures = [np.full((4, 6, 3), n, np.uint8) for n in range(3)]
        out = value(nodes.VideoBuffer(2), pictures)
        np.testing.assert_array_equal(out, pictures)

    def test_sizes(self) -> None:
        self.assertEqual(nodes.VideoTransform((64, 48)).params, {"width": 64, "height": 48})
        with self.assertRaisesRegex(ConfigurationError, "target_resolution=640"):
            nodes.VideoResizer(640)  # pyright: ignore[reportArgumentType]

    def test_scale(self) -> None:
        picture = np.full((48, 64, 3), 100, np.uint8)
        for made in (nodes.VideoTransform((32, 24)), nodes.VideoResizer((32, 24))):
            out = value(made, picture)
            self.assertEqual(out.shape[:2], (24, 32))
            self.assertLess(np.abs(out.astype(int) - 100).max(), 3)

    def test_flip(self) -> None:
        picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
        out = value(nodes.VideoFlip("horizontal"), picture)
        np.testing.assert_array_equal(out, picture[:, ::-1])
        out = value(nodes.VideoFlip("vertical"), picture)
        np.testing.assert_array_equal(out, picture[::-1])

    def test_format(self) -> None:
        picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
        out = value(nodes.VideoFormatConverter("bgr24"), picture)
        np.testing.assert_array_equal(out, picture[:, :, ::-1])


if __name__ == "__main__":
    unittest.main()
