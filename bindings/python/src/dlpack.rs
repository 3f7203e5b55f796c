//! DLPack, the exchange of tensors between libraries (<https://dmlc.github.io/dlpack/latest/>): in for
//! what has no buffer protocol, and out of every packet that is an array.

use crate::array::{Array, MAX_RANK, Owner, Places};
use crate::error::{OrRaise, no_buffer, own};
use crate::export::Layout;
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{ffi, intern};
use remotemedia_binding::{DType, Packet};
use std::ffi::{CStr, c_void};

const CPU: i32 = 1;
const READ_ONLY: u64 = 1;
const COPIED: u64 = 2;
const PLAIN: &CStr = c"dltensor";
const PLAIN_USED: &CStr = c"used_dltensor";
const VERSIONED: &CStr = c"dltensor_versioned";
const VERSIONED_USED: &CStr = c"used_dltensor_versioned";

#[repr(C)]
struct Device {
    kind: i32,
    id: i32,
}

#[repr(C)]
struct DataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
struct Tensor {
    data: *mut c_void,
    device: Device,
    rank: i32,
    dtype: DataType,
    shape: *mut i64,
    /// In elements; null when row by row without gaps.
    strides: *mut i64,
    byte_offset: u64,
}

#[repr(C)]
pub(crate) struct Managed {
    tensor: Tensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Managed)>,
}

#[repr(C)]
pub(crate) struct ManagedVersioned {
    major: u32,
    minor: u32,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut ManagedVersioned)>,
    flags: u64,
    tensor: Tensor,
}

/// A tensor that was taken over; dropped, it is given back.
pub(crate) enum Import {
    Plain(*mut Managed),
    Versioned(*mut ManagedVersioned),
}

// SAFETY: the standard lets any thread call the deleter; ours are dropped by threads of Python's.
unsafe impl Send for Import {}

impl Drop for Import {
    fn drop(&mut self) {
        // SAFETY: taken over from a capsule, so ours to delete, once.
        unsafe {
            match *self {
                Self::Plain(it) => (*it).deleter.into_iter().for_each(|delete| delete(it)),
                Self::Versioned(it) => (*it).deleter.into_iter().for_each(|delete| delete(it)),
            }
        }
    }
}

