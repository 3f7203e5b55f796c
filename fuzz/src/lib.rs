//! What every input must bear, whatever it is. The targets in `bin/` feed these functions with
//! libFuzzer; a test of the core crate feeds them with the inputs in `corpus/`.

pub mod checks;
