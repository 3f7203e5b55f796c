//! The command line: what `rmedia` can be told.

use clap::{Args, Parser, Subcommand, ValueEnum};
use remotemedia::packet::SampleFormat;

/// Runs media pipelines that a manifest describes.
#[derive(Parser)]
#[command(name = "rmedia", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Examples:
  rmedia run examples/resample.json -i media/speech.mp3 -o speech-16k.wav
  printf '5\\n7\\n3\\n' | rmedia stream examples/calculator.json
  rmedia validate examples/voice.yaml
  rmedia nodes AudioResample

Exit codes: 0 good, 1 the run failed, 2 wrong use, 3 manifest not valid,
4 trouble with a file, 130 interrupted.")]
pub(crate) struct Cli {
    /// Gives everything that is meant for people as JSON: results on standard output, messages
    /// one a line on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Run(RunArgs),
    Stream(StreamArgs),
    Validate(ValidateArgs),
    Nodes(NodesArgs),
    Graph(GraphArgs),
    Schema(SchemaArgs),
    Serve(ServeArgs),
    Remote(RemoteArgs),
}

/// Runs a pipeline over files, from begin to end
#[derive(Args)]
#[command(after_help = "Files:
  What an input takes says how a file is read: media files are decoded, a .jsonl file is one
  value a line, a .json file one value or a list of values, a .txt file one text a line.
  An output file's ending says what is written: .wav, .flac, .pcm or .raw for audio, .jsonl
  for json, records and text, .txt for text. `-` is standard input or output (JSON lines).
  A file gets its name only when it is whole: a failed run leaves none.

Ctrl-C ends the inputs, finishes the files and exits with 130; a second one aborts.

Examples:
  rmedia run examples/resample.json -i media/speech.mp3 -o speech-16k.wav
  rmedia run examples/voice.yaml -i media/speech.mp3 -o audio=speech.wav -o levels=levels.jsonl
  rmedia run examples/resample.json -i a.wav -o b.flac --set resample.target_rate=8000")]
pub(crate) struct RunArgs {
    /// Manifest: a .json or .yaml file, `-` for standard input
    pub(crate) pipeline: String,
    /// File for an input; without a name, for the only one
    #[arg(short, long, value_name = "[INPUT=]FILE")]
    pub(crate) input: Vec<String>,
    /// File for an output; without a name, for the only one
    #[arg(short, long, value_name = "[OUTPUT=]FILE")]
    pub(crate) output: Vec<String>,
    #[command(flatten)]
    pub(crate) set: SetArgs,
    /// Sample format of audio files; otherwise that of the stream
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<FileFormat>,
    /// Writes the pipeline's events to a file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<String>,
    /// Writes the pipeline's metrics to a file at the end, also after a failure
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<String>,
    /// As fast as the media's times say, as a live stream would come; not as fast as it goes
    #[arg(long)]
    pub(crate) realtime: bool,
    /// No progress, no summary, no warnings
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Args)]
pub(crate) struct SetArgs {
    /// Sets a param, whatever the manifest says; the value is JSON, else text
    #[arg(long, value_name = "NODE.PARAM=VALUE")]
    pub(crate) set: Vec<String>,
    /// Runs the nodes on a server (`rmedia serve`), but for sources and nodes that use files
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) remote: Option<String>,
}

