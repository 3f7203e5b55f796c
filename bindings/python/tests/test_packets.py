"""Data in and out: what is an array, what is copied, what is shared."""

from __future__ import annotations

import array
import gc
import math
import pickle
import warnings
import weakref
from typing import Any

import numpy as np
import pytest
import remotemedia as rm
from remotemedia import _native

PASS = {"version": "v1", "nodes": [{"id": "n", "node_type": "PassThrough"}]}
GAIN: dict[str, Any] = {
    "version": "v1",
    "nodes": [{"id": "g", "node_type": "Gain", "params": {"gain_db": 0}}],
}


def through(
    data: Any, manifest: dict[str, Any] = PASS, **options: Any
) -> tuple[rm.Packet, dict[str, Any]]:
    """What comes of a push, and how it came in."""
    with rm.Pipeline(manifest) as pipeline:
        pipeline.push(data, **options)
        packet = pipeline.pull()
        assert packet is not None
        return packet, pipeline.metrics()["python"]


def address(data: Any) -> int:
    """Where the elements lie."""
    return np.asarray(data).__array_interface__["data"][0]


SAMPLES = {"float32": "f32", "int16": "i16", "int32": "i32", "uint8": "u8"}


@pytest.mark.parametrize("dtype", SAMPLES)
@pytest.mark.parametrize("shape", [(480,), (480, 1), (480, 2), (0,), (0, 2), (1, 64)])
def test_samples_come_out_as_they_went_in(dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    samples = (rng.standard_normal(shape) * 50).astype(dtype)
    packet, copies = through(samples, rate=16_000)
    assert packet.kind == "audio"
    assert packet.sample_format == SAMPLES[dtype]
    assert packet.channels == (shape[1] if len(shape) == 2 else 1)
    out = np.asarray(packet)
    assert out.dtype == samples.dtype
    np.testing.assert_array_equal(out.reshape(shape), samples)
    assert copies["copied"] == 1
    assert copies["copied_bytes"] == samples.nbytes
    assert copies["gathered"] == copies["narrowed"] == copies["borrowed"] == 0


def test_64_bit_floats_become_32_bit_ones_and_are_counted() -> None:
    samples = np.linspace(-1, 1, 480)
    packet, copies = through(samples, rate=16_000)
    np.testing.assert_array_equal(np.asarray(packet), samples.astype(np.float32))
    assert copies["narrowed"] == 1


VIEWS = {
    "every other frame": lambda a: a[::2],
    "backwards": lambda a: a[::-1],
    "one channel of several": lambda a: a[:, 1],
    "channels swapped": lambda a: a[:, ::-1],
    "columns": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "repeated": lambda a: np.broadcast_to(a[:1], (5, 3)),
}


@pytest.mark.parametrize("name", VIEWS)
def test_arrays_with_gaps_are_gathered_and_counted(name: str) -> None:
    samples = VIEWS[name](np.arange(300, dtype=np.float32).reshape(100, 3))
    packet, copies = through(samples, rate=16_000)
    np.testing.assert_array_equal(np.asarray(packet), samples)
    assert copies["gathered"] == 1


REFUSED: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "int64": (np.zeros(4, np.int64), {}, "int64 array of shape (4,)", "astype('float32')"),
    "channels first": (np.zeros((2, 4800), np.float32), {}, "shape (2, 4800)", "array.T"),
    "three dimensions": (
        np.zeros((2, 2, 2), np.float32),
        {},
        "shape (2, 2, 2)",
        "(frames, channels)",
    ),
    "half frames": (np.zeros(5, np.float32), {"channels": 2}, "shape (5,)", "whole frames"),
    "big-endian": (np.zeros(4, ">f4"), {}, "byte order", "newbyteorder"),
    "complex": (np.zeros(4, np.complex64), {}, "format", "astype"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_audio_is_refused_with_type_shape_and_what_to_do(name: str) -> None:
    data, options, what, hint = REFUSED[name]
    with rm.Pipeline(GAIN) as pipeline:
        with pytest.raises(rm.FormatError) as told:
            pipeline.push(data, rate=16_000, **options)
        assert what in str(told.value)
        assert hint in str(told.value)
        # Nothing is lost: the pipeline goes on.
        pipeline.push(np.zeros(4, np.float32), rate=16_000)
        assert pipeline.pull() is not None


def test_samples_given_as_bytes_say_what_they_are() -> None:
    packet, _ = through(b"\x01\x02\x03" * 4, rate=8_000, sample_format="i24", channels=2)
    assert (packet.sample_format, packet.frames, packet.shape) == ("i24", 2, (2, 2, 3))
    assert packet.tobytes() == b"\x01\x02\x03" * 4
    with pytest.raises(rm.FormatError, match="no whole frames"):
        rm.Packet(b"abc", kind="audio", rate=8_000, sample_format="i16")
    with pytest.raises(rm.FormatError, match="f32, i16, i24, i32, u8"):
        rm.Packet(b"abcd", kind="audio", rate=8_000, sample_format="f64")


def test_planes_come_out_as_frames_and_channels_over_the_same_memory() -> None:
    planes = np.arange(20, dtype=np.float32).reshape(2, 10)
    packet = rm.Packet(planes, rate=8_000, planar=True)
    out = np.asarray(packet)
    np.testing.assert_array_equal(out, planes.T)
    assert out.strides == (4, 40)
    assert packet.tobytes() == planes.T.tobytes()


def test_packets_are_read_only_and_share_their_memory() -> None:
    packet, _ = through(np.ones(100, np.float32), rate=8_000)
    first, second = np.asarray(packet), np.asarray(packet)
    assert address(first) == address(second) == address(memoryview(packet))
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 2
    view = memoryview(packet)
    assert (view.format, view.shape, view.readonly, view.nbytes) == ("f", (100,), True, 400)


def test_an_array_keeps_the_memory_of_a_packet_whose_pipeline_is_gone() -> None:
    pipeline = rm.Pipeline(PASS)
    pipeline.push(np.arange(5, dtype=np.float32), rate=8_000)
    packet = pipeline.pull()
    out = np.asarray(packet)
    pipeline.close()
    del pipeline, packet
    gc.collect()
    np.testing.assert_array_equal(out, np.arange(5))


def test_what_is_changed_after_a_push_does_not_reach_the_pipeline() -> None:
    samples = np.zeros(100, np.float32)
    with rm.Pipeline(PASS) as pipeline:
        pipeline.push(samples, rate=8_000)
        samples[:] = 1
        assert not np.asarray(pipeline.pull()).any()


def test_borrowed_memory_is_not_copied_and_lives_as_long_as_it_is_used() -> None:
    samples = np.ones(300_000, np.float32)
    samples.setflags(write=False)
    place, gone = address(samples), weakref.ref(samples)
    with rm.Pipeline(PASS) as pipeline:
        pipeline.push(samples, rate=48_000, copy=False)
        packet = pipeline.pull()
        assert address(packet) == place
        counted = pipeline.metrics()["python"]
        assert (counted["borrowed"], counted["borrowed_bytes"]) == (1, samples.nbytes)
        assert counted["copied"] == 0
        del samples
        gc.collect()
        assert gone() is not None
        assert np.asarray(packet)[0] == 1
        del packet
        # It is given back by the next call of Python's.
        pipeline.push("next")
    gc.collect()
    assert gone() is None


def test_what_could_be_changed_or_has_gaps_is_not_borrowed() -> None:
    with rm.Pipeline(PASS) as pipeline:
        for data, why in (
            (np.zeros(10, np.float32), "setflags"),
            (np.zeros(20, np.float32)[::2], "gaps"),
            (np.zeros(10), "narrowed"),
        ):
            with pytest.raises(rm.FormatError, match=why):
                pipeline.push(data, rate=8_000, copy=False)


TENSORS = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


@pytest.mark.parametrize("dtype", TENSORS)
def test_tensors_keep_type_and_shape_on_a_port_that_takes_anything(dtype: str) -> None:
    tensor = np.arange(24).reshape(2, 3, 4).astype(dtype)
    packet, _ = through(tensor)
    assert packet.kind == "tensor"
    assert (packet.dtype, packet.shape) == (dtype, (2, 3, 4))
    np.testing.assert_array_equal(np.asarray(packet), tensor)


def test_dlpack_shares_memory_and_says_that_it_is_read_only() -> None:
    packet, _ = through(np.arange(6, dtype=np.float32).reshape(3, 2), rate=8_000)
    shared = np.from_dlpack(packet)
    assert address(shared) == address(packet)
    assert not shared.flags.writeable
    # Who does not know version 1 can't be told, and gets a copy.
    capsule = packet.__dlpack__()
    del capsule
    with pytest.raises(BufferError):
        packet.__dlpack__(copy=False)
    with pytest.raises(BufferError, match="CPU"):
        packet.__dlpack__(max_version=(1, 0), dl_device=(2, 0))


class OnlyDlpack:
    """An array that has no buffer."""

    def __init__(self, data: Any, device: int = 1) -> None:
        self.data, self.device = data, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.device, 0)


def test_tensors_of_other_libraries_come_in_by_dlpack() -> None:
    samples = np.arange(12, dtype=np.float32).reshape(6, 2)
    packet, _ = through(OnlyDlpack(samples), rate=8_000)
    np.testing.assert_array_equal(np.asarray(packet), samples)
    packet, copies = through(OnlyDlpack(samples[::2]), rate=8_000)
    np.testing.assert_array_equal(np.asarray(packet), samples[::2])
    assert copies["gathered"] == 1
    with pytest.raises(rm.FormatError, match="cpu"):
        through(OnlyDlpack(samples, device=2), rate=8_000)


def test_capsules_that_nobody_takes_are_let_go_of() -> None:
    packet = rm.Packet(np.zeros(10, np.float32), rate=8_000)
    before = _native.live()["packets"]
    for version in (None, (1, 0)):
        capsule = packet.__dlpack__(max_version=version)
        del capsule
    gc.collect()
    assert _native.live()["packets"] == before


PICTURES = {
    "rgb24": (4, 6, 3),
    "bgr24": (4, 6, 3),
    "rgba": (4, 6, 4),
    "bgra": (4, 6, 4),
    "gray8": (4, 6),
    "i420": (6, 6),
    "nv12": (6, 6),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_arrays_of_rows(name: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, PICTURES[name], dtype=np.uint8)
    packet, _ = through(pixels, pixel_format=name)
    assert (packet.kind, packet.pixel_format) == ("video", name)
    assert (packet.width, packet.height) == (6, 4)
    np.testing.assert_array_equal(np.asarray(packet), pixels)


def test_images_of_pillow_are_pictures() -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    picture = image.new("RGB", (5, 3), (1, 2, 3))
    packet, _ = through(picture)
    assert (packet.pixel_format, packet.width, packet.height) == ("rgb24", 5, 3)
    with pytest.raises(rm.FormatError, match="convert"):
        through(image.new("CMYK", (5, 3)))


VALUES: list[Any] = [
    "",
    "grüße \U0001f642",
    {"a": [1, 2.5, None, True, "x"]},
    [],
    0,
    -(2**53),
    1e-300,
    None,
    True,
]


@pytest.mark.parametrize("given", VALUES)
def test_values_come_out_as_they_went_in(given: Any) -> None:
    packet, _ = through(given)
    assert (packet.text if isinstance(given, str) else packet.json()) == given


def test_bytes_and_numbers_of_numpy_and_arrays_of_the_library() -> None:
    assert through(b"\0ab")[0].tobytes() == b"\0ab"
    assert bytes(through(bytearray(b"xy"))[0]) == b"xy"
    assert through(memoryview(b"xy"))[0].kind == "bytes"
    assert through(np.float64(2.5))[0].json() == 2.5
    assert through(np.int32(7))[0].json() == 7
    assert through(array.array("h", [1, -2]), rate=8_000)[0].sample_format == "i16"


def test_values_that_are_no_json_are_refused_with_words() -> None:
    with rm.Pipeline(PASS) as pipeline:
        with pytest.raises(TypeError, match="object can't be pushed"):
            pipeline.push(object())
        with pytest.raises(ValueError, match="JSON"):
            pipeline.push({"x": math.nan})
        with pytest.raises(UnicodeEncodeError):
            pipeline.push("\ud800")
        with pytest.raises(rm.ArgumentError, match="kinds are audio"):
            pipeline.push("x", kind="sound")


def test_parts_of_a_packet_share_its_memory_and_have_their_time() -> None:
    packet = rm.Packet(np.arange(100, dtype=np.float32), rate=1_000, pts_ns=5)
    part = packet.slice(10, 20)
    assert (part.frames, part.pts_ns) == (20, 10_000_005)
    assert address(part) == address(packet) + 40
    with pytest.raises(rm.ArgumentError):
        packet.slice(90, 11)


def test_properties_of_another_kind_say_whose_they_are() -> None:
    packet = rm.Packet("x")
    with pytest.raises(AttributeError, match="kind text has no rate: that is for audio"):
        _ = packet.rate
    with pytest.raises(BufferError, match="are values"):
        memoryview(rm.Packet({"a": 1}))
    assert not hasattr(packet, "channels")
    with pytest.raises(TypeError):
        pickle.dumps(packet)


def test_audio_without_a_rate_takes_the_manifests_or_48_khz_with_a_warning() -> None:
    samples = np.zeros(10, np.float32)
    told = {**GAIN, "nodes": [{**GAIN["nodes"][0], "source_rate": 22_050}]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert through(samples, told)[0].rate == 22_050
    with rm.Pipeline(GAIN) as pipeline:
        with pytest.warns(rm.RateAssumedWarning, match="48000"):
            pipeline.push(samples)
        pipeline.push(samples)
        packet = pipeline.pull()
        assert packet is not None
        assert packet.rate == 48_000
        warned = [e for e in pipeline.events() if e.get("warning") == "audio.rate_assumed"]
        assert len(warned) == 1
        assert pipeline.metrics()["python"]["assumed_rate"] == 2


def test_an_empty_packet_is_true_and_has_a_length() -> None:
    packet = rm.Packet(np.zeros((0, 2), np.float32), rate=8_000)
    assert packet
    assert len(packet) == 0
    assert "audio, 0 frames, 8000 Hz, 2 ch, f32" in repr(packet)


def test_a_packet_is_pulled_into_an_array_and_one_that_does_not_fit_is_kept() -> None:
    out = np.zeros(10, np.float32)
    with rm.Pipeline(PASS) as pipeline:
        assert pipeline.pull_into(out) is None
        pipeline.push(np.arange(4, dtype=np.float32), rate=8_000)
        assert pipeline.pull_into(out) == 4
        np.testing.assert_array_equal(out, [0, 1, 2, 3, 0, 0, 0, 0, 0, 0])
        pipeline.push(np.arange(4, dtype=np.int16), rate=8_000)
        with pytest.raises(rm.FormatError, match="int16 of shape") as told:
            pipeline.pull_into(out)
        np.testing.assert_array_equal(told.value.packet.numpy(), np.arange(4))


def test_the_value_of_a_packet_is_what_python_has_for_it() -> None:
    assert rm.Packet("x").value == "x"
    assert rm.Packet({"a": [1]}).value == {"a": [1]}
    assert rm.Packet(b"x").value == b"x"
    np.testing.assert_array_equal(rm.Packet(np.eye(2)).value, np.eye(2))
    audio = rm.Packet(np.zeros(3, np.float32), rate=8_000)
    assert audio.value is audio
