//! Criterion benchmarks of the engine: `cargo bench -p remotemedia-benches`.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use remotemedia::Engine;
use remotemedia_benches::{packet, pass_through};
use std::hint::black_box;

fn chains(c: &mut Criterion) {
    let pool = Engine::default().pool().clone();
    let mut group = c.benchmark_group("push_pull_20ms");
    group.throughput(Throughput::Elements(1));
    for n in [1, 3, 10] {
        let pipeline = pass_through(n);
        group.bench_function(format!("pass_through_x{n}"), |b| {
            b.iter_batched(
                || packet(&pool, 0.5),
                |packet| {
                    pipeline.push(packet).expect("there is room");
                    black_box(pipeline.try_pull().expect("it runs"))
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, chains);
criterion_main!(benches);
