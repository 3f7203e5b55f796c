//! One pipeline: what is done to it, at random, and what has to hold whenever it is over.

use super::counts::Counts;
use super::jobs::Job;
use super::nodes::TOLD;
use remotemedia::engine::{Event, State};
use remotemedia::node::testing::Random;
use remotemedia::{
    Closed, Engine, Error, Manifest, MediaTime, Packet, Pipeline, Pull, PushError, Reason,
};
use serde_json::{Map, json};
use std::time::{Duration, Instant};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// Of a packet, in milliseconds.
const STEP: i64 = 20;

/// What went wrong.
pub(super) type Wrong = String;

/// A pipeline and what has been done to it.
pub(super) struct Life {
    pub seed: u64,
    run: Pipeline,
    job: Job,
    random: Random,
    /// Time of each input's next packet.
    next: Vec<i64>,
    /// Taken by each input, and pulled from each output.
    pushed: Vec<u64>,
    pulled: Vec<u64>,
    /// What has been asked for, and the events that tell what became of it.
    sets: u64,
    told_sets: u64,
    epochs: u64,
    told_epochs: u64,
    /// Events that nobody had pulled in time.
    lost_events: u64,
}

/// Whether a pipeline goes on.
pub(super) enum Step {
    /// It does.
    On,
    /// It is over, and all was right.
    Over,
}

impl Life {
    /// A pipeline of some kind.
    pub(super) fn new(engine: &Engine, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let job = Job::random(&mut random);
        let manifest = Manifest::from_value(job.manifest.clone()).expect("it is a manifest");
        let run = engine.pipeline(&manifest).unwrap_or_else(|e| panic!("{e}\n{:#}", job.manifest));
        let (inputs, outputs) = (run.inputs().len(), run.outputs().len());
        Self {
            seed,
            run,
            job,
            random,
            next: vec![0; inputs],
            pushed: vec![0; inputs],
            pulled: vec![0; outputs],
            sets: 0,
            told_sets: 0,
            epochs: 0,
            told_epochs: 0,
            lost_events: 0,
        }
    }