/// Takes over the tensor that an object gives.
pub(crate) fn import(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    let py = object.py();
    let device = object.call_method0(intern!(py, "__dlpack_device__"))?;
    let (kind, _): (i32, i32) = device.extract()?;
    if kind != CPU {
        return Err(elsewhere(py, kind));
    }
    let ask = PyDict::new(py);
    ask.set_item(intern!(py, "max_version"), (1, 0))?;
    let capsule =
        object.call_method(intern!(py, "__dlpack__"), (), Some(&ask)).or_else(|error| {
            // Before version 1 there was no such argument.
            let is_old = error.is_instance_of::<pyo3::exceptions::PyTypeError>(py);
            if is_old { object.call_method0(intern!(py, "__dlpack__")) } else { Err(error) }
        })?;
    let raw = capsule.as_ptr();
    // SAFETY: the names are those of the standard, so the pointers are what it says; renaming a
    // capsule is how its tensor is taken over.
    let (import, tensor, readonly) = unsafe {
        if ffi::PyCapsule_IsValid(raw, VERSIONED.as_ptr()) == 1 {
            let it = ffi::PyCapsule_GetPointer(raw, VERSIONED.as_ptr()).cast::<ManagedVersioned>();
            ffi::PyCapsule_SetName(raw, VERSIONED_USED.as_ptr());
            let import = Import::Versioned(it);
            if (*it).major > 1 {
                return Err(PyBufferError::new_err("the tensor's version of DLPack is not known"));
            }
            (import, &(*it).tensor, (*it).flags & READ_ONLY != 0)
        } else if ffi::PyCapsule_IsValid(raw, PLAIN.as_ptr()) == 1 {
            let it = ffi::PyCapsule_GetPointer(raw, PLAIN.as_ptr()).cast::<Managed>();
            ffi::PyCapsule_SetName(raw, PLAIN_USED.as_ptr());
            (Import::Plain(it), &(*it).tensor, false)
        } else {
            return Err(PyBufferError::new_err("__dlpack__ gave no DLPack capsule"));
        }
    };
    if tensor.device.kind != CPU {
        return Err(elsewhere(py, tensor.device.kind));
    }
    let rank = usize::try_from(tensor.rank).unwrap_or(usize::MAX);
    if rank > MAX_RANK {
        return Err(own(
            py,
            "FormatError",
            format!("a tensor has {rank} dimensions; at most {MAX_RANK} are taken"),
        ));
    }
    let dtype = dtype(&tensor.dtype).ok_or_else(|| {
        let (code, bits) = (tensor.dtype.code, tensor.dtype.bits);
        let message = format!(
            "tensors of DLPack type {code} with {bits} bits are not taken: use `tensor.float()`"
        );
        own(py, "FormatError", message)
    })?;
    if rank > 0 && tensor.shape.is_null() {
        return Err(PyBufferError::new_err("a DLPack tensor has dimensions, and no sizes of them"));
    }
    let (mut shape, mut strides) = ([0_usize; MAX_RANK], [0_isize; MAX_RANK]);
    let mut step = dtype.bytes() as isize;
    for n in (0..rank).rev() {
        // SAFETY: by the standard there are `rank` sizes and, if any, as many strides.
        let (size, stride) = unsafe {
            let stride = if tensor.strides.is_null() { None } else { Some(*tensor.strides.add(n)) };
            (*tensor.shape.add(n), stride)
        };
        let Ok(size) = usize::try_from(size) else {
            return Err(own(py, "FormatError", format!("a tensor has the size {size}")));
        };
        shape[n] = size;
        strides[n] = stride.map_or(step, |s| (s as isize).wrapping_mul(dtype.bytes() as isize));
        step = step.wrapping_mul(shape[n] as isize);
    }
    if tensor.data.is_null() && !shape[..rank].contains(&0) {
        return Err(PyBufferError::new_err("a DLPack tensor has sizes, and no data"));
    }
    let data = tensor.data.cast::<u8>().wrapping_add(tensor.byte_offset as usize).cast_const();
    let places = Places::new(py, &shape[..rank], &strides[..rank])?;
    Ok(Array::new(Owner::Tensor(import), data, dtype, places, readonly))
}

fn elsewhere(py: Python<'_>, device: i32) -> PyErr {
    let message =
        format!("the tensor lies on DLPack device {device}, not on the CPU: use `tensor.cpu()`");
    own(py, "FormatError", message)
}

fn dtype(of: &DataType) -> Option<DType> {
    match (of.code, of.bits, of.lanes) {
        (2, 16, 1) => Some(DType::F16),
        (2, 32, 1) => Some(DType::F32),
        (2, 64, 1) => Some(DType::F64),
        (0, 8, 1) => Some(DType::I8),
        (0, 16, 1) => Some(DType::I16),
        (0, 32, 1) => Some(DType::I32),
        (0, 64, 1) => Some(DType::I64),
        (1, 8, 1) => Some(DType::U8),
        (6, 8, 1) => Some(DType::Bool),
        _ => None,
    }
}

fn code(dtype: DType) -> DataType {
    let code = match dtype {
        DType::F16 | DType::F32 | DType::F64 => 2,
        DType::U8 => 1,
        DType::Bool => 6,
        _ => 0,
    };
    DataType { code, bits: (dtype.bytes() * 8) as u8, lanes: 1 }
}

/// What an exported tensor points into.
struct Held {
    _packet: Option<Packet>,
    _copy: Vec<u8>,
    shape: [i64; MAX_RANK],
    strides: [i64; MAX_RANK],
}

/// A tensor for others, with what it points into.
struct Export<M> {
    managed: M,
    held: Held,
}

/// The two forms in which the standard has a tensor with its owner.
trait Carrier {
    /// The owner, and the tensor.
    fn parts(&mut self) -> (&mut *mut c_void, &mut Tensor);
}

impl Carrier for Managed {
    fn parts(&mut self) -> (&mut *mut c_void, &mut Tensor) {
        (&mut self.context, &mut self.tensor)
    }
}

impl Carrier for ManagedVersioned {
    fn parts(&mut self) -> (&mut *mut c_void, &mut Tensor) {
        (&mut self.context, &mut self.tensor)
    }
}

