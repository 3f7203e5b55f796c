//! Every field of a v1 manifest.

use super::shape::{Effect, Field, Object, Pick, Shape};
use Effect::{Ignored, Refused, Used};
use Shape::{Any, Bool, Choice, Either, Int, List, Map, Number, Text};

const HERE: &str = "every node runs in this process";
const NO_PYTHON: &str = "this engine runs no Python nodes";
const ANY_INT: Shape = Int { min: 0, max: u64::MAX };
const SOME_INT: Shape = Int { min: 1, max: u64::MAX };
const RATE: Shape = Int { min: 1, max: 768_000 };
const TEXTS: Shape = List(&Text);
/// Up to a day.
const MS: Shape = Number { min: 0.0, max: 86_400_000.0 };
const AMOUNT: Shape = Number { min: 0.0, max: f64::MAX };

/// The whole document.
pub(crate) static MANIFEST: Object = Object {
    name: "the manifest",
    fields: &[
        Field::new("version", Any, "Always `v1`; required."),
        Field::new("metadata", Shape::Object(&METADATA), "What it is about, and options."),
        Field::new("nodes", List(&Shape::Object(&NODE)), "The nodes; at least one.").required(),
        Field::new(
            "connections",
            List(&Shape::Object(&CONNECTION)),
            "Which output feeds which input.",
        ),
        Field::new(
            "inputs",
            Map(&Either(&[Text, Shape::Object(&INPUT)])),
            "Names for the pipeline's inputs: `\"name\": \"node.port\"`, or an object with options.",
        ),
        Field::new(
            "outputs",
            Map(&Either(&[Text, Shape::Object(&OUTPUT)])),
            "Names for the pipeline's outputs, and further outputs: `\"name\": \"node.port\"`.",
        ),
        Field::new("queue", Shape::Object(&QUEUE), "Limits of every queue that states no others."),
        Field::new("untrusted", Bool, "Whether files, variables and big documents are refused."),
        Field::new(
            "timing",
            Choice(&[Pick("all", Used), Pick("sampled", Used), Pick("none", Used)]),
            "Which runs of the nodes are timed: all, every 16th, or none.",
        ),
        Field::new("interrupt", Shape::Object(&INTERRUPT), "What an interrupt hits."),
        Field::new(
            "placement",
            Choice(&[Pick("inline", Used), Pick("thread", Used), Pick("remote", Used)]),
            "Where nodes run that say nothing and that no connection feeds (default: `inline`). \
             `remote`: all nodes that say nothing run on a server, but for sources and nodes that \
             use files.",
        ),
        Field::new(
            "remote",
            Shape::Object(&REMOTE),
            "The server of nodes on a server, for what they don't say themselves.",
        ),
        Field::new("runtime", Shape::Object(&RUNTIME), "Where it was made to run."),
        Field::new("python_env", Shape::Object(&PYTHON_ENV), "Environment of Python nodes.")
            .refused(NO_PYTHON),
        Field::new("defaults", Map(&Any), "Defaults of an earlier command line tool.")
            .ignored("give params at the nodes"),
    ],
    habits: &[("edges", "connections"), ("links", "connections"), ("name", "metadata")],
    open: false,
};

static METADATA: Object = Object {
    name: "'metadata'",
    fields: &[
        Field::new("name", Text, "Name of the pipeline."),
        Field::new("description", Text, "What it does."),
        Field::new("created_at", Text, "When it was made, as ISO 8601."),
        Field::new(
            "auto_negotiate",
            Bool,
            "Whether audio is converted where two ports differ (default: true).",
        ),
    ],
    habits: &[],
    open: true,
};

