//! Plays a conformance case through the crate `remotemedia-binding`, and so through the functions of
//! the C library. Nodes of the program are served by queue, when the pipeline asks for it.

mod audio;
mod nodes;
mod play;

fn main() -> conformance_shared::Done {
    conformance_shared::drive(play::Player::new)
}
