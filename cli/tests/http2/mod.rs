//! HTTP/2 frame by frame: what no client library would send.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// What a client begins with.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The name of a setting: bytes that a stream may have on its way.
pub(crate) const INITIAL_WINDOW: u16 = 4;
/// `GOAWAY` because of too much of something.
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// How long a write may get nowhere before it is taken for held up.
const HELD: Duration = Duration::from_secs(2);

/// A connection on which anything can be said.
pub(crate) struct Raw {
    stream: TcpStream,
    next: u32,
}

/// What has become of bytes that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The other side, or the network, has them.
    Taken,
    /// The other side reads no more for now.
    Held,
    /// The other side has ended the connection.
    Cut,
}

impl Raw {
    /// Connects, and says no more than clients have to.
    pub(crate) fn to(endpoint: &str) -> Self {
        Self::with(endpoint, &[])
    }

    /// Connects with these settings.
    pub(crate) fn with(endpoint: &str, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(endpoint).expect("it connects");
        stream.set_nodelay(true).expect("a socket");
        stream.set_write_timeout(Some(HELD)).expect("a socket");
        let mut raw = Self { stream, next: 1 };
        assert_eq!(raw.send(&[PREFACE, &self::settings(settings)].concat()), Sent::Taken);
        // The server's own settings hold from when they are acknowledged.
        raw.await_frame(SETTINGS, HELD).expect("it answers");
        assert_eq!(raw.send(&frame(SETTINGS, ACK, 0, &[])), Sent::Taken);
        raw
    }

    /// A number for another stream.
    pub(crate) fn stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Writes all of it, if the other side takes it.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Sent {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Sent::Held,
                Err(_) => return Sent::Cut,
            }
        }
        Sent::Taken
    }

    /// Reads until a frame of that kind comes: its payload. `None`: the connection ended before.
    fn await_frame(&mut self, wanted: u8, patience: Duration) -> Option<Vec<u8>> {
        self.stream.set_read_timeout(Some(patience)).expect("a socket");
        loop {
            let mut head = [0; 9];
            self.whole(&mut head)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            self.whole(&mut payload)?;
            if head[3] == wanted {
                return Some(payload);
            }
        }
    }

    fn whole(&mut self, into: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(into) {
            Ok(()) => Some(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => panic!("nothing comes"),
            Err(_) => None,
        }
    }

    /// Reads to the end of the connection: the reason that the other side gave, if it gave one.
    pub(crate) fn reason(&mut self, patience: Duration) -> Option<u32> {
        let payload = self.await_frame(GO_AWAY, patience)?;
        Some(u32::from_be_bytes([payload[4], payload[5], payload[6], payload[7]]))
    }

    /// Reads on until the other side has ended the connection.
    pub(crate) fn end(&mut self, patience: Duration) {
        while self.await_frame(GO_AWAY, patience).is_some() {}
    }

    /// Waits until the other side has read all that was sent.
    pub(crate) fn settle(&mut self, patience: Duration) {
        assert_eq!(self.send(&ping(7)), Sent::Taken);
        self.await_frame(PING, patience).expect("it answers");
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(crate) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let bytes = |(name, value): &(u16, u32)| {
        [name.to_be_bytes().as_slice(), value.to_be_bytes().as_slice()].concat()
    };
    frame(SETTINGS, 0, 0, &settings.iter().flat_map(bytes).collect::<Vec<u8>>())
}

pub(crate) fn ping(number: u64) -> Vec<u8> {
    frame(PING, 0, 0, &number.to_be_bytes())
}

/// An answer to a ping that was never sent.
pub(crate) fn pong(number: u64) -> Vec<u8> {
    frame(PING, ACK, 0, &number.to_be_bytes())
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    const CANCEL: u32 = 8;
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

pub(crate) fn window(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

/// Bytes of a stream, of which more may come.
pub(crate) fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(16 << 10).flat_map(|part| frame(DATA, 0, stream, part)).collect()
}

/// Opens a stream with these headers.
pub(crate) fn headers(stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block(headers))
}

/// Opens a stream with headers that are not all of them.
pub(crate) fn first_headers(stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, 0, stream, &block(headers))
}

/// More headers, and still not all.
pub(crate) fn more_headers(stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(CONTINUATION, 0, stream, &block(headers))
}

/// Opens a stream for a call of that path.
pub(crate) fn call(stream: u32, path: &str) -> Vec<u8> {
    headers(stream, &request(path))
}

/// What a call's headers have to be.
pub(crate) fn request(path: &str) -> Vec<(&str, &str)> {
    vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
}

/// A message as gRPC wraps it.
pub(crate) fn message(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a message");
    [&announced(length), bytes].concat()
}

/// What gRPC puts before a message of so many bytes.
pub(crate) fn announced(length: u32) -> Vec<u8> {
    [&[0], length.to_be_bytes().as_slice()].concat()
}

/// More headers: the last ones.
pub(crate) fn last_headers(stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    frame(CONTINUATION, END_HEADERS, stream, &block(headers))
}

/// Headers as literals that are never indexed, the one form of HPACK that needs no table.
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

fn text(block: &mut Vec<u8>, text: &str) {
    match text.len() {
        short @ 0..127 => block.push(short as u8),
        long => {
            block.push(127);
            let mut rest = long - 127;
            while rest > 127 {
                block.push((rest % 128) as u8 | 128);
                rest /= 128;
            }
            block.push(rest as u8);
        }
    }
    block.extend(text.as_bytes());
}