/// A node.
pub(crate) static NODE: Object = Object {
    name: "a node",
    fields: &[
        Field::new("id", Text, "Its name: letters, digits, `_` and `-`; unique.").required(),
        Field::new("node_type", Text, "Its type: a name, an alias or `namespace/Name`.").required(),
        Field::new("params", Map(&Any), "Its params."),
        Field::new("is_streaming", Bool, "Accepted; every node works on streams."),
        Field::new("is_output_node", Bool, "Whether its default output is a pipeline output."),
        Field::new("capabilities", Shape::Object(&CAPABILITIES), "What it needs of the machine."),
        Field::new(
            "media_capabilities",
            Shape::Object(&MEDIA_CAPABILITIES),
            "Narrows what its ports take and give.",
        ),
        Field::new("host", Text, "With `placement: remote`: the server, as `remote.endpoint`."),
        Field::new("remote", Shape::Object(&REMOTE), "With `placement: remote`: the server."),
        Field::new(
            "runtime_hint",
            Choice(&[
                Pick("auto", Used),
                Pick("rust_python", Used),
                Pick("cpython", Refused(NO_PYTHON)),
                Pick("cpython_wasm", Refused(NO_PYTHON)),
            ]),
            "Which Python runs it.",
        ),
        Field::new("execution", Shape::Object(&EXECUTION), "Where it should run."),
        Field::new("docker", Shape::Object(&DOCKER), "Container that runs it.").refused(HERE),
        Field::new("fast_path", Bool, "Accepted; every node is on the fast path."),
        Field::new("python_deps", TEXTS, "Python packages that it needs.").refused(NO_PYTHON),
        Field::new("source_rate", RATE, "Rate in Hz of audio that comes to it without one."),
        Field::new(
            "on_error",
            Choice(&[
                Pick("fail", Used),
                Pick("skip", Used),
                Pick("retry", Used),
                Pick("restart", Used),
                Pick("fallback", Used),
            ]),
            "What an error of the node does: end the pipeline (default), lose the packet, try again, \
             begin with a new node (3 times a minute), or let another node stand in.",
        ),
        Field::new(
            "retry",
            Shape::Object(&RETRY),
            "`on_error: retry`: how a failed call is tried again.",
        ),
        Field::new(
            "fallback",
            Either(&[Text, Shape::Object(&FALLBACK)]),
            "`on_error: fallback`: the node that stands in, by its type, or an object with params.",
        ),
        Field::new(
            "breaker",
            Shape::Object(&BREAKER),
            "When a node that relies on something outside is left alone for a while; there by \
             default with `on_error: retry` or `fallback`.",
        ),
        Field::new(
            "deadline_ms",
            Number { min: 1.0, max: 86_400_000.0 },
            "How long a call of the node may take: the pipeline fails then, naming the node. A \
             result that comes by ticket has as long again, and fails like a call.",
        ),
        Field::new(
            "placement",
            Choice(&[
                Pick("inline", Used),
                Pick("thread", Used),
                Pick("process", Refused(HERE)),
                Pick("remote", Used),
            ]),
            "Where it runs: `inline` in the calls, `thread` in a segment that begins with it, \
             `remote` on a server; without it where what feeds it runs.",
        ),
        Field::new(
            "pace",
            Choice(&[Pick("free", Used), Pick("realtime", Used)]),
            "Sources: how fast packets come, as they are taken or as their times say (default: `free`).",
        ),
        Field::new(
            "max_wait_ms",
            Int { min: 1, max: 86_400_000 },
            "Joins by time: how long a packet waits for a connection that is silent; then a gap.",
        ),
        Field::new(
            "lane",
            Choice(&[Pick("pool", Used), Pick("blocking", Used), Pick("realtime", Used)]),
            "With `placement: thread`: which threads run the segment that begins with it.",
        ),
    ],
    habits: &[
        ("config", "params"),
        ("type", "node_type"),
        ("kind", "node_type"),
        ("name", "id"),
        ("node_id", "id"),
    ],
    open: false,
};

