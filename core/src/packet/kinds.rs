//! The payloads that are not audio: video, encoded media, tensors, files.

use super::buffer::Buffer;
use super::time::MediaTime;
use crate::error::{Error, Result, detail};
use std::path::PathBuf;

/// How a video frame stores its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// 8 bits of red, green, blue, packed.
    Rgb24,
    /// 8 bits of blue, green, red, packed.
    Bgr24,
    /// 8 bits of red, green, blue, alpha, packed.
    Rgba,
    /// 8 bits of blue, green, red, alpha, packed.
    Bgra,
    /// 8 bits of luma.
    Gray8,
    /// Planar 4:2:0: Y, U, V.
    I420,
    /// 4:2:0 with interleaved chroma: Y, UV.
    Nv12,
}

impl PixelFormat {
    /// All formats.
    pub const ALL: [Self; 7] =
        [Self::Rgb24, Self::Bgr24, Self::Rgba, Self::Bgra, Self::Gray8, Self::I420, Self::Nv12];

    /// Bytes of a frame without padding.
    pub fn frame_bytes(self, width: u32, height: u32) -> usize {
        let (w, h) = (width as usize, height as usize);
        match self {
            Self::Rgb24 | Self::Bgr24 => w * h * 3,
            Self::Rgba | Self::Bgra => w * h * 4,
            Self::Gray8 => w * h,
            Self::I420 | Self::Nv12 => w * h + 2 * (w.div_ceil(2) * h.div_ceil(2)),
        }
    }
}

/// One uncompressed picture, planes one after the other without padding.
#[derive(Debug, Clone)]
pub struct Video {
    /// Pixel format.
    pub format: PixelFormat,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The pixels.
    pub buffer: Buffer,
}

impl Video {
    /// Most pixels to a side.
    pub const MAX_SIDE: u32 = 1 << 16;

    /// A picture over `buffer`.
    ///
    /// # Errors
    /// `format.payload` when the size is zero, too large, or not what the format needs.
    pub fn new(format: PixelFormat, width: u32, height: u32, buffer: Buffer) -> Result<Self> {
        let sides = 1..=Self::MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            return Err(Error::new(
                detail::FORMAT_PAYLOAD,
                format!(
                    "a picture of {width}×{height} is not between 1 and {} a side",
                    Self::MAX_SIDE
                ),
            ));
        }
        let need = format.frame_bytes(width, height);
        if buffer.len() != need {
            return Err(Error::new(
                detail::FORMAT_PAYLOAD,
                format!(
                    "a {width}×{height} {format:?} picture has {need} bytes, not {}",
                    buffer.len()
                ),
            ));
        }
        Ok(Self { format, width, height, buffer })
    }
}

/// A unit of compressed media.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Codec, in lower case: `opus`, `aac`, `h264`, …
    pub codec: String,
    /// Whether decoding can begin here.
    pub key: bool,
    /// Decoding time, where it differs from pts.
    pub dts: Option<MediaTime>,
    /// Codec configuration (e.g. `AudioSpecificConfig`), where it changes.
    pub config: Option<Buffer>,
    /// The bytes.
    pub buffer: Buffer,
}

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 16-bit float.
    F16,
    /// Signed 8-bit.
    I8,
    /// Signed 16-bit.
    I16,
    /// Signed 32-bit.
    I32,
    /// Signed 64-bit.
    I64,
    /// Unsigned 8-bit.
    U8,
    /// One byte, zero or one.
    Bool,
}

impl DType {
    /// Bytes of an element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Name as NumPy has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::F16 => "float16",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::Bool => "bool",
        }
    }
}

/// An array of numbers, row-major without gaps.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Element type.
    pub dtype: DType,
    /// Sizes, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements.
    pub buffer: Buffer,
}

impl Tensor {
    /// Most dimensions.
    pub const MAX_RANK: usize = 16;

    /// A tensor over `buffer`.
    ///
    /// # Errors
    /// `format.payload` when the rank is too large or the size is not what the shape needs.
    pub fn new(dtype: DType, shape: Vec<usize>, buffer: Buffer) -> Result<Self> {
        let elements = shape.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
        let need = elements.and_then(|n| n.checked_mul(dtype.bytes()));
        if shape.len() > Self::MAX_RANK || need != Some(buffer.len()) {
            return Err(Error::new(
                detail::FORMAT_PAYLOAD,
                format!("{} bytes are no {} tensor of shape {shape:?}", buffer.len(), dtype.name()),
            ));
        }
        Ok(Self { dtype, shape, buffer })
    }
}

/// A file by its path; the engine doesn't open it by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it lies.
    pub path: PathBuf,
    /// Media type, if known.
    pub mime: Option<String>,
}
