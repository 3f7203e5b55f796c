//! `rmedia serve`, as a process of its own: what happens when it is killed, frozen, ended, and when the
//! connection to it breaks or is slow.
#![cfg(unix)]

mod serving;
mod support;

use remotemedia::error::detail;
use remotemedia::{Engine, Packet, Pull};
use serde_json::json;
use serving::{PATIENCE, Proxy, Server, counted, engine, errors, numbers, pipeline, push, remote};
use std::time::Duration;

/// A pass-through node on a server, with what else its manifest says.
fn pass(remote: serde_json::Value, more: serde_json::Value) -> serde_json::Value {
    let mut node = json!({"id": "pass", "node_type": "PassThrough", "placement": "remote"});
    node["remote"] = remote;
    for (key, value) in more.as_object().expect("an object") {
        node[key] = value.clone();
    }
    json!({"version": "v1", "nodes": [node]})
}

/// Whether a packet comes back. A refusal may be there before the push is over.
fn asked(pipeline: &remotemedia::Pipeline) -> remotemedia::Result<()> {
    pipeline.push(Packet::json(json!(7)))?;
    match pipeline.pull(PATIENCE)? {
        Pull::Packet(..) => Ok(()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_connection_that_breaks_again_and_again_loses_nothing_and_repeats_nothing() {
    let (engine, server) = (engine(), Server::start(&["--metrics", "127.0.0.1:0"]));
    let proxy = Proxy::to(&server.endpoint);
    let pipeline = pipeline(&engine, &pass(remote(&proxy.endpoint), json!({})));
    let mut got = Vec::new();
    for n in 0..2_000 {
        push(&pipeline, &mut got, n);
        if n % 97 == 96 {
            proxy.cut();
        }
    }
    numbers(&pipeline, &mut got);
    assert_eq!(got, (0..2_000).collect::<Vec<i64>>());
    assert!(proxy.connections() > 10, "{}", proxy.connections());
    // Also what was answered twice counts once: the packets, and the end.
    assert_eq!(server.counters().value("calls_total"), 2_001);
}

#[test]
fn many_sessions_whose_connection_breaks_go_on_together_and_lose_nothing() {
    let (engine, server) = (engine(), Server::start(&[]));
    let proxy = Proxy::to(&server.endpoint);
    let sessions = || pipeline(&engine, &pass(remote(&proxy.endpoint), json!({})));
    let mut sessions: Vec<_> = (0..50).map(|_| (sessions(), Vec::new())).collect();
    for n in 0..200 {
        for (pipeline, got) in &mut sessions {
            push(pipeline, got, n);
        }
        if n % 50 == 49 {
            proxy.cut();
        }
    }
    for (pipeline, got) in &mut sessions {
        numbers(pipeline, got);
        assert_eq!(*got, (0..200).collect::<Vec<i64>>());
    }
    let connections = proxy.connections();
    assert!(connections < sessions.len(), "they share them: {connections}");
}

#[test]
fn a_connection_that_brings_its_bytes_late_and_one_by_one_changes_nothing() {
    let (engine, server) = (engine(), Server::start(&[]));
    let proxy = Proxy::slow(&server.endpoint, 7, Duration::from_micros(200));
    let pipeline = pipeline(&engine, &pass(remote(&proxy.endpoint), json!({})));
    let mut got = Vec::new();
    (0..200).for_each(|n| push(&pipeline, &mut got, n));
    numbers(&pipeline, &mut got);
    assert_eq!(got, (0..200).collect::<Vec<i64>>());
}

#[test]
fn a_server_that_is_killed_ends_the_pipeline_with_what_is_lost() {
    let (engine, server) = (engine(), Server::start(&[]));
    let mut remote = remote(&server.endpoint);
    remote["connect_ms"] = json!(300);
    let pipeline = pipeline(&engine, &pass(remote, json!({})));
    let mut got = Vec::new();
    (0..100).for_each(|n| push(&pipeline, &mut got, n));
    while got.is_empty() {
        counted(pipeline.pull(PATIENCE).expect("it goes on"), &mut got);
    }
    drop(server);
    let error = loop {
        match pipeline.push(Packet::json(json!(0))) {
            Ok(()) | Err(remotemedia::PushError::Full(_)) => {}
            Err(refused) => break refused.into(),
        }
        match pipeline.pull(PATIENCE) {
            Ok(pull) => counted(pull, &mut got),
            Err(error) => break error,
        }
    };
    let error: remotemedia::Error = error;
    assert_eq!((error.detail(), error.node()), (detail::REMOTE_LOST, Some("pass")), "{error:?}");
    assert!(error.cause().is_some_and(|cause| cause.detail() == detail::REMOTE_UNREACHABLE));
}

#[test]
fn a_server_that_is_killed_and_started_again_loses_only_what_is_counted() {
    let engine = engine();
    let mut server = Server::start(&[]);
    let mut remote = remote(&server.endpoint);
    remote["connect_ms"] = json!(20_000);
    let pipeline = pipeline(&engine, &pass(remote, json!({"on_error": "restart"})));
    let mut got = Vec::new();
    for n in 0..1_500 {
        push(&pipeline, &mut got, n);
        if n == 500 || n == 1_000 {
            server = server.again();
        }
    }
    numbers(&pipeline, &mut got);
    drop(server);
    assert!(got.is_sorted_by(|a, b| a < b), "in order, and none twice");
    let failed = errors(&pipeline);
    assert!(failed > 0 && got.len() as u64 + failed == 1_500, "{} out, {failed} lost", got.len());
}

#[test]
fn a_server_that_is_frozen_is_noticed_and_goes_on_where_it_was() {
    let (engine, server) = (engine(), Server::start(&[]));
    let mut remote = remote(&server.endpoint);
    (remote["heartbeat_ms"], remote["connect_ms"]) = (json!(200), json!(20_000));
    let pipeline = pipeline(&engine, &pass(remote.clone(), json!({})));
    let mut got = Vec::new();
    (0..500).for_each(|n| push(&pipeline, &mut got, n));
    server.signal(libc::SIGSTOP);
    let thaw = std::thread::scope(|scope| {
        let thaw = scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(1));
            server.signal(libc::SIGCONT);
        });
        (500..1_000).for_each(|n| push(&pipeline, &mut got, n));
        numbers(&pipeline, &mut got);
        thaw.join()
    });
    thaw.expect("the thread");
    assert_eq!(got, (0..1_000).collect::<Vec<i64>>());

    // For good: the error says so.
    remote["connect_ms"] = json!(500);
    let pipeline = serving::pipeline(&engine, &pass(remote, json!({})));
    server.signal(libc::SIGSTOP);
    pipeline.push(Packet::json(json!(1))).expect("it is taken");
    let error = pipeline.pull(PATIENCE).expect_err("nobody answers");
    server.signal(libc::SIGCONT);
    assert_eq!(error.detail(), detail::REMOTE_UNREACHABLE, "{error:?}");
    assert!(error.message().contains("said nothing"), "{error:?}");
}

