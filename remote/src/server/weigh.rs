//! What messages take while they come in: the library gathers each one before anybody here sees it.

use super::budget::Share;
use super::served::Served;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::Request;

/// Counts what the messages of a call take until each is whole. A call whose message the server has no
/// room for ends with `remote.limit`.
pub(super) fn weigh(request: Request<Body>, served: &Arc<Served>) -> Request<Body> {
    let (served, share) = (Arc::clone(served), served.sessions.budget().share());
    request.map(|body| Body::new(Weighed { body, served, share, message: Message::default() }))
}

struct Weighed {
    body: Body,
    served: Arc<Served>,
    /// What has come of a message that is not whole.
    share: Share,
    message: Message,
}

/// A message that comes in: a byte that says how it is packed, four of its length, and it itself.
#[derive(Default)]
struct Message {
    head: [u8; 5],
    /// Bytes of it that have come.
    came: usize,
}

impl Message {
    /// Takes what comes: bytes of a message that is not whole then.
    fn take(&mut self, mut bytes: &[u8]) -> usize {
        while !bytes.is_empty() {
            let head = self.head.len();
            if self.came < head {
                let some = bytes.len().min(head - self.came);
                self.head[self.came..self.came + some].copy_from_slice(&bytes[..some]);
                self.came += some;
                bytes = &bytes[some..];
            }
            if self.came >= head {
                let [_, length @ ..] = self.head;
                let whole = head.saturating_add(u32::from_be_bytes(length) as usize);
                let some = bytes.len().min(whole - self.came);
                self.came += some;
                bytes = &bytes[some..];
                if self.came == whole {
                    self.came = 0;
                }
            }
        }
        self.came
    }
}

impl http_body::Body for Weighed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
            && let Err(error) = this.share.set(this.message.take(bytes))
        {
            // It goes no further: others may have the room.
            let _ = this.share.set(0);
            return Poll::Ready(Some(Err(this.served.refuse(&error))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn however_messages_are_cut_what_is_not_whole_of_the_last_one_counts(
            lengths in prop::collection::vec(0_usize..40, 0..20),
            cuts in prop::collection::vec(1_usize..50, 1..20),
            left in 0_usize..4,
        ) {
            let mut bytes = Vec::new();
            for length in &lengths {
                bytes.push(0);
                bytes.extend(u32::try_from(*length).expect("small").to_be_bytes());
                bytes.resize(bytes.len() + length, 7);
            }
            let whole = bytes.len();
            // One that has only begun.
            bytes.extend([0, 0, 0, 1].iter().take(left));
            let (mut message, mut counts, mut at) = (Message::default(), 0, 0);
            for cut in cuts.iter().cycle() {
                let piece = &bytes[at..bytes.len().min(at + cut)];
                if piece.is_empty() {
                    break;
                }
                counts = message.take(piece);
                at += piece.len();
                prop_assert!(counts <= 5 + 40);
            }
            prop_assert_eq!(counts, bytes.len() - whole);
        }
    }
}
