//! Samples from files to packets, and from packets to files: little-endian, frame by frame.

use conformance_shared::steps::{Place, Sound, planes};
use remotemedia::packet::{Layout, Pool, SampleFormat};
use remotemedia::{Audio, AudioFormat, MediaTime, Packet, Result};

/// Cuts the bytes of a file into packets, the first of which lies at that place.
///
/// # Errors
/// What the step's words and, inside, the library have against it.
pub(crate) fn packets(
    sound: &Sound<'_>,
    bytes: &[u8],
    place: Place,
    pool: &Pool,
) -> Result<Result<Vec<Packet>>, String> {
    let sample = SampleFormat::from_name(sound.sample)
        .ok_or_else(|| format!("'{}' is no sample format", sound.sample))?;
    let format = AudioFormat {
        rate: sound.rate,
        channels: sound.channels,
        sample,
        planar: sound.planar,
        layout: Layout::default_for(sound.channels),
    };
    let frame = format.frame_bytes().max(1);
    let pieces = sound.pieces(bytes.len() / frame)?;
    let begin = pieces.first().map_or(0, |piece| piece.start);
    let end = pieces.last().map_or(0, |piece| piece.end);
    let made = |range: std::ops::Range<usize>| {
        audio(pool, format, &bytes[range.start * frame..range.end * frame])
    };
    let pts = place.pts.map(MediaTime::from_nanos);
    let timed = |audio: Audio, pts: Option<MediaTime>, discont: bool| {
        let mut packet = Packet::audio(audio);
        packet.set_pts(pts);
        packet.set_discont(discont);
        packet
    };
    let all = pieces.into_iter().enumerate();
    if sound.sliced {
        return Ok(made(begin..end).map(|whole| {
            let part = |(n, piece): (usize, std::ops::Range<usize>)| {
                let first = piece.start - begin;
                let offset = MediaTime::from_frames(first as i64, format.rate);
                let part = whole.slice(first..piece.end - begin);
                timed(part, pts.map(|pts| pts + offset), place.discont && n == 0)
            };
            all.map(part).collect()
        }));
    }
    let packet = |(n, piece)| {
        let first = n == 0;
        Ok(timed(made(piece)?, pts.filter(|_| first), place.discont && first))
    };
    Ok(all.map(packet).collect())
}

/// Audio of these samples, which lie frame by frame.
fn audio(pool: &Pool, format: AudioFormat, bytes: &[u8]) -> Result<Audio> {
    let frames = bytes.len() / format.frame_bytes().max(1);
    let mut audio = Audio::from_pool(pool, format, frames)?;
    let planar = format.planar;
    let moved = planar.then(|| planes(bytes, format.sample.bytes(), format.channels.into()));
    let bytes = moved.as_deref().unwrap_or(bytes);
    let size = bytes.len() / audio.planes().max(1);
    for (plane, from) in bytes.chunks_exact(size.max(1)).enumerate() {
        let memory = audio.plane_mut(plane).expect("nobody else has the new block yet");
        memory.copy_from_slice(from);
    }
    Ok(audio)
}

/// The samples of a packet, frame by frame.
pub(crate) fn interleaved(audio: &Audio) -> Vec<u8> {
    if audio.planes() == 1 {
        return audio.plane(0).to_vec();
    }
    let size = audio.format().sample.bytes();
    let mut bytes = Vec::with_capacity(audio.frames() * audio.format().frame_bytes());
    for at in (0..audio.frames()).map(|frame| frame * size) {
        (0..audio.planes()).for_each(|p| bytes.extend_from_slice(&audio.plane(p)[at..at + size]));
    }
    bytes
}
