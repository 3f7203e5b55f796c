//! Samples from files to packets, and from packets to bytes: little-endian, frame by frame.

use conformance_shared::steps::{Place, Sound, planes};
use remotemedia_binding::{Engine, Info, Packet, Result, SampleFormat, View};

const NAMES: [&str; 5] = ["f32", "i16", "i24", "i32", "u8"];

/// Name of a sample format.
pub(crate) fn name(sample: SampleFormat) -> &'static str {
    NAMES[sample as usize]
}

/// Cuts the bytes of a file into packets, the first of which lies at that place.
///
/// # Errors
/// What the step's words and, inside, the library have against it.
pub(crate) fn packets(
    sound: &Sound<'_>,
    bytes: &[u8],
    place: Place,
    engine: &Engine,
) -> Result<Result<Vec<Packet>>, String> {
    let sample = NAMES.iter().position(|name| *name == sound.sample);
    let sample = sample.ok_or_else(|| format!("'{}' is no sample format", sound.sample))?;
    let sample = SampleFormat::ALL[sample];
    let frame = (sample.bytes() * usize::from(sound.channels)).max(1);
    let pieces = sound.pieces(bytes.len() / frame)?;
    let make = |from: usize, to: usize, place: Place| {
        let samples = &bytes[from * frame..to * frame];
        let channels = usize::from(sound.channels);
        let moved = sound.planar.then(|| planes(samples, sample.bytes(), channels));
        let samples = moved.as_deref().unwrap_or(samples);
        let info = Info::audio(samples, sample, sound.rate, sound.channels.into());
        let info = info.at(place.pts).discont(place.discont).planar(sound.planar);
        Packet::new(&info.in_memory_of(engine))
    };
    if sound.sliced {
        let begin = pieces.first().map_or(0, |piece| piece.start);
        let end = pieces.last().map_or(0, |piece| piece.end);
        return Ok(make(begin, end, place).and_then(|whole| {
            pieces.iter().map(|piece| whole.slice(piece.start - begin, piece.len())).collect()
        }));
    }
    let places = std::iter::once(place).chain(std::iter::repeat(Place::default()));
    let packets = pieces.iter().zip(places);
    Ok(packets.map(|(piece, place)| make(piece.start, piece.end, place)).collect())
}

/// The samples of a packet, frame by frame.
pub(crate) fn interleaved(view: &View<'_>) -> Vec<u8> {
    let size = view.sample().map_or(1, SampleFormat::bytes);
    if !view.is_planar() {
        return view.bytes().to_vec();
    }
    let (bytes, stride) = (view.bytes(), view.stride());
    let planes = 0..view.channels() as usize;
    let frame = |n: usize| planes.clone().map(move |p| &bytes[p * stride + n * size..][..size]);
    (0..view.frames()).flat_map(frame).flatten().copied().collect()
}
