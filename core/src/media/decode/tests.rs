use super::super::recording;
use super::*;

/// Name, rate, channels, frames, native format of every recording.
const RECORDINGS: [(&str, u32, u16, u64, SampleFormat); 19] = [
    ("speech.flac", 44_100, 1, 1_090_593, SampleFormat::I16),
    ("speech.mp3", 44_100, 1, 1_090_593, SampleFormat::F32),
    ("speech-16k.wav", 16_000, 1, 246_240, SampleFormat::I16),
    ("speech-16k-f32.wav", 16_000, 1, 47_840, SampleFormat::F32),
    ("speech-8k.wav", 8_000, 1, 48_400, SampleFormat::I16),
    ("speech-8k.mp3", 8_000, 1, 26_320, SampleFormat::F32),
    ("speech-8k.m4a", 8_000, 1, 48_400, SampleFormat::F32),
    ("speech-22k.ogg", 22_050, 1, 133_403, SampleFormat::F32),
    ("speech-it-8k.wav", 8_000, 1, 69_670, SampleFormat::I16),
    ("music-44k-stereo.flac", 44_100, 2, 264_600, SampleFormat::I16),
    ("music-44k-stereo.mp3", 44_100, 2, 439_768, SampleFormat::F32),
    ("music-44k-stereo.ogg", 44_100, 2, 439_768, SampleFormat::F32),
    ("music-44k-stereo.wav", 44_100, 2, 66_150, SampleFormat::I16),
    ("music-48k-stereo-vbr.mp3", 48_000, 2, 240_000, SampleFormat::F32),
    ("music-48k-stereo-f32.wav", 48_000, 2, 48_000, SampleFormat::F32),
    ("music-96k-24bit.wav", 96_000, 1, 96_000, SampleFormat::I32),
    ("tabla-22k.wav", 22_050, 1, 88_200, SampleFormat::I16),
    ("tabla-44k-mono.mp3", 44_100, 1, 470_723, SampleFormat::F32),
    ("tabla-48k-24bit.flac", 48_000, 1, 96_000, SampleFormat::I32),
];

fn samples(decoder: &mut AudioDecoder) -> Vec<f32> {
    let (pool, mut out) = (Pool::new(), Vec::new());
    while let Some(packet) = decoder.next(&pool).expect("decodes") {
        out.extend(packet.as_audio().and_then(Audio::f32).expect("interleaved f32"));
    }
    out
}

#[test]
fn every_recording_gives_exactly_the_frames_that_went_into_it() {
    let pool = Pool::new();
    for (name, rate, channels, frames, native) in RECORDINGS {
        let mut decoder = AudioDecoder::open(recording(name)).expect(name);
        assert_eq!(decoder.format(), AudioFormat::f32(rate, channels), "{name}");
        assert_eq!(decoder.total_frames(), Some(frames), "{name}");
        let mut count = 0;
        while let Some(packet) = decoder.next(&pool).expect(name) {
            assert_eq!(packet.pts(), Some(MediaTime::from_frames(count, rate)), "{name}");
            assert!(!packet.is_discont(), "{name}");
            let audio = packet.as_audio().expect("audio");
            assert_eq!(audio.format(), AudioFormat::f32(rate, channels), "{name}");
            assert!(audio.f32().is_some_and(|s| s.iter().all(|x| x.is_finite())), "{name}");
            count += audio.frames() as i64;
        }
        assert_eq!(count, frames as i64, "{name}");
        let decoder = AudioDecoder::open(recording(name)).expect(name).native(true);
        assert_eq!(decoder.format().sample, native, "{name}");
    }
}

