//! Adds up blocks that lie side by side in time.

use multiversion::multiversion;
use std::collections::VecDeque;

/// Tracks of audio with blocks at places that are counted in frames, and their sum.
///
/// The blocks stay what they are until they are added up, track after track. So how a track is cut
/// into blocks, and in which pieces the sum is taken, makes no difference to any bit of it.
#[derive(Debug)]
pub struct Tracks<B> {
    channels: usize,
    /// Of each track, the blocks with their first frames.
    tracks: Vec<VecDeque<(i64, B)>>,
    end: i64,
}

impl<B: AsRef<[f32]>> Tracks<B> {
    /// No tracks yet, for interleaved blocks of so many channels.
    pub fn new(channels: usize) -> Self {
        Self { channels, tracks: Vec::new(), end: i64::MIN }
    }

    /// Lays a block on a track. Of blocks of one track that lie upon each other both count.
    ///
    /// # Real-time
    /// rt-safe once it has held as many blocks.
    pub fn add(&mut self, track: usize, begin: i64, block: B) {
        if self.tracks.len() <= track {
            self.tracks.resize_with(track + 1, VecDeque::new);
        }
        self.end = self.end.max(end(begin, &block, self.channels));
        self.tracks[track].push_back((begin, block));
    }

    /// Where the last of all blocks ended; the smallest number if there was none.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Writes the sum of whole frames from `begin` on, with silence where no block lies, and forgets
    /// the blocks that end by then.
    ///
    /// # Real-time
    /// rt-safe, but for what dropping a block means.
    pub fn sum(&mut self, begin: i64, output: &mut [f32]) {
        output.fill(0.0);
        let until = begin + (output.len() / self.channels) as i64;
        for track in &mut self.tracks {
            for (at, block) in &*track {
                let (from, to) = (begin.max(*at), until.min(end(*at, block, self.channels)));
                if from < to {
                    let samples = |base: i64| {
                        (from - base) as usize * self.channels..(to - base) as usize * self.channels
                    };
                    add(&mut output[samples(begin)], &block.as_ref()[samples(*at)]);
                }
            }
            let is_over = |(at, block): &mut (i64, B)| end(*at, block, self.channels) <= until;
            while track.pop_front_if(is_over).is_some() {}
        }
    }

    /// Forgets all blocks.
    pub fn clear(&mut self) {
        self.tracks.iter_mut().for_each(VecDeque::clear);
        self.end = i64::MIN;
    }
}

/// Keeps samples within full scale.
///
/// # Real-time
/// rt-safe.
pub fn clip(samples: &mut [f32]) {
    samples.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0));
}

fn end<B: AsRef<[f32]>>(begin: i64, block: &B, channels: usize) -> i64 {
    begin.saturating_add((block.as_ref().len() / channels) as i64)
}

#[multiversion(targets("x86_64+avx+avx2"))]
fn add(into: &mut [f32], from: &[f32]) {
    into.iter_mut().zip(from).for_each(|(into, x)| *into += x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_add_up_where_they_lie_and_leave_silence_elsewhere() {
        let mut tracks = Tracks::new(2);
        tracks.add(0, 10, vec![1.0, 2.0, 3.0, 4.0]);
        tracks.add(2, 11, vec![10.0, 20.0, 30.0, 40.0]);
        assert_eq!(tracks.end(), 13);
        let mut output = [9.0; 8];
        tracks.sum(9, &mut output);
        assert_eq!(output, [0.0, 0.0, 1.0, 2.0, 13.0, 24.0, 30.0, 40.0]);
        tracks.sum(9, &mut output);
        assert_eq!(output, [0.0; 8], "what has been added up is gone");
    }

    #[test]
    fn the_sum_may_be_taken_in_pieces_and_what_comes_late_is_left_out() {
        let mut tracks = Tracks::new(1);
        tracks.add(0, 0, vec![1.0, 2.0, 3.0]);
        let (mut first, mut second) = ([0.0; 2], [0.0; 2]);
        tracks.sum(0, &mut first);
        tracks.add(1, 0, vec![10.0, 20.0, 30.0, 40.0]);
        tracks.add(0, 3, vec![4.0]);
        tracks.sum(2, &mut second);
        assert_eq!((first, second), ([1.0, 2.0], [33.0, 44.0]));
    }

    #[test]
    fn blocks_of_one_track_may_lie_upon_each_other() {
        let mut tracks = Tracks::new(1);
        tracks.add(0, 0, vec![1.0; 4]);
        tracks.add(0, 1, vec![1.0; 2]);
        let mut output = [0.0; 3];
        tracks.sum(0, &mut output);
        assert_eq!(output, [1.0, 2.0, 2.0]);
        tracks.clear();
        tracks.sum(3, &mut output);
        assert_eq!((output, tracks.end()), ([0.0; 3], i64::MIN));
    }

    #[test]
    fn clipping_leaves_alone_what_is_within_full_scale() {
        let mut samples = [-3.0, -1.0, 0.25, 1.0, 1.5];
        clip(&mut samples);
        assert_eq!(samples, [-1.0, -1.0, 0.25, 1.0, 1.0]);
    }
}
