//! Ctrl-C: the first one asks the run to end well, the second one aborts it.

use crate::failure::Exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static REQUESTED: AtomicBool = AtomicBool::new(false);
static WAKERS: Mutex<Vec<Waker>> = Mutex::new(Vec::new());

/// Wakes a reader that waits for data.
type Waker = Box<dyn Fn() + Send>;

/// Takes over Ctrl-C. Where the system does not let us, it ends the process as usual.
pub(crate) fn install() {
    let _ = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Exit::Interrupted as u8));
        }
        WAKERS.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|wake| wake());
    });
}

/// Whether Ctrl-C was pressed.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Calls `wake` at Ctrl-C, from another thread. It must not wait.
pub(crate) fn wake(wake: impl Fn() + Send + 'static) {
    WAKERS.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(wake));
}
