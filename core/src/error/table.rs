// Generated from core/errors.toml by `cargo xtask errors`; do not edit.

/// Coarse class of a failure. Callers must treat values they don't know as a plain failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Status {
    /// A call or a value is not what the function takes.
    InvalidArgument = -1,
    /// The manifest does not describe a pipeline that can run.
    InvalidManifest = -2,
    /// A file, node, port or type of that name does not exist.
    NotFound = -3,
    /// Understood, but this build of the engine does not do it.
    Unsupported = -4,
    /// Media of this kind or format does not fit here.
    Format = -5,
    /// The operating system refused a file operation.
    Io = -6,
    /// A stated limit (memory, size, depth, count) would be passed.
    Limit = -7,
    /// The pipeline is not in a state in which this call has a meaning.
    State = -8,
    /// The pipeline is closed.
    Closed = -9,
    /// The pipeline was cancelled.
    Cancelled = -10,
    /// A node failed while it worked.
    Node = -11,
    /// A node panicked; its pipeline has failed.
    Panic = -12,
    /// Called from inside a node or callback of the same pipeline.
    Reentrant = -13,
    /// The packet lies before what the port has already passed.
    Late = -14,
    /// A server can't be reached, or has lost what it held for the caller.
    Unavailable = -18,
    /// A queue is full; pull results, then push again. Nothing was taken.
    Full = -15,
    /// The handle is null, released, of another kind, or not from this library.
    BadHandle = -16,
    /// The process was forked after the library was used; use it in one of the two, or fork first.
    Forked = -17,
}

impl Status {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "InvalidArgument",
            Self::InvalidManifest => "InvalidManifest",
            Self::NotFound => "NotFound",
            Self::Unsupported => "Unsupported",
            Self::Format => "Format",
            Self::Io => "Io",
            Self::Limit => "Limit",
            Self::State => "State",
            Self::Closed => "Closed",
            Self::Cancelled => "Cancelled",
            Self::Node => "Node",
            Self::Panic => "Panic",
            Self::Reentrant => "Reentrant",
            Self::Late => "Late",
            Self::Unavailable => "Unavailable",
            Self::Full => "Full",
            Self::BadHandle => "BadHandle",
            Self::Forked => "Forked",
        }
    }

    /// Its stable number.
    pub fn code(self) -> i32 {
        self as i32
    }
}

/// Every detail id.
pub mod detail {
    use super::super::Detail;
    use super::Status;

    /// A value handed to a call is outside what it takes.
    pub const ARGUMENT_INVALID: Detail =
        Detail { id: "argument.invalid", status: Status::InvalidArgument };

    /// The pipeline has no input or output of that name.
    pub const ARGUMENT_UNKNOWN_PORT: Detail =
        Detail { id: "argument.unknown_port", status: Status::NotFound };

    /// The pipeline has no node of that id.
    pub const ARGUMENT_UNKNOWN_NODE: Detail =
        Detail { id: "argument.unknown_node", status: Status::NotFound };

    /// The call names no port and the pipeline has more or fewer than one.
    pub const ARGUMENT_AMBIGUOUS_PORT: Detail =
        Detail { id: "argument.ambiguous_port", status: Status::InvalidArgument };

    /// The packet is shared, so its payload can't be written.
    pub const ARGUMENT_NOT_SHARED: Detail =
        Detail { id: "argument.not_shared", status: Status::InvalidArgument };

    /// The text is not well-formed JSON or YAML.
    pub const MANIFEST_SYNTAX: Detail =
        Detail { id: "manifest.syntax", status: Status::InvalidManifest };

    /// An object names the same key twice.
    pub const MANIFEST_DUPLICATE_KEY: Detail =
        Detail { id: "manifest.duplicate_key", status: Status::InvalidManifest };

    /// The document nests deeper than the parser allows.
    pub const MANIFEST_TOO_DEEP: Detail = Detail { id: "manifest.too_deep", status: Status::Limit };

    /// The document is larger, or has more nodes or connections, than the limits allow.
    pub const MANIFEST_TOO_LARGE: Detail =
        Detail { id: "manifest.too_large", status: Status::Limit };

    /// YAML anchors, aliases and tags are not taken.
    pub const MANIFEST_ALIAS: Detail = Detail { id: "manifest.alias", status: Status::Limit };

    /// The manifest's version is missing or not one that this engine reads.
    pub const MANIFEST_VERSION: Detail =
        Detail { id: "manifest.version", status: Status::InvalidManifest };

