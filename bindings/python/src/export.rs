//! The content of a packet as an array: its type, its sizes, and where its elements lie.

use crate::array::MAX_RANK;
use crate::error::no_buffer;
use pyo3::ffi;
use pyo3::prelude::*;
use remotemedia_binding::{DType, Kind, PixelFormat, SampleFormat, View};
use std::ffi::{CStr, c_int};

/// Where the elements of a packet lie.
pub(crate) struct Layout<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) dtype: DType,
    pub(crate) rank: usize,
    pub(crate) shape: [usize; MAX_RANK],
    /// In bytes.
    pub(crate) strides: [isize; MAX_RANK],
}

impl<'a> Layout<'a> {
    /// Of a packet's content; an error for kinds that have none in memory.
    pub(crate) fn of(view: &View<'a>) -> PyResult<Self> {
        let data = view.bytes();
        Ok(match view.kind() {
            Some(Kind::Audio) => Self::audio(view),
            Some(Kind::Video) => Self::video(view),
            Some(Kind::Tensor) => {
                let Some(dtype) = view.dtype() else {
                    return Err(no_buffer("the tensor's type is not known"));
                };
                Self::rows(data, dtype, view.shape())
            }
            Some(Kind::Json | Kind::Record) => {
                return Err(no_buffer("json and record packets are values: use packet.value"));
            }
            _ => Self::rows(data, DType::U8, &[data.len()]),
        })
    }

    /// Row by row, without gaps.
    fn rows(data: &'a [u8], dtype: DType, sizes: &[usize]) -> Self {
        let (mut shape, mut strides) = ([1; MAX_RANK], [0; MAX_RANK]);
        let mut step = dtype.bytes() as isize;
        for n in (0..sizes.len()).rev() {
            (shape[n], strides[n]) = (sizes[n], step);
            step *= sizes[n] as isize;
        }
        Self { data, dtype, rank: sizes.len(), shape, strides }
    }

    /// (frames,) for one channel, else (frames, channels); packed 24-bit samples have a last size of
    /// three bytes.
    fn audio(view: &View<'a>) -> Self {
        let (data, frames, channels) = (view.bytes(), view.frames(), view.channels() as usize);
        let dtype = match view.sample() {
            Some(SampleFormat::F32) => DType::F32,
            Some(SampleFormat::I16) => DType::I16,
            Some(SampleFormat::I32) => DType::I32,
            Some(SampleFormat::I24) if channels == 1 => {
                return Self::rows(data, DType::U8, &[frames, 3]);
            }
            Some(SampleFormat::I24) => {
                let mut layout = Self::rows(data, DType::U8, &[frames, channels, 3]);
                if view.is_planar() {
                    (layout.strides[0], layout.strides[1]) = (3, view.stride() as isize);
                }
                return layout;
            }
            _ => DType::U8,
        };
        if channels == 1 {
            return Self::rows(data, dtype, &[frames]);
        }
        let mut layout = Self::rows(data, dtype, &[frames, channels]);
        if view.is_planar() {
            layout.strides[0] = dtype.bytes() as isize;
            layout.strides[1] = view.stride() as isize;
        }
        layout
    }

    /// (height, width, channels), or (height, width) for gray; planar formats are (3/2 height, width),
    /// and flat where an odd size leaves no rectangle.
    fn video(view: &View<'a>) -> Self {
        let (data, width, height) = (view.bytes(), view.width() as usize, view.height() as usize);
        let sizes: &[usize] = match view.pixel() {
            Some(PixelFormat::Rgb24 | PixelFormat::Bgr24) => &[height, width, 3],
            Some(PixelFormat::Rgba | PixelFormat::Bgra) => &[height, width, 4],
            Some(PixelFormat::Gray8) => &[height, width],
            _ if width % 2 == 0 && height % 2 == 0 => &[height / 2 * 3, width],
            _ => &[data.len()],
        };
        Self::rows(data, DType::U8, sizes)
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape[..self.rank]
    }

    /// Elements.
    pub(crate) fn len(&self) -> usize {
        self.shape().iter().product()
    }

    fn is_contiguous(&self) -> bool {
        let rows = Self::rows(self.data, self.dtype, self.shape());
        let same = |n: usize| self.shape[n] == 1 || self.strides[n] == rows.strides[n];
        self.len() == 0 || (0..self.rank).all(same)
    }

