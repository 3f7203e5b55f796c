//! From scores of frames to stretches of speech: hysteresis, shortest speech, shortest silence,
//! padding, longest stretch.
//!
//! Time is counted in samples. The [`Segmenter`] says at each frame what it has found, and up to
//! which sample its verdict is final, so that audio can be kept or let go without a guess.

/// When something counts as speech. Lengths are in samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Score from which a frame is speech.
    pub threshold: f32,
    /// Score below which a frame of a stretch of speech is silence; between the two it is
    /// neither.
    pub neg_threshold: f32,
    /// Speech that has to be there before a stretch counts.
    pub min_speech: u64,
    /// Silence that ends a stretch. At least `pad`, as the padding lies within it.
    pub min_silence: u64,
    /// What belongs to a stretch before its first and after its last frame of speech.
    pub pad: u64,
    /// Longest stretch; a longer one is cut. `u64::MAX`: any length.
    pub max_speech: u64,
}

/// What a frame has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A stretch of speech is certain; it began at that sample.
    Start(u64),
    /// The stretch has ended at that sample.
    End(u64),
    /// The stretch is cut at that sample for its length; the next one begins there.
    Cut(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Silence,
    /// Perhaps speech, since that sample; so much of it was.
    Candidate {
        since: u64,
        speech: u64,
        quiet: Option<u64>,
    },
    /// Speech; silent since a sample, if it is silent at present.
    Speech {
        since: u64,
        quiet: Option<u64>,
    },
}

/// Finds stretches of speech in the scores of frames.
///
/// # Real-time
/// rt-safe.
#[derive(Debug, Clone)]
pub struct Segmenter {
    rules: Rules,
    state: State,
    /// End of the last frame.
    now: u64,
    /// End of the last stretch: padding doesn't reach back beyond it.
    ended: u64,
}

impl Segmenter {
    /// A segmenter that stands at sample zero.
    pub fn new(rules: Rules) -> Self {
        Self { rules, state: State::Silence, now: 0, ended: 0 }
    }

    /// Takes other rules, from the next frame on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Whether a stretch of speech is open.
    pub fn is_speech(&self) -> bool {
        matches!(self.state, State::Speech { .. })
    }

    /// Whether there is neither speech nor what could become speech.
    pub fn is_idle(&self) -> bool {
        self.state == State::Silence
    }

    /// Sample up to which the verdict is final: before it, audio is in a stretch or in none.
    pub fn settled(&self) -> u64 {
        match self.state {
            State::Silence => self.now.saturating_sub(self.rules.pad).max(self.ended),
            State::Candidate { since, .. } => since.saturating_sub(self.rules.pad).max(self.ended),
            State::Speech { quiet: Some(quiet), .. } => (quiet + self.rules.pad).min(self.now),
            State::Speech { quiet: None, .. } => self.now,
        }
    }

    /// Takes the score of the next frame, which has that many samples.
    pub fn push(&mut self, score: f32, samples: u64) -> Option<Event> {
        let Rules { threshold, neg_threshold, min_speech, pad, max_speech, .. } = self.rules;
        let min_silence = self.rules.min_silence.max(pad);
        let (begin, end) = (self.now, self.now + samples);
        self.now = end;
        let (loud, silent) = (score >= threshold, score < neg_threshold);
        match &mut self.state {
            State::Silence if loud => {
                self.state = State::Candidate { since: begin, speech: 0, quiet: None };
                self.confirm(samples, min_speech)
            }
            State::Silence => None,
            State::Candidate { quiet, .. } => {
                mark(quiet, loud, silent, begin);
                if quiet.is_some_and(|quiet| end - quiet >= min_silence) {
                    self.state = State::Silence;
                    return None;
                }
                self.confirm(if silent { 0 } else { samples }, min_speech)
            }
            State::Speech { since, quiet } => {
                mark(quiet, loud, silent, begin);
                if let Some(quiet) = *quiet
                    && silent
                    && end - quiet >= min_silence
                {
                    return self.end_at(quiet + pad);
                }
                (end - *since >= max_speech).then(|| {
                    *since = end;
                    self.ended = end;
                    Event::Cut(end)
                })
            }
        }
    }

