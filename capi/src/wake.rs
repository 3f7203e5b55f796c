//! Telling a program's event loop that there is something to do: a pollable file descriptor, a wakeup
//! function, a place on an engine's list. All are coalesced: any number of changes may be one signal.

use crate::abi::{rmedia_free_fn, rmedia_wakeup_fn};
use crate::boundary::callback;
use crate::ready::Watch;
use remotemedia::error::{Error, Result, detail};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Wake as TaskWake, Waker};

/// A function of the program and what it is called with.
pub(crate) struct Wakeup {
    function: rmedia_wakeup_fn,
    user: *mut c_void,
    free: rmedia_free_fn,
}

// SAFETY: the program says that its function may be called with `user` on any thread, one call at a
// time as far as we are concerned, and `free` once after the last of them.
unsafe impl Send for Wakeup {}
// SAFETY: as above; a shared reference only calls the function, from any thread.
unsafe impl Sync for Wakeup {}

impl Wakeup {
    /// `None` without a function; also then there is a `user` to be freed.
    pub(crate) fn new(
        function: rmedia_wakeup_fn,
        user: *mut c_void,
        free: rmedia_free_fn,
    ) -> Option<Self> {
        let given = Self { function, user, free };
        function.is_some().then_some(given)
    }
}

impl Drop for Wakeup {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: nobody can call the function any more; `free` takes `user` back, once.
            callback(|| unsafe { free(self.user) });
        }
    }
}

/// Who is to be told.
#[derive(Default)]
pub(crate) struct Wake {
    /// Somebody is to be told at all.
    wanted: AtomicBool,
    descriptor: OnceLock<Descriptor>,
    state: Mutex<State>,
    /// A call of the wakeup function has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Each running call holds it, too.
    wakeup: Option<Arc<Wakeup>>,
    /// The pipeline's place on the list of its engine.
    watch: Option<Watch>,
    /// From now on nobody is to be told.
    stopped: bool,
}

/// A call of a wakeup function on this thread. The list of them lies on the stack, so that it has no
/// destructor and works until the very end of a thread.
struct Frame {
    /// Address of the `Wake`. Compared, never followed.
    address: usize,
    outer: *const Frame,
}

thread_local! {
    static INNERMOST: Cell<*const Frame> = const { Cell::new(ptr::null()) };
}

impl Wake {
    /// Whether anybody is to be told.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// The descriptor that is readable while there is something to do, made at the first call.
    pub(crate) fn descriptor(&self) -> Result<i32> {
        if self.descriptor.get().is_none() {
            // Two threads may make one at the same time; the second is closed again.
            let _ = self.descriptor.set(Descriptor::new()?);
        }
        self.change(|_| ());
        Ok(self.descriptor.get().map_or(-1, Descriptor::number))
    }

    /// Sets, replaces or (`None`) clears the wakeup function. When it returns, no call of the former
    /// one is running or will begin; from inside such a call it returns at once.
    pub(crate) fn set_wakeup(&self, wakeup: Option<Wakeup>) {
        let given = wakeup.map(Arc::new);
        let former = self.change(|state| match state.stopped {
            false => std::mem::replace(&mut state.wakeup, given),
            // As if it had been set before the end, and gone with it.
            true => given,
        });
        let Some(former) = former else { return };
        // Two calls, of this or another pipeline, that waited for each other's end from inside would
        // do so for ever.
        if !INNERMOST.get().is_null() {
            return;
        }
        let mut state = self.lock();
        while Arc::strong_count(&former) > 1 {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        drop(former);
    }

    /// Sets, replaces or (`None`) gives up the place on an engine's list. False: it is too late.
    pub(crate) fn set_watch(&self, watch: Option<Watch>) -> bool {
        self.change(|state| {
            if !state.stopped {
                state.watch = watch;
            }
            !state.stopped
        })
    }

    /// Ends it all without waiting for a call of the wakeup function that is running; that is freed
    /// after it.
    pub(crate) fn stop(&self) {
        let former = self.change(|state| {
            state.stopped = true;
            state.watch = None;
            state.wakeup.take()
        });
        drop(former);
    }

    /// Changes who is to be told. What the change gives is dropped outside the lock: a wakeup is the
    /// program's. A watch is the library's own, and may go under it.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let changed = change(&mut state);
        let told = state.wakeup.is_some() || state.watch.is_some();
        self.wanted.store(told || self.descriptor.get().is_some(), Ordering::Release);
        changed
    }

