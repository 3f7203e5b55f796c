//! What the nodes for video have in common: the planes of a picture.

use crate::error::{Error, Result, detail};
use crate::packet::{Packet, Payload, PixelFormat, Video};
use std::ops::Range;

/// A rectangle of pixels in a picture's memory, row by row without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plane {
    /// Its bytes in the picture's.
    pub(super) bytes: Range<usize>,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Bytes of a pixel.
    pub(super) step: usize,
}

/// The planes of a picture of that format and size.
pub(super) fn planes(format: PixelFormat, width: u32, height: u32) -> Vec<Plane> {
    let (w, h) = (width as usize, height as usize);
    let (half_w, half_h) = (w.div_ceil(2), h.div_ceil(2));
    let sizes: &[(usize, usize, usize)] = match format {
        PixelFormat::Rgb24 | PixelFormat::Bgr24 => &[(w, h, 3)],
        PixelFormat::Rgba | PixelFormat::Bgra => &[(w, h, 4)],
        PixelFormat::Gray8 => &[(w, h, 1)],
        PixelFormat::I420 => &[(w, h, 1), (half_w, half_h, 1), (half_w, half_h, 1)],
        PixelFormat::Nv12 => &[(w, h, 1), (half_w, half_h, 2)],
    };
    let mut at = 0;
    let plane = |&(width, height, step): &(usize, usize, usize)| {
        let bytes = at..at + width * height * step;
        at = bytes.end;
        Plane { bytes, width, height, step }
    };
    sizes.iter().map(plane).collect()
}

/// The picture in a packet.
pub(super) fn picture(packet: &Packet) -> Result<&Video> {
    match packet.payload() {
        Payload::Video(video) => Ok(video),
        _ => {
            let message = format!("the node takes pictures, not {}", packet.kind());
            Err(Error::new(detail::FORMAT_KIND, message))
        }
    }
}
