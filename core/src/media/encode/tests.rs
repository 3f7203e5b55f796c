use super::super::testing::{Folder, decode};
use super::super::{AudioDecoder, recording};
use super::*;
use crate::packet::{Layout, Pool};
use serde_json::json;

fn options(format: SampleFormat) -> WriterOptions {
    WriterOptions { format: Some(format), ..Default::default() }
}

/// Writes a recording as the file stores it.
fn copy(name: &str, path: &Path, options: WriterOptions) {
    let mut decoder = AudioDecoder::open(recording(name)).expect(name).native(true);
    let mut writer = Writer::create(path, options).expect(name);
    let pool = Pool::new();
    while let Some(packet) = decoder.next(&pool).expect(name) {
        writer.write(&packet).expect(name);
    }
    writer.finish().expect(name);
}

#[test]
fn lossless_files_come_back_bit_for_bit() {
    let folder = Folder::new("lossless");
    for name in
        ["speech-8k.wav", "music-44k-stereo.wav", "music-96k-24bit.wav", "tabla-48k-24bit.flac"]
    {
        for out in ["out.wav", "out.flac"] {
            let path = folder.path(out);
            copy(name, &path, WriterOptions::default());
            let (before, after) = (decode(&recording(name)), decode(&path));
            assert_eq!(before.0, after.0, "{name} as {out}");
            assert!(before.1 == after.1, "{name} as {out}: the samples differ");
        }
    }
    assert_eq!(folder.files().len(), 2, "no other file is left");
}

#[test]
fn every_sample_format_is_written_to_within_half_a_step() {
    let folder = Folder::new("formats");
    let source = decode(&recording("speech-16k-f32.wav")).1;
    for (format, step) in [
        (SampleFormat::F32, 0.0),
        (SampleFormat::I32, 1e-7),
        (SampleFormat::I24, 0.51 / 8_388_608.0),
        (SampleFormat::I16, 0.51 / 32_768.0),
        (SampleFormat::U8, 0.51 / 128.0),
    ] {
        let path = folder.path("out.wav");
        copy("speech-16k-f32.wav", &path, options(format));
        let written = decode(&path).1;
        assert_eq!(written.len(), source.len());
        let worst = source.iter().zip(&written).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= step, "{}: off by {worst}", format.name());
    }
}

#[test]
fn channels_and_their_positions_are_kept() {
    let folder = Folder::new("channels");
    for (channels, layout) in [(1, Layout::MONO), (2, Layout(0x600)), (6, Layout::SURROUND_5_1)] {
        let format = AudioFormat { layout, ..AudioFormat::f32(44_100, channels) };
        let samples: Vec<f32> = (0..channels * 10).map(|n| f32::from(n) / 1e3).collect();
        let audio = Audio::new(format, crate::packet::Buffer::from_vec(samples.clone()));
        let mut writer =
            Writer::create(folder.path("out.wav"), WriterOptions::default()).expect("creates");
        writer.write(&Packet::audio(audio.expect("fits"))).expect("writes");
        writer.finish().expect("ends");
        assert_eq!(decode(&folder.path("out.wav")), (format, samples));
    }
}

#[test]
fn hound_reads_what_is_written_here() {
    let folder = Folder::new("hound");
    let path = folder.path("out.wav");
    for format in [SampleFormat::I16, SampleFormat::I24, SampleFormat::I32] {
        copy("speech-8k.wav", &path, options(format));
        let mut reader = hound::WavReader::open(&path).expect("hound opens it");
        assert_eq!(reader.spec().bits_per_sample as usize, 8 * format.bytes());
        let shift = 8 * format.bytes() - 16;
        let ours = decode(&recording("speech-8k.wav")).1;
        let theirs: Vec<i32> = reader.samples::<i32>().map(|s| s.expect("a sample")).collect();
        assert_eq!(theirs.len(), ours.len());
        assert!(theirs.iter().zip(&ours).all(|(t, o)| (*t >> shift) as f32 / 32_768.0 == *o));
    }
}

