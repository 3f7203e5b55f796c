//! Reads the WAV files that the demo writes: 16-bit mono, which is all that it has to check.

use crate::Failure;
use std::path::Path;

/// What a file holds.
pub(crate) struct Wav {
    /// Samples per second.
    pub(crate) rate: u32,
    /// Its only channel.
    pub(crate) samples: Vec<i16>,
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
/// When it isn't 16-bit mono PCM in WAV.
pub(crate) fn read(path: &Path) -> Result<Wav, Failure> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(&bytes).map_err(|why| format!("{}: {why}", path.display()))
}

fn parse(bytes: &[u8]) -> Result<Wav, Failure> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err("not a WAV file".to_owned());
    }
    let mut rest = &bytes[12..];
    let mut rate = None;
    while let Some((id, size, body)) = chunk(rest) {
        match id {
            b"fmt " => rate = Some(format(body)?),
            b"data" => {
                let rate = rate.ok_or("samples before their format")?;
                let samples =
                    body.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
                return Ok(Wav { rate, samples });
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

/// The sample rate, if the format is the one we read.
fn format(body: &[u8]) -> Result<u32, Failure> {
    let u16_at = |at: usize| body.get(at..at + 2).map(|b| u16::from(b[0]) | u16::from(b[1]) << 8);
    let (tag, channels, bits) = (u16_at(0), u16_at(2), u16_at(14));
    // 0xFFFE is the extensible header, whose samples are told by their bits here.
    if !matches!(tag, Some(1 | 0xFFFE)) || channels != Some(1) || bits != Some(16) {
        return Err(format!("not 16-bit mono PCM (tag {tag:?}, {channels:?} × {bits:?} bits)"));
    }
    body.get(4..8)
        .and_then(|b| b.first_chunk().copied())
        .map(u32::from_le_bytes)
        .ok_or_else(|| "its format is cut off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_recording_has_its_known_length() {
        let wav = read(&crate::root().join("media/speech-16k.wav")).unwrap();
        assert_eq!((wav.rate, wav.samples.len()), (16_000, 246_240));
        assert!(wav.samples.iter().any(|s| s.unsigned_abs() > 1000));
    }

    #[test]
    fn other_formats_are_refused() {
        let failure = read(&crate::root().join("media/speech-16k-f32.wav")).err().unwrap();
        assert!(failure.contains("not 16-bit mono PCM"), "{failure}");
        assert!(parse(b"RIFF").is_err());
        assert!(parse(b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff").is_err());
    }
}
