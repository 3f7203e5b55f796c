//! Video that people push: arrays of pixels, and images of Pillow.

use crate::array::Array;
use crate::error::own;
use crate::input::{Copies, Spec, made, put};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use remotemedia_binding::{DType, Info, Packet, PixelFormat};

/// Names of pixel formats, and the last size of their arrays; 0: two dimensions.
pub(crate) const PIXELS: [(&str, PixelFormat, usize); 7] = [
    ("rgb24", PixelFormat::Rgb24, 3),
    ("bgr24", PixelFormat::Bgr24, 3),
    ("rgba", PixelFormat::Rgba, 4),
    ("bgra", PixelFormat::Bgra, 4),
    ("gray8", PixelFormat::Gray8, 0),
    ("i420", PixelFormat::I420, 0),
    ("nv12", PixelFormat::Nv12, 0),
];

/// The packet in an array of pixels.
pub(crate) fn video(
    py: Python<'_>,
    array: Array,
    spec: &Spec<'_>,
    copies: &Copies,
) -> PyResult<Packet> {
    let wrong = |hint: &str| {
        own(py, "FormatError", format!("a {} is no picture: {hint}", array.describe()))
    };
    if array.dtype() != DType::U8 {
        return Err(wrong("pictures are uint8"));
    }
    let name = match (spec.pixel_format, array.shape()) {
        (Some(name), _) => name,
        (None, [_, _]) => "gray8",
        (None, [_, _, 3]) => "rgb24",
        (None, [_, _, 4]) => "rgba",
        _ => {
            return Err(wrong(
                "its shape is (height, width), (height, width, 3) or (height, width, 4)",
            ));
        }
    };
    let Some((_, format, last)) = PIXELS.iter().find(|(known, ..)| *known == name) else {
        let names = PIXELS.map(|(name, ..)| name).join(", ");
        return Err(wrong(&format!("pixel_format {name:?} is none of {names}")));
    };
    let planes = matches!(format, PixelFormat::I420 | PixelFormat::Nv12);
    let (height, width) = match *array.shape() {
        [rows, width] if planes && rows % 3 == 0 => (rows / 3 * 2, width),
        [height, width] if !planes && *last == 0 => (height, width),
        [height, width, channels] if channels == *last => (height, width),
        _ => {
            let shape = if planes { "(3/2 height, width)" } else { "(height, width, channels)" };
            return Err(wrong(&format!("for {name} its shape is {shape}")));
        }
    };
    let (width, height) = (u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0));
    put(py, array, spec, copies, |bytes| Info::video(bytes, *format, width, height))
}

/// A picture as PIL has it.
pub(crate) fn image(data: &Bound<'_, PyAny>, spec: &Spec<'_>, copies: &Copies) -> PyResult<Packet> {
    let py = data.py();
    let mode: String = data.getattr(intern!(py, "mode"))?.extract()?;
    let (width, height): (u32, u32) = data.getattr(intern!(py, "size"))?.extract()?;
    let format = match mode.as_str() {
        "RGB" => PixelFormat::Rgb24,
        "RGBA" => PixelFormat::Rgba,
        "L" => PixelFormat::Gray8,
        _ => {
            let message =
                format!("an image of mode {mode:?} is not taken: use image.convert('RGB')");
            return Err(own(py, "FormatError", message));
        }
    };
    let bytes = data.call_method0(intern!(py, "tobytes"))?;
    let bytes = bytes.cast::<PyBytes>()?;
    made(py, Info::video(bytes.as_bytes(), format, width, height), spec, copies)
}
