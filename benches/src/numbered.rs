//! Packets that can be told apart and checked byte for byte, as `peers/bench.h` makes them, too:
//! 20 ms of mono f32 at 48 kHz; the first sample is the packet's number, the others are noise.

use crate::FRAMES;
use remotemedia::packet::{Audio, AudioFormat, Pool};
use remotemedia::{MediaTime, Packet};

/// Makes and recognises them.
pub struct Numbered {
    pool: Pool,
    noise: [f32; FRAMES],
}

impl Numbered {
    /// Takes memory from that pool.
    pub fn new(pool: &Pool) -> Self {
        let mut state = 1u32;
        let noise = std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0 - 0.5
        });
        Self { pool: pool.clone(), noise }
    }

    /// The packet of that number.
    ///
    /// # Panics
    /// If memory runs out.
    pub fn make(&self, number: u64) -> Packet {
        let format = AudioFormat::f32(48_000, 1);
        let mut audio = Audio::from_pool(&self.pool, format, FRAMES).expect("a good format");
        let samples = audio.f32_mut().expect("fresh memory is not shared");
        samples.copy_from_slice(&self.noise);
        samples[0] = first(number);
        Packet::audio(audio).at(time(number))
    }

    /// Whether a packet is the one of that number: all its samples and its time.
    pub fn is(&self, packet: &Packet, number: u64) -> bool {
        let Some(samples) = packet.as_audio().and_then(Audio::f32) else { return false };
        packet.pts() == Some(time(number))
            && samples.len() == FRAMES
            && samples[0] == first(number)
            && samples[1..] == self.noise[1..]
    }
}

/// Numbers are whole in f32 up to 2^24; they begin again before.
fn first(number: u64) -> f32 {
    (number % 65_536) as f32
}

fn time(number: u64) -> MediaTime {
    MediaTime::from_millis(20 * number as i64)
}
