//! Where the planes of a picture lie in its bytes.

use crate::packet::PixelFormat;
use std::ops::Range;

/// One plane of a picture: rows of pixels, one after the other without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane {
    /// Where it begins, in bytes.
    pub start: usize,
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes of a pixel: 1 to 4.
    pub pixel: usize,
}

impl Plane {
    /// Bytes of a row.
    pub fn stride(&self) -> usize {
        self.width * self.pixel
    }

    /// Its bytes in the picture.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.stride() * self.height
    }
}

/// The planes of a picture. Chroma planes have half the size of the picture, rounded up.
pub fn planes(format: PixelFormat, width: u32, height: u32) -> impl Iterator<Item = Plane> {
    let (width, height) = (width as usize, height as usize);
    let plane = |start, pixel| Plane { start, width, height, pixel };
    let luma = width * height;
    let chroma =
        |start, pixel| Plane { start, width: width.div_ceil(2), height: height.div_ceil(2), pixel };
    let list = match format {
        PixelFormat::Gray8 => [Some(plane(0, 1)), None, None],
        PixelFormat::Rgb24 | PixelFormat::Bgr24 => [Some(plane(0, 3)), None, None],
        PixelFormat::Rgba | PixelFormat::Bgra => [Some(plane(0, 4)), None, None],
        PixelFormat::Nv12 => [Some(plane(0, 1)), Some(chroma(luma, 2)), None],
        PixelFormat::I420 => {
            let first = chroma(luma, 1);
            [Some(plane(0, 1)), Some(first), Some(chroma(first.range().end, 1))]
        }
    };
    list.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_cover_every_byte_of_a_picture_once() {
        for format in PixelFormat::ALL {
            for width in 1..=33 {
                for height in [1, 2, 3, 8, 33] {
                    let end = planes(format, width, height).fold(0, |end, plane| {
                        assert_eq!(plane.start, end, "{format:?} {width}×{height}");
                        plane.range().end
                    });
                    assert_eq!(end, format.frame_bytes(width, height), "{format:?}");
                }
            }
        }
    }
}
