//! Host nodes by queue: their jobs wait until the program takes them, on a thread of its choice.
//! For languages whose code must not be called from other threads.

use crate::abi::{
    RMEDIA_EMPTY, RMEDIA_FOREVER, RMEDIA_JOB_CLOSE, RMEDIA_JOB_DRAIN, RMEDIA_JOB_PARAMS,
    RMEDIA_JOB_PROCESS, RMEDIA_JOB_RESET, RMEDIA_OK, RMEDIA_TRY, rmedia_engine_t, rmedia_error_t,
    rmedia_job_info_t, rmedia_job_t, rmedia_packet_t,
};
use crate::boundary::{call_with, check_may_wait, invalid, text};
use crate::error::c_string;
use crate::job::Job;
use crate::node::complete;
use crate::wake::Wake;
use crate::{engine, packet, sized};
use remotemedia::Packet;
use remotemedia::error::{Error, Result, detail};
use remotemedia::node::params::{Json, Map, ParamSpec};
use remotemedia::node::{
    AnyNode, Context, Declaration, Descriptor, Flow, MediaFormat, NodeType, Ports, Ticket,
};
use std::any::Any;
use std::collections::{BTreeSet, VecDeque};
use std::ffi::{CString, c_char};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// Adds a node type whose jobs the program takes with rmedia_engine_next_job. `declaration` is as
/// that of rmedia_node_type_t; its `max_in_flight` (1 if it gives none) is how many jobs of one node
/// may be open at a time. Outputs go on in the order of their inputs, in whatever order jobs end.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: INVALID_ARGUMENT for a declaration that is none, or a name that is taken.
///
/// # Safety
/// Pointers are NULL or good for their type; `declaration` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_add_host_node(
    engine: rmedia_engine_t,
    declaration: *const c_char,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let declared = Declaration::from_json(text(declaration, "declaration")?)?;
            let declared = declared.with_tickets();
            let descriptor = declared.descriptor;
            let entry = engine::find(engine)?;
            let name = format!("{}/{}", declared.namespace, descriptor.name);
            let added = QueueType {
                descriptor,
                params: declared.params,
                name: Arc::new(c_string(name.clone())),
                queue: entry.host.clone(),
            };
            // Its name first: a pipeline that is made at this moment must know it.
            let fresh = entry.host.lock().types.insert(name.clone());
            let added = entry.engine.add_type(declared.namespace, Arc::new(added));
            if added.is_err() && fresh {
                entry.host.lock().types.remove(&name);
            }
            added.map(|()| RMEDIA_OK)
        })
    }
}

/// Takes the next job of the engine's host nodes; RMEDIA_EMPTY when none comes within `timeout_ms`
/// (0: don't wait, -1: for ever), or the engine is destroyed. Jobs of one node come in order. Several
/// threads may serve; one that waits here is a server, and pulls of other threads rely on it for a
/// second after its last job.
///
/// Ownership: the caller gets the job, and ends it with rmedia_job_done or rmedia_job_fail; the
/// packet is lent until then.
/// Thread: any, not in a callback when it waits. Blocks: up to the timeout. Real-time: no.
/// Since: 0.1.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_next_job(
    engine: rmedia_engine_t,
    timeout_ms: i32,
    job: *mut rmedia_job_info_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            // Written before a job is taken that could not be handed over.
            sized::write(job, "job", &NO_JOB)?;
            let deadline = deadline(timeout_ms)?;
            let entry = engine::find(engine)?;
            let Some(waiting) = entry.host.next(deadline) else {
                entry.look_again();
                return Ok(RMEDIA_EMPTY);
            };
            let info = open(waiting, &entry.host)?;
            sized::write(job, "job", &info)?;
            Ok(RMEDIA_OK)
        })
    }
}

/// An info without a job in it.
const NO_JOB: rmedia_job_info_t = rmedia_job_info_t {
    struct_size: size_of::<rmedia_job_info_t>() as u32,
    kind: 0,
    job: rmedia_job_t { id: 0 },
    node: 0,
    node_type: std::ptr::null(),
    params: std::ptr::null(),
    packet: rmedia_packet_t { id: 0 },
    port: 0,
    reserved: 0,
};

/// When a wait of so many milliseconds ends. Waiting is refused in a callback.
pub(crate) fn deadline(timeout_ms: i32) -> Result<Deadline> {
    match timeout_ms {
        RMEDIA_TRY => return Ok(Deadline::Now),
        RMEDIA_FOREVER => {}
        ..0 => {
            let message = format!("{timeout_ms} ms is no timeout");
            return Err(
                invalid(message).with_hint("0: don't wait, -1: for ever, else milliseconds")
            );
        }
        _ => {}
    }
    check_may_wait()?;
    let millis = u64::try_from(timeout_ms).map(Duration::from_millis);
    Ok(millis.map_or(Deadline::Never, |wait| Deadline::At(Instant::now() + wait)))
}