    /// Tells of something to do.
    pub(crate) fn signal(&self) {
        if let Some(descriptor) = self.descriptor.get() {
            descriptor.set();
        }
        let (wakeup, engine) = {
            let state = self.lock();
            // Who is in the function has been told, and will look when it is over.
            let wakeup = if self.is_calling() { None } else { state.wakeup.clone() };
            (wakeup, state.watch.as_ref().and_then(Watch::list))
        };
        if let Some(engine) = engine
            && engine.is_wanted()
        {
            engine.signal();
        }
        let Some(wakeup) = wakeup else { return };
        if let Some(function) = wakeup.function {
            let outer = INNERMOST.get();
            let frame = Frame { address: ptr::from_ref(self).addr(), outer };
            INNERMOST.set(&frame);
            // SAFETY: the program vouches for its function; `user` lives until `free`, which waits
            // for the last `Arc`.
            callback(|| unsafe { function(wakeup.user) });
            INNERMOST.set(outer);
        }
        drop(wakeup);
        // Under the lock, so that who waits for the end does not miss it between look and wait.
        let _state = self.lock();
        self.ended.notify_all();
    }

    /// Whether this thread is in a call of the wakeup function.
    fn is_calling(&self) -> bool {
        let address = ptr::from_ref(self).addr();
        let mut next = INNERMOST.get();
        // SAFETY: a frame lies on this thread's stack, below this call, as long as it is on the
        // list, and is never changed there.
        while let Some(frame) = unsafe { next.as_ref() } {
            if frame.address == address {
                return true;
            }
            next = frame.outer;
        }
        false
    }

    /// Takes the signal back, before the caller looks whether there is still something to do.
    pub(crate) fn clear(&self) {
        if let Some(descriptor) = self.descriptor.get() {
            descriptor.clear();
        }
        if let Some(watch) = &self.lock().watch {
            watch.unlist();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskWake for Wake {
    fn wake(self: Arc<Self>) {
        self.signal();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal();
    }
}

/// A waker for the engine.
pub(crate) fn waker(wake: &Arc<Wake>) -> Waker {
    Waker::from(wake.clone())
}

/// An eventfd: a counter that is readable while it is not zero.
#[cfg(target_os = "linux")]
struct Descriptor(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Descriptor {
    fn new() -> Result<Self> {
        use std::os::fd::FromRawFd;
        // SAFETY: a plain system call; a number that is not negative is a descriptor that is ours.
        let number = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if number < 0 {
            let error = std::io::Error::last_os_error();
            let message = format!("the system gives no descriptor: {error}");
            return Err(Error::new(detail::IO_OPEN, message));
        }
        // SAFETY: it has just been made and belongs to nobody else.
        Ok(Self(unsafe { std::os::fd::OwnedFd::from_raw_fd(number) }))
    }

    fn number(&self) -> i32 {
        std::os::fd::AsRawFd::as_raw_fd(&self.0)
    }

    fn set(&self) {
        let one = 1u64;
        // SAFETY: writes eight bytes from a variable. It fails only where the counter is at its
        // limit, and then it is readable already.
        unsafe { libc::write(self.number(), ptr::from_ref(&one).cast(), 8) };
    }

    fn clear(&self) {
        let mut count = 0u64;
        // SAFETY: reads eight bytes into a variable. It fails only where the counter is zero.
        unsafe { libc::read(self.number(), ptr::from_mut(&mut count).cast(), 8) };
    }
}

#[cfg(not(target_os = "linux"))]
struct Descriptor;

#[cfg(not(target_os = "linux"))]
impl Descriptor {
    fn new() -> Result<Self> {
        Err(Error::new(detail::UNSUPPORTED_FEATURE, "librmedia has no wait handle on this system")
            .with_hint("use rmedia_pipeline_set_wakeup"))
    }

    fn number(&self) -> i32 {
        -1
    }

    fn set(&self) {}

    fn clear(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    static CALLS: AtomicU32 = AtomicU32::new(0);
    static FREED: AtomicU32 = AtomicU32::new(0);

    extern "C" fn count(_: *mut c_void) {
        CALLS.fetch_add(1, Ordering::SeqCst);
    }

    extern "C" fn freed(_: *mut c_void) {
        FREED.fetch_add(1, Ordering::SeqCst);
    }

    #[test]
    fn after_a_wakeup_is_cleared_it_is_never_called_and_freed_once() {
        for _ in 0..200 {
            let wake = Arc::new(Wake::default());
            let before = FREED.load(Ordering::SeqCst);
            wake.set_wakeup(Wakeup::new(Some(count), ptr::null_mut(), Some(freed)));
            let signals = wake.clone();
            let thread = std::thread::spawn(move || (0..200).for_each(|_| signals.signal()));
            wake.set_wakeup(None);
            let calls = CALLS.load(Ordering::SeqCst);
            thread.join().expect("it does not panic");
            assert_eq!(CALLS.load(Ordering::SeqCst), calls);
            assert_eq!(FREED.load(Ordering::SeqCst), before + 1);
        }
    }
}
