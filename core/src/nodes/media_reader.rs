//! Reads the audio of a media file.

use crate::error::{Error, Result, detail};
use crate::media::AudioDecoder;
use crate::node::{Caps, Choice, Context, Descriptor, Flow, Node, Params, Port, Ports};
use crate::packet::{MediaTime, Packet};

/// Params of [`MediaReader`].
#[derive(Debug, Clone, Params)]
pub struct MediaReaderParams {
    /// The file. A `file://` before the path is taken off.
    #[param(
        alias = "file_path",
        alias = "file",
        alias = "filename",
        alias = "uri",
        alias = "input_path"
    )]
    pub path: String,
    /// Sample format of what it gives out.
    #[param(default, alias = "sample_format")]
    pub format: ReaderFormat,
    /// Where in the file to begin.
    #[param(default = 0.0, min = 0, unit = "ms")]
    pub start_ms: f64,
    /// Where in the file to end; absent: at its end.
    #[param(default, min = 0, unit = "ms")]
    pub end_ms: Option<f64>,
}

/// Sample format that a [`MediaReader`] gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Choice)]
pub enum ReaderFormat {
    /// Interleaved f32.
    #[default]
    F32,
    /// As the file stores it, where that is u8, i16, i24 (given as i32) or i32; f32 for lossy
    /// codecs.
    Native,
}

/// Reads the audio of a file, one packet of the file at a time. Times begin at zero.
///
/// Encoder delay and padding are left out. Damaged packets are stepped over; the packet after
/// such a hole is DISCONT and has the time that it would have had.
pub struct MediaReader {
    params: MediaReaderParams,
    /// Opened when the node is made; absent after the end and after a reset.
    decoder: Option<AudioDecoder>,
}

impl MediaReader {
    fn open(params: &MediaReaderParams) -> Result<AudioDecoder> {
        let path = params.path.strip_prefix("file://").unwrap_or(&params.path);
        let decoder = AudioDecoder::open(path)?.native(params.format == ReaderFormat::Native);
        let rate = decoder.format().rate;
        let frames = |ms: f64| MediaTime::from_secs_f64(ms / 1e3).to_frames(rate).max(0) as u64;
        Ok(decoder.trimmed(frames(params.start_ms), params.end_ms.map(frames)))
    }
}

impl Node for MediaReader {
    type Params = MediaReaderParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["MediaReaderNode", "AudioFileReader", "AudioFileReaderNode", "FileReader"],
        category: "io",
        outputs: &[Port::new("out", Caps::AUDIO_F32, "The audio of the file.")],
        files: true,
        blocking: true,
        ..Descriptor::new(
            "MediaReader",
            "Reads the audio of a WAV, FLAC, MP3, Ogg Vorbis, M4A, AIFF or Matroska file.",
        )
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        if params.format == ReaderFormat::Native {
            ports.outputs[0].caps = Caps::AUDIO;
            ports.outputs[0].caps.audio.planar = Some(false);
        }
        if params.end_ms.is_some_and(|end| end < params.start_ms) {
            return Err(Error::new(
                detail::MANIFEST_PARAM_CONFLICT,
                "param 'end_ms' lies before 'start_ms'",
            ));
        }
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        let decoder = Some(Self::open(&params)?);
        Ok(Self { params, decoder })
    }

    fn process(&mut self, _: &mut Context<'_>, _: Packet) -> Result<Flow> {
        Ok(Flow::Done)
    }

    fn resume(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            closed => closed.insert(Self::open(&self.params)?),
        };
        match decoder.next(cx.pool())? {
            Some(packet) => {
                cx.emit(0, packet);
                Ok(Flow::More)
            }
            None => Ok(Flow::Done),
        }
    }

    fn reset(&mut self) {
        self.decoder = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::recording;
    use crate::node::testing::Harness;
    use crate::packet::{AudioFormat, SampleFormat};
    use serde_json::json;

    fn reader(mut params: serde_json::Value, name: &str) -> Result<Harness> {
        params["path"] = recording(name).to_str().expect("a plain path").into();
        Harness::new::<MediaReader>(params)
    }

    fn frames(out: &[(usize, Packet)]) -> usize {
        out.iter().map(|(_, p)| p.as_audio().expect("audio").frames()).sum()
    }

    #[test]
    fn a_file_comes_out_whole_and_again_after_a_reset() {
        let mut node = reader(json!({}), "speech-16k.wav").expect("opens");
        let first = node.run_source().expect("reads");
        assert_eq!(frames(&first), 246_240);
        assert_eq!(first[0].1.pts(), Some(MediaTime::ZERO));
        assert!(node.run_source().expect("stays at the end").is_empty());
        node.node().reset();
        assert_eq!(frames(&node.run_source().expect("reads again")), 246_240);
    }

    #[test]
    fn the_part_from_start_to_end_is_exact() {
        let params = json!({"start_ms": 250.0, "end_ms": 1250.5});
        let out = reader(params, "speech-8k.mp3").expect("opens").run_source().expect("reads");
        assert_eq!(frames(&out), 8_004);
        assert_eq!(out[0].1.pts(), Some(MediaTime::ZERO));
    }

    #[test]
    fn native_samples_are_those_of_the_file() {
        let node = reader(json!({"format": "native"}), "speech-8k.wav");
        let out = node.expect("opens").run_source().expect("reads");
        let format = AudioFormat::f32(8_000, 1).with_sample(SampleFormat::I16);
        assert_eq!(out[0].1.as_audio().expect("audio").format(), format);
    }

    #[test]
    fn a_missing_file_is_an_error_when_the_node_is_made() {
        let error = reader(json!({}), "none.wav").err().expect("it isn't there");
        assert_eq!(error.detail(), detail::IO_OPEN);
    }
}
