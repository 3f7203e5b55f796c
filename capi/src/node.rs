//! Host nodes by function: node types whose nodes are functions of the program.

use crate::abi::{RMEDIA_OK, rmedia_engine_t, rmedia_error_t, rmedia_node_type_t};
use crate::boundary::{call_with, callback, check_flags, invalid, null, text};
use crate::error::c_string;
use crate::job::{JOBS, Job, Outcome};
use crate::{engine, packet, sized};
use remotemedia::Packet;
use remotemedia::error::{Error, Result, detail};
use remotemedia::node::params::{Json, Map, ParamSpec};
use remotemedia::node::{
    AnyNode, Context, Declaration, Descriptor, Flow, MediaFormat, NodeType, Ports,
};
use std::any::Any;
use std::ffi::{CString, c_void};
use std::ptr;
use std::sync::Arc;

/// Adds a node type to an engine, for the pipelines to come. Its functions must not call their own
/// pipeline, which gives REENTRANT, whatever thread they run on. Those that wait hold up what runs on
/// the same thread; a type that says `blocking` gets one for waiting where it is placed on a thread.
///
/// Ownership: takes `type->user` on success; `type->free` gives it back.
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: INVALID_ARGUMENT for a declaration that is none, a missing `process`, or a name that is taken.
///
/// # Safety
/// Pointers are NULL or good for their type; the functions are as their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_add_node(
    engine: rmedia_engine_t,
    r#type: *const rmedia_node_type_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let functions = sized::read(r#type, "type")?;
            check_flags(functions.flags, 0)?;
            if functions.process.is_none() {
                return Err(null("type->process"));
            }
            if functions.destroy.is_some() && functions.create.is_none() {
                return Err(invalid("a node type with a `destroy` needs a `create`"));
            }
            let declaration = Declaration::from_json(text(functions.declaration, "declaration")?)?;
            let entry = engine::find(engine)?;
            let host = Arc::new(Functions { functions, armed: true.into() });
            let added = FunctionType { declaration, host: host.clone() };
            let added = entry.engine.add_type(declaration.namespace, Arc::new(added));
            if added.is_err() {
                host.disarm();
            }
            added.map(|()| RMEDIA_OK)
        })
    }
}

/// The program's functions, alive as long as a type or a node refers to them.
struct Functions {
    functions: rmedia_node_type_t,
    armed: std::sync::atomic::AtomicBool,
}

// SAFETY: the program says that its functions may be called on the threads that run pipelines, and
// `create` for several pipelines at once.
unsafe impl Send for Functions {}
// SAFETY: as above.
unsafe impl Sync for Functions {}

impl Functions {
    /// Nothing was taken: `free` will not be called.
    fn disarm(&self) {
        self.armed.store(false, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        if let (Some(free), true) = (self.functions.free, *self.armed.get_mut()) {
            // SAFETY: no node and no type refers to the functions any more.
            callback(|| unsafe { free(self.functions.user) });
        }
    }
}

struct FunctionType {
    declaration: Declaration,
    host: Arc<Functions>,
}

/// The params as the program gets them: complete, with defaults.
pub(crate) fn complete(specs: &[ParamSpec], given: &Map<String, Json>) -> CString {
    let value = |spec: &ParamSpec| {
        let value = given.get(spec.name).or(spec.default.as_ref()).cloned();
        (spec.name.to_owned(), value.unwrap_or_default())
    };
    c_string(Json::Object(specs.iter().map(value).collect()).to_string())
}

impl NodeType for FunctionType {
    fn descriptor(&self) -> &'static Descriptor {
        self.declaration.descriptor
    }
    fn params(&self) -> &'static [ParamSpec] {
        self.declaration.params
    }
    fn ports(&self, _: &Map<String, Json>) -> Result<Ports> {
        Ok(Ports::of(self.declaration.descriptor))
    }
    fn create(&self, params: &Map<String, Json>) -> Result<Box<dyn AnyNode>> {
        let params = complete(self.declaration.params, params);
        let outputs = self.declaration.descriptor.outputs.len();
        let (host, job) = (self.host.clone(), Arc::new(Job::new(outputs)));
        let Some(create) = host.functions.create else {
            let node = host.functions.user;
            return Ok(Box::new(FunctionNode { host, node, outputs, job }));
        };
        let mut node = ptr::null_mut();
        let making = Arc::new(Job::new(0));
        let handle = making.open()?;
        let user = host.functions.user;
        // SAFETY: the program vouches for its function; `node` may be written.
        let status = callback(|| unsafe { create(user, handle, params.as_ptr(), &mut node) });
        JOBS.release(handle.id);
        // One that said OK is destroyed, also where its job failed.
        let made = (status >= 0).then(|| FunctionNode { host, node, outputs, job });
        match (making.close(status, || None), made) {
            (Outcome::Failed(error), _) => Err(error),
            (_, Some(made)) => Ok(Box::new(made)),
            (_, None) => Err(Error::new(detail::NODE_FAILED, "the node could not be made")),
        }
    }
    fn prepare(&self, params: &Map<String, Json>) -> Box<dyn Any + Send> {
        Box::new(complete(self.declaration.params, params))
    }
}

