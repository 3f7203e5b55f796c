//! Giving wrapped memory back to the program: where its last reference goes, or later on a thread
//! that the program chooses. Exactly once either way.

use crate::abi::rmedia_release_fn;
use crate::boundary::callback;
use crate::wake::Wake;
use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The program's function, called when this is dropped.
pub(crate) struct Release {
    function: rmedia_release_fn,
    user: *mut c_void,
}

// SAFETY: the program says that its function may be called with `user` on any thread.
unsafe impl Send for Release {}
// SAFETY: as above; a shared reference does nothing.
unsafe impl Sync for Release {}

impl Release {
    pub(crate) fn new(function: rmedia_release_fn, user: *mut c_void) -> Self {
        Self { function, user }
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if let Some(function) = self.function.take() {
            // SAFETY: the program vouches for its function; it is called once, as it was taken out.
            callback(|| unsafe { function(self.user) });
        }
    }
}

/// Releases that wait for the program to run them.
pub(crate) struct Releases {
    state: Mutex<State>,
    wake: Arc<Wake>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Release>,
    /// Wrapped memory that will come here: the queue has room for all of it.
    outstanding: usize,
    /// The engine is gone: nobody will run the queue.
    direct: bool,
}

impl Releases {
    pub(crate) fn new(wake: Arc<Wake>) -> Self {
        Self { state: Mutex::default(), wake }
    }

    /// Makes room for one more, so that its release allocates nothing.
    pub(crate) fn expect(&self) {
        let mut state = self.lock();
        state.outstanding += 1;
        let outstanding = state.outstanding;
        state.waiting.reserve(outstanding);
    }

    /// Takes one that was expected; `None`: it will not come after all.
    pub(crate) fn settle(&self, release: Option<Release>) {
        let now = {
            let mut state = self.lock();
            state.outstanding -= 1;
            match release {
                Some(release) if !state.direct => {
                    state.waiting.push_back(release);
                    None
                }
                other => other,
            }
        };
        match now {
            // Outside the lock: it may do anything.
            Some(release) => drop(release),
            None if self.wake.is_wanted() => self.wake.signal(),
            None => {}
        }
    }

    pub(crate) fn any(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Runs at most `max` and gives how many.
    pub(crate) fn run(&self, max: u32) -> u32 {
        let mut ran = 0;
        while ran < max {
            let Some(release) = self.lock().waiting.pop_front() else { break };
            drop(release);
            ran += 1;
        }
        ran
    }

    /// From now on releases run where the last reference goes; those that wait run now.
    pub(crate) fn go_direct(&self) {
        let waiting = {
            let mut state = self.lock();
            state.direct = true;
            std::mem::take(&mut state.waiting)
        };
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
