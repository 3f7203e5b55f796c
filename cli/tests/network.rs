//! `rmedia serve` on one host and `rmedia` on another one, with a network between them that fails or is
//! far. The hosts are network namespaces with a cable between them: they need root and `ip` (iproute2),
//! and where there is none, the tests that need them say so and are over.
#![cfg(target_os = "linux")]

mod serving;
mod support;

use remotemedia::packet::Buffer;
use remotemedia::{Packet, Payload, Pull, PushError};
use serde_json::{Value as Json, json};
use serving::{PATIENCE, Server, engine, pipeline, remote};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use support::{Folder, example, finish, media};

/// Two hosts and the cable between them. All of it is gone when it is dropped.
struct Hosts {
    server: String,
    client: String,
}

/// An end of the cable.
#[derive(Clone, Copy)]
enum End {
    Server,
    Client,
}

/// Where the server is. Each pair of hosts has a network of its own.
const SERVER: &str = "10.77.0.1";

impl Hosts {
    /// `None`: this machine can't have any, and why has been said.
    fn new() -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let hosts = Self { server: format!("rs{name}"), client: format!("rc{name}") };
        let (server, client) = (hosts.server.as_str(), hosts.client.as_str());
        let cable = ["link", "add", "cable", "netns", server, "type", "veth"];
        let made = ip(&["netns", "add", server])
            .and_then(|()| ip(&["netns", "add", client]))
            .and_then(|()| ip(&[&cable[..], &["peer", "name", "cable", "netns", client]].concat()));
        if let Err(why) = made {
            eprintln!("not run: it needs root, `ip netns` and veth: {}", why.trim());
            return None;
        }
        for (host, address) in [(server, SERVER), (client, "10.77.0.2")] {
            let address = format!("{address}/24");
            ip(&["-n", host, "address", "add", &address, "dev", "cable"]).expect("an address");
            ip(&["-n", host, "link", "set", "cable", "up"]).expect("it is there");
            ip(&["-n", host, "link", "set", "lo", "up"]).expect("it is there");
        }
        Some(hosts)
    }

    /// Pulls the cable at that end, or puts it in again.
    fn cable(&self, end: End, state: &str) {
        let host = match end {
            End::Server => &self.server,
            End::Client => &self.client,
        };
        ip(&["-n", host, "link", "set", "cable", state]).expect("it is there");
    }

    fn serve(&self) -> Server {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.server, env!("CARGO_BIN_EXE_rmedia")]);
        let listen = format!("{SERVER}:0");
        let args = ["--plaintext", "--log", "--listen", &listen].map(str::to_owned);
        Server::by(command, args.to_vec())
    }

    /// Starts the command on the client's host.
    fn start(&self, folder: &Folder, args: &[&str]) -> Child {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.client, env!("CARGO_BIN_EXE_rmedia")]).args(args);
        command.current_dir(folder.path("")).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in [&self.server, &self.client] {
            let _ = ip(&["netns", "delete", host]);
        }
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    let ran = Command::new("ip").args(args).output().map_err(|e| e.to_string())?;
    match ran.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
    }
}

/// Writes a manifest with a node that hands on what comes, on the server.
fn pass(folder: &Folder, server: &Server, more: &Json) {
    let mut remote = remote(&server.endpoint);
    for (key, value) in more.as_object().expect("an object") {
        remote[key] = value.clone();
    }
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "pass", "node_type": "PassThrough", "placement": "remote", "remote": remote}]});
    folder.write("pass.json", manifest.to_string());
}

#[test]
fn a_file_that_goes_over_a_network_has_the_bits_that_it_has_without() {
    let Some(hosts) = Hosts::new() else { return };
    let (folder, server) = (Folder::new(), hosts.serve());
    let resample = example("resample.json");
    for name in ["speech-8k.wav", "music-44k-stereo.mp3"] {
        let input = media(name);
        let args = |out| ["run", &resample, "-i", &input, "-o", out];
        let ran = folder.run(&args("here.wav"));
        assert_eq!(ran.code, 0, "{}", ran.err);
        let there = [&args("there.wav")[..], &["--remote", &server.endpoint]].concat();
        let ran = finish(hosts.start(&folder, &there));
        assert_eq!(ran.code, 0, "{}", ran.err);
        let bytes = |name: &str| std::fs::read(folder.path(name)).expect("a file");
        assert!(bytes("here.wav") == bytes("there.wav"), "{name}");
    }
}

