//! Random sequences of calls, seeded: the function that the fuzz target `calls` feeds.

#[path = "../../fuzz/src/calls.rs"]
#[allow(
    unreachable_pub,
    clippy::undocumented_unsafe_blocks,
    reason = "the file belongs to another crate, which has one proof for a block of calls"
)]
mod calls;

/// Sequences that are tried.
const SEQUENCES: u64 = 3_000;

#[test]
fn no_sequence_of_calls_crashes_hangs_or_leaves_a_handle() {
    for seed in 1..=SEQUENCES {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let bytes: Vec<u8> = (0..600)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        calls::calls(&bytes);
    }
}
