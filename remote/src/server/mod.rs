//! The server.

mod config;
mod happened;
mod metrics;
mod nodes;
mod sessions;

pub use config::{Config, Log, Tls};
pub use happened::{Happened, What};

use crate::connection::WINDOW;
use crate::endpoint::Endpoint;
use crate::link::MOST_BYTES;
use crate::v1::node_service_server::NodeServiceServer;
use crate::{failure, v1};
use nodes::Nodes;
use remotemedia_core::engine::Engine;
use remotemedia_core::error::{Error, Result, detail};
use sessions::Sessions;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// A server that listens.
pub struct Server {
    listener: Listener,
    endpoint: Endpoint,
    config: Arc<Config>,
    nodes: Nodes,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, Socket),
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
                (Listener::Tcp(listener), Endpoint::Tcp { host: host.clone(), port, secure })
            }
            Endpoint::Unix(path) => {
                forget_dead_socket(path).await;
                let listener = UnixListener::bind(path).map_err(refused)?;
                (Listener::Unix(listener, Socket(path.clone())), endpoint.clone())
            }
        };
        let (config, engine) = (Arc::new(config), engine.clone());
        let sessions = Sessions::new(&config);
        let nodes = Nodes { engine, config: Arc::clone(&config), sessions };
        Ok(Self { listener, endpoint, config, nodes })
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
        let sessions = self.nodes.sessions.clone();
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
        let Self { listener, config, nodes, .. } = self;
        let broke = |e: tonic::transport::Error| {
            let why = std::error::Error::source(&e).map_or(String::new(), |why| format!(": {why}"));
            Error::new(detail::IO_OPEN, format!("the server broke: {e}{why}"))
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<NodeServiceServer<Nodes>>().await;
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
        let sessions = nodes.sessions.clone();
        let mut server = tonic::transport::Server::builder()
            .initial_stream_window_size(Some(WINDOW))
            .initial_connection_window_size(Some(4 * WINDOW))
            .max_concurrent_streams(u32::try_from(config.max_sessions.saturating_add(SPARE)).ok())
            .http2_max_local_error_reset_streams(Some(MOST_RESETS))
            .http2_keepalive_interval(Some(ALIVE))
            .http2_keepalive_timeout(Some(ALIVE));
        if let Some(tls) = &config.tls {
            server = server.tls_config(tls_config(tls)).map_err(broke)?;
        }
        let nodes = NodeServiceServer::new(nodes)
            .max_decoding_message_size(MOST_BYTES)
            .max_encoding_message_size(MOST_BYTES);
        // Before a message is read, which may be as large as one may be.
        let (door, noted) = (Arc::clone(&config), sessions.clone());
        let nodes = InterceptedService::new(nodes, move |request: tonic::Request<()>| {
            let admitted = door.admit(request.metadata()).map(|_| request);
            admitted.map_err(|e| {
                noted.note(What::Refused, None, e.message());
                failure::to_status(&e)
            })
        });
        let server = server
            .add_service(health_service)
            .add_service(reflection)
            .add_service(older_reflection)
            .add_service(nodes);
        let (close, closed) = tokio::sync::oneshot::channel::<()>();
        let closed = async { drop(closed.await) };
        let serving = async move {
            match listener {
                Listener::Tcp(listener) => {
                    // Small answers are not to wait for the acknowledgement of those before them.
                    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
                    server.serve_with_incoming_shutdown(incoming, closed).await
                }
                Listener::Unix(listener, _socket) => {
                    let incoming = UnixListenerStream::new(listener);
                    server.serve_with_incoming_shutdown(incoming, closed).await
                }
            }
        };
        tokio::pin!(serving);
        tokio::select! {
            served = &mut serving => return served.map_err(broke),
            () = end => {}
        }
        health.set_not_serving::<NodeServiceServer<Nodes>>().await;
        sessions.drain(config.drain);
        tokio::select! {
            served = &mut serving => return served.map_err(broke),
            _ = tokio::time::timeout(config.drain, sessions.gone()) => {}
        }
        drop(close);
        // Clients that keep their connections open would hold it up for ever.
        match tokio::time::timeout(LINGER, serving).await {
            Ok(served) => served.map_err(broke),
            Err(_) => Ok(()),
        }
    }
}

/// Streams of a connection beside those of sessions: of calls that are refused, and of questions.
const SPARE: usize = 128;

/// Streams of a connection that end because its client breaks the rules.
const MOST_RESETS: usize = 1024;

/// How long a connection may say nothing before it is asked for a sign of life, and how long that may
/// take. It is HTTP/2 that asks and answers: a stream whose client does not read has no say.
const ALIVE: Duration = Duration::from_secs(10);

/// How long connections may take to end once there is nothing on them.
const LINGER: Duration = Duration::from_secs(1);

fn tls_config(tls: &Tls) -> ServerTlsConfig {
    let config = ServerTlsConfig::new().identity(Identity::from_pem(&tls.cert, &tls.key));
    match &tls.client_ca {
        Some(ca) => config.client_ca_root(Certificate::from_pem(ca)),
        None => config,
    }
}

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