    /// A required field is not there.
    pub const MANIFEST_MISSING_FIELD: Detail =
        Detail { id: "manifest.missing_field", status: Status::InvalidManifest };

    /// A field of that name does not exist.
    pub const MANIFEST_UNKNOWN_FIELD: Detail =
        Detail { id: "manifest.unknown_field", status: Status::InvalidManifest };

    /// A field holds a value of another type than it takes.
    pub const MANIFEST_WRONG_TYPE: Detail =
        Detail { id: "manifest.wrong_type", status: Status::InvalidManifest };

    /// A field holds a value outside its range or list.
    pub const MANIFEST_WRONG_VALUE: Detail =
        Detail { id: "manifest.wrong_value", status: Status::InvalidManifest };

    /// The manifest names no node.
    pub const MANIFEST_NO_NODES: Detail =
        Detail { id: "manifest.no_nodes", status: Status::InvalidManifest };

    /// A node id is empty or has characters that ids don't take.
    pub const MANIFEST_NODE_ID: Detail =
        Detail { id: "manifest.node_id", status: Status::InvalidManifest };

    /// Two nodes share an id.
    pub const MANIFEST_DUPLICATE_NODE: Detail =
        Detail { id: "manifest.duplicate_node", status: Status::InvalidManifest };

    /// No node of that type is registered.
    pub const MANIFEST_UNKNOWN_TYPE: Detail =
        Detail { id: "manifest.unknown_type", status: Status::InvalidManifest };

    /// Several namespaces register that type; the manifest must name one.
    pub const MANIFEST_AMBIGUOUS_TYPE: Detail =
        Detail { id: "manifest.ambiguous_type", status: Status::InvalidManifest };

    /// The node type has no param of that name.
    pub const MANIFEST_UNKNOWN_PARAM: Detail =
        Detail { id: "manifest.unknown_param", status: Status::InvalidManifest };

    /// The node type needs this param.
    pub const MANIFEST_MISSING_PARAM: Detail =
        Detail { id: "manifest.missing_param", status: Status::InvalidManifest };

    /// A param holds a value of another type than it takes.
    pub const MANIFEST_PARAM_TYPE: Detail =
        Detail { id: "manifest.param_type", status: Status::InvalidManifest };

    /// A param holds a value outside its range or list.
    pub const MANIFEST_PARAM_VALUE: Detail =
        Detail { id: "manifest.param_value", status: Status::InvalidManifest };

    /// Params contradict each other, or one is given under two names.
    pub const MANIFEST_PARAM_CONFLICT: Detail =
        Detail { id: "manifest.param_conflict", status: Status::InvalidManifest };

    /// A connection, input or output names a node that is not in the manifest.
    pub const MANIFEST_UNKNOWN_NODE: Detail =
        Detail { id: "manifest.unknown_node", status: Status::InvalidManifest };

    /// A connection, input or output names a port that the node does not have.
    pub const MANIFEST_UNKNOWN_PORT: Detail =
        Detail { id: "manifest.unknown_port", status: Status::InvalidManifest };

    /// A second connection goes into a port that takes one.
    pub const MANIFEST_PORT_TAKEN: Detail =
        Detail { id: "manifest.port_taken", status: Status::InvalidManifest };

    /// The same connection is there twice.
    pub const MANIFEST_DUPLICATE_CONNECTION: Detail =
        Detail { id: "manifest.duplicate_connection", status: Status::InvalidManifest };

    /// Connections form a cycle.
    pub const MANIFEST_CYCLE: Detail =
        Detail { id: "manifest.cycle", status: Status::InvalidManifest };

    /// A node has no connection while the others do.
    pub const MANIFEST_ISOLATED_NODE: Detail =
        Detail { id: "manifest.isolated_node", status: Status::InvalidManifest };

    /// What one end of a connection gives, the other end can't take.
    pub const MANIFEST_MEDIA_MISMATCH: Detail =
        Detail { id: "manifest.media_mismatch", status: Status::InvalidManifest };

    /// A named input or output is empty, taken twice, or names a port that is connected.
    pub const MANIFEST_INPUT_NAME: Detail =
        Detail { id: "manifest.input_name", status: Status::InvalidManifest };

    /// The manifest requires something that this engine does not do.
    pub const MANIFEST_NOT_SUPPORTED: Detail =
        Detail { id: "manifest.not_supported", status: Status::Unsupported };

    /// A preference in the manifest has no effect in this engine (a warning).
    pub const MANIFEST_HINT_IGNORED: Detail =
        Detail { id: "manifest.hint_ignored", status: Status::Unsupported };

