//! Drives one node without a pipeline, for a node's own tests.

use super::params::{ParamSpec, Params};
use super::ticket::Opened;
use super::{AnyNode, Context, Emission, Flow, MediaFormat, Node};
use crate::error::Result;
use crate::packet::{Audio, AudioFormat, MediaTime, Packet, Pool};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// One node, called as the engine would call it. Breaks and format changes are the caller's to
/// signal, with [`drain`](Self::drain).
pub struct Harness {
    node: Box<dyn AnyNode>,
    pool: Pool,
    out: Vec<Emission>,
    format: Option<MediaFormat>,
    lane: usize,
    lanes: usize,
    copied: u64,
    opened: Vec<Opened>,
}

impl Harness {
    /// Makes a node with these params, an object under canonical names.
    ///
    /// # Errors
    /// What the node's `new` says.
    ///
    /// # Panics
    /// If `params` is no object or has a name or value that the node doesn't take.
    pub fn new<N: Node>(params: Json) -> Result<Self> {
        let Json::Object(params) = params else { panic!("params are an object") };
        check(N::Params::specs(), &params);
        let node = Box::new(N::new(N::Params::from_map(&params))?);
        let (pool, out, opened) = (Pool::new(), Vec::new(), Vec::new());
        Ok(Self { node, pool, out, format: None, lane: 0, lanes: 1, copied: 0, opened })
    }

    /// From now on packets come by that connection. There are as many as have been named.
    pub fn on(&mut self, lane: usize) -> &mut Self {
        self.lane = lane;
        self.lanes = self.lanes.max(lane + 1);
        self
    }

    /// Gives a packet to the default port and returns what comes out: (port, packet).
    ///
    /// # Errors
    /// What the node says.
    pub fn push(&mut self, packet: Packet) -> Result<Vec<(usize, Packet)>> {
        let mut out = Vec::new();
        self.push_each(packet, |port, packet| out.push((port, packet)))?;
        Ok(out)
    }

    /// As [`push`](Self::push), but allocates nothing itself: what comes out goes to `take`.
    ///
    /// # Errors
    /// What the node says.
    pub fn push_each(&mut self, packet: Packet, take: impl FnMut(usize, Packet)) -> Result<()> {
        let format = MediaFormat::of(&packet);
        let fresh = self.format != Some(format);
        self.format = Some(format);
        self.call(take, |node, cx| {
            if fresh {
                node.configure(cx, 0, &format)?;
            }
            node.process(cx, packet)
        })
    }

    /// Says that nothing before `until` will come.
    ///
    /// # Errors
    /// What the node says.
    pub fn advance(&mut self, until: MediaTime) -> Result<Vec<(usize, Packet)>> {
        let mut out = Vec::new();
        self.call(|port, packet| out.push((port, packet)), |node, cx| node.advance(cx, until))?;
        Ok(out)
    }

    /// Delivers the tail.
    ///
    /// # Errors
    /// What the node says.
    pub fn drain(&mut self) -> Result<Vec<(usize, Packet)>> {
        let mut out = Vec::new();
        self.call(|port, packet| out.push((port, packet)), |node, cx| node.drain(cx))?;
        Ok(out)
    }

    /// Ends the input.
    ///
    /// # Errors
    /// What the node says.
    pub fn finish(&mut self) -> Result<Vec<(usize, Packet)>> {
        let mut out = Vec::new();
        self.call(|port, packet| out.push((port, packet)), |node, cx| node.finish(cx))?;
        Ok(out)
    }

    /// Runs a source to its end.
    ///
    /// # Errors
    /// What the node says.
    pub fn run_source(&mut self) -> Result<Vec<(usize, Packet)>> {
        let mut out = Vec::new();
        self.call(|port, packet| out.push((port, packet)), |node, cx| node.resume(cx))?;
        Ok(out)
    }

    /// The node.
    pub fn node(&mut self) -> &mut dyn AnyNode {
        &mut *self.node
    }

    /// Sets live params: the whole set, as the engine gives it to the node.
    pub fn set<N: Node>(&mut self, params: N::Params) {
        self.node.set_params(Box::new(params));
    }

    /// Bytes that the node said it copied.
    pub fn copied_bytes(&self) -> u64 {
        self.copied
    }

    /// Where the node takes its memory from.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    fn call(
        &mut self,
        mut take: impl FnMut(usize, Packet),
        first: impl FnOnce(&mut dyn AnyNode, &mut Context<'_>) -> Result<Flow>,
    ) -> Result<()> {
        self.out.clear();
        let mut cx = Context {
            out: &mut self.out,
            pool: &self.pool,
            port: 0,
            lane: self.lane,
            lanes: self.lanes,
            advanced: &mut [],
            copied_bytes: &mut self.copied,
            tickets: None,
            opened: &mut self.opened,
            format: self.format.as_ref(),
            news: &mut false,
        };
        let mut flow = first(&mut *self.node, &mut cx)?;
        while matches!(flow, Flow::More | Flow::Wait(_)) {
            flow = self.node.resume(&mut cx)?;
        }
        self.out.drain(..).for_each(|e| take(e.port, e.packet));
        Ok(())
    }
}