/// How long the cable is out.
const OUT: Duration = Duration::from_secs(2);

#[test]
fn a_cable_that_is_out_for_a_while_loses_nothing_and_repeats_nothing() {
    let Some(hosts) = Hosts::new() else { return };
    let (folder, server) = (Folder::new(), hosts.serve());
    // With patience the connection itself outlasts it; without, there is another one.
    for (more, another) in
        [(json!({}), false), (json!({"heartbeat_ms": 300, "connect_ms": 30_000}), true)]
    {
        for end in [End::Server, End::Client] {
            let attached = || {
                let said = server.said();
                said.iter().filter(|line| line["session"]["what"] == "attached").count()
            };
            let before = attached();
            pass(&folder, &server, &more);
            let mut child = hosts.start(&folder, &["stream", "pass.json"]);
            let mut stdin = child.stdin.take().expect("a pipe");
            let writer = std::thread::spawn(move || {
                (0..6_000).for_each(|n| writeln!(stdin, "{n}").expect("it reads"));
            });
            let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
            let mut heard = 0;
            for line in lines.map_while(Result::ok) {
                assert_eq!(line, heard.to_string(), "after {heard}");
                heard += 1;
                if heard == 2_000 {
                    hosts.cable(end, "down");
                    std::thread::sleep(OUT);
                    hosts.cable(end, "up");
                }
            }
            writer.join().expect("it writes");
            let ran = finish(child);
            assert_eq!((ran.code, heard), (0, 6_000), "{}", ran.err);
            assert_eq!(attached() > before, another);
        }
    }
}

#[test]
fn a_file_whose_run_the_cable_interrupts_has_the_bits_that_it_has_without() {
    let Some(hosts) = Hosts::new() else { return };
    let (folder, server) = (Folder::new(), hosts.serve());
    let (speech, resample) = (media("speech-8k.wav"), example("resample.json"));
    let ran = folder.run(&["run", &resample, "-i", &speech, "-o", "here.wav"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut manifest: Json =
        serde_json::from_str(&std::fs::read_to_string(&resample).expect("a file")).expect("JSON");
    manifest["remote"] = json!({"endpoint": server.endpoint, "heartbeat_ms": 300,
        "connect_ms": 30_000});
    manifest["placement"] = json!("remote");
    folder.write("remote.json", manifest.to_string());
    let args = ["run", "remote.json", "-i", &speech, "-o", "there.wav", "--realtime"];
    let child = hosts.start(&folder, &args);
    // As fast as somebody speaks: what has been written says how far it is.
    let begun = Instant::now();
    let written = || std::fs::metadata(folder.path("there.wav")).map_or(0, |file| file.len());
    while written() < 10_000 {
        assert!(begun.elapsed() < PATIENCE, "nothing is written");
        std::thread::sleep(Duration::from_millis(10));
    }
    hosts.cable(End::Server, "down");
    std::thread::sleep(OUT);
    hosts.cable(End::Server, "up");
    let ran = finish(child);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let bytes = |name: &str| std::fs::read(folder.path(name)).expect("a file");
    assert!(bytes("here.wav") == bytes("there.wav"));
}

#[test]
fn a_cable_that_stays_out_ends_the_client_with_what_is_lost_and_where() {
    let Some(hosts) = Hosts::new() else { return };
    let (folder, server) = (Folder::new(), hosts.serve());
    for end in [End::Server, End::Client] {
        pass(&folder, &server, &json!({"heartbeat_ms": 300, "connect_ms": 1_500}));
        let mut child = hosts.start(&folder, &["--json", "stream", "pass.json"]);
        let mut stdin = child.stdin.take().expect("a pipe");
        let writer = std::thread::spawn(move || {
            // It may end before it has read all.
            (0..1_000_000).try_for_each(|n| writeln!(stdin, "{n}"))
        });
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        for n in 0..1_000 {
            assert_eq!(lines.next().expect("a line").expect("text"), n.to_string());
        }
        hosts.cable(end, "down");
        lines.for_each(drop);
        let ran = finish(child);
        assert_eq!(ran.code, 1, "{}", ran.err);
        writer.join().expect("no panic").expect_err("it has ended before");
        let error = &said(&ran.err)["error"];
        assert_eq!((&error["detail"], &error["node"]), (&json!("remote.lost"), &json!("pass")));
        assert!(ran.err.contains(&server.endpoint), "{}", ran.err);

        // Who comes when it is out does not get that far.
        let mut child = hosts.start(&folder, &["--json", "stream", "pass.json"]);
        writeln!(child.stdin.take().expect("a pipe"), "1").expect("it reads");
        let ran = finish(child);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
        assert_eq!(said(&ran.err)["error"]["detail"], "remote.unreachable", "{}", ran.err);
        assert!(ran.err.contains(&server.endpoint), "{}", ran.err);
        hosts.cable(end, "up");
    }
}

/// The last line that was said.
fn said(lines: &str) -> Json {
    let last = lines.lines().last().expect("it says why");
    serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {lines}"))
}

/// A long way to a server: all takes so long, and as much as there is can be on its way.
struct Far {
    endpoint: String,
    /// The most bytes that were on their way to the server at a time.
    most: Arc<AtomicUsize>,
}

impl Far {
    fn from(server: &str, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("it listens");
        let endpoint = listener.local_addr().expect("an address").to_string();
        let (most, server) = (Arc::<AtomicUsize>::default(), server.to_owned());
        let up = Arc::clone(&most);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let clone = |stream: &TcpStream| {
                    stream.set_nodelay(true).expect("a socket");
                    stream.try_clone().expect("a socket")
                };
                way(clone(&client), clone(&server), delay, Arc::clone(&up));
                way(server, client, delay, Arc::default());
            }
        });
        Self { endpoint, most }
    }
}

