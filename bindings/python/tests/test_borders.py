"""What stands at the border of the interpreter: flags of the buffer protocol, and DLPack capsules
of whoever makes them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import support
from remotemedia import Packet, errors

# Of CPython's "Include/cpython/object.h".
SIMPLE, WRITABLE, FORMAT, ND, STRIDES = 0, 0x1, 0x4, 0x8, 0x10 | 0x8
C_CONTIGUOUS, F_CONTIGUOUS, ANY_CONTIGUOUS = 0x20 | STRIDES, 0x40 | STRIDES, 0x80 | STRIDES


class Buffer(ctypes.Structure):
    """Py_buffer."""

    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]


def buffer(of: Any, flags: int) -> dict[str, Any]:
    """What is seen of an object with these flags."""
    view = Buffer()
    if ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(of), ctypes.byref(view), flags) != 0:
        raise AssertionError("an exception should have come")
    try:
        shape = view.shape[: view.ndim] if view.shape else None
        strides = view.strides[: view.ndim] if view.strides else None
        return {"len": view.len, "format": view.format, "shape": shape, "strides": strides}
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(view))


def stereo() -> Packet:
    """Four frames of two channels."""
    return Packet(np.arange(8, dtype=np.float32).reshape(4, 2), kind="audio", rate=48_000)


def mono() -> Packet:
    """Four frames of one."""
    return Packet(np.arange(4, dtype=np.int16), kind="audio", rate=48_000)


def picture() -> Packet:
    """Two rows of three pixels."""
    return Packet(np.zeros((2, 3, 3), np.uint8), kind="video", pixel_format="rgb24")


@pytest.mark.parametrize("flags", [SIMPLE, ND, STRIDES, FORMAT, C_CONTIGUOUS, ANY_CONTIGUOUS])
def test_every_packet_gives_what_the_flags_ask_for(flags: int) -> None:
    whole: list[tuple[Packet, bytes, list[int], list[int]]] = [
        (stereo(), b"f", [4, 2], [8, 4]),
        (mono(), b"h", [4], [2]),
        (picture(), b"B", [2, 3, 3], [9, 3, 1]),
        (Packet("text"), b"B", [4], [1]),
    ]
    for packet, form, shape, strides in whole:
        seen = buffer(packet, flags)
        assert seen["len"] == memoryview(packet).nbytes
        assert seen["format"] == (form if flags & FORMAT else None)
        assert seen["shape"] == (shape if flags & ND else None)
        assert seen["strides"] == (strides if flags & STRIDES == STRIDES else None)


def test_what_packets_can_not_give_is_a_buffer_error() -> None:
    for packet in (stereo(), mono(), picture(), Packet("text")):
        with pytest.raises(BufferError, match="read-only"):
            buffer(packet, SIMPLE | WRITABLE)
    for packet in (stereo(), picture()):
        with pytest.raises(BufferError):
            buffer(packet, F_CONTIGUOUS)
    # One dimension is contiguous either way.
    assert buffer(mono(), F_CONTIGUOUS)["shape"] == [4]


# -- DLPack --


class Tensor(ctypes.Structure):
    """DLTensor."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Managed(ctypes.Structure):
    """DLManagedTensor."""

    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Given:
    """Gives one capsule, and counts how often its tensor was deleted."""

    def __init__(self, change: Callable[[Tensor], None], name: bytes = b"dltensor") -> None:
        self.deleted, self._name, self.device = 0, name, 1
        self._samples = (ctypes.c_float * 6)(*range(6))
        self._shape = (ctypes.c_int64 * 4)(3, 2, 1, 1)
        self._strides = (ctypes.c_int64 * 4)(2, 1, 1, 1)
        self._deleter = _DELETER(self._delete)
        self._managed = Managed(deleter=ctypes.cast(self._deleter, ctypes.c_void_p).value)
        tensor = self._managed.tensor
        tensor.data = ctypes.addressof(self._samples)
        tensor.device_type, tensor.ndim = 1, 2
        tensor.code, tensor.bits, tensor.lanes = 2, 32, 1
        tensor.shape, tensor.strides = self._shape, None
        change(tensor)

    def _delete(self, _: int) -> None:
        self.deleted += 1

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.device, 0)

    def __dlpack__(self) -> Any:
        return _new(ctypes.addressof(self._managed), self._name, None)


def _shape(*sizes: int) -> Callable[[Tensor], None]:
    def change(tensor: Tensor) -> None:
        for n, size in enumerate(sizes):
            tensor.shape[n] = size

    return change


def _fields(**fields: Any) -> Callable[[Tensor], None]:
    def change(tensor: Tensor) -> None:
        for name, value in fields.items():
            setattr(tensor, name, value)

    return change


def _nothing(_: Tensor) -> None:
    pass


def test_a_capsule_is_taken_and_its_tensor_deleted_once() -> None:
    given = Given(_nothing)
    packet = Packet(given, kind="tensor")
    np.testing.assert_array_equal(packet.numpy(), np.arange(6, dtype=np.float32).reshape(3, 2))
    del packet
    support.live()
    assert given.deleted == 1


@pytest.mark.parametrize(
    "change",
    [
        _shape(-1, 2),
        _shape(3, -2),
        _shape(1 << 62, 1 << 62),
        _shape(1 << 60, 4),
        _fields(ndim=-1),
        _fields(ndim=1 << 30),
        _fields(code=200),
        _fields(bits=7),
        _fields(lanes=4),
        _fields(data=None),
        _fields(device_type=2),
        _fields(shape=None),
    ],
)
def test_a_tensor_that_can_not_be_is_refused_and_deleted_once(
    change: Callable[[Tensor], None],
) -> None:
    given = Given(change)
    with pytest.raises((BufferError, MemoryError, ValueError, errors.RemoteMediaError)):
        Packet(given, kind="tensor")
    support.live()
    assert given.deleted == 1


def test_what_is_no_capsule_or_used_is_refused() -> None:
    for name in (b"used_dltensor", b"something"):
        given = Given(_nothing, name)
        with pytest.raises(BufferError, match="no DLPack capsule"):
            Packet(given, kind="tensor")
        assert given.deleted == 0
    elsewhere = Given(_nothing)
    elsewhere.device = 2
    with pytest.raises(errors.FormatError, match="not on the CPU"):
        Packet(elsewhere, kind="tensor")
    assert elsewhere.deleted == 0
