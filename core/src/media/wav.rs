//! The WAV container, both ways.
//!
//! Reads PCM of 8, 16, 24 and 32 bits and 32-bit floats, with the plain or the extensible header,
//! as RIFF, RF64 or BW64, also when the sizes were never filled in (a stream, a writer that was
//! stopped) or the file ends early. Reads forward only, so pipes work. Other encodings inside WAV
//! (A-law, ADPCM, 64-bit floats …) are left to the general decoder.
//!
//! Formats: Microsoft's *Multiple channel audio data and WAVE files* and EBU Tech 3306 (RF64).

use crate::packet::{AudioFormat, Layout, SampleFormat};
use std::io::{self, Read};

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;
/// Second half of the GUIDs that stand for the plain format tags.
const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
/// A size that the writer left open, and the mark of a size that stands in `ds64`.
const OPEN: u32 = u32::MAX;
/// Headers are small; a file that has none in this many bytes is something else.
const MAX_FORMAT_CHUNK: u64 = 1 << 16;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Format of the samples as they are stored.
    pub format: AudioFormat,
    /// Bytes of samples; `None`: up to the end of the file.
    pub bytes: Option<u64>,
}

/// Reads up to where the samples begin. `Ok(None)`: this is no WAV, or holds an encoding that
/// isn't read here.
///
/// # Errors
/// Of the reader. A file that ends within the header is no error but `None`.
pub fn read_header(reader: &mut impl Read) -> io::Result<Option<Header>> {
    match parse(reader) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        other => other,
    }
}

fn parse(reader: &mut impl Read) -> io::Result<Option<Header>> {
    let riff: [u8; 12] = bytes(reader)?;
    let large = matches!(&riff[..4], b"RF64" | b"BW64");
    if !(large || &riff[..4] == b"RIFF") || &riff[8..] != b"WAVE" {
        return Ok(None);
    }
    let riff_end = u64::from(u32_at(&riff, 4)) + 8;
    let (mut position, mut format, mut long_data) = (12u64, None, None);
    loop {
        let head: [u8; 8] = bytes(reader)?;
        let size = u32_at(&head, 4);
        position += 8;
        match &head[..4] {
            b"data" => {
                let Some(format) = format else { return Ok(None) };
                let bytes = match size {
                    OPEN => long_data,
                    // A writer that never came back to fill in the sizes.
                    0 if riff_end <= position => None,
                    size => Some(u64::from(size)),
                };
                return Ok(Some(Header { format, bytes }));
            }
            b"fmt " if u64::from(size) <= MAX_FORMAT_CHUNK => {
                let mut chunk = vec![0; size as usize];
                reader.read_exact(&mut chunk)?;
                format = parse_format(&chunk);
                if format.is_none() {
                    return Ok(None);
                }
            }
            b"ds64" if (16..=MAX_FORMAT_CHUNK).contains(&u64::from(size)) => {
                let mut chunk = vec![0; size as usize];
                reader.read_exact(&mut chunk)?;
                long_data =
                    Some(u64::from(u32_at(&chunk, 8)) | u64::from(u32_at(&chunk, 12)) << 32);
            }
            _ => skip(reader, u64::from(size))?,
        }
        position += u64::from(size);
        // Chunks are padded to even sizes.
        if size % 2 == 1 {
            skip(reader, 1)?;
            position += 1;
        }
    }
}

fn parse_format(chunk: &[u8]) -> Option<AudioFormat> {
    if chunk.len() < 16 {
        return None;
    }
    let channels = u16_at(chunk, 2);
    let (mut tag, mut layout) = (u16_at(chunk, 0), Layout::default_for(channels));
    if tag == EXTENSIBLE && chunk.len() >= 40 {
        if chunk[26..40] != GUID_TAIL {
            return None;
        }
        tag = u16_at(chunk, 24);
        let mask = u32_at(chunk, 20);
        layout = if mask.count_ones() == u32::from(channels) { Layout(mask) } else { layout };
    }
    let sample = match (tag, u16_at(chunk, 14)) {
        (PCM, 8) => SampleFormat::U8,
        (PCM, 16) => SampleFormat::I16,
        (PCM, 24) => SampleFormat::I24,
        (PCM, 32) => SampleFormat::I32,
        (FLOAT, 32) => SampleFormat::F32,
        _ => return None,
    };
    let format = AudioFormat { rate: u32_at(chunk, 4), channels, sample, planar: false, layout };
    let block = usize::from(u16_at(chunk, 12));
    (format.check().is_ok() && block == format.frame_bytes()).then_some(format)
}

