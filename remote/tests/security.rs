//! Who is let in, what is refused, and what a hostile client can't do.

mod common;

use common::{PATIENCE, Running, engine, pipeline};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use remotemedia::error::detail;
use remotemedia::packet::{Buffer, DType, Tensor};
use remotemedia::remote::server::{Config, Tls, Token};
use remotemedia::remote::v1;
use remotemedia::remote::v1::node_service_client::NodeServiceClient;
use remotemedia::remote::v1::stream_node_request::{self as up, Request as Say};
use remotemedia::{Error, Packet, Payload, Pull};
use serde_json::{Value as Json, json};
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use tonic::Code;

/// Certificates of an authority of their own.
struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("rmedia-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        std::fs::write(folder.join("ca.pem"), &pem).expect("writes");
        Self { folder, issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key of one that it knows.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("params");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        (cert.pem(), key.serialize_pem())
    }

    /// A server with a certificate of it.
    fn server(&self, client_ca: Option<String>) -> Running {
        let (cert, key) = self.sign("localhost");
        let tls = Some(Tls { cert, key, client_ca });
        Running::with(Config { tls, ..Config::at("localhost:0") })
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).expect("writes");
        path.to_str().expect("a path").to_owned()
    }

    fn ca(&self) -> String {
        self.file("ca.pem", &self.pem)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Sends a word there and back.
fn asks(remote: &Json) -> Result<(), Error> {
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "n", "node_type": "PassThrough", "placement": "remote", "remote": remote}]});
    let pipeline = pipeline(&engine(), &manifest);
    pipeline.push("hello").map_err(Error::from)?;
    match pipeline.pull(PATIENCE)? {
        Pull::Packet(_, packet) if packet.as_text() == Some("hello") => Ok(()),
        other => panic!("{other:?}"),
    }
}

fn remote(server: &Running, tls: &Json) -> Json {
    json!({"endpoint": server.endpoint, "tls": tls, "connect_ms": 300})
}

#[test]
fn with_tls_only_a_server_with_a_certificate_of_the_right_authority_is_spoken_to() {
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let server = right.server(None);
    assert!(server.endpoint.starts_with("https://"), "{}", server.endpoint);
    asks(&remote(&server, &json!({"ca": right.ca()}))).expect("it is the right one");
    for tls in [
        json!({"ca": wrong.ca()}),
        json!({"ca": right.ca(), "server_name": "elsewhere.example"}),
        // Of the system's authorities none knows it.
        json!({}),
    ] {
        let error = asks(&remote(&server, &tls)).expect_err("it is refused");
        assert_eq!(error.detail(), detail::REMOTE_UNREACHABLE, "{error:?}");
    }
    // In plain text nobody answers.
    let plain = server.endpoint.replace("https://", "");
    let error = asks(&json!({"endpoint": plain, "connect_ms": 300})).expect_err("it is refused");
    assert_eq!(error.detail(), detail::REMOTE_UNREACHABLE, "{error:?}");
}

#[test]
fn a_server_that_asks_for_certificates_lets_only_those_in_whom_it_knows() {
    let (own, clients, others) =
        (Authority::new("own"), Authority::new("clients"), Authority::new("others"));
    let server = own.server(Some(clients.pem.clone()));
    let with = |authority: &Authority| {
        let (cert, key) = authority.sign("client");
        let (cert, key) = (authority.file("c.pem", &cert), authority.file("c.key", &key));
        json!({"ca": own.ca(), "cert": cert, "key": key})
    };
    asks(&remote(&server, &with(&clients))).expect("it is known");
    for tls in [with(&others), json!({"ca": own.ca()})] {
        asks(&remote(&server, &tls)).expect_err("it is not known");
    }
}

#[test]
fn certificates_are_changed_while_a_server_serves() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let server = first.server(None);
    let by = |authority: &Authority| {
        let asked = asks(&remote(&server, &json!({"ca": authority.ca()})));
        // So that the next one does not find the connection of this one.
        assert!(remotemedia::remote::leave(PATIENCE));
        asked
    };
    by(&first).expect("its authority is known");
    by(&second).expect_err("it is another's");
    let (cert, key) = second.sign("localhost");
    let tls = |cert: &str, key: &str| {
        let (cert, key) = (cert.to_owned(), key.to_owned());
        let tls = Some(Tls { cert, key, client_ca: None });
        Config { tls, ..Config::at("localhost:0") }
    };
    // A key of another certificate, and no key at all.
    for wrong in [&first.sign("localhost").1, "no key"] {
        let error = server.control.reload(&tls(&cert, wrong)).expect_err("they don't fit");
        assert_eq!(error.detail(), detail::IO_OPEN, "{error:?}");
    }
    // Without any where others may listen, too.
    let open = Config::at("0.0.0.0:0");
    let error = server.control.reload(&open).expect_err("it may not be without");
    assert_eq!(error.detail(), detail::REMOTE_ENDPOINT, "{error:?}");
    by(&first).expect("nothing has changed");
    server.control.reload(&tls(&cert, &key)).expect("they fit");
    by(&second).expect("its authority is known");
    by(&first).expect_err("it has a certificate of another one");
}

