//! What every message must bear that comes over the wire. One function per target.

use prost::Message;
use remotemedia_core::error::Error;
use remotemedia_core::packet::{Packet, Pool};
use remotemedia_remote::server::Token;
use remotemedia_remote::{Parts, error_from_wire, packet_from_wire, packet_to_wire, v1};

/// What a target does with an input; it panics when the input breaks something.
pub type Check = fn(&[u8]);

/// The targets by their names.
pub const TARGETS: &[(&str, Check)] = &[
    ("wire_packet", packet),
    ("wire_request", request),
    ("wire_response", response),
    ("wire_error", error),
    ("wire_pipeline_request", pipeline_request),
    ("wire_pipeline_response", pipeline_response),
    ("wire_parts", parts),
    ("server_tokens", tokens),
];

/// A packet. What is one comes back as it was when it is sent on.
pub fn packet(data: &[u8]) {
    if let Ok(message) = v1::Packet::decode(data) {
        look_at(message);
    }
}

/// What a client says on a stream.
pub fn request(data: &[u8]) {
    use v1::stream_node_request::{Request, call::Call};
    let Ok(message) = v1::StreamNodeRequest::decode(data) else { return };
    let Some(Request::Call(call)) = message.request else { return };
    match call.call {
        Some(Call::Process(process)) => process.packet.into_iter().for_each(look_at),
        Some(Call::Join(set)) => {
            set.places.into_iter().filter_map(|place| place.packet).for_each(look_at);
        }
        _ => {}
    }
}

/// What a server says on a stream.
pub fn response(data: &[u8]) {
    use v1::stream_node_response::Response;
    let Ok(message) = v1::StreamNodeResponse::decode(data) else { return };
    let Some(Response::Answer(answer)) = message.response else { return };
    answer.outputs.into_iter().filter_map(|output| output.packet).for_each(look_at);
    answer.error.map(error_from_wire).iter().for_each(show);
}

/// What a client says on a stream of a pipeline.
pub fn pipeline_request(data: &[u8]) {
    use v1::stream_pipeline_request::{Request, command::Command};
    let Ok(message) = v1::StreamPipelineRequest::decode(data) else { return };
    let Some(Request::Command(command)) = message.request else { return };
    let Some(Command::Push(push)) = command.command else { return };
    push.packet.into_iter().for_each(look_at);
}

/// What a server says on a stream of a pipeline.
pub fn pipeline_response(data: &[u8]) {
    use v1::stream_pipeline_response::Response;
    let Ok(message) = v1::StreamPipelineResponse::decode(data) else { return };
    match message.response {
        Some(Response::Output(output)) => {
            output.packet.and_then(|output| output.packet).into_iter().for_each(look_at);
        }
        Some(Response::Failed(error)) => show(&error_from_wire(error)),
        _ => {}
    }
}

/// The parts of a message, one after the other: each a length of two bytes, and a part of that length.
pub fn parts(mut data: &[u8]) {
    const MOST: usize = 1 << 16;
    let mut parts = Parts::new(MOST);
    while let Some((length, rest)) = data.split_at_checked(2) {
        let length = usize::from(u16::from_le_bytes([length[0], length[1]])).min(rest.len());
        let (part, rest) = rest.split_at(length);
        data = rest;
        if let Ok(part) = v1::Part::decode(part)
            && let Err(error) = parts.take(part)
        {
            show(&error);
        }
        assert!(parts.held() <= MOST);
    }
}

/// A server's file of tokens.
pub fn tokens(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Err(error) = Token::read(text)
    {
        show(&error);
    }
}

/// An error, as it stands in the details of a status.
pub fn error(data: &[u8]) {
    v1::Error::decode(data).map(error_from_wire).iter().for_each(show);
}

fn look_at(message: v1::Packet) {
    let pool = Pool::new();
    match packet_from_wire(message, &pool) {
        Ok(packet) => {
            let sent = packet_to_wire(&packet).encode_to_vec();
            let again = v1::Packet::decode(sent.as_slice()).expect("it was just encoded");
            let back = packet_from_wire(again, &pool).expect("it was one");
            assert!(same(&packet, &back), "{packet:?} came back as {back:?}");
        }
        Err(error) => show(&error),
    }
}

fn same(one: &Packet, other: &Packet) -> bool {
    // Not-a-number is not equal to itself; in words it is.
    format!("{one:?}") == format!("{other:?}")
        && one.as_audio().map(|audio| audio.buffer().as_slice())
            == other.as_audio().map(|audio| audio.buffer().as_slice())
}

fn show(error: &Error) {
    assert!(!error.to_json().to_string().is_empty());
}
