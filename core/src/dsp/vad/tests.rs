use super::*;

/// Rate and samples of a mono WAV among the recordings, the offset taken off.
pub(crate) fn wav(name: &str) -> (u32, Vec<f32>) {
    let path = format!("{}/../media/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut reader = hound::WavReader::open(path).expect(name);
    let rate = reader.spec().sample_rate;
    let channels = usize::from(reader.spec().channels);
    let all: Vec<i16> = reader.samples().map(|s| s.expect("a sample")).collect();
    (rate, all.chunks(channels).map(|c| f32::from(c[0]) / 32_768.0).collect())
}

/// White noise of this RMS level.
pub(crate) fn noise(samples: usize, level: f32) -> Vec<f32> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    // Twelve uniform values make a normal one of variance one.
    (0..samples).map(|_| level * (0..12).map(|_| next()).sum::<f32>()).collect()
}

fn engines(rate: u32) -> Vec<(&'static str, Engine)> {
    let mut out = vec![("energy", Engine::Energy(Energy::new(rate, rate as usize / 50, None)))];
    if rate == Neural::RATE {
        out.push(("neural", Engine::Neural(Neural::new())));
    }
    out
}

/// Stretches of speech, in samples, without padding.
fn stretches(engine: &mut Engine, rate: u32, samples: &[f32]) -> Vec<(u64, u64)> {
    let ms = |ms: u64| ms * u64::from(rate) / 1_000;
    let rules = Rules {
        threshold: 0.5,
        neg_threshold: 0.35,
        min_speech: ms(100),
        min_silence: ms(150),
        pad: 0,
        max_speech: u64::MAX,
    };
    let mut segmenter = Segmenter::new(rules);
    let (mut out, mut start) = (Vec::new(), 0);
    let frame = engine.frame();
    let mut events: Vec<Event> = samples
        .chunks_exact(frame)
        .filter_map(|f| segmenter.push(engine.score(f), frame as u64))
        .collect();
    events.extend(segmenter.finish(samples.len() as u64));
    for event in events {
        match event {
            Event::Start(at) => start = at,
            Event::End(at) | Event::Cut(at) => out.push((start, at)),
        }
    }
    out
}

/// Which 10 ms pieces are speech, going by the clean recording alone: level in 30 ms around
/// them above −38 dBFS, gaps below 150 ms closed.
fn labels(rate: u32, samples: &[f32]) -> Vec<bool> {
    let mean = samples.iter().sum::<f32>() / samples.len() as f32;
    let piece = rate as usize / 100;
    let count = samples.len() / piece;
    let mut loud: Vec<bool> = (0..count)
        .map(|i| {
            let around =
                &samples[piece * i.saturating_sub(1)..(piece * (i + 2)).min(samples.len())];
            let power: f32 = around.iter().map(|s| (s - mean).powi(2)).sum();
            10.0 * (power / around.len() as f32).log10() > -38.0
        })
        .collect();
    let mut last: Option<usize> = None;
    for i in 0..count {
        if loud[i] {
            if let Some(last) = last
                && i - last <= 15
            {
                loud[last..i].fill(true);
            }
            last = Some(i);
        }
    }
    loud
}

fn f1(labels: &[bool], found: &[(u64, u64)], rate: u32) -> f64 {
    let piece = u64::from(rate) / 100;
    let speech = |i: usize| {
        let middle = piece * i as u64 + piece / 2;
        found.iter().any(|(from, to)| (*from..*to).contains(&middle))
    };
    let (mut hit, mut wrong) = (0, 0);
    for (i, label) in labels.iter().enumerate() {
        match (label, speech(i)) {
            (true, true) => hit += 1,
            (true, false) | (false, true) => wrong += 1,
            (false, false) => {}
        }
    }
    2.0 * f64::from(hit) / f64::from(2 * hit + wrong)
}

/// The clean recording with white noise, `snr` dB below its level over all.
fn noisy(clean: &[f32], snr: f32) -> Vec<f32> {
    let mean = clean.iter().sum::<f32>() / clean.len() as f32;
    let power = clean.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / clean.len() as f32;
    let noise = noise(clean.len(), (power / 10f32.powf(snr / 10.0)).sqrt());
    clean.iter().zip(noise).map(|(a, b)| a + b).collect()
}

#[test]
fn speech_is_found_in_clean_and_in_noisy_recordings() {
    for name in ["speech-16k.wav", "speech-8k.wav", "speech-it-8k.wav"] {
        let (rate, clean) = wav(name);
        let labels = labels(rate, &clean);
        for (snr, least) in [(60.0, 0.95), (20.0, 0.95), (10.0, 0.9)] {
            let noisy = noisy(&clean, snr);
            for (engine, mut detector) in engines(rate) {
                let found = stretches(&mut detector, rate, &noisy);
                let f1 = f1(&labels, &found, rate);
                println!("{name} {snr} dB {engine}: F1 {f1:.3}");
                assert!(f1 >= least, "{name} at {snr} dB, {engine}: F1 {f1:.3}");
            }
        }
    }
}

