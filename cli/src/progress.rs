//! How far a run is, on a terminal.

use crate::input::Feed;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use remotemedia::{MediaTime, Pipeline};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A line that shows position, speed and time left. Nothing in a pipe.
pub(crate) struct Progress {
    bar: ProgressBar,
    start: Instant,
    drawn: Option<Instant>,
}

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(100);

impl Progress {
    /// Begins. `total` is the length of the longest input, if that is known.
    pub(crate) fn new(shown: bool, total: Option<MediaTime>) -> Self {
        let bar = match (shown, total) {
            (false, _) => ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
            (true, Some(total)) => ProgressBar::new(millis(total))
                .with_style(style("{bar:32.cyan/dim} {percent:>3} %  {msg}  ETA {eta}")),
            (true, None) => ProgressBar::no_length().with_style(style("{spinner:.cyan} {msg}")),
        };
        Self { bar, start: Instant::now(), drawn: None }
    }

    /// Shows where it is.
    pub(crate) fn update(&mut self, pipeline: &Pipeline, feeds: &[Feed]) {
        if self.bar.is_hidden() || self.drawn.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        let position = position(pipeline, feeds);
        let mut message = match position {
            Some(position) => clock(position),
            None => format!("{} packets", feeds.iter().map(|f| f.packets).sum::<u64>()),
        };
        if let (Some(length), Some(_)) = (self.bar.length(), position) {
            let _ = write!(message, " of {}", clock(MediaTime::from_millis(length as i64)));
        }
        if let Some(position) = position {
            let _ = write!(message, "  {}", speed(position, self.start.elapsed()));
            self.bar.set_position(millis(position));
        }
        self.bar.set_message(message);
        self.bar.tick();
    }

    /// Lets `show` write to the terminal.
    pub(crate) fn suspend(&self, show: &dyn Fn()) {
        self.bar.suspend(show);
    }

    /// Takes it off the terminal, and says how long it took.
    pub(crate) fn finish(&self) -> Duration {
        self.bar.finish_and_clear();
        self.start.elapsed()
    }
}

/// Media time that was worked off: of the feed that is furthest on, or of the sources inside.
pub(crate) fn position(pipeline: &Pipeline, feeds: &[Feed]) -> Option<MediaTime> {
    let fed = feeds.iter().map(|f| f.position).max().filter(|p| *p > MediaTime::ZERO);
    fed.or_else(|| pipeline.position().filter(|p| *p > MediaTime::ZERO))
}

/// Media time over time, in words.
pub(crate) fn speed(position: MediaTime, elapsed: Duration) -> String {
    let factor = position.as_secs_f64() / elapsed.as_secs_f64().max(1e-6);
    match factor {
        f if f < 10.0 => format!("{f:.1}× realtime"),
        f => format!("{f:.0}× realtime"),
    }
}

/// `1:02:03`, `2:03`.
fn clock(time: MediaTime) -> String {
    let seconds = time.nanos() / 1_000_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

fn millis(time: MediaTime) -> u64 {
    u64::try_from(time.nanos() / 1_000_000).unwrap_or(0)
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, and a test draws them.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_a_clock() {
        let clock = |s: i64| clock(MediaTime::from_millis(s * 1000 + 999));
        assert_eq!([clock(0), clock(123), clock(3723)], ["0:00", "2:03", "1:02:03"]);
    }

    #[test]
    fn speed_is_media_time_over_time() {
        let speed =
            |s: i64, elapsed: u64| speed(MediaTime::from_millis(s), Duration::from_millis(elapsed));
        assert_eq!(speed(1000, 2000), "0.5× realtime");
        assert_eq!(speed(60_000, 500), "120× realtime");
    }
}
