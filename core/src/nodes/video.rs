//! What the video nodes share: access to packets, fresh pictures, pixel formats as a param.

use crate::error::{Error, Result, detail};
use crate::node::MediaFormat;
use crate::node::params::Choice;
use crate::packet::{Packet, Payload, PixelFormat, Pool, Video};
use std::sync::Arc;

/// A pixel format as a param.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(super) enum PixelParam {
    /// 8 bits of red, green, blue.
    #[param(name = "rgb24", alias = "rgb", alias = "rgb8")]
    Rgb24,
    /// 8 bits of blue, green, red.
    #[param(name = "bgr24", alias = "bgr", alias = "bgr8")]
    Bgr24,
    /// 8 bits of red, green, blue, alpha.
    #[param(name = "rgba", alias = "rgba8")]
    Rgba,
    /// 8 bits of blue, green, red, alpha.
    #[param(name = "bgra", alias = "bgra8")]
    Bgra,
    /// 8 bits of luma, full range.
    #[param(name = "gray8", alias = "gray", alias = "grey", alias = "grey8")]
    Gray8,
    /// Planes of Y, U, V; chroma of half the width and height.
    #[param(name = "i420", alias = "yuv420p", alias = "iyuv")]
    I420,
    /// Planes of Y and of U, V in turn; chroma of half the width and height.
    #[param(name = "nv12")]
    Nv12,
}

impl From<PixelParam> for PixelFormat {
    fn from(param: PixelParam) -> Self {
        match param {
            PixelParam::Rgb24 => Self::Rgb24,
            PixelParam::Bgr24 => Self::Bgr24,
            PixelParam::Rgba => Self::Rgba,
            PixelParam::Bgra => Self::Bgra,
            PixelParam::Gray8 => Self::Gray8,
            PixelParam::I420 => Self::I420,
            PixelParam::Nv12 => Self::Nv12,
        }
    }
}

/// The packet's picture.
pub(super) fn video(packet: &Packet) -> Result<&Video> {
    match packet.payload() {
        Payload::Video(video) => Ok(video),
        _ => Err(not_video(&packet.kind().to_string())),
    }
}

/// The stream's pixel format, width and height.
pub(super) fn video_format(format: &MediaFormat) -> Result<(PixelFormat, u32, u32)> {
    match *format {
        MediaFormat::Video { format, width, height } => Ok((format, width, height)),
        _ => Err(not_video(&format.to_string())),
    }
}

pub(super) fn not_video(found: &str) -> Error {
    Error::new(detail::FORMAT_KIND, format!("the node takes video, not {found}"))
}

/// A fresh picture from the pool with its bytes to be filled.
pub(super) fn fill(
    pool: &Pool,
    (format, width, height): (PixelFormat, u32, u32),
    fill: impl FnOnce(&mut [u8]),
) -> Result<Payload> {
    let mut buffer = pool.try_buffer(format.frame_bytes(width, height))?;
    fill(buffer.as_mut_slice().expect("nobody else has a fresh buffer"));
    Ok(Payload::Video(Arc::new(Video::new(format, width, height, buffer)?)))
}

/// A picture of noise, for tests.
#[cfg(test)]
pub(super) fn noise(
    random: &mut crate::node::testing::Random,
    format: PixelFormat,
    width: u32,
    height: u32,
) -> Packet {
    let bytes = (0..format.frame_bytes(width, height)).map(|_| random.below(256) as u8).collect();
    let buffer = crate::packet::Buffer::from_vec::<u8>(bytes);
    let video = Video::new(format, width, height, buffer).expect("the size fits");
    Packet::new(Payload::Video(Arc::new(video)))
}
