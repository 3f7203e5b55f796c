//! JSON Schema (draft 2020-12) of manifests and of the params of node types, for editors and for
//! whoever writes manifests with a program.

use super::fields::{MANIFEST, NODE};
use super::shape::{Effect, Field, Object, Pick, Shape};
use crate::node::params::{ParamKind, ParamSpec};
use crate::node::{NodeType, Registry};
use serde_json::{Map, Value as Json, json};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of manifests whose nodes are of these types.
pub fn schema(registry: &Registry) -> Json {
    let mut defs = Map::new();
    let mut root = json!({ "$schema": DRAFT, "title": "RemoteMedia manifest, version v1" });
    if let (Json::Object(root), Json::Object(fields)) = (&mut root, object(&MANIFEST, &mut defs)) {
        root.extend(fields);
        root["required"] = json!(["version", "nodes"]);
        root["properties"]["version"] = json!({ "const": "v1" });
    }
    let mut names = Vec::new();
    let mut params = Vec::new();
    for (full, node_type) in registry.types() {
        let spellings = spellings(registry, full, node_type.as_ref());
        let key = format!("params.{}", full.replace('/', "."));
        let reference = json!({ "$ref": format!("#/$defs/{key}") });
        params.push(json!({
            "if": {
                "properties": { "node_type": { "enum": spellings } },
                "required": ["node_type"],
            },
            "then": { "properties": { "params": reference } },
        }));
        names.extend(spellings);
        defs.insert(key, node_schema(node_type.as_ref()));
    }
    if let Some(node) = defs.get_mut(&name(&NODE)) {
        node["properties"]["node_type"]["enum"] = names.into();
        node["allOf"] = params.into();
    }
    root["$defs"] = defs.into();
    root
}

