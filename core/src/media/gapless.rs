//! Encoder delay in MP4 files, which the demuxer doesn't apply.
//!
//! Two places tell it: iTunes' comment `iTunSMPB` (delay and length in samples, exact) and the
//! edit list (`elst`, where the presentation begins in the media). Formats: ISO/IEC 14496-12;
//! the comment is ten hexadecimal numbers, of which the second is the delay and the fourth the
//! length.

use std::io::{self, Read, Seek, SeekFrom};

/// The part of an audio track that is meant to be heard, in frames of the track's time scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gapless {
    /// Frames to leave out at the beginning.
    pub(super) delay: u64,
    /// Frames to give after that, where the file says it.
    pub(super) frames: Option<u64>,
    /// Time scale that the numbers count in; zero for plain samples.
    pub(super) scale: u32,
}

/// Larger `moov` boxes are not looked through.
const MAX_MOOV: u64 = 256 << 20;

/// Reads what the file says about the track, if it is an MP4. Leaves the reader where it is.
pub(super) fn read(reader: &mut (impl Read + Seek + ?Sized), track: u32) -> Option<Gapless> {
    let moov = moov(reader).ok()??;
    smpb(&moov).or_else(|| {
        boxes(&moov)
            .filter(|(name, _)| name == b"trak")
            .find(|(_, trak)| track_id(trak) == Some(track))
            .and_then(|(_, trak)| edit(trak))
    })
}

fn moov(reader: &mut (impl Read + Seek + ?Sized)) -> io::Result<Option<Vec<u8>>> {
    reader.seek(SeekFrom::Start(0))?;
    let mut first = true;
    loop {
        let mut head = [0; 8];
        reader.read_exact(&mut head)?;
        if std::mem::take(&mut first) && &head[4..] != b"ftyp" {
            return Ok(None);
        }
        let mut size = u64::from(be32(&head, 0));
        let mut header = 8;
        if size == 1 {
            let mut long = [0; 8];
            reader.read_exact(&mut long)?;
            (size, header) = (u64::from_be_bytes(long), 16);
        }
        let Some(body) = size.checked_sub(header) else { return Ok(None) };
        if &head[4..] == b"moov" {
            let mut out = Vec::new();
            reader.take(body.min(MAX_MOOV)).read_to_end(&mut out)?;
            return Ok(Some(out));
        }
        let Ok(body) = i64::try_from(body) else { return Ok(None) };
        reader.seek(SeekFrom::Current(body))?;
    }
}

/// The boxes that follow one another in `bytes`; what doesn't fit ends the list.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let size = (bytes.len() >= 8).then(|| be32(bytes, 0) as usize)?;
        if size < 8 || size > bytes.len() {
            return None;
        }
        let (this, rest) = bytes.split_at(size);
        bytes = rest;
        Some((&this[4..8], &this[8..]))
    })
}

fn child<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, name| {
        boxes(bytes).find(|(n, _)| *n == &name[..]).map(|(_, body)| body)
    })
}

fn track_id(trak: &[u8]) -> Option<u32> {
    let tkhd = child(trak, &[b"tkhd"])?;
    let at = if *tkhd.first()? == 1 { 20 } else { 12 };
    (tkhd.len() >= at + 4).then(|| be32(tkhd, at))
}

fn edit(trak: &[u8]) -> Option<Gapless> {
    let elst = child(trak, &[b"edts", b"elst"])?;
    let mdhd = child(trak, &[b"mdia", b"mdhd"])?;
    let at = if *mdhd.first()? == 1 { 20 } else { 12 };
    let scale = (mdhd.len() >= at + 4).then(|| be32(mdhd, at))?;
    let (long, count) = (*elst.first()? == 1, elst.len().ge(&8).then(|| be32(elst, 4))?);
    // One edit alone is a delay; several are a cut list, which a decoder has no business with.
    let size = if long { 20 } else { 12 };
    if count != 1 || elst.len() < 8 + size {
        return None;
    }
    let start = if long {
        i64::from_be_bytes(elst[16..24].try_into().ok()?)
    } else {
        i64::from(be32(elst, 12) as i32)
    };
    // The edit's length counts in the movie's scale, mostly milliseconds: too coarse to cut by.
    // Where the length is not whole packets, the track's own table of times says it exactly.
    Some(Gapless { delay: u64::try_from(start).ok()?, frames: None, scale })
}

fn smpb(moov: &[u8]) -> Option<Gapless> {
    let meta = child(moov, &[b"udta", b"meta"])?;
    // `meta` has a version before its boxes.
    let list = child(meta.get(4..)?, &[b"ilst"])?;
    for (name, item) in boxes(list) {
        let is_smpb = name == b"----" && child(item, &[b"name"])?.ends_with(b"iTunSMPB");
        if is_smpb {
            let text = std::str::from_utf8(child(item, &[b"data"])?.get(8..)?).ok()?;
            let mut numbers = text.split_ascii_whitespace().skip(1);
            let delay = u64::from_str_radix(numbers.next()?, 16).ok()?;
            let frames = u64::from_str_radix(numbers.nth(1)?, 16).ok()?;
            return Some(Gapless { delay, frames: Some(frames), scale: 0 });
        }
    }
    None
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
