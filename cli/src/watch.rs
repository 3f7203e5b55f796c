//! The events of a pipeline that runs: to a file, and what matters of them to the reader.

use crate::failure::{Failure, cannot_open, cannot_write};
use crate::report::Reporter;
use remotemedia::{Event, Pipeline};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};

/// Takes a pipeline's events.
pub(crate) struct Watch {
    file: Option<(String, BufWriter<File>)>,
    reporter: Reporter,
    /// Link and reason → packets.
    dropped: BTreeMap<(String, &'static str), u64>,
}

impl Watch {
    /// Begins the file, if there is to be one.
    pub(crate) fn new(path: Option<&str>, reporter: Reporter) -> Result<Self, Failure> {
        let open = |path: &str| match File::create(path) {
            Ok(file) => Ok((path.to_owned(), BufWriter::new(file))),
            Err(e) => Err(cannot_open(path, &e)),
        };
        Ok(Self { file: path.map(open).transpose()?, reporter, dropped: BTreeMap::new() })
    }

    /// Takes what has happened. `show` shows a warning.
    pub(crate) fn look(
        &mut self,
        pipeline: &Pipeline,
        show: impl Fn(&dyn Fn()),
    ) -> Result<(), Failure> {
        while let Some(event) = pipeline.event() {
            if let Some((path, file)) = &mut self.file {
                writeln!(file, "{}", event.to_json()).map_err(|e| cannot_write(path, &e))?;
            }
            match event {
                Event::Warning(warning) => show(&|| self.reporter.warning(&warning)),
                Event::Dropped { link, reason, count } => {
                    *self.dropped.entry((link.to_string(), reason.name())).or_default() += count;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the rest, and tells of what was dropped.
    pub(crate) fn finish(&mut self, pipeline: &Pipeline) -> Result<(), Failure> {
        self.look(pipeline, |show| show())?;
        for ((link, reason), count) in std::mem::take(&mut self.dropped) {
            let message = format!("{count} packets were dropped at {link} ({reason})");
            self.reporter.note(&message, None);
        }
        if let Some((path, file)) = &mut self.file {
            file.flush().map_err(|e| cannot_write(path, &e))?;
        }
        Ok(())
    }
}
