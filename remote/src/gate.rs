//! Whether a server may be tried now: at one that does not answer few lines knock, however many there are.
//!
//! This is breaker and retry budget in one. As long as nobody knows whether a server is there, at most as
//! many lines try at a time as there may be failures in a row; each failure takes a place away, and leaves
//! the server alone for a while. The last place stays: who has it probes for all.

use remotemedia_core::error::{Error, detail};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::Instant;

/// After so many failures in a row only one line tries at a time.
pub(crate) const FAILURES: u32 = 5;
/// So long a new session goes elsewhere after that many failures, and after fewer.
const ALONE: Duration = Duration::from_secs(10);
const SHUNNED: Duration = Duration::from_secs(1);
/// So long an answer says that the server is there.
const THERE: Duration = Duration::from_secs(1);
/// The longest wait before a try. Where there were failures, tries without an answer hold up others for as
/// long.
const LONGEST: Duration = Duration::from_secs(5);
/// Where there were none they do so for a moment: the first sessions may take their time to open.
pub(crate) const MOMENT: Duration = Duration::from_secs(1);

/// What a try is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// A new session.
    Open,
    /// One that is there.
    Attach,
}

/// The gate before a server.
#[derive(Default)]
pub(crate) struct Gate {
    /// Failures in a row, and the last of them.
    failures: u32,
    last: Option<Failure>,
    /// Failures ever: who began before the last one has nothing new to tell.
    round: u64,
    answered: Option<Instant>,
    /// Tries under way.
    trying: u32,
    /// When the last batch of tries began, and how many are of it.
    tried: Option<Instant>,
    batch: u32,
}

/// What becomes of a line whose time is over.
pub(crate) enum Late {
    /// It tries once more, in that round: nobody knows.
    Go(u64),
    /// Somebody else is trying.
    Wait,
    /// The server is known to be away.
    Known,
}

struct Failure {
    at: Instant,
    /// Nobody tries before.
    next: Instant,
    error: Error,
}

impl Gate {
    /// Begins a try, and says in which round; or when to ask again, unless there is news before. That sessions
    /// are `seated` there says that it is there, too.
    pub(crate) fn pass(&mut self, now: Instant, aim: Aim, seated: bool) -> Result<u64, Instant> {
        let (failures, last) = self.against(aim);
        let room = FAILURES.saturating_sub(failures).max(1);
        let known = self.is_there(now) || seated && !self.spares(aim);
        if failures > 0 || !known {
            let patience = if failures > 0 { LONGEST } else { MOMENT };
            let full = self.trying >= room && self.batch >= room;
            let held_up = self.tried.filter(|_| full).map(|tried| tried + patience);
            let free = held_up.max(last.map(|last| last.next));
            if let Some(free) = free.filter(|free| now < *free) {
                return Err(free);
            }
        }
        Ok(self.begin(now, room))
    }

    /// Failures that speak against a try, and the last of them.
    fn against(&self, aim: Aim) -> (u32, Option<&Failure>) {
        if self.spares(aim) { (0, None) } else { (self.failures, self.last.as_ref()) }
    }

    /// Who is about to end takes nothing new, but goes on with what it has.
    fn spares(&self, aim: Aim) -> bool {
        aim == Aim::Attach && self.last.as_ref().is_some_and(|last| is_draining(&last.error))
    }

    fn begin(&mut self, now: Instant, room: u32) -> u64 {
        if self.trying == 0 || self.batch >= room {
            (self.tried, self.batch) = (Some(now), 0);
        }
        self.batch += 1;
        self.trying += 1;
        self.round
    }

    /// What becomes of a line whose time is over, which waits `since` then. What failed before that says nothing
    /// of its own time.
    pub(crate) fn late(&mut self, now: Instant, aim: Aim, since: Instant) -> Late {
        let (failures, last) = self.against(aim);
        let known = last.is_some_and(|last| last.at >= since);
        let room = if failures == 0 { FAILURES } else { 1 };
        if failures == 0 && self.is_there(now) || self.trying < room && !known {
            Late::Go(self.begin(now, room))
        } else if self.trying > 0 {
            Late::Wait
        } else {
            Late::Known
        }
    }

