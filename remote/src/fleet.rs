//! The servers that this process knows, and how they do: which of several is the next session's.

use crate::endpoint::Endpoint;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so many failures in a row a server is left alone for a while.
const FAILURES: u32 = 5;
const ALONE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Standing {
    /// Sessions of this process.
    own: usize,
    /// Sessions that it said it has.
    load: u32,
    /// Failures in a row.
    failures: u32,
    failed: Option<Instant>,
}

static FLEET: Mutex<Option<HashMap<Endpoint, Standing>>> = Mutex::new(None);

fn with<T>(endpoint: &Endpoint, look: impl FnOnce(&mut Standing) -> T) -> T {
    let mut fleet = FLEET.lock().unwrap_or_else(PoisonError::into_inner);
    look(fleet.get_or_insert_default().entry(endpoint.clone()).or_default())
}

/// A session on a server, while it lasts.
pub(crate) struct Seated(Endpoint);

impl Seated {
    /// A session has begun; the server said how many it has.
    pub(crate) fn at(endpoint: &Endpoint, load: u32) -> Self {
        with(endpoint, |standing| {
            standing.own += 1;
            standing.load = load;
        });
        Self(endpoint.clone())
    }

    /// Where.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.0
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        with(&self.0, |standing| standing.own -= 1);
    }
}

/// The server answers.
pub(crate) fn answers(endpoint: &Endpoint) {
    with(endpoint, |standing| (standing.failures, standing.failed) = (0, None));
}

/// The server can't be reached, or takes nothing new.
pub(crate) fn fails(endpoint: &Endpoint) {
    with(endpoint, |standing| {
        standing.failures += 1;
        standing.failed = Some(Instant::now());
    });
}

/// The server for a new session: of those that have not failed lately the one with the least to do;
/// where all have failed, the one whose failure lies longest back.
pub(crate) fn choose(endpoints: &[Endpoint]) -> Endpoint {
    let order = |endpoint: &&Endpoint| {
        with(endpoint, |standing| {
            let rest = if standing.failures >= FAILURES { ALONE } else { Duration::from_secs(1) };
            let failed = standing.failed.filter(|at| at.elapsed() < rest);
            (failed, standing.own.max(standing.load as usize), random())
        })
    };
    endpoints.iter().min_by_key(order).cloned().expect("settings have at least one endpoint")
}

/// A wait before the next try: random, from zero to a longest one that doubles from try to try.
pub(crate) fn pause(tries: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);
    let longest = FIRST.saturating_mul(1 << tries.min(16)).min(LONGEST);
    longest.mul_f64(random() as f64 / u64::MAX as f64)
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(name: &str) -> Endpoint {
        Endpoint::Unix(name.into())
    }

    #[test]
    fn a_session_goes_to_the_server_with_the_least_to_do_that_has_not_failed() {
        let all = ["fleet-a", "fleet-b", "fleet-c"].map(endpoint);
        let one = Seated::at(&all[0], 1);
        let other = Seated::at(&all[1], 7);
        assert_eq!(choose(&all), all[2]);
        fails(&all[2]);
        assert_eq!(choose(&all), all[0]);
        drop(one);
        answers(&all[2]);
        assert_eq!(choose(&all), all[2], "nothing was said of a load there");
        (0..2).for_each(|i| fails(&all[i]));
        fails(&all[2]);
        assert_eq!(choose(&all), all[0], "its failure lies longest back");
        assert_eq!(other.endpoint(), &all[1]);
    }

    #[test]
    fn waits_grow_to_a_longest_one() {
        for tries in 0..40 {
            let longest = Duration::from_millis(100 << tries.min(16)).min(Duration::from_secs(5));
            assert!(pause(tries) <= longest);
        }
    }
}
