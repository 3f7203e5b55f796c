//! Runs a pipeline from its feeds to whoever takes its results, in bounded memory: a packet is
//! pushed only when there is nothing to pull.

use crate::failure::{Exit, Failure};
use crate::input::Feed;
use crate::interrupt;
use remotemedia::error::detail;
use remotemedia::packet::Pool;
use remotemedia::{Error, Packet, Pipeline, Pull, PushError, Reason};
use std::time::Duration;

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
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Finished;
    loop {
        if outcome == Outcome::Finished && (interrupt::requested() || taker.is_full()) {
            outcome = Outcome::Ended;
            feeds.iter_mut().for_each(|feed| feed.ended = true);
            pipeline.stop()?;
        }
        taker.look(pipeline, feeds)?;
        match pipeline.pull(LOOK)? {
            Pull::Packet(output, packet) => taker.take(output, packet)?,
            Pull::End => return Ok(outcome),
            Pull::Idle(Reason::Need(open)) => {
                let fed = feed_one(pipeline, pool, feeds, |f| open.contains(f.index))?;
                if !fed && !interrupt::requested() {
                    return Err(stuck());
                }
            }
            Pull::Idle(_) => {}
        }
    }
}

/// Pushes one packet, or an end, into the input that lies furthest behind. `false`: none takes
/// anything.
fn feed_one(
    pipeline: &Pipeline,
    pool: &Pool,
    feeds: &mut [Feed],
    open: impl Fn(&Feed) -> bool,
) -> Result<bool, Failure> {
    let mut waiting: Vec<&mut Feed> = feeds.iter_mut().filter(|f| !f.ended && open(f)).collect();
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
