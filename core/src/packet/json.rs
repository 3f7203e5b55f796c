//! JSON text from outside that is not a manifest.

/// The value of JSON text: a payload, params, a node's declaration. Of two equal keys the last
/// holds.
///
/// Here so that programs carry one JSON reader, however many crates read JSON.
///
/// # Errors
/// Text that is not JSON, or is nested deeper than 127 levels: what, and where.
pub fn read_json(text: &str) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(text)
}
