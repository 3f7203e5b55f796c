//! The footprint of a segment: which lines of memory a packet needs on its way through.
//!
//! With thousands of pipelines the memory of each is gone from the processor's caches when its next
//! packet comes. Walked node by node, line after line is waited for. So a segment whose thread has run
//! many others since asks for all of its lines at once, before it begins, and they come while the packet
//! is being looked at.
//! Addresses are noted, never followed: a line that has moved costs a request for nothing. Where the
//! processor has no such request that Rust can make (only x86-64 has), nothing is asked for.

use super::runner::Runner;
use super::shared::Shared;
use super::slot::NodeSlot;
use super::stats::Histogram;
use crate::node::Emission;
use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::offset_of;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Bytes of a line.
const LINE: usize = 64;
/// Lines that a node may need beside its own state.
const PER_NODE: usize = 12;
/// Lines of a node's own state.
const STATE: usize = 8;
/// Lines of a segment without its nodes.
const BASE: usize = 40;
/// Runs after which the lines are noted: what grows with the first packets has its place by then.
const SETTLED: [u32; 2] = [4, 64];

/// After so many runs of others on a thread, lines of a segment may be gone.
const FAR: u32 = 16;

thread_local! {
    /// Runs on this thread.
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

/// The lines. Any thread asks for them, whoever has the turn notes them.
#[derive(Default)]
pub(crate) struct Footprint {
    /// Number of the last run among those of its thread.
    last: AtomicU32,
    count: AtomicUsize,
    /// Numbers of lines: address by size. Made when they are first noted.
    lines: OnceLock<Box<[AtomicUsize]>>,
}

impl Footprint {
    /// Asks for the lines, if the thread has run many others since. On another thread than last time the
    /// numbers mean nothing: then it may ask for what is there, or not for what is gone.
    #[inline]
    pub(crate) fn call(&self) {
        let run = RUNS.get().wrapping_add(1);
        RUNS.set(run);
        let others = run.wrapping_sub(self.last.load(Ordering::Relaxed));
        self.last.store(run, Ordering::Relaxed);
        if others > FAR {
            self.fetch();
        }
    }

    fn fetch(&self) {
        let lines = self.lines.get().map_or(&[][..], |lines| lines);
        for line in lines.iter().take(self.count.load(Ordering::Relaxed)) {
            prefetch(line.load(Ordering::Relaxed) * LINE);
        }
    }
}

/// Asks for a line of memory.
#[inline]
fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: it is a hint: nothing is read, and an address that leads nowhere is ignored
        // (Intel 64 manual, volume 2, PREFETCHh).
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Notes lines.
struct Notes<'a> {
    lines: &'a [AtomicUsize],
    count: usize,
    /// The last one noted.
    last: usize,
}

impl Notes<'_> {
    /// The lines of a value, or so many of its bytes.
    fn add<T: ?Sized>(&mut self, value: &T, most: usize) {
        self.add_bytes(std::ptr::from_ref(value).addr(), size_of_val(value).min(most));
    }

    fn add_bytes(&mut self, address: usize, bytes: usize) {
        if bytes == 0 {
            return;
        }
        for line in address / LINE..=(address + bytes - 1) / LINE {
            if line != self.last
                && let Some(place) = self.lines.get(self.count)
            {
                place.store(line, Ordering::Relaxed);
                self.count += 1;
                self.last = line;
            }
        }
    }

    fn add_histogram(&mut self, histogram: &Histogram) {
        if let Some(bucket) = histogram.usual() {
            self.add(bucket, LINE);
        }
    }

    /// Where a ring begins when it is empty, with room for one.
    fn add_ring<T>(&mut self, ring: &VecDeque<T>) {
        if ring.capacity() > 0 {
            self.add_bytes(ring.as_slices().0.as_ptr().addr(), size_of::<T>());
        }
    }

    fn add_node(&mut self, slot: &NodeSlot) {
        self.add(slot, offset_of!(NodeSlot, waiting));
        self.add(&*slot.node, STATE * LINE);
        self.add(&*slot.formats, LINE);
        self.add(&*slot.advanced, LINE);
        self.add_ring(&slot.inbox);
        self.add(&*slot.stats, LINE);
        self.add_histogram(&slot.stats.times);
    }
}

impl Runner {
    /// Notes its footprint, once it has settled.
    #[inline]
    pub(super) fn note_footprint(&self, shared: &Shared) {
        if SETTLED.contains(&self.runs) {
            self.note_lines(shared);
        }
    }

