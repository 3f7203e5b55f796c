//! The service of those who look after the server.

use super::Control;
use super::served::Served;
use crate::v1::admin_service_server::AdminService;
use crate::v1::{DrainRequest, DrainResponse};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

pub(super) struct Admin {
    pub(super) served: Arc<Served>,
    pub(super) control: Control,
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn drain(
        &self,
        request: Request<DrainRequest>,
    ) -> Result<Response<DrainResponse>, Status> {
        let who = self.served.who(&request)?;
        let allowed = self.served.sessions.access().allow_admin(&who, Served::by_socket(&request));
        allowed.map_err(|e| self.served.refuse(&e))?;
        let time = match request.into_inner().deadline_ms {
            0 => None,
            ms => Some(Duration::from_millis(ms.into())),
        };
        self.control.drain(time);
        let sessions = self.served.sessions.count() as u32;
        Ok(Response::new(DrainResponse { sessions }))
    }
}
