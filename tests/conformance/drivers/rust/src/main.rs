//! Plays a conformance case through the crate `remotemedia`.

fn main() -> conformance_shared::Done {
    conformance_shared::drive(conformance_rust::Player::new)
}