/// A server, and how it is spoken to.
static REMOTE: Object = Object {
    name: "'remote'",
    fields: &[
        Field::new(
            "endpoint",
            Either(&[Text, TEXTS]),
            "The server: `host:port`, `https://host:port` or `unix:/path`; of several the one with the \
             least load. Without it the one that the environment names in `REMOTEMEDIA_ENDPOINT`.",
        ),
        Field::new("token", Text, "What the server knows the client by, where it asks for it."),
        Field::new("tls", Shape::Object(&TLS), "How the connection is secured."),
        Field::new(
            "connect_ms",
            Number { min: 1.0, max: 86_400_000.0 },
            "How long the server may be out of reach, at the beginning and whenever the connection \
             breaks, in milliseconds (default: 10000).",
        ),
        Field::new(
            "heartbeat_ms",
            Number { min: 10.0, max: 86_400_000.0 },
            "A server that says nothing for so long counts as gone, in milliseconds (default: 10000).",
        ),
        Field::new(
            "max_in_flight",
            Int { min: 1, max: 4096 },
            "Calls that may wait for their answers (default: 64).",
        ),
        Field::new(
            "traceparent",
            Text,
            "The trace that its calls belong to, as W3C's Trace Context writes it; without it the one \
             that the environment names in `TRACEPARENT`.",
        ),
    ],
    habits: &[
        ("endpoints", "endpoint"),
        ("host", "endpoint"),
        ("url", "endpoint"),
        ("address", "endpoint"),
        ("auth_token", "token"),
        ("timeout_ms", "connect_ms"),
    ],
    open: false,
};

static TLS: Object = Object {
    name: "'tls'",
    fields: &[
        Field::new(
            "ca",
            Text,
            "File of the certificates that are trusted (PEM); else the system's.",
        ),
        Field::new("cert", Text, "File of the client's own certificate (PEM)."),
        Field::new("key", Text, "File of its key (PEM)."),
        Field::new("server_name", Text, "Name in the server's certificate, if not the host."),
    ],
    habits: &[("ca_cert", "ca"), ("certificate", "cert"), ("domain", "server_name")],
    open: false,
};

static CONNECTION: Object = Object {
    name: "a connection",
    fields: &[
        Field::new("from", Text, "Where packets come from: `node` or `node.port`.").required(),
        Field::new("to", Text, "Where they go: `node` or `node.port`.").required(),
        Field::new("queue", Shape::Object(&QUEUE), "How much may wait there."),
    ],
    habits: &[
        ("source", "from"),
        ("from_node", "from"),
        ("destination", "to"),
        ("target", "to"),
        ("to_node", "to"),
    ],
    open: false,
};

static INPUT: Object = Object {
    name: "an input",
    fields: &[
        Field::new("port", Text, "The port behind it: `node` or `node.port`.").required(),
        Field::new("queue", Shape::Object(&QUEUE), "How much may wait there."),
        Field::new(
            "late",
            Choice(&[Pick("error", Used), Pick("clamp", Used), Pick("drop", Used)]),
            "What to do with packets that come too late.",
        ),
        Field::new("source_rate", RATE, "Rate in Hz of audio that comes without one."),
    ],
    habits: &[("node", "port"), ("to", "port")],
    open: false,
};

static OUTPUT: Object = Object {
    name: "an output",
    fields: &[
        Field::new("port", Text, "The port behind it: `node` or `node.port`.").required(),
        Field::new("queue", Shape::Object(&QUEUE), "How much may wait there."),
    ],
    habits: &[("node", "port"), ("from", "port")],
    open: false,
};

static QUEUE: Object = Object {
    name: "a queue",
    fields: &[
        Field::new("items", Int { min: 1, max: 1 << 20 }, "Packets that may wait (default: 64)."),
        Field::new("bytes", SOME_INT, "Bytes that may wait (default: 64 MiB)."),
        Field::new(
            "ms",
            Int { min: 1, max: 86_400_000 },
            "Milliseconds of media that may wait (default: 2000).",
        ),
        Field::new(
            "policy",
            Choice(&[
                Pick("block", Used),
                Pick("drop_oldest", Used),
                Pick("drop_newest", Used),
                Pick("keep_latest", Used),
            ]),
            "What happens when a limit is reached (default: `block`).",
        ),
    ],
    habits: &[],
    open: false,
};

static INTERRUPT: Object = Object {
    name: "'interrupt'",
    fields: &[Field::new(
        "from",
        TEXTS,
        "Nodes behind which everything is forgotten; they are not.",
    )
    .required()],
    habits: &[],
    open: false,
};

