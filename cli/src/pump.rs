//! Reading from where a read can wait for ever: standard input, a pipe.
//!
//! A thread reads, so that Ctrl-C can end the stream while nothing comes.

use crate::interrupt;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Most bytes that are handed over at once.
const CHUNK: usize = 64 << 10;

/// A reader that ends at Ctrl-C.
pub(crate) struct Pump {
    /// Behind a lock only because decoders want readers that threads could share.
    chunks: Mutex<Receiver<io::Result<Vec<u8>>>>,
    chunk: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl Pump {
    /// Begins to read.
    pub(crate) fn new(mut from: impl Read + Send + 'static) -> Self {
        let (sender, chunks) = sync_channel(1);
        let waker = sender.clone();
        interrupt::wake(move || {
            // A full channel wakes the reader as well.
            let _ = waker.try_send(Ok(Vec::new()));
        });
        std::thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = match from.read(&mut chunk) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let end = !matches!(read, Ok(len) if len > 0);
                let sent = sender.send(read.map(|len| {
                    chunk.truncate(len);
                    chunk
                }));
                if end || sent.is_err() {
                    return;
                }
            }
        });
        Self { chunks: Mutex::new(chunks), chunk: Vec::new(), taken: 0, ended: false }
    }
}

impl Read for Pump {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.chunk.len() && !self.ended {
            let chunks = self.chunks.get_mut().unwrap_or_else(PoisonError::into_inner);
            let chunk = match chunks.recv() {
                Ok(chunk) => chunk?,
                Err(_) => Vec::new(),
            };
            (self.chunk, self.taken) = (chunk, 0);
        }
        if self.chunk.is_empty() || interrupt::requested() {
            self.ended = true;
        }
        if self.ended || out.is_empty() {
            return Ok(0);
        }
        let len = out.len().min(self.chunk.len() - self.taken);
        out[..len].copy_from_slice(&self.chunk[self.taken..self.taken + len]);
        self.taken += len;
        Ok(len)
    }
}