#[test]
fn the_pauses_between_the_sentences_are_found() {
    let (rate, samples) = wav("speech-16k.wav");
    for (engine, mut detector) in engines(rate) {
        let found = stretches(&mut detector, rate, &samples);
        assert_eq!(found.len(), 3, "{engine}: {found:?}");
        // Where the pauses end, see media/README.md.
        for ((start, _), pause) in found[1..].iter().zip([7.37, 10.37]) {
            let start = *start as f64 / f64::from(rate);
            assert!((start - pause).abs() < 0.06, "{engine}: {start} s, not {pause} s");
        }
    }
}

#[test]
fn silence_offset_and_steady_noise_are_no_speech() {
    let second = 16_000;
    for (sound, samples) in [
        ("silence", vec![0.0; 6 * second]),
        ("an offset", vec![0.3; 6 * second]),
        ("dither", noise(6 * second, 2e-5)),
        ("soft noise", noise(6 * second, 0.003)),
        ("noise", noise(6 * second, 0.05)),
    ] {
        for (engine, mut detector) in engines(16_000) {
            let found = stretches(&mut detector, 16_000, &samples);
            let speech: u64 = found.iter().map(|(from, to)| to - from).sum();
            // The network takes up to a third of a second to settle.
            let most = if engine == "neural" { second as u64 * 2 / 5 } else { 0 };
            assert!(speech <= most, "{sound}, {engine}: {found:?}");
        }
    }
}

#[test]
fn the_network_tells_voice_from_drums_which_levels_can_not() {
    let (rate, tabla) = wav("tabla-22k.wav");
    // Linear interpolation to 16 kHz: good enough for ears that listen for voice.
    let step = f64::from(rate) / 16_000.0;
    let count = ((tabla.len() - 1) as f64 / step) as usize;
    let drums: Vec<f32> = (0..count)
        .map(|i| {
            let at = i as f64 * step;
            let (index, part) = (at as usize, at.fract() as f32);
            tabla[index] * (1.0 - part) + tabla[index + 1] * part
        })
        .collect();
    let share = |engine: &mut Engine| {
        let found = stretches(engine, 16_000, &drums);
        found.iter().map(|(a, b)| b - a).sum::<u64>() as f64 / drums.len() as f64
    };
    let neural = share(&mut Engine::Neural(Neural::new()));
    assert!(neural < 0.1, "{neural:.2} of the drums is voice to the network");
    assert!(share(&mut Engine::Energy(Energy::new(16_000, 320, None))) > 0.8);
}

#[test]
fn a_fixed_level_decides_in_place_of_the_noise_floor() {
    let mut energy = Energy::new(16_000, 320, Some(0.02));
    let tone = |level: f32| -> Vec<f32> {
        (0..320).map(|n| level * (n as f32 * 500.0 * TAU as f32 / 16_000.0).sin()).collect()
    };
    let soft = (0..10).map(|_| energy.score(&tone(0.02))).fold(0.0, f32::max);
    let loud = (0..10).map(|_| energy.score(&tone(0.04))).fold(0.0, f32::max);
    assert!(soft < 0.5 && loud > 0.5, "{soft} and {loud}");
}

#[test]
fn samples_that_are_no_numbers_do_no_lasting_harm() {
    let (rate, mut samples) = wav("speech-16k.wav");
    samples[..3].copy_from_slice(&[f32::NAN, f32::INFINITY, -1e30]);
    for (engine, mut detector) in engines(rate) {
        assert_eq!(stretches(&mut detector, rate, &samples).len(), 3, "{engine}");
    }
}

#[test]
fn the_size_of_the_pieces_does_not_matter() {
    let (rate, samples) = wav("speech-16k.wav");
    let rules = Rules {
        threshold: 0.5,
        neg_threshold: 0.35,
        min_speech: 4_000,
        min_silence: 1_600,
        pad: 480,
        max_speech: 48_000,
    };
    for (name, _) in engines(rate) {
        let decisions = |size: usize| -> Vec<Decision> {
            let engine = engines(rate).into_iter().find(|(n, _)| *n == name).expect("is there").1;
            let mut detector = Detector::new(engine, rules);
            let mut out = Vec::new();
            for mut piece in samples.chunks(size) {
                while !piece.is_empty() {
                    let (decision, left) = detector.push(piece);
                    piece = left;
                    out.extend(decision);
                }
            }
            out
        };
        let whole = decisions(samples.len());
        assert!(whole.iter().any(|d| matches!(d.event, Some(Event::Cut(_)))));
        for size in [1, 7, 255, 256, 4_000] {
            assert!(decisions(size) == whole, "{name} in pieces of {size}");
        }
    }
}
