//! Scales pictures to another size.

use super::video::{fill, video, video_format};
use crate::dsp::picture::planes;
use crate::dsp::scale::{self, Scaler};
use crate::error::Result;
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port};
use crate::packet::{Packet, PixelFormat};

/// How pixels between pixels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Choice)]
pub(super) enum Algorithm {
    /// The pixel that lies there: hard edges, no new colours.
    Nearest,
    /// A mean by distance (a triangle filter), over as many more pixels as the picture shrinks, so
    /// that nothing is skipped. The bytes are those of Pillow's BILINEAR, one side at a time.
    #[default]
    #[param(alias = "linear")]
    Bilinear,
}

impl From<Algorithm> for scale::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Nearest => Self::Nearest,
            Algorithm::Bilinear => Self::Bilinear,
        }
    }
}

/// Params of [`VideoScaler`].
#[derive(Debug, Clone, Params)]
pub struct VideoScalerParams {
    /// Pixels a row of the output.
    #[param(min = 1, max = 16_384, alias = "target_width", unit = "px")]
    width: u32,
    /// Rows of the output.
    #[param(min = 1, max = 16_384, alias = "target_height", unit = "px")]
    height: u32,
    /// How pixels between pixels are found.
    #[param(default)]
    algorithm: Algorithm,
    /// Keeps the ratio of the sides: the output is the largest picture of that ratio that fits
    /// inside of width × height, and nothing is added around it.
    #[param(default = false, alias = "maintain_aspect_ratio")]
    keep_aspect: bool,
}

impl VideoScalerParams {
    /// The size of the output for that of the input.
    fn size(&self, width: u32, height: u32) -> (u32, u32) {
        if !self.keep_aspect {
            return (self.width, self.height);
        }
        // Up to 2^32 each, so that the products fit.
        let [from_w, from_h, to_w, to_h] = [width, height, self.width, self.height].map(u64::from);
        let part = |side: u64, of: u64, whole: u64| ((side * of + whole / 2) / whole).max(1) as u32;
        if from_w * to_h <= from_h * to_w {
            (part(from_w, to_h, from_h), self.height)
        } else {
            (self.width, part(from_h, to_w, from_w))
        }
    }
}

/// Scales pictures of every pixel format and size. Each component is scaled on its own: colours are
/// not weighted by alpha. Chroma planes are scaled as planes of their own, between their sizes, which
/// are half of the picture's, rounded up. Pictures that have the size already are handed on untouched.
pub struct VideoScaler {
    params: VideoScalerParams,
    /// What to make of the stream; `None` while it has the right size already.
    stage: Option<Stage>,
}

struct Stage {
    output: (PixelFormat, u32, u32),
    /// One for each plane.
    scalers: Vec<Scaler>,
}

