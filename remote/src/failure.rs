//! Errors to messages and back, and to what gRPC has for them.

use crate::v1;
use prost::Message;
use remotemedia_core::error::{Detail, Error, Status, detail};
use tonic::Code;

/// Bytes of an error as a message.
const MOST_BYTES: usize = 64 << 10;
/// Bytes of one among the headers of a call's end: clients take 16 KiB of them all, where three bytes are four.
const MOST_IN_HEADERS: usize = 8 << 10;
/// How it is cut until it fits: bytes of a text, problems, causes of causes.
const CUTS: [(usize, usize, usize); 3] = [(1024, 16, 4), (256, 8, 2), (128, 2, 1)];

/// An error as a message. What a client has sent may stand in it, as large as that was: then it is cut.
pub(crate) fn to_wire(error: &Error) -> v1::Error {
    fit(whole(error), MOST_BYTES)
}

fn fit(mut error: v1::Error, most: usize) -> v1::Error {
    for (text, problems, causes) in CUTS {
        if error.encoded_len() > most {
            cut(&mut error, text, problems, causes);
        }
    }
    error
}

fn cut(error: &mut v1::Error, text: usize, problems: usize, causes: usize) {
    let texts = [&mut error.node, &mut error.port, &mut error.pointer, &mut error.hint];
    texts.into_iter().flatten().for_each(|said| cut_text(said, text));
    cut_text(&mut error.message, text);
    error.problems.truncate(problems);
    error.problems.iter_mut().for_each(|said| cut_text(said, text));
    match (&mut error.cause, causes) {
        (cause, 0) => *cause = None,
        (Some(cause), _) => cut(cause, text, problems, causes - 1),
        (None, _) => {}
    }
}

/// Bytes of a text that people read: in a header, in a log.
pub(crate) const MOST_LINE: usize = 1024;

/// Cuts a text to about so many bytes.
pub(crate) fn cut_text(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

fn whole(error: &Error) -> v1::Error {
    v1::Error {
        status: error.status().name().to_owned(),
        detail: error.detail().id.to_owned(),
        message: error.message().to_owned(),
        node: error.node().map(str::to_owned),
        port: error.port().map(str::to_owned),
        pointer: error.pointer().map(str::to_owned),
        hint: error.hint().map(str::to_owned),
        cause: error.cause().map(|cause| Box::new(whole(cause))),
        problems: error.problems().iter().map(|p| p.to_json().to_string()).collect(),
        retryable: error.status() == Status::Unavailable,
    }
}

/// The error of a message. An id that this version does not know becomes `node.failed`, and the
/// message says which it was.
pub fn from_wire(error: v1::Error) -> Error {
    from_wire_at(error, 0)
}

/// Causes of causes are followed so deep.
const DEEPEST: usize = 16;

fn from_wire_at(error: v1::Error, depth: usize) -> Error {
    let mut made = match known(&error.detail) {
        Some(detail) => Error::new(detail, error.message),
        None => {
            let message = format!("{} [{}]", error.message, error.detail);
            Error::new(detail::NODE_FAILED, message)
        }
    };
    if let Some(node) = error.node {
        made = made.in_node(node);
    }
    if let Some(port) = error.port {
        made = made.at_port(port);
    }
    if let Some(pointer) = error.pointer {
        made = made.at_pointer(pointer);
    }
    if let Some(hint) = error.hint {
        made = made.with_hint(hint);
    }
    match error.cause {
        Some(cause) if depth < DEEPEST => made.caused_by(from_wire_at(*cause, depth + 1)),
        _ => made,
    }
}

fn known(id: &str) -> Option<Detail> {
    detail::ALL.iter().find(|detail| detail.id == id).copied()
}

/// An error as the end of a call: the code that fits best, and all of it in the details.
pub(crate) fn to_status(error: &Error) -> tonic::Status {
    let code = match (error.detail(), error.status()) {
        (detail::REMOTE_AUTH, _) => Code::Unauthenticated,
        (detail::REMOTE_PROTOCOL, _) => Code::InvalidArgument,
        (_, Status::InvalidArgument | Status::InvalidManifest | Status::Format | Status::Late) => {
            Code::InvalidArgument
        }
        (_, Status::NotFound) => Code::NotFound,
        (_, Status::Unsupported) => Code::Unimplemented,
        (_, Status::Limit | Status::Full) => Code::ResourceExhausted,
        (_, Status::State | Status::Closed | Status::BadHandle | Status::Forked) => {
            Code::FailedPrecondition
        }
        (_, Status::Cancelled) => Code::Cancelled,
        (detail::REMOTE_LOST, _) => Code::NotFound,
        (_, Status::Unavailable) => Code::Unavailable,
        (_, Status::Node | Status::Io | Status::Reentrant) => Code::Aborted,
        _ => Code::Internal,
    };
    let details = fit(whole(error), MOST_IN_HEADERS).encode_to_vec();
    tonic::Status::with_details(code, short(error), details.into())
}

/// What fits into a header: the first problems of a manifest stand in the details.
fn short(error: &Error) -> String {
    let mut text = error.to_string();
    cut_text(&mut text, MOST_LINE);
    text
}

/// The error that ended a call to `server`.
pub(crate) fn from_status(status: &tonic::Status, server: &str) -> Error {
    if let Some(error) = v1::Error::decode(status.details()).ok().filter(|e| !e.detail.is_empty()) {
        return from_wire(error);
    }
    let says = status.message();
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => {
            Error::new(detail::REMOTE_AUTH, format!("{server} does not let this client in: {says}"))
        }
        Code::Unimplemented => {
            let message = format!("{server} does not know the call: {says}");
            Error::new(detail::REMOTE_REFUSED, message)
                .with_hint("it is another service, or an older version of this one")
        }
        Code::ResourceExhausted | Code::OutOfRange => {
            Error::new(detail::REMOTE_LIMIT, format!("{server} refused the call: {says}"))
        }
        // What a broken connection looks like: the code depends on where it broke.
        _ => {
            let mut message = format!("the connection to {server} broke: {says}");
            let mut cause = std::error::Error::source(status);
            while let Some(error) = cause {
                let text = error.to_string();
                if !message.contains(&text) {
                    message = format!("{message}: {text}");
                }
                cause = error.source();
            }
            Error::new(detail::REMOTE_UNREACHABLE, message)
        }
    }
}

/// Whether the same call may succeed a little later.
pub(crate) fn may_pass(error: &Error) -> bool {
    let detail = error.detail();
    detail == detail::REMOTE_UNREACHABLE || detail == detail::REMOTE_DRAINING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_what_a_client_has_sent_is_cut_and_says_what_it_is() {
        let name = "ä".repeat(1 << 20);
        let mut error = Error::new(detail::ARGUMENT_INVALID, format!("no input '{name}'"));
        for _ in 0..20 {
            let outer = Error::new(detail::NODE_FAILED, &name).at_port(&name).with_hint(&name);
            error = outer.caused_by(error);
        }
        let wire = to_wire(&error);
        assert!(wire.encoded_len() <= MOST_BYTES, "{}", wire.encoded_len());
        let status = to_status(&error);
        assert!(status.details().len() <= MOST_IN_HEADERS && status.message().len() <= 1030);
        let back = from_wire(wire);
        assert_eq!(back.detail(), detail::NODE_FAILED);
        assert!(back.cause().is_some_and(|cause| cause.message().starts_with("ää")));
        // One as errors are is whole.
        let error = Error::new(detail::ARGUMENT_INVALID, "x".repeat(50_000)).at_port("in");
        assert_eq!(from_wire(to_wire(&error)).message(), error.message());
    }
}
