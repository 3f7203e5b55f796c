//! Node types that run on a server whatever their placement: a type that only the server has, and a
//! whole pipeline.

use crate::client::RemoteNode;
use crate::link::Link;
use crate::settings::Settings;
use crate::v1;
use crate::v1::stream_node_request::open::What;
use remotemedia_core::error::{Error, Result, detail};
use remotemedia_core::node::params::ParamSpec;
use remotemedia_core::node::{AnyNode, Caps, Descriptor, NodeType, Params, Port, Ports};
use serde_json::{Map, Value as Json};
use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

/// Calls that may wait for their answers.
const MAX_IN_FLIGHT: usize = 64;

const INPUTS: &[Port] = &[Port::new("in", Caps::ANY, "What the server gets.")];
const OUTPUTS: &[Port] = &[Port::new("out", Caps::ANY, "What the server gives.")];

/// Params of `RemoteExecutionNode`, which runs a node of a type that the server has, and that need not be
/// known here. What it takes and gives is not known either before it runs: of what doesn't fit, the
/// server's answer tells.
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

/// Params of `RemotePipelineNode`, which runs a whole pipeline on a server. Each packet is pushed into it
/// there, and what has come out when nothing more comes is the answer.
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

/// What the params of such a type say.
pub(crate) trait OnServer: Params + Send + Sync + 'static {
    /// The type.
    const DESCRIPTOR: Descriptor;

    /// What is to run there.
    ///
    /// # Errors
    /// `manifest.param_conflict` for what is no object.
    fn what(&self) -> Result<What>;
}

impl OnServer for RemoteExecutionParams {
    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["RemoteExecution"],
        ..on_server("RemoteExecutionNode", "Runs a node of a type that a server has.")
    };

    fn what(&self) -> Result<What> {
        object(self.node_config.as_ref(), "node_config")?;
        let config = self.node_config.clone().unwrap_or_else(|| Json::Object(Map::new()));
        let (node_type, params) = (self.node_type.clone(), config.to_string());
        Ok(What::Node(v1::NodeSpec { node_type, params }))
    }
}

impl OnServer for RemotePipelineParams {
    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["RemotePipeline"],
        ..on_server("RemotePipelineNode", "Runs a whole pipeline on a server.")
    };

    fn what(&self) -> Result<What> {
        object(Some(&self.manifest), "manifest")?;
        Ok(What::Manifest(self.manifest.to_string()))
    }
}

const fn on_server(name: &'static str, summary: &'static str) -> Descriptor {
    Descriptor {
        category: "remote",
        inputs: INPUTS,
        outputs: OUTPUTS,
        determinate: false,
        external: true,
        max_in_flight: MAX_IN_FLIGHT,
        ..Descriptor::new(name, summary)
    }
}

/// A type whose nodes run on a server whatever their placement.
pub(crate) struct OnServerType<P>(PhantomData<fn() -> P>);

impl<P: OnServer> OnServerType<P> {
    pub(crate) fn shared() -> Arc<dyn NodeType> {
        Arc::new(Self(PhantomData))
    }
}

impl<P: OnServer> NodeType for OnServerType<P> {
    fn descriptor(&self) -> &'static Descriptor {
        const { &P::DESCRIPTOR }
    }

    fn params(&self) -> &'static [ParamSpec] {
        P::specs()
    }

    fn ports(&self, params: &Map<String, Json>) -> Result<Ports> {
        object(params.get("tls").filter(|tls| !tls.is_null()), "tls")?;
        P::from_map(params).what()?;
        settings(params)?;
        Ok(Ports::of(self.descriptor()))
    }

    fn create(&self, params: &Map<String, Json>) -> Result<Box<dyn AnyNode>> {
        let link = Link::new(settings(params)?, P::from_map(params).what()?);
        Ok(Box::new(RemoteNode { link }))
    }

    fn prepare(&self, _: &Map<String, Json>) -> Box<dyn Any + Send> {
        // None of its params is live.
        Box::new(())
    }
}