static RETRY: Object = Object {
    name: "'retry'",
    fields: &[
        Field::new("attempts", Int { min: 0, max: 1000 }, "Tries after the first (default: 3)."),
        Field::new(
            "base_ms",
            MS,
            "Longest wait before the first of them, in milliseconds (default: 100).",
        ),
        Field::new("max_ms", MS, "Longest wait of all, in milliseconds (default: 10000)."),
        Field::new(
            "multiplier",
            Number { min: 1.0, max: 1000.0 },
            "Factor of the longest wait from try to try (default: 2).",
        ),
    ],
    habits: &[],
    open: false,
};

static FALLBACK: Object = Object {
    name: "'fallback'",
    fields: &[
        Field::new("node_type", Text, "Its type: a name, an alias or `namespace/Name`.").required(),
        Field::new("params", Map(&Any), "Its params."),
    ],
    habits: &[("type", "node_type"), ("config", "params")],
    open: false,
};

static BREAKER: Object = Object {
    name: "'breaker'",
    fields: &[
        Field::new(
            "failures",
            Int { min: 1, max: 1000 },
            "Failures in a row that open it (default: 5).",
        ),
        Field::new("reset_ms", MS, "Milliseconds until one call may try again (default: 30000)."),
    ],
    habits: &[],
    open: false,
};

static RUNTIME: Object = Object {
    name: "'runtime'",
    fields: &[
        Field::new("target", Text, "Target that it was packed for.")
            .ignored("the pipeline runs on the machine that loads it"),
        Field::new("min_version", Text, "Oldest engine of the earlier SDK that runs it.")
            .ignored("versions of the earlier SDK say nothing about this engine"),
        Field::new("features", TEXTS, "Features of the earlier SDK that it uses.")
            .ignored("the node types decide what is needed"),
    ],
    habits: &[],
    open: false,
};

static PYTHON_ENV: Object = Object {
    name: "'python_env'",
    fields: &[
        Field::new("python_version", Text, "Version of Python."),
        Field::new("scope", Text, "What shares it."),
        Field::new("extra_deps", TEXTS, "Further packages."),
    ],
    habits: &[],
    open: false,
};

static DOCKER: Object = Object {
    name: "'docker'",
    fields: &[
        Field::new("python_version", Text, "Version of Python."),
        Field::new("base_image", Text, "Image that it is made from."),
        Field::new("system_packages", TEXTS, "Packages of the system."),
        Field::new("python_packages", TEXTS, "Packages of Python."),
        Field::new("memory_mb", AMOUNT, "Memory, in MB."),
        Field::new("cpu_cores", AMOUNT, "Processor cores."),
        Field::new("gpu_devices", List(&Any), "GPUs."),
        Field::new("shm_size_mb", AMOUNT, "Shared memory, in MB."),
        Field::new("env_vars", Map(&Any), "Environment variables."),
        Field::new("volumes", List(&Any), "Folders of the machine."),
        Field::new("security", Map(&Any), "Security options."),
        Field::new("resource_limits", Map(&Any), "The limits, as an object."),
    ],
    habits: &[],
    open: false,
};

static CAPABILITIES: Object = Object {
    name: "'capabilities'",
    fields: &[
        Field::new("gpu", Shape::Object(&GPU), "The GPU that it needs."),
        Field::new("cpu", Shape::Object(&CPU), "The processor that it needs.")
            .ignored("the node runs on the machine that loads the manifest"),
        Field::new("memory_gb", AMOUNT, "Memory that it needs, in GB.")
            .ignored("the node runs on the machine that loads the manifest"),
    ],
    habits: &[],
    open: false,
};

static GPU: Object = Object {
    name: "'gpu'",
    fields: &[
        Field::new(
            "type",
            Choice(&[
                Pick("cuda", Used),
                Pick("rocm", Used),
                Pick("metal", Used),
                Pick("vulkan", Used),
                Pick("any", Used),
            ]),
            "Kind of GPU.",
        ),
        Field::new("min_memory_gb", AMOUNT, "Its memory, in GB."),
        Field::new("required", Bool, "Whether the node needs it (default: true)."),
    ],
    habits: &[],
    open: false,
};

