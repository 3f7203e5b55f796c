//! A document's content as typed values.
//!
//! Lenient: what has the wrong type has been reported by `shape` and reads as absent, so that all
//! else can still be checked.

use super::problem::{at, excerpt};
use crate::graph::{Lane, Late, Placement, QueueLimits, QueuePolicy, Timing};
use crate::node::caps::Numbers;
use crate::node::params::as_int;
use crate::packet::MediaTime;
use serde_json::{Map, Value as Json};
use std::fmt;
use std::time::Duration;

/// What a manifest says.
pub(crate) struct Spec<'a> {
    pub(crate) name: &'a str,
    pub(crate) auto_negotiate: bool,
    pub(crate) timing: Timing,
    pub(crate) nodes: Vec<NodeSpec<'a>>,
    pub(crate) connections: Vec<ConnectionSpec<'a>>,
    pub(crate) inputs: Vec<NamedSpec<'a>>,
    pub(crate) outputs: Vec<NamedSpec<'a>>,
    /// Limits where a place states none.
    pub(crate) queue: QueueLimits,
    /// Where nodes run that say nothing and that nothing feeds.
    pub(crate) placement: Placement,
    /// The server of all nodes that say nothing and can run on one.
    pub(crate) remote: Option<RemoteSpec>,
    /// Nodes behind which an interrupt hits; `None`: it hits everything.
    pub(crate) interrupt: Option<Vec<&'a str>>,
    /// Whether all nodes could be read; if not, a name that is not found may be one of them.
    pub(crate) all_nodes: bool,
    /// Whether there is a list of nodes, be it empty.
    pub(crate) has_nodes: bool,
}

/// A node.
pub(crate) struct NodeSpec<'a> {
    pub(crate) pointer: String,
    pub(crate) id: &'a str,
    pub(crate) node_type: &'a str,
    /// Whether the type is there, be it empty.
    pub(crate) has_type: bool,
    pub(crate) params: Option<&'a Map<String, Json>>,
    pub(crate) is_output: bool,
    pub(crate) source_rate: Option<u32>,
    pub(crate) placement: Placement,
    /// The server that runs it.
    pub(crate) remote: Option<RemoteSpec>,
    pub(crate) realtime: bool,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) errors: ErrorSpec<'a>,
    pub(crate) narrow: Vec<Narrow<'a>>,
}

/// `placement: remote`, with what `remote` or `host` says.
pub(crate) struct RemoteSpec {
    /// Where it says so.
    pub(crate) pointer: String,
    pub(crate) settings: Map<String, Json>,
}

/// What an error of a node does.
pub(crate) struct ErrorSpec<'a> {
    pub(crate) on_error: &'a str,
    pub(crate) retry: Option<RetrySpec>,
    pub(crate) fallback: Option<FallbackSpec<'a>>,
    pub(crate) breaker: Option<BreakerSpec>,
    pub(crate) deadline_ms: Option<f64>,
}

/// `retry`; what it does not say is left open.
pub(crate) struct RetrySpec {
    pub(crate) attempts: Option<u32>,
    pub(crate) base_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    pub(crate) multiplier: Option<f64>,
}

/// `fallback`.
pub(crate) struct FallbackSpec<'a> {
    pub(crate) node_type: &'a str,
    /// Where its type stands, and where its params do.
    pub(crate) pointers: (String, String),
    pub(crate) params: Option<&'a Map<String, Json>>,
}

/// `breaker`; what it does not say is left open.
pub(crate) struct BreakerSpec {
    pub(crate) failures: Option<u32>,
    pub(crate) reset_ms: Option<f64>,
}

/// What `media_capabilities` says about a port.
pub(crate) struct Narrow<'a> {
    pub(crate) pointer: String,
    pub(crate) input: bool,
    pub(crate) port: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) rates: Option<Numbers>,
    pub(crate) channels: Option<Numbers>,
    pub(crate) formats: Vec<&'a str>,
}

/// A connection.
pub(crate) struct ConnectionSpec<'a> {
    pub(crate) pointer: String,
    pub(crate) from: Option<End<'a>>,
    pub(crate) to: Option<End<'a>>,
    pub(crate) queue: QueueLimits,
    /// Whether the connection itself says something about its queue.
    pub(crate) own_queue: bool,
}

/// `node` or `node.port`.
#[derive(Clone, Copy)]
pub(crate) struct End<'a> {
    /// As it stands there.
    pub(crate) written: &'a str,
    pub(crate) node: &'a str,
    pub(crate) port: Option<&'a str>,
}

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&excerpt(self.written))
    }
}

