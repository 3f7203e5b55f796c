//! The server.

mod access;
mod admin;
mod budget;
mod calls;
mod config;
mod door;
mod drive;
mod ears;
mod happened;
mod hold;
mod kept;
mod metrics;
mod nodes;
mod pipelines;
mod running;
mod runs;
mod served;
mod session;
mod sessions;
mod weigh;
mod whole;

pub use access::Token;
pub use config::{Config, Log, Tls};
pub use happened::{Happened, What};

use crate::connection::WINDOW;
use crate::endpoint::Endpoint;
use crate::parts::MOST_BYTES;
use crate::v1;
use crate::v1::admin_service_server::AdminServiceServer;
use crate::v1::node_service_server::NodeServiceServer;
use crate::v1::pipeline_service_server::PipelineServiceServer;
use admin::Admin;
use door::{Listener, Lock};
use nodes::Nodes;
use pipelines::Pipelines;
use remotemedia_core::engine::Engine;
use remotemedia_core::error::{Error, Result, detail};
use served::Served;
use sessions::Sessions;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Notify;
use tonic::service::interceptor::InterceptedService;
use tonic_health::ServingStatus;
use tower::util::MapRequestLayer;

/// A server that listens.
pub struct Server {
    listener: Listener,
    endpoint: Endpoint,
    config: Config,
    served: Arc<Served>,
    control: Control,
    /// Where it listens, if that is in the file system.
    socket: Option<Socket>,
}

/// Changes a server while it serves. Any thread.
#[derive(Clone)]
pub struct Control(Arc<Controlled>);

struct Controlled {
    sessions: Sessions,
    lock: Arc<Lock>,
    /// It is to end; with a time that sessions may take, unless that is as it was set up.
    ends: Notify,
    drain: Mutex<Option<Duration>>,
}

impl Control {
    /// Puts the tokens, node types and certificates of `config` in force; all else stays as it is.
    /// Sessions whose token is gone end; connections stay as they were secured.
    ///
    /// # Errors
    /// `io.open` for certificates that are none, `remote.endpoint` where the server may not be without;
    /// then nothing changes.
    pub fn reload(&self, config: &Config) -> Result<()> {
        config.endpoint()?;
        self.0.lock.change(config.tls.as_ref())?;
        self.0.sessions.access().change(config);
        self.0.sessions.note(What::Reloaded, None, "tokens, node types and certificates");
        Ok(())
    }

    /// Ends the server: it takes nothing new, and its sessions come to their end, for at most so long
    /// (`None`: as it was set up).
    pub fn drain(&self, time: Option<Duration>) {
        *self.0.drain.lock().unwrap_or_else(PoisonError::into_inner) = time;
        self.0.ends.notify_one();
    }
}

