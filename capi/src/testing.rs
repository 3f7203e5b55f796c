//! A panic on demand, for tests of the border. Not part of release builds.

use std::cell::Cell;

thread_local! {
    static PANIC: Cell<bool> = const { Cell::new(false) };
}

/// The next call on a pipeline from this thread panics inside the library.
pub fn panic_in_next_call() {
    PANIC.with(|panic| panic.set(true));
}

pub(crate) fn maybe_panic() {
    assert!(!PANIC.with(|panic| panic.replace(false)), "asked for by a test");
}
