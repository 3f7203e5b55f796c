//! Turns pictures over.

use super::video::{fill, not_video, video};
use crate::dsp::flip::{Flip, flip};
use crate::dsp::picture::planes;
use crate::error::Result;
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, Node, Params, Port};
use crate::packet::{Packet, Payload, Video};
use std::sync::Arc;

/// How pictures are turned over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Choice)]
pub(super) enum Direction {
    /// Left and right change places, as in a mirror.
    #[default]
    Horizontal,
    /// Top and bottom change places.
    Vertical,
    /// Both: half a turn.
    Both,
}

impl From<Direction> for Flip {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Horizontal => Self::Horizontal,
            Direction::Vertical => Self::Vertical,
            Direction::Both => Self::Both,
        }
    }
}

/// Params of [`VideoFlip`].
#[derive(Debug, Clone, Params)]
pub struct VideoFlipParams {
    /// How pictures are turned over.
    #[param(default, live)]
    direction: Direction,
}

/// Turns pictures over, of every pixel format and size; in place where nobody else holds the packet.
pub struct VideoFlip(VideoFlipParams);

impl Node for VideoFlip {
    type Params = VideoFlipParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["VideoFlipNode"],
        category: "video",
        inputs: &[Port::new("in", Caps::VIDEO, "Pictures.")],
        outputs: &[Port::new("out", Caps::VIDEO, "The same pictures, turned over.")],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("VideoFlip", "Turns pictures over: left to right, upside down, or both.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self(params))
    }

    fn process(&mut self, cx: &mut Context<'_>, mut packet: Packet) -> Result<Flow> {
        let flip = |format, width, height, bytes: &mut [u8]| {
            for plane in planes(format, width, height) {
                flip(&plane, &mut bytes[plane.range()], self.0.direction.into());
            }
        };
        let Payload::Video(shared) = packet.payload_mut() else {
            return Err(not_video(packet.kind().name()));
        };
        let own = Arc::get_mut(shared).and_then(|video| {
            let Video { format, width, height, buffer } = video;
            Some((*format, *width, *height, buffer.as_mut_slice()?))
        });
        if let Some((format, width, height, bytes)) = own {
            flip(format, width, height, bytes);
        } else {
            let picture = video(&packet)?;
            let &Video { format, width, height, ref buffer } = picture;
            let bytes = buffer.len();
            let copy = fill(cx.pool(), (format, width, height), |output| {
                output.copy_from_slice(buffer.as_slice());
                flip(format, width, height, output);
            })?;
            cx.count_copy(bytes);
            packet = packet.with_payload(copy);
        }
        cx.emit(0, packet);
        Ok(Flow::Done)
    }

    fn set_params(&mut self, params: Self::Params) {
        self.0 = params;
    }
}

#[cfg(test)]
mod tests {
    use super::super::video::noise;
    use super::*;
    use crate::node::testing::{Harness, Random};
    use crate::packet::{Buffer, MediaTime, PixelFormat};
    use serde_json::json;

    fn flipped(direction: &str, packet: Packet) -> Packet {
        let mut node = Harness::new::<VideoFlip>(json!({"direction": direction})).expect("makes");
        node.push(packet).expect("flips").remove(0).1
    }

    fn bytes(packet: &Packet) -> &[u8] {
        video(packet).expect("video").buffer.as_slice()
    }

    fn picture(format: PixelFormat, width: u32, height: u32, bytes: &[u8]) -> Packet {
        let video = Video::new(format, width, height, Buffer::from_vec(bytes.to_vec()));
        Packet::new(Payload::Video(Arc::new(video.expect("fits"))))
    }

    #[test]
    fn chroma_is_turned_over_in_its_own_planes() {
        // 3×3: luma, then two rows of two chroma samples.
        let luma: Vec<u8> = (1..=9).collect();
        for (format, chroma, expected) in [
            (PixelFormat::I420, [10, 11, 12, 13, 20, 21, 22, 23], [11, 10, 13, 12, 21, 20, 23, 22]),
            (PixelFormat::Nv12, [10, 20, 11, 21, 12, 22, 13, 23], [11, 21, 10, 20, 13, 23, 12, 22]),
        ] {
            let input = picture(format, 3, 3, &[&luma[..], &chroma].concat());
            let out = flipped("horizontal", input);
            assert_eq!(bytes(&out), [&[3, 2, 1, 6, 5, 4, 9, 8, 7][..], &expected].concat());
        }
        let out = flipped("vertical", picture(PixelFormat::Rgba, 1, 2, &[1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(bytes(&out), [5, 6, 7, 8, 1, 2, 3, 4]);
    }

    #[test]
    fn twice_is_nothing_and_both_is_one_after_the_other() {
        let mut random = Random::new(1);
        for n in 1..=33 {
            for format in PixelFormat::ALL {
                let input = noise(&mut random, format, n, n * 7 % 33 + 1);
                let turned = |direction| flipped(direction, input.clone());
                for direction in ["horizontal", "vertical", "both"] {
                    let twice = flipped(direction, turned(direction));
                    assert_eq!(bytes(&twice), bytes(&input), "{format:?} {n}");
                }
                let one_by_one = flipped("horizontal", turned("vertical"));
                assert_eq!(bytes(&turned("both")), bytes(&one_by_one), "{format:?} {n}");
            }
        }
    }

    #[test]
    fn unshared_pictures_are_turned_in_place_and_shared_ones_copied_and_counted() {
        let mut node = Harness::new::<VideoFlip>(json!({})).expect("makes");
        let mut own = picture(PixelFormat::Gray8, 3, 1, &[1, 2, 3]).at(MediaTime::from_millis(7));
        own.set_discont(true);
        let address = bytes(&own).as_ptr();
        let out = node.push(own).expect("flips").remove(0).1;
        assert_eq!((bytes(&out), bytes(&out).as_ptr()), (&[3, 2, 1][..], address));
        assert_eq!((out.pts(), out.is_discont()), (Some(MediaTime::from_millis(7)), true));
        assert_eq!(node.copied_bytes(), 0);

        let again = node.push(out.clone()).expect("flips").remove(0).1;
        assert_eq!((bytes(&again), bytes(&out)), (&[1, 2, 3][..], &[3, 2, 1][..]));
        assert_eq!((again.pts(), again.is_discont()), (Some(MediaTime::from_millis(7)), true));
        assert_eq!(node.copied_bytes(), 3);
        assert!(node.push(Packet::text("no picture")).is_err());
    }
}
