//! Converts pictures to another pixel format.

use super::video::{PixelParam, fill, video, video_format};
use crate::dsp::colour::{self, Converter};
use crate::error::Result;
use crate::node::params::Choice;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port};
use crate::packet::{Packet, PixelFormat};

/// What luma is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Choice)]
pub(super) enum Matrix {
    /// ITU-R BT.601: standard definition, JPEG.
    #[default]
    #[param(name = "bt601", alias = "bt.601", alias = "601")]
    Bt601,
    /// ITU-R BT.709: high definition.
    #[param(name = "bt709", alias = "bt.709", alias = "709")]
    Bt709,
}

/// Which bytes luma and chroma take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Choice)]
pub(super) enum Range {
    /// Luma 16 to 235, chroma 16 to 240.
    #[default]
    #[param(alias = "tv", alias = "mpeg")]
    Limited,
    /// 0 to 255.
    #[param(alias = "pc", alias = "jpeg")]
    Full,
}

/// Params of [`VideoFormatConverter`].
#[derive(Debug, Clone, Params)]
pub struct VideoFormatConverterParams {
    /// Pixel format of the output.
    #[param(alias = "target_format", alias = "output_format", alias = "pixel_format")]
    format: PixelParam,
    /// What luma is made of in I420 and NV12, and in gray8 of colours.
    #[param(default, alias = "color_matrix")]
    matrix: Matrix,
    /// Which bytes luma and chroma take in I420 and NV12; gray8 is always 0 to 255.
    #[param(default, alias = "color_range")]
    range: Range,
}

/// Converts pictures of every pixel format and size to one format: rounds to the nearest, clips,
/// never wraps. Matrix and range are those of the side with chroma planes, in whichever direction.
/// Chroma of four pixels is their mean and, on the way back, holds for all four. Alpha that the
/// output lacks is left out, not blended; alpha that the input lacks is opaque. Pictures that have the
/// format already are handed on untouched.
pub struct VideoFormatConverter {
    params: VideoFormatConverterParams,
    /// What converts the stream; `None` while it has the right format already.
    converter: Option<Converter>,
}

impl Node for VideoFormatConverter {
    type Params = VideoFormatConverterParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["VideoFormatConverterNode"],
        category: "video",
        inputs: &[Port::new("in", Caps::VIDEO, "Pictures in any pixel format.")],
        outputs: &[Port::new("out", Caps::VIDEO, "The pictures in the target format.")],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("VideoFormatConverter", "Converts pictures to another pixel format.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self { params, converter: None })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        let (from, ..) = video_format(format)?;
        let to = PixelFormat::from(self.params.format);
        let matrix = match self.params.matrix {
            Matrix::Bt601 => colour::Matrix::Bt601,
            Matrix::Bt709 => colour::Matrix::Bt709,
        };
        let range = match self.params.range {
            Range::Limited => colour::Range::Limited,
            Range::Full => colour::Range::Full,
        };
        self.converter = (from != to).then(|| Converter::new(from, to, matrix, range));
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let packet = match &self.converter {
            Some(converter) => {
                let input = video(&packet)?;
                let (width, height) = (input.width, input.height);
                let format = self.params.format.into();
                let out = fill(cx.pool(), (format, width, height), |output| {
                    let (width, height) = (width as usize, height as usize);
                    converter.run(width, height, input.buffer.as_slice(), output);
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
    use crate::packet::{Buffer, MediaTime, Payload, Video};
    use serde_json::{Value as Json, json};

    const NAMES: [(&str, PixelFormat); 7] = [
        ("rgb24", PixelFormat::Rgb24),
        ("bgr24", PixelFormat::Bgr24),
        ("rgba", PixelFormat::Rgba),
        ("bgra", PixelFormat::Bgra),
        ("gray8", PixelFormat::Gray8),
        ("i420", PixelFormat::I420),
        ("nv12", PixelFormat::Nv12),
    ];

    fn converted(params: Json, packet: Packet) -> Packet {
        let mut node = Harness::new::<VideoFormatConverter>(params).expect("makes");
        node.push(packet).expect("converts").remove(0).1
    }

    fn one_pixel(format: PixelFormat, bytes: &[u8]) -> Packet {
        let video = Video::new(format, 1, 1, Buffer::from_vec(bytes.to_vec())).expect("fits");
        Packet::new(Payload::Video(video.into()))
    }

    #[test]
    fn one_pixel_has_its_value_in_every_format() {
        // Orange, by hand from the definition of BT.601 in limited range.
        let rgba = [255, 128, 0, 77];
        for (name, expected) in [
            ("rgb24", &[255, 128, 0][..]),
            ("bgr24", &[0, 128, 255]),
            ("bgra", &[0, 128, 255, 77]),
            ("gray8", &[151]),
            ("i420", &[146, 53, 193]),
            ("nv12", &[146, 53, 193]),
        ] {
            let out = converted(json!({"format": name}), one_pixel(PixelFormat::Rgba, &rgba));
            assert_eq!(video(&out).expect("video").buffer.as_slice(), expected, "{name}");
        }
        let out = converted(json!({"format": "rgba"}), one_pixel(PixelFormat::Rgb24, &[1, 2, 3]));
        assert_eq!(video(&out).expect("video").buffer.as_slice(), [1, 2, 3, 255]);
        let params = json!({"format": "i420", "matrix": "bt709", "range": "full"});
        let out = converted(params, one_pixel(PixelFormat::Bgr24, &[0, 128, 255]));
        assert_eq!(video(&out).expect("video").buffer.as_slice(), [146, 49, 197]);
    }

    #[test]
    fn every_format_becomes_every_other_at_every_size() {
        let mut random = Random::new(1);
        for (n, (_, from)) in (1..=33).flat_map(|n| NAMES.map(|name| (n, name))) {
            let input = noise(&mut random, from, n, n * 7 % 33 + 1);
            for (name, to) in NAMES {
                let out = converted(json!({"format": name}), input.clone());
                let out = video(&out).expect("video");
                assert_eq!((out.format, out.width, out.height), (to, n, n * 7 % 33 + 1));
            }
        }
    }

    #[test]
    fn time_and_breaks_are_kept_and_the_right_format_is_not_copied() {
        let params = json!({"format": "nv12"});
        let mut node = Harness::new::<VideoFormatConverter>(params).expect("makes");
        for (format, same) in
            [(PixelFormat::Nv12, true), (PixelFormat::Bgra, false), (PixelFormat::Nv12, true)]
        {
            let mut input = noise(&mut Random::new(3), format, 5, 3).at(MediaTime::from_millis(40));
            input.set_discont(true);
            let address =
                |packet: &Packet| video(packet).expect("video").buffer.as_slice().as_ptr();
            let before = address(&input);
            let out = node.push(input).expect("converts").remove(0).1;
            assert_eq!((out.pts(), out.is_discont()), (Some(MediaTime::from_millis(40)), true));
            assert_eq!(address(&out) == before, same);
        }
        assert!(node.push(Packet::text("no picture")).is_err());
    }
}
