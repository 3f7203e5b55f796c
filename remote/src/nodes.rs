//! Node types that run on a server whatever their placement: a type that only the server has, and a
//! whole pipeline.

use crate::client::RemoteNode;
use crate::link::Link;
use crate::settings::Settings;
use crate::v1;
use crate::v1::stream_node_request::open::What;
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::node::{
    AnyNode, Caps, Context, Descriptor, Flow, MediaFormat, Node, Params, Port, Ports,
};
use remotemedia_core::packet::{MediaTime, Packet};
use serde_json::{Map, Value as Json};

/// Calls that may wait for their answers.
const MAX_IN_FLIGHT: usize = 64;

const INPUTS: &[Port] = &[Port::new("in", Caps::ANY, "What the server gets.")];
const OUTPUTS: &[Port] = &[Port::new("out", Caps::ANY, "What the server gives.")];

/// Params of [`RemoteExecution`].
#[derive(Debug, Clone, Params)]
pub struct RemoteExecutionParams {
    /// Type of the node, as the server knows it.
    node_type: String,
    /// Its params, an object.
    #[param(default, alias = "config", alias = "params")]
    node_config: Option<Json>,
    /// The server: `host:port`, `https://host:port` or `unix:/path`, or a list of them, of which the one
    /// with the least load is taken. Without it what the environment says in REMOTEMEDIA_ENDPOINT.
    #[param(default, alias = "endpoints", alias = "host")]
    endpoint: Option<Json>,
    /// What the server knows the client by, where it asks for it.
    #[param(default, alias = "auth_token")]
    token: Option<String>,
    /// How the connection is secured: an object with files `ca`, `cert`, `key`, and `server_name`.
    #[param(default)]
    tls: Option<Json>,
    /// How long the server may be out of reach.
    #[param(default = 10_000.0, min = 1.0, max = 86_400_000.0, unit = "ms", alias = "timeout_ms")]
    connect_ms: f64,
    /// A server that says nothing for so long counts as gone.
    #[param(default = 10_000.0, min = 10.0, max = 86_400_000.0, unit = "ms")]
    heartbeat_ms: f64,
}

/// Runs a node of a type that the server has, and that need not be known here. What it takes and gives
/// is not known either before it runs: of what doesn't fit, the server's answer tells.
pub struct RemoteExecution(RemoteNode);

/// Params of [`RemotePipeline`].
#[derive(Debug, Clone, Params)]
pub struct RemotePipelineParams {
    /// The pipeline, with one input and one output.
    manifest: Json,
    /// The server: `host:port`, `https://host:port` or `unix:/path`, or a list of them, of which the one
    /// with the least load is taken. Without it what the environment says in REMOTEMEDIA_ENDPOINT.
    #[param(default, alias = "endpoints", alias = "host")]
    endpoint: Option<Json>,
    /// What the server knows the client by, where it asks for it.
    #[param(default, alias = "auth_token")]
    token: Option<String>,
    /// How the connection is secured: an object with files `ca`, `cert`, `key`, and `server_name`.
    #[param(default)]
    tls: Option<Json>,
    /// How long the server may be out of reach.
    #[param(default = 10_000.0, min = 1.0, max = 86_400_000.0, unit = "ms", alias = "timeout_ms")]
    connect_ms: f64,
    /// A server that says nothing for so long counts as gone.
    #[param(default = 10_000.0, min = 10.0, max = 86_400_000.0, unit = "ms")]
    heartbeat_ms: f64,
}

/// Runs a whole pipeline on a server. Each packet is pushed into it there, and what has come out when
/// nothing more comes is the answer.
pub struct RemotePipeline(RemoteNode);

/// What the params say of the server.
fn settings(params: &Map<String, Json>) -> Result<Settings> {
    let mut said = params.clone();
    said.retain(|_, value| !value.is_null());
    Settings::read(&said)
}

fn object(value: Option<&Json>, what: &str) -> Result<()> {
    match value {
        None | Some(Json::Object(_)) => Ok(()),
        Some(other) => {
            let message = format!("param '{what}' is an object, not {other}");
            Err(Error::new(detail::MANIFEST_PARAM_CONFLICT, message))
        }
    }
}

macro_rules! delegate {
    () => {
        fn configure(
            &mut self,
            cx: &mut Context<'_>,
            port: usize,
            format: &MediaFormat,
        ) -> Result<()> {
            self.0.configure(cx, port, format)
        }
        fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
            self.0.process(cx, packet)
        }
        fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
            self.0.drain(cx)
        }
        fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
            self.0.finish(cx)
        }
        fn reset(&mut self) {
            self.0.reset();
        }
        fn latency(&self) -> MediaTime {
            self.0.latency()
        }
    };
}

impl Node for RemoteExecution {
    type Params = RemoteExecutionParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["RemoteExecution"],
        category: "remote",
        inputs: INPUTS,
        outputs: OUTPUTS,
        determinate: false,
        external: true,
        max_in_flight: MAX_IN_FLIGHT,
        ..Descriptor::new("RemoteExecutionNode", "Runs a node of a type that a server has.")
    };

    fn ports(params: &Self::Params, _: &mut Ports) -> Result<()> {
        object(params.node_config.as_ref(), "node_config")?;
        object(params.tls.as_ref(), "tls")?;
        settings(&params.to_map()).map(|_| ())
    }

    fn new(params: Self::Params) -> Result<Self> {
        let config = params.node_config.clone().unwrap_or_else(|| Json::Object(Map::new()));
        let node = v1::NodeSpec { node_type: params.node_type.clone(), params: config.to_string() };
        let link = Link::new(settings(&params.to_map())?, What::Node(node));
        Ok(Self(RemoteNode { link }))
    }

    delegate!();
}

impl Node for RemotePipeline {
    type Params = RemotePipelineParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["RemotePipeline"],
        category: "remote",
        inputs: INPUTS,
        outputs: OUTPUTS,
        determinate: false,
        external: true,
        max_in_flight: MAX_IN_FLIGHT,
        ..Descriptor::new("RemotePipelineNode", "Runs a whole pipeline on a server.")
    };

    fn ports(params: &Self::Params, _: &mut Ports) -> Result<()> {
        object(Some(&params.manifest), "manifest")?;
        object(params.tls.as_ref(), "tls")?;
        settings(&params.to_map()).map(|_| ())
    }

    fn new(params: Self::Params) -> Result<Self> {
        let what = What::Manifest(params.manifest.to_string());
        let link = Link::new(settings(&params.to_map())?, what);
        Ok(Self(RemoteNode { link }))
    }

    delegate!();
}
