//! Packets as JSON values and back, for lines of text.

use remotemedia::error::detail;
use remotemedia::node::Caps;
use remotemedia::packet::{Buffer, Kind};
use remotemedia::{Audio, AudioFormat, Error, Packet, Payload, Result};
use serde_json::{Map, Number, Value as Json, json};

/// The packet that a JSON value means to an input with these caps.
///
/// An audio object is audio where the input takes audio; everything else is JSON where the input
/// takes JSON; a string is text where it takes text.
///
/// # Errors
/// When the input takes none of it, or an audio object is not well-formed.
pub(crate) fn to_packet(value: Json, caps: &Caps) -> Result<Packet> {
    let takes = |kind| caps.kinds.contains(kind);
    if takes(Kind::Audio) && value.get("type").and_then(Json::as_str) == Some("audio") {
        return to_audio(&value).map(Packet::audio);
    }
    if takes(Kind::Json) {
        return Ok(Packet::json(value));
    }
    match value {
        Json::String(text) if takes(Kind::Text) => Ok(Packet::text(text)),
        value => {
            let message =
                format!("the input takes {}, and this is {}", caps.kinds, describe(&value));
            let error = Error::new(detail::FORMAT_KIND, message);
            Err(if takes(Kind::Audio) { error.with_hint(AUDIO_SHAPE) } else { error })
        }
    }
}

const AUDIO_SHAPE: &str =
    "audio is {\"type\": \"audio\", \"samples\": […], \"sample_rate\": 16000, \"channels\": 1}";

fn describe(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn to_audio(value: &Json) -> Result<Audio> {
    let bad = |what: &str| {
        Error::new(detail::FORMAT_PAYLOAD, format!("audio without {what}")).with_hint(AUDIO_SHAPE)
    };
    let number = |key: &str| value.get(key).and_then(Json::as_u64);
    let samples = value
        .get("samples")
        .and_then(Json::as_array)
        .and_then(|list| list.iter().map(|s| s.as_f64().map(|s| s as f32)).collect())
        .ok_or_else(|| bad("a list of numbers as its 'samples'"))?;
    let rate = number("sample_rate").and_then(|n| u32::try_from(n).ok());
    let channels = match value.get("channels") {
        None => Some(1),
        Some(_) => number("channels").and_then(|n| u16::try_from(n).ok()),
    };
    Audio::from_f32(
        samples,
        rate.ok_or_else(|| bad("a whole number as its 'sample_rate'"))?,
        channels.ok_or_else(|| bad("a whole number as its 'channels'"))?,
    )
}

/// A packet's payload as JSON.
///
/// # Errors
/// For kinds that have no JSON form.
pub(crate) fn to_json(packet: &Packet) -> Result<Json> {
    match packet.payload() {
        Payload::Audio(audio) => audio_to_json(audio),
        Payload::Text(text) => Ok(Json::from(&**text)),
        Payload::Json(value) => Ok(Json::clone(value)),
        Payload::Record(record) => Ok(record.to_json()),
        Payload::File(file) => {
            Ok(json!({"type": "file", "path": file.path.to_string_lossy(), "mime": file.mime}))
        }
        _ => {
            let message = format!("{} packets have no form as JSON", packet.kind());
            Err(Error::new(detail::FORMAT_KIND, message))
        }
    }
}

fn audio_to_json(audio: &Audio) -> Result<Json> {
    let format = audio.format();
    let mut samples = vec![0.0; audio.frames() * usize::from(format.channels)];
    remotemedia::media::convert::to_f32(
        format.sample,
        &interleaved(audio, format.sample),
        &mut samples,
    );
    // Through text, so that 0.1 reads 0.1 and not 0.10000000149.
    let number = |s: f32| s.to_string().parse().ok().and_then(Number::from_f64);
    let list = samples.into_iter().map(|s| number(s).map_or(Json::Null, Json::Number)).collect();
    let mut map = Map::new();
    map.insert("type".to_owned(), "audio".into());
    map.insert("samples".to_owned(), Json::Array(list));
    map.insert("sample_rate".to_owned(), format.rate.into());
    map.insert("channels".to_owned(), format.channels.into());
    Ok(Json::Object(map))
}

/// A block's samples as bytes: interleaved, little-endian, in that sample format.
pub(crate) fn interleaved(audio: &Audio, to: remotemedia::packet::SampleFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    remotemedia::media::convert::append_audio(audio, to, &mut bytes);
    bytes
}

/// Interleaved little-endian samples as a packet of that format.
pub(crate) fn from_pcm(format: AudioFormat, bytes: &[u8]) -> Result<Packet> {
    let mut buffer = Buffer::zeroed(bytes.len());
    if let Some(memory) = buffer.as_mut_slice() {
        memory.copy_from_slice(bytes);
    }
    if cfg!(target_endian = "big") && format.sample.align() > 1 {
        let swap =
            |b: &mut [u8]| b.chunks_exact_mut(format.sample.bytes()).for_each(<[u8]>::reverse);
        buffer.as_mut_slice().into_iter().for_each(swap);
    }
    Audio::new(format, buffer).map(Packet::audio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_objects_come_back_as_they_were() {
        let value = json!({"type": "audio", "samples": [0.1, -0.5, 1.0, 0.3], "sample_rate": 8000, "channels": 2});
        let packet = to_packet(value.clone(), &Caps::AUDIO).expect("is audio");
        assert_eq!(packet.as_audio().map(Audio::frames), Some(2));
        assert_eq!(to_json(&packet).expect("has a form"), value);
    }

    #[test]
    fn an_object_that_only_looks_like_audio_is_refused_where_audio_is_taken() {
        for value in [
            json!({"type": "audio"}),
            json!({"type": "audio", "samples": [1, "2"], "sample_rate": 8000}),
            json!({"type": "audio", "samples": [], "sample_rate": -1}),
            json!({"type": "audio", "samples": [], "sample_rate": 8000, "channels": 0}),
        ] {
            to_packet(value.clone(), &Caps::AUDIO).expect_err("is no audio");
            let json = to_packet(value.clone(), &Caps::kind(Kind::Json)).expect("is JSON");
            assert_eq!(json.as_json(), Some(&value));
        }
    }

    #[test]
    fn whole_numbers_stay_whole() {
        let packet = to_packet(json!(9_007_199_254_740_993_i64), &Caps::ANY).expect("is JSON");
        assert_eq!(to_json(&packet).expect("has a form").to_string(), "9007199254740993");
    }
}