/// When a wait ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    Now,
    At(Instant),
    Never,
}

/// Gives a job to the program.
fn open(waiting: Waiting, queue: &Arc<HostQueue>) -> Result<rmedia_job_info_t> {
    let Waiting { kind, node, port, packet, params, ticket } = waiting;
    let taken = Taken { node_type: node.node_type.clone(), params, queue: queue.clone() };
    let (node_type, params) = (taken.node_type.as_ptr(), taken.params.as_ptr());
    let job = Arc::new(Job::queued(node.outputs, ticket, taken));
    let lent = packet.map(packet::handle).transpose()?;
    job.lend(lent);
    let handle = job.open().inspect_err(|_| {
        job.close(RMEDIA_OK, || None);
    })?;
    Ok(rmedia_job_info_t {
        struct_size: size_of::<rmedia_job_info_t>() as u32,
        kind,
        job: handle,
        node: node.id,
        node_type,
        params,
        packet: lent.unwrap_or_default(),
        port,
        reserved: 0,
    })
}

/// What a job that was taken keeps: its texts, and its place among those being worked on.
pub(crate) struct Taken {
    node_type: Arc<CString>,
    params: Arc<CString>,
    queue: Arc<HostQueue>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.open -= 1;
        if let Some((_, at)) = &mut state.server {
            *at = Instant::now();
        }
    }
}

/// A job that waits.
struct Waiting {
    kind: u32,
    node: Arc<HostNode>,
    port: u32,
    packet: Option<Packet>,
    params: Arc<CString>,
    ticket: Option<Ticket>,
}

impl Waiting {
    /// Ends a job that nobody can take any more.
    fn refuse(self) {
        if let Some(ticket) = self.ticket {
            let message = "the engine was destroyed, so nobody can take the node's job";
            ticket.fail(
                Error::new(detail::NODE_FAILED, message)
                    .with_hint("destroy an engine after the pipelines with its host nodes"),
            );
        }
    }
}

/// Jobs of an engine's host nodes.
pub(crate) struct HostQueue {
    state: Mutex<State>,
    changed: Condvar,
    wake: Arc<Wake>,
    nodes: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Threads that wait for a job.
    takers: usize,
    /// Jobs that were taken and have not ended.
    open: usize,
    /// The thread that has last waited for jobs, and when it has last taken or ended one.
    server: Option<(ThreadId, Instant)>,
    /// The engine is gone.
    stopped: bool,
    /// Full names of the types whose jobs come here.
    types: BTreeSet<String>,
}

/// A thread that waited for jobs is taken to come back within that time.
pub(crate) const SERVES_AGAIN: Duration = Duration::from_secs(1);

impl HostQueue {
    pub(crate) fn new(wake: Arc<Wake>) -> Self {
        let (state, changed) = Default::default();
        Self { state, changed, wake, nodes: AtomicU64::new(1) }
    }

    /// Whether jobs of that type come here.
    pub(crate) fn serves(&self, type_name: &str) -> bool {
        self.lock().types.contains(type_name)
    }

