//! Samples from files to packets, and from packets to files: little-endian, frame by frame.

use crate::steps::Sound;
use remotemedia::packet::{Layout, Pool, SampleFormat};
use remotemedia::{Audio, AudioFormat, Packet, Result};
use std::ops::Range;

/// Reads a file and cuts it into packets.
///
/// # Errors
/// What the file system, the step's words and, inside, the library have against it.
pub(crate) fn packets(sound: &Sound<'_>, pool: &Pool) -> Result<Result<Vec<Packet>>, String> {
    let bytes = std::fs::read(sound.file).map_err(|e| format!("{}: {e}", sound.file))?;
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
    let whole = bytes.len() / frame;
    let pieces = cuts(sound.chunks, sound.skip, whole)?;
    Ok(pieces
        .into_iter()
        .map(|piece| packet(pool, format, &bytes[piece.start * frame..piece.end * frame]))
        .collect())
}

/// Where the pieces of `chunks` lie in a file of `frames` frames.
fn cuts(chunks: &str, skip: usize, frames: usize) -> Result<Vec<Range<usize>>, String> {
    if chunks == "all" {
        return Ok(std::iter::once(skip.min(frames)..frames).collect());
    }
    let (list, repeat) = match chunks.strip_suffix(",*") {
        Some(list) => (list, true),
        None => (chunks, false),
    };
    let sizes: Vec<usize> = list
        .split(',')
        .map(|n| n.parse().map_err(|_| format!("'{n}' is no number of frames")))
        .collect::<Result<_, _>>()?;
    let mut pieces = Vec::new();
    let mut at = skip;
    loop {
        for size in &sizes {
            let end = at + size;
            if repeat && end >= frames {
                pieces.push(at..frames);
                return Ok(pieces);
            }
            if end > frames {
                return Err(format!("the file has {frames} frames, not {end}"));
            }
            pieces.push(at..end);
            at = end;
        }
        if !repeat {
            return Ok(pieces);
        }
    }
}

/// A packet of these samples, which lie frame by frame.
fn packet(pool: &Pool, format: AudioFormat, bytes: &[u8]) -> Result<Packet> {
    let frames = bytes.len() / format.frame_bytes().max(1);
    let mut audio = Audio::from_pool(pool, format, frames)?;
    let (size, step) = (format.sample.bytes(), format.frame_bytes());
    for plane in 0..audio.planes() {
        let memory = audio.plane_mut(plane).expect("nobody else has the new block yet");
        if format.planar {
            let of_channel = bytes[plane * size..].chunks(step);
            memory.chunks_exact_mut(size).zip(of_channel).for_each(|(to, from)| {
                to.copy_from_slice(&from[..size]);
            });
        } else {
            memory.copy_from_slice(bytes);
        }
    }
    Ok(Packet::audio(audio))
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
