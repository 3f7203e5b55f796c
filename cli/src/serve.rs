//! `rmedia serve`: runs nodes for engines on other machines.

use crate::args::ServeArgs;
use crate::failure::{Exit, Failure, cannot_open};
use crate::report::Reporter;
use remotemedia::Engine;
use remotemedia::error::{Error, detail};
use remotemedia::remote::server::{Config, Control, Happened, Server, Tls, Token};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
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
    max_client_sessions: Option<usize>,
    max_connections: Option<usize>,
    max_message_bytes: Option<usize>,
    max_memory_bytes: Option<usize>,
    max_call_ms: Option<u64>,
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
    let end = Arc::new(Notify::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(detail::LIMIT_THREADS, format!("no threads to serve with: {e}")))?;
    let served = runtime.block_on(async {
        let server = Server::bind(config, &Engine::default()).await.map_err(Failure::file)?;
        if let Some(at) = &args.metrics {
            let (at, serving) = server.serve_metrics(at).await.map_err(Failure::file)?;
            tokio::spawn(serving);
            let words = format!("metrics at http://{at}/metrics");
            reporter.say(&words, &json!({ "metrics": format!("http://{at}/metrics") }));
        }
        end_when_told(&end)?;
        reload_at_hangup(args.clone(), server.control(), reporter)?;
        let endpoint = server.endpoint().to_string();
        reporter.say(&format!("serving at {endpoint}"), &json!({ "serving": endpoint }));
        server.run_until(async move { end.notified().await }).await?;
        reporter.say("ended", &json!({ "ended": endpoint }));
        Ok(Exit::Good)
    });
    // Calls that don't come to their end are not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

/// Ends the server at SIGINT or SIGTERM, and at the second of them at once.
#[cfg(unix)]
fn end_when_told(end: &Arc<Notify>) -> Result<(), Failure> {
    // Not as the other commands do it: what they install takes SIGHUP for an interrupt, too.
    let (mut interrupts, mut ends) =
        (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
    let end = Arc::clone(end);
    tokio::spawn(async move {
        for time in 0.. {
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = ends.recv() => {}
            }
            match time {
                0 => end.notify_one(),
                _ => std::process::exit(i32::from(Exit::Interrupted as u8)),
            }
        }
    });
    Ok(())
}

#[cfg(unix)]
fn signals(kind: SignalKind) -> Result<Signal, Failure> {
    let signals = signal(kind);
    Ok(signals.map_err(|e| Error::new(detail::IO_OPEN, format!("no signals: {e}")))?)
}

#[cfg(not(unix))]
fn end_when_told(end: &Arc<Notify>) -> Result<(), Failure> {
    crate::interrupt::install();
    let end = Arc::clone(end);
    crate::interrupt::wake(move || end.notify_one());
    Ok(())
}

/// Reads tokens, node types and certificates again at SIGHUP. What is wrong with them is said, and all
/// stays as it was.
#[cfg(unix)]
fn reload_at_hangup(args: ServeArgs, control: Control, reporter: Reporter) -> Result<(), Failure> {
    let mut hangups = signals(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            let reloaded =
                config(&args).and_then(|config| control.reload(&config).map_err(Failure::file));
            match reloaded {
                Ok(()) => reporter.say("read again", &json!({ "reloaded": true })),
                Err(failure) => {
                    let why = failure.error.to_string();
                    let words = format!("not read again: {why}");
                    reporter.say(&words, &json!({ "reloaded": false, "why": why }));
                }
            }
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn reload_at_hangup(_: ServeArgs, _: Control, _: Reporter) -> Result<(), Failure> {
    Ok(())
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
        let tokens = Token::read(&read(path)?);
        config.tokens = tokens.map_err(|e| Failure::usage(format!("'{path}': {e}")))?;
    }
    config.nodes = match args.nodes.is_empty() {
        true => file.nodes,
        false => Some(args.nodes.clone()),
    };
    if let Some(most) = args.max_sessions.or(file.max_sessions) {
        config.max_sessions = most;
    }
    let limits = [
        (&mut config.max_client_sessions, file.max_client_sessions),
        (&mut config.max_connections, file.max_connections),
        (&mut config.max_message, file.max_message_bytes),
        (&mut config.max_memory, file.max_memory_bytes),
    ];
    for (limit, said) in limits {
        *limit = said.unwrap_or(*limit);
    }
    if let Some(ms) = file.max_call_ms {
        config.max_call = Duration::from_millis(ms);
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