    /// Whether the elements lie column by column without gaps.
    fn is_by_columns(&self) -> bool {
        let mut step = self.dtype.bytes() as isize;
        let lies = |n: usize| {
            let same = self.shape[n] == 1 || self.strides[n] == step;
            step *= self.shape[n] as isize;
            same
        };
        self.len() == 0 || (0..self.rank).all(lies)
    }

    /// The elements row by row.
    pub(crate) fn gather(&self) -> Vec<u8> {
        if self.is_contiguous() {
            return self.data.to_vec();
        }
        // Only planes of audio are not: one element after the other, plane by plane.
        let inner = if self.rank == 3 { self.shape[2] } else { self.dtype.bytes() };
        let mut out = Vec::with_capacity(self.data.len());
        for frame in 0..self.shape[0] {
            for channel in 0..self.shape[1] {
                let at = frame * self.strides[0] as usize + channel * self.strides[1] as usize;
                out.extend_from_slice(&self.data[at..at + inner]);
            }
        }
        out
    }

    /// The code of an element, as in the module `struct`.
    fn format(&self) -> &'static CStr {
        match self.dtype {
            DType::F16 => c"e",
            DType::F32 => c"f",
            DType::F64 => c"d",
            DType::I8 => c"b",
            DType::I16 => c"h",
            DType::I32 => c"i",
            DType::I64 => c"q",
            DType::Bool => c"?",
            _ => c"B",
        }
    }

    /// Fills in a buffer of Python's, which then keeps `owner`.
    ///
    /// # Safety
    /// `buffer` may be written; `owner` keeps the data.
    pub(crate) unsafe fn fill(
        &self,
        owner: &Bound<'_, PyAny>,
        buffer: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        // SAFETY: by contract.
        let buffer = unsafe { &mut *buffer };
        buffer.obj = std::ptr::null_mut();
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(no_buffer("packets are read-only: copy, e.g. numpy.array(packet)"));
        }
        let wanted = |flag: c_int| flags & flag == flag;
        let wants_strides = wanted(ffi::PyBUF_STRIDES);
        let (rows, columns) = (self.is_contiguous(), self.is_by_columns());
        if !rows && (!wants_strides || wanted(ffi::PyBUF_C_CONTIGUOUS))
            || wanted(ffi::PyBUF_F_CONTIGUOUS) && !columns
            || wanted(ffi::PyBUF_ANY_CONTIGUOUS) && !rows && !columns
        {
            return Err(no_buffer("the packet's samples do not lie as asked for"));
        }
        let sizes = Box::into_raw(Box::new((
            self.shape.map(|n| n as ffi::Py_ssize_t),
            self.strides.map(|n| n as ffi::Py_ssize_t),
        )));
        buffer.internal = sizes.cast();
        buffer.obj = owner.clone().into_ptr();
        buffer.buf = self.data.as_ptr().cast_mut().cast();
        buffer.len = (self.len() * self.dtype.bytes()) as ffi::Py_ssize_t;
        buffer.itemsize = self.dtype.bytes() as ffi::Py_ssize_t;
        buffer.readonly = 1;
        buffer.ndim = self.rank as c_int;
        buffer.suboffsets = std::ptr::null_mut();
        buffer.format = match wanted(ffi::PyBUF_FORMAT) {
            true => self.format().as_ptr().cast_mut(),
            false => std::ptr::null_mut(),
        };
        // SAFETY: the box lives until `release`.
        unsafe {
            buffer.shape = match wanted(ffi::PyBUF_ND) && self.rank > 0 {
                true => (&raw mut (*sizes).0).cast(),
                false => std::ptr::null_mut(),
            };
            buffer.strides = match wants_strides && self.rank > 0 {
                true => (&raw mut (*sizes).1).cast(),
                false => std::ptr::null_mut(),
            };
        }
        Ok(())
    }
}

/// Gives back what `fill` has made.
///
/// # Safety
/// `buffer` was filled in by `fill`, and is released once.
pub(crate) unsafe fn release(buffer: *mut ffi::Py_buffer) {
    type Sizes = ([ffi::Py_ssize_t; MAX_RANK], [ffi::Py_ssize_t; MAX_RANK]);
    // SAFETY: by contract.
    drop(unsafe { Box::from_raw((*buffer).internal.cast::<Sizes>()) });
}
