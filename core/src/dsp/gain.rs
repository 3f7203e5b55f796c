//! Gain with ramps, so that a change makes no click.

/// A factor that moves in a straight line to its goal, counted in frames: how the stream is cut
/// makes no difference.
#[derive(Debug, Clone)]
pub struct Gain {
    from: f32,
    goal: f32,
    /// Frames of the ramp, and how many of them are over.
    ramp: u32,
    done: u32,
}

impl Gain {
    /// Stands at `factor`.
    pub fn new(factor: f32) -> Self {
        Self { from: factor, goal: factor, ramp: 0, done: 0 }
    }

    /// The factor for the next frame.
    pub fn now(&self) -> f32 {
        if self.done >= self.ramp {
            return self.goal;
        }
        self.from + (self.goal - self.from) * (self.done as f32 / self.ramp as f32)
    }

    /// The factor that it stands at or goes to.
    pub fn goal(&self) -> f32 {
        self.goal
    }

    /// Whether it changes nothing.
    pub fn is_one(&self) -> bool {
        self.done >= self.ramp && self.goal == 1.0
    }

    /// Goes to `factor` within so many frames, from where it is.
    pub fn go(&mut self, factor: f32, frames: u32) {
        *self = Self { from: self.now(), goal: factor, ramp: frames, done: 0 };
    }

    /// Multiplies interleaved frames in place.
    ///
    /// # Real-time
    /// rt-safe.
    pub fn apply(&mut self, samples: &mut [f32], channels: usize) {
        let ramp = (self.ramp.saturating_sub(self.done) as usize).min(samples.len() / channels);
        let (ramped, steady) = samples.split_at_mut(ramp * channels);
        for frame in ramped.chunks_exact_mut(channels) {
            let factor = self.now();
            frame.iter_mut().for_each(|x| *x *= factor);
            self.done += 1;
        }
        let factor = self.now();
        steady.iter_mut().for_each(|x| *x *= factor);
    }
}

/// The factor of a gain in dB; -120 dB and less is silence.
pub fn factor(db: f32) -> f32 {
    if db <= -120.0 { 0.0 } else { 10f32.powf(db / 20.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_a_straight_line_that_ends_at_its_goal() {
        let mut gain = Gain::new(1.0);
        gain.go(0.0, 4);
        let mut samples = [1.0; 12];
        gain.apply(&mut samples, 2);
        assert_eq!(samples, [1.0, 1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_new_goal_begins_where_the_ramp_is() {
        let mut gain = Gain::new(0.0);
        gain.go(1.0, 4);
        gain.apply(&mut [0.0; 2], 1);
        gain.go(0.0, 2);
        assert_eq!((gain.now(), gain.goal()), (0.5, 0.0));
    }

    #[test]
    fn decibels_become_factors() {
        assert_eq!((factor(0.0), factor(-120.0), factor(20.0)), (1.0, 0.0, 10.0));
        assert!((factor(-6.0) - 0.501_187).abs() < 1e-6);
    }
}
