//! Live params (rule S12): in force from a packet or from a sample on, and acknowledged once.

mod common;

use common::{assert_conserved, chain, events, mono, on, pipeline, pull_all};
use remotemedia::engine::{ParamsOutcome, State};
use remotemedia::error::detail;
use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port};
use remotemedia::{
    Audio, Engine, Error, Event, MediaTime, Packet, Pipeline, Pull, PushError, Result,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Fails whatever comes.
struct Failing;

impl Node for Failing {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "Nothing.")],
        ..Descriptor::new("Failing", "Fails.")
    };
    fn new(_: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, _: &mut Context<'_>, _: Packet) -> Result<Flow> {
        Err(Error::new(detail::NODE_FAILED, "told to fail"))
    }
}

fn set(pipeline: &Pipeline, gain: f64, at: Option<i64>) -> Result<u64> {
    let Value::Object(values) = json!({"gain_db": gain}) else { unreachable!() };
    match at {
        Some(ms) => pipeline.set_params_at("n0", &values, MediaTime::from_millis(ms)),
        None => pipeline.set_params("n0", &values),
    }
}

fn gain() -> Pipeline {
    pipeline(chain(&[("Gain", json!({"ramp_ms": 0}))]))
}

#[test]
fn a_param_set_for_a_time_holds_from_that_very_sample_however_audio_is_cut() {
    for size in [480, 4800, 777, 1] {
        let pipeline = gain();
        let seq = set(&pipeline, 20.0, Some(25)).expect("valid");
        let mut out = Vec::new();
        for chunk in vec![0.01f32; 4800].chunks(size) {
            pipeline.push(mono(chunk)).expect("room");
            pull_all(&pipeline).iter().for_each(|p| {
                out.extend_from_slice(p.as_audio().and_then(Audio::f32).expect("f32"))
            });
        }
        let switch = out.iter().position(|s| *s > 0.05);
        assert_eq!((out.len(), switch), (4800, Some(1200)), "25 ms at 48 kHz, chunks of {size}");
        let applied = ParamsOutcome::Applied(Some(MediaTime::from_millis(25)));
        let acks: Vec<_> =
            events(&pipeline).into_iter().filter(|e| matches!(e, Event::Params { .. })).collect();
        assert_eq!(acks, [Event::Params { seq, node: "n0".into(), outcome: applied }]);
        assert_conserved(&pipeline);
    }
}

#[test]
fn what_is_set_for_later_waits_for_its_time_and_keeps_what_is_set_meanwhile() {
    let pipeline = gain();
    let fields = |value: Value| match value {
        Value::Object(fields) => fields,
        _ => unreachable!("tests give objects"),
    };
    let later = fields(json!({"gain_db": 20.0}));
    pipeline.set_params_at("n0", &later, MediaTime::from_millis(50)).expect("valid");
    pipeline.set_params("n0", &fields(json!({"ramp_ms": 0.0}))).expect("valid");
    pipeline.push(mono(&[0.01; 2400])).expect("room");
    let before = pull_all(&pipeline);
    let loudest = |packets: &[Packet]| {
        let samples = packets.iter().filter_map(Packet::as_audio).filter_map(Audio::f32).flatten();
        samples.fold(0.0f32, |a, s| a.max(*s))
    };
    assert!((loudest(&before) - 0.01).abs() < 1e-6, "its time has not come");
    set(&pipeline, 6.0, None).expect("valid");
    pipeline.push(mono(&[0.01; 2400])).expect("room");
    assert!((loudest(&pull_all(&pipeline)) - 0.1).abs() < 1e-3, "its time has come");
    pipeline.set_params("n0", &fields(json!({"ramp_ms": 1.0}))).expect("valid");
    pipeline.push(mono(&[0.01; 2400])).expect("room");
    assert!((loudest(&pull_all(&pipeline)) - 0.1).abs() < 1e-3, "and it stays in force");
}

#[test]
fn every_set_is_acknowledged_once_also_at_the_end() {
    let pipeline = gain();
    let idle = set(&pipeline, 1.0, None).expect("valid");
    let never = set(&pipeline, 2.0, Some(1_000_000)).expect("valid");
    pipeline.push(mono(&[0.0; 100])).expect("room");
    pipeline.end().expect("ends");
    let late = set(&pipeline, 3.0, None).expect("valid");
    let cancelled = gain();
    cancelled.cancel();
    let over = set(&cancelled, 1.0, None).expect("valid");
    let all = events(&pipeline);
    for (seq, expected) in [
        (idle, ParamsOutcome::Applied(None)),
        (never, ParamsOutcome::Discarded),
        (late, ParamsOutcome::Discarded),
    ] {
        let acks: Vec<_> = all
            .iter()
            .filter_map(|e| match e {
                Event::Params { seq: s, outcome, .. } if *s == seq => Some(*outcome),
                _ => None,
            })
            .collect();
        assert_eq!(acks, [expected], "set {seq}");
    }
    let discarded =
        Event::Params { seq: over, node: "n0".into(), outcome: ParamsOutcome::Discarded };
    assert!(events(&cancelled).contains(&discarded));
}