#[test]
fn a_server_that_is_told_to_end_hands_its_sessions_over_and_loses_nothing() {
    let engine: Engine = engine();
    let servers = [Server::start(&[]), Server::start(&[])];
    let mut remote = remote(&servers[0].endpoint);
    remote["endpoint"] = json!(servers.each_ref().map(|server| server.endpoint.clone()));
    // What holds a part of its input back is to give it out before it moves.
    let manifest = json!({"version": "v1", "nodes": [{
        "id": "chunk", "node_type": "AudioChunker", "params": {"chunk_size": 1000},
        "placement": "remote", "remote": remote,
    }]});
    let pipeline = pipeline(&engine, &manifest);
    let (mut samples, mut breaks) = (Vec::new(), 0);
    let mut take = |pull: Pull<'_>| {
        let Pull::Packet(_, packet) = pull else { return false };
        breaks += u32::from(packet.is_discont());
        samples.extend_from_slice(packet.as_audio().and_then(|a| a.f32()).expect("f32"));
        true
    };
    let mut ended = [None, None];
    let mut servers = servers.map(Some);
    for n in 0..1_500_u32 {
        let block = (0..160).map(|i| (n * 160 + i) as f32).collect();
        let audio = remotemedia::Audio::from_f32(block, 16_000, 1).expect("audio");
        pipeline.push_within(0, audio.into(), PATIENCE).unwrap_or_else(|e| panic!("{e:?}"));
        while take(pipeline.try_pull().unwrap_or_else(|e| panic!("{e:?}"))) {}
        if n == 500 {
            // One of them has the session; the other one has none and just ends.
            ended[0] = servers[0].take().map(Server::end);
            servers[0] = Some(Server::start(&[]));
        }
    }
    pipeline.end().expect("it ends");
    while take(pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}"))) {}
    assert_eq!(ended[0], Some(Some(0)), "it ended well");
    assert!(samples.iter().enumerate().all(|(i, s)| i as f32 == *s), "in order");
    assert_eq!(samples.len(), 1_500 * 160);
    assert!(breaks <= 2, "{breaks}");
}

