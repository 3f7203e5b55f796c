//! Reads the WAV files that the demo writes: one channel of 16-bit integers or 32-bit floats,
//! which is all that it has to check.

use crate::Failure;
use std::path::Path;

/// What a file holds.
pub(crate) struct Wav {
    /// Samples per second.
    pub(crate) rate: u32,
    /// How the file stores its samples.
    pub(crate) format: Format,
    /// Its only channel, full scale ±1.
    pub(crate) samples: Vec<f64>,
}

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Integers of 16 bits.
    I16,
    /// Floats of 32 bits.
    F32,
}

impl Wav {
    /// Seconds.
    pub(crate) fn duration(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }
}

/// Reads a file.
///
/// # Errors
/// When it isn't one channel of 16-bit integers or 32-bit floats in WAV.
pub(crate) fn read(path: &Path) -> Result<Wav, Failure> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(&bytes).map_err(|why| format!("{}: {why}", path.display()))
}

fn parse(bytes: &[u8]) -> Result<Wav, Failure> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err("not a WAV file".to_owned());
    }
    let mut rest = &bytes[12..];
    let mut header = None;
    while let Some((id, size, body)) = chunk(rest) {
        match id {
            b"fmt " => header = Some(parse_header(body)?),
            b"data" => {
                let (rate, format) = header.ok_or("samples before their format")?;
                return Ok(Wav { rate, format, samples: samples(body, format) });
            }
            _ => {}
        }
        rest = rest.get(8 + size + size % 2..).unwrap_or_default();
    }
    Err("no samples in it".to_owned())
}

/// The first chunk: its name, its size and as much of its body as there is.
fn chunk(rest: &[u8]) -> Option<(&[u8], usize, &[u8])> {
    let size = u32::from_le_bytes(*rest.get(4..8)?.first_chunk()?) as usize;
    let body = rest.get(8..)?;
    Some((&rest[..4], size, &body[..size.min(body.len())]))
}

/// The sample rate and format, if they are what we read.
fn parse_header(body: &[u8]) -> Result<(u32, Format), Failure> {
    let u16_at = |at: usize| body.get(at..at + 2).map(|b| u16::from(b[0]) | u16::from(b[1]) << 8);
    // The extensible header (0xFFFE) has its tag at the start of a GUID.
    let tag = match u16_at(0) {
        Some(0xFFFE) => u16_at(24),
        tag => tag,
    };
    let (channels, bits) = (u16_at(2), u16_at(14));
    let format = match (tag, bits) {
        (Some(1), Some(16)) => Some(Format::I16),
        (Some(3), Some(32)) => Some(Format::F32),
        _ => None,
    };
    let format = format.filter(|_| channels == Some(1)).ok_or_else(|| {
        format!("not mono of 16-bit PCM or floats (tag {tag:?}, {channels:?} × {bits:?} bits)")
    })?;
    body.get(4..8)
        .and_then(|b| b.first_chunk().copied())
        .map(|rate| (u32::from_le_bytes(rate), format))
        .ok_or_else(|| "its format is cut off".to_owned())
}

fn samples(body: &[u8], format: Format) -> Vec<f64> {
    let i16 = |bytes: &[u8; 2]| f64::from(i16::from_le_bytes(*bytes)) / 32_768.0;
    let f32 = |bytes: &[u8; 4]| f64::from(f32::from_le_bytes(*bytes));
    match format {
        Format::I16 => body.as_chunks().0.iter().map(i16).collect(),
        Format::F32 => body.as_chunks().0.iter().map(f32).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_recordings_have_their_known_lengths_and_levels() {
        for (name, format, length) in
            [("speech-16k.wav", Format::I16, 246_240), ("speech-16k-f32.wav", Format::F32, 47_840)]
        {
            let wav = read(&crate::root().join("media").join(name)).unwrap();
            assert_eq!((wav.rate, wav.format, wav.samples.len()), (16_000, format, length));
            let peak = wav.samples.iter().fold(0.0, |peak: f64, s| peak.max(s.abs()));
            assert!((0.1..=1.0).contains(&peak), "{name}: peak {peak}");
        }
    }

    #[test]
    fn other_formats_are_refused() {
        let failure = read(&crate::root().join("media/music-96k-24bit.wav")).err().unwrap();
        assert!(failure.contains("not mono of 16-bit PCM or floats"), "{failure}");
        assert!(parse(b"RIFF").is_err());
        assert!(parse(b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff").is_err());
    }
}