    /// Which kind it is.
    pub(super) fn kind(&self) -> &'static str {
        self.job.kind
    }

    /// Does something to it.
    pub(super) fn step(&mut self, signal: &[Packet], counts: &Counts) -> Result<Step, Wrong> {
        for _ in 0..1 + self.random.below(8) {
            self.push(signal)?;
        }
        self.pull()?;
        match self.random.below(1000) {
            0..20 => self.set_params(counts)?,
            20..30 => {
                let begun = self.run.interrupt();
                self.epochs += u64::from(self.fine(begun)?.is_some());
                counts.interrupts.add();
            }
            30..33 => {
                let begun = self.run.reset();
                self.epochs += u64::from(self.fine(begun)?.is_some());
                counts.resets.add();
            }
            33..40 => self.gap()?,
            40..44 => _ = (self.run.metrics(), self.run.prometheus()),
            44..49 => return self.end(counts),
            49..51 => return self.close(counts),
            51..53 => {
                self.run.cancel();
                counts.cancelled.add();
                return self.over();
            }
            _ => {}
        }
        if self.run.state() == State::Failed {
            counts.failed.add();
            return self.over();
        }
        self.events();
        if self.run.inputs().len() == 0 && self.run.is_finished() {
            return self.end(counts);
        }
        Ok(Step::On)
    }

    fn push(&mut self, signal: &[Packet]) -> Result<(), Wrong> {
        for input in 0..self.next.len() {
            let at = self.next[input];
            let mut packet = signal[(at / STEP) as usize % signal.len()].clone();
            packet.set_pts(Some(MediaTime::from_millis(at)));
            match self.run.push_at(input, packet) {
                Ok(()) => {
                    self.pushed[input] += 1;
                    // Now and then something is missing.
                    self.next[input] += STEP + 500 * i64::from(self.random.below(200) == 0);
                }
                Err(PushError::Full(_)) => {}
                Err(PushError::Failed(error)) => {
                    self.pushed[input] += 1;
                    self.fine::<()>(Err(error))?;
                }
                Err(error) => _ = self.fine::<()>(Err(error.into()))?,
            }
        }
        Ok(())
    }

    fn took(&mut self, output: &str) {
        let index = self.run.outputs().position(|name| name == output);
        self.pulled[index.expect("it is one of them")] += 1;
    }

    fn pull(&mut self) -> Result<(), Wrong> {
        // Some are slower than what comes.
        for _ in 0..self.random.below(32) {
            let run = self.run.try_pull().map(|pull| match pull {
                Pull::Packet(output, _) => Some(output.to_owned()),
                _ => None,
            });
            match self.fine(run)?.flatten() {
                Some(output) => self.took(&output),
                None => break,
            }
        }
        Ok(())
    }

    fn set_params(&mut self, counts: &Counts) -> Result<(), Wrong> {
        let (node, param, low, high) = self.job.live[self.random.below(self.job.live.len())];
        let part = self.random.below(1000) as f64 / 1000.0;
        let value = (low + part * (high - low)).floor();
        let mut values = Map::new();
        values.insert(param.to_owned(), json!(value));
        let input = self.next.first().copied().unwrap_or(0);
        let set = match self.random.below(3) {
            0 => {
                let at = input + self.random.below(500) as i64;
                self.run.set_params_at(node, &values, MediaTime::from_millis(at))
            }
            1 => {
                values.insert("no_such_param".to_owned(), json!(1));
                match self.run.set_params(node, &values) {
                    Err(_) => return Ok(()),
                    Ok(_) => return Err("it took a param that there isn't".to_owned()),
                }
            }
            _ => self.run.set_params(node, &values),
        };
        self.sets += u64::from(self.fine(set)?.is_some());
        counts.params.add();
        Ok(())
    }

    fn gap(&mut self) -> Result<(), Wrong> {
        for input in 0..self.next.len() {
            self.next[input] += 100;
            let name = self.run.inputs().nth(input).expect("it is one of them").to_owned();
            let gap = self.run.gap(&name, MediaTime::from_millis(self.next[input]));
            self.fine(gap)?;
        }
        Ok(())
    }

    /// Ends it and pulls everything; some then run once more.
    fn end(&mut self, counts: &Counts) -> Result<Step, Wrong> {
        let ended = match self.next.is_empty() {
            true => self.run.stop(),
            false => self.run.end(),
        };
        self.fine(ended)?;
        loop {
            let pull = self.run.pull(LONG).map(|pull| match pull {
                Pull::Packet(output, _) => Ok(Some(output.to_owned())),
                Pull::End => Ok(None),
                Pull::Idle(reason) => Err(reason),
            });
            match self.fine(pull)? {
                Some(Ok(Some(output))) => self.took(&output),
                Some(Ok(None)) => break,
                Some(Err(reason)) => return Err(format!("it waited in vain: {reason:?}")),
                None => {
                    counts.failed.add();
                    return self.over();
                }
            }
        }
        counts.ended.add();
        if self.random.below(2) == 0 {
            self.settled()?;
            let again = self.run.rewind();
            self.fine(again)?;
            // It begins with a reset.
            self.epochs += 1;
            self.next.fill(0);
            return Ok(Step::On);
        }
        self.over()
    }

    fn close(&mut self, counts: &Counts) -> Result<Step, Wrong> {
        if self.next.is_empty() {
            // Else it would be closed when the file has been played.
            let stopped = self.run.stop();
            self.fine(stopped)?;
        }
        let closed = self.run.close(LONG);
        match self.fine(closed)? {
            Some(Closed::Cut) => return Err("it did not close in a minute".to_owned()),
            Some(Closed::Drained) => counts.closed.add(),
            None => counts.failed.add(),
        }
        self.over()
    }

    /// A call may come back with an error once a node has failed, for that very reason.
    fn fine<T>(&self, result: Result<T, Error>) -> Result<Option<T>, Wrong> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error)
                if self.run.state() == State::Failed
                    && self.job.may_fail
                    && error.to_string().contains(TOLD) =>
            {
                Ok(None)
            }
            Err(error) => Err(format!("an error that nothing asked for: {error}")),
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.run.event() {
            match event {
                Event::Params { .. } => self.told_sets += 1,
                Event::Interrupted { .. } | Event::Reset { .. } => self.told_epochs += 1,
                Event::Lost(count) => self.lost_events += count,
                _ => {}
            }
        }
    }

    /// What has to hold at the end.
    fn over(&mut self) -> Result<Step, Wrong> {
        if self.run.state() == State::Running {
            return self.settled().map(|()| Step::Over);
        }
        // Workers have to let go of it first.
        let end = Instant::now() + LONG;
        loop {
            match self.lost().map_or_else(|| self.acknowledged(), Err) {
                Ok(()) => return Ok(Step::Over),
                Err(wrong) if Instant::now() > end => return Err(wrong),
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    /// What does not add up.
    fn lost(&self) -> Option<String> {
        if let Some(what) = self.run.unbalanced() {
            return Some(format!("not conserved: {what}"));
        }
        let metrics = self.run.metrics();
        let links = metrics["links"].as_array().map_or(&[][..], Vec::as_slice);
        // Those of the connections come first, then the inputs', then the outputs'.
        let (rest, outputs) = links.split_at(links.len() - self.pulled.len());
        let inputs = &rest[rest.len() - self.pushed.len()..];
        let pushed = inputs.iter().zip(&self.pushed).map(|(link, count)| (link, "in", *count));
        let pulled = outputs.iter().zip(&self.pulled).map(|(link, count)| (link, "taken", *count));
        let wrong = pushed.chain(pulled).find(|(link, key, count)| link[*key] != *count);
        wrong.map(|(link, key, count)| format!("{key} should be {count}: {link}"))
    }

    /// Nothing runs any more, and no node holds a packet.
    fn settled(&mut self) -> Result<(), Wrong> {
        let end = Instant::now() + LONG;
        while !matches!(self.run.advance(), Ok(Reason::Need(_)) | Err(_)) {
            if Instant::now() > end {
                return Err("it does not come to rest".to_owned());
            }
            std::thread::yield_now();
        }
        if let Some(what) = self.lost() {
            return Err(what);
        }
        let metrics = self.run.metrics();
        let n = |node: &serde_json::Value, key: &str| node[key].as_u64().unwrap_or(0);
        for node in metrics["node_metrics"].as_array().into_iter().flatten() {
            if n(node, "taken")
                != n(node, "success_count") + n(node, "error_count") + n(node, "unmatched")
            {
                return Err(format!("a node holds packets at the end: {node}"));
            }
        }
        self.acknowledged()
    }

    /// Everything that was asked for has been told of, once. What an end by force overtakes need not
    /// tell of the epochs that it began.
    fn acknowledged(&mut self) -> Result<(), Wrong> {
        self.events();
        let epochs = match self.run.state() {
            State::Running => self.told_epochs == self.epochs,
            _ => self.told_epochs <= self.epochs,
        };
        if self.lost_events > 0 || (epochs && self.told_sets == self.sets) {
            return Ok(());
        }
        Err(format!(
            "{} params set and {} acknowledged, {} epochs begun and {} told",
            self.sets, self.told_sets, self.epochs, self.told_epochs
        ))
    }

    /// Words for who has to find out what went wrong.
    pub(super) fn describe(&self) -> String {
        format!(
            "{} seed {}: {:?}\n{:#}\n{:#}",
            self.job.kind,
            self.seed,
            self.run.state(),
            self.job.manifest,
            self.run.metrics()
        )
    }
}