struct FunctionNode {
    host: Arc<Functions>,
    node: *mut c_void,
    outputs: usize,
    /// The job of the last call.
    job: Arc<Job>,
}

// SAFETY: the engine calls a node from one thread at a time, and the program says that its
// functions may be called with `node` on any.
unsafe impl Send for FunctionNode {}

impl FunctionNode {
    /// Calls one of the functions and does with its outputs what it says.
    fn call(
        &mut self,
        cx: &mut Context<'_>,
        packet: Option<Packet>,
        function: impl FnOnce(crate::abi::rmedia_job_t, crate::abi::rmedia_packet_t) -> i32,
    ) -> Result<Flow> {
        // Of the last call, unless somebody still has it: nothing is allocated then.
        match Arc::get_mut(&mut self.job) {
            Some(job) => job.renew(),
            None => self.job = Arc::new(Job::new(self.outputs)),
        }
        let job = self.job.clone();
        let lent = packet.map(packet::handle).transpose()?;
        job.lend(lent);
        let handle = job.open().inspect_err(|_| {
            job.close(RMEDIA_OK, || None);
        })?;
        let status = callback(|| function(handle, lent.unwrap_or_default()));
        let outcome = job.close(status, || cx.try_ticket());
        if !matches!(outcome, Outcome::InFlight) {
            JOBS.release(handle.id);
        }
        match outcome {
            Outcome::InFlight => Ok(Flow::Pending),
            Outcome::Failed(error) => Err(error),
            Outcome::Done => {
                job.drain_emissions(|port, packet| cx.emit(port, packet));
                Ok(Flow::Done)
            }
        }
    }
}

impl AnyNode for FunctionNode {
    fn configure(&mut self, _: &mut Context<'_>, _: usize, _: &MediaFormat) -> Result<()> {
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let (node, port) = (self.node, cx.port() as u32);
        let Some(process) = self.host.functions.process else {
            return Err(Error::new(detail::NODE_CONTRACT, "the node type has no `process`"));
        };
        // SAFETY: the program vouches for its function; `node` is what its `create` gave.
        self.call(cx, Some(packet), |job, packet| unsafe { process(node, job, port, packet) })
    }

    fn resume(&mut self, _: &mut Context<'_>) -> Result<Flow> {
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let node = self.node;
        match self.host.functions.drain {
            // SAFETY: as in `process`.
            Some(drain) => self.call(cx, None, |job, _| unsafe { drain(node, job) }),
            None => {
                self.reset();
                Ok(Flow::Done)
            }
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.drain(cx)
    }

    fn reset(&mut self) {
        if let Some(reset) = self.host.functions.reset {
            // SAFETY: as in `process`.
            callback(|| unsafe { reset(self.node) });
        }
    }

    fn set_params(&mut self, prepared: Box<dyn Any + Send>) {
        if let (Some(set), Ok(params)) =
            (self.host.functions.set_params, prepared.downcast::<CString>())
        {
            // SAFETY: as in `process`; the text lives as long as the call.
            callback(|| unsafe { set(self.node, params.as_ptr()) });
        }
    }

    fn latency(&self) -> remotemedia::MediaTime {
        remotemedia::MediaTime::ZERO
    }
}

impl Drop for FunctionNode {
    fn drop(&mut self) {
        if let Some(destroy) = self.host.functions.destroy {
            // SAFETY: the last call with this `node`.
            callback(|| unsafe { destroy(self.node) });
        }
    }
}