/// The header of a file with that many bytes of samples: RIFF while the sizes fit 32 bits, else
/// RF64.
pub fn header(format: &AudioFormat, data: u64) -> Vec<u8> {
    let sample = format.sample;
    let usual = format.layout == Layout::default_for(format.channels);
    let extensible =
        format.channels > 2 || !usual || matches!(sample, SampleFormat::I24 | SampleFormat::I32);
    let tag = if sample == SampleFormat::F32 { FLOAT } else { PCM };
    let bits = 8 * sample.bytes() as u16;
    let block = format.frame_bytes();

    let mut chunks = Vec::new();
    let fmt_size: u32 = if extensible {
        40
    } else if tag == FLOAT {
        18
    } else {
        16
    };
    chunks.extend(b"fmt ");
    chunks.extend(fmt_size.to_le_bytes());
    chunks.extend(if extensible { EXTENSIBLE } else { tag }.to_le_bytes());
    chunks.extend(format.channels.to_le_bytes());
    chunks.extend(format.rate.to_le_bytes());
    chunks.extend((format.rate.wrapping_mul(block as u32)).to_le_bytes());
    chunks.extend((block as u16).to_le_bytes());
    chunks.extend(bits.to_le_bytes());
    if extensible {
        chunks.extend(22u16.to_le_bytes());
        chunks.extend(bits.to_le_bytes());
        chunks.extend(format.layout.0.to_le_bytes());
        chunks.extend(tag.to_le_bytes());
        chunks.extend(GUID_TAIL);
    } else if tag == FLOAT {
        chunks.extend(0u16.to_le_bytes());
    }
    let frames = data / block as u64;
    if tag == FLOAT {
        chunks.extend(b"fact");
        chunks.extend(4u32.to_le_bytes());
        chunks.extend(u32::try_from(frames).unwrap_or(OPEN).to_le_bytes());
    }

    let padded = data + data % 2;
    let riff = 4 + chunks.len() as u64 + 8 + padded;
    let mut out = Vec::with_capacity(chunks.len() + 64);
    match (u32::try_from(riff), u32::try_from(data)) {
        (Ok(riff), Ok(data)) if riff < OPEN => {
            out.extend(b"RIFF");
            out.extend(riff.to_le_bytes());
            out.extend(b"WAVE");
            out.extend(chunks);
            out.extend(b"data");
            out.extend(data.to_le_bytes());
        }
        _ => {
            out.extend(b"RF64");
            out.extend(OPEN.to_le_bytes());
            out.extend(b"WAVEds64");
            out.extend(28u32.to_le_bytes());
            out.extend((riff + 36).to_le_bytes());
            out.extend(data.to_le_bytes());
            out.extend(frames.to_le_bytes());
            out.extend(0u32.to_le_bytes());
            out.extend(chunks);
            out.extend(b"data");
            out.extend(OPEN.to_le_bytes());
        }
    }
    out
}

/// The header of a file that can't be written to again: samples up to the end of the file.
pub fn open_header(format: &AudioFormat) -> Vec<u8> {
    let mut out = header(format, 0);
    let data = out.len() - 4;
    out[4..8].copy_from_slice(&OPEN.to_le_bytes());
    out[data..].copy_from_slice(&OPEN.to_le_bytes());
    out
}

fn bytes<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut out = [0; N];
    reader.read_exact(&mut out)?;
    Ok(out)
}

fn skip(reader: &mut impl Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut reader.by_ref().take(bytes), &mut io::sink())?;
    if skipped < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats() -> impl Iterator<Item = AudioFormat> {
        SampleFormat::ALL.into_iter().flat_map(|sample| {
            [1, 2, 6].map(|channels| AudioFormat::f32(44_100, channels).with_sample(sample))
        })
    }

    #[test]
    fn a_header_reads_as_it_was_written() {
        for format in formats() {
            for data in [0, 1, 3_000, 5 << 30] {
                let read = read_header(&mut &header(&format, data)[..]).expect("no I/O error");
                let read = read.unwrap_or_else(|| panic!("{format}, {data} bytes: not read"));
                assert_eq!((read.format, read.bytes.unwrap_or(0)), (format, data));
            }
        }
        let mut odd = AudioFormat::f32(48_000, 2);
        odd.layout = Layout(0x600);
        let read = read_header(&mut &header(&odd, 8)[..]).expect("no I/O error");
        assert_eq!(read.map(|h| h.format), Some(odd), "the speaker positions are kept");
    }

    #[test]
    fn plain_stereo_has_the_44_byte_header_that_everybody_expects() {
        let format = AudioFormat::f32(16_000, 1).with_sample(SampleFormat::I16);
        let header = header(&format, 100);
        assert_eq!((header.len(), &header[36..40]), (44, &b"data"[..]));
    }

    #[test]
    fn sizes_that_were_never_filled_in_mean_up_to_the_end() {
        let format = AudioFormat::f32(16_000, 1).with_sample(SampleFormat::I16);
        for (riff, data) in [(0u32, 0u32), (OPEN, OPEN), (36, 0)] {
            let mut bytes = header(&format, 100);
            bytes[4..8].copy_from_slice(&riff.to_le_bytes());
            bytes[40..44].copy_from_slice(&data.to_le_bytes());
            let read = read_header(&mut &bytes[..]).expect("no I/O error").expect("a header");
            assert_eq!(read.bytes, None);
        }
    }
}
