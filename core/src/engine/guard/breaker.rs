//! The circuit breaker: leaves alone for a while what keeps failing.

use crate::engine::clock::Nanos;
use crate::engine::event::BreakerState;
use crate::graph;

/// Closed → after so many failures in a row open → after a while half-open: one probe → closed or
/// open again.
pub(super) struct Breaker {
    limit: u32,
    reset: Nanos,
    /// Failures in a row.
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        /// When the probe may go.
        until: Nanos,
    },
    /// The probe is on its way.
    HalfOpen,
}

/// Whether a call may go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// As the only one, to see how it goes.
    Probe,
    /// Not before then; `None`: not before the probe is back.
    Shut(Option<Nanos>),
}

impl Breaker {
    pub(super) fn new(spec: graph::Breaker) -> Self {
        let reset = Nanos::try_from(spec.reset.as_nanos()).unwrap_or(Nanos::MAX);
        Self { limit: spec.failures, reset, failures: 0, state: State::Closed }
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// While it is open: when the probe may go.
    pub(super) fn until(&self) -> Option<Nanos> {
        match self.state {
            State::Open { until } => Some(until),
            _ => None,
        }
    }

    /// Asks whether a call may go; it has to.
    pub(super) fn ask(&mut self, now: impl FnOnce() -> Nanos) -> Gate {
        match self.state {
            State::Closed => Gate::Open,
            State::HalfOpen => Gate::Shut(None),
            State::Open { until } if now() < until => Gate::Shut(Some(until)),
            State::Open { .. } => {
                self.state = State::HalfOpen;
                Gate::Probe
            }
        }
    }

    /// A call has come to a good end.
    pub(super) fn succeeded(&mut self, probe: bool) {
        if probe || self.state == State::Closed {
            self.failures = 0;
            self.state = State::Closed;
        }
    }

    /// A call has failed. What was on its way when it opened says nothing new.
    pub(super) fn failed(&mut self, probe: bool, now: Nanos) {
        let closed = self.state == State::Closed;
        self.failures = self.failures.saturating_add(u32::from(closed));
        if probe || (closed && self.failures >= self.limit) {
            self.state = State::Open { until: now.saturating_add(self.reset) };
        }
    }

    /// The probe, if there is one, is forgotten: the next call is it.
    pub(super) fn forget(&mut self) {
        if self.state == State::HalfOpen {
            self.state = State::Open { until: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let mut breaker =
            Breaker::new(graph::Breaker { failures: 3, reset: Duration::from_nanos(100) });
        for _ in 0..2 {
            breaker.failed(false, 0);
        }
        breaker.succeeded(false);
        for _ in 0..2 {
            breaker.failed(false, 0);
            assert!(breaker.ask(|| 1) == Gate::Open, "not three in a row");
        }
        breaker.failed(false, 10);
        assert!(breaker.ask(|| 109) == Gate::Shut(Some(110)));
        breaker.succeeded(false);
        assert!(breaker.ask(|| 109) == Gate::Shut(Some(110)), "an old call says nothing");
        assert!(breaker.ask(|| 110) == Gate::Probe && breaker.ask(|| 110) == Gate::Shut(None));
        breaker.failed(true, 200);
        assert!(breaker.ask(|| 299) == Gate::Shut(Some(300)) && breaker.ask(|| 300) == Gate::Probe);
        breaker.forget();
        assert!(breaker.ask(|| 300) == Gate::Probe);
        breaker.succeeded(true);
        assert!(breaker.ask(|| 300) == Gate::Open && breaker.state() == BreakerState::Closed);
    }
}
