//! Connections to servers, shared by all that speak to the same one.

use crate::endpoint::Endpoint;
use crate::fleet::Place;
use crate::settings::Tls;
use remotemedia_core::error::{Error, Result, detail};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint as Target, Identity, Uri};

/// A connection; the last who has it closes it.
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    /// It does not answer: who needs one takes another.
    dead: AtomicBool,
}

impl Connection {
    /// That to the server, or a new one, which connects when it is first used.
    ///
    /// # Errors
    /// `remote.endpoint` for a name that no host can have, `io.open` for certificates that can't be
    /// read.
    pub(crate) fn to(place: &Place, patience: Duration) -> Result<Arc<Self>> {
        static OPEN: Mutex<Option<HashMap<Place, Weak<Connection>>>> = Mutex::new(None);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        let found = open.get(place).and_then(Weak::upgrade);
        if let Some(found) = found.filter(|found| !found.dead.load(Ordering::Relaxed)) {
            return Ok(found);
        }
        let (channel, dead) =
            (dial(&place.endpoint, &place.tls, patience)?, AtomicBool::new(false));
        let made = Arc::new(Self { channel, dead });
        open.retain(|_, connection| connection.strong_count() > 0);
        open.insert(place.clone(), Arc::downgrade(&made));
        Ok(made)
    }

    /// Says that it is of no use any more.
    pub(crate) fn give_up(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }
}

fn dial(endpoint: &Endpoint, tls: &Tls, patience: Duration) -> Result<Channel> {
    let secure = tls.wanted || endpoint.is_secure();
    let scheme = if secure { "https" } else { "http" };
    let wrong = |e: tonic::transport::Error| {
        let why = std::error::Error::source(&e).map_or(String::new(), |why| format!(": {why}"));
        Error::new(detail::REMOTE_ENDPOINT, format!("'{endpoint}': {e}{why}"))
    };
    let mut target = Target::from_shared(format!("{scheme}://{}", endpoint.authority()))
        .map_err(wrong)?
        .connect_timeout(patience)
        .tcp_nodelay(true)
        .initial_stream_window_size(Some(WINDOW))
        .initial_connection_window_size(Some(4 * WINDOW));
    if secure {
        target = target.tls_config(secured(endpoint, tls)?).map_err(wrong)?;
    }
    Ok(match endpoint {
        Endpoint::Tcp { .. } => target.connect_lazy(),
        Endpoint::Unix(path) => {
            let path = path.clone();
            target.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                let path = path.clone();
                async move {
                    let stream = tokio::net::UnixStream::connect(path).await?;
                    Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
                }
            }))
        }
    })
}

fn secured(endpoint: &Endpoint, tls: &Tls) -> Result<ClientTlsConfig> {
    let read = |path: &String| {
        std::fs::read(path)
            .map_err(|e| Error::new(detail::IO_OPEN, format!("'{path}' can't be opened: {e}")))
    };
    let mut config = match &tls.ca {
        Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        config = config.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    let host = match endpoint {
        Endpoint::Tcp { host, .. } => host.as_str(),
        Endpoint::Unix(_) => "localhost",
    };
    Ok(config.domain_name(tls.server_name.as_deref().unwrap_or(host)))
}

/// Bytes that may be on their way in one stream: a window of 64 KiB holds up large packets.
pub(crate) const WINDOW: u32 = 4 << 20;