/// The schema of a node type's params.
pub fn node_schema(node_type: &dyn NodeType) -> Json {
    let descriptor = node_type.descriptor();
    let (mut properties, mut needs) = (Map::new(), Vec::new());
    for spec in node_type.params() {
        let param = param(spec);
        for alias in spec.aliases {
            let mut param = param.clone();
            param["description"] = format!("The same as `{}`.", spec.name).into();
            properties.insert((*alias).to_owned(), param);
        }
        properties.insert(spec.name.to_owned(), param);
        if spec.default.is_none() && !matches!(spec.kind, ParamKind::Optional(_)) {
            let names = std::iter::once(&spec.name).chain(spec.aliases);
            let one_of: Vec<_> = names.map(|name| json!({ "required": [name] })).collect();
            needs.push(json!({ "anyOf": one_of }));
        }
    }
    let mut schema = json!({
        "title": descriptor.name,
        "description": descriptor.summary,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !needs.is_empty() {
        schema["allOf"] = needs.into();
    }
    schema
}

/// Every way to name a type in a manifest.
fn spellings(registry: &Registry, full: &str, node_type: &dyn NodeType) -> Vec<String> {
    let descriptor = node_type.descriptor();
    let namespace = full.rsplit_once('/').map_or("", |(namespace, _)| namespace);
    let mut spellings = Vec::new();
    for name in std::iter::once(&descriptor.name).chain(descriptor.aliases) {
        if let crate::node::Lookup::Found(found, _) = registry.find(name)
            && found == full
        {
            spellings.push((*name).to_owned());
        }
        spellings.push(format!("{namespace}/{name}"));
    }
    spellings
}

fn param(spec: &ParamSpec) -> Json {
    let mut schema = kind(&spec.kind);
    let mut words = vec![spec.doc.to_owned()];
    words.extend(spec.unit.map(|unit| format!("Unit: {unit}.")));
    words.extend(spec.live.then(|| "Can be set while the pipeline runs.".to_owned()));
    words.retain(|w| !w.is_empty());
    schema["description"] = words.join(" ").into();
    if let Some(default) = &spec.default {
        schema["default"] = default.clone();
    }
    schema
}

fn kind(kind: &ParamKind) -> Json {
    match kind {
        ParamKind::Bool => json!({ "type": "boolean" }),
        ParamKind::Int { min, max } => {
            let mut schema = json!({ "type": "integer" });
            if *min != i64::MIN {
                schema["minimum"] = (*min).into();
            }
            if *max != i64::MAX {
                schema["maximum"] = (*max).into();
            }
            schema
        }
        ParamKind::Float { min, max } => {
            let mut schema = json!({ "type": "number" });
            if *min > f64::from(f32::MIN) {
                schema["minimum"] = (*min).into();
            }
            if *max < f64::from(f32::MAX) {
                schema["maximum"] = (*max).into();
            }
            schema
        }
        ParamKind::Text => json!({ "type": "string" }),
        ParamKind::Choice(choices) => {
            let one = |c: &crate::node::params::ChoiceSpec| {
                let names = std::iter::once(c.name).chain(c.aliases.iter().copied());
                names.map(str::to_owned).collect::<Vec<_>>()
            };
            json!({ "enum": choices.iter().flat_map(one).collect::<Vec<_>>() })
        }
        ParamKind::List(inner) => json!({ "type": "array", "items": self::kind(inner) }),
        ParamKind::Optional(inner) => {
            json!({ "anyOf": [self::kind(inner), { "type": "null" }] })
        }
        ParamKind::Any => json!({}),
    }
}

/// The schema of an object; those inside it go to `defs`.
fn object(object: &Object, defs: &mut Map<String, Json>) -> Json {
    let mut properties = Map::new();
    for field in object.fields {
        let mut schema = shape(&field.shape, defs);
        // Exporters write null for what they don't have.
        if !field.required {
            schema = json!({ "anyOf": [schema, { "type": "null" }] });
        }
        schema["description"] = doc(field).into();
        properties.insert(field.name.to_owned(), schema);
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": object.open,
    });
    let required: Vec<_> = object.fields.iter().filter(|f| f.required).map(|f| f.name).collect();
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// What a field means, and whether the engine acts on it.
fn doc(field: &Field) -> String {
    let mut doc = field.doc.to_owned();
    match field.effect {
        Effect::Used => {}
        Effect::Ignored(why) => doc += &format!(" No effect: {why}."),
        Effect::Refused(why) => doc += &format!(" Not supported: {why}."),
    }
    if let Shape::Choice(picks) = &field.shape {
        let names = |refused: bool| {
            let wanted = |p: &&Pick| match p.1 {
                Effect::Used => false,
                Effect::Ignored(_) => !refused,
                Effect::Refused(_) => refused,
            };
            let names: Vec<_> = picks.iter().filter(wanted).map(|p| format!("`{}`", p.0)).collect();
            names.join(", ")
        };
        for (what, names) in [("Not supported", names(true)), ("No effect", names(false))] {
            if !names.is_empty() {
                doc += &format!(" {what}: {names}.");
            }
        }
    }
    doc
}

/// The name of an object in the schema: `a media constraint` is `media_constraint`.
fn name(object: &Object) -> String {
    let name = object.name.trim_matches('\'');
    let name = name.strip_prefix("a ").or_else(|| name.strip_prefix("an ")).unwrap_or(name);
    name.replace(' ', "_")
}

fn shape(shape: &Shape, defs: &mut Map<String, Json>) -> Json {
    match shape {
        Shape::Any => json!({}),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Text => json!({ "type": "string" }),
        Shape::Int { min, max } if *max == u64::MAX => {
            json!({ "type": "integer", "minimum": min })
        }
        Shape::Int { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Number { min, max } if *max == f64::MAX => {
            json!({ "type": "number", "minimum": min })
        }
        Shape::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Shape::Choice(picks) => json!({ "enum": picks.iter().map(|p| p.0).collect::<Vec<_>>() }),
        Shape::List(inner) => json!({ "type": "array", "items": self::shape(inner, defs) }),
        Shape::Map(inner) => {
            json!({ "type": "object", "additionalProperties": self::shape(inner, defs) })
        }
        Shape::Object(inner) => {
            let name = name(inner);
            if !defs.contains_key(&name) {
                // Objects do not contain themselves, so this ends.
                let schema = object(inner, defs);
                defs.insert(name.clone(), schema);
            }
            json!({ "$ref": format!("#/$defs/{name}") })
        }
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|s| self::shape(s, defs)).collect::<Vec<_>>() })
        }
    }
}
