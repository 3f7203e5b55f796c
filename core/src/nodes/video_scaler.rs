//! Pictures at another size.

use super::picture::{Plane, picture, planes};
use crate::dsp::scale::{Axis, scale};
use crate::error::Result;
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, Node, Params, Port};
use crate::packet::{Packet, Payload, PixelFormat, Video};
use std::sync::Arc;

/// How a pixel is made of those of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Algorithm {
    /// The nearest one.
    Nearest,
    /// Those around it, weighted by a triangle; shrinking averages.
    Bilinear,
}

/// Params of [`VideoScaler`].
#[derive(Debug, Clone, Params)]
pub struct VideoScalerParams {
    /// Pixels a row of the output.
    #[param(min = 1, max = 65536, alias = "target_width")]
    width: u32,
    /// Rows of the output.
    #[param(min = 1, max = 65536, alias = "target_height")]
    height: u32,
    /// How a pixel is made.
    #[param(default = Algorithm::Bilinear)]
    algorithm: Algorithm,
    /// Keep the ratio of the sides: as large as fits into width and height, without borders.
    #[param(default = false, alias = "maintain_aspect_ratio")]
    keep_aspect: bool,
}

/// Scales pictures of every pixel format, planes of half the size as planes of their own.
pub struct VideoScaler {
    params: VideoScalerParams,
    plan: Option<Plan>,
    scratch: Vec<u8>,
}

/// How pictures of one format and size are scaled.
struct Plan {
    from: (PixelFormat, u32, u32),
    to: (u32, u32),
    planes: Vec<(Plane, Plane, Axis, Axis)>,
}

impl Node for VideoScaler {
    type Params = VideoScalerParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["VideoScale", "VideoTransform", "VideoResizer"],
        category: "video",
        inputs: &[Port::new("in", Caps::VIDEO, "Pictures of any format and size.")],
        outputs: &[Port::new("out", Caps::VIDEO, "The same at the size that is asked for.")],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("VideoScaler", "Makes pictures larger or smaller.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self { params, plan: None, scratch: Vec::new() })
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let video = picture(&packet)?;
        let from = (video.format, video.width, video.height);
        let to = self.params.size(video.width, video.height);
        if to == (video.width, video.height) {
            cx.emit(0, packet);
            return Ok(Flow::Done);
        }
        if self.plan.as_ref().is_none_or(|plan| plan.from != from) {
            self.plan = Some(Plan::new(from, to, self.params.algorithm));
        }
        let Some(plan) = &self.plan else { unreachable!("it was made above") };
        let mut buffer = cx.pool().try_buffer(video.format.frame_bytes(to.0, to.1))?;
        let (input, output) = (video.buffer.as_slice(), buffer.as_mut_slice());
        let Some(output) = output else { unreachable!("a new buffer is nobody else's") };
        for (own, made, across, down) in &plan.planes {
            let (input, output) = (&input[own.bytes.clone()], &mut output[made.bytes.clone()]);
            scale(input, output, own.step, across, down, &mut self.scratch);
        }
        let scaled = Video::new(video.format, plan.to.0, plan.to.1, buffer)?;
        cx.emit(0, packet.with_payload(Payload::Video(Arc::new(scaled))));
        Ok(Flow::Done)
    }
}

impl VideoScalerParams {
    /// The size of what comes of such a picture.
    fn size(&self, width: u32, height: u32) -> (u32, u32) {
        if !self.keep_aspect {
            return (self.width, self.height);
        }
        let by = f64::from(self.width) / f64::from(width);
        let by = by.min(f64::from(self.height) / f64::from(height));
        let side = |own: u32, most: u32| ((f64::from(own) * by).round() as u32).clamp(1, most);
        (side(width, self.width), side(height, self.height))
    }
}

impl Plan {
    fn new(from: (PixelFormat, u32, u32), to: (u32, u32), algorithm: Algorithm) -> Self {
        let axis = |input, output| match algorithm {
            Algorithm::Nearest => Axis::nearest(input, output),
            Algorithm::Bilinear => Axis::triangle(input, output),
        };
        let (own, made) = (planes(from.0, from.1, from.2), planes(from.0, to.0, to.1));
        let pair = |(own, made): (Plane, Plane)| {
            let (across, down) = (axis(own.width, made.width), axis(own.height, made.height));
            (own, made, across, down)
        };
        Self { from, to, planes: own.into_iter().zip(made).map(pair).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::Harness;
    use crate::packet::{Buffer, MediaTime};
    use serde_json::json;

    const ALL: [PixelFormat; 7] = [
        PixelFormat::Rgb24,
        PixelFormat::Bgr24,
        PixelFormat::Rgba,
        PixelFormat::Bgra,
        PixelFormat::Gray8,
        PixelFormat::I420,
        PixelFormat::Nv12,
    ];

    /// A picture whose planes have the values 10, 20 and 30.
    fn flat(format: PixelFormat, width: u32, height: u32) -> Packet {
        let mut bytes = vec![0; format.frame_bytes(width, height)];
        for (n, plane) in planes(format, width, height).into_iter().enumerate() {
            bytes[plane.bytes].fill(10 * (n as u8 + 1));
        }
        let video = Video::new(format, width, height, Buffer::from_vec(bytes)).expect("fits");
        Packet::new(Payload::Video(Arc::new(video))).at(MediaTime::from_millis(40))
    }

    fn scaled(packet: Packet, params: serde_json::Value) -> Packet {
        let mut node = Harness::new::<VideoScaler>(params).expect("makes");
        let mut out = node.push(packet).expect("works");
        assert_eq!(out.len(), 1);
        out.remove(0).1
    }

    #[test]
    fn every_format_is_scaled_plane_by_plane_at_odd_sizes_too() {
        for format in ALL {
            for (width, height) in [(1, 1), (3, 5), (16, 9), (33, 32)] {
                let out = scaled(flat(format, width, height), json!({"width": 7, "height": 5}));
                assert_eq!(out.pts(), Some(MediaTime::from_millis(40)));
                let (video, wanted) = (picture(&out).expect("video"), flat(format, 7, 5));
                let wanted = picture(&wanted).expect("video");
                assert_eq!((video.width, video.height), (7, 5));
                assert_eq!(video.buffer.as_slice(), wanted.buffer.as_slice(), "{format:?}");
            }
        }
    }

    #[test]
    fn a_picture_of_that_size_goes_on_as_it_is() {
        let packet = flat(PixelFormat::Rgb24, 4, 3);
        let place = picture(&packet).expect("video").buffer.as_slice().as_ptr();
        let out = scaled(packet, json!({"width": 4, "height": 3}));
        assert_eq!(picture(&out).expect("video").buffer.as_slice().as_ptr(), place);
    }

    #[test]
    fn the_ratio_of_the_sides_is_kept_where_that_is_asked_for() {
        for (from, wanted) in [((640, 480), (100, 75)), ((480, 640), (60, 80)), ((1, 999), (1, 80))]
        {
            let params = json!({"width": 100, "height": 80, "keep_aspect": true});
            let out = scaled(flat(PixelFormat::Gray8, from.0, from.1), params);
            let video = picture(&out).expect("video");
            assert_eq!((video.width, video.height), wanted);
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let mut node =
            Harness::new::<VideoScaler>(json!({"width": 2, "height": 2})).expect("makes");
        let failure = node.push(Packet::text("text")).expect_err("no picture");
        assert_eq!(failure.message(), "the node takes pictures, not text");
    }
}