/// A named input or output.
pub(crate) struct NamedSpec<'a> {
    pub(crate) pointer: String,
    /// Where its port is named.
    pub(crate) port_pointer: String,
    pub(crate) name: &'a str,
    pub(crate) end: End<'a>,
    pub(crate) queue: QueueLimits,
    pub(crate) late: Late,
    pub(crate) source_rate: Option<u32>,
}

/// Reads a document.
pub(crate) fn read(document: &Json) -> Spec<'_> {
    let metadata = document.get("metadata");
    let queue = queue(document, QueueLimits::default());
    let nodes = list(document, "nodes");
    let remote = remote_settings(document);
    let node = |(i, n)| node(n, format!("/nodes/{i}"), &remote);
    let read: Vec<_> = nodes.iter().enumerate().filter_map(node).collect();
    Spec {
        name: metadata.and_then(|m| text(m, "name")).unwrap_or_default(),
        auto_negotiate: metadata.and_then(|m| m.get("auto_negotiate")?.as_bool()).unwrap_or(true),
        timing: match text(document, "timing") {
            Some("sampled") => Timing::Sampled,
            Some("none") => Timing::None,
            _ => Timing::All,
        },
        all_nodes: read.len() == nodes.len(),
        has_nodes: document.get("nodes").is_some_and(Json::is_array),
        nodes: read,
        connections: list(document, "connections")
            .iter()
            .enumerate()
            .map(|(i, c)| ConnectionSpec {
                pointer: format!("/connections/{i}"),
                from: text(c, "from").map(end),
                to: text(c, "to").map(end),
                queue: self::queue(c, queue),
                own_queue: c.get("queue").is_some(),
            })
            .collect(),
        inputs: named(document, "inputs", queue),
        outputs: named(document, "outputs", queue),
        queue,
        placement: placement(document),
        remote: says_remote(document)
            .map(|place| RemoteSpec { pointer: format!("/{place}"), settings: remote }),
        interrupt: document
            .get("interrupt")
            .and_then(|i| i.get("from")?.as_array())
            .map(|ids| ids.iter().filter_map(Json::as_str).collect()),
    }
}

/// `placement` and `lane`.
fn placement(value: &Json) -> Placement {
    let lane = match text(value, "lane") {
        Some("pool") => Some(Lane::Pool),
        Some("blocking") => Some(Lane::Blocking),
        Some("realtime") => Some(Lane::Realtime),
        _ => None,
    };
    match text(value, "placement") {
        Some("inline") => Placement::Inline,
        Some("thread") => Placement::Thread(lane),
        _ => Placement::Inherit,
    }
}

fn node<'a>(value: &'a Json, pointer: String, server: &Map<String, Json>) -> Option<NodeSpec<'a>> {
    let mut narrow = Vec::new();
    for (input, side) in [(true, "inputs"), (false, "outputs")] {
        let ports = value.get("media_capabilities").and_then(|m| m.get(side)?.as_object());
        for (port, constraint) in ports.into_iter().flatten() {
            narrow.push(Narrow {
                pointer: at(&format!("{pointer}/media_capabilities/{side}"), port),
                input,
                port,
                kind: text(constraint, "type").unwrap_or_default(),
                rates: constraint
                    .get("rate")
                    .or_else(|| constraint.get("sample_rate"))
                    .and_then(numbers),
                channels: constraint.get("channels").and_then(numbers),
                formats: match constraint.get("format") {
                    Some(Json::String(one)) => vec![one],
                    Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
                    _ => Vec::new(),
                },
            });
        }
    }
    Some(NodeSpec {
        id: text(value, "id")?,
        node_type: text(value, "node_type").unwrap_or_default(),
        has_type: text(value, "node_type").is_some(),
        params: value.get("params").and_then(Json::as_object),
        is_output: value.get("is_output_node").and_then(Json::as_bool).unwrap_or(false),
        source_rate: number(value, "source_rate"),
        placement: placement(value),
        remote: remote(value, &pointer, server),
        realtime: text(value, "pace") == Some("realtime"),
        max_wait: number(value, "max_wait_ms").map(|ms| Duration::from_millis(ms.into())),
        errors: errors(value, &pointer),
        narrow,
        pointer,
    })
}

/// What stands under `remote`.
fn remote_settings(value: &Json) -> Map<String, Json> {
    value.get("remote").and_then(Json::as_object).cloned().unwrap_or_default()
}

/// Where a node, or the whole manifest, says `placement: remote`. An `execution` of the earlier SDK may
/// say so, too.
pub(super) fn says_remote(value: &Json) -> Option<&'static str> {
    let is = |value: Option<&Json>| value.and_then(|v| text(v, "placement")) == Some("remote");
    if is(Some(value)) {
        Some("placement")
    } else {
        is(value.get("execution")).then_some("execution/placement")
    }
}

