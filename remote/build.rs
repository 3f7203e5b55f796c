//! Rust of the messages in `proto/`, which is also found at the top of the project. Needs no `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    println!("cargo:rerun-if-changed={}", proto.display());
    let files = ["packet", "node", "pipeline", "admin"]
        .map(|name| proto.join(format!("remotemedia/v1/{name}.proto")));
    let descriptors = protox::compile(files, [&proto])?;
    // For the reflection service.
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
