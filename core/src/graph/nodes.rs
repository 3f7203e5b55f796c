//! The nodes of a manifest: their types, params and ports.

use super::{GraphNode, Placement, failure};
use crate::error::detail;
use crate::manifest::read::{Narrow, NodeSpec, RemoteSpec};
use crate::manifest::{Problems, check_params, error, excerpt, nearest};
use crate::node::caps::{AudioCaps, Caps, Kinds, Numbers, Samples};
use crate::node::{Join, Lookup, NodeType, Placed, Port, Ports, Registry};
use crate::packet::{Kind, SampleFormat};
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// Checks a node's id.
pub(super) fn check_id(node: &NodeSpec<'_>, problems: &mut Problems) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !node.id.is_empty() && node.id.chars().all(fits) {
        return;
    }
    let message = match node.id.is_empty() {
        true => "a node id is empty".to_owned(),
        false => format!("the node id '{}' has characters that ids don't take", excerpt(node.id)),
    };
    problems.add(
        error(detail::MANIFEST_NODE_ID, format!("{}/id", node.pointer), message)
            .expected("letters, digits, '_' and '-'"),
    );
}

/// The node with its type, params and ports; `None` when one of them is wrong.
pub(super) fn resolve(
    node: &NodeSpec<'_>,
    default: Option<&RemoteSpec>,
    registry: &Registry,
    problems: &mut Problems,
) -> Option<GraphNode> {
    let pointers = (format!("{}/node_type", node.pointer), format!("{}/params", node.pointer));
    let asked = Asked { id: node.id, node_type: node.node_type, params: node.params, pointers };
    // A type that is missing or no text has been reported.
    if node.node_type.is_empty() && !node.has_type {
        return None;
    }
    let Made { full, node_type, params, mut ports } = make(&asked, registry, problems)?;
    if node.realtime && !ports.inputs.is_empty() {
        let message = format!("'{}' has inputs: it goes as fast as what feeds it", node.id);
        problems.add(
            error(detail::MANIFEST_WRONG_VALUE, format!("{}/pace", node.pointer), message)
                .hint("give 'pace' to the source in front of it"),
        );
    }
    if node.max_wait.is_some() && matches!(ports.join, Join::Any | Join::LatestArrived) {
        let message = format!("'{}' waits for no other packets", node.id);
        problems.add(
            error(detail::MANIFEST_WRONG_VALUE, format!("{}/max_wait_ms", node.pointer), message)
                .hint("take it out"),
        );
    }
    for constraint in &node.narrow {
        narrow(&mut ports, constraint, node.id, problems);
    }
    let descriptor = node_type.descriptor();
    let stays = node.placement != Placement::Inherit
        || descriptor.inputs.is_empty()
        || descriptor.files
        || descriptor.external;
    let node_type = match node.remote.as_ref().or(default.filter(|_| !stays)) {
        Some(remote) => elsewhere(node, remote, &full, node_type, registry, problems)?,
        None => node_type,
    };
    let on_error = failure::resolve(node, node_type.as_ref(), &ports, registry, problems);
    Some(GraphNode {
        id: node.id.to_owned(),
        type_name: full,
        node_type,
        params,
        ports,
        on_error,
        adapter: false,
        segment: 0,
        bounds: false,
        max_wait: node.max_wait,
        realtime: node.realtime,
        hit: true,
    })
}

/// The type as it is used here, where the node runs on a server.
fn elsewhere(
    node: &NodeSpec<'_>,
    remote: &RemoteSpec,
    full: &str,
    node_type: Arc<dyn NodeType>,
    registry: &Registry,
    problems: &mut Problems,
) -> Option<Arc<dyn NodeType>> {
    let refused = if node_type.descriptor().inputs.is_empty() {
        let message = format!("'{}' is a source, which runs where its pipeline does", node.id);
        let hint = "place the nodes behind it, or run the whole pipeline on the server";
        error(detail::MANIFEST_NOT_SUPPORTED, &remote.pointer, message).hint(hint)
    } else if let Some(elsewhere) = registry.remote() {
        let (id, settings) = (node.id, &remote.settings);
        let placed = Placed { id, type_name: full, node_type: &node_type, remote: settings };
        match elsewhere.place(&placed) {
            Ok(placed) => return Some(placed),
            Err(e) => {
                let mut problem = error(e.detail(), &remote.pointer, e.message());
                problem.hint = e.hint().map(str::to_owned);
                problem
            }
        }
    } else {
        let message = "'remote' is not supported: this build has no client for servers";
        error(detail::MANIFEST_NOT_SUPPORTED, &remote.pointer, message).hint("take it out")
    };
    problems.add(refused);
    None
}

/// A type and params, as a manifest asks for them.
pub(super) struct Asked<'a> {
    /// The node that they are for.
    pub(super) id: &'a str,
    pub(super) node_type: &'a str,
    pub(super) params: Option<&'a Map<String, Json>>,
    /// Where the type stands, and where the params do.
    pub(super) pointers: (String, String),
}

/// A type that there is, with params that fit.
pub(super) struct Made {
    pub(super) full: String,
    pub(super) node_type: Arc<dyn NodeType>,
    pub(super) params: Map<String, Json>,
    pub(super) ports: Ports,
}