    /// Tries under way.
    pub(crate) fn trying(&self) -> usize {
        self.trying as usize
    }

    /// Until when it is to be known whether it is there, where nothing is known against it.
    pub(crate) fn soon(&self, now: Instant) -> Option<Instant> {
        let soon = self.tried.filter(|_| self.is_sound()).map(|tried| tried + MOMENT / 5);
        soon.filter(|soon| now < *soon)
    }

    /// A try is over, whatever came of it.
    pub(crate) fn over(&mut self) {
        self.trying -= 1;
    }

    /// The server has answered. Whether that is news.
    pub(crate) fn answers(&mut self, now: Instant, aim: Aim) -> bool {
        let known = self.against(aim).0 == 0 && self.is_there(now);
        self.answered = Some(now);
        // That it goes on with a session does not say that it takes new ones.
        if !self.spares(aim) {
            (self.failures, self.last) = (0, None);
        }
        !known
    }

    /// A try of that round came to nothing, or what it began broke. Whether that is news.
    pub(crate) fn fails(&mut self, now: Instant, round: u64, error: Error) -> bool {
        let drains = is_draining(&error);
        // What breaks together is one failure.
        if self.failures > 0 && round != self.round && (drains || !self.spares(Aim::Attach)) {
            return false;
        }
        // Drawn once for all who wait: of many waits the shortest would be none.
        let next = now + pause(self.failures);
        self.last = Some(Failure { at: now, next, error });
        self.failures = self.failures.saturating_add(1);
        self.round += 1;
        true
    }

    /// When it failed, if that was lately.
    pub(crate) fn failed(&self, now: Instant) -> Option<Instant> {
        let rest = if self.failures >= FAILURES { ALONE } else { SHUNNED };
        self.last.as_ref().map(|last| last.at).filter(|at| now < *at + rest)
    }

    /// Nothing is known against it.
    pub(crate) fn is_sound(&self) -> bool {
        self.failures == 0
    }

    /// The last failure, and how many in a row it makes.
    pub(crate) fn why(&self) -> Option<(&Error, u32)> {
        self.last.as_ref().map(|last| (&last.error, self.failures))
    }

    fn is_there(&self, now: Instant) -> bool {
        self.answered.is_some_and(|at| now < at + THERE)
    }
}

fn is_draining(error: &Error) -> bool {
    error.detail() == detail::REMOTE_DRAINING
}

/// A wait before the next try: random, from zero to a longest one that doubles from try to try.
pub(crate) fn pause(tries: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(100);
    let longest = FIRST.saturating_mul(1 << tries.min(16)).min(LONGEST);
    longest.mul_f64(random() as f64 / u64::MAX as f64)
}

pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No draw is longer.
    const WAIT: Duration = Duration::from_secs(6);

    fn gone() -> Error {
        Error::new(detail::REMOTE_UNREACHABLE, "connection refused")
    }

    fn draining() -> Error {
        Error::new(detail::REMOTE_DRAINING, "it takes nothing new")
    }

    /// As many tries as pass at that time.
    fn passing(gate: &mut Gate, now: Instant, aim: Aim) -> Vec<u64> {
        (0..1_000).map_while(|_| gate.pass(now, aim, false).ok()).collect()
    }

    fn fail(gate: &mut Gate, now: Instant, error: &Error) {
        for round in passing(gate, now, Aim::Open) {
            gate.fails(now, round, error.clone());
            gate.over();
        }
    }

    #[test]
    fn with_each_failure_fewer_may_try_at_a_time_down_to_one() {
        let (mut gate, mut now) = (Gate::default(), Instant::now());
        for places in [5, 4, 3, 2, 1, 1, 1] {
            let rounds = passing(&mut gate, now, Aim::Open);
            assert_eq!(rounds.len(), places);
            for round in rounds {
                gate.fails(now, round, gone());
                gate.over();
            }
            now += WAIT;
        }
        assert_eq!(gate.why().map(|why| why.1), Some(7));
    }

    #[test]
    fn where_it_has_just_answered_all_may_try() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        fail(&mut gate, now, &gone());
        let now = now + WAIT;
        gate.pass(now, Aim::Open, false).expect("it has waited");
        assert!(gate.answers(now, Aim::Open), "that is news");
        gate.over();
        assert!(!gate.answers(now, Aim::Open), "it is known");
        assert_eq!(passing(&mut gate, now, Aim::Open).len(), 1_000);
    }

    #[test]
    fn what_breaks_together_is_one_failure() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        gate.answers(now, Aim::Open);
        for round in passing(&mut gate, now, Aim::Open) {
            gate.over();
            gate.fails(now, round, gone());
        }
        assert_eq!(gate.why().map(|why| why.1), Some(1));
    }

    #[test]
    fn a_try_without_an_answer_does_not_hold_up_the_next_for_ever() {
        let (mut gate, mut now) = (Gate::default(), Instant::now());
        for _ in 0..FAILURES {
            fail(&mut gate, now, &gone());
            now += WAIT;
        }
        for _ in 0..3 {
            gate.pass(now, Aim::Attach, false).expect("its time has come");
            let next = gate.pass(now, Aim::Attach, false).expect_err("one at a time");
            assert_eq!(next, now + LONGEST);
            now = next;
        }
    }

    #[test]
    fn a_server_that_is_about_to_end_takes_its_own_sessions_as_long_as_it_answers() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        (0..10).for_each(|n| fail(&mut gate, now + n * WAIT, &draining()));
        let now = now + 9 * WAIT;
        let rounds = passing(&mut gate, now, Aim::Attach);
        assert_eq!(rounds.len(), FAILURES as usize, "until one has its answer");
        assert!(gate.answers(now, Aim::Attach));
        let old = passing(&mut gate, now, Aim::Attach);
        assert_eq!(old.len(), 1_000);
        assert!(gate.failed(now).is_some(), "new sessions go elsewhere");
        // Then it is gone, and that is no matter of new sessions any more.
        assert!(gate.fails(now, old[0], gone()));
        assert!(!gate.fails(now, old[1], draining()));
        (0..rounds.len() + old.len()).for_each(|_| gate.over());
        assert_eq!(passing(&mut gate, now + WAIT, Aim::Attach).len(), 1);
    }

    #[test]
    fn where_opening_takes_long_a_few_more_may_try_every_moment() {
        let (mut gate, mut now) = (Gate::default(), Instant::now());
        for _ in 0..4 {
            assert_eq!(passing(&mut gate, now, Aim::Open).len(), FAILURES as usize);
            assert!(gate.pass(now + MOMENT / 2, Aim::Open, false).is_err());
            now += MOMENT;
        }
        // Where there are sessions it is there.
        assert!((0..100).all(|_| gate.pass(now, Aim::Open, true).is_ok()));
    }

    #[test]
    fn who_is_late_tries_once_more_unless_it_is_known_what_comes_of_it() {
        let (mut gate, mut now) = (Gate::default(), Instant::now());
        for _ in 0..FAILURES {
            assert!(
                matches!(gate.late(now, Aim::Open, now), Late::Go(_)),
                "nothing is known against it"
            );
        }
        assert!(matches!(gate.late(now, Aim::Open, now), Late::Wait), "nor that it is there");
        (0..FAILURES).for_each(|_| gate.over());
        fail(&mut gate, now, &gone());
        assert!(matches!(gate.late(now, Aim::Attach, now), Late::Known));
        now += MOMENT;
        assert!(matches!(gate.late(now, Aim::Attach, now), Late::Go(_)));
        assert!(matches!(gate.late(now, Aim::Attach, now), Late::Wait), "for the one that tries");
    }

    #[test]
    fn waits_grow_to_a_longest_one() {
        for tries in 0..40 {
            let longest = Duration::from_millis(100 << tries.min(16)).min(Duration::from_secs(5));
            assert!(pause(tries) <= longest);
        }
    }
}