    #[cold]
    fn note_lines(&self, shared: &Shared) {
        let segment = &shared.segments[self.segment];
        let most = BASE + self.nodes.len() * (PER_NODE + STATE);
        let none = || (0..most).map(|_| AtomicUsize::new(0)).collect();
        let lines = segment.footprint.lines.get_or_init(none);
        let mut notes = Notes { lines, count: 0, last: 0 };
        notes.add(shared, offset_of!(Shared, graph));
        notes.add(segment, offset_of!(Runner, feeders));
        notes.add(&*shared.wait, LINE);
        notes.add(&*shared.ways, LINE);
        notes.add(&*shared.blocked, LINE);
        notes.add(shared.live.pending(), LINE);
        notes.add(&*segment.mail, LINE);
        for (entry, way) in shared.ways.iter().enumerate() {
            if way.to == self.segment || way.from == Some(self.segment) {
                notes.add(&shared.entries[entry], usize::MAX);
                notes.add(&shared.links[way.link], LINE);
            }
        }
        notes.add(&*self.entries, LINE);
        if self.collector.capacity() > 0 {
            notes.add_bytes(self.collector.as_ptr().addr(), size_of::<Emission>());
        }
        notes.add_ring(&self.leaving);
        for (address, bytes) in self.routes.places().into_iter().chain(self.exits.places()) {
            notes.add_bytes(address, bytes);
        }
        for slot in &self.nodes {
            notes.add_node(slot);
        }
        for (link, edge) in shared.graph.edges.iter().enumerate() {
            if self.places[edge.to.node] != usize::MAX {
                notes.add(&shared.links[link], LINE);
            }
        }
        for (output, endpoint) in shared.graph.outputs.iter().enumerate() {
            if self.places[endpoint.port.node] != usize::MAX {
                notes.add(&shared.links[shared.output_link(output)], LINE);
                notes.add_histogram(&shared.latency[output]);
            }
        }
        notes.add(&*shared.latency, LINE);
        for output in &shared.outputs().list {
            notes.add(output, usize::MAX);
            notes.add_ring(output.queue.ring());
        }
        segment.footprint.count.store(notes.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Pipeline;
    use crate::manifest::Manifest;
    use serde_json::{Value as Json, json};

    fn pipeline(nodes: Json, connections: Json) -> Pipeline {
        let manifest = json!({"version": "v1", "nodes": nodes, "connections": connections});
        let manifest = Manifest::from_value(manifest).expect("it is right");
        Pipeline::from_manifest(&manifest).expect("it is valid")
    }

    fn lines(pipeline: &Pipeline) -> Vec<usize> {
        let footprint = &pipeline.shared.segments[0].footprint;
        let count = footprint.count.load(Ordering::Relaxed);
        let lines = footprint.lines.get().into_iter().flat_map(|lines| lines.iter());
        lines.take(count).map(|line| line.load(Ordering::Relaxed)).collect()
    }

    fn run(pipeline: &Pipeline, packets: usize) {
        for n in 0..packets {
            pipeline.push(json!(n)).expect("there is room");
            while pipeline.try_pull().is_ok_and(|pull| pull.packet().is_some()) {}
        }
    }

    #[test]
    fn a_segment_notes_its_counters_once_it_has_settled() {
        let nodes = json!([{"id": "a", "node_type": "PassThrough"},
            {"id": "b", "node_type": "PassThrough"}]);
        let pipeline = pipeline(nodes, json!([{"from": "a", "to": "b"}]));
        assert!(lines(&pipeline).is_empty());
        run(&pipeline, 5);
        let lines = lines(&pipeline);
        let shared = &*pipeline.shared;
        let stats = shared.nodes.iter().map(|node| std::ptr::from_ref(&**node).addr());
        let links = shared.links.iter().map(|link| std::ptr::from_ref(link).addr());
        for address in stats.chain(links) {
            assert!(lines.contains(&(address / LINE)));
        }
    }

    #[test]
    fn a_footprint_that_is_too_large_is_noted_as_far_as_there_is_room() {
        let nodes: Vec<Json> =
            (0..300).map(|n| json!({"id": format!("n{n}"), "node_type": "PassThrough"})).collect();
        let fan: Vec<Json> =
            (1..300).map(|n| json!({"from": "n0", "to": format!("n{n}")})).collect();
        let pipeline = pipeline(nodes.into(), fan.into());
        run(&pipeline, 5);
        let lines = lines(&pipeline).len();
        assert!(lines > 300 && lines <= BASE + 300 * (PER_NODE + STATE), "{lines} lines");
    }
}
