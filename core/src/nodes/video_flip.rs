//! Pictures turned over.

use super::picture::{picture, planes};
use crate::error::Result;
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, Node, Params, Port};
use crate::packet::{Packet, Payload, Video};
use std::sync::Arc;

/// What changes places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Direction {
    /// Left and right.
    Horizontal,
    /// Top and bottom.
    Vertical,
    /// Both: turned by half a circle.
    Both,
}

/// Params of [`VideoFlip`].
#[derive(Debug, Clone, Params)]
pub struct VideoFlipParams {
    /// What changes places: left and right, top and bottom, or both.
    #[param(default = Direction::Horizontal)]
    direction: Direction,
}

/// Mirrors pictures of every pixel format.
pub struct VideoFlip(VideoFlipParams);

impl Node for VideoFlip {
    type Params = VideoFlipParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["VideoFlipNode"],
        category: "video",
        inputs: &[Port::new("in", Caps::VIDEO, "Pictures of any format and size.")],
        outputs: &[Port::like_input("out", Caps::VIDEO, "The same, turned over.")],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("VideoFlip", "Turns pictures over.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self(params))
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let video = picture(&packet)?;
        let mut buffer = cx.pool().try_buffer(video.buffer.len())?;
        let Some(output) = buffer.as_mut_slice() else {
            unreachable!("a new buffer is nobody else's")
        };
        let across = self.0.direction != Direction::Vertical;
        let down = self.0.direction != Direction::Horizontal;
        for plane in planes(video.format, video.width, video.height) {
            let row = plane.width * plane.step;
            let from = video.buffer.as_slice()[plane.bytes.clone()].chunks_exact(row);
            let to = &mut output[plane.bytes];
            for (n, from) in from.enumerate() {
                let n = if down { plane.height - 1 - n } else { n };
                let to = &mut to[n * row..][..row];
                to.copy_from_slice(from);
                if across {
                    // Turned byte by byte, then each pixel back.
                    to.reverse();
                    to.chunks_exact_mut(plane.step).for_each(<[u8]>::reverse);
                }
            }
        }
        let turned = Video::new(video.format, video.width, video.height, buffer)?;
        cx.emit(0, packet.with_payload(Payload::Video(Arc::new(turned))));
        Ok(Flow::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::Harness;
    use crate::packet::{Buffer, PixelFormat};
    use serde_json::json;

    fn flipped(format: PixelFormat, size: (u32, u32), bytes: &[u8], direction: &str) -> Vec<u8> {
        let mut node = Harness::new::<VideoFlip>(json!({"direction": direction})).expect("makes");
        let video =
            Video::new(format, size.0, size.1, Buffer::from_vec(bytes.to_vec())).expect("fits");
        let out = node.push(Packet::new(Payload::Video(Arc::new(video)))).expect("works");
        picture(&out[0].1).expect("video").buffer.as_slice().to_vec()
    }

    #[test]
    fn pixels_change_places_and_their_bytes_do_not() {
        let rgb = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let size = (2, 2);
        let flip = |direction| flipped(PixelFormat::Rgb24, size, &rgb, direction);
        assert_eq!(flip("horizontal"), [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9]);
        assert_eq!(flip("vertical"), [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6]);
        assert_eq!(flip("both"), [10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn planes_are_turned_each_for_itself() {
        // Three pixels wide and one high: chroma is two wide and one high.
        let nv12 = [1, 2, 3, 10, 20, 11, 21];
        let wanted = [3, 2, 1, 11, 21, 10, 20];
        assert_eq!(flipped(PixelFormat::Nv12, (3, 1), &nv12, "horizontal"), wanted);
        let i420 = [1, 2, 3, 10, 11, 20, 21];
        let wanted = [3, 2, 1, 11, 10, 21, 20];
        assert_eq!(flipped(PixelFormat::I420, (3, 1), &i420, "horizontal"), wanted);
    }

    #[test]
    fn twice_is_once_less_twice() {
        let bytes: Vec<u8> = (0..PixelFormat::I420.frame_bytes(5, 3) as u8).collect();
        for direction in ["horizontal", "vertical", "both"] {
            let once = flipped(PixelFormat::I420, (5, 3), &bytes, direction);
            assert_eq!(flipped(PixelFormat::I420, (5, 3), &once, direction), bytes);
        }
    }
}
