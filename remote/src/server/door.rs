//! Where connections come in: so many at a time, each with a deadline for its beginning.

use super::config::{Config, Tls};
use remotemedia_core::error::{Error, Result, detail};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto::ring};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection has to say what every HTTP/2 connection says first within so long.
const BEGINNING: Duration = Duration::from_secs(10);
/// Bytes of what it says first.
const PREFACE: usize = 24;

/// How connections are secured. Those that come in after a change have it as it is then.
pub(super) struct Lock(RwLock<Option<TlsAcceptor>>);

impl Lock {
    /// # Errors
    /// `io.open` for certificates and keys that are none.
    pub(super) fn new(tls: Option<&Tls>) -> Result<Self> {
        Ok(Self(RwLock::new(tls.map(acceptor).transpose()?)))
    }

    /// Secures what comes in from now on by other certificates.
    ///
    /// # Errors
    /// `io.open` for certificates and keys that are none; then nothing changes.
    pub(super) fn change(&self, tls: Option<&Tls>) -> Result<()> {
        let acceptor = tls.map(acceptor).transpose()?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    fn acceptor(&self) -> Option<TlsAcceptor> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor> {
    let wrong =
        |what: &str, e: String| Error::new(detail::IO_OPEN, format!("the server's {what}: {e}"));
    let certificates = |what: &str, pem: &str| {
        let found: std::result::Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        match found {
            Ok(found) if found.is_empty() => Err(wrong(what, "there is none".to_owned())),
            Ok(found) => Ok(found),
            Err(e) => Err(wrong(what, e.to_string())),
        }
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong("TLS", e.to_string()))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("authority of clients", ca)? {
                roots.add(certificate).map_err(|e| wrong("authority of clients", e.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier =
                verifier.build().map_err(|e| wrong("authority of clients", e.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes());
    let key = key.map_err(|e| wrong("key", e.to_string()))?;
    let chain = certificates("certificate", &tls.cert)?;
    let mut config =
        builder.with_single_cert(chain, key).map_err(|e| wrong("certificate", e.to_string()))?;
    config.alpn_protocols.push(b"h2".to_vec());
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What comes in, until the receiver is gone. Beyond `max_connections` a connection is closed as soon as
/// it is there: who waits in a line that nobody sees would wait for ever.
pub(super) fn connections(
    listener: Listener,
    lock: Arc<Lock>,
    config: &Config,
    refused: impl Fn() + Send + 'static,
) -> ReceiverStream<io::Result<Connection>> {
    let (send, receive) = mpsc::channel(64);
    let places = Arc::new(Semaphore::new(config.max_connections));
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                stream = listener.accept() => stream,
                () = send.closed() => return,
            };
            let stream = match stream {
                Ok(stream) => stream,
                Err(e) if passes(&e) => continue,
                Err(_) => {
                    // No more descriptors, most likely: some may be free soon.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                refused();
                continue;
            };
            let (send, lock) = (send.clone(), Arc::clone(&lock));
            tokio::spawn(async move {
                let begun = tokio::time::timeout(BEGINNING, stream.begin(lock.acceptor())).await;
                // Who does not get so far is not told of anything.
                let Ok(Ok(stream)) = begun else { return };
                let deadline = Some(Box::pin(tokio::time::sleep(BEGINNING)));
                let connection = Connection { stream, heard: 0, deadline, _place: place };
                let _ = send.send(Ok(connection)).await;
            });
        }
    });
    ReceiverStream::new(receive)
}

/// An error of one connection, not of the listener.
fn passes(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Listener {
    async fn accept(&self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small answers go at once.
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            Self::Unix(listener) => Stream::Unix(listener.accept().await?.0),
        })
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    TlsTcp(Box<TlsStream<TcpStream>>),
    TlsUnix(Box<TlsStream<UnixStream>>),
}

impl Stream {
    async fn begin(self, acceptor: Option<TlsAcceptor>) -> io::Result<Self> {
        let Some(acceptor) = acceptor else { return Ok(self) };
        Ok(match self {
            Self::Tcp(stream) => Self::TlsTcp(Box::new(acceptor.accept(stream).await?)),
            Self::Unix(stream) => Self::TlsUnix(Box::new(acceptor.accept(stream).await?)),
            secured => secured,
        })
    }
}

/// A connection that came in. Its place is free again when it goes.
pub(super) struct Connection {
    stream: Stream,
    /// Bytes that have come, as long as there is a deadline.
    heard: usize,
    deadline: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

/// By which way a call came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// By a socket of the file system.
    pub(super) by_socket: bool,
}

impl Connected for Connection {
    type ConnectInfo = Way;

    fn connect_info(&self) -> Way {
        Way { by_socket: matches!(self.stream, Stream::Unix(_) | Stream::TlsUnix(_)) }
    }
}

macro_rules! each {
    ($self:ident, $stream:ident => $work:expr) => {
        match &mut $self.stream {
            Stream::Tcp($stream) => $work,
            Stream::Unix($stream) => $work,
            Stream::TlsTcp($stream) => $work,
            Stream::TlsUnix($stream) => $work,
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        let read = each!(this, stream => Pin::new(stream).poll_read(cx, into));
        let Some(deadline) = &mut this.deadline else { return read };
        if read.is_pending() {
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        this.heard += into.filled().len() - before;
        if this.heard >= PREFACE {
            this.deadline = None;
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Tcp(stream) => stream.is_write_vectored(),
            Stream::Unix(stream) => stream.is_write_vectored(),
            Stream::TlsTcp(stream) => stream.is_write_vectored(),
            Stream::TlsUnix(stream) => stream.is_write_vectored(),
        }
    }
}
