"""Values as bytes and back: exact for what is taken, and safe for bytes from anywhere."""

from __future__ import annotations

import datetime
import enum
import math
import pickle
import random
import struct
import wave
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from remotemedia._native import Packet
from remotemedia.errors import FormatError, SerializationError
from remotemedia.serialization import (
    AudioFrame,
    JSONSerializer,
    PickleSerializer,
    Serializer,
    VideoFrame,
    dumps,
    loads,
)

ROOT = Path(__file__).resolve().parents[3]
DTYPES = [*"?bBhHiIqQefdFD", ">i2", ">f4", ">c8", "S3", "U2", ">U2", "M8[ns]", "m8[25s]", "M8"]


def speech() -> AudioFrame:
    """Real audio, int16."""
    with wave.open(str(ROOT / "media/speech-16k.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return AudioFrame(samples, file.getframerate(), 0)


def same(one: Any, other: Any) -> bool:
    """Whether values are equal with their types, bit by bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, np.ndarray):
        flags = (one.flags.f_contiguous, one.flags.c_contiguous)
        alike = (one.dtype.str, one.shape) == (other.dtype.str, other.shape)
        if one.flags.c_contiguous or one.flags.f_contiguous:
            alike = alike and flags == (other.flags.f_contiguous, other.flags.c_contiguous)
        return alike and one.tobytes() == other.tobytes() and other.flags.writeable
    if isinstance(one, np.generic):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (set, frozenset)):
        return sorted(map(dumps, one)) == sorted(map(dumps, other))
    if isinstance(one, datetime.datetime):
        return repr(one) == repr(other)
    return bool(one == other)


def an_array(rng: random.Random) -> Any:
    dtype = np.dtype(rng.choice(DTYPES))
    shape = tuple(rng.choice((0, 1, 2, 3, 5)) for _ in range(rng.randrange(4)))
    size = math.prod(shape)
    if dtype.kind == "b":
        array = np.array([rng.random() < 0.5 for _ in range(size)], dtype)
    elif dtype.kind == "U":
        array = np.array([chr(rng.randrange(1, 0xD800)) for _ in range(size)], dtype)
    else:
        array = np.frombuffer(rng.randbytes(size * dtype.itemsize), dtype)
    array = array.reshape(shape) if rng.random() < 0.5 else array.reshape(shape, order="F")
    return array[::2] if shape and rng.random() < 0.2 else array


def a_leaf(rng: random.Random, hashable: bool) -> Any:
    match rng.randrange(10 if hashable else 15):
        case 0:
            return None
        case 1:
            return rng.random() < 0.5
        case 2:
            return rng.choice((-1, 1)) * rng.getrandbits(rng.choice((1, 7, 8, 63, 64, 65, 900)))
        case 3:
            return rng.choice((0.0, -0.0, 1e-320, math.inf, -math.inf, math.nan, rng.gauss(0, 9)))
        case 4 | 5:
            return "".join(rng.choice("aé中\0🎵") for _ in range(rng.randrange(5)))
        case 6:
            return rng.randbytes(rng.randrange(6))
        case 7:
            zone = rng.choice((None, datetime.UTC, datetime.timezone(datetime.timedelta(hours=-3))))
            when = datetime.datetime(1, 1, 1) + datetime.timedelta(seconds=rng.uniform(0, 6e10))
            return when.replace(tzinfo=zone, fold=rng.randrange(2))
        case 8:
            number = rng.randrange(100)
            day = np.datetime64(number, "D")
            return day if number < 9 else np.dtype(rng.choice("bhlfdF")).type(number)
        case 9:
            return np.float32(rng.random())
        case 10 | 11 | 12:
            return an_array(rng)
        case 13:
            shape = rng.choice(((3,), (3, 2), (0, 1)))
            kind = rng.choice(("f4", "i2", "i4", "u1"))
            samples = np.frombuffer(rng.randbytes(24), kind)[: math.prod(shape)].reshape(shape)
            return AudioFrame(samples, rng.randrange(1, 768_001), rng.choice((None, -7, 2**62)))
        case _:
            form, shape = rng.choice((("rgb24", (2, 3, 3)), ("gray8", (2, 3)), ("i420", (3, 2))))
            return VideoFrame(np.zeros(shape, np.uint8), form, rng.choice((None, 5)))


def a_value(rng: random.Random, depth: int = 4, hashable: bool = False) -> Any:
    if depth == 0 or rng.random() < 0.4:
        return a_leaf(rng, hashable)

    def some(hashable: bool) -> list[Any]:
        return [a_value(rng, depth - 1, hashable) for _ in range(rng.randrange(4))]

    if hashable:
        return tuple(some(True)) if rng.random() < 0.7 else frozenset(some(True))
    match rng.randrange(5):
        case 0 | 1:
            return some(False)
        case 2:
            return tuple(some(False))
        case 3:
            return set(some(True))
        case _:
            return {key: a_value(rng, depth - 1) for key in some(True)}


def test_random_values_come_back_exactly() -> None:
    for seed in range(5_000):
        value = a_value(random.Random(seed))
        data = dumps(value)
        back = loads(data)
        assert same(value, back), seed
        assert dumps(back) == data, "one value has one form"


def test_random_bytes_only_ever_raise_serialization_errors() -> None:
    rng = random.Random(1)
    tags = b"NTFifsbyYldtezagAV"
    for _ in range(5_000):
        body = rng.randbytes(rng.randrange(40))
        if rng.random() < 0.7:
            body = bytes(rng.choice(tags + b"\0\0\0\1\2") for _ in body)
        for data in (body, b"RMSV\x01" + body):
            try:
                loads(data)
            except SerializationError:
                continue


def test_mutated_bytes_only_ever_raise_serialization_errors() -> None:
    rng = random.Random(2)
    refused = 0
    for seed in range(10_000):
        data = bytearray(dumps(a_value(random.Random(seed % 1_000))))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(4):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    data[at : at + 4] = struct.pack("<I", rng.choice((0, 2**31, 2**32 - 1)))
                case 2:
                    del data[at : at + rng.randrange(1, 9)]
                case _:
                    data[at:at] = rng.randbytes(rng.randrange(1, 9))
            if not data:
                break
        try:
            value = loads(bytes(data))
        except SerializationError:
            refused += 1
            continue
        assert same(loads(dumps(value)), value), "what is read can be written, and is the same"
    assert refused > 5_000


def test_every_prefix_and_every_tail_is_refused() -> None:
    data = dumps({"a": [1, (2.5, "x")], "b": np.arange(4), "c": speech().samples[:9]})
    for size in range(len(data)):
        with pytest.raises(SerializationError):
            loads(data[:size])
    with pytest.raises(SerializationError, match="behind it"):
        loads(data + b"\0")


def test_lengths_are_checked_before_anything_is_made() -> None:
    head = b"RMSV\x01"
    array = b"a\x03<f8\x00\x01" + struct.pack("<q", 2**59)
    for body in (
        b"l\xff\xff\xff\xff",
        b"s\xff\xff\xff\xff",
        b"i\xff\xff\xff\xff",
        array,
        array.replace(b"\x01" + struct.pack("<q", 2**59), b"\x20" + struct.pack("<q", 2**62) * 32),
        b"a\x0b|S999999999\x00\x01" + struct.pack("<q", 1),
        b"a\x03<f4\x00\x02" + struct.pack("<qq", 0, 2**62),
        b"a\x03|O8\x00\x00" + bytes(8),
        b"a\x03|S0\x00\x01" + struct.pack("<q", 2**40),
        b"A\x01\x00\x00\x00" * 50_000,
    ):
        with pytest.raises(SerializationError):
            loads(head + body)


def test_depth_and_size_have_limits() -> None:
    value: Any = 0
    for _ in range(100):
        value = [value]
    assert same(loads(dumps(value)), value)
    with pytest.raises(SerializationError, match="more than 100 deep"):
        dumps([value])
    with pytest.raises(SerializationError, match="more than 100 deep"):
        loads(b"RMSV\x01" + b"l\x01\0\0\0" * 5_000 + b"N")
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(SerializationError, match="in itself"):
        dumps(loop)
    doubled: Any = [0]
    for _ in range(60):
        doubled = [doubled, doubled]
    with pytest.raises(SerializationError, match="more than 1000 bytes"):
        dumps(doubled, max_size=1000)
    with pytest.raises(SerializationError, match="more than 100 bytes"):
        dumps(np.zeros(1000), max_size=100)
    with pytest.raises(SerializationError, match="max_size=10"):
        loads(dumps("a" * 20), max_size=10)


class Colour(enum.IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: int


def test_what_would_come_back_changed_is_refused_with_its_place() -> None:
    for value, why in (
        (object(), "a object can't"),
        (Colour.RED, "Colour can't"),
        (Point(1, 2), "Point can't"),
        (OrderedDict(a=1), "OrderedDict can't"),
        (bytearray(b"x"), r"use bytes\(value\)"),
        ("\ud800", "lone surrogate"),
        (np.array([None]), "an array of object"),
        (np.zeros(2, [("a", "i4")]), "an array of"),
        (np.ma.array([1]), "numpy.asarray"),
        (np.str_("x"), r"use .item\(\)"),
        (Packet("/x", kind="file"), "a packet of kind file"),
        (lambda: None, "function can't"),
    ):
        with pytest.raises(SerializationError, match=why) as caught:
            dumps({"list": [1, (value,)]})
        assert str(caught.value).startswith("value['list'][1][0]: ")


def test_a_text_array_with_impossible_characters_is_refused() -> None:
    data = bytearray(dumps(np.array(["ab"])))
    data[-4:] = struct.pack("<I", 0x110000)
    with pytest.raises(SerializationError, match="character"):
        loads(data)


def test_packets_become_frames_and_values() -> None:
    frame = speech()
    assert same(loads(dumps(frame.packet())), frame)
    assert same(
        loads(dumps([Packet("hi"), Packet({"a": 1}), Packet(b"x")])), ["hi", {"a": 1}, b"x"]
    )
    assert same(loads(dumps(Packet(np.arange(4.0)))), np.arange(4.0))
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    picture = VideoFrame(pixels, "bgr24", 40)
    back = loads(dumps(picture.packet()))
    assert back == picture and (back.width, back.height) == (4, 2)
    assert VideoFrame.of(picture.packet()) == picture


def test_frames_say_what_is_wrong_with_them() -> None:
    for make, why in (
        (lambda: AudioFrame([0.0], 8000), "NumPy array"),
        (lambda: AudioFrame(np.zeros(3), 8000), "float32"),
        (lambda: AudioFrame(np.zeros((2, 99), np.int16), 8000), "99 channels"),
        (lambda: AudioFrame(np.zeros(2, np.int16), 0), "rate is 0"),
        (lambda: AudioFrame(np.zeros(2, np.int16), 8000, 2**70), "pts_ns"),
        (lambda: VideoFrame(np.zeros((2, 2), np.uint8), "rgb24"), r"\(height, width, 3\)"),
        (lambda: VideoFrame(np.zeros((2, 2, 3), np.uint8), "yuv"), "none of rgb24"),
        (lambda: VideoFrame(np.zeros((4, 2), np.uint8), "i420"), "both even"),
        (lambda: AudioFrame.of(Packet("x")), "kind text is no audio"),
    ):
        with pytest.raises(FormatError, match=why):
            make()
    frame = speech()
    assert (frame.channels, frame.duration_ns // 10**9) == (1, len(frame.samples) // 16_000)
    assert frame != AudioFrame(frame.samples, 16_000) and frame == pickle.loads(pickle.dumps(frame))


def test_json_has_frames_and_audio_dicts() -> None:
    json = JSONSerializer()
    picture = VideoFrame(np.arange(24, dtype=np.uint8).reshape(2, 4, 3), "rgb24")
    stereo = AudioFrame(np.array([[0.1, -1], [1e-9, 3]], np.float32), 8000, 5)
    value = {"a": [1, None, 0.1, "é"], "speech": speech(), "picture": picture, "stereo": stereo}
    assert same(json.deserialize(json.serialize(value)), value)
    plain = {"type": "audio", "samples": [0.5], "sample_rate": 8000, "channels": 1}
    assert json.deserialize(json.serialize(plain)) == plain, "no frame was put in, none comes out"
    assert json.deserialize(json.serialize((1, 2))) == [1, 2]
    for bad in (math.nan, {1: 2}, {1}, b"x", "\ud800"):
        with pytest.raises(SerializationError):
            json.serialize({"x": bad})
    for text in (b"{", b"\xff", b"NaN", b"[" * 100_000, b"1" * 5_000):
        with pytest.raises(SerializationError):
            json.deserialize(text)


def test_json_that_looks_like_a_frame_and_is_none_is_refused() -> None:
    good = {"type": "audio", "samples": [1, 2], "sample_rate": 8000, "channels": 2, "format": "i16"}
    picture = VideoFrame(np.zeros((2, 2), np.uint8), "gray8").to_json()
    json = JSONSerializer()
    assert json.deserialize(json.serialize(good)).channels == 2
    for base, change in (
        (good, {"samples": [1, 70_000]}),
        (good, {"samples": [0.5, 1]}),
        (good, {"samples": [[1, 2]]}),
        (good, {"samples": "x"}),
        (good, {"samples": [10**400, 1]}),
        (good, {"channels": 3}),
        (good, {"channels": "2"}),
        (good, {"format": "f16"}),
        (good, {"format": []}),
        (good, {"sample_rate": None}),
        (good, {"pts_ns": 0.5}),
        (picture, {"width": 3}),
        (picture, {"width": -1}),
        (picture, {"width": 1e9}),
        (picture, {"pixels": "!"}),
        (picture, {"pixels": 5}),
        (picture, {"pixel_format": "rgb24"}),
        (picture, {"pixel_format": {}}),
    ):
        text = json.serialize([{**base, **change}])
        with pytest.raises(SerializationError, match=r"no (audio|video) frame"):
            json.deserialize(text)


class Pair:
    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b


def test_pickles_hold_only_classes_that_are_listed() -> None:
    none, listed = PickleSerializer(), PickleSerializer(allow=[Pair, np.ndarray, datetime.datetime])
    plain = [1, 2.5, "x", b"y", None, True, (1,), {"a": {2}}, frozenset({3}), bytearray(b"z")]
    assert none.deserialize(none.serialize(plain)) == plain
    pair = listed.deserialize(listed.serialize(Pair(1, 2)))
    assert (pair.a, pair.b) == (1, 2)
    for dtype in "?bhqfdFD":
        for array in (np.zeros((3, 2), dtype), np.ones((3, 2), dtype).T, np.zeros(9, dtype)[::2]):
            back = listed.deserialize(listed.serialize(array))
            assert np.array_equal(back, array) and back.dtype == array.dtype
    when = datetime.datetime(2026, 11, 27)
    assert listed.deserialize(listed.serialize(when)) == when
    for value in (Pair(1, 2), Pair, print, np.zeros(1), when, 1j):
        with pytest.raises(SerializationError, match="is not allowed in pickles"):
            none.serialize(value)
        with pytest.raises(SerializationError, match="is not allowed in pickles"):
            none.deserialize(pickle.dumps(value))
    with pytest.raises(TypeError, match="allow lists classes"):
        PickleSerializer(allow=[print])  # type: ignore[list-item]


def test_hostile_pickles_run_nothing() -> None:
    for data in (b"cos\nsystem\n(S'false'\ntR.", b"", b"garbage", b"\x80\x05K", b"c__main__\nx\n."):
        for serializer in (PickleSerializer(), PickleSerializer(allow=[Pair])):
            with pytest.raises(SerializationError):
                serializer.deserialize(data)


def test_both_are_serializers() -> None:
    serializers: list[Serializer] = [JSONSerializer(), PickleSerializer()]
    for each in serializers:
        assert each.deserialize(each.serialize({"a": [1, "b"]})) == {"a": [1, "b"]}