/// Seeded numbers for tests (xorshift64*).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 0 to `end`, without `end` itself.
    ///
    /// # Panics
    /// If `end` is zero.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }

    /// A sample from -1 to 1.
    pub fn sample(&mut self) -> f32 {
        self.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0
    }

    /// A block of interleaved f32 noise.
    pub fn noise(&mut self, rate: u32, channels: u16, frames: usize) -> Audio {
        let samples = (0..frames * usize::from(channels)).map(|_| self.sample()).collect();
        Audio::from_f32(samples, rate, channels).expect("rate and channels are in range")
    }
}

/// Cuts a block into packets that follow each other from `start` on; `size` gives their frames.
pub fn cut(audio: &Audio, start: MediaTime, mut size: impl FnMut() -> usize) -> Vec<Packet> {
    let (mut packets, mut at) = (Vec::new(), 0);
    while at < audio.frames() {
        let end = (at + size()).min(audio.frames());
        let pts = start + MediaTime::from_frames(at as i64, audio.format().rate);
        packets.push(Packet::audio(audio.slice(at..end)).at(pts));
        at = end;
    }
    packets
}

/// All that came out of one port, joined.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Joined {
    /// Time of the first packet.
    pub first: Option<MediaTime>,
    /// Format of the audio.
    pub format: Option<AudioFormat>,
    /// Frames of audio.
    pub frames: usize,
    /// Bytes of each plane of the audio.
    pub planes: Vec<Vec<u8>>,
    /// Everything that is no audio, in words.
    pub other: Vec<String>,
}

impl Joined {
    /// The samples of interleaved f32 audio.
    ///
    /// # Panics
    /// If there is more than one plane.
    pub fn f32(&self) -> Vec<f32> {
        assert!(self.planes.len() <= 1, "interleaved or mono");
        let (samples, _) = self.planes.first().map_or(&[][..], |p| &p[..]).as_chunks::<4>();
        samples.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect()
    }

    /// Adds a packet.
    ///
    /// # Panics
    /// If audio does not follow what is there without a gap, or its format changes.
    pub fn add(&mut self, packet: &Packet) {
        let Some(audio) = packet.as_audio() else {
            self.other.push(format!("{packet:?} {:?}", packet.pts()));
            return;
        };
        let first = *self.first.get_or_insert(packet.pts().expect("audio comes with a time"));
        let format = *self.format.get_or_insert(audio.format());
        let expected = first + MediaTime::from_frames(self.frames as i64, format.rate);
        let distance = packet.pts().map(|pts| pts.distance(expected).nanos());
        assert!(distance.is_some_and(|d| d <= 1), "{packet:?} should begin at {expected}");
        assert_eq!(format, audio.format(), "the format changed");
        self.planes.resize(audio.planes(), Vec::new());
        for (plane, into) in self.planes.iter_mut().enumerate() {
            into.extend_from_slice(audio.plane(plane));
        }
        self.frames += audio.frames();
    }
}

/// Runs packets through a new node to its end and joins what comes out of each port.
///
/// # Panics
/// If the node fails.
pub fn run<N: Node>(params: &Json, packets: Vec<Packet>) -> BTreeMap<usize, Joined> {
    let mut node = Harness::new::<N>(params.clone()).expect("the node can be made");
    run_on(&mut node, packets)
}

fn run_on(node: &mut Harness, packets: Vec<Packet>) -> BTreeMap<usize, Joined> {
    let mut ports: BTreeMap<usize, Joined> = BTreeMap::new();
    for packet in packets {
        let out = node.push(packet).expect("the node takes it");
        out.iter().for_each(|(port, packet)| ports.entry(*port).or_default().add(packet));
    }
    let out = node.drain().expect("the node drains");
    out.iter().for_each(|(port, packet)| ports.entry(*port).or_default().add(packet));
    ports
}

/// Checks that a node gives equal samples, first times and findings however its input is cut, also
/// when it has run before, and returns what comes out of each port.
///
/// # Panics
/// If it doesn't, or fails.
pub fn check_chunking<N: Node>(params: &Json, audio: &Audio) -> BTreeMap<usize, Joined> {
    let start = MediaTime::from_millis(12_345);
    let expected = run::<N>(params, cut(audio, start, || 4096));
    let check = |found: BTreeMap<usize, Joined>, how: &str| {
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "ports, {how}"
        );
        for (port, found) in &found {
            let expected = &expected[port];
            assert_eq!(
                (found.first, found.format, found.frames, &found.other),
                (expected.first, expected.format, expected.frames, &expected.other),
                "port {port}, {how}"
            );
            assert!(found.planes == expected.planes, "other samples from port {port}, {how}");
        }
    };
    for size in [1, 7, 160, 960, 4801, usize::MAX / 2] {
        check(run::<N>(params, cut(audio, start, || size)), &format!("cut to {size}"));
    }
    let mut used = Harness::new::<N>(params.clone()).expect("the node can be made");
    for seed in 1..4 {
        let mut random = Random::new(seed);
        // Empty packets, too.
        let packets = cut(audio, start, || random.below(2000));
        check(run_on(&mut used, packets), &format!("cut at random by seed {seed}"));
    }
    expected
}

fn check(specs: &[ParamSpec], params: &Map<String, Json>) {
    for name in params.keys() {
        assert!(specs.iter().any(|s| s.name == name), "the node has no param '{name}'");
    }
}