    /// An untrusted manifest uses a node or feature that only trusted ones may.
    pub const MANIFEST_UNTRUSTED: Detail =
        Detail { id: "manifest.untrusted", status: Status::InvalidManifest };

    /// A ${VARIABLE} has no value and no default.
    pub const MANIFEST_VARIABLE: Detail =
        Detail { id: "manifest.variable", status: Status::InvalidManifest };

    /// A packet of this kind does not fit the port.
    pub const FORMAT_KIND: Detail = Detail { id: "format.kind", status: Status::Format };

    /// Audio of this rate, channel count or sample format does not fit here.
    pub const FORMAT_AUDIO: Detail = Detail { id: "format.audio", status: Status::Format };

    /// A payload's size or alignment does not match its format.
    pub const FORMAT_PAYLOAD: Detail = Detail { id: "format.payload", status: Status::Format };

    /// A value has the right kind but not the shape that the node takes.
    pub const FORMAT_VALUE: Detail = Detail { id: "format.value", status: Status::Format };

    /// A packet's pts lies before the bound of its port.
    pub const TIME_LATE: Detail = Detail { id: "time.late", status: Status::Late };

    /// A file can't be opened or created.
    pub const IO_OPEN: Detail = Detail { id: "io.open", status: Status::Io };

    /// A file can't be read.
    pub const IO_READ: Detail = Detail { id: "io.read", status: Status::Io };

    /// A file can't be written.
    pub const IO_WRITE: Detail = Detail { id: "io.write", status: Status::Io };

    /// The file's container or codec is not known.
    pub const MEDIA_UNKNOWN_FORMAT: Detail =
        Detail { id: "media.unknown_format", status: Status::Format };

    /// The file is damaged in a way that the decoder can't step over.
    pub const MEDIA_CORRUPT: Detail = Detail { id: "media.corrupt", status: Status::Format };

    /// The file holds no audio track.
    pub const MEDIA_NO_AUDIO: Detail = Detail { id: "media.no_audio", status: Status::Format };

    /// The packet would pass the engine's memory limit.
    pub const LIMIT_MEMORY: Detail = Detail { id: "limit.memory", status: Status::Limit };

    /// The input has ended; it takes no more packets.
    pub const STATE_ENDED: Detail = Detail { id: "state.ended", status: Status::State };

    /// Only a finished pipeline can be rewound.
    pub const STATE_NOT_FINISHED: Detail =
        Detail { id: "state.not_finished", status: Status::State };

    /// The pipeline has failed; the cause is attached.
    pub const STATE_FAILED: Detail = Detail { id: "state.failed", status: Status::State };

    /// The pipeline is closed.
    pub const STATE_CLOSED: Detail = Detail { id: "state.closed", status: Status::Closed };

    /// The pipeline was cancelled.
    pub const STATE_CANCELLED: Detail = Detail { id: "state.cancelled", status: Status::Cancelled };

    /// A node or callback called its own pipeline.
    pub const STATE_REENTRANT: Detail = Detail { id: "state.reentrant", status: Status::Reentrant };

    /// The param can only be set in the manifest, not while the pipeline runs.
    pub const PARAM_NOT_LIVE: Detail =
        Detail { id: "param.not_live", status: Status::InvalidArgument };

    /// The node has no param of that name.
    pub const PARAM_UNKNOWN: Detail =
        Detail { id: "param.unknown", status: Status::InvalidArgument };

    /// A param was set to a value of another type than it takes.
    pub const PARAM_TYPE: Detail = Detail { id: "param.type", status: Status::InvalidArgument };

    /// A param was set to a value outside its range or list.
    pub const PARAM_VALUE: Detail = Detail { id: "param.value", status: Status::InvalidArgument };

    /// A node refused or could not process its input.
    pub const NODE_FAILED: Detail = Detail { id: "node.failed", status: Status::Node };

    /// A node's circuit breaker is open: after too many failures it is left alone for a while.
    pub const NODE_BREAKER_OPEN: Detail = Detail { id: "node.breaker_open", status: Status::Node };

    /// The result of a node's ticket did not come within the node's deadline.
    pub const NODE_DEADLINE: Detail = Detail { id: "node.deadline", status: Status::Node };

    /// Tickets of a node that were given up have not come back, so many that it gets nothing until some do.
    pub const NODE_ZOMBIES: Detail = Detail { id: "node.zombies", status: Status::Node };

    /// A call of a node took longer than the node's deadline.
    pub const NODE_HUNG: Detail = Detail { id: "node.hung", status: Status::Node };

