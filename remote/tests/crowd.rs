//! Many nodes, and a server that is away: how often they knock, and that all go on once it is there.

mod common;

use common::{PATIENCE, Running, engine, pipeline, placed};
use remotemedia::error::detail;
use remotemedia::{Engine, Pipeline, Pull};
use serde_json::json;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Takes connections and closes them at once.
struct Deaf {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Deaf {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("it listens");
        let address = listener.local_addr().expect("an address");
        let (taken, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ends) = (Arc::clone(&taken), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            while listener.accept().is_ok() && !ends.load(Ordering::Acquire) {
                count.fetch_add(1, Ordering::AcqRel);
            }
        });
        Self { address, taken, over, thread }
    }

    /// Nobody listens there any more. Says how many connections there were.
    fn end(self) -> usize {
        self.over.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address));
        self.thread.join().expect("its thread");
        self.taken.load(Ordering::Acquire)
    }
}

/// Pipelines with a node there, each of which has been asked something.
fn asked(engine: &Engine, count: usize, endpoint: &str, connect_ms: u32) -> Vec<Pipeline> {
    let mut manifest = placed(
        &json!({"version": "v1", "nodes": [{"id": "n", "node_type": "PassThrough"}]}),
        endpoint,
    );
    manifest["nodes"][0]["remote"]["connect_ms"] = json!(connect_ms);
    let asked = |_| {
        let pipeline = pipeline(engine, &manifest);
        pipeline.push("hello").expect("it is taken");
        pipeline
    };
    (0..count).map(asked).collect()
}

#[test]
fn many_nodes_knock_seldom_at_a_server_that_is_away_and_all_work_once_it_is_there() {
    const NODES: usize = 200;
    let (engine, deaf) = (engine(), Deaf::new());
    let endpoint = deaf.address.to_string();
    for pipeline in asked(&engine, NODES, &endpoint, 1_000) {
        let error = pipeline.pull(PATIENCE).expect_err("nobody answers");
        assert_eq!((error.detail(), error.node()), (detail::REMOTE_UNREACHABLE, Some("n")));
        assert!(error.message().contains(&endpoint), "{error:?}");
    }
    // Who goes does not wait, though it has a minute.
    drop(asked(&engine, NODES, &endpoint, 60_000));
    assert!(remotemedia::remote::leave(PATIENCE), "a line is left");
    let patient = asked(&engine, NODES, &endpoint, 60_000);
    let tries = deaf.end();
    // Tries at the same time share a connection.
    assert!((1..50).contains(&tries), "{tries} by {}", 3 * NODES);

    let server = Running::at(&endpoint);
    for pipeline in patient {
        match pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}")) {
            Pull::Packet(_, packet) => assert_eq!(packet.as_text(), Some("hello")),
            other => panic!("{other:?}"),
        }
    }
    drop(server);
}
