//! Arrays that come from Python: whatever has the buffer protocol, else DLPack, on the CPU.

use crate::dlpack;
use crate::error::own;
use crate::keep::Borrowed;
use pyo3::buffer::{ElementType, PyUntypedBuffer};
use pyo3::exceptions::PyMemoryError;
use pyo3::intern;
use pyo3::prelude::*;
use remotemedia_binding::DType;

/// Most dimensions of an array.
pub(crate) const MAX_RANK: usize = 16;

/// What keeps an array's memory.
#[allow(dead_code, reason = "what it holds is only dropped")]
pub(crate) enum Owner {
    Buffer(PyUntypedBuffer),
    Tensor(dlpack::Import),
}

/// An array: where its elements lie.
pub(crate) struct Array {
    owner: Owner,
    data: *const u8,
    dtype: DType,
    places: Places,
    readonly: bool,
}

/// Where elements lie.
pub(crate) struct Places {
    rank: usize,
    shape: [usize; MAX_RANK],
    /// From one element to the next, in bytes.
    strides: [isize; MAX_RANK],
}

impl Places {
    pub(crate) fn new(py: Python<'_>, sizes: &[usize], steps: &[isize]) -> PyResult<Self> {
        let rank = sizes.len();
        if rank > MAX_RANK {
            let message = format!("an array has {rank} dimensions; at most {MAX_RANK} are taken");
            return Err(own(py, "FormatError", message));
        }
        let elements = sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(*size));
        if elements
            .and_then(|all| all.checked_mul(8))
            .is_none_or(|bytes| bytes > isize::MAX as usize)
        {
            let message = format!("an array of shape {sizes:?} is larger than any memory");
            return Err(own(py, "FormatError", message));
        }
        let (mut shape, mut strides) = ([1; MAX_RANK], [0; MAX_RANK]);
        shape[..rank].copy_from_slice(sizes);
        strides[..rank].copy_from_slice(steps);
        Ok(Self { rank, shape, strides })
    }
}

