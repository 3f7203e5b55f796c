//! What a node on a server costs, beside bare tonic that sends the same messages.
//!
//! ```text
//! remote_trip serve bare|ours ENDPOINT                  until it is killed; says where it listens
//! remote_trip trip stream|unary packet|BYTES COUNT BARE_ENDPOINT OUR_ENDPOINT
//! remote_trip crowd bare|ours ENDPOINT SERVER_PID FIRST PER_CONNECTION
//! remote_trip flood ENDPOINT SERVER_PID SECONDS
//! ```
//!
//! All but `serve` print a JSON object. What comes back is compared with what was sent.
#![allow(clippy::print_stdout, reason = "a command line tool speaks on stdout")]

mod bare;
mod crowd;
mod flood;
mod load;
mod trip;

use remotemedia::remote::server::{Config, Server};
use remotemedia::{Engine, Manifest, Pipeline};
use serde_json::json;

type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Done {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let found = match args.as_slice() {
        ["serve", side, endpoint] => return serve(side, endpoint),
        ["trip", form, load, count, bare, ours] => {
            trip::run(form, load, count.parse()?, [*bare, *ours])?
        }
        ["crowd", side, endpoint, server, first, each] => {
            crowd::run(side, endpoint, server.parse()?, first.parse()?, each.parse()?)?
        }
        ["flood", endpoint, server, seconds] => {
            flood::run(endpoint, server.parse()?, seconds.parse()?)?
        }
        _ => return Err("serve, trip, crowd or flood; the file's top says with what".into()),
    };
    println!("{found}");
    Ok(())
}

fn serve(side: &str, endpoint: &str) -> Done {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match side {
            "bare" => bare::serve(endpoint).await,
            "ours" => {
                let engine = Engine::default();
                // The other knows no limit.
                let config = Config {
                    max_sessions: 100_000,
                    max_client_sessions: 100_000,
                    max_connections: 100_000,
                    ..Config::at(endpoint)
                };
                let server = Server::bind(config, &engine).await?;
                listening(server.endpoint());
                Ok(server.run().await?)
            }
            _ => Err("serve bare or ours".into()),
        }
    })
}

/// Tells who started the server that clients may come, and where to.
fn listening(endpoint: &impl std::fmt::Display) {
    println!("serving {endpoint}");
}

/// A node at the server, in a pipeline here.
fn pipeline(engine: &Engine, endpoint: &str) -> Done<Pipeline> {
    remotemedia::remote::install(engine);
    Ok(engine.pipeline(&Manifest::from_value(json!({
        "version": "v1",
        "nodes": [{"id": "echo", "node_type": "PassThrough", "placement": "remote",
                   "remote": {"endpoint": endpoint}}],
    }))?)?)
}
