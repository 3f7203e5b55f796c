//! One call from manifest to results: the shortest way for jobs that fit in memory.

use crate::{Engine, Manifest, Packet, PushError, Result};
use crate::{Pipeline, Pull};

/// Runs manifests from begin to end.
#[derive(Debug, Clone, Default)]
pub struct Executor {
    engine: Engine,
}

/// Everything that a run gave, in the order in which it came out.
#[derive(Debug, Clone, Default)]
pub struct Execution {
    /// Name of the output, and the packet.
    pub outputs: Vec<(String, Packet)>,
    /// The run's metrics, as [`Pipeline::metrics`] gives them.
    pub metrics: serde_json::Value,
}

impl Execution {
    /// The packets of one output.
    pub fn output(&self, name: &str) -> impl Iterator<Item = &Packet> {
        self.outputs.iter().filter(move |(output, _)| output == name).map(|(_, packet)| packet)
    }
}

impl Executor {
    /// On the default engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// On that engine.
    pub fn with_engine(engine: Engine) -> Self {
        Self { engine }
    }

    /// Runs a manifest that needs no input: its sources bring the data. Works on any async
    /// runtime; the nodes run inside `poll`.
    ///
    /// # Errors
    /// What is wrong in the manifest; why a node failed.
    pub async fn execute(&self, manifest: &Manifest) -> Result<Execution> {
        self.execute_with_input(manifest, []).await
    }

    /// Pushes the packets into the manifest's only input and runs it to the end.
    ///
    /// # Errors
    /// What is wrong in the manifest; why a node failed.
    pub async fn execute_with_input(
        &self,
        manifest: &Manifest,
        input: impl IntoIterator<Item = Packet>,
    ) -> Result<Execution> {
        let pipeline = self.engine.pipeline(manifest)?;
        let mut outputs = Vec::new();
        for packet in input {
            push(&pipeline, packet, &mut outputs).await?;
        }
        pipeline
            .run_async(|output, packet| {
                outputs.push((output.to_owned(), packet));
                Ok(())
            })
            .await?;
        Ok(Execution { outputs, metrics: pipeline.metrics() })
    }
}

/// Pushes a packet; while the pipeline is full, takes results out of it.
async fn push(
    pipeline: &Pipeline,
    packet: Packet,
    outputs: &mut Vec<(String, Packet)>,
) -> Result<()> {
    let mut packet = packet;
    loop {
        packet = match pipeline.push_async(packet).await {
            Ok(()) => return Ok(()),
            Err(PushError::Full(packet)) => packet,
            Err(error) => return Err(error.into()),
        };
        match pipeline.pull_async().await? {
            Pull::Packet(output, result) => outputs.push((output.to_owned(), result)),
            Pull::End | Pull::Idle(_) => {}
        }
    }
}