static CPU: Object = Object {
    name: "'cpu'",
    fields: &[
        Field::new("cores", ANY_INT, "Cores."),
        Field::new(
            "arch",
            Choice(&[
                Pick("x86_64", Used),
                Pick("aarch64", Used),
                Pick("arm", Used),
                Pick("any", Used),
            ]),
            "Architecture.",
        ),
    ],
    habits: &[],
    open: false,
};

static EXECUTION: Object = Object {
    name: "'execution'",
    fields: &[
        Field::new(
            "placement",
            Choice(&[
                Pick("auto", Used),
                Pick("local", Used),
                Pick("prefer_local", Used),
                Pick("prefer_remote", Ignored(HERE)),
                Pick("remote", Used),
            ]),
            "Where it runs; `remote` is the same as `placement: remote`.",
        ),
        Field::new("reason", Text, "Why."),
        Field::new("fallback", Any, "Where it runs otherwise.").ignored(HERE),
    ],
    habits: &[],
    open: false,
};

static MEDIA_CAPABILITIES: Object = Object {
    name: "'media_capabilities'",
    fields: &[
        Field::new("inputs", Map(&Shape::Object(&CONSTRAINT)), "By input port."),
        Field::new("outputs", Map(&Shape::Object(&CONSTRAINT)), "By output port."),
    ],
    habits: &[],
    open: false,
};

/// An exact number, a list, or a range.
const NUMBERS: Shape = Either(&[
    Int { min: 0, max: u32::MAX as u64 },
    List(&Int { min: 0, max: u32::MAX as u64 }),
    Shape::Object(&RANGE),
]);
const NAMES: Shape = Either(&[Text, TEXTS]);
const NOT_CHECKED: &str = "only audio formats are matched before a pipeline runs";

static CONSTRAINT: Object = Object {
    name: "a media constraint",
    fields: &[
        Field::new(
            "type",
            Choice(&[
                Pick("audio", Used),
                Pick("video", Used),
                Pick("tensor", Used),
                Pick("text", Used),
                Pick("file", Used),
                Pick("json", Used),
                Pick("binary", Used),
                Pick("bytes", Used),
                Pick("encoded", Used),
                Pick("record", Used),
            ]),
            "Kind of packet; `binary` is `bytes`.",
        )
        .required(),
        Field::new("rate", NUMBERS, "Audio: rates in Hz; a number, a list or `{min, max}`."),
        Field::new("sample_rate", NUMBERS, "The same as `rate`."),
        Field::new("channels", NUMBERS, "Audio: channel counts."),
        Field::new("format", NAMES, "Audio: sample formats `f32`, `i16`, `i24`, `i32`, `u8`."),
        Field::new("width", NUMBERS, "Video: pixels a row.").ignored(NOT_CHECKED),
        Field::new("height", NUMBERS, "Video: rows.").ignored(NOT_CHECKED),
        Field::new("framerate", Any, "Video: pictures a second.").ignored(NOT_CHECKED),
        Field::new("pixel_format", NAMES, "Video: pixel formats.").ignored(NOT_CHECKED),
        Field::new("codec", NAMES, "Video: codecs.").ignored(NOT_CHECKED),
        Field::new("shape", Any, "Tensors: their shape.").ignored(NOT_CHECKED),
        Field::new("dtype", NAMES, "Tensors: their element type.").ignored(NOT_CHECKED),
    ],
    habits: &[("samplerate", "sample_rate"), ("sample_format", "format")],
    open: false,
};

static RANGE: Object = Object {
    name: "a range",
    fields: &[
        Field::new("min", Int { min: 0, max: u32::MAX as u64 }, "Smallest."),
        Field::new("max", Int { min: 0, max: u32::MAX as u64 }, "Largest."),
    ],
    habits: &[],
    open: false,
};