impl Array {
    /// The array in a Python object; `None` when it holds none.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if let Ok(buffer) = PyUntypedBuffer::get(object) {
            return Self::from_buffer(object.py(), buffer).map(Some);
        }
        if object.hasattr(intern!(object.py(), "__dlpack__"))? {
            return dlpack::import(object).map(Some);
        }
        Ok(None)
    }

    fn from_buffer(py: Python<'_>, buffer: PyUntypedBuffer) -> PyResult<Self> {
        // What says the other byte order is not looked at by `from_format`.
        let foreign = if cfg!(target_endian = "little") { b">!".as_slice() } else { b"<" };
        let swapped = buffer.format().to_bytes().first().is_some_and(|c| foreign.contains(c));
        let dtype = match ElementType::from_format(buffer.format()) {
            _ if swapped && buffer.item_size() > 1 => {
                let message = "arrays in the other byte order are not taken: use \
                               `array.astype(array.dtype.newbyteorder('='))`";
                return Err(own(py, "FormatError", message.to_owned()));
            }
            ElementType::Float { bytes: 2 } => DType::F16,
            ElementType::Float { bytes: 4 } => DType::F32,
            ElementType::Float { bytes: 8 } => DType::F64,
            ElementType::SignedInteger { bytes: 1 } => DType::I8,
            ElementType::SignedInteger { bytes: 2 } => DType::I16,
            ElementType::SignedInteger { bytes: 4 } => DType::I32,
            ElementType::SignedInteger { bytes: 8 } => DType::I64,
            ElementType::UnsignedInteger { bytes: 1 } => DType::U8,
            ElementType::Bool => DType::Bool,
            _ => {
                let format = buffer.format().to_string_lossy();
                return Err(own(
                    py,
                    "FormatError",
                    format!("arrays with elements of format {format:?} are not taken; {TAKEN}"),
                ));
            }
        };
        if buffer.suboffsets().is_some_and(|offsets| offsets.iter().any(|n| *n >= 0)) {
            return Err(own(py, "FormatError", "arrays of pointers are not taken".to_owned()));
        }
        let (data, readonly) = (buffer.buf_ptr().cast::<u8>().cast_const(), buffer.readonly());
        let places = Places::new(py, buffer.shape(), buffer.strides())?;
        Ok(Self::new(Owner::Buffer(buffer), data, dtype, places, readonly))
    }

    pub(crate) fn new(
        owner: Owner,
        data: *const u8,
        dtype: DType,
        places: Places,
        readonly: bool,
    ) -> Self {
        Self { owner, data, dtype, places, readonly }
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.places.shape[..self.places.rank]
    }

    pub(crate) fn is_readonly(&self) -> bool {
        self.readonly
    }

    /// Elements.
    pub(crate) fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Whether the elements lie row by row without gaps.
    pub(crate) fn is_contiguous(&self) -> bool {
        let mut step = self.dtype.bytes() as isize;
        for n in (0..self.places.rank).rev() {
            if self.places.shape[n] != 1 && self.places.strides[n] != step {
                return self.len() == 0;
            }
            step *= self.places.shape[n] as isize;
        }
        true
    }

    /// Its bytes where they lie, for the time that Python is not let go of; `None` if they have gaps.
    pub(crate) fn bytes<'a>(&'a self, _attached: Python<'a>) -> Option<&'a [u8]> {
        let size = self.len() * self.dtype.bytes();
        if size == 0 {
            return Some(&[]);
        }
        // SAFETY: the owner keeps so many bytes there. They may be changed by others only while this
        // thread lets go of Python, or by threads that race on the caller's own array.
        self.is_contiguous().then(|| unsafe { std::slice::from_raw_parts(self.data, size) })
    }

    /// Its bytes row by row, whatever lies where.
    pub(crate) fn gather(&self, _attached: Python<'_>) -> PyResult<Vec<u8>> {
        let size = self.dtype.bytes();
        let mut out = room(self.len() * size)?;
        self.each(|at| {
            // SAFETY: `each` gives places of elements.
            out.extend_from_slice(unsafe { std::slice::from_raw_parts(at, size) });
        });
        Ok(out)
    }

    /// Its elements, 64-bit floats, as 32-bit ones.
    pub(crate) fn narrowed(&self, _attached: Python<'_>) -> PyResult<Vec<u8>> {
        debug_assert_eq!(self.dtype, DType::F64, "others are not narrowed");
        let mut out = room(self.len() * 4)?;
        self.each(|at| {
            // SAFETY: `each` gives places of elements, which have eight bytes.
            let value = unsafe { at.cast::<f64>().read_unaligned() };
            #[allow(clippy::cast_possible_truncation, reason = "the engine's floats have 32 bits")]
            out.extend_from_slice(&(value as f32).to_ne_bytes());
        });
        Ok(out)
    }

    /// Calls `visit` with the place of each element, row by row.
    fn each(&self, mut visit: impl FnMut(*const u8)) {
        if self.len() == 0 {
            return;
        }
        let (last, outer) = match self.places.rank {
            0 => (1, 0),
            rank => (self.places.shape[rank - 1], rank - 1),
        };
        let step = if self.places.rank == 0 { 0 } else { self.places.strides[outer] };
        let mut index = [0_usize; MAX_RANK];
        loop {
            let offset: isize =
                (0..outer).map(|n| index[n] as isize * self.places.strides[n]).sum();
            for n in 0..last {
                visit(self.data.wrapping_offset(offset + n as isize * step));
            }
            let Some(n) = (0..outer).rev().find(|n| index[*n] + 1 < self.places.shape[*n]) else {
                return;
            };
            index[n] += 1;
            index[n + 1..outer].fill(0);
        }
    }

    /// Lends its memory out. The array must be contiguous.
    pub(crate) fn lend(self) -> Borrowed<Owner> {
        let size = self.len() * self.dtype.bytes();
        // SAFETY: the owner keeps so many bytes there; whoever lends has seen that it is read-only.
        unsafe { Borrowed::new(self.owner, self.data, size) }
    }

    /// `float32 array of shape (2, 48000)`, for messages.
    pub(crate) fn describe(&self) -> String {
        let shape = self.shape().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let comma = if self.places.rank == 1 { "," } else { "" };
        format!("{} array of shape ({shape}{comma})", name(self.dtype))
    }
}

/// Room for so many bytes; an array may say that it has more than there is memory.
fn room(bytes: usize) -> PyResult<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(bytes)
        .map_err(|_| PyMemoryError::new_err(format!("no memory for {bytes} bytes")))?;
    Ok(out)
}

/// What arrays may be, for messages.
const TAKEN: &str = "taken are float16, float32, float64, int8, int16, int32, int64, uint8 and bool, \
                     in the machine's byte order: use `array.astype(...)`";

/// The name of an element's type, as NumPy has it.
pub(crate) fn name(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "float16",
        DType::F32 => "float32",
        DType::F64 => "float64",
        DType::I8 => "int8",
        DType::I16 => "int16",
        DType::I32 => "int32",
        DType::I64 => "int64",
        DType::U8 => "uint8",
        DType::Bool => "bool",
        _ => "unknown",
    }
}
