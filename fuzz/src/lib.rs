//! What every input must bear, whatever it is. The targets in `bin/` feed these functions with
//! libFuzzer; tests of the crates feed them with the inputs in `corpus/` and with random ones.

pub mod calls;
pub mod checks;
pub mod wire;
