//! Clocks and waiting, as the target has them.
//!
//! WebAssembly outside WASI has no clock, and the standard library's panic there. Its host supplies
//! two functions as imports of the module `remotemedia`: `monotonic_ms` and `unix_ms`, which
//! `performance.now` and `Date.now` are as they stand.

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use imported as clocks;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use system as clocks;

pub use clocks::Instant;
pub(crate) use clocks::since_1970;

/// Whether a thread may wait for what another one brings. In WebAssembly there is no other, so
/// that every wait would be for ever: it has to answer at once, as if its time were up.
pub(crate) const CAN_WAIT: bool = !cfg!(target_family = "wasm");

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod system {
    pub use std::time::Instant;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    /// The time since 1970, by the system's clock.
    pub(crate) fn since_1970() -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod imported {
    use std::time::Duration;

    #[link(wasm_import_module = "remotemedia")]
    unsafe extern "C" {
        safe fn monotonic_ms() -> f64;
        safe fn unix_ms() -> f64;
    }

    /// A time by the host's clock that never goes back: what is used here of the standard library's.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub struct Instant(Duration);

    impl Instant {
        /// The time now.
        pub fn now() -> Self {
            Self(from_ms(monotonic_ms()))
        }

        /// The time that has passed since.
        pub fn elapsed(&self) -> Duration {
            Self::now().saturating_duration_since(*self)
        }

        /// The time from an earlier instant to this one; nothing if it is a later one.
        pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
            self.0.saturating_sub(earlier.0)
        }

        /// So much later, unless there is no such time.
        pub fn checked_add(&self, duration: Duration) -> Option<Self> {
            self.0.checked_add(duration).map(Self)
        }
    }

    /// The time since 1970, by the host's clock.
    pub(crate) fn since_1970() -> Duration {
        from_ms(unix_ms())
    }

    fn from_ms(ms: f64) -> Duration {
        Duration::from_nanos((ms * 1e6) as u64)
    }
}
