//! Why the command did not do what it was asked, and the exit code that says so.

use remotemedia::error::{Detail, Status, detail};
use remotemedia::{Error, PushError};
use std::io;

/// What the exit code says. The numbers are documented in `docs/cli.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything went well.
    Good = 0,
    /// The pipeline failed while it ran.
    Failed = 1,
    /// The command line asks for something that can't be.
    Usage = 2,
    /// The manifest is not valid.
    Manifest = 3,
    /// A file can't be read, written or understood.
    File = 4,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

/// An error with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: Error,
    /// Name and text of the manifest that the error's problems lie in.
    pub(crate) source: Option<(String, Option<String>)>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: Error) -> Self {
        Self { exit, error, source: None }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::usage_of(detail::ARGUMENT_INVALID, message)
    }

    /// The command line is wrong in this way.
    pub(crate) fn usage_of(detail: Detail, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Error::new(detail, message))
    }

    /// Something is wrong with a file.
    pub(crate) fn file(error: Error) -> Self {
        Self::new(Exit::File, error)
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error = self.error.with_hint(hint);
        self
    }
}

impl From<Error> for Failure {
    /// An error of a pipeline that runs, or of making it.
    fn from(error: Error) -> Self {
        let media = error.detail().id.starts_with("media.");
        let exit = match error.status() {
            Status::Io => Exit::File,
            Status::InvalidManifest => Exit::Manifest,
            _ if media => Exit::File,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        Error::from(error).into()
    }
}

/// A file can't be opened or created.
pub(crate) fn cannot_open(path: &str, error: &io::Error) -> Failure {
    Failure::file(Error::new(detail::IO_OPEN, format!("'{path}' can't be opened: {error}")))
}

/// A file can't be read further.
pub(crate) fn cannot_read(path: &str, error: &io::Error) -> Failure {
    Failure::file(Error::new(detail::IO_READ, format!("'{path}' can't be read: {error}")))
}

/// A file can't be written.
pub(crate) fn cannot_write(path: &str, error: &io::Error) -> Failure {
    Failure::file(Error::new(detail::IO_WRITE, format!("'{path}' can't be written: {error}")))
}