/// Hands bytes on, each after the delay.
fn way(mut from: TcpStream, mut to: TcpStream, delay: Duration, most: Arc<AtomicUsize>) {
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    let on_way = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&on_way);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let now = on_way.fetch_add(count, Ordering::SeqCst) + count;
            most.fetch_max(now, Ordering::SeqCst);
            if sender.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (at, bytes) in receiver {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            counted.fetch_sub(bytes.len(), Ordering::SeqCst);
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_server_that_is_far_away_has_many_packets_on_their_way_to_it() {
    /// Bytes of a packet.
    const BYTES: usize = 4_000;
    let server = Server::start(&[]);
    let most = |in_flight: usize, packets: usize| {
        let far = Far::from(&server.endpoint, Duration::from_millis(50));
        let mut remote = remote(&far.endpoint);
        remote["max_in_flight"] = json!(in_flight);
        let manifest = json!({"version": "v1", "nodes": [
            {"id": "pass", "node_type": "PassThrough", "placement": "remote", "remote": remote}]});
        let pipeline = pipeline(&engine(), &manifest);
        let mut pulled = 0;
        let mut take = |pull: Pull<'_>| {
            let Pull::Packet(_, packet) = pull else { return false };
            let Payload::Bytes(bytes) = packet.payload() else { panic!("{packet:?}") };
            assert_eq!(bytes.as_slice(), [pulled as u8; BYTES], "packet {pulled}");
            pulled += 1;
            true
        };
        for n in 0..packets {
            let bytes = Buffer::from_owner(vec![n as u8; BYTES]);
            let mut packet = Packet::new(Payload::Bytes(bytes));
            while let Err(refused) = pipeline.push_within(0, packet, PATIENCE) {
                let PushError::Full(back) = refused else { panic!("{refused:?}") };
                packet = back;
                take(pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}")));
            }
            while take(pipeline.try_pull().unwrap_or_else(|e| panic!("{e:?}"))) {}
        }
        pipeline.end().expect("it ends");
        while take(pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}"))) {}
        assert_eq!(pulled, packets);
        far.most.load(Ordering::SeqCst)
    };
    let (one, many) = (most(1, 20), most(64, 640));
    assert!((BYTES..2 * BYTES).contains(&one), "{one} bytes with one packet at a time");
    assert!(many > 32 * BYTES, "{many} bytes with up to 64 packets at a time");
}