#[test]
fn of_three_servers_one_dies_and_the_others_go_on() {
    let engine = engine();
    let mut servers: Vec<_> = (0..3).map(|_| Server::start(&[])).collect();
    let endpoints: Vec<_> = servers.iter().map(|server| server.endpoint.clone()).collect();
    let pipelines: Vec<_> = (0..6)
        .map(|_| {
            let mut remote = remote(&endpoints[0]);
            (remote["endpoint"], remote["connect_ms"]) = (json!(endpoints), json!(1_000));
            pipeline(&engine, &pass(remote, json!({"on_error": "restart"})))
        })
        .collect();
    let mut got = vec![Vec::new(); pipelines.len()];
    for n in 0..400 {
        for (pipeline, got) in pipelines.iter().zip(&mut got) {
            push(pipeline, got, n);
        }
        if n == 200 {
            drop(servers.pop());
        }
    }
    let mut lost = 0;
    for (pipeline, got) in pipelines.iter().zip(&mut got) {
        numbers(pipeline, got);
        let failed = errors(pipeline);
        assert_eq!(got.len() as u64 + failed, 400);
        assert!(got.is_sorted_by(|a, b| a < b) && got.last() == Some(&399));
        lost += u64::from(failed > 0);
    }
    assert!(lost < 6, "the sessions were on all three");
}

#[test]
fn who_has_no_token_or_a_wrong_one_is_not_let_in() {
    let folder = support::Folder::new();
    folder.write("tokens", "# one a line\nabracadabra\nsesame\n");
    let server = Server::start(&["--token-file", folder.path("tokens").to_str().expect("a path")]);
    for (token, good) in [(None, false), (Some("sesam"), false), (Some("sesame"), true)] {
        let mut remote = remote(&server.endpoint);
        if let Some(token) = token {
            remote["token"] = json!(token);
        }
        let pipeline = pipeline(&engine(), &pass(remote, json!({})));
        match (asked(&pipeline), good) {
            (Ok(()), true) => {}
            (Err(error), false) => assert_eq!(error.detail(), detail::REMOTE_AUTH, "{error:?}"),
            (other, _) => panic!("{token:?}: {other:?}"),
        }
    }
}