/// Gives a tensor away, until its deleter is called.
fn lend<M: Carrier>(managed: M, held: Held) -> *mut c_void {
    let it = Box::into_raw(Box::new(Export { managed, held }));
    // SAFETY: leaked just now, so nobody else has it; it stays where it is until `delete`.
    unsafe {
        let shape = (&raw mut (*it).held.shape).cast();
        let strides = (&raw mut (*it).held.strides).cast();
        let (context, tensor) = (*it).managed.parts();
        *context = it.cast();
        (tensor.shape, tensor.strides) = (shape, strides);
        (&raw mut (*it).managed).cast()
    }
}

/// # Safety
/// `managed` was lent, and is deleted once.
unsafe fn delete<M: Carrier>(managed: *mut M) {
    // SAFETY: the context is the box that `lend` has leaked.
    drop(unsafe { Box::from_raw((*managed).parts().0.cast::<Export<M>>()) });
}

unsafe extern "C" fn delete_plain(managed: *mut Managed) {
    // SAFETY: called once, by the standard.
    unsafe { delete(managed) }
}

unsafe extern "C" fn delete_versioned(managed: *mut ManagedVersioned) {
    // SAFETY: called once, by the standard.
    unsafe { delete(managed) }
}

unsafe extern "C" fn drop_capsule(capsule: *mut ffi::PyObject) {
    // SAFETY: called with a capsule of `export`; one that was taken over has another name.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, VERSIONED.as_ptr()) == 1 {
            delete_versioned(ffi::PyCapsule_GetPointer(capsule, VERSIONED.as_ptr()).cast());
        } else if ffi::PyCapsule_IsValid(capsule, PLAIN.as_ptr()) == 1 {
            delete_plain(ffi::PyCapsule_GetPointer(capsule, PLAIN.as_ptr()).cast());
        }
    }
}

/// A capsule over a packet. Whoever knows version 1 is told that the memory is read-only and shares
/// it; all others get a copy, as they could not be told.
pub(crate) fn export<'py>(
    py: Python<'py>,
    packet: &Packet,
    layout: &Layout<'_>,
    version: Option<Bound<'py, PyTuple>>,
    copy: Option<bool>,
) -> PyResult<Bound<'py, PyAny>> {
    let major = version.map_or(Ok(0), |v| v.get_item(0)?.extract::<u32>())?;
    let versioned = major >= 1;
    if !versioned && copy == Some(false) {
        return Err(no_buffer(
            "packets are read-only, which DLPack before 1.0 can't say; allow a copy",
        ));
    }
    let copies = copy == Some(true) || !versioned;
    let bytes = if copies { layout.gather() } else { Vec::new() };
    let data = if copies { bytes.as_ptr() } else { layout.data.as_ptr() };
    let (mut shape, mut strides) = ([0; MAX_RANK], [0; MAX_RANK]);
    let mut step = 1;
    for n in (0..layout.rank).rev() {
        shape[n] = layout.shape[n] as i64;
        strides[n] =
            if copies { step } else { (layout.strides[n] / layout.dtype.bytes() as isize) as i64 };
        step *= shape[n];
    }
    let tensor = Tensor {
        data: data.cast_mut().cast(),
        device: Device { kind: CPU, id: 0 },
        rank: layout.rank as i32,
        dtype: code(layout.dtype),
        shape: std::ptr::null_mut(),
        strides: std::ptr::null_mut(),
        byte_offset: 0,
    };
    let packet = (!copies).then(|| packet.try_clone()).transpose().or_raise(py)?;
    let held = Held { _packet: packet, _copy: bytes, shape, strides };
    let context = std::ptr::null_mut();
    let (name, lent) = match versioned {
        true => {
            let flags = if copies { COPIED } else { READ_ONLY };
            let deleter = Some(delete_versioned as unsafe extern "C" fn(*mut ManagedVersioned));
            let managed = ManagedVersioned { major: 1, minor: 0, context, deleter, flags, tensor };
            (VERSIONED, lend(managed, held))
        }
        false => {
            let deleter = Some(delete_plain as unsafe extern "C" fn(*mut Managed));
            (PLAIN, lend(Managed { tensor, context, deleter }, held))
        }
    };
    // SAFETY: it lives until its deleter, which the capsule or whoever takes it over calls.
    unsafe {
        let capsule = ffi::PyCapsule_New(lent, name.as_ptr(), Some(drop_capsule));
        Bound::from_owned_ptr_or_err(py, capsule)
    }
}
