//! After warm-up, pushing and pulling allocates nothing (rules S20, S21), counted by the allocator
//! itself.

mod common;

use common::{chain, pipeline};
use remotemedia::node::{Caps, Context, Descriptor, Flow, NoParams, Node, Port, Registry};
use remotemedia::packet::Pool;
use remotemedia::{Audio, AudioFormat, Engine, Packet, Pipeline, Result};
use serde_json::json;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// 20 ms at 48 kHz, made in the pool: bursts of noise and pauses.
fn packet(pool: &Pool, n: usize) -> Packet {
    let mut audio =
        Audio::from_pool(pool, AudioFormat::f32(48_000, 1), 960).expect("a good format");
    let level = if (n / 40).is_multiple_of(2) { 0.3 } else { 0.0001 };
    let mut state = n as u32 | 1;
    for sample in audio.f32_mut().expect("fresh memory") {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = level * (state as f32 / u32::MAX as f32 - 0.5);
    }
    Packet::audio(audio)
}

/// Pushes packets and pulls everything, holding the last `held` results.
fn run(
    pipeline: &Pipeline,
    pool: &Pool,
    from: usize,
    packets: usize,
    held: &mut VecDeque<Packet>,
    keep: usize,
) {
    for n in from..from + packets {
        pipeline.push(packet(pool, n)).expect("there is room");
        while let Some(result) = pipeline.try_pull().expect("it runs").packet() {
            if held.len() >= keep {
                held.pop_front();
            }
            held.push_back(result);
        }
    }
}

/// The job: resample → VAD → chunk. Packets to push are counted in; set `RMEDIA_PUSHES` for more.
fn voice() -> Pipeline {
    pipeline(chain(&[
        ("AudioResample", json!({"target_rate": 16_000})),
        ("VAD", json!({})),
        ("AudioChunker", json!({"chunk_size": 512})),
    ]))
}

fn pushes() -> usize {
    std::env::var("RMEDIA_PUSHES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

#[test]
fn resample_vad_chunk_allocates_nothing_after_warm_up() {
    let pool = Engine::default().pool().clone();
    for keep in [1, 1000] {
        let pipeline = voice();
        let mut held = VecDeque::with_capacity(4096);
        run(&pipeline, &pool, 0, 3_000, &mut held, keep);
        let misses = pool.stats().misses;
        let pushes = pushes();
        let count = allocations(|| run(&pipeline, &pool, 3_000, pushes, &mut held, keep));
        assert_eq!(count, 0, "with {keep} results held");
        assert_eq!(pool.stats().misses, misses, "the pool served everything");
    }
}

struct Careless;

impl Node for Careless {
    type Params = NoParams;
    const DESCRIPTOR: Descriptor = Descriptor {
        inputs: &[Port::new("in", Caps::ANY, "Anything.")],
        outputs: &[Port::new("out", Caps::ANY, "The same.")],
        ..Descriptor::new("Careless", "Allocates for every packet.")
    };
    fn new(NoParams: NoParams) -> Result<Self> {
        Ok(Self)
    }
    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        drop(std::hint::black_box(vec![0u8; 100]));
        cx.emit(0, packet);
        Ok(Flow::Done)
    }
}

#[test]
fn the_counter_sees_a_node_that_allocates() {
    let mut registry = Registry::empty();
    registry.add::<Careless>("test").expect("the name is free");
    let engine = Engine::new(registry);
    let pipeline = common::on(&engine, chain(&[("Careless", json!({}))]));
    let mut held = VecDeque::with_capacity(16);
    run(&pipeline, engine.pool(), 0, 100, &mut held, 1);
    let count = allocations(|| run(&pipeline, engine.pool(), 0, 100, &mut held, 1));
    assert_eq!(count, 100);
}
