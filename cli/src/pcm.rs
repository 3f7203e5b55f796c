//! Raw audio: interleaved little-endian samples without a header.

use crate::failure::{Failure, cannot_read};
use crate::value;
use remotemedia::error::detail;
use remotemedia::packet::SampleFormat;
use remotemedia::{AudioFormat, Error, Packet};
use std::io::Read;

/// Longest packet, in milliseconds. Shorter ones are made of what comes, so that nothing waits.
const PACKET_MS: u32 = 20;

/// Reads packets of raw audio.
pub(crate) struct Pcm {
    from: Box<dyn Read + Send>,
    format: AudioFormat,
    bytes: Vec<u8>,
    /// Bytes of a frame that has not come whole yet.
    held: usize,
}

impl Pcm {
    /// Reads from there.
    pub(crate) fn new(from: Box<dyn Read + Send>, format: AudioFormat) -> Self {
        let frames = (format.rate * PACKET_MS / 1000).max(1) as usize;
        Self { from, format, bytes: vec![0; frames * format.frame_bytes()], held: 0 }
    }

    /// The next packet; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, Failure> {
        let frame = self.format.frame_bytes();
        while self.held < frame {
            let read = self.from.read(&mut self.bytes[self.held..]);
            match read.map_err(|e| cannot_read("standard input", &e))? {
                0 if self.held == 0 => return Ok(None),
                0 => {
                    let message = format!(
                        "standard input ends inside a frame: {} of its {frame} bytes",
                        self.held
                    );
                    return Err(Failure::file(Error::new(detail::FORMAT_PAYLOAD, message))
                        .hint("does --pcm name the right format and channels?"));
                }
                read => self.held += read,
            }
        }
        let whole = self.held - self.held % frame;
        let packet = value::from_pcm(self.format, &self.bytes[..whole])?;
        self.bytes.copy_within(whole..self.held, 0);
        self.held -= whole;
        Ok(Some(packet))
    }
}

/// `FORMAT:RATE:CHANNELS`, e.g. `f32le:48000:1`.
pub(crate) fn parse_format(text: &str) -> Result<AudioFormat, Failure> {
    let bad = || {
        let failure = Failure::usage(format!("'{text}' is not FORMAT:RATE:CHANNELS"));
        failure.hint("e.g. f32le:48000:1 or s16le:16000:2")
    };
    let mut parts = text.split(':');
    let (sample, rate, channels) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(sample), Some(rate), Some(channels), None) => (sample, rate, channels),
        _ => return Err(bad()),
    };
    let rate = rate.parse().map_err(|_| bad())?;
    let channels = channels.parse().map_err(|_| bad())?;
    let sample = parse_sample(sample)?;
    let format = AudioFormat::f32(rate, channels).with_sample(sample);
    match format.check() {
        Ok(()) => Ok(format),
        Err(error) => Err(Failure::usage(format!("'{text}': {}", error.message()))),
    }
}

/// A sample format as raw audio files call it, or as manifests do.
pub(crate) fn parse_sample(text: &str) -> Result<SampleFormat, Failure> {
    match text {
        "f32le" | "f32" => Ok(SampleFormat::F32),
        "s16le" | "i16" => Ok(SampleFormat::I16),
        "s24le" | "i24" => Ok(SampleFormat::I24),
        "s32le" | "i32" => Ok(SampleFormat::I32),
        "u8" => Ok(SampleFormat::U8),
        _ => Err(Failure::usage(format!("'{text}' is no sample format"))
            .hint("the formats are f32le, s16le, s24le, s32le and u8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out its pieces one at a time.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            out[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn frames(pieces: &[&[u8]]) -> Result<Vec<usize>, Failure> {
        let pieces = Pieces(pieces.iter().map(|p| p.to_vec()).collect());
        let mut pcm = Pcm::new(Box::new(pieces), parse_format("s16le:8000:2")?);
        let mut out = Vec::new();
        while let Some(packet) = pcm.next()? {
            out.push(packet.as_audio().expect("audio").frames());
        }
        Ok(out)
    }

    #[test]
    fn packets_are_made_of_what_has_come() {
        let pieces: [&[u8]; 4] = [&[1, 2, 3], &[4, 5], &[6, 7, 8, 9, 10, 11, 12], &[]];
        assert_eq!(frames(&pieces[..3]).expect("three frames"), [1, 2]);
        let failure = frames(&pieces[..1]).expect_err("no whole frame");
        assert_eq!(failure.error.detail(), detail::FORMAT_PAYLOAD);
    }

    #[test]
    fn formats_are_read_or_refused() {
        assert_eq!(parse_format("f32le:48000:1").expect("good"), AudioFormat::f32(48_000, 1));
        for text in ["f32le", "f32le:0:1", "f32le:48000:65", "f32be:48000:1", "f32le:48000:1:1"] {
            assert_eq!(parse_format(text).expect_err("bad").exit as u8, 2, "{text}");
        }
    }
}