/// Pipes standard input through a pipeline to standard output, value by value
///
/// Each line is a JSON value for the pipeline's only input, and each result is a line, written at
/// once. Where the input takes only text, a line that is no JSON string is text as it stands.
#[derive(Args)]
#[command(after_help = "Audio among JSON lines is
{\"type\":\"audio\",\"samples\":[…],\"sample_rate\":16000,\"channels\":1}, both ways.
Raw audio is interleaved; FORMAT is s16le, s24le, s32le, f32le or u8.

Examples:
  printf '5\\n7\\n3\\n' | rmedia stream examples/calculator.json
  ffmpeg -i talk.mkv -f f32le -ar 48000 -ac 1 - |
    rmedia stream examples/resample.json --pcm f32le:48000:1 > talk-16k.f32")]
pub(crate) struct StreamArgs {
    /// Manifest: a .json or .yaml file
    pub(crate) pipeline: String,
    /// Wraps each result as {port, kind, pts_ns, value}
    #[arg(long)]
    pub(crate) envelope: bool,
    /// Standard input is raw audio of this format
    #[arg(long, value_name = "FORMAT:RATE:CHANNELS")]
    pub(crate) pcm: Option<String>,
    /// Standard output is raw audio of this sample format; otherwise, with --pcm, of that one
    #[arg(long, value_name = "FORMAT", conflicts_with = "envelope")]
    pub(crate) out_pcm: Option<String>,
    /// Writes only this output
    #[arg(short, long, value_name = "NAME")]
    pub(crate) output: Option<String>,
    #[command(flatten)]
    pub(crate) set: SetArgs,
    /// No warnings
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Checks manifests and says everything that is wrong in them
#[derive(Args)]
pub(crate) struct ValidateArgs {
    /// Manifests: .json or .yaml files, `-` for standard input
    #[arg(required = true, value_name = "PIPELINE")]
    pub(crate) pipelines: Vec<String>,
    #[command(flatten)]
    pub(crate) set: SetArgs,
}

/// Lists the node types, or shows one
#[derive(Args)]
pub(crate) struct NodesArgs {
    /// Name or alias of a node type
    #[arg(value_name = "TYPE")]
    pub(crate) node_type: Option<String>,
}

/// Draws a pipeline as it would run, adapters included
#[derive(Args)]
pub(crate) struct GraphArgs {
    /// Manifest: a .json or .yaml file, `-` for standard input
    pub(crate) pipeline: String,
    /// What to draw it in
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    pub(crate) format: GraphFormat,
    /// Adds what a run has measured: the file that `rmedia run --metrics FILE` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<String>,
    #[command(flatten)]
    pub(crate) set: SetArgs,
}

/// Prints the JSON Schema of manifests, or of one node type's params
#[derive(Args)]
pub(crate) struct SchemaArgs {
    /// Name or alias of a node type
    #[arg(value_name = "TYPE")]
    pub(crate) node_type: Option<String>,
}

/// Asks a server that runs nodes (`rmedia serve`), or has it run a pipeline's
#[derive(Args)]
pub(crate) struct RemoteArgs {
    #[command(subcommand)]
    pub(crate) command: RemoteCommand,
}

#[derive(Subcommand)]
pub(crate) enum RemoteCommand {
    /// Whether it is there and takes what is new
    Health(AskArgs),
    /// The node types that it has
    Nodes(AskArgs),
    /// Ends it: it takes nothing new, and its sessions come to their end
    ///
    /// Needs a token that is an administrator's, or, where the server has no tokens, its socket in the
    /// file system.
    Drain(DrainArgs),
    /// As `rmedia run --remote ENDPOINT`
    Run(OnServer<RunArgs>),
    /// As `rmedia stream --remote ENDPOINT`
    Stream(OnServer<StreamArgs>),
}

/// Which server to end, and how fast.
#[derive(Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    /// How long its sessions may take; else as it was set up
    #[arg(long, value_name = "MS")]
    pub(crate) drain_ms: Option<u64>,
}

/// A command on a server.
#[derive(Args)]
pub(crate) struct OnServer<A: Args> {
    /// The server: HOST:PORT, https://HOST:PORT or unix:/PATH
    pub(crate) endpoint: String,
    #[command(flatten)]
    pub(crate) args: A,
}

/// Whom to ask, and how.
#[derive(Args)]
pub(crate) struct AskArgs {
    /// The server: HOST:PORT, https://HOST:PORT or unix:/PATH
    pub(crate) endpoint: String,
    /// What the server knows the client by
    #[arg(long, env = "REMOTEMEDIA_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// File of the certificates that are trusted (PEM); else the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<String>,
}

/// Runs nodes for engines on other machines, until Ctrl-C or SIGTERM
///
/// A manifest reaches it with `placement: remote` and `remote: {endpoint: HOST:PORT}` at a node.
#[derive(Args)]
#[command(
    after_help = "Without TLS it listens only where nobody on the way can listen: on this machine and on
sockets of the file system.

The first Ctrl-C or SIGTERM refuses what is new and lets sessions come to their end, a
second one ends it at once.

Examples:
  rmedia serve
  rmedia serve --listen unix:/run/rmedia.sock --nodes AudioResample,Gain
  rmedia serve --listen 0.0.0.0:50051 --tls-cert server.pem --tls-key server.key --token-file tokens"
)]
#[derive(Clone)]
pub(crate) struct ServeArgs {
    /// TOML file that says what the options say; the options come before it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<String>,
    /// Where it listens: HOST:PORT or unix:/PATH [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ENDPOINT")]
    pub(crate) listen: Option<String>,
    /// File with the tokens that let clients in, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<String>,
    /// The only node types that may be used; without it all but those that use files
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub(crate) nodes: Vec<String>,
    /// Sessions at a time [default: 1024]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_sessions: Option<usize>,
    /// How long sessions may take to end after Ctrl-C or SIGTERM, in milliseconds [default: 30000]
    #[arg(long, value_name = "MS")]
    pub(crate) drain_ms: Option<u64>,
    /// Certificate of the server (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<String>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<String>,
    /// Certificates that clients' own must come from (PEM): clients without one are refused
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) client_ca: Option<String>,
    /// Listens without TLS where others may listen, too
    #[arg(long)]
    pub(crate) plaintext: bool,
    /// Tells counters in Prometheus' format at http://HOST:PORT/metrics
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics: Option<String>,
    /// Tells what happens to sessions, one line each on standard error
    #[arg(long)]
    pub(crate) log: bool,
}

/// Languages for graphs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Mermaid flowchart
    Mermaid,
    /// Graphviz
    Dot,
    /// Nodes and connections as JSON
    Json,
}

/// Sample formats of files.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum FileFormat {
    /// 32-bit float
    F32,
    /// Signed 16-bit
    I16,
    /// Signed 24-bit
    I24,
    /// Signed 32-bit
    I32,
    /// Unsigned 8-bit
    U8,
}

impl From<FileFormat> for SampleFormat {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::F32 => Self::F32,
            FileFormat::I16 => Self::I16,
            FileFormat::I24 => Self::I24,
            FileFormat::I32 => Self::I32,
            FileFormat::U8 => Self::U8,
        }
    }
}