/// The server of a node that runs on one, with what the whole manifest says of it.
fn remote(value: &Json, pointer: &str, server: &Map<String, Json>) -> Option<RemoteSpec> {
    let says_so = says_remote(value)?;
    let said = value.get("remote").filter(|said| said.is_object());
    let mut settings = server.clone();
    settings.extend(remote_settings(value));
    let host = value.get("host").filter(|host| host.is_string());
    let place = match (said, host) {
        (Some(_), _) => "remote",
        (None, Some(_)) => "host",
        (None, None) => says_so,
    };
    if let Some(host) = host
        && said.is_none_or(|said| said.get("endpoint").is_none())
    {
        settings.insert("endpoint".to_owned(), host.clone());
    }
    Some(RemoteSpec { pointer: format!("{pointer}/{place}"), settings })
}

/// `on_error` and what goes with it.
fn errors<'a>(value: &'a Json, pointer: &str) -> ErrorSpec<'a> {
    let object = |name| value.get(name).filter(|v| v.is_object());
    let amount = |value: &Json, name| value.get(name).and_then(Json::as_f64);
    ErrorSpec {
        on_error: text(value, "on_error").unwrap_or("fail"),
        retry: object("retry").map(|retry| RetrySpec {
            attempts: number(retry, "attempts"),
            base_ms: amount(retry, "base_ms"),
            max_ms: amount(retry, "max_ms"),
            multiplier: amount(retry, "multiplier"),
        }),
        fallback: value.get("fallback").and_then(|fallback| {
            let place = format!("{pointer}/fallback");
            let (node_type, at) = match fallback {
                Json::String(node_type) => (node_type.as_str(), place.clone()),
                _ => (text(fallback, "node_type")?, format!("{place}/node_type")),
            };
            Some(FallbackSpec {
                node_type,
                pointers: (at, format!("{place}/params")),
                params: fallback.get("params").and_then(Json::as_object),
            })
        }),
        breaker: object("breaker").map(|breaker| BreakerSpec {
            failures: number(breaker, "failures"),
            reset_ms: amount(breaker, "reset_ms"),
        }),
        deadline_ms: amount(value, "deadline_ms"),
    }
}

fn named<'a>(document: &'a Json, side: &str, queue: QueueLimits) -> Vec<NamedSpec<'a>> {
    let map = document.get(side).and_then(Json::as_object);
    let entries = map.into_iter().flatten().filter_map(|(name, value)| {
        let pointer = at(&format!("/{side}"), name);
        let (port, port_pointer) = match value {
            Json::String(port) => (port.as_str(), pointer.clone()),
            _ => (text(value, "port")?, format!("{pointer}/port")),
        };
        Some(NamedSpec {
            pointer,
            port_pointer,
            name,
            end: end(port),
            queue: self::queue(value, queue),
            late: match text(value, "late") {
                Some("clamp") => Late::Clamp,
                Some("drop") => Late::Drop,
                _ => Late::Error,
            },
            source_rate: number(value, "source_rate"),
        })
    });
    entries.collect()
}

fn end(written: &str) -> End<'_> {
    match written.split_once('.') {
        Some((node, port)) => End { written, node, port: Some(port) },
        None => End { written, node: written, port: None },
    }
}

fn queue(value: &Json, base: QueueLimits) -> QueueLimits {
    let Some(queue) = value.get("queue") else { return base };
    let amount = |name| queue.get(name).and_then(as_int).filter(|n| *n > 0);
    let size = |name| amount(name).and_then(|n| usize::try_from(n).ok());
    QueueLimits {
        items: size("items").unwrap_or(base.items),
        bytes: size("bytes").unwrap_or(base.bytes),
        time: amount("ms").map_or(base.time, |n| MediaTime::from_millis(n.min(86_400_000))),
        policy: match text(queue, "policy") {
            Some("block") => QueuePolicy::Block,
            Some("drop_oldest") => QueuePolicy::DropOldest,
            Some("drop_newest") => QueuePolicy::DropNewest,
            Some("keep_latest") => QueuePolicy::KeepLatest,
            _ => base.policy,
        },
    }
}

fn numbers(value: &Json) -> Option<Numbers> {
    let whole = |v: &Json| as_int(v).and_then(|n| u32::try_from(n).ok());
    match value {
        Json::Number(_) => whole(value).map(Numbers::one),
        Json::Array(list) => Some(Numbers::List(list.iter().filter_map(whole).collect())),
        Json::Object(range) => {
            let bound = |name, none| range.get(name).map_or(Some(none), whole);
            Some(Numbers::Range(bound("min", 0)?, bound("max", u32::MAX)?))
        }
        _ => None,
    }
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value.get(name).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Json, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn number(value: &Json, name: &str) -> Option<u32> {
    as_int(value.get(name)?).and_then(|n| u32::try_from(n).ok())
}