#[test]
fn a_token_is_not_sent_where_others_can_read_it() {
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "n", "node_type": "PassThrough", "placement": "remote",
         "remote": {"endpoint": "media.example:50051", "token": "sesame"}}]});
    let manifest = remotemedia::Manifest::from_value(manifest).expect("a document");
    let error = engine().pipeline(&manifest).expect_err("it is refused");
    assert_eq!(error.detail(), detail::REMOTE_ENDPOINT, "{error:?}");
}

#[test]
fn a_packet_that_is_too_large_is_an_error_and_the_server_goes_on() {
    let server = Running::at("127.0.0.1:0");
    let there = json!({"endpoint": server.endpoint, "connect_ms": 1000});
    let manifest = json!({"version": "v1", "nodes": [
        {"id": "n", "node_type": "PassThrough", "placement": "remote", "remote": there}]});
    let large = |bytes: usize| {
        let tensor = Tensor::new(DType::U8, vec![bytes], Buffer::zeroed(bytes)).expect("a tensor");
        Packet::new(Payload::Tensor(Arc::new(tensor)))
    };
    let pipeline = pipeline(&engine(), &manifest);
    pipeline.push(large(16 << 20)).expect("it is taken");
    assert!(matches!(pipeline.pull(PATIENCE), Ok(Pull::Packet(..))), "16 MiB are fine");
    pipeline.push(large(65 << 20)).expect("it is taken");
    let pulled = pipeline.pull(PATIENCE);
    assert!(matches!(pulled, Ok(Pull::Packet(..))), "more than a message of gRPC: {pulled:?}");
    let error = Error::from(pipeline.push(large(257 << 20)).expect_err("257 MiB are not"));
    assert_eq!(error.detail(), detail::REMOTE_LIMIT, "{error:?}");
    asks(&there).expect("the server goes on");
}

/// A client without an engine.
async fn client(server: &Running) -> NodeServiceClient<tonic::transport::Channel> {
    NodeServiceClient::connect(format!("http://{}", server.endpoint)).await.expect("it connects")
}

fn open(node_type: &str) -> v1::StreamNodeRequest {
    let node = v1::NodeSpec { node_type: node_type.to_owned(), params: String::new() };
    let what = Some(up::open::What::Node(node));
    let open = up::Open { what, lanes: 1, heartbeat_ms: 10_000, ..up::Open::default() };
    v1::StreamNodeRequest { request: Some(Say::Open(open)) }
}

