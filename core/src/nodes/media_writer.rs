//! Writes what comes to a file.

use crate::error::Result;
use crate::media::{Container, Writer, WriterFormat, WriterOptions};
use crate::node::caps::Kinds;
use crate::node::{Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports};
use crate::packet::{Kind, Packet, Payload};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Params of [`MediaWriter`].
#[derive(Debug, Clone, Params)]
pub struct MediaWriterParams {
    /// The file. Its ending says what is written: `.wav`, `.flac`, `.pcm` or `.raw` for audio,
    /// `.jsonl` for json, records and text, `.txt` for text. A `file://` before it is taken off.
    #[param(
        alias = "output_path",
        alias = "file_path",
        alias = "file",
        alias = "filename",
        alias = "uri"
    )]
    pub path: String,
    /// Sample format in the file; absent: that of the stream (FLAC: i16 up to 16 bits, else i24).
    #[param(default, alias = "sample_format")]
    pub format: Option<WriterFormat>,
    /// What to write, whatever the ending says.
    #[param(default)]
    pub container: Option<Container>,
}

impl MediaWriterParams {
    fn path(&self) -> &Path {
        Path::new(self.path.strip_prefix("file://").unwrap_or(&self.path))
    }

    fn options(&self) -> WriterOptions {
        WriterOptions { container: self.container, format: self.format.map(Into::into) }
    }
}

/// Writes what comes to a file, and gives out the file's path when the input has ended.
///
/// The file appears under its name only then; a pipeline that fails or is cancelled leaves none,
/// and leaves a file of that name as it was. Breaks in time are not filled: samples follow one
/// another as they come.
pub struct MediaWriter {
    path: PathBuf,
    options: WriterOptions,
    /// Absent between the end and the first packet of the next run.
    writer: Option<Writer>,
}

impl MediaWriter {
    fn writer(&mut self) -> Result<&mut Writer> {
        match &mut self.writer {
            Some(writer) => Ok(writer),
            none => Ok(none.insert(Writer::create(&self.path, self.options)?)),
        }
    }
}

impl Node for MediaWriter {
    type Params = MediaWriterParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["MediaWriterNode", "AudioFileWriter", "AudioFileWriterNode", "FileWriter"],
        category: "io",
        inputs: &[Port::new(
            "in",
            Caps::kinds(
                Kinds::one(Kind::Audio)
                    .or(Kinds::one(Kind::Json))
                    .or(Kinds::one(Kind::Record))
                    .or(Kinds::one(Kind::Text)),
            ),
            "Audio for an audio file; json, records and text for a file of lines.",
        )],
        outputs: &[Port::new(
            "out",
            Caps::kind(Kind::File),
            "The file, once, when the input has ended.",
        )],
        files: true,
        blocking: true,
        ..Descriptor::new("MediaWriter", "Writes audio to WAV, FLAC or raw PCM, findings to lines.")
    };

    fn ports(params: &Self::Params, ports: &mut Ports) -> Result<()> {
        ports.inputs[0].caps = match params.options().check(params.path())? {
            container if container.is_audio() => Caps::AUDIO,
            Container::Text => Caps::kind(Kind::Text),
            _ => Caps::kinds(
                Kinds::one(Kind::Json).or(Kinds::one(Kind::Record)).or(Kinds::one(Kind::Text)),
            ),
        };
        Ok(())
    }

    fn new(params: Self::Params) -> Result<Self> {
        let (path, options) = (params.path().to_owned(), params.options());
        // Made now, so that a folder that isn't there shows before anything runs.
        let writer = Some(Writer::create(&path, options)?);
        Ok(Self { path, options, writer })
    }

    fn configure(&mut self, _: &mut Context<'_>, _: usize, format: &MediaFormat) -> Result<()> {
        match format.audio() {
            Some(audio) => self.writer()?.set_format(&audio),
            None => Ok(()),
        }
    }

    fn process(&mut self, _: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        self.writer()?.write(&packet)?;
        Ok(Flow::Done)
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some(writer) = self.writer.take() {
            let file = writer.finish()?;
            cx.emit(0, Packet::new(Payload::File(Arc::new(file))));
        }
        Ok(Flow::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::detail;
    use crate::media::testing::{Folder, decode};
    use crate::node::testing::Harness;
    use crate::packet::Audio;
    use serde_json::json;

    fn writer(path: &Path) -> Result<Harness> {
        Harness::new::<MediaWriter>(json!({"path": path.to_str().expect("a plain path")}))
    }

    fn tone(frames: usize) -> Packet {
        let samples = (0..frames).map(|n| (n as f32 * 0.1).sin() * 0.5).collect();
        Packet::audio(Audio::from_f32(samples, 16_000, 1).expect("mono"))
    }

    #[test]
    fn the_file_appears_at_the_end_and_its_path_comes_out() {
        let folder = Folder::new("writer_end");
        let path = folder.path("out.wav");
        let mut node = writer(&path).expect("creates");
        assert!(node.push(tone(1_000)).expect("takes it").is_empty());
        node.drain().expect("a break is no end");
        node.push(tone(500)).expect("takes it");
        assert!(!path.exists());
        let out = node.finish().expect("writes");
        let Payload::File(file) = out[0].1.payload() else { panic!("no file came out") };
        assert_eq!((&file.path, file.mime.as_deref()), (&path, Some("audio/wav")));
        assert_eq!(decode(&path).1.len(), 1_500);
    }

    #[test]
    fn a_writer_that_is_dropped_leaves_the_file_of_before() {
        let folder = Folder::new("writer_drop");
        let path = folder.path("out.wav");
        std::fs::write(&path, "what was there").expect("writes");
        let mut node = writer(&path).expect("creates");
        node.push(tone(100)).expect("takes it");
        drop(node);
        assert_eq!(std::fs::read(&path).expect("is there"), b"what was there");
        assert_eq!(folder.files(), ["out.wav"]);
    }

    #[test]
    fn a_second_run_writes_the_file_anew() {
        let folder = Folder::new("writer_again");
        let path = folder.path("out.wav");
        let mut node = writer(&path).expect("creates");
        for frames in [100, 30] {
            node.push(tone(frames)).expect("takes it");
            node.finish().expect("writes");
            assert_eq!(decode(&path).1.len(), frames);
            node.node().reset();
        }
    }

    #[test]
    fn a_change_of_the_rate_is_refused() {
        let folder = Folder::new("writer_change");
        let mut node = writer(&folder.path("out.wav")).expect("creates");
        node.push(tone(100)).expect("takes it");
        let other = Packet::audio(Audio::from_f32(vec![0.0; 10], 8_000, 1).expect("mono"));
        let error = node.push(other).expect_err("another rate");
        assert_eq!(error.detail(), detail::FORMAT_AUDIO);
        assert!(error.message().contains("16000 Hz") && error.message().contains("8000 Hz"));
    }

    #[test]
    fn a_file_name_without_a_known_ending_is_refused_before_anything_is_made() {
        let params = MediaWriterParams { path: "a.xyz".into(), format: None, container: None };
        let mut ports = Ports::of(&MediaWriter::DESCRIPTOR);
        let error = MediaWriter::ports(&params, &mut ports).expect_err("no known ending");
        assert_eq!(error.detail(), detail::MEDIA_UNKNOWN_FORMAT);
    }
}