/// The type that is asked for, its params and ports; `None` when one of them is wrong.
pub(super) fn make(
    asked: &Asked<'_>,
    registry: &Registry,
    problems: &mut Problems,
) -> Option<Made> {
    let (full, node_type) = find(asked, registry, problems)?;
    let none = Map::new();
    let pointer = &asked.pointers.1;
    let mut fits = true;
    let params = check_params(
        node_type.params(),
        asked.params.unwrap_or(&none),
        node_type.descriptor().name,
        pointer,
        &mut |problem| {
            fits = false;
            problems.add(problem);
        },
    );
    if !fits {
        return None;
    }
    match node_type.ports(&params) {
        Ok(ports) => {
            Some(Made { full: full.to_owned(), node_type: Arc::clone(node_type), params, ports })
        }
        Err(e) => {
            let mut problem = error(detail::MANIFEST_PARAM_CONFLICT, pointer, e.message());
            problem.hint = e.hint().map(str::to_owned);
            problems.add(problem);
            None
        }
    }
}

fn find<'a>(
    asked: &Asked<'_>,
    registry: &'a Registry,
    problems: &mut Problems,
) -> Option<(&'a str, &'a Arc<dyn NodeType>)> {
    let pointer = &asked.pointers.0;
    let name = excerpt(asked.node_type);
    match registry.find(asked.node_type) {
        Lookup::Found(full, node_type) => return Some((full, node_type)),
        Lookup::Ambiguous(names) => problems.add(
            error(
                detail::MANIFEST_AMBIGUOUS_TYPE,
                pointer,
                format!("several namespaces have a node type '{name}'"),
            )
            .hint(format!("write {}", names.join(" or "))),
        ),
        Lookup::Unknown => {
            let bare = asked.node_type.rsplit_once('/').map_or(asked.node_type, |(_, bare)| bare);
            problems.add(
                error(
                    detail::MANIFEST_UNKNOWN_TYPE,
                    pointer,
                    format!("Unknown node type '{name}' for node '{}'", excerpt(asked.id)),
                )
                .nearest(bare, registry.names()),
            );
        }
    }
    None
}

/// Narrows a port to what `media_capabilities` say.
fn narrow(all: &mut Ports, constraint: &Narrow<'_>, node: &str, problems: &mut Problems) {
    let (ports, side) = match constraint.input {
        true => (&mut all.inputs, "input"),
        false => (&mut all.outputs, "output"),
    };
    // The earlier SDK called every port so.
    let default = constraint.port == "default" && ports.iter().all(|p| p.name != "default");
    let names: Vec<&str> = ports.iter().map(|p| p.name).collect();
    let found = if default { ports.first_mut() } else { port(ports, constraint.port) };
    let Some(port) = found else {
        let message = format!("'{node}' has no {side} '{}'", excerpt(constraint.port));
        let problem = error(detail::MANIFEST_UNKNOWN_PORT, &constraint.pointer, message);
        problems.add(match nearest(constraint.port, names.iter().copied()) {
            Some(name) => problem.hint(format!("did you mean '{name}'?")),
            None if names.is_empty() => problem.hint(format!("it has no {side}s")),
            None => problem.hint(format!("its {side}s are {}", names.join(", "))),
        });
        return;
    };
    let kinds = match kind(constraint.kind) {
        Some(kind) => Kinds::one(kind),
        // A kind that is missing or unknown has been reported.
        None => return,
    };
    let wanted = Caps { kinds, audio: audio(constraint) };
    // What an output has of the input comes in so: there an adapter can still make it.
    let inherited = (!constraint.input && port.like_input).then(|| inherited(&port.caps, &wanted));
    let mut meet = |port: &mut Port, wanted: &Caps| {
        let met = match port.caps.kinds.meet(wanted.kinds) {
            none if none.is_empty() => Err("kind"),
            both => port.caps.audio.meet(&wanted.audio).map(|audio| (both, audio)),
        };
        match met {
            Ok((kinds, audio)) => port.caps = Caps { kinds, audio },
            Err(field) => problems.add(
                error(
                    detail::MANIFEST_MEDIA_MISMATCH,
                    &constraint.pointer,
                    format!("'{node}.{}' never has such packets: the {field} differs", port.name),
                )
                .expected(format!("within {}", port.caps)),
            ),
        }
    };
    meet(port, &wanted);
    if let (Some(wanted), Some(input)) = (inherited, all.inputs.first_mut()) {
        meet(input, &wanted);
    }
}

/// What the input must bring for an output to give what is wanted, where it gives what comes in.
fn inherited(own: &Caps, wanted: &Caps) -> Caps {
    let open = |own: &Numbers, wanted: &Numbers| match own {
        Numbers::Any => wanted.clone(),
        _ => Numbers::Any,
    };
    let (any_kind, any_sample) = (own.kinds == Kinds::ANY, own.audio.samples == Samples::ANY);
    Caps {
        kinds: if any_kind { wanted.kinds } else { Kinds::ANY },
        audio: AudioCaps {
            rates: open(&own.audio.rates, &wanted.audio.rates),
            channels: open(&own.audio.channels, &wanted.audio.channels),
            samples: if any_sample { wanted.audio.samples } else { Samples::ANY },
            planar: None,
        },
    }
}

fn port<'a>(ports: &'a mut [Port], name: &str) -> Option<&'a mut Port> {
    ports.iter_mut().find(|p| p.name == name)
}

/// The kind of a constraint's `type`.
fn kind(name: &str) -> Option<Kind> {
    match name {
        "binary" => Some(Kind::Bytes),
        name => Kind::ALL.into_iter().find(|k| k.name() == name),
    }
}

fn audio(constraint: &Narrow<'_>) -> AudioCaps {
    let mut samples: Option<Samples> = None;
    for format in constraint.formats.iter().filter_map(|f| SampleFormat::from_name(f)) {
        let one = Samples::one(format);
        samples = Some(samples.map_or(one, |some| some.or(one)));
    }
    AudioCaps {
        rates: constraint.rates.clone().unwrap_or(Numbers::Any),
        channels: constraint.channels.clone().unwrap_or(Numbers::Any),
        samples: samples.unwrap_or(Samples::ANY),
        planar: None,
    }
}
