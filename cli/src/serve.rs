//! `rmedia serve`: runs nodes for engines on other machines.

use crate::args::ServeArgs;
use crate::failure::{Exit, Failure, cannot_open};
use crate::interrupt;
use crate::report::Reporter;
use remotemedia::Engine;
use remotemedia::error::{Error, detail};
use remotemedia::remote::server::{Config, Happened, Server, Tls};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Where it listens if nobody says where.
const DEFAULT: &str = "127.0.0.1:50051";

/// The file of `--config`: the same as the command line says.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    /// File with a token a line.
    token_file: Option<String>,
    nodes: Option<Vec<String>>,
    max_sessions: Option<usize>,
    lease_ms: Option<u64>,
    drain_ms: Option<u64>,
    plaintext: Option<bool>,
    tls: Option<TlsFile>,
}

/// Its table `[tls]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    cert: String,
    key: String,
    client_ca: Option<String>,
}

/// Serves until it is told to end: the first Ctrl-C or SIGTERM lets calls come to their end.
pub(crate) fn run(args: &ServeArgs, reporter: Reporter) -> Result<Exit, Failure> {
    let mut config = config(args)?;
    if args.log {
        config.log = Some(Arc::new(move |happened: &Happened| {
            reporter.say(&happened.to_string(), &json!({ "session": happened.to_json() }));
        }));
    }
    interrupt::install();
    let end = Arc::new(Notify::new());
    interrupt::wake({
        let end = Arc::clone(&end);
        move || end.notify_one()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(detail::LIMIT_THREADS, format!("no threads to serve with: {e}")))?;
    runtime.block_on(async {
        let server = Server::bind(config, &Engine::default()).await.map_err(Failure::file)?;
        if let Some(at) = &args.metrics {
            let (at, serving) = server.serve_metrics(at).await.map_err(Failure::file)?;
            tokio::spawn(serving);
            let words = format!("metrics at http://{at}/metrics");
            reporter.say(&words, &json!({ "metrics": format!("http://{at}/metrics") }));
        }
        let endpoint = server.endpoint().to_string();
        reporter.say(&format!("serving at {endpoint}"), &json!({ "serving": endpoint }));
        server.run_until(async move { end.notified().await }).await?;
        reporter.say("ended", &json!({ "ended": endpoint }));
        Ok(Exit::Good)
    })
}

/// What the file says, and above it the command line.
fn config(args: &ServeArgs) -> Result<Config, Failure> {
    let file = match &args.config {
        Some(path) => {
            let text = read(path)?;
            toml::from_str(&text).map_err(|e| Failure::usage(format!("'{path}': {e}")))?
        }
        None => File::default(),
    };
    let listen = args.listen.clone().or(file.listen).unwrap_or_else(|| DEFAULT.to_owned());
    let mut config = Config::at(&listen);
    if let Some(path) = args.token_file.as_ref().or(file.token_file.as_ref()) {
        config.tokens = read(path)?
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        if config.tokens.is_empty() {
            return Err(Failure::usage(format!("there is no token in '{path}'")));
        }
    }
    config.nodes = match args.nodes.is_empty() {
        true => file.nodes,
        false => Some(args.nodes.clone()),
    };
    if let Some(most) = args.max_sessions.or(file.max_sessions) {
        config.max_sessions = most;
    }
    if let Some(ms) = file.lease_ms {
        config.lease = Duration::from_millis(ms);
    }
    if let Some(ms) = args.drain_ms.or(file.drain_ms) {
        config.drain = Duration::from_millis(ms);
    }
    config.plaintext = args.plaintext || file.plaintext.unwrap_or(false);
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(TlsFile {
            cert: cert.clone(),
            key: key.clone(),
            client_ca: args.client_ca.clone(),
        }),
        _ => file.tls,
    };
    if let Some(tls) = tls {
        config.tls = Some(Tls {
            cert: read(&tls.cert)?,
            key: read(&tls.key)?,
            client_ca: tls.client_ca.as_deref().map(read).transpose()?,
        });
    }
    Ok(config)
}

fn read(path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| cannot_open(path, &e))
}