#[test]
fn what_a_hangup_has_read_again_holds_and_what_is_wrong_with_it_changes_nothing() {
    let folder = support::Folder::new();
    folder.write("tokens", "sesame\nabracadabra\nold expires=2020-01-01T00:00:00Z\n");
    let tokens = folder.path("tokens");
    let server = Server::start(&["--token-file", tokens.to_str().expect("a path"), "--log"]);
    let with = |token: &str| {
        let mut remote = remote(&server.endpoint);
        (remote["token"], remote["heartbeat_ms"]) = (json!(token), json!(200));
        pipeline(&engine(), &pass(remote, json!({})))
    };
    let error = asked(&with("old")).expect_err("its time is over");
    assert_eq!(error.detail(), detail::REMOTE_AUTH, "{error:?}");
    assert!(error.message().contains("expired"), "{error:?}");
    let (stays, goes) = (with("sesame"), with("abracadabra"));
    asked(&stays).expect("it is known");
    asked(&goes).expect("it is known");

    // As many lines that say whether it was read.
    let hangup = |times: usize| {
        server.signal(libc::SIGHUP);
        let begun = std::time::Instant::now();
        loop {
            let said = server.said();
            let said: Vec<_> = said.iter().filter_map(|line| line["reloaded"].as_bool()).collect();
            if said.len() == times {
                return said[times - 1];
            }
            assert!(begun.elapsed() < PATIENCE, "{said:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    folder.write("tokens", "sesame expires=soon\n");
    assert!(!hangup(1), "it is no time");
    asked(&stays).expect("nothing has changed");
    asked(&goes).expect("nothing has changed");
    folder.write("tokens", "sesame\nfresh admin\n");
    assert!(hangup(2));
    asked(&with("fresh")).expect("it is known now");
    asked(&stays).expect("it is still known");
    let error = loop {
        match asked(&goes) {
            Ok(()) => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => break error,
        }
    };
    assert_eq!(error.detail(), detail::REMOTE_AUTH, "{error:?}");
}

#[test]
fn an_administrator_ends_a_server_and_nobody_else_does() {
    let folder = support::Folder::new();
    folder.write("tokens", "sesame\nroot admin\n");
    let tokens = folder.path("tokens");
    let server = Server::start(&["--token-file", tokens.to_str().expect("a path")]);
    let drain = |token: &str| {
        folder.run(&["remote", "drain", &server.endpoint, "--token", token, "--drain-ms", "2000"])
    };
    let ran = drain("sesame");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("remote.auth"), "{}", ran.err);
    let ran = drain("root");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("it ends"), "{}", ran.out);
    assert_eq!(server.wait(), Some(0), "it ended well");
}

#[test]
fn types_that_a_server_does_not_allow_are_refused() {
    let server = Server::start(&["--nodes", "Gain,AudioResample"]);
    let pipeline = pipeline(&engine(), &pass(remote(&server.endpoint), json!({})));
    let error = asked(&pipeline).expect_err("it is refused");
    assert_eq!(error.detail(), detail::MANIFEST_UNTRUSTED, "{error:?}");
}

#[test]
fn without_tls_it_listens_only_where_nobody_on_the_way_can_listen() {
    let folder = support::Folder::new();
    let ran = support::finish(folder.start(&["serve", "--listen", "0.0.0.0:0"]));
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("there is no TLS"), "{}", ran.err);
}

#[test]
fn a_config_file_says_what_the_options_say_and_what_it_does_not_know_is_refused() {
    let folder = support::Folder::new();
    folder.write("good.toml", "listen = \"127.0.0.1:0\"\nnodes = [\"Gain\"]\nlease_ms = 5000\n");
    folder.write("bad.toml", "listn = \"127.0.0.1:0\"\n");
    let server = Server::start(&["--config", folder.path("good.toml").to_str().expect("a path")]);
    drop(server);
    let ran = support::finish(folder.start(&["serve", "--config", "bad.toml"]));
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("listn"), "{}", ran.err);
}

#[test]
fn a_server_tells_how_it_is_what_it_has_and_what_it_has_done() {
    let folder = support::Folder::new();
    let server = Server::start(&["--metrics", "127.0.0.1:0", "--log"]);
    let ask = |what: &[&str]| {
        let ran = folder.run(&[&["remote"], what, &[server.endpoint.as_str()]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    assert_eq!(ask(&["health"]), format!("{}: serving\n", server.endpoint));
    assert!(ask(&["nodes"]).contains("rmedia/AudioResample"));
    let nodes = folder.run(&["--json", "remote", "nodes", &server.endpoint]).out;
    let nodes: serde_json::Value = serde_json::from_str(&nodes).expect("JSON");
    assert!(nodes.as_array().is_some_and(|nodes| nodes.len() > 20));

    // The same file, run there and here.
    let (speech, resample) = (support::media("speech-8k.wav"), support::example("resample.json"));
    let there = ["remote", "run", &server.endpoint, &resample, "-i", &speech, "-o", "there.wav"];
    let here = ["run", &resample, "-i", &speech, "-o", "here.wav"];
    for args in [there.as_slice(), here.as_slice()] {
        let ran = folder.run(args);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let bytes = |name: &str| std::fs::read(folder.path(name)).expect("a file");
    assert!(bytes("there.wav") == bytes("here.wav"));

    let metrics = server.metrics();
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(&format!("rmedia_server_{name} ")));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
    };
    assert_eq!((value("sessions"), value("calls_failed_total")), (0.0, 0.0));
    assert_eq!(value("events_total{what=\"opened\"}"), value("events_total{what=\"closed\"}"));
    assert!(value("calls_total") > 10.0 && value("node_seconds_total") > 0.0, "{metrics}");
    let log = server.said();
    assert!(log.iter().any(|line| line["session"]["what"] == "opened"), "{log:?}");

    let ran = folder.run(&["remote", "health", "127.0.0.1:1"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("remote.unreachable"), "{}", ran.err);
}