#[test]
fn a_failure_on_a_worker_lets_go_of_what_waits_for_the_calling_threads_nodes() {
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "n0", "node_type": "Gain"},
        {"id": "n1", "node_type": "Failing", "placement": "thread"},
    ]});
    let mut registry = remotemedia::nodes::builtin();
    registry.add::<Failing>("test").expect("free");
    let pipeline = on(&Engine::new(registry), manifest);
    let never = set(&pipeline, 2.0, Some(1_000_000)).expect("valid");
    match pipeline.push_to("n1", json!(1)) {
        // The worker may be as fast as that.
        Ok(()) | Err(PushError::Failed(_)) => {}
        Err(error) => panic!("there is room: {error}"),
    }
    let told = || {
        std::iter::from_fn(|| pipeline.event()).any(|event| {
            matches!(event, Event::Params { seq, outcome: ParamsOutcome::Discarded, .. }
                if seq == never)
        })
    };
    // Nothing else is called any more.
    let end = Instant::now() + Duration::from_secs(60);
    while !told() {
        assert!(Instant::now() < end, "the set was never acknowledged");
        std::thread::yield_now();
    }
    assert_eq!(pipeline.state(), State::Failed);
}

#[test]
fn a_reset_gives_up_params_whose_time_has_not_come_and_says_so() {
    let pipeline = gain();
    let seq = set(&pipeline, 20.0, Some(25)).expect("valid");
    pipeline.reset().expect("it runs");
    pipeline.push(mono(&[0.01; 4800])).expect("room");
    let out = pull_all(&pipeline);
    let mut samples = out.iter().filter_map(Packet::as_audio).filter_map(Audio::f32).flatten();
    assert!(samples.all(|s| *s < 0.05), "it came into force");
    let outcome = ParamsOutcome::Discarded;
    assert!(events(&pipeline).contains(&Event::Params { seq, node: "n0".into(), outcome }));
}

#[test]
fn a_set_that_another_overtakes_is_acknowledged_as_superseded() {
    let mut manifest = chain(&[("Gain", json!({"ramp_ms": 0}))]);
    manifest["nodes"][0]["placement"] = json!("thread");
    // Nothing runs before somebody waits.
    let pipeline = on(&Engine::simulated(remotemedia::nodes::builtin(), 1), manifest);
    let first = set(&pipeline, 1.0, None).expect("valid");
    let second = set(&pipeline, 2.0, None).expect("valid");
    pipeline.push(mono(&[0.0; 100])).expect("room");
    assert!(matches!(pipeline.pull(Duration::from_secs(1)), Ok(Pull::Packet(..))));
    let acks: Vec<_> = events(&pipeline)
        .into_iter()
        .filter_map(|e| match e {
            Event::Params { seq, outcome, .. } => Some((seq, outcome)),
            _ => None,
        })
        .collect();
    assert_eq!(acks, [(first, ParamsOutcome::Superseded), (second, ParamsOutcome::Applied(None))]);
}

#[test]
fn a_bad_set_is_refused_and_changes_nothing() {
    let pipeline = gain();
    let cases = [
        (json!({"gain_db": "loud"}), detail::PARAM_TYPE),
        (json!({"nonsense": 1}), detail::PARAM_UNKNOWN),
        (json!({"gain_db": 1000.0}), detail::PARAM_VALUE),
    ];
    for (values, expected) in cases {
        let Value::Object(map) = &values else { unreachable!() };
        let error = pipeline.set_params("n0", map).expect_err("refused");
        assert_eq!(error.detail(), expected, "{values}");
    }
    let router = common::pipeline(chain(&[("Router", json!({}))]));
    let Value::Object(map) = json!({"rules": [{"to": "nowhere"}]}) else { unreachable!() };
    let error = router.set_params("n0", &map).expect_err("refused");
    assert_eq!(error.detail(), detail::PARAM_VALUE);
    assert!(error.message().contains("rules[0]"), "{error}");
    let fixed = common::pipeline(chain(&[("AudioResample", json!({}))]));
    let Value::Object(map) = json!({"quality": "low"}) else { unreachable!() };
    let error = fixed.set_params("n0", &map).expect_err("refused");
    assert_eq!(error.detail(), detail::PARAM_NOT_LIVE);
    let error = pipeline.set_params("nobody", &serde_json::Map::new()).expect_err("no such node");
    assert_eq!(error.detail(), detail::ARGUMENT_UNKNOWN_NODE);
}
