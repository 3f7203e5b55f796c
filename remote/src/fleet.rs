//! The servers that this process knows, and how they do: which of several is the next session's, and
//! whether it may be tried now.

use crate::endpoint::Endpoint;
use crate::gate::{self, Aim, Gate, Late, random};
use crate::settings::{Settings, Tls};
use remotemedia_core::error::{Error, Result, detail};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// A server, and how it is reached. Who can't reach it for wrong certificates is in nobody else's way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Tls,
}

impl Place {
    /// Those that settings name.
    pub(crate) fn all(settings: &Settings) -> Vec<Self> {
        let place =
            |endpoint: &Endpoint| Self { endpoint: endpoint.clone(), tls: settings.tls.clone() };
        settings.endpoints.iter().map(place).collect()
    }
}

#[derive(Default)]
struct Standing {
    /// Sessions of this process.
    own: usize,
    /// Sessions that it said it has.
    load: u32,
    gate: Gate,
}

type Fleet = HashMap<Place, Standing>;

static FLEET: Mutex<Option<Fleet>> = Mutex::new(None);

/// Something has become known of a server that lines may wait for.
static NEWS: Notify = Notify::const_new();

fn fleet<T>(look: impl FnOnce(&mut Fleet) -> T) -> T {
    look(FLEET.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

fn with<T>(place: &Place, look: impl FnOnce(&mut Standing) -> T) -> T {
    fleet(|fleet| look(fleet.entry(place.clone()).or_default()))
}

/// A session on a server, while it lasts.
pub(crate) struct Seated(Place);

impl Seated {
    /// A session has begun; the server said how many it has.
    pub(crate) fn at(place: &Place, load: u32) -> Self {
        with(place, |standing| {
            standing.own += 1;
            standing.load = load;
        });
        Self(place.clone())
    }

    /// Where.
    pub(crate) fn place(&self) -> &Place {
        &self.0
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        with(&self.0, |standing| standing.own -= 1);
    }
}

/// A try at a server. Who drops it gives its place at the gate to others.
pub(crate) struct Try {
    place: Place,
    aim: Aim,
    round: u64,
    under_way: bool,
}

impl Try {
    fn begun(place: &Place, aim: Aim, round: u64) -> Self {
        Self { place: place.clone(), aim, round, under_way: true }
    }

    /// Where.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The server answers.
    pub(crate) fn answers(&mut self) {
        self.settle(|gate, now, this| gate.answers(now, this.aim));
    }

    /// The server can't be reached, or takes nothing new; or what was begun there broke.
    pub(crate) fn fails(mut self, error: Error) {
        self.settle(|gate, now, this| gate.fails(now, this.round, error));
    }

    fn settle(&mut self, judge: impl FnOnce(&mut Gate, Instant, &Self) -> bool) {
        let under_way = std::mem::take(&mut self.under_way);
        let news = with(&self.place, |Standing { gate, .. }| {
            if under_way {
                gate.over();
            }
            judge(gate, Instant::now(), self) || under_way && !gate.is_sound()
        });
        if news {
            NEWS.notify_waiters();
        }
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if self.under_way {
            self.settle(|_, _, _| true);
        }
    }
}

/// Waits until one of the servers may be tried: the best that may be, for a new session. When `until` is over
/// and nobody knows how it is there now, one tries for all whose time is over.
///
/// # Errors
/// The last failure, once `until` is over and none may.
pub(crate) async fn enter(places: &[Place], aim: Aim, until: Instant) -> Result<Try> {
    let mut news = pin!(NEWS.notified());
    let (since, last) = (Instant::now(), until + gate::MOMENT);
    loop {
        // From here on nothing is missed.
        news.as_mut().enable();
        let again = match pass(places, aim) {
            Ok(tried) => return Ok(tried),
            Err(again) => again,
        };
        let now = Instant::now();
        let again = if now < until {
            again.min(until)
        } else {
            match late(places, aim, since) {
                Ok(tried) => return Ok(tried),
                Err(true) if now < last => last,
                Err(_) => return Err(why(places)),
            }
        };
        tokio::select! {
            () = news.as_mut() => news.set(NEWS.notified()),
            () = tokio::time::sleep_until(again) => {}
        }
    }
}

fn pass(places: &[Place], aim: Aim) -> Result<Try, Instant> {
    let now = Instant::now();
    fleet(|fleet| {
        let (mut again, mut sound) = (None::<Instant>, false);
        for place in ranked(fleet, places, now) {
            let Standing { own, gate, .. } = fleet.entry(place.clone()).or_default();
            if sound && !gate.is_sound() {
                // Whether the better one is there will be known in a moment.
                break;
            }
            sound |= gate.is_sound();
            let free = match gate.pass(now, aim, *own > 0) {
                Ok(round) => return Ok(Try::begun(place, aim, round)),
                Err(free) => free,
            };
            // All who wait are not to go to the one that is the first to answer.
            let soon = gate.soon(now);
            let free = soon.map_or(free, |soon| soon.min(free));
            again = Some(again.map_or(free, |again| again.min(free)));
            if soon.is_some() {
                break;
            }
        }
        Err(again.expect("settings have at least one endpoint"))
    })
}

/// The try of a line whose time is over; or whether it is worth waiting for that of another.
fn late(places: &[Place], aim: Aim, since: Instant) -> Result<Try, bool> {
    let now = Instant::now();
    fleet(|fleet| {
        let mut wait = false;
        for place in ranked(fleet, places, now) {
            match fleet.entry(place.clone()).or_default().gate.late(now, aim, since) {
                Late::Go(round) => return Ok(Try::begun(place, aim, round)),
                Late::Wait => wait = true,
                Late::Known => {}
            }
        }
        Err(wait)
    })
}

/// What is known of servers that may not be tried.
fn why(places: &[Place]) -> Error {
    let mut detail = detail::REMOTE_UNREACHABLE;
    let says = places.iter().map(|place| {
        with(place, |standing| match standing.gate.why() {
            Some((error, failures)) => {
                detail = error.detail();
                let (endpoint, message) = (&place.endpoint, error.message());
                format!("{endpoint} (failures in a row: {failures}): {message}")
            }
            None => format!("{} has not answered yet", place.endpoint),
        })
    });
    let says = says.collect::<Vec<_>>().join("; ");
    Error::new(detail, says)
}

/// The servers in the order in which a new session goes to them: of those that have not failed lately
/// the one with the least to do; where all have failed, the one whose failure lies longest back.
fn ranked<'a>(fleet: &Fleet, places: &'a [Place], now: Instant) -> Vec<&'a Place> {
    let mut ranked: Vec<_> = places.iter().collect();
    ranked.sort_by_cached_key(|place| match fleet.get(*place) {
        Some(Standing { own, load, gate }) => {
            (gate.failed(now), (*own).max(*load as usize) + gate.trying(), random())
        }
        None => (None, 0, random()),
    });
    ranked
}

