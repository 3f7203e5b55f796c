//! Runs a pipeline from its feeds to whoever takes its results, in bounded memory: a packet is
//! pushed only when there is nothing to pull; in real time, not before its time has come.

use crate::failure::{Exit, Failure};
use crate::input::Feed;
use crate::interrupt;
use remotemedia::error::detail;
use remotemedia::packet::Pool;
use remotemedia::{Error, Packet, Pipeline, Pull, PushError, Reason};
use std::time::{Duration, Instant};

/// Longest wait for work elsewhere before Ctrl-C and the progress are looked at again.
const LOOK: Duration = Duration::from_millis(100);

/// How a run went that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was pushed and pulled.
    Finished,
    /// Ended early because it was asked to; tails were delivered.
    Ended,
}

/// When packets are pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As soon as there is room.
    Fast,
    /// When their time has come.
    Realtime,
    /// When nothing more comes of those before: reading the next may take for ever.
    Patient,
}

/// Who takes what comes out.
pub(crate) trait Taker {
    /// Takes a packet of an output.
    fn take(&mut self, output: &str, packet: Packet) -> Result<(), Failure>;

    /// Called again and again while the pipeline runs.
    fn look(&mut self, pipeline: &Pipeline, feeds: &[Feed]) -> Result<(), Failure>;

    /// Whether nobody wants more.
    fn is_full(&self) -> bool;
}

/// Runs the pipeline until everything has come out.
pub(crate) fn drive(
    pipeline: &Pipeline,
    pool: &Pool,
    feeds: &mut [Feed],
    taker: &mut impl Taker,
    pace: Pace,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Finished;
    let begin = Instant::now();
    loop {
        if outcome == Outcome::Finished && (interrupt::requested() || taker.is_full()) {
            outcome = Outcome::Ended;
            feeds.iter_mut().for_each(|feed| feed.ended = true);
            pipeline.stop()?;
        }
        taker.look(pipeline, feeds)?;
        let reason = match pipeline.try_pull()? {
            Pull::Packet(output, packet) => {
                taker.take(output, packet)?;
                continue;
            }
            Pull::End => return Ok(outcome),
            Pull::Idle(reason) => reason,
        };
        if pace == Pace::Patient && !matches!(reason, Reason::Need(_)) {
            wait(pipeline, taker, LOOK)?;
            continue;
        }
        let now = (pace == Pace::Realtime).then(|| begin.elapsed());
        if feed_one(pipeline, pool, feeds, now)? {
            continue;
        }
        let until_next = now.and_then(|now| next_due(feeds, now));
        match (reason, until_next) {
            (_, Some(time)) => wait(pipeline, taker, time.min(LOOK))?,
            (Reason::Need(_), None) if !interrupt::requested() => return Err(stuck()),
            _ => wait(pipeline, taker, LOOK)?,
        }
    }
}

/// Waits for a result, and takes it.
fn wait(pipeline: &Pipeline, taker: &mut impl Taker, time: Duration) -> Result<(), Failure> {
    let seen = pipeline.changes();
    match pipeline.pull(time)? {
        Pull::Packet(output, packet) => taker.take(output, packet),
        // Nothing in the pipeline brings anything, so that the pull has not waited.
        Pull::Idle(Reason::Need(_) | Reason::Full(_)) => {
            pipeline.wait_for_change(seen, Instant::now().checked_add(time));
            Ok(())
        }
        Pull::Idle(_) | Pull::End => Ok(()),
    }
}

/// How long it takes until the next packet's time has come; `None` when nothing waits for that.
fn next_due(feeds: &[Feed], now: Duration) -> Option<Duration> {
    let open = feeds.iter().filter(|feed| !feed.ended);
    open.map(time_of).filter(|at| *at > now).min().map(|at| at - now)
}

fn time_of(feed: &Feed) -> Duration {
    Duration::from_nanos(feed.position.nanos().max(0) as u64)
}

/// Pushes one packet, or an end, into the input that lies furthest behind; in real time, only if its
/// time has come. `false`: none takes anything.
fn feed_one(
    pipeline: &Pipeline,
    pool: &Pool,
    feeds: &mut [Feed],
    now: Option<Duration>,
) -> Result<bool, Failure> {
    let due = |feed: &Feed| now.is_none_or(|now| time_of(feed) <= now);
    let mut waiting: Vec<&mut Feed> = feeds.iter_mut().filter(|f| !f.ended && due(f)).collect();
    waiting.sort_by_key(|feed| feed.position);
    for feed in waiting {
        let next = feed.next(pool);
        if interrupt::requested() {
            // What was read may have been cut off in the middle.
            return Ok(true);
        }
        let Some(packet) = next? else {
            pipeline.end_input(&feed.input)?;
            return Ok(true);
        };
        match pipeline.push_to(&feed.input, packet) {
            // The results from before a failure are pulled first, then the failure.
            Ok(()) | Err(PushError::Failed(_)) => return Ok(true),
            Err(PushError::Full(packet) | PushError::Interrupted(packet)) => feed.give_back(packet),
            Err(PushError::Refused(_, error)) => return Err(refused(feed, error)),
        }
    }
    Ok(false)
}

fn refused(feed: &Feed, error: Error) -> Failure {
    let Some(line) = feed.line() else { return error.into() };
    let message = format!("line {line}: {}", error.message());
    let told = Error::new(error.detail(), message).at_port(feed.input.as_str());
    match error.hint() {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
    .into()
}

/// Never seen while the engine keeps its word that some push or some pull succeeds.
fn stuck() -> Failure {
    let message = "the pipeline takes nothing and gives nothing";
    Failure::new(Exit::Failed, Error::new(detail::FLOW_FULL, message))
}
