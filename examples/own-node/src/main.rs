//! Makes a recording swing between loud and soft, with a node of its own:
//!
//! ```sh
//! cargo run --package own-node-example media/speech.flac tremolo.wav
//! ```

use remotemedia::{Manifest, Result};
use serde_json::json;
use std::process::ExitCode;

fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = paths.as_slice() else {
        eprintln!("usage: own-node-example INPUT OUTPUT");
        return ExitCode::from(2);
    };
    match run(input, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(input: &str, output: &str) -> Result<()> {
    let manifest = Manifest::from_value(json!({
        "version": "v1",
        "nodes": [
            {"id": "reader", "node_type": "MediaReader", "params": {"path": input}},
            {"id": "tremolo", "node_type": "example/Tremolo", "params": {"rate_hz": 4, "depth": 0.8}},
            {"id": "writer", "node_type": "MediaWriter", "params": {"path": output, "format": "f32"}},
        ],
        "connections": [
            {"from": "reader", "to": "tremolo"},
            {"from": "tremolo", "to": "writer"},
        ],
    }))?;
    own_node_example::engine()?.pipeline(&manifest)?.run(|_, _| Ok(()))
}