/// The server for a question: that of a new session, whether it may be tried or not.
pub(crate) fn choose(places: &[Place]) -> &Place {
    fleet(|fleet| ranked(fleet, places, Instant::now())[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::FAILURES;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::task::{JoinSet, yield_now};

    const HOUR: Duration = Duration::from_secs(3_600);

    fn place(name: &str) -> Place {
        Place { endpoint: Endpoint::Unix(name.into()), tls: Tls::default() }
    }

    fn refused() -> Error {
        Error::new(detail::REMOTE_UNREACHABLE, "connection refused")
    }

    /// A new session's try.
    async fn open(places: &[Place]) -> Try {
        enter(places, Aim::Open, Instant::now() + HOUR).await.expect("within an hour")
    }

    /// Lines that want a new session there, and how many of them have been let through.
    async fn lines(count: usize, place: &Place) -> (JoinSet<Try>, Arc<AtomicUsize>) {
        let (mut lines, through) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..count {
            let (place, through) = (place.clone(), Arc::clone(&through));
            lines.spawn(async move {
                let tried = open(&[place]).await;
                through.fetch_add(1, Ordering::Relaxed);
                tried
            });
        }
        yield_now().await;
        (lines, through)
    }

    /// A server that has failed so often that its breaker is open.
    async fn dead(name: &str) -> Place {
        let place = place(name);
        for _ in 0..FAILURES {
            open(std::slice::from_ref(&place)).await.fails(refused());
        }
        place
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_goes_to_the_server_with_the_least_to_do_that_has_not_failed() {
        let all = ["fleet-a", "fleet-b", "fleet-c"].map(place);
        let fails = async |at: usize| open(&all[at..=at]).await.fails(refused());
        let one = Seated::at(&all[0], 1);
        let other = Seated::at(&all[1], 7);
        assert_eq!(choose(&all), &all[2]);
        fails(2).await;
        assert_eq!(choose(&all), &all[0]);
        drop(one);
        open(&all[2..]).await.answers();
        assert_eq!(choose(&all), &all[2], "nothing was said of a load there");
        for at in 0..3 {
            fails(at).await;
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(choose(&all), &all[0], "its failure lies longest back");
        assert_eq!(other.place(), &all[1]);
    }

    #[tokio::test(start_paused = true)]
    async fn how_often_a_dead_server_is_tried_does_not_hang_on_how_many_want_to() {
        for count in [1, 10, 1_000] {
            let place = place(&format!("crowd-{count}"));
            let until = Instant::now() + Duration::from_secs(10);
            let (mut lines, tries) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
            for _ in 0..count {
                let (place, tries) = (place.clone(), Arc::clone(&tries));
                lines.spawn(async move {
                    loop {
                        match enter(std::slice::from_ref(&place), Aim::Open, until).await {
                            Ok(tried) => {
                                tries.fetch_add(1, Ordering::Relaxed);
                                yield_now().await;
                                tried.fails(refused());
                            }
                            Err(error) => return error,
                        }
                    }
                });
            }
            for error in lines.join_all().await {
                assert_eq!(error.detail(), detail::REMOTE_UNREACHABLE);
                let says = error.message();
                assert!(says.starts_with(&format!("unix:crowd-{count} (failures in a row: ")));
                assert!(says.ends_with(": connection refused"), "{says}");
            }
            // 5 + 4 + 3 + 2 + 1, and then one in a while.
            let tries = tries.load(Ordering::Relaxed);
            assert!((5..50).contains(&tries), "{tries} by {count}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_line_tries_a_dead_server_and_its_success_lets_all_others_go() {
        let place = dead("probe").await;
        let mut probe = open(std::slice::from_ref(&place)).await;
        let (lines, through) = lines(100, &place).await;
        tokio::time::advance(Duration::from_secs(4)).await;
        yield_now().await;
        assert_eq!(through.load(Ordering::Relaxed), 0, "they wait");
        let before = Instant::now();
        probe.answers();
        assert_eq!(lines.join_all().await.len(), 100);
        assert_eq!(Instant::now(), before, "at once");
    }

    #[tokio::test(start_paused = true)]
    async fn when_it_fails_one_of_the_others_takes_the_next_try() {
        let place = dead("again").await;
        let probe = open(std::slice::from_ref(&place)).await;
        let (mut lines, through) = lines(100, &place).await;
        probe.fails(refused());
        for tried in 1..=100 {
            let next = lines.join_next().await.expect("a line").expect("no panic");
            assert_eq!(through.load(Ordering::Relaxed), tried, "one at a time");
            next.fails(refused());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_its_try_up_lets_another_line_go() {
        let place = dead("dropped").await;
        let probe = open(std::slice::from_ref(&place)).await;
        let (mut lines, through) = lines(2, &place).await;
        let before = Instant::now();
        drop(probe);
        let next = lines.join_next().await;
        assert_eq!((Instant::now(), through.load(Ordering::Relaxed)), (before, 1), "at once");
        // Its line was not there any more.
        drop(next);
        assert!(lines.join_next().await.is_some());
        assert_eq!(Instant::now(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn of_those_whose_time_is_over_one_tries_once_more_and_all_go_if_it_is_there() {
        let place = dead("back").await;
        // Nobody may try for a while, and then no time is left.
        let until = Instant::now() + Duration::from_secs(1);
        while enter(std::slice::from_ref(&place), Aim::Attach, Instant::now()).await.is_ok() {}
        tokio::time::advance(Duration::from_millis(1)).await;
        let attach = || {
            let place = place.clone();
            async move { enter(&[place], Aim::Attach, until).await }
        };
        let mut others = JoinSet::new();
        (0..10).for_each(|_| drop(others.spawn(attach())));
        let mut probe =
            others.join_next().await.expect("a line").expect("no panic").expect("it may");
        probe.answers();
        assert!(others.join_all().await.iter().all(Result::is_ok));
        assert!(Instant::now() <= until);
    }

    #[tokio::test(start_paused = true)]
    async fn at_a_server_that_says_nothing_few_knock_also_when_their_time_is_over() {
        let place = place("silent");
        let until = Instant::now() + Duration::from_secs(10);
        let mut lines = JoinSet::new();
        for _ in 0..1_000 {
            let place = place.clone();
            lines.spawn(async move { enter(&[place], Aim::Open, until).await });
        }
        let (mut tried, mut failed) = (Vec::new(), 0);
        while let Some(entered) = lines.join_next().await {
            match entered.expect("no panic") {
                // Nothing ever comes of it.
                Ok(entered) => tried.push(entered),
                Err(error) => {
                    assert!(error.message().ends_with("has not answered yet"), "{error:?}");
                    failed += 1;
                }
            }
        }
        // Five each second.
        assert!((50..=65).contains(&tried.len()), "{}", tried.len());
        assert_eq!(tried.len() + failed, 1_000);
        assert_eq!(Instant::now(), until + gate::MOMENT);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_little_time_tries_though_others_have_failed_just_before() {
        let place = dead("little").await;
        for _ in 0..10 {
            tokio::time::advance(Duration::from_millis(1)).await;
            let until = Instant::now() + Duration::from_millis(10);
            let tried = enter(std::slice::from_ref(&place), Aim::Open, until).await;
            tried.expect("what failed was before its time").fails(refused());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_sessions_is_spread_over_servers_that_are_not_known_yet() {
        let both = [place("burst-a"), place("burst-b")];
        let mut lines = JoinSet::new();
        for _ in 0..100 {
            let both = both.clone();
            lines.spawn(async move { open(&both).await });
        }
        let (mut seated, mut first) = (Vec::new(), None);
        while let Some(tried) = lines.join_next().await {
            let mut tried = tried.expect("no panic");
            // One of them answers first by far.
            let at = tried.place().clone();
            if *first.get_or_insert_with(|| at.clone()) != at {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tried.answers();
            seated.push(Seated::at(tried.place(), 0));
        }
        let there = seated.iter().filter(|seated| seated.place() == &both[0]).count();
        assert!((40..=60).contains(&there), "{there} of 100");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_time_left_says_what_failed_without_a_try_of_its_own() {
        let place = dead("late").await;
        let probe = open(std::slice::from_ref(&place)).await;
        let until = Instant::now() + Duration::from_secs(1);
        let waited = enter(&[place], Aim::Attach, until).await;
        let error = waited.err().expect("its time is over");
        // As long as another one may still have an answer.
        assert_eq!(Instant::now(), until + gate::MOMENT);
        assert_eq!(error.message(), "unix:late (failures in a row: 5): connection refused");
        drop(probe);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_session_waits_only_where_no_server_may_be_tried() {
        let all = [dead("all-a").await, dead("all-b").await, place("all-c")];
        for _ in 0..FAILURES {
            let tried = open(&all).await;
            assert_eq!(tried.place(), &all[2], "nothing is known against it");
            drop(tried);
        }
        for _ in 0..FAILURES {
            open(&all[2..]).await.fails(refused());
        }
        // All have rested as long as they may.
        tokio::time::advance(Duration::from_secs(6)).await;
        let before = Instant::now();
        let mut probes = [open(&all).await, open(&all).await, open(&all).await];
        for (at, place) in all.iter().enumerate() {
            assert!(probes.iter().any(|probe| probe.place() == place), "{at}");
        }
        let next = tokio::spawn(async move { open(&all).await.place().clone() });
        yield_now().await;
        assert!(!next.is_finished(), "it waits");
        probes[1].answers();
        assert_eq!(&next.await.expect("no panic"), probes[1].place());
        assert_eq!(Instant::now(), before, "at once");
    }
}
