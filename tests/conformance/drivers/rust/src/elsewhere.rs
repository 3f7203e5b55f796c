//! Every node on a server: `CONFORMANCE_PLACEMENT=remote`.

use conformance_shared::Done;
use remotemedia::Engine;

/// The server that the nodes run on.
pub(crate) struct Elsewhere {
    #[cfg(feature = "remote")]
    endpoint: String,
}

impl Elsewhere {
    /// A server with the suite's nodes, if the environment asks for one. It lives as long as the process.
    pub(crate) fn asked_for() -> Done<Option<Self>> {
        match std::env::var("CONFORMANCE_PLACEMENT").as_deref() {
            Ok("remote") => Self::start().map(Some),
            Ok(other) => {
                Err(format!("CONFORMANCE_PLACEMENT={other}: 'remote' is all there is").into())
            }
            Err(_) => Ok(None),
        }
    }

    #[cfg(not(feature = "remote"))]
    fn start() -> Done<Self> {
        Err("this driver was built without the feature 'remote'".into())
    }

    #[cfg(feature = "remote")]
    fn start() -> Done<Self> {
        use remotemedia::remote::server::{Config, Server};
        let runtime = Box::leak(Box::new(tokio::runtime::Runtime::new()?));
        let engine = Engine::new(crate::nodes::registry()?);
        let server = runtime.block_on(Server::bind(Config::at("127.0.0.1:0"), &engine))?;
        let endpoint = server.endpoint().to_string();
        runtime.spawn(server.run());
        Ok(Self { endpoint })
    }

    #[cfg(not(feature = "remote"))]
    pub(crate) fn place(&self, _: &Engine, text: Vec<u8>) -> Vec<u8> {
        text
    }

    /// The manifest with its nodes on the server. What is added stands at its end, so that all else
    /// stays where it was.
    #[cfg(feature = "remote")]
    pub(crate) fn place(&self, engine: &Engine, mut text: Vec<u8>) -> Vec<u8> {
        remotemedia::remote::install(engine);
        if remotemedia::Manifest::from_slice(&text).is_err() {
            return text;
        }
        let endpoint = &self.endpoint;
        let end = text.trim_ascii_end().len();
        if text[..end].trim_ascii_start().starts_with(b"{") && text[..end].ends_with(b"}") {
            let more = format!(
                ", \"placement\": \"remote\", \"remote\": {{\"endpoint\": \"{endpoint}\"}}}}"
            );
            text.splice(end - 1..end, more.into_bytes());
        } else {
            let more = format!("\nplacement: remote\nremote: {{endpoint: \"{endpoint}\"}}\n");
            text.extend_from_slice(more.as_bytes());
        }
        text
    }
}
