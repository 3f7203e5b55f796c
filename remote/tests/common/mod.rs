//! Servers on loopback, and pipelines whose nodes run there.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod gates;
pub(crate) mod raw;

use remotemedia::packet::{Audio, Packet};
use remotemedia::remote::server::{Config, Control, Server};
use remotemedia::{Engine, Manifest, MediaTime, Pipeline, Pull};
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

/// A server in this process, on a thread of its own. It ends when this is dropped.
pub(crate) struct Running {
    pub(crate) endpoint: String,
    pub(crate) control: Control,
    /// Says when it has ended by itself.
    over: std::sync::mpsc::Receiver<()>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub(crate) fn at(listen: &str) -> Self {
        Self::with(Config::at(listen))
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::of(config, Engine::default())
    }

    /// One whose nodes are that engine's.
    pub(crate) fn of(config: Config, engine: Engine) -> Self {
        let (end, ended) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let (ends, over) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                remotemedia::remote::install(&Engine::default());
                let server = Server::bind(config, &engine).await.expect("it listens");
                let where_ = (server.endpoint().to_string(), server.control());
                tell.send(where_).expect("somebody waits");
                let ended = async { drop(ended.await) };
                tokio::select! {
                    served = server.run_until(std::future::pending()) => {
                        served.expect("it serves");
                        // Perhaps nobody asks.
                        let _ = ends.send(());
                    }
                    () = ended => {}
                }
            });
        });
        let (endpoint, control) = told.recv().expect("it says where");
        Self { endpoint, control, over, end: Some(end), thread: Some(thread) }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&self) {
        self.over.recv_timeout(PATIENCE).expect("it ends");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread");
        }
    }
}

pub(crate) fn engine() -> Engine {
    let engine = Engine::new(remotemedia::nodes::builtin());
    remotemedia::remote::install(&engine);
    engine
}

/// The manifest with every node on that server.
pub(crate) fn placed(manifest: &Json, endpoint: &str) -> Json {
    let mut placed = manifest.clone();
    for node in placed["nodes"].as_array_mut().expect("nodes") {
        node["placement"] = json!("remote");
        node["remote"] = json!({"endpoint": endpoint});
    }
    placed
}

pub(crate) fn pipeline(engine: &Engine, manifest: &Json) -> Pipeline {
    let manifest = Manifest::from_value(manifest.clone()).expect("a document");
    engine.pipeline(&manifest).unwrap_or_else(|e| panic!("{e:?}"))
}

/// A recording of speech, in packets of 20 ms.
pub(crate) fn speech() -> Vec<Packet> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/speech-16k.wav");
    let mut reader = hound::WavReader::open(path).expect("the recording");
    let spec = reader.spec();
    let samples: Vec<f32> =
        reader.samples::<i16>().map(|s| f32::from(s.expect("a sample")) / 32768.0).collect();
    let frames = (spec.sample_rate / 50) as usize * usize::from(spec.channels);
    let packet = |(index, block): (usize, &[f32])| {
        let audio =
            Audio::from_f32(block.to_vec(), spec.sample_rate, spec.channels).expect("audio");
        Packet::audio(audio).at(MediaTime::from_millis(20 * index as i64))
    };
    samples.chunks(frames).enumerate().map(packet).collect()
}

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// What comes out: the output, the packet in words, and the bytes of audio.
pub(crate) type Out = (String, String, Vec<u8>);

/// All that comes out.
pub(crate) fn run(pipeline: &Pipeline, packets: &[Packet]) -> Vec<Out> {
    let mut out = Vec::new();
    let take = |out: &mut Vec<_>, pull: Pull<'_>| match pull {
        Pull::Packet(output, packet) => {
            let bytes = packet.as_audio().map(|audio| audio.buffer().as_slice().to_vec());
            out.push((output.to_owned(), format!("{packet:?}"), bytes.unwrap_or_default()));
            true
        }
        _ => false,
    };
    for packet in packets {
        let mut packet = packet.clone();
        while let Err(refused) = pipeline.push_within(0, packet, PATIENCE) {
            let remotemedia::PushError::Full(back) = refused else { panic!("{refused:?}") };
            packet = back;
            assert!(take(&mut out, pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}"))));
        }
        while take(&mut out, pipeline.try_pull().unwrap_or_else(|e| panic!("{e:?}"))) {}
    }
    pipeline.end().expect("it ends");
    loop {
        let pull = pipeline.pull(PATIENCE).unwrap_or_else(|e| panic!("{e:?}"));
        if !take(&mut out, pull) {
            return out;
        }
    }
}