    pub(crate) fn has_jobs(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Whether a job waits that nobody will take but whoever asks. A thread that has just served
    /// will serve again: between two of its jobs there is nobody at the queue for a moment.
    pub(crate) fn is_forsaken(&self) -> bool {
        let state = self.lock();
        if state.waiting.is_empty() || state.takers > 0 || state.open > 0 {
            return false;
        }
        let me = thread::current().id();
        state.server.is_none_or(|(server, at)| server == me || at.elapsed() >= SERVES_AGAIN)
    }

    /// The engine is gone, and with it the way to take a job: those that wait for one go, and nodes
    /// whose jobs nobody has taken fail.
    pub(crate) fn stop(&self) {
        let waiting = {
            let mut state = self.lock();
            state.stopped = true;
            std::mem::take(&mut state.waiting)
        };
        self.changed.notify_all();
        waiting.into_iter().for_each(Waiting::refuse);
    }

    fn add(&self, job: Waiting) {
        {
            let mut state = self.lock();
            if state.stopped {
                drop(state);
                return job.refuse();
            }
            state.waiting.push_back(job);
        }
        self.changed.notify_one();
        if self.wake.is_wanted() {
            self.wake.signal();
        }
    }

    fn next(&self, deadline: Deadline) -> Option<Waiting> {
        let mut state = self.lock();
        state.takers += 1;
        if deadline != Deadline::Now {
            state.server = Some((thread::current().id(), Instant::now()));
        }
        let job = loop {
            if state.stopped {
                break None;
            }
            if let Some(job) = state.waiting.pop_front() {
                state.open += 1;
                job.node.seen.store(true, Ordering::Relaxed);
                break Some(job);
            }
            state = match deadline {
                Deadline::Now => break None,
                Deadline::Never => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Deadline::At(at) => {
                    let left = at.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break None;
                    }
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        };
        state.takers -= 1;
        if deadline != Deadline::Now {
            state.server = Some((thread::current().id(), Instant::now()));
        }
        job
    }

    /// Takes jobs of a node back that nobody has taken yet, but for those of `but`.
    fn forget(&self, node: &HostNode, but: Option<u32>) {
        let gone: VecDeque<Waiting> = {
            let mut state = self.lock();
            let is_gone = |job: &Waiting| job.node.id == node.id && Some(job.kind) != but;
            let (gone, rest) = state.waiting.drain(..).partition(is_gone);
            state.waiting = rest;
            gone
        };
        // Outside the lock: their packets may be the program's memory.
        drop(gone);
    }

    /// Puts newer params into a job that tells of params and still waits. False: there is none.
    fn renew(&self, node: &HostNode, params: &Arc<CString>) -> bool {
        let mut state = self.lock();
        let is_it = |job: &&mut Waiting| job.node.id == node.id && job.kind == RMEDIA_JOB_PARAMS;
        match state.waiting.iter_mut().find(is_it) {
            Some(job) => {
                job.params = params.clone();
                true
            }
            None => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct QueueType {
    descriptor: &'static Descriptor,
    params: &'static [ParamSpec],
    name: Arc<CString>,
    queue: Arc<HostQueue>,
}

impl NodeType for QueueType {
    fn descriptor(&self) -> &'static Descriptor {
        self.descriptor
    }
    fn params(&self) -> &'static [ParamSpec] {
        self.params
    }
    fn ports(&self, _: &Map<String, Json>) -> Result<Ports> {
        Ok(Ports::of(self.descriptor))
    }
    fn create(&self, params: &Map<String, Json>) -> Result<Box<dyn AnyNode>> {
        let node = Arc::new(HostNode {
            id: self.queue.nodes.fetch_add(1, Ordering::Relaxed),
            node_type: self.name.clone(),
            outputs: self.descriptor.outputs.len(),
            seen: AtomicBool::new(false),
        });
        let params = Arc::new(complete(self.params, params));
        Ok(Box::new(QueueNode { node, params, queue: self.queue.clone() }))
    }
    fn prepare(&self, params: &Map<String, Json>) -> Box<dyn Any + Send> {
        Box::new(complete(self.params, params))
    }
}

/// What its jobs share.
struct HostNode {
    id: u64,
    node_type: Arc<CString>,
    outputs: usize,
    /// The program has had a job of it, so it is told when the node goes.
    seen: AtomicBool,
}

struct QueueNode {
    node: Arc<HostNode>,
    /// As they are now; a job carries those of its time.
    params: Arc<CString>,
    queue: Arc<HostQueue>,
}

impl QueueNode {
    fn add(&self, kind: u32, port: usize, packet: Option<Packet>, ticket: Option<Ticket>) {
        let (node, port, params) = (self.node.clone(), port as u32, self.params.clone());
        self.queue.add(Waiting { kind, node, port, packet, params, ticket });
    }

    /// Tells the program of something, if it knows the node.
    fn tell(&self, kind: u32) {
        if self.node.seen.load(Ordering::Relaxed) {
            self.add(kind, 0, None, None);
        }
    }
}

impl AnyNode for QueueNode {
    fn configure(&mut self, _: &mut Context<'_>, _: usize, _: &MediaFormat) -> Result<()> {
        Ok(())
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let (port, ticket) = (cx.port(), cx.ticket());
        self.add(RMEDIA_JOB_PROCESS, port, Some(packet), Some(ticket));
        Ok(Flow::Pending)
    }

    fn resume(&mut self, _: &mut Context<'_>) -> Result<Flow> {
        Ok(Flow::Done)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if !self.node.seen.load(Ordering::Relaxed) {
            return Ok(Flow::Done);
        }
        let ticket = cx.ticket();
        self.add(RMEDIA_JOB_DRAIN, 0, None, Some(ticket));
        Ok(Flow::Pending)
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.drain(cx)
    }

    fn reset(&mut self) {
        self.queue.forget(&self.node, Some(RMEDIA_JOB_PARAMS));
        self.tell(RMEDIA_JOB_RESET);
    }

    fn set_params(&mut self, prepared: Box<dyn Any + Send>) {
        if let Ok(params) = prepared.downcast::<CString>() {
            self.params = Arc::from(params);
            if !self.queue.renew(&self.node, &self.params) {
                self.tell(RMEDIA_JOB_PARAMS);
            }
        }
    }

    fn latency(&self) -> remotemedia::MediaTime {
        remotemedia::MediaTime::ZERO
    }
}

impl Drop for QueueNode {
    fn drop(&mut self) {
        self.queue.forget(&self.node, None);
        self.tell(RMEDIA_JOB_CLOSE);
    }
}
