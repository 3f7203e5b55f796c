//! Nodes with `placement: remote`, as the engine here sees them.

use crate::link::Link;
use crate::nodes::{OnServerType, RemoteExecutionParams, RemotePipelineParams};
use crate::settings::Settings;
use crate::v1::stream_node_request::{self as up, call::Call};
use crate::{v1, wire};
use remotemedia_core::engine::Engine;
use remotemedia_core::error::Result;
use remotemedia_core::node::params::ParamSpec;
use remotemedia_core::node::{
    AnyNode, BUILTIN, Context, Descriptor, Elsewhere, Flow, MediaFormat, NodeType, Placed, Ports,
};
use remotemedia_core::packet::{MediaTime, Packet};
use serde_json::{Map, Value as Json};
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Lets manifests of an engine say `placement: remote`, and gives it the types `RemoteExecutionNode` and
/// `RemotePipelineNode`. To do it again does nothing.
pub fn install(engine: &Engine) {
    engine.set_remote(Arc::new(Client));
    let execution = OnServerType::<RemoteExecutionParams>::shared();
    for node_type in [execution, OnServerType::<RemotePipelineParams>::shared()] {
        // It has them already.
        let _ = engine.add_type(BUILTIN, node_type);
    }
}

struct Client;

impl Elsewhere for Client {
    fn place(&self, node: &Placed<'_>) -> Result<Arc<dyn NodeType>> {
        let settings = Settings::read(node.remote)?;
        Ok(Arc::new(RemoteType {
            name: node.type_name.to_owned(),
            descriptor: descriptor(node.node_type.descriptor(), settings.max_in_flight),
            inner: Arc::clone(node.node_type),
            settings,
        }))
    }
}

/// What a type is when its nodes run on a server. Made once of each: a descriptor lives as long as
/// the process.
fn descriptor(local: &'static Descriptor, max_in_flight: usize) -> &'static Descriptor {
    type Made = HashMap<(usize, usize), &'static Descriptor>;
    static MADE: Mutex<Option<Made>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (std::ptr::from_ref(local).addr(), max_in_flight);
    made.get_or_insert_default().entry(key).or_insert_with(|| {
        Box::leak(Box::new(Descriptor {
            realtime: false,
            blocking: false,
            external: true,
            max_in_flight,
            inputs: local.inputs,
            outputs: local.outputs,
            ..*local
        }))
    })
}

/// A type whose nodes run on a server.
struct RemoteType {
    name: String,
    descriptor: &'static Descriptor,
    inner: Arc<dyn NodeType>,
    settings: Settings,
}

impl NodeType for RemoteType {
    fn descriptor(&self) -> &'static Descriptor {
        self.descriptor
    }

    fn params(&self) -> &'static [ParamSpec] {
        self.inner.params()
    }

    fn ports(&self, params: &Map<String, Json>) -> Result<Ports> {
        self.inner.ports(params)
    }

    fn create(&self, params: &Map<String, Json>) -> Result<Box<dyn AnyNode>> {
        let node_type = self.name.clone();
        let node = v1::NodeSpec { node_type, params: Json::Object(params.clone()).to_string() };
        Ok(Box::new(RemoteNode {
            link: Link::new(self.settings.clone(), up::open::What::Node(node)),
        }))
    }

    fn prepare(&self, params: &Map<String, Json>) -> Box<dyn Any + Send> {
        Box::new(Json::Object(params.clone()).to_string())
    }
}

/// A node that runs on a server.
pub(crate) struct RemoteNode {
    pub(crate) link: Link,
}

impl RemoteNode {
    fn call(&self, cx: &mut Context<'_>, call: Call) -> Result<Flow> {
        for (port, until) in self.link.take_bounds() {
            cx.advance(port, until);
        }
        let (lanes, ticket) = (cx.lanes(), cx.ticket());
        self.link.call(lanes, call, ticket);
        Ok(Flow::Pending)
    }
}

impl AnyNode for RemoteNode {
    fn configure(&mut self, _: &mut Context<'_>, _: usize, _: &MediaFormat) -> Result<()> {
        // Packets say what they are.
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let (port, lane) = (cx.port() as u32, cx.lane() as u32);
        let packet = Some(wire::to_wire(&packet));
        self.call(cx, Call::Process(up::Process { port, lane, packet }))
    }

    fn join(&mut self, cx: &mut Context<'_>, set: &mut [Option<Packet>]) -> Result<Flow> {
        let place =
            |packet: &Option<Packet>| up::set::Place { packet: packet.as_ref().map(wire::to_wire) };
        let places = set.iter().map(place).collect();
        self.call(cx, Call::Join(up::Set { places }))
    }

    fn advance(&mut self, cx: &mut Context<'_>, until: MediaTime) -> Result<Flow> {
        self.call(cx, Call::AdvanceNs(until.nanos()))
    }

    fn resume(&mut self, _: &mut Context<'_>) -> Result<Flow> {
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.call(cx, Call::Drain(up::Drain {}))
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.call(cx, Call::Finish(up::Finish {}))
    }

    fn reset(&mut self) {
        self.link.reset();
    }

    fn set_params(&mut self, prepared: Box<dyn Any + Send>) {
        if let Ok(params) = prepared.downcast::<String>() {
            self.link.set_params(*params);
        }
    }

    fn latency(&self) -> MediaTime {
        self.link.latency()
    }
}