#[test]
fn lossy_and_lossless_copies_of_one_recording_line_up_to_the_frame() {
    for (lossless, lossy) in [
        ("speech.flac", "speech.mp3"),
        ("speech-8k.wav", "speech-8k.m4a"),
        ("music-44k-stereo.flac", "music-44k-stereo.mp3"),
        ("music-44k-stereo.flac", "music-44k-stereo.ogg"),
    ] {
        let mut decoder = AudioDecoder::open(recording(lossless)).expect(lossless);
        let channels = usize::from(decoder.format().channels);
        let a = samples(&mut decoder);
        let b = samples(&mut AudioDecoder::open(recording(lossy)).expect(lossy));
        let inner = 10 * channels..a.len() - 10 * channels;
        let error = |lag: usize| -> f32 {
            let shifted = &b[inner.start + lag * channels - 2 * channels..];
            a[inner.clone()].iter().zip(shifted).map(|(a, b)| (a - b).powi(2)).sum()
        };
        let errors = [0, 1, 2, 3, 4].map(error);
        let best = errors.into_iter().fold(f32::INFINITY, f32::min);
        assert_eq!(errors[2], best, "{lossy} is shifted: {errors:?}");
        let power: f32 = a.iter().map(|s| s * s).sum();
        let db = 10.0 * (best / power).log10();
        assert!(db < -10.0, "{lossy} differs from {lossless} by {db:.1} dB");
    }
}

#[test]
fn native_samples_are_those_of_the_file() {
    let pool = Pool::new();
    for name in ["speech-16k.wav", "music-96k-24bit.wav", "tabla-48k-24bit.flac"] {
        let floats = samples(&mut AudioDecoder::open(recording(name)).expect(name));
        let mut decoder = AudioDecoder::open(recording(name)).expect(name).native(true);
        let mut at = 0;
        while let Some(packet) = decoder.next(&pool).expect(name) {
            let audio = packet.as_audio().expect("audio");
            let scaled: Vec<f32> = match audio.format().sample {
                SampleFormat::I16 => audio
                    .samples::<i16>(0)
                    .into_iter()
                    .flatten()
                    .map(|s| f32::from(*s) / 32_768.0)
                    .collect(),
                _ => audio
                    .samples::<i32>(0)
                    .into_iter()
                    .flatten()
                    .map(|s| (f64::from(*s) / 2_147_483_648.0) as f32)
                    .collect(),
            };
            assert!(scaled == floats[at..at + scaled.len()], "{name} at frame {at}");
            at += scaled.len();
        }
        assert_eq!(at, floats.len(), "{name}");
    }
}

#[test]
fn memory_and_pipes_decode_as_files_do() {
    for (name, _, channels, frames, _) in RECORDINGS {
        let bytes = std::fs::read(recording(name)).expect(name);
        let pipe = Cursor::new(bytes.clone());
        let count = frames as usize * usize::from(channels);
        for (way, decoder) in
            [("memory", AudioDecoder::from_bytes(bytes)), ("pipe", AudioDecoder::from_reader(pipe))]
        {
            let mut decoder = decoder.unwrap_or_else(|e| panic!("{name} from {way}: {e}"));
            assert_eq!(samples(&mut decoder).len(), count, "{name} from {way}");
        }
    }
}

#[test]
fn a_part_is_the_same_part_of_the_whole() {
    for name in ["speech-8k.mp3", "speech-22k.ogg", "tabla-22k.wav"] {
        let whole = samples(&mut AudioDecoder::open(recording(name)).expect(name));
        let part = AudioDecoder::open(recording(name)).expect(name);
        let mut part = part.trimmed(1_000, Some(5_555));
        assert_eq!(part.total_frames(), Some(4_555));
        assert!(samples(&mut part) == whole[1_000..5_555], "{name}");
        let mut beyond = AudioDecoder::open(recording(name)).expect(name).trimmed(1 << 40, None);
        assert_eq!((samples(&mut beyond).len(), beyond.total_frames()), (0, Some(0)));
    }
}

#[test]
fn a_file_that_ends_early_gives_what_is_there() {
    // The index of the M4A is at its end.
    for (name, _, channels, frames, _) in RECORDINGS.iter().filter(|r| !r.0.ends_with("m4a")) {
        let mut bytes = std::fs::read(recording(name)).expect(name);
        bytes.truncate(bytes.len() / 2);
        let mut decoder = AudioDecoder::from_bytes(bytes).expect(name);
        let share = samples(&mut decoder).len() as f64 / (frames * u64::from(*channels)) as f64;
        assert!((0.3..0.7).contains(&share), "{name}: {share:.2} of the frames");
    }
}

