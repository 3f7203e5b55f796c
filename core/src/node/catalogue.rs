//! The catalogue: what node types are, as JSON.

use super::params::ParamSpec;
use super::{NodeType, Port, Registry};
use serde_json::{Value as Json, json};

impl Registry {
    /// All types as a JSON list, sorted by name; see [`describe`].
    pub fn to_json(&self) -> Json {
        self.types().map(|(name, node_type)| describe(name, node_type.as_ref())).collect()
    }
}

/// A node type as JSON: `{node_type, aliases, category, summary, inputs: [{name, caps, any, doc}],
/// outputs, params: [{name, aliases, type, required, default, unit, live, doc}], realtime,
/// keeps_time, determinate, files, blocking, retry_safe, external}`. `full` is its name with its namespace.
pub fn describe(full: &str, node_type: &dyn NodeType) -> Json {
    let descriptor = node_type.descriptor();
    let port = |port: &Port| json!({"name": port.name, "caps": port.caps.to_string(), "any": port.any, "doc": port.doc});
    let param = |param: &ParamSpec| {
        json!({
            "name": param.name,
            "aliases": param.aliases,
            "type": param.kind.to_string(),
            "required": param.default.is_none(),
            "default": param.default,
            "unit": param.unit,
            "live": param.live,
            "doc": param.doc,
        })
    };
    json!({
        "node_type": full,
        "aliases": descriptor.aliases,
        "category": descriptor.category,
        "summary": descriptor.summary,
        "inputs": descriptor.inputs.iter().map(port).collect::<Vec<_>>(),
        "outputs": descriptor.outputs.iter().map(port).collect::<Vec<_>>(),
        "params": node_type.params().iter().map(param).collect::<Vec<_>>(),
        "realtime": descriptor.realtime,
        "keeps_time": descriptor.keeps_time,
        "determinate": descriptor.determinate,
        "files": descriptor.files,
        "blocking": descriptor.blocking,
        "retry_safe": descriptor.retry_safe,
        "external": descriptor.external,
    })
}