    /// Counts speech of a candidate, and makes it a stretch when there is enough.
    fn confirm(&mut self, samples: u64, min_speech: u64) -> Option<Event> {
        let State::Candidate { since, speech, quiet } = &mut self.state else { return None };
        *speech += samples;
        if *speech < min_speech {
            return None;
        }
        let start = since.saturating_sub(self.rules.pad).max(self.ended);
        self.state = State::Speech { since: start, quiet: *quiet };
        Some(Event::Start(start))
    }

    fn end_at(&mut self, at: u64) -> Option<Event> {
        let State::Speech { since, .. } = self.state else { return None };
        // A stretch that was cut within its last silence has nothing left.
        self.ended = at.clamp(since, self.now);
        self.state = State::Silence;
        Some(Event::End(self.ended))
    }

    /// Ends the stream at sample `end`, which lies behind the last frame by less than one. An open
    /// stretch ends there, or where its last silence began. Afterwards it stands at zero again.
    pub fn finish(&mut self, end: u64) -> Option<Event> {
        let event = match self.state {
            State::Speech { quiet, .. } => {
                self.now = self.now.max(end);
                self.end_at(quiet.map_or(self.now, |quiet| quiet + self.rules.pad))
            }
            _ => None,
        };
        self.reset();
        event
    }

    /// Forgets everything and stands at zero again.
    pub fn reset(&mut self) {
        (self.state, self.now, self.ended) = (State::Silence, 0, 0);
    }
}

/// Notes where silence began, or that it is over.
fn mark(quiet: &mut Option<u64>, loud: bool, silent: bool, begin: u64) {
    if loud {
        *quiet = None;
    } else if silent {
        quiet.get_or_insert(begin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        threshold: 0.5,
        neg_threshold: 0.35,
        min_speech: 30,
        min_silence: 20,
        pad: 5,
        max_speech: u64::MAX,
    };

    /// Scores of frames of ten samples, as text: `#` speech, `.` silence, `-` neither.
    fn events(rules: Rules, frames: &str) -> Vec<Event> {
        let mut segmenter = Segmenter::new(rules);
        let mut out = Vec::new();
        let mut settled = 0;
        for frame in frames.chars() {
            let score = match frame {
                '#' => 0.9,
                '-' => 0.4,
                _ => 0.1,
            };
            out.extend(segmenter.push(score, 10));
            assert!(segmenter.settled() >= settled, "a verdict is never taken back");
            settled = segmenter.settled();
        }
        out.extend(segmenter.finish(10 * frames.len() as u64));
        out
    }

    #[test]
    fn a_stretch_has_its_padding_and_survives_short_silence() {
        use Event::{End, Start};
        assert_eq!(events(RULES, "..###.##..."), [Start(15), End(85)]);
        assert_eq!(events(RULES, "###...###..."), [Start(0), End(35), Start(55), End(95)]);
    }

    #[test]
    fn what_is_too_short_is_no_speech() {
        assert_eq!(events(RULES, ".##....##...#.."), []);
        assert_eq!(
            events(RULES, ".#.#.#.."),
            [Event::Start(5), Event::End(65)],
            "three frames in all"
        );
    }

    #[test]
    fn between_the_thresholds_nothing_begins_and_nothing_ends() {
        assert_eq!(events(RULES, "...-----..."), []);
        assert_eq!(events(RULES, "###-----###.."), [Event::Start(0), Event::End(115)]);
    }

    #[test]
    fn a_stretch_that_is_too_long_is_cut_without_a_hole() {
        use Event::{Cut, End, Start};
        let rules = Rules { max_speech: 50, ..RULES };
        assert_eq!(events(rules, "############..."), [Start(0), Cut(50), Cut(100), End(125)]);
        assert_eq!(events(rules, "#####..."), [Start(0), Cut(50), End(55)]);
    }

    #[test]
    fn the_end_of_the_stream_ends_what_is_open() {
        assert_eq!(events(RULES, "..####"), [Event::Start(15), Event::End(60)]);
        assert_eq!(events(RULES, "..####."), [Event::Start(15), Event::End(65)]);
        assert_eq!(events(RULES, "....##"), []);
    }

    #[test]
    fn padding_never_reaches_into_the_stretch_before() {
        let rules = Rules { pad: 20, ..RULES };
        let found = events(rules, "###..###..");
        assert_eq!(found, [Event::Start(0), Event::End(50), Event::Start(50), Event::End(100)]);
    }
}
