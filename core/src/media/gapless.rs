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

/// Reads what the file says about its tracks, if it is an MP4: track ids, and what is to be heard.
pub(super) fn read(reader: &mut (impl Read + Seek + ?Sized)) -> Vec<(u32, Gapless)> {
    let Ok(Some(moov)) = moov(reader) else { return Vec::new() };
    let comment = smpb(&moov);
    let traks = boxes(&moov).filter(|(name, _)| name == b"trak");
    // The comment is about the audio of a file that has nothing else.
    let comment = comment.filter(|_| traks_of(&moov) == 1);
    traks.filter_map(|(_, trak)| Some((track_id(trak)?, comment.or_else(|| edit(trak))?))).collect()
}

fn traks_of(moov: &[u8]) -> usize {
    boxes(moov).filter(|(name, _)| name == b"trak").count()
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
    // The track's own table of times, which the demuxer reads, gives the length exactly.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn boxed(name: &[u8], body: &[u8]) -> Vec<u8> {
        let size = (8 + body.len() as u32).to_be_bytes();
        [&size, name, body].concat()
    }

    fn track(id: u8, start: i32) -> Vec<u8> {
        let mut tkhd = [0; 24];
        tkhd[15] = id;
        let mut mdhd = [0; 20];
        mdhd[12..16].copy_from_slice(&44_100u32.to_be_bytes());
        let mut elst = [0; 20];
        elst[7] = 1;
        elst[12..16].copy_from_slice(&start.to_be_bytes());
        let edts = boxed(b"edts", &boxed(b"elst", &elst));
        let mdia = boxed(b"mdia", &boxed(b"mdhd", &mdhd));
        boxed(b"trak", &[boxed(b"tkhd", &tkhd), edts, mdia].concat())
    }

    fn file(moov: &[u8]) -> Cursor<Vec<u8>> {
        Cursor::new(
            [boxed(b"ftyp", b"M4A "), boxed(b"free", &[0; 5]), boxed(b"moov", moov)].concat(),
        )
    }

    #[test]
    fn each_track_has_its_own_edit_and_an_empty_edit_is_none() {
        let moov = [track(1, 7), track(2, 1_024), track(3, -1)].concat();
        let edit = |delay| Gapless { delay, frames: None, scale: 44_100 };
        assert_eq!(read(&mut file(&moov)), [(1, edit(7)), (2, edit(1_024))]);
    }

    #[test]
    fn the_comment_of_itunes_tells_delay_and_length() {
        let text = b" 00000000 00000840 000001CA 00000000003F31F6 00000000";
        let item = [
            boxed(b"mean", b"\0\0\0\0com.apple.iTunes"),
            boxed(b"name", b"\0\0\0\0iTunSMPB"),
            boxed(b"data", &[&[0; 8], &text[..]].concat()),
        ];
        let list = boxed(b"ilst", &boxed(b"----", &item.concat()));
        let meta = boxed(b"meta", &[&[0; 4], &list[..]].concat());
        let moov = [track(1, 0), boxed(b"udta", &meta)].concat();
        let told = Gapless { delay: 0x840, frames: Some(0x3F_31F6), scale: 0 };
        assert_eq!(read(&mut file(&moov)), [(1, told)]);
    }

    #[test]
    fn damaged_boxes_end_the_search() {
        let whole = file(&[track(1, 7), track(2, 1_024)].concat()).into_inner();
        for cut in 0..whole.len() {
            assert!(read(&mut Cursor::new(&whole[..cut])).len() <= 2);
            let mut changed = whole.clone();
            changed[cut] ^= 0xFF;
            assert!(read(&mut Cursor::new(changed)).len() <= 2);
        }
    }
}