    /// A node panicked.
    pub const NODE_PANICKED: Detail = Detail { id: "node.panicked", status: Status::Panic };

    /// Work that a node had started was dropped without a result.
    pub const NODE_TICKET_DROPPED: Detail =
        Detail { id: "node.ticket_dropped", status: Status::Node };

    /// A node type or alias of that name is registered already.
    pub const REGISTRY_DUPLICATE: Detail =
        Detail { id: "registry.duplicate", status: Status::InvalidArgument };

    /// The input's queue is full; the packet stays with the caller.
    pub const FLOW_FULL: Detail = Detail { id: "flow.full", status: Status::Full };

    /// A node broke its contract with the engine.
    pub const NODE_CONTRACT: Detail = Detail { id: "node.contract", status: Status::Node };

    /// The declaration of a node type is not one.
    pub const REGISTRY_DECLARATION: Detail =
        Detail { id: "registry.declaration", status: Status::InvalidArgument };

    /// A pointer that must point to something is null.
    pub const ARGUMENT_NULL: Detail =
        Detail { id: "argument.null", status: Status::InvalidArgument };

    /// The `struct_size` of a struct is not one that this library knows.
    pub const ARGUMENT_STRUCT_SIZE: Detail =
        Detail { id: "argument.struct_size", status: Status::InvalidArgument };

    /// A text is not UTF-8.
    pub const ARGUMENT_UTF8: Detail =
        Detail { id: "argument.utf8", status: Status::InvalidArgument };

    /// A text is not the JSON that the call takes.
    pub const ARGUMENT_JSON: Detail =
        Detail { id: "argument.json", status: Status::InvalidArgument };

    /// The caller uses a field that this version of the library doesn't know.
    pub const UNSUPPORTED_FIELD: Detail =
        Detail { id: "unsupported.field", status: Status::Unsupported };

    /// The caller sets a flag that this version of the library doesn't know.
    pub const UNSUPPORTED_FLAG: Detail =
        Detail { id: "unsupported.flag", status: Status::Unsupported };

    /// The handle is null, released, of another kind, or not from this library.
    pub const HANDLE_BAD: Detail = Detail { id: "handle.bad", status: Status::BadHandle };

    /// The packet has other owners; its memory can't be written.
    pub const HANDLE_SHARED: Detail = Detail { id: "handle.shared", status: Status::State };

    /// Too many handles are open.
    pub const LIMIT_HANDLES: Detail = Detail { id: "limit.handles", status: Status::Limit };

    /// The library was used before the process was forked, and is called in the child.
    pub const PROCESS_FORKED: Detail = Detail { id: "process.forked", status: Status::Forked };

    /// The library itself panicked; the pipeline that was called is over.
    pub const INTERNAL_PANIC: Detail = Detail { id: "internal.panic", status: Status::Panic };

    /// A call that waits was made from a callback.
    pub const STATE_CALLBACK: Detail = Detail { id: "state.callback", status: Status::Reentrant };

    /// This build of the library, or this system, does not have the feature.
    pub const UNSUPPORTED_FEATURE: Detail =
        Detail { id: "unsupported.feature", status: Status::Unsupported };

    /// Too many changes of a node's params wait for their time.
    pub const LIMIT_CHANGES: Detail = Detail { id: "limit.changes", status: Status::Limit };

    /// The system gives no thread for the nodes that are to run on one.
    pub const LIMIT_THREADS: Detail = Detail { id: "limit.threads", status: Status::Limit };

    /// A join waits for what is stuck behind a queue before the same join, and memory for more room is out.
    pub const FLOW_STARVED: Detail = Detail { id: "flow.starved", status: Status::Limit };

    /// An interrupt or reset came while a push waited for room; the packet stays with the caller.
    pub const FLOW_INTERRUPTED: Detail = Detail { id: "flow.interrupted", status: Status::State };

    /// No server is named, or what names it is no endpoint.
    pub const REMOTE_ENDPOINT: Detail =
        Detail { id: "remote.endpoint", status: Status::InvalidArgument };

    /// The server can't be reached, or does not answer.
    pub const REMOTE_UNREACHABLE: Detail =
        Detail { id: "remote.unreachable", status: Status::Unavailable };

    /// The server no longer has the session: what it held for the caller is lost.
    pub const REMOTE_LOST: Detail = Detail { id: "remote.lost", status: Status::Unavailable };

    /// The server takes nothing new, since it is about to end.
    pub const REMOTE_DRAINING: Detail =
        Detail { id: "remote.draining", status: Status::Unavailable };

