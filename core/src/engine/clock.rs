//! The engine's clock: nanoseconds that only go forward.

use super::time::Instant;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Nanoseconds since some moment of the past.
pub(crate) type Nanos = u64;

/// What timers and waits go by.
pub(crate) enum Clock {
    /// The time of the machine.
    Machine(Instant),
    /// A time that moves only when it is moved (rule S23).
    Virtual(AtomicU64),
}

impl Clock {
    pub(crate) fn machine() -> Self {
        Self::Machine(Instant::now())
    }

    /// A time that stands still until it is moved.
    pub(crate) fn still() -> Self {
        Self::Virtual(AtomicU64::new(0))
    }

    /// Moves a virtual time on.
    pub(crate) fn move_to(&self, at: Nanos) {
        if let Self::Virtual(now) = self {
            now.fetch_max(at, Ordering::SeqCst);
        }
    }

    pub(crate) fn now(&self) -> Nanos {
        match self {
            Self::Machine(origin) => origin.elapsed().as_nanos() as Nanos,
            Self::Virtual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// The moment after so long a time; `None`: never.
    pub(crate) fn after(&self, time: Duration) -> Option<Nanos> {
        self.now().checked_add(u64::try_from(time.as_nanos()).ok()?)
    }

    /// The moment as the machine's time; `None` for a virtual one.
    pub(crate) fn instant(&self, at: Nanos) -> Option<Instant> {
        match self {
            Self::Machine(origin) => origin.checked_add(Duration::from_nanos(at)),
            Self::Virtual(_) => None,
        }
    }
}
