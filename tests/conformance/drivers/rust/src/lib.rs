//! Plays a conformance case through the crate `remotemedia`: natively as a program, in WebAssembly
//! as part of `conformance-wasm`.

mod audio;
mod elsewhere;
mod nodes;
mod play;
mod tell;

pub use play::Player;