/// A socket of the file system; it goes with the server.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Server {
    /// Begins to listen; what connects from now on is served by [`run`](Self::run).
    ///
    /// # Errors
    /// `remote.endpoint` for a place that is none, and for one where others may listen, too, without
    /// TLS; `io.open` when the system does not give it.
    pub async fn bind(config: Config, engine: &Engine) -> Result<Self> {
        let endpoint = config.endpoint()?;
        let refused = |e: std::io::Error| {
            Error::new(detail::IO_OPEN, format!("can't listen at {endpoint}: {e}"))
        };
        let (listener, endpoint) = match &endpoint {
            Endpoint::Tcp { host, .. } => {
                let Endpoint::Tcp { port, .. } = &endpoint else { unreachable!("just seen") };
                let listener = TcpListener::bind((host.as_str(), *port)).await.map_err(refused)?;
                let port = listener.local_addr().map_err(refused)?.port();
                let secure = config.tls.is_some();
                let endpoint = Endpoint::Tcp { host: host.clone(), port, secure };
                (Listener::Tcp(listener), endpoint)
            }
            Endpoint::Unix(path) => {
                forget_dead_socket(path).await;
                let listener = UnixListener::bind(path).map_err(refused)?;
                (Listener::Unix(listener), endpoint.clone())
            }
        };
        let socket = match &endpoint {
            Endpoint::Unix(path) => Some(Socket(path.clone())),
            Endpoint::Tcp { .. } => None,
        };
        let lock = Arc::new(Lock::new(config.tls.as_ref())?);
        let (sessions, engine) = (Sessions::new(&config), engine.clone());
        let (ends, drain) = (Notify::new(), Mutex::new(None));
        let controlled = Controlled { sessions: sessions.clone(), lock, ends, drain };
        let control = Control(Arc::new(controlled));
        let served = Arc::new(Served { engine, sessions });
        Ok(Self { listener, endpoint, config, served, control, socket })
    }

    /// What changes it while it serves.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Listens at another place for those who want to know the server's counters: by HTTP, at the path
    /// `/metrics`, in Prometheus' text format. Gives where it listens, and what serves them.
    ///
    /// # Errors
    /// `io.open` when the system does not give the place.
    pub async fn serve_metrics(
        &self,
        at: &str,
    ) -> Result<(std::net::SocketAddr, impl Future<Output = ()> + Send + use<>)> {
        let refused = |e: std::io::Error| {
            Error::new(detail::IO_OPEN, format!("can't tell metrics at {at}: {e}"))
        };
        let listener = TcpListener::bind(at).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let sessions = self.served.sessions.clone();
        let tell = move || std::future::ready(sessions.metrics_text());
        let routes = axum::Router::new().route("/metrics", axum::routing::get(tell));
        // What breaks is one scrape, not the server.
        let serving = async move { drop(axum::serve(listener, routes).await) };
        Ok((address, serving))
    }

    /// Serves for ever.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(self) -> Result<()> {
        self.run_until(std::future::pending()).await
    }

    /// Serves until `end` is there. Then it opens no more sessions and tells the clients of those that
    /// it has, which go elsewhere or come to their end; what is left at the deadline is cut.
    ///
    /// # Errors
    /// When the listener breaks; for certificates that are none.
    pub async fn run_until(self, end: impl Future<Output = ()> + Send) -> Result<()> {
        let Self { listener, config, served, control, socket: _socket, .. } = self;
        let broke = |e: tonic::transport::Error| {
            let why = std::error::Error::source(&e).map_or(String::new(), |why| format!(": {why}"));
            Error::new(detail::IO_OPEN, format!("the server broke: {e}{why}"))
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<NodeServiceServer<Nodes>>().await;
        health.set_serving::<PipelineServiceServer<Pipelines>>().await;
        let describe = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(v1::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let none = |e: tonic_reflection::server::Error| {
            Error::new(detail::IO_OPEN, format!("no reflection: {e}"))
        };
        // Many clients still ask by the older name.
        let reflection = describe().build_v1().map_err(none)?;
        let older_reflection = describe().build_v1alpha().map_err(none)?;
        let sessions = served.sessions.clone();
        // Before a message is read, which may be as large as one may be.
        let door = {
            let served = Arc::clone(&served);
            move |request| served.admit(request)
        };
        let weigh = {
            let served = Arc::clone(&served);
            move |request| weigh::weigh(request, &served)
        };
        let nodes = NodeServiceServer::new(Nodes(Arc::clone(&served)))
            .max_decoding_message_size(MOST_BYTES)
            .max_encoding_message_size(MOST_BYTES);
        let nodes = InterceptedService::new(nodes, door.clone());
        let pipelines = PipelineServiceServer::new(Pipelines(Arc::clone(&served)))
            .max_decoding_message_size(MOST_BYTES)
            .max_encoding_message_size(MOST_BYTES);
        let pipelines = InterceptedService::new(pipelines, door.clone());
        let admin = AdminServiceServer::new(Admin { served, control: control.clone() });
        let admin = InterceptedService::new(admin, door);
        let server = tonic::transport::Server::builder()
            .layer(MapRequestLayer::new(weigh))
            .initial_stream_window_size(Some(WINDOW))
            .initial_connection_window_size(Some(4 * WINDOW))
            .max_concurrent_streams(u32::try_from(config.max_sessions.saturating_add(SPARE)).ok())
            .http2_max_local_error_reset_streams(Some(MOST_RESETS))
            .http2_max_header_list_size(Some(HEADERS))
            .http2_keepalive_interval(Some(ALIVE))
            .http2_keepalive_timeout(Some(ALIVE))
            .timeout(config.max_call)
            .add_service(health_service)
            .add_service(reflection)
            .add_service(older_reflection)
            .add_service(nodes)
            .add_service(pipelines)
            .add_service(admin);
        let (close, closed) = tokio::sync::oneshot::channel::<()>();
        let closed = async { drop(closed.await) };
        let refused = {
            let sessions = sessions.clone();
            move || sessions.metrics().refused()
        };
        let lock = Arc::clone(&control.0.lock);
        let incoming = door::connections(listener, lock, &config, refused);
        let serving = server.serve_with_incoming_shutdown(incoming, closed);
        tokio::pin!(serving);
        tokio::select! {
            served = &mut serving => return served.map_err(broke),
            () = end => {}
            () = control.0.ends.notified() => {}
        }
        for service in ["", "remotemedia.v1.NodeService", "remotemedia.v1.PipelineService"] {
            health.set_service_status(service, ServingStatus::NotServing).await;
        }
        let time = *control.0.drain.lock().unwrap_or_else(PoisonError::into_inner);
        let time = time.unwrap_or(config.drain);
        sessions.drain(time);
        tokio::select! {
            served = &mut serving => return served.map_err(broke),
            _ = tokio::time::timeout(time, sessions.gone()) => {}
        }
        sessions.cut();
        drop(close);
        // Clients that keep their connections open would hold it up for ever.
        match tokio::time::timeout(LINGER, serving).await {
            Ok(served) => served.map_err(broke),
            Err(_) => Ok(()),
        }
    }
}

/// How long connections may take to end once there is nothing on them.
const LINGER: Duration = Duration::from_secs(1);
/// Streams of a connection beside those of sessions: of calls that are refused, and of questions.
const SPARE: usize = 128;
/// Streams of a connection that end because its client breaks the rules.
const MOST_RESETS: usize = 1024;
/// Bytes of headers that a call may have.
const HEADERS: u32 = 16 << 10;
/// How long a connection may say nothing before it is asked for a sign of life, and how long that may
/// take. It is HTTP/2 that asks and answers: a stream whose client does not read has no say.
const ALIVE: Duration = Duration::from_secs(10);

/// A socket that nobody listens at is what a server that was killed has left.
async fn forget_dead_socket(path: &Path) {
    let dead = match UnixStream::connect(path).await {
        Ok(_) => false,
        Err(e) => e.kind() == std::io::ErrorKind::ConnectionRefused,
    };
    if dead {
        let _ = std::fs::remove_file(path);
    }
}