impl Node for VideoScaler {
    type Params = VideoScalerParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["VideoScale", "VideoTransform", "VideoResizer", "VideoScalerNode"],
        category: "video",
        inputs: &[Port::new("in", Caps::VIDEO, "Pictures of any size.")],
        outputs: &[Port::new("out", Caps::VIDEO, "The pictures in the target size.")],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("VideoScaler", "Scales pictures to another size.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self { params, stage: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let (pixels, width, height) = video_format(format)?;
        let (to_width, to_height) = self.params.size(width, height);
        self.stage = ((width, height) != (to_width, to_height)).then(|| {
            let pairs = planes(pixels, width, height).zip(planes(pixels, to_width, to_height));
            let algorithm = self.params.algorithm.into();
            let scalers = pairs.map(|(from, to)| Scaler::new(from, to, algorithm)).collect();
            Stage { output: (pixels, to_width, to_height), scalers }
        });
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let packet = match &self.stage {
            Some(Stage { output, scalers }) => {
                let most = scalers.iter().map(Scaler::scratch).max().unwrap_or(0);
                let mut scratch = cx.pool().try_buffer(most)?;
                let scratch = scratch.as_mut_slice().expect("nobody else has a fresh buffer");
                let input = video(&packet)?.buffer.as_slice();
                let out = fill(cx.pool(), *output, |output| {
                    for scaler in scalers {
                        let (from, to) = (scaler.from().range(), scaler.to().range());
                        scaler.run(&input[from], scratch, &mut output[to]);
                    }
                })?;
                packet.with_payload(out)
            }
            None => packet,
        };
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::video::noise;
    use super::*;
    use crate::node::testing::{Harness, Random};
    use crate::packet::{MediaTime, Payload, Video};
    use serde_json::{Value as Json, json};

    fn scaled(params: Json, packet: Packet) -> Packet {
        let mut node = Harness::new::<VideoScaler>(params).expect("makes");
        node.push(packet).expect("scales").remove(0).1
    }

    fn size(packet: &Packet) -> (u32, u32) {
        let video = video(packet).expect("video");
        (video.width, video.height)
    }

    #[test]
    fn every_plane_of_every_format_is_scaled_as_a_picture_of_its_own() {
        let mut random = Random::new(1);
        for n in 1..=33 {
            let ((w, h), (to_w, to_h)) = ((n, n * 7 % 33 + 1), (n * 5 % 33 + 1, n * 11 % 33 + 1));
            for (format, algorithm) in
                PixelFormat::ALL.into_iter().flat_map(|f| [(f, "nearest"), (f, "bilinear")])
            {
                let params = |(width, height): (usize, usize)| json!({"width": width, "height": height, "algorithm": algorithm});
                let input = noise(&mut random, format, w, h);
                let out = scaled(params((to_w as usize, to_h as usize)), input.clone());
                assert_eq!(size(&out), (to_w, to_h));
                let (input, out) = (video(&input).expect("video"), video(&out).expect("video"));
                assert_eq!(out.format, format);
                let pairs = planes(format, w, h).zip(planes(format, to_w, to_h));
                for (from, to) in pairs {
                    let (bytes, found) = (&input.buffer.as_slice()[from.range()], &out.buffer);
                    for component in 0..from.pixel {
                        let one: Vec<u8> = pick(bytes, component, from.pixel);
                        let (width, height) = (from.width as u32, from.height as u32);
                        let one = Video::new(PixelFormat::Gray8, width, height, one_buffer(one));
                        let one = Packet::new(Payload::Video(one.expect("fits").into()));
                        let alone = scaled(params((to.width, to.height)), one);
                        let found = pick(&found.as_slice()[to.range()], component, to.pixel);
                        assert!(video(&alone).expect("video").buffer.as_slice() == found);
                    }
                }
            }
        }
    }

    fn pick(bytes: &[u8], component: usize, pixel: usize) -> Vec<u8> {
        bytes.iter().skip(component).step_by(pixel).copied().collect()
    }

    fn one_buffer(bytes: Vec<u8>) -> crate::packet::Buffer {
        crate::packet::Buffer::from_vec(bytes)
    }

    #[test]
    fn the_ratio_is_kept_inside_of_the_size_without_padding() {
        let mut random = Random::new(2);
        for ((width, height), into, expected) in [
            ((1920, 1080), (640, 640), (640, 360)),
            ((1080, 1920), (640, 640), (360, 640)),
            ((4, 3), (8, 8), (8, 6)),
            ((33, 11), (10, 10), (10, 3)),
            ((1000, 1), (10, 10), (10, 1)),
            ((7, 7), (5, 9), (5, 5)),
        ] {
            let params = json!({"width": into.0, "height": into.1, "keep_aspect": true});
            let out = scaled(params, noise(&mut random, PixelFormat::Gray8, width, height));
            assert_eq!(size(&out), expected, "{width}×{height}");
        }
    }

    #[test]
    fn time_and_breaks_are_kept_and_the_right_size_is_not_copied() {
        let mut node =
            Harness::new::<VideoScaler>(json!({"width": 6, "height": 4})).expect("makes");
        for (width, same) in [(6, true), (5, false), (6, true), (9, false)] {
            let input = noise(&mut Random::new(3), PixelFormat::I420, width, 4);
            let mut input = input.at(MediaTime::from_millis(40));
            input.set_discont(true);
            let address =
                |packet: &Packet| video(packet).expect("video").buffer.as_slice().as_ptr();
            let before = address(&input);
            let out = node.push(input).expect("scales").remove(0).1;
            assert_eq!(size(&out), (6, 4));
            assert_eq!((out.pts(), out.is_discont()), (Some(MediaTime::from_millis(40)), true));
            assert_eq!(address(&out) == before, same);
        }
        assert!(node.push(Packet::text("no picture")).is_err());
    }
}
