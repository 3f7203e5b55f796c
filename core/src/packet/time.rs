//! Media time and the sample clock.

use std::fmt;
use std::ops::{Add, Sub};

const NANOS: i128 = 1_000_000_000;

/// A point or span of media time, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MediaTime(i64);

impl MediaTime {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000_000)
    }

    /// From seconds, rounded to the nanosecond.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9).round() as i64)
    }

    /// The span of `frames` at `rate` frames a second, rounded to the nearest nanosecond.
    /// A rate of zero gives zero.
    pub fn from_frames(frames: i64, rate: u32) -> Self {
        if rate == 0 {
            return Self::ZERO;
        }
        // The usual sizes fit in 64 bits, whose division costs a fraction of the wide one's.
        if (0..1 << 33).contains(&frames) {
            let nanos = (frames as u64 * NANOS as u64 + u64::from(rate / 2)) / u64::from(rate);
            return Self(nanos as i64);
        }
        let rate = i128::from(rate);
        let nanos = (i128::from(frames) * NANOS + rate / 2).div_euclid(rate);
        Self(nanos as i64)
    }

    /// Nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Number of frames at `rate` that lie in this span, rounded to the nearest.
    pub fn to_frames(self, rate: u32) -> i64 {
        let scaled = i128::from(self.0) * i128::from(rate) + NANOS / 2;
        scaled.div_euclid(NANOS) as i64
    }

    /// The distance between two times.
    #[must_use]
    pub const fn distance(self, other: Self) -> Self {
        Self((self.0.wrapping_sub(other.0)).wrapping_abs())
    }
}

impl Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}

/// Media time by counting frames: an anchor, and the frames since. Between two anchors the count
/// is the truth and every pts is derived from it, so that rounding never adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleClock {
    anchor: MediaTime,
    frames: i64,
    rate: u32,
}

impl SampleClock {
    /// A clock that stands at `anchor`.
    pub fn new(anchor: MediaTime, rate: u32) -> Self {
        Self { anchor, frames: 0, rate }
    }

    /// The time that the clock stands at.
    pub fn now(&self) -> MediaTime {
        self.at(0)
    }

    /// The time `frames` after where the clock stands.
    pub fn at(&self, frames: i64) -> MediaTime {
        self.anchor + MediaTime::from_frames(self.frames + frames, self.rate)
    }

    /// Counts `frames` on and gives the time at which they began.
    pub fn advance(&mut self, frames: usize) -> MediaTime {
        let begin = self.now();
        self.frames += frames as i64;
        begin
    }

    /// Frames counted since the anchor.
    pub fn frames(&self) -> i64 {
        self.frames
    }

    /// Frames a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_frames_never_drifts() {
        // Of these, only 441 frames are a whole number of nanoseconds.
        for frames in [1, 160, 441, 1024] {
            let mut clock = SampleClock::new(MediaTime::from_millis(5), 44_100);
            for _ in 0..44_100 {
                clock.advance(frames);
            }
            let counted = MediaTime::from_millis(frames as i64 * 1000);
            assert_eq!(clock.now(), MediaTime::from_millis(5) + counted);
        }
    }

    #[test]
    fn frames_and_time_convert_both_ways() {
        for rate in [8_000, 11_025, 44_100, 48_000, 96_000] {
            for frames in [-7i64, 0, 1, 159, 960, 1 << 40] {
                assert_eq!(MediaTime::from_frames(frames, rate).to_frames(rate), frames);
            }
        }
    }
}
