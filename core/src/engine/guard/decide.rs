//! What a guard decides when a call has failed: by its policy, what happened so far, and the breaker.

use super::breaker::Breaker;
use super::work::{Kept, Who};
use super::{Guard, Note, Verdict};
use crate::engine::clock::Nanos;
use crate::engine::event::Recovery;
use crate::error::{Error, detail};
use crate::graph::{Policy, Retry};
use std::time::Duration;

/// Restarts within [`RESTART_TIME`] at most.
const RESTARTS: usize = 3;
const RESTART_TIME: Nanos = 60_000_000_000;

impl Guard {
    /// What to do about the failure of the call, or of the ticket, at the head of the line.
    pub(crate) fn recover(&mut self, error: Error) -> Verdict {
        let Some(mut kept) = self.line.pop_front() else { return Verdict::Fail(error) };
        let now = self.clock.now();
        if kept.who == Who::First && !kept.refused {
            self.with_breaker(|breaker| breaker.failed(kept.probe, now));
        }
        kept.probe = false;
        if self.of(kept.who).hopeless || error.detail() == detail::NODE_HUNG {
            return Verdict::Fail(error);
        }
        let until = kept.end;
        match &self.policy {
            Policy::Retry(retry) if self.retry_safe || (self.tickets && kept.input) => {
                let retry = *retry;
                self.try_again(kept, &retry, error, now)
            }
            Policy::Fail | Policy::Retry(_) => Verdict::Fail(error),
            Policy::Skip => {
                self.note(Recovery::Skipped, error);
                self.lose(&kept)
            }
            Policy::Restart if kept.refused || kept.generation != self.generation => {
                // Nothing is wrong with the node as it is now.
                self.note(Recovery::Skipped, error);
                Verdict::Lose { anew: false, until }
            }
            Policy::Restart => {
                while self.restarts.front().is_some_and(|at| now.saturating_sub(*at) > RESTART_TIME)
                {
                    self.restarts.pop_front();
                }
                if self.restarts.len() >= RESTARTS {
                    let hint = format!("the node was restarted {RESTARTS} times within a minute");
                    return Verdict::Fail(error.with_hint(hint));
                }
                self.restarts.push_back(now);
                self.generation += 1;
                self.first.drop_node();
                self.note(Recovery::Restarted, error);
                Verdict::Lose { anew: true, until }
            }
            Policy::Fallback(_) if kept.who == Who::Second => Verdict::Fail(match kept.error {
                Some(first) => error.caused_by(first),
                None => error,
            }),
            Policy::Fallback(_) if kept.input => {
                self.note(Recovery::FellBack, error.clone());
                (kept.who, kept.error) = (Who::Second, Some(error));
                self.make_again(kept, Duration::ZERO)
            }
            Policy::Fallback(_) => {
                self.note(Recovery::Skipped, error);
                self.lose(&kept)
            }
        }
    }

    /// Gives a call up. What is still inside must not come twice.
    fn lose(&mut self, kept: &Kept) -> Verdict {
        if !kept.input {
            self.of(kept.who).reset();
        }
        let anew = !kept.input || !self.of(kept.who).is_there();
        Verdict::Lose { anew, until: kept.end }
    }

    fn try_again(&mut self, mut kept: Kept, retry: &Retry, error: Error, now: Nanos) -> Verdict {
        if !kept.refused {
            if kept.tries >= retry.attempts {
                return Verdict::Fail(error);
            }
            kept.tries += 1;
            self.note(Recovery::Retried, error);
        }
        // Anywhere up to the longest wait, so that those who fail together don't try together.
        let longest = retry.base.as_secs_f64()
            * retry.multiplier.powi(kept.tries.saturating_sub(1).min(i32::MAX as u32) as i32);
        let longest = longest.min(retry.max.as_secs_f64());
        let part = self.random.below(1 << 30) as f64 / f64::from(1 << 30);
        let wait = Duration::try_from_secs_f64(longest * part).unwrap_or(retry.max);
        let shut = self.breaker.as_ref().and_then(Breaker::until);
        let rest = Duration::from_nanos(shut.map_or(0, |at| at.saturating_sub(now)));
        self.make_again(kept, wait.max(rest))
    }

    fn make_again(&mut self, mut kept: Kept, wait: Duration) -> Verdict {
        kept.refused = false;
        self.line.push_front(kept);
        self.again = true;
        Verdict::Again(wait)
    }

    fn note(&mut self, what: Recovery, error: Error) {
        self.notes.push(Note::Recovered(what, Some(error)));
    }
}