#[test]
fn what_is_no_audio_file_is_refused_with_the_reason() {
    let error = AudioDecoder::open("no/such/file.wav").err().expect("it isn't there");
    assert_eq!(error.detail(), detail::IO_OPEN);
    assert!(error.message().contains("no/such/file.wav"), "{error}");
    let folder = AudioDecoder::open(recording("")).err().expect("a folder");
    assert_eq!(folder.detail(), detail::IO_OPEN);
    let text = AudioDecoder::open(recording("README.md")).err().expect("a text");
    assert_eq!(text.detail(), detail::MEDIA_UNKNOWN_FORMAT, "{text:?}");
    let empty = AudioDecoder::from_bytes(Vec::new()).err().expect("nothing");
    assert_eq!(empty.detail(), detail::MEDIA_UNKNOWN_FORMAT, "{empty:?}");
}

#[test]
fn damage_is_stepped_over_and_counted_and_never_panics_or_hangs() {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut counted = 0;
    for (name, _, channels, frames, _) in RECORDINGS {
        let clean = std::fs::read(recording(name)).expect(name);
        for share in [1_000, 20_000] {
            let mut bytes = clean.clone();
            for _ in 0..bytes.len() / share {
                let at = 200 + random() as usize % (bytes.len() - 200);
                bytes[at] = random() as u8;
            }
            // A file whose headers are hit may be refused; what it must not do is worse.
            let Ok(mut decoder) = AudioDecoder::from_bytes(bytes) else { continue };
            let pool = Pool::new();
            let mut count = 0;
            while let Ok(Some(packet)) = decoder.next(&pool) {
                count += packet.as_audio().expect("audio").frames() as u64;
                assert!(count <= 2 * frames * u64::from(channels), "{name} has no end");
            }
            counted += decoder.damaged_packets();
        }
    }
    assert!(counted > 0, "some damage was noticed");
}

#[test]
fn time_goes_on_past_a_hole_which_is_marked() {
    let pool = Pool::new();
    for (name, total) in [("tabla-48k-24bit.flac", 96_000), ("speech-22k.ogg", 133_403)] {
        let mut bytes = std::fs::read(recording(name)).expect(name);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 9_000].fill(0x55);
        let mut decoder = AudioDecoder::from_bytes(bytes).expect(name);
        let (mut frames, mut holes, mut end) = (0, 0, MediaTime::ZERO);
        while let Some(packet) = decoder.next(&pool).expect(name) {
            frames += packet.as_audio().expect("audio").frames() as u64;
            let begin = packet.pts().expect("a time");
            let apart = begin.distance(end) > MediaTime::from_nanos(1_000);
            assert_eq!(apart, packet.is_discont(), "{name} at {begin}");
            holes += u32::from(packet.is_discont());
            end = packet.end().expect("a time");
        }
        assert!(frames < total && holes > 0 && decoder.damaged_packets() > 0, "{name}");
        let whole = MediaTime::from_frames(total as i64, decoder.format().rate);
        assert!(end.distance(whole) < MediaTime::from_nanos(1_000), "{name} ends at {end}");
    }
}

#[test]
fn files_that_follow_one_another_in_one_ogg_keep_their_times() {
    let mut bytes = std::fs::read(recording("speech-22k.ogg")).expect("is there");
    bytes.extend(std::fs::read(recording("music-44k-stereo.ogg")).expect("is there"));
    let mut decoder = AudioDecoder::from_bytes(bytes).expect("opens");
    let (pool, mut end, mut changes) = (Pool::new(), MediaTime::ZERO, 0);
    let mut format = decoder.format();
    while let Some(packet) = decoder.next(&pool).expect("decodes") {
        let begin = packet.pts().expect("a time");
        assert!(begin.distance(end) < MediaTime::from_millis(1), "{begin} after {end}");
        end = packet.end().expect("a time");
        let now = packet.as_audio().expect("audio").format();
        changes += u32::from(std::mem::replace(&mut format, now) != now);
    }
    assert_eq!((format, changes), (AudioFormat::f32(44_100, 2), 1));
    let length = 133_403.0 / 22_050.0 + 439_768.0 / 44_100.0;
    assert!(end.distance(MediaTime::from_secs_f64(length)) < MediaTime::from_millis(1));
}
