//! The driver for Rust programs in WebAssembly; `host.mjs` runs it in Node.js. For other targets
//! nothing is here.
#![cfg(target_family = "wasm")]

mod host;
mod waiting;

use std::panic;

/// Plays the case that the host holds, and tells the host the line.
#[unsafe(no_mangle)]
pub extern "C" fn play() {
    told(|| {
        let line = conformance_shared::play(Box::new(host::Case), conformance_rust::Player::new);
        line.map(|line| line.to_string()).map_err(|e| e.to_string())
    });
}

/// Calls everything that waits elsewhere, and tells the host the answers.
#[unsafe(no_mangle)]
pub extern "C" fn wait() {
    told(|| waiting::answers().map(|answers| answers.to_string()).map_err(|e| e.to_string()));
}

/// Tells the host what comes of it, also where that is a panic: it ends the module.
fn told(work: impl FnOnce() -> Result<String, String>) {
    panic::set_hook(Box::new(|panic| host::fail(&panic.to_string())));
    match work() {
        Ok(line) => host::tell(&line),
        Err(error) => host::fail(&error),
    }
}