fn authorized<T>(message: T, token: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let value = format!("Bearer {token}").parse().expect("a header");
    request.metadata_mut().insert("authorization", value);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_belongs_to_who_opened_it() {
    let tokens = vec![Token::new("anna"), Token::new("berta")];
    let server = tokio::task::spawn_blocking(|| {
        Running::with(Config { tokens, ..Config::at("127.0.0.1:0") })
    });
    let server = server.await.expect("a server");
    let mut client = client(&server).await;
    // The stream stays open, so that the session stays.
    let stay = tokio_stream::StreamExt::chain(
        tokio_stream::once(open("PassThrough")),
        tokio_stream::pending(),
    );
    let mut answers =
        client.stream_node(authorized(stay, "anna")).await.expect("it opens").into_inner();
    let first = answers.message().await.expect("an answer").and_then(|m| m.response);
    let Some(v1::stream_node_response::Response::Opened(opened)) = first else {
        panic!("{first:?}")
    };
    let attach = || {
        let attach = up::Attach { session: opened.session.clone(), answered: 0 };
        tokio_stream::once(v1::StreamNodeRequest { request: Some(Say::Attach(attach)) })
    };
    let refused = client.stream_node(authorized(attach(), "berta")).await.expect_err("not hers");
    assert_eq!(refused.code(), Code::NotFound);
    let refused = client.stream_node(attach()).await.expect_err("nobody's");
    assert_eq!(refused.code(), Code::Unauthenticated);
    client.stream_node(authorized(attach(), "anna")).await.expect("hers");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_opens_at_once_are_bounded_and_the_server_goes_on() {
    let server = tokio::task::spawn_blocking(|| {
        Running::with(Config { max_sessions: 100, ..Config::at("127.0.0.1:0") })
    });
    let server = server.await.expect("a server");
    let client = client(&server).await;
    let mut opens = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let mut client = client.clone();
        opens.spawn(async move {
            let stay = tokio_stream::StreamExt::chain(
                tokio_stream::once(open("PassThrough")),
                tokio_stream::pending(),
            );
            client.stream_node(stay).await.map(tonic::Response::into_inner)
        });
    }
    let (mut open, mut refused) = (Vec::new(), 0);
    while let Some(opened) = opens.join_next().await {
        match opened.expect("no panic") {
            Ok(stream) => open.push(stream),
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                refused += 1;
            }
        }
    }
    assert_eq!((open.len(), refused), (100, 9_900));
    // What is closed makes room.
    drop(open);
    drop(client);
    let endpoint = server.endpoint.clone();
    let asked = tokio::task::spawn_blocking(move || asks(&json!({"endpoint": endpoint})));
    let refused = asked.await.expect("no panic").expect_err("the sessions wait for their clients");
    assert_eq!(refused.detail(), detail::REMOTE_LIMIT, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_call_ends_its_stream_alone() {
    let server = tokio::task::spawn_blocking(|| Running::at("127.0.0.1:0"));
    let server = server.await.expect("a server");
    let mut client = client(&server).await;
    let call = |seq, call| {
        let call = up::Call { seq, answered: 0, call };
        v1::StreamNodeRequest { request: Some(Say::Call(call)) }
    };
    // Nothing, a call before all else, an unknown type.
    for (messages, code) in [
        (vec![], Code::InvalidArgument),
        (vec![call(1, None)], Code::InvalidArgument),
        (vec![open("NoSuchNode")], Code::InvalidArgument),
        (vec![open("MediaReaderNode")], Code::InvalidArgument),
    ] {
        let refused = client.stream_node(tokio_stream::iter(messages)).await.expect_err("refused");
        assert_eq!(refused.code(), code, "{refused:?}");
    }
    // A gap in the numbers.
    let messages = vec![open("PassThrough"), call(2, None)];
    let mut answers =
        client.stream_node(tokio_stream::iter(messages)).await.expect("it opens").into_inner();
    let ended = loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    assert_eq!(ended.expect_err("it ends").code(), Code::InvalidArgument);
    // Calls without a call, to ports that are not there, with packets that are none: answers with errors.
    let process =
        |port, packet| Some(up::call::Call::Process(up::Process { port, lane: 0, packet }));
    let audio =
        v1::packet::Payload::Audio(v1::Audio { rate: 0, channels: 70_000, ..Default::default() });
    let messages = vec![
        open("PassThrough"),
        call(1, None),
        call(2, process(7, Some(v1::Packet { payload: Some(audio), ..Default::default() }))),
        call(3, process(0, None)),
        call(4, process(0, Some(v1::Packet::default()))),
        call(5, Some(up::call::Call::Params("[".to_owned()))),
        call(6, Some(up::call::Call::Join(up::Set { places: vec![up::set::Place::default(); 9] }))),
    ];
    let mut answers =
        client.stream_node(tokio_stream::iter(messages)).await.expect("it opens").into_inner();
    let mut errors = 0;
    while let Ok(Some(message)) = answers.message().await {
        if let Some(v1::stream_node_response::Response::Answer(answer)) = message.response {
            assert!(answer.error.is_some(), "{answer:?}");
            errors += 1;
        }
    }
    assert_eq!(errors, 6);
    // Bytes that are no HTTP.
    for seed in 1..20_u64 {
        let mut stream = TcpStream::connect(&server.endpoint).expect("it connects");
        let mut random = remotemedia::node::testing::Random::new(seed);
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..random.below(25)].to_vec();
        bytes.extend((0..4096).map(|_| random.below(256) as u8));
        // It may hang up before it has all.
        let _ = stream.write_all(&bytes);
    }
    let endpoint = server.endpoint.clone();
    let asked = tokio::task::spawn_blocking(move || asks(&json!({"endpoint": endpoint})));
    asked.await.expect("no panic").expect("the server goes on");
}
