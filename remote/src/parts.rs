//! Messages in parts: what is too large for one message, and how much a message may be.

use crate::v1::Part;
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use remotemedia_core::error::{Error, Result, detail};

/// Bytes of one message of gRPC at most.
pub(crate) const MOST_BYTES: usize = 64 << 20;
/// Bytes that a message may have around its call or its outputs.
pub(crate) const ENVELOPE: usize = 1024;
/// Bytes of a message at most that comes in parts, unless the server says otherwise.
pub(crate) const WHOLE_BYTES: usize = 256 << 20;
/// Bytes of a part. Between two of them there is room for a sign of life.
pub(crate) const PART_BYTES: usize = 1 << 20;

/// The size of parts for a client that wishes them so large; 0: it wishes none.
pub(crate) fn part_size(wish: u32) -> usize {
    match wish as usize {
        0 => 0,
        wish => wish.clamp(64 << 10, MOST_BYTES - ENVELOPE),
    }
}

/// A message, cut into pieces of that size.
fn cut(mut message: Bytes, size: usize) -> impl Iterator<Item = Part> {
    std::iter::from_fn(move || {
        let data = message.split_to(size.min(message.len()));
        (!data.is_empty()).then(|| Part { data, rest: message.len() as u64 })
    })
}

/// A message as it is, or, where the client has asked for it and it is larger, in parts of that size.
pub(crate) fn cut_if_large<T: Message>(
    message: T,
    size: usize,
    part: impl Fn(Part) -> T,
) -> Vec<T> {
    if size == 0 || message.encoded_len() <= size {
        return vec![message];
    }
    cut(message.encode_to_vec().into(), size).map(part).collect()
}

/// The pieces of a message, as they come.
pub struct Parts {
    most: usize,
    bytes: BytesMut,
    /// What is still to come; `None`: no message has begun.
    rest: Option<u64>,
}

impl Parts {
    /// For messages of at most so many bytes.
    pub fn new(most: usize) -> Self {
        Self { most, bytes: BytesMut::new(), rest: None }
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.bytes.len()
    }

    /// Takes a piece; the last one gives the message.
    ///
    /// # Errors
    /// `remote.limit` for a message that is too large, `remote.protocol` for pieces that don't follow
    /// each other.
    pub fn take(&mut self, part: Part) -> Result<Option<Bytes>> {
        let (came, rest) = (part.data.len() as u64, part.rest);
        let whole = (self.bytes.len() as u64).saturating_add(came).saturating_add(rest);
        let follows = self.rest.is_none_or(|left| came.checked_add(rest) == Some(left));
        if came == 0 || !follows {
            let message = format!("a part of {came} bytes before {rest}, after {:?}", self.rest);
            return Err(crate::wire::wrong(message));
        }
        if whole > self.most as u64 {
            return Err(too_large("a message in parts", whole, self.most));
        }
        if self.rest.is_none() {
            // What is promised takes no memory before it comes.
            self.bytes.reserve(whole as usize);
        }
        self.bytes.put(part.data);
        self.rest = Some(rest);
        if rest > 0 {
            return Ok(None);
        }
        self.rest = None;
        Ok(Some(std::mem::take(&mut self.bytes).freeze()))
    }
}

/// What can't go over the wire.
pub(crate) fn too_large(what: &str, bytes: u64, most: usize) -> Error {
    let message = format!("{what} has {bytes} bytes as a message, more than {most}");
    Error::new(detail::REMOTE_LIMIT, message)
        .with_hint("cut it into smaller packets in front of the node on the server")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_in_parts_is_the_message(
            bytes in prop::collection::vec(any::<u8>(), 1..5000),
            size in 1_usize..700,
        ) {
            let mut parts = Parts::new(5000);
            let mut whole = None;
            for part in cut(bytes.clone().into(), size) {
                prop_assert!(whole.is_none());
                whole = parts.take(part).expect("it follows");
            }
            prop_assert_eq!(whole.expect("the last one"), bytes);
            prop_assert_eq!(parts.held(), 0);
        }

        #[test]
        fn whatever_parts_come_no_more_is_held_than_may_be(
            pieces in prop::collection::vec((0_usize..300, any::<u64>()), 1..40),
        ) {
            let mut parts = Parts::new(1000);
            for (bytes, rest) in pieces {
                let _ = parts.take(Part { data: vec![0; bytes].into(), rest: rest % 1500 });
                prop_assert!(parts.held() <= 1000);
            }
        }
    }

    #[test]
    fn parts_are_neither_tiny_nor_too_large_for_a_message() {
        let sizes = [0, 1, 1 << 20, u32::MAX].map(part_size);
        assert_eq!(sizes, [0, 64 << 10, 1 << 20, MOST_BYTES - ENVELOPE]);
    }

    #[test]
    fn parts_that_do_not_follow_each_other_are_refused() {
        let part = |bytes: usize, rest| Part { data: vec![0; bytes].into(), rest };
        let mut parts = Parts::new(100);
        assert!(parts.take(part(10, 20)).expect("the first").is_none());
        assert_eq!(parts.take(part(10, 20)).expect_err("again").detail(), detail::REMOTE_PROTOCOL);
        assert_eq!(
            Parts::new(100).take(part(0, 0)).expect_err("none").detail(),
            detail::REMOTE_PROTOCOL
        );
        let error = Parts::new(100).take(part(10, u64::MAX)).expect_err("too many");
        assert_eq!(error.detail(), detail::REMOTE_LIMIT);
    }
}
