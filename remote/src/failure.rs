//! Errors to messages and back, and to what gRPC has for them.

use crate::v1;
use prost::Message;
use remotemedia_core::error::{Detail, Error, Status, detail};
use tonic::Code;

/// An error as a message.
pub(crate) fn to_wire(error: &Error) -> v1::Error {
    v1::Error {
        status: error.status().name().to_owned(),
        detail: error.detail().id.to_owned(),
        message: error.message().to_owned(),
        node: error.node().map(str::to_owned),
        port: error.port().map(str::to_owned),
        pointer: error.pointer().map(str::to_owned),
        hint: error.hint().map(str::to_owned),
        cause: error.cause().map(|cause| Box::new(to_wire(cause))),
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
    let details = to_wire(error).encode_to_vec();
    tonic::Status::with_details(code, short(error), details.into())
}

/// What fits into a header: the first problems of a manifest stand in the details.
fn short(error: &Error) -> String {
    const MOST: usize = 1024;
    let mut text = error.to_string();
    if text.len() > MOST {
        text.truncate(text.floor_char_boundary(MOST));
        text.push('…');
    }
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