#[test]
fn nothing_at_all_gives_a_valid_empty_file() {
    let folder = Folder::new("empty");
    for name in ["out.wav", "out.flac"] {
        let path = folder.path(name);
        let writer = Writer::create(&path, WriterOptions::default()).expect("creates");
        writer.finish().expect("ends");
    }
    assert_eq!(decode(&folder.path("out.wav")), (AudioFormat::f32(48_000, 1), Vec::new()));
    let flac = fs::read(folder.path("out.flac")).expect("is there");
    assert_eq!(flac.len(), flac::HEADER_BYTES, "a header and no frame");
}

#[test]
fn the_last_flac_frame_may_have_any_length() {
    let folder = Folder::new("flac_tail");
    let path = folder.path("out.flac");
    for frames in [1usize, 15, 16, 4_095, 4_096, 4_097, 8_192] {
        let samples: Vec<f32> = (0..2 * frames).map(|n| ((n * 37) % 255) as f32 / 256.0).collect();
        let mut writer = Writer::create(&path, options(SampleFormat::I16)).expect("creates");
        for part in samples.chunks(2 * 700) {
            let audio = Audio::from_f32(part.to_vec(), 48_000, 2).expect("stereo");
            writer.write(&Packet::audio(audio)).expect("writes");
        }
        writer.finish().expect("ends");
        assert!(decode(&path).1 == samples, "{frames} frames");
    }
}

#[test]
fn lines_hold_json_records_and_text() {
    let folder = Folder::new("lines");
    let path = folder.path("out.jsonl");
    let mut writer = Writer::create(&path, WriterOptions::default()).expect("creates");
    writer.write(&Packet::json(json!({"a": [1, "ü"]}))).expect("writes");
    writer.write(&Packet::text("two\nlines")).expect("writes");
    let audio = Packet::audio(Audio::from_f32(vec![0.0], 8_000, 1).expect("mono"));
    let error = writer.write(&audio).expect_err("audio is no line");
    assert_eq!(error.detail(), detail::FORMAT_KIND);
    let file = writer.finish().expect("ends");
    assert_eq!(file.mime.as_deref(), Some("application/x-ndjson"));
    let text = std::fs::read_to_string(&path).expect("is there");
    assert_eq!(text, "{\"a\":[1,\"ü\"]}\n\"two\\nlines\"\n");
}

#[test]
fn a_longer_header_moves_the_samples_without_changing_them() {
    let folder = Folder::new("header");
    let path = folder.path("out");
    fs::write(&path, b"OLDsamples").expect("writes");
    let mut file = fs::File::options().write(true).open(&path).expect("opens");
    replace_header(&mut file, &path, 3, b"LONGER").expect("replaces");
    assert_eq!(fs::read(&path).expect("is there"), b"LONGERsamples");
    assert_eq!(folder.files(), ["out"]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_at_once() {
    let error = Writer::create("no/such/folder/out.wav", WriterOptions::default())
        .err()
        .expect("no folder");
    assert_eq!(error.detail(), detail::IO_OPEN);
    let flac = options(SampleFormat::F32).check(Path::new("a.flac")).expect_err("no floats");
    assert_eq!(flac.detail(), detail::MANIFEST_PARAM_CONFLICT);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_written_to_directly_with_open_lengths() {
    let mut writer = Writer::create(
        "/dev/null",
        WriterOptions { container: Some(Container::Wav), ..Default::default() },
    )
    .expect("opens");
    let audio = Audio::from_f32(vec![0.0; 10], 8_000, 1).expect("mono");
    writer.write(&Packet::audio(audio)).expect("writes");
    writer.finish().expect("ends");
    let header = wav::open_header(&AudioFormat::f32(8_000, 1));
    let read = wav::read_header(&mut &header[..]).expect("no I/O error").expect("a header");
    assert_eq!(read.bytes, None);
}
