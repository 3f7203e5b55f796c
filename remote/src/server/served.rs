//! What the services serve with.

use super::access::Who;
use super::door::Way;
use super::happened::What;
use super::session::Opening;
use super::sessions::{CallUnderWay, Sessions};
use crate::failure;
use remotemedia_core::engine::Engine;
use remotemedia_core::error::{Error, Result, detail};
use std::future::Future;
use std::result;
use tonic::{Request, Status};

/// What the services serve with.
pub(super) struct Served {
    pub(super) engine: Engine,
    pub(super) sessions: Sessions,
}

impl Served {
    /// Lets a call in whose client may, and notes who that is.
    pub(super) fn admit(&self, mut request: Request<()>) -> result::Result<Request<()>, Status> {
        let who = self.sessions.access().admit(request.metadata()).map_err(|e| self.refuse(&e))?;
        request.extensions_mut().insert(who);
        Ok(request)
    }

    /// Who asks.
    pub(super) fn who<T>(&self, request: &Request<T>) -> result::Result<Who, Status> {
        let who = request.extensions().get::<Who>().cloned();
        who.ok_or_else(|| self.refuse(&Error::new(detail::REMOTE_AUTH, "nobody let the call in")))
    }

    /// Whether it came by a socket of the file system.
    pub(super) fn by_socket<T>(request: &Request<T>) -> bool {
        request.extensions().get::<Way>().is_some_and(|way| way.by_socket)
    }

    /// What a session would be made of.
    pub(super) fn opening<T>(&self, request: &Request<T>) -> result::Result<Opening, Status> {
        let who = self.who(request)?;
        let trace = request.metadata().get("traceparent").and_then(|value| value.to_str().ok());
        // What is none is nobody's trace.
        let trace = trace.filter(|text| crate::settings::is_traceparent(text)).map(str::to_owned);
        self.sessions.opening(who, trace).map_err(|e| self.refuse(&e))
    }

    /// Makes a call that is no session's and takes `bytes` of memory: to its end, or until the server has
    /// no more time. What goes on elsewhere takes what it is given along.
    pub(super) async fn make_call<T, F: Future<Output = Result<T>>>(
        &self,
        bytes: usize,
        call: impl FnOnce(CallUnderWay) -> F,
    ) -> result::Result<T, Status> {
        let under_way = self.sessions.begin_call(bytes).map_err(|e| self.refuse(&e))?;
        let made = tokio::select! {
            biased;
            made = call(under_way) => made,
            error = self.sessions.over() => Err(error),
        };
        made.map_err(|e| failure::to_status(&e))
    }

    /// Does work of a call that may take long away from the threads of the connections. The call lasts as
    /// long as the work, also when nobody waits for it any more.
    pub(super) async fn away<T: Send + 'static>(
        under_way: CallUnderWay,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let work = move || {
            let _under_way = under_way;
            work()
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
            let message = format!("what was called did not come back: {e}");
            Err(Error::new(detail::NODE_PANICKED, message))
        })
    }

    pub(super) fn refuse(&self, error: &Error) -> Status {
        self.sessions.note(What::Refused, None, error.message());
        failure::to_status(error)
    }
}
