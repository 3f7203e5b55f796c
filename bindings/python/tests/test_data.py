"""Arrays, text and values: in, out, who copies, who keeps what alive."""

from __future__ import annotations

import ctypes
import gc
import itertools
import pickle
import sys
import weakref
from typing import Any

import numpy as np
import pytest
import remotemedia
import support
from remotemedia import Packet, Pipeline, errors
from support import PASS, chain

AUDIO = chain({"node_type": "Gain", "params": {"gain_db": 0.0}})
DTYPES = ["float32", "int16", "int32", "uint8"]
SEED = 20261127


def address(array: Any) -> int:
    """Where an array's first element lies."""
    return int(np.asarray(array).__array_interface__["data"][0])


def through(data: Any, manifest: Any = PASS, **options: Any) -> tuple[Packet, dict[str, int]]:
    """What comes out for what goes in, and what was counted."""
    with Pipeline(manifest) as pipeline:
        pipeline.push(data, **options)
        packet = pipeline.pull()
        assert packet is not None
        return packet, pipeline.metrics()["python"]


def layouts(whole: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of two dimensions that hold the same, each laid out in another way."""
    frames, channels = whole.shape
    wide = np.zeros((2 * frames, channels + 1), whole.dtype)
    wide[::2, :channels] = whole
    return {
        "c": np.ascontiguousarray(whole),
        "fortran": np.asfortranarray(whole),
        "strided": wide[::2, :channels],
        "backwards": np.ascontiguousarray(whole[::-1])[::-1],
        "mirrored": np.ascontiguousarray(whole[:, ::-1])[:, ::-1],
        "transposed": np.ascontiguousarray(whole.T).T,
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 2), (160, 3), (1, 5), (0, 2)])
def test_every_layout_gives_the_same_samples(dtype: str, shape: tuple[int, int]) -> None:
    values = np.random.default_rng(SEED).integers(0, 100, shape)
    whole = values.astype(dtype)
    for name, array in layouts(whole).items():
        packet, counted = through(array, rate=16_000)
        out = np.asarray(packet)
        expected = whole[:, 0] if shape[1] == 1 else whole
        assert out.dtype == whole.dtype and out.shape == expected.shape, name
        np.testing.assert_array_equal(out, expected, err_msg=name)
        gathered = int(not array.flags.c_contiguous)
        assert counted["copied"] == 1 and counted["gathered"] == gathered, name
        assert counted["copied_bytes"] == whole.nbytes and counted["borrowed"] == 0, name


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_dimension_with_any_step(dtype: str) -> None:
    whole = np.arange(120).astype(dtype)
    for array in (whole, whole[::2], whole[::-1], whole[::-3], whole[5:5], whole[:0:-1]):
        packet, counted = through(array, rate=8_000)
        np.testing.assert_array_equal(np.asarray(packet), array)
        assert packet.frames == len(array) and packet.channels == 1
        assert counted["copied"] == 1 and counted["copied_bytes"] == array.nbytes


def test_a_flat_array_with_channels_is_interleaved() -> None:
    packet, _ = through(np.arange(6, dtype="int16"), rate=8_000, channels=2)
    np.testing.assert_array_equal(np.asarray(packet), [[0, 1], [2, 3], [4, 5]])
    with pytest.raises(errors.FormatError, match="no multiple of 4 channels"):
        through(np.arange(6, dtype="int16"), rate=8_000, channels=4)


def test_64_bit_floats_are_narrowed_and_counted() -> None:
    whole = np.random.default_rng(SEED).standard_normal((50, 2))
    for array in layouts(whole).values():
        packet, counted = through(array, rate=8_000)
        np.testing.assert_array_equal(np.asarray(packet), whole.astype(np.float32))
        assert (counted["narrowed"], counted["copied"], counted["gathered"]) == (1, 1, 0)
        assert counted["copied_bytes"] == whole.size * 4
    whole.setflags(write=False)
    with pytest.raises(errors.FormatError, match="narrowed to float32"):
        through(whole, rate=8_000, copy=False)


def test_random_arrays_of_any_shape_and_step_come_out_as_they_went_in() -> None:
    random = np.random.default_rng(SEED)
    dtypes = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]
    with Pipeline(PASS) as pipeline:
        copied = gathered = size = 0
        for dtype, _ in itertools.product(dtypes, range(40)):
            rank = int(random.integers(1, 5))
            array = random.integers(0, 2, random.integers(0, 6, rank)).astype(dtype)
            array = array.transpose(random.permutation(rank))
            array = array[
                tuple(slice(None, None, int(random.choice([1, 2, -1, -2]))) for _ in range(rank))
            ]
            pipeline.push(array, kind="tensor")
            packet = pipeline.pull()
            assert packet is not None and packet.kind == "tensor"
            np.testing.assert_array_equal(np.asarray(packet), array)
            assert packet.dtype == dtype and packet.shape == array.shape
            copied, size = copied + 1, size + array.nbytes
            gathered += not array.flags.c_contiguous
        counted = pipeline.metrics()["python"]
        assert (counted["copied"], counted["copied_bytes"], counted["gathered"]) == (
            copied,
            size,
            gathered,
        )


def test_an_array_without_dimensions_is_a_number_and_no_audio() -> None:
    for number in (np.float32(0.5), np.array(0.5, "float32")):
        packet, _ = through(number)
        assert (packet.kind, packet.value) == ("json", 0.5)
    for number in (np.array(0.5, "float32"), np.array(1, "int16")):
        with pytest.raises(errors.FormatError, match="neither one nor two dimensions"):
            through(number, rate=8_000)
        tensor, _ = through(number, kind="tensor")
        assert tensor.shape == () and np.asarray(tensor) == number


def test_big_endian_arrays_are_refused() -> None:
    for dtype in (">f4", ">i2", ">i4", ">f8"):
        with pytest.raises(errors.FormatError, match="byte order"):
            through(np.zeros(4, dtype), rate=8_000)


def test_types_that_are_no_samples_are_refused_with_type_shape_and_what_to_do() -> None:
    for dtype in ("int64", "int8", "float16", "bool"):
        with pytest.raises(errors.FormatError) as raised:
            through(np.zeros((480, 2), dtype), rate=8_000)
        text = str(raised.value)
        assert f"{dtype} array of shape (480, 2)" in text and "astype('float32')" in text, text
    for dtype in ("complex64", "uint16", "U4", "O"):
        with pytest.raises((errors.FormatError, TypeError)) as other:
            through(np.zeros(4, dtype), rate=8_000)
        assert str(other.value)


def test_shapes_that_are_no_audio_say_which_is_meant() -> None:
    with pytest.raises(errors.FormatError, match=r"\(frames, channels\): use array.T"):
        through(np.zeros((2, 48_000), "float32"), rate=8_000)
    with pytest.raises(errors.FormatError, match="neither one nor two"):
        through(np.zeros((2, 2, 2), "float32"), rate=8_000)
    with pytest.raises(errors.FormatError, match="channels"):
        through(np.zeros((4, 0), "float32"), rate=8_000)


# -- borrowing --


def readonly(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array, closed."""
    array.setflags(write=False)
    return array


@pytest.mark.parametrize("options", [{"rate": 48_000}, {"kind": "tensor"}])
def test_a_borrowed_array_is_the_one_that_comes_out(options: dict[str, Any]) -> None:
    array = readonly(np.arange(4_800, dtype=np.float32).reshape(-1, 2))
    packet, counted = through(array, copy=False, **options)
    assert address(packet) == address(array)
    assert (counted["borrowed"], counted["borrowed_bytes"], counted["copied"]) == (
        1,
        array.nbytes,
        0,
    )


def test_what_can_be_written_or_has_gaps_is_not_borrowed() -> None:
    with pytest.raises(errors.FormatError, match=r"setflags\(write=False\)"):
        through(np.zeros(8, "float32"), rate=8_000, copy=False)
    for gaps in (np.zeros(8, "float32")[::2], np.zeros((4, 2), "int16", order="F")):
        with pytest.raises(errors.FormatError, match="ascontiguousarray"):
            through(readonly(gaps), rate=8_000, copy=False)


def test_the_owner_lives_as_long_as_what_borrows_from_it() -> None:
    before = support.live()
    array = readonly(np.arange(100, dtype=np.float32))
    gone = weakref.ref(array)
    count = sys.getrefcount(array)
    packet, _ = through(array, rate=8_000, copy=False)
    assert sys.getrefcount(array) > count
    del array
    gc.collect()
    assert gone() is not None
    view = np.asarray(packet)
    del packet
    gc.collect()
    np.testing.assert_array_equal(view, np.arange(100))
    del view
    assert support.live() == before
    assert gone() is None


def test_borrowed_memory_in_a_pipeline_that_is_dropped_is_given_back() -> None:
    for manifest in (PASS, support.THREADED):
        arrays = [readonly(np.zeros(100, np.float32)) for _ in range(10)]
        gone = [weakref.ref(array) for array in arrays]
        pipeline = Pipeline(manifest)
        for array in arrays:
            pipeline.push(array, rate=8_000, copy=False)
        del array, arrays, pipeline
        support.live()
        for _ in range(200):
            if not any(ref() is not None for ref in gone):
                break
            support.live()
        assert not any(ref() is not None for ref in gone)


def test_bytes_are_borrowed_from_bytes_objects_only() -> None:
    data = bytes(range(256)) * 16
    packet, counted = through(data, copy=False)
    assert packet.kind == "bytes" and counted["borrowed"] == 1
    assert address(packet) == address(np.frombuffer(data, np.uint8))
    with pytest.raises(errors.FormatError, match="can be written"):
        through(bytearray(data), copy=False)


def test_what_is_changed_after_a_push_comes_out_as_it_was() -> None:
    for manifest in (PASS, support.THREADED):
        with Pipeline(manifest) as pipeline:
            array = np.zeros((480, 2), np.float32)
            for n in range(50):
                array[:] = n
                pipeline.push(array, rate=48_000)
                array[:] = -1
                packet = pipeline.pull()
                assert packet is not None and (np.asarray(packet) == n).all()


# -- out --


def test_an_array_over_a_packet_shares_its_memory_and_is_read_only() -> None:
    packet, _ = through(np.arange(10, dtype=np.float32), rate=8_000)
    one, two = np.asarray(packet), packet.numpy()
    assert address(one) == address(two) and not one.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        one[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        one.setflags(write=True)
    copy = np.array(packet)
    copy[0] = 5
    assert one[0] == 0


def test_a_packet_outlives_its_pipeline_and_an_array_its_packet() -> None:
    before = support.live()
    packet, _ = through(np.arange(1_000, dtype=np.int32), rate=8_000)
    view, memory = np.asarray(packet), memoryview(packet)
    del packet
    gc.collect()
    assert view[999] == memory[999] == 999
    del view
    memory.release()
    del memory
    assert support.live() == before


@pytest.mark.parametrize(
    ("dtype", "format"), [("float32", "f"), ("int16", "h"), ("int32", "i"), ("uint8", "B")]
)
def test_a_memoryview_tells_format_shape_and_strides(dtype: str, format: str) -> None:
    array = np.arange(12).astype(dtype).reshape(6, 2)
    packet, _ = through(array, rate=8_000)
    view, size = memoryview(packet), array.itemsize
    assert (view.format, view.shape, view.strides) == (format, (6, 2), (2 * size, size))
    assert view.readonly and view.c_contiguous and view.nbytes == array.nbytes == packet.nbytes
    assert view.tolist() == array.tolist()
    assert bytes(packet) == packet.tobytes() == array.tobytes()
    assert len(packet) == packet.frames == 6
    with pytest.raises(TypeError, match="read-only"):
        view[0, 0] = 1
    with pytest.raises((BufferError, TypeError)):
        (ctypes.c_char * packet.nbytes).from_buffer(packet)  # pyright: ignore[reportArgumentType]


def test_simple_consumers_of_bytes_take_packets(tmp_path: Any) -> None:
    packet, _ = through(np.arange(8, dtype=np.int16), rate=8_000)
    (tmp_path / "samples").write_bytes(packet)
    assert (tmp_path / "samples").read_bytes() == np.arange(8, dtype=np.int16).tobytes()
    assert b"".join([packet, packet]) == 2 * bytes(packet)
    assert np.frombuffer(packet, np.int16).tolist() == list(range(8))


def test_packed_24_bit_samples_come_out_as_three_bytes() -> None:
    convert = chain({"node_type": "FormatConverter", "params": {"format": "i24"}})
    samples = np.array([0.0, 0.5, -0.5, 0.25], np.float32)
    for shape in ((4,), (2, 2)):
        packet, _ = through(samples.reshape(shape), convert, rate=8_000)
        assert packet.sample_format == "i24" and packet.dtype == "uint8"
        out = np.asarray(packet).astype(np.int32)
        assert out.shape == (*shape, 3)
        value = out[..., 0] | out[..., 1] << 8 | (out[..., 2] << 24 >> 8)
        np.testing.assert_allclose(value / 2**23, samples.reshape(shape), atol=2**-22)
        assert bytes(packet) == out.astype(np.uint8).tobytes()


def test_planar_packets_come_out_as_frames_by_channels() -> None:
    planar = chain({"node_type": "FormatConverter", "params": {"format": "f32", "planar": True}})
    whole = np.arange(12, dtype=np.float32).reshape(6, 2) / 16
    packet, _ = through(whole, planar, rate=8_000)
    out = np.asarray(packet)
    np.testing.assert_array_equal(out, whole)
    assert out.strides[0] == 4, "each channel lies by itself"
    assert bytes(packet) == packet.tobytes() == whole.tobytes()
    np.testing.assert_array_equal(np.from_dlpack(packet), whole)
    assert memoryview(packet).tobytes() == whole.tobytes()
    with pytest.raises(BufferError):
        np.frombuffer(packet, np.float32)
    again, counted = through(packet)
    np.testing.assert_array_equal(np.asarray(again), whole)
    assert counted["copied"] == 0


def test_a_slice_is_some_frames_of_a_packet_and_shares_its_memory() -> None:
    packet, _ = through(np.arange(20, dtype=np.float32).reshape(10, 2), rate=8_000)
    part = packet.slice(2, 3)
    assert part.frames == 3 and address(part) == address(packet) + 2 * 8
    np.testing.assert_array_equal(np.asarray(part), np.asarray(packet)[2:5])
    assert packet.slice(10, 0).frames == 0
    for first, frames in ((0, 11), (11, 0), (5, 6), (2**62, 2**62)):
        with pytest.raises(errors.RemoteMediaError):
            packet.slice(first, frames)
    with pytest.raises(OverflowError):
        packet.slice(-1, 2)


def test_value_gives_what_python_has_for_a_packet() -> None:
    assert Packet("ü\0x").value == "ü\0x"
    assert Packet({"a": [1, None, 2.5]}).value == {"a": [1, None, 2.5]}
    assert Packet(b"\0\xff").value == b"\0\xff"
    tensor = Packet(np.eye(3), kind="tensor").value
    assert (
        isinstance(tensor, np.ndarray) and not tensor.flags.writeable and tensor.dtype == np.float64
    )
    audio = Packet(np.zeros(4, np.float32), kind="audio", rate=8_000)
    assert audio.value is audio
    with pytest.raises(BufferError, match=r"packet\.value"):
        Packet({"a": 1}).numpy()


# -- DLPack --


def test_dlpack_shares_memory_and_says_that_it_is_read_only() -> None:
    before = support.live()
    packet, _ = through(np.arange(12, dtype=np.float32).reshape(6, 2), rate=8_000)
    assert packet.__dlpack_device__() == (1, 0)
    array = np.from_dlpack(packet)
    np.testing.assert_array_equal(array, np.asarray(packet))
    if np.lib.NumpyVersion(np.__version__) >= "2.1.0":
        assert address(array) == address(packet) and not array.flags.writeable
    del packet
    gc.collect()
    assert array[5, 1] == 11
    del array
    assert support.live() == before


def test_dlpack_without_a_version_gives_a_copy() -> None:
    class Old:
        """Knows nothing of versions."""

        def __init__(self, packet: Packet) -> None:
            self.packet = packet

        def __dlpack__(self, *, stream: Any = None) -> Any:
            return self.packet.__dlpack__(stream=stream)

        def __dlpack_device__(self) -> tuple[int, int]:
            return self.packet.__dlpack_device__()

    packet, _ = through(np.arange(12, dtype=np.int16), rate=8_000)
    array = np.from_dlpack(Old(packet))
    assert address(array) != address(packet)
    np.testing.assert_array_equal(array, np.asarray(packet))
    with pytest.raises(BufferError, match="allow a copy"):
        packet.__dlpack__(copy=False)
    copy = packet.__dlpack__(max_version=(1, 0), copy=True)
    assert "dltensor_versioned" in repr(copy)
    with pytest.raises(BufferError, match="CPU"):
        packet.__dlpack__(dl_device=(2, 0))


def test_a_capsule_that_nobody_takes_lets_its_packet_go() -> None:
    before = support.live()
    for version, copy in itertools.product((None, (0, 8), (1, 0), (2, 0)), (None, True)):
        for _ in range(20):
            packet = Packet(np.zeros((4, 2), np.float32), kind="tensor")
            capsule = packet.__dlpack__(max_version=version, copy=copy)
            del packet
            del capsule
    assert support.live() == before


def test_dlpack_comes_in_where_there_is_no_buffer() -> None:
    class OnlyDlpack:
        """An array that has no buffer."""

        def __init__(self, array: np.ndarray[Any, Any]) -> None:
            self.array = array

        def __dlpack__(self, **options: Any) -> Any:
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return self.array.__dlpack_device__()

    whole = np.arange(12, dtype=np.float32).reshape(6, 2)
    for array in (whole, whole[::-1], np.asfortranarray(whole), whole[:0], whole[:, :1]):
        gone = weakref.ref(given := OnlyDlpack(array))
        packet, counted = through(given, rate=8_000)
        expected = array[:, 0] if array.shape[1] == 1 else array
        np.testing.assert_array_equal(np.asarray(packet), expected)
        assert counted["copied"] == 1 and counted["gathered"] == (not array.flags.c_contiguous)
        del given
        gc.collect()
        assert gone() is None

    class OnGpu(OnlyDlpack):
        """Lies elsewhere."""

        def __dlpack_device__(self) -> Any:
            return (2, 0)

    with pytest.raises(errors.FormatError, match=r"use `tensor.cpu\(\)`"):
        through(OnGpu(whole), rate=8_000)
    with pytest.raises(errors.FormatError, match="not taken"):
        through(OnlyDlpack(np.zeros(3, np.complex64)))

    class Broken(OnlyDlpack):
        """Gives no capsule."""

        def __dlpack__(self, **options: Any) -> Any:
            return 5

    with pytest.raises((BufferError, TypeError)):
        through(Broken(whole))


def test_a_packet_comes_back_in_over_dlpack_alone() -> None:
    source = Packet(np.arange(6, dtype=np.int32), kind="tensor")

    class Wrapped:
        """A packet behind its DLPack face."""

        def __dlpack__(self, **options: Any) -> Any:
            return source.__dlpack__(**options)

        def __dlpack_device__(self) -> Any:
            return source.__dlpack_device__()

    packet, counted = through(Wrapped(), kind="tensor", copy=False)
    assert counted["borrowed"] == 1 and address(packet) == address(source)


def test_torch_takes_packets_and_gives_them() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    packet, _ = through(np.arange(12, dtype=np.float32).reshape(6, 2), rate=8_000)
    assert torch.from_dlpack(packet).tolist() == np.asarray(packet).tolist()
    again, _ = through(torch.arange(6, dtype=torch.int16), rate=8_000)
    assert np.asarray(again).tolist() == list(range(6))


# -- pictures, tensors, values, text --


@pytest.mark.parametrize(
    ("shape", "pixel_format", "options"),
    [
        ((4, 6), "gray8", {"kind": "video"}),
        ((4, 6, 3), "rgb24", {"kind": "video"}),
        ((4, 6, 4), "rgba", {"kind": "video"}),
        ((4, 6, 3), "bgr24", {"pixel_format": "bgr24"}),
        ((4, 6, 4), "bgra", {"pixel_format": "bgra"}),
        ((6, 6), "i420", {"pixel_format": "i420"}),
        ((6, 6), "nv12", {"pixel_format": "nv12"}),
    ],
)
def test_pictures_keep_their_pixels(
    shape: tuple[int, ...], pixel_format: str, options: dict[str, Any]
) -> None:
    picture = np.random.default_rng(SEED).integers(0, 256, shape, np.uint8)
    for array in (picture, np.asfortranarray(picture), picture[::-1]):
        packet, _ = through(array, **options)
        assert (packet.kind, packet.pixel_format, packet.width, packet.height) == (
            "video",
            pixel_format,
            6,
            4,
        )
        np.testing.assert_array_equal(np.asarray(packet), array)


def test_pictures_that_are_none_are_refused_with_their_shape() -> None:
    with pytest.raises(errors.FormatError, match="uint8"):
        through(np.zeros((4, 6, 3), "float32"), kind="video")
    with pytest.raises(errors.FormatError, match=r"\(4, 6, 5\)"):
        through(np.zeros((4, 6, 5), "uint8"), kind="video")
    with pytest.raises(errors.FormatError, match="is none of rgb24"):
        through(np.zeros((4, 6, 3), "uint8"), pixel_format="rgb48")
    with pytest.raises(errors.FormatError, match="for i420"):
        through(np.zeros((4, 6, 3), "uint8"), pixel_format="i420")


def test_pil_images_are_pictures() -> None:
    images = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for mode, pixel_format in (("RGB", "rgb24"), ("RGBA", "rgba"), ("L", "gray8")):
        image = images.new(mode, (6, 4), 77)
        packet, counted = through(image)
        assert (packet.kind, packet.pixel_format) == ("video", pixel_format)
        np.testing.assert_array_equal(np.asarray(packet), np.asarray(image))
        assert counted["copied"] == 1
    with pytest.raises(errors.FormatError, match=r"convert\('RGB'\)"):
        through(images.new("CMYK", (6, 4)))


def test_what_is_no_value_is_refused_and_says_why() -> None:
    for number in (float("nan"), float("inf"), [1.0, float("-inf")], {"a": np.float64("nan")}):
        with pytest.raises(ValueError, match=r"(?i)json|nan|inf"):
            through(number)
    with pytest.raises(TypeError, match="no array, text, bytes or JSON value"):
        through(object())
    with pytest.raises(errors.ArgumentError, match='kind "video"'):
        through("text", kind="video")
    with pytest.raises(errors.ArgumentError, match="kinds are"):
        through(np.zeros(4), kind="smell")


def test_text_that_is_no_utf8_is_refused_and_zeros_in_it_are_kept() -> None:
    with pytest.raises(UnicodeEncodeError, match="surrogate"):
        through("a\ud800b")
    with pytest.raises(ValueError, match="surrogate"):
        through({"a": "\ud800"})
    packet, _ = through("a\0b")
    assert packet.text == packet.value == "a\0b"
    packet, _ = through({"a\0": "b\0"})
    assert packet.value == {"a\0": "b\0"}


def test_names_with_zeros_and_surrogates_are_refused() -> None:
    with Pipeline(PASS) as pipeline:
        for name in ("a\0b", "\ud800", "", "nowhere"):
            with pytest.raises((errors.RemoteMediaError, UnicodeEncodeError)) as raised:
                pipeline.push("x", port=name)
            assert str(raised.value)
            with pytest.raises((errors.RemoteMediaError, UnicodeEncodeError)):
                pipeline.pull(port=name)
    with pytest.raises((errors.RemoteMediaError, ValueError)):
        Pipeline({"version": "v1", "nodes": [{"id": "a\ud800", "node_type": "PassThrough"}]}).open()


def test_packets_and_pipelines_are_not_pickled() -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(Packet("x"))
    with pytest.raises(TypeError, match="pickle its manifest"):
        pickle.dumps(Pipeline(PASS))


def test_errors_are_pickled() -> None:
    with pytest.raises(errors.ManifestError) as raised:
        Pipeline(chain("NoSuchNode")).open()
    again = pickle.loads(pickle.dumps(raised.value))
    assert (type(again), str(again), again.detail, again.problems) == (
        type(raised.value),
        str(raised.value),
        raised.value.detail,
        raised.value.problems,
    )


# -- pull_into --


def test_pull_into_fills_an_array_of_ones_own() -> None:
    before = support.live()
    with Pipeline(PASS) as pipeline:
        out = np.zeros((8, 2), np.float32)
        assert pipeline.pull_into(out) is None
        for n in range(3):
            pipeline.push(np.full((4 + n, 2), n + 1, np.float32), rate=8_000)
        for n in range(3):
            out[:] = 0
            assert pipeline.pull_into(out) == 4 + n
            assert (out[: 4 + n] == n + 1).all() and not out[4 + n :].any()
        pipeline.push(np.arange(6, dtype=np.int64).reshape(2, 3), kind="tensor")
        flat = np.zeros(6, np.int64)
        assert pipeline.pull_into(memoryview(flat), timeout=1) == 2
        assert flat.tolist() == list(range(6))
        pipeline.push(b"")
        assert pipeline.pull_into(np.zeros(0, np.uint8)) == 0
        pipeline.end()
        assert pipeline.pull_into(out) is None and pipeline.ended
    del pipeline
    assert support.live() == before


def test_a_packet_that_does_not_fit_is_in_the_error() -> None:
    with Pipeline(PASS) as pipeline:
        for out in (
            np.zeros((3, 2), "float32"),
            np.zeros((9, 3), "float32"),
            np.zeros((9, 2), "int16"),
        ):
            pipeline.push(np.ones((4, 2), np.float32), rate=8_000)
            with pytest.raises(errors.FormatError, match="does not fit") as raised:
                pipeline.pull_into(out)
            packet: Packet = raised.value.packet  # pyright: ignore[reportAttributeAccessIssue]
            assert packet.frames == 4 and not out.any()
        pipeline.push({"no": "array"})
        with pytest.raises(BufferError) as other:
            pipeline.pull_into(np.zeros(9, "uint8"))
        assert other.value.packet.value == {"no": "array"}  # pyright: ignore


def test_arrays_that_can_not_be_filled_are_refused_before_anything_is_pulled() -> None:
    with Pipeline(PASS) as pipeline:
        pipeline.push(np.ones(4, np.float32), rate=8_000)
        gaps = np.zeros(8, "float32")[::2]
        for out in (readonly(np.zeros(4, "float32")), gaps, b"1234", "text", None, [0.0] * 4):
            with pytest.raises(errors.ArgumentError, match=r"can't be filled|no array"):
                pipeline.pull_into(out)
        out = np.zeros(4, np.float32)
        assert pipeline.pull_into(out) == 4 and out.all()


def test_planar_packets_are_put_frame_by_frame() -> None:
    planar = chain({"node_type": "FormatConverter", "params": {"format": "f32", "planar": True}})
    whole = np.arange(12, dtype=np.float32).reshape(6, 2) / 16
    with Pipeline(planar) as pipeline:
        pipeline.push(whole, rate=8_000)
        out = np.zeros((6, 2), np.float32)
        assert pipeline.pull_into(out) == 6
        np.testing.assert_array_equal(out, whole)


def test_counts_are_exact_over_a_mixed_run() -> None:
    random = np.random.default_rng(SEED)
    expected = dict.fromkeys(
        ("copied", "copied_bytes", "gathered", "narrowed", "borrowed", "borrowed_bytes",
         "assumed_rate"), 0,
    )  # fmt: skip
    with Pipeline(PASS) as pipeline:
        for _ in range(300):
            frames = int(random.integers(0, 50))
            match int(random.integers(0, 5)):
                case 0:
                    pipeline.push(np.zeros(frames, np.float32), rate=8_000)
                    expected["copied"] += 1
                    expected["copied_bytes"] += 4 * frames
                case 1:
                    pipeline.push(np.zeros(2 * frames + 4, np.int16)[::2], rate=8_000)
                    expected["copied"] += 1
                    expected["gathered"] += 1
                    expected["copied_bytes"] += 2 * (frames + 2)
                case 2:
                    pipeline.push(np.zeros(frames), rate=8_000)
                    expected["copied"] += 1
                    expected["narrowed"] += 1
                    expected["copied_bytes"] += 4 * frames
                case 3:
                    pipeline.push(readonly(np.zeros(frames, np.uint8)), rate=8_000, copy=False)
                    expected["borrowed"] += 1
                    expected["borrowed_bytes"] += frames
                case _:
                    pipeline.push(Packet("ready made"))
            assert pipeline.pull() is not None
        assert pipeline.metrics()["python"] == expected


def test_audio_without_a_rate_is_told_once() -> None:
    with Pipeline(AUDIO) as pipeline:
        with pytest.warns(remotemedia.RateAssumedWarning, match="give rate="):
            pipeline.push(np.zeros(480, np.float32))
        pipeline.push(np.zeros(480, np.float32))
        assert pipeline.metrics()["python"]["assumed_rate"] == 2
        told = [e for e in pipeline.events() if e.get("warning") == "audio.rate_assumed"]
        assert len(told) == 1
