use super::*;
use crate::node::testing::{Harness, Joined, Random, cut};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

const RATE: u32 = 48_000;

fn ms(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

fn mono(samples: &[f32]) -> Audio {
    Audio::from_f32(samples.to_vec(), 1_000, 1).expect("fits")
}

/// A packet at a rate of one frame a millisecond.
fn tone(at: i64, samples: &[f32]) -> Packet {
    Packet::audio(mono(samples)).at(ms(at))
}

fn mixer(params: Json) -> Harness {
    Harness::new::<Mixer>(params).expect("makes")
}

/// What came out, as (begin in ms, samples, whether it is a break).
fn words(out: &[(usize, Packet)]) -> Vec<(f64, Vec<f32>, bool)> {
    let word = |(_, packet): &(usize, Packet)| {
        let samples = packet.as_audio().and_then(Audio::f32).expect("f32").to_vec();
        (packet.pts().expect("a time").as_secs_f64() * 1e3, samples, packet.is_discont())
    };
    out.iter().map(word).collect()
}

/// Gives the lanes' packets in the order of `Join::Ordered`; `chance` says where a bound comes first.
fn run(node: &mut Harness, lanes: &[Vec<Packet>], mut chance: impl FnMut() -> bool) -> Vec<Packet> {
    let mut all: Vec<(MediaTime, usize, Packet)> = Vec::new();
    for (lane, packets) in lanes.iter().enumerate() {
        all.extend(packets.iter().map(|p| (p.pts().expect("a time"), lane, p.clone())));
    }
    all.sort_by_key(|(pts, lane, _)| (*pts, *lane));
    let mut out = Vec::new();
    for (pts, lane, packet) in all {
        if chance() {
            out.extend(node.advance(pts).expect("advances"));
        }
        out.extend(node.on(lane).push(packet).expect("mixes"));
    }
    out.extend(node.drain().expect("drains"));
    out.into_iter().map(|(_, packet)| packet).collect()
}

fn joined(packets: &[Packet]) -> Joined {
    let mut joined = Joined::default();
    packets.iter().for_each(|packet| joined.add(packet));
    joined
}

#[test]
fn what_is_complete_goes_out_and_the_end_gives_the_rest() {
    let mut node = mixer(json!({}));
    assert!(node.on(0).push(tone(0, &[1.0; 4])).expect("mixes").is_empty());
    let out = node.on(1).push(tone(2, &[2.0; 4])).expect("mixes");
    assert_eq!(words(&out), [(0.0, vec![1.0, 1.0], false)]);
    let out = node.advance(ms(3)).expect("advances");
    assert_eq!(words(&out), [(2.0, vec![3.0], false)]);
    assert!(node.advance(ms(3)).expect("advances").is_empty());
    let out = node.drain().expect("drains");
    assert_eq!(words(&out), [(3.0, vec![3.0, 2.0, 2.0], false)]);
    assert!(node.drain().expect("drains").is_empty());
}

#[test]
fn there_is_silence_between_sounds_but_not_at_the_end() {
    let mut node = mixer(json!({}));
    node.push(tone(5, &[1.0])).expect("mixes");
    assert_eq!(words(&node.advance(ms(900)).expect("advances")), [(5.0, vec![1.0], false)]);
    let out = node.on(1).push(tone(8, &[2.0])).expect("mixes");
    assert_eq!(words(&out), [(6.0, vec![0.0, 0.0], false)]);
    assert_eq!(words(&node.finish().expect("ends")), [(8.0, vec![2.0], false)]);
}

#[test]
fn silence_beyond_ten_seconds_is_a_break_and_long_sums_come_in_parts() {
    for (pause, is_break) in [(10_000, false), (10_001, true)] {
        let mut node = mixer(json!({}));
        let lanes = [vec![tone(0, &[1.0; 2]), tone(2 + pause, &[2.0])], vec![tone(1, &[1.0])]];
        let out = run(&mut node, &lanes, || false);
        let last = out.last().expect("came");
        assert_eq!((last.pts(), last.is_discont()), (Some(ms(2 + pause)), is_break));
        let longest = out.iter().filter_map(Packet::as_audio).map(Audio::frames).max();
        let parts = if is_break { (3, Some(1)) } else { (13, Some(1_000)) };
        assert_eq!((out.len(), longest), parts, "a second at most");
    }
}

#[test]
fn what_comes_too_late_is_left_out() {
    let mut node = mixer(json!({}));
    node.on(0).push(tone(10, &[1.0; 4])).expect("mixes");
    node.advance(ms(12)).expect("advances");
    assert!(node.on(1).push(tone(8, &[5.0; 3])).expect("mixes").is_empty());
    assert!(node.on(1).push(tone(11, &[5.0; 2])).expect("mixes").is_empty());
    assert_eq!(words(&node.drain().expect("drains")), [(12.0, vec![6.0, 1.0], false)]);
}

#[test]
fn a_break_of_one_lane_moves_that_lane_alone() {
    let mut node = mixer(json!({}));
    let mut jump = tone(2, &[2.0; 2]);
    jump.set_discont(true);
    let lanes = [vec![tone(0, &[1.0; 6])], vec![tone(0, &[2.0]), jump]];
    let out = run(&mut node, &lanes, || false);
    assert_eq!(joined(&out).f32(), [3.0, 1.0, 3.0, 3.0, 1.0, 1.0]);
    assert!(out.iter().all(|packet| !packet.is_discont()));
}

#[test]
fn times_that_were_rounded_leave_neither_holes_nor_overlaps() {
    // Two lanes begin between two frames, some of them in the very middle, in packets of one frame.
    let noise = Random::new(3).noise(24_000, 1, 500);
    let samples = noise.f32().expect("f32");
    let at = |n: usize| samples.get(n).copied().unwrap_or(0.0);
    for offset in (0..41_667).step_by(999).chain(20_825..20_842) {
        let lanes =
            [0, offset, offset].map(|nanos| cut(&noise, MediaTime::from_nanos(nanos), || 1));
        let out = joined(&run(&mut mixer(json!({})), &lanes, || true));
        let shift = usize::from(offset > 20_833);
        for (n, sum) in out.f32().iter().enumerate() {
            let later = if n >= shift { at(n - shift) } else { 0.0 };
            assert_eq!(*sum, at(n) + later + later, "frame {n}, {offset} ns");
        }
    }
}

#[test]
fn lanes_that_differ_are_refused_with_the_way_out() {
    let mut node = mixer(json!({}));
    node.on(0).push(tone(0, &[1.0])).expect("mixes");
    for (rate, channels) in [(2_000, 1), (1_000, 2)] {
        let other = Packet::audio(Random::new(1).noise(rate, channels, 4)).at(ms(1));
        let error = node.on(1).push(other).expect_err("differs");
        assert_eq!(error.detail(), detail::FORMAT_AUDIO);
        assert!(error.hint().is_some_and(|hint| hint.contains("rate and channels")));
    }
    let mut ports = Ports::of(&Mixer::DESCRIPTOR);
    let params = json!({"rate": 16_000, "channels": 1});
    let params = MixerParams::from_map(params.as_object().expect("an object"));
    Mixer::ports(&params, &mut ports).expect("fits");
    let caps = &ports.inputs[0].caps.audio;
    assert_eq!((caps.rates.single(), caps.channels.single()), (Some(16_000), Some(1)));
}

#[test]
fn one_lane_alone_may_change_its_format_and_a_reset_lets_all_do_so() {
    let stereo = |at| Packet::audio(Random::new(1).noise(2_000, 2, 4)).at(ms(at));
    let mut node = mixer(json!({}));
    node.push(tone(0, &[1.0])).expect("mixes");
    node.drain().expect("drains");
    node.push(stereo(1)).expect("mixes");
    node.node().reset();
    assert!(node.drain().expect("drains").is_empty(), "a reset forgets");
    node.on(1).push(tone(0, &[1.0])).expect("mixes");
    assert_eq!(words(&node.drain().expect("drains")), [(0.0, vec![1.0], false)]);
}

#[test]
fn the_gain_changes_with_the_next_packet_and_in_a_ramp() {
    let mut node = mixer(json!({"gain_db": 20}));
    node.push(tone(0, &[1.0; 4])).expect("mixes");
    let mut params = Map::new();
    params.insert("gain_db".into(), json!(-120));
    node.set::<Mixer>(MixerParams::from_map(&params));
    let out = node.push(tone(4, &[1.0; 7])).expect("mixes");
    assert_eq!(words(&out), [(0.0, vec![10.0; 4], false)]);
    let out = node.drain().expect("drains");
    assert_eq!(words(&out), [(4.0, vec![10.0, 8.0, 6.0, 4.0, 2.0, 0.0, 0.0], false)]);
}

#[test]
fn the_sum_is_clipped_only_where_that_is_asked_for() {
    for (limit, expected) in [("none", 1.5), ("clip", 1.0)] {
        let mut node = mixer(json!({"limit": limit}));
        let lanes = [vec![tone(0, &[0.75])], vec![tone(0, &[0.75])]];
        assert_eq!(joined(&run(&mut node, &lanes, || false)).f32(), [expected]);
    }
}

#[test]
fn empty_packets_and_packets_without_a_time_do_no_harm() {
    let mut node = mixer(json!({}));
    let bare = |samples: &[f32]| Packet::audio(mono(samples));
    node.push(bare(&[])).expect("takes");
    node.push(bare(&[1.0, 2.0])).expect("takes");
    node.push(tone(700, &[])).expect("takes");
    let mut out = node.push(bare(&[3.0])).expect("takes");
    out.extend(node.drain().expect("drains"));
    assert_eq!(words(&out), [(0.0, vec![1.0, 2.0], false), (2.0, vec![3.0], false)]);
}

/// A lane: when it begins, in ns, and its sounds, each with the silence that follows, in frames.
type Script = (i64, Vec<(usize, usize)>);

fn lanes() -> impl Strategy<Value = Vec<Script>> {
    let sounds = prop::collection::vec((1usize..700, 0usize..500), 1..5);
    // Between two frames, but not so near the middle that the rounding of times decides.
    let begin = (0i64..300, -5_000i64..5_000);
    let begin = begin.prop_map(|(n, off)| MediaTime::from_frames(n, RATE).nanos() + off);
    prop::collection::vec((begin, sounds), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn however_the_lanes_are_cut_the_sum_is_the_same_bit_for_bit(
        lanes in lanes(),
        seed in 0u64..1 << 32,
    ) {
        let mut random = Random::new(seed);
        let earliest = lanes.iter().map(|(begin, _)| *begin).min().unwrap_or(0);
        // By hand: whole lanes, added up one after the other.
        let mut expected: Vec<[f32; 2]> = Vec::new();
        let mut blocks = Vec::new();
        for (begin, sounds) in &lanes {
            let first = MediaTime::from_nanos(begin - earliest).to_frames(RATE) as usize;
            let (mut at, mut lane) = (0, Vec::new());
            for (length, pause) in sounds {
                let sound = random.noise(RATE, 2, *length);
                let frames = sound.f32().expect("f32").as_chunks::<2>().0;
                let needed = first + at + length;
                expected.resize(expected.len().max(needed), [0.0; 2]);
                for (sum, frame) in expected[first + at..].iter_mut().zip(frames) {
                    *sum = [sum[0] + frame[0], sum[1] + frame[1]];
                }
                let begin = MediaTime::from_nanos(*begin);
                lane.push((begin + MediaTime::from_frames(at as i64, RATE), sound));
                at += length + pause;
            }
            blocks.push(lane);
        }
        let mut node = mixer(json!({}));
        for _ in 0..3 {
            let cut_up: Vec<Vec<Packet>> = blocks
                .iter()
                .map(|lane| {
                    let longest = 1 + random.below(400);
                    lane.iter()
                        .flat_map(|(at, sound)| cut(sound, *at, || random.below(longest) + 1))
                        .collect()
                })
                .collect();
            let out = run(&mut node, &cut_up, || random.below(3) == 0);
            let out = joined(&out);
            prop_assert_eq!(out.first, Some(MediaTime::from_nanos(earliest)));
            prop_assert!(out.f32() == expected.as_flattened(), "other samples");
        }
    }
}