    /// The server knows no such call, or another version of it.
    pub const REMOTE_REFUSED: Detail = Detail { id: "remote.refused", status: Status::Unsupported };

    /// The server does not let this client in, or not to this.
    pub const REMOTE_AUTH: Detail = Detail { id: "remote.auth", status: Status::InvalidArgument };

    /// A limit of the server would be passed.
    pub const REMOTE_LIMIT: Detail = Detail { id: "remote.limit", status: Status::Limit };

    /// The other side of a connection sent what can't be understood.
    pub const REMOTE_PROTOCOL: Detail = Detail { id: "remote.protocol", status: Status::Node };

    /// All of them, in the order of the table.
    pub const ALL: &[Detail] = &[
        ARGUMENT_INVALID,
        ARGUMENT_UNKNOWN_PORT,
        ARGUMENT_UNKNOWN_NODE,
        ARGUMENT_AMBIGUOUS_PORT,
        ARGUMENT_NOT_SHARED,
        MANIFEST_SYNTAX,
        MANIFEST_DUPLICATE_KEY,
        MANIFEST_TOO_DEEP,
        MANIFEST_TOO_LARGE,
        MANIFEST_ALIAS,
        MANIFEST_VERSION,
        MANIFEST_MISSING_FIELD,
        MANIFEST_UNKNOWN_FIELD,
        MANIFEST_WRONG_TYPE,
        MANIFEST_WRONG_VALUE,
        MANIFEST_NO_NODES,
        MANIFEST_NODE_ID,
        MANIFEST_DUPLICATE_NODE,
        MANIFEST_UNKNOWN_TYPE,
        MANIFEST_AMBIGUOUS_TYPE,
        MANIFEST_UNKNOWN_PARAM,
        MANIFEST_MISSING_PARAM,
        MANIFEST_PARAM_TYPE,
        MANIFEST_PARAM_VALUE,
        MANIFEST_PARAM_CONFLICT,
        MANIFEST_UNKNOWN_NODE,
        MANIFEST_UNKNOWN_PORT,
        MANIFEST_PORT_TAKEN,
        MANIFEST_DUPLICATE_CONNECTION,
        MANIFEST_CYCLE,
        MANIFEST_ISOLATED_NODE,
        MANIFEST_MEDIA_MISMATCH,
        MANIFEST_INPUT_NAME,
        MANIFEST_NOT_SUPPORTED,
        MANIFEST_HINT_IGNORED,
        MANIFEST_UNTRUSTED,
        MANIFEST_VARIABLE,
        FORMAT_KIND,
        FORMAT_AUDIO,
        FORMAT_PAYLOAD,
        FORMAT_VALUE,
        TIME_LATE,
        IO_OPEN,
        IO_READ,
        IO_WRITE,
        MEDIA_UNKNOWN_FORMAT,
        MEDIA_CORRUPT,
        MEDIA_NO_AUDIO,
        LIMIT_MEMORY,
        STATE_ENDED,
        STATE_NOT_FINISHED,
        STATE_FAILED,
        STATE_CLOSED,
        STATE_CANCELLED,
        STATE_REENTRANT,
        PARAM_NOT_LIVE,
        PARAM_UNKNOWN,
        PARAM_TYPE,
        PARAM_VALUE,
        NODE_FAILED,
        NODE_BREAKER_OPEN,
        NODE_DEADLINE,
        NODE_ZOMBIES,
        NODE_HUNG,
        NODE_PANICKED,
        NODE_TICKET_DROPPED,
        REGISTRY_DUPLICATE,
        FLOW_FULL,
        NODE_CONTRACT,
        REGISTRY_DECLARATION,
        ARGUMENT_NULL,
        ARGUMENT_STRUCT_SIZE,
        ARGUMENT_UTF8,
        ARGUMENT_JSON,
        UNSUPPORTED_FIELD,
        UNSUPPORTED_FLAG,
        HANDLE_BAD,
        HANDLE_SHARED,
        LIMIT_HANDLES,
        PROCESS_FORKED,
        INTERNAL_PANIC,
        STATE_CALLBACK,
        UNSUPPORTED_FEATURE,
        LIMIT_CHANGES,
        LIMIT_THREADS,
        FLOW_STARVED,
        FLOW_INTERRUPTED,
        REMOTE_ENDPOINT,
        REMOTE_UNREACHABLE,
        REMOTE_LOST,
        REMOTE_DRAINING,
        REMOTE_REFUSED,
        REMOTE_AUTH,
        REMOTE_LIMIT,
        REMOTE_PROTOCOL,
    ];
}
