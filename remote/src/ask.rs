//! Questions to a server, each with its answer.

use crate::connection::Connection;
use crate::fleet::{self, Place};
use crate::link::introduce;
use crate::parts::MOST_BYTES;
use crate::settings::Settings;
use crate::v1::admin_service_client::AdminServiceClient;
use crate::v1::node_service_client::NodeServiceClient;
use crate::{failure, reactor, v1, wire};
use remotemedia_core::error::{Error, Result, detail};
use serde_json::{Map, Value as Json};
use std::future::Future;
use std::time::Duration;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// A server, to be asked. Its calls wait for the answer, at most as long as `connect_ms` says.
pub struct Remote {
    settings: Settings,
}

/// Whether a server takes what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Serving,
    /// It is about to end.
    Draining,
}

impl Remote {
    /// The server that the fields of a manifest's `remote` name.
    ///
    /// # Errors
    /// `remote.endpoint` when they name none.
    pub fn new(remote: &Map<String, Json>) -> Result<Self> {
        Ok(Self { settings: Settings::read(remote)? })
    }

    /// Whether it is there.
    ///
    /// # Errors
    /// `remote.unreachable` when it does not answer; `remote.auth`.
    pub fn health(&self) -> Result<Health> {
        self.ask(|connection, server| async move {
            let mut client = HealthClient::new(connection.channel.clone());
            let service = "remotemedia.v1.NodeService".to_owned();
            let request = tonic_health::pb::HealthCheckRequest { service };
            let response = client.check(request).await;
            let response = response.map_err(|status| failure::from_status(&status, &server))?;
            Ok(match response.into_inner().status() {
                ServingStatus::Serving => Health::Serving,
                _ => Health::Draining,
            })
        })
    }

    /// Its node types, each as [`describe`](remotemedia_core::node::describe) has it.
    ///
    /// # Errors
    /// `remote.unreachable` when it does not answer; `remote.auth`.
    pub fn nodes(&self) -> Result<Vec<Json>> {
        let settings = self.settings.clone();
        self.ask(|connection, server| async move {
            let mut client = NodeServiceClient::new(connection.channel.clone())
                .max_decoding_message_size(MOST_BYTES);
            let mut request = tonic::Request::new(v1::ListNodesRequest {});
            introduce(&mut request, &settings)?;
            let response = client.list_nodes(request).await;
            let response = response.map_err(|status| failure::from_status(&status, &server))?;
            let read = |text: &String| {
                serde_json::from_str(text).map_err(|e| wire::wrong(format!("no JSON: {e}")))
            };
            response.into_inner().nodes.iter().map(read).collect()
        })
    }

    /// Ends it: it takes nothing new, and its sessions come to their end, for at most so long (`None`: as
    /// it was set up). Gives how many there are. For clients that may: see [`server`](crate::server).
    ///
    /// # Errors
    /// `remote.unreachable` when it does not answer; `remote.auth`.
    pub fn drain(&self, time: Option<Duration>) -> Result<u32> {
        let settings = self.settings.clone();
        let ms = time.map_or(0, |time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1));
        self.ask(|connection, server| async move {
            let mut client = AdminServiceClient::new(connection.channel.clone());
            let mut request = tonic::Request::new(v1::DrainRequest { deadline_ms: ms });
            introduce(&mut request, &settings)?;
            let response = client.drain(request).await;
            let response = response.map_err(|status| failure::from_status(&status, &server))?;
            Ok(response.into_inner().sessions)
        })
    }

    fn ask<T, F>(&self, ask: impl FnOnce(std::sync::Arc<Connection>, String) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let settings = &self.settings;
        let places = Place::all(settings);
        let place = fleet::choose(&places);
        let reactor = reactor::handle()?;
        let _inside = reactor.enter();
        let connection = Connection::to(place, settings.connect)?;
        let server = place.endpoint.to_string();
        let asked = ask(connection, server.clone());
        reactor.block_on(async {
            tokio::time::timeout(settings.connect, asked).await.unwrap_or_else(|_| {
                let ms = settings.connect.as_millis();
                let message = format!("{server} has not answered within {ms} ms");
                Err(Error::new(detail::REMOTE_UNREACHABLE, message))
            })
        })
    }
}
