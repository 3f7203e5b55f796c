//! Plays a conformance case through the crate `remotemedia`.

mod audio;
mod nodes;
mod play;
mod tell;

fn main() -> conformance_shared::Done {
    conformance_shared::drive(play::Player::new)
}
