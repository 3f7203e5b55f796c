//! Records to messages and back.
//!
//! Here a record has a schema that lives as long as the process. Those that come over the wire are
//! kept, each once; there is an end to it, so that a peer can't fill the memory with them.

use crate::v1;
use crate::wire::wrong;
use remotemedia_core::error::Result;
use remotemedia_core::packet::Record;
use remotemedia_core::packet::record::{Field, FieldKind, MAX_FIELDS, Schema, Value};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use v1::record::field::Value as Wire;

/// Schemas that are kept at most, and names of a choice.
const MOST_SCHEMAS: usize = 1024;
const MOST_NAMES: usize = 256;

pub(crate) fn to_wire(record: &Record) -> v1::Record {
    let field = |field: &Field| {
        let value = record.get(field.name).map(|value| match (value, field.kind) {
            (Value::Bool(b), _) => Wire::Bool(b),
            (Value::Int(i), _) => Wire::Int(i),
            (Value::Float(f), _) => Wire::Float(f),
            (Value::Name(name), FieldKind::Name(names)) => {
                let index = names.iter().position(|n| *n == name).unwrap_or_default() as u32;
                let names = names.iter().map(|name| (*name).to_owned()).collect();
                Wire::Choice(v1::record::Choice { names, index })
            }
            (Value::Name(name), _) => {
                Wire::Choice(v1::record::Choice { names: vec![name.to_owned()], index: 0 })
            }
        });
        v1::record::Field { name: field.name.to_owned(), value }
    };
    let schema = record.schema();
    v1::Record { name: schema.name.to_owned(), fields: schema.fields.iter().map(field).collect() }
}

pub(crate) fn from_wire(record: v1::Record) -> Result<Record> {
    if record.fields.len() > MAX_FIELDS {
        return Err(wrong(format!("a record of {} fields", record.fields.len())));
    }
    let schema = schema_of(&record)?;
    let value = |(field, known): (&v1::record::Field, &Field)| match (&field.value, known.kind) {
        (Some(Wire::Bool(b)), _) => Value::Bool(*b),
        (Some(Wire::Int(i)), _) => Value::Int(*i),
        (Some(Wire::Choice(choice)), FieldKind::Name(names)) => {
            Value::Name(names[choice.index as usize])
        }
        (Some(Wire::Float(f)), _) => Value::Float(*f),
        _ => unreachable!("the schema was made for it"),
    };
    let values: Vec<Value> = record.fields.iter().zip(schema.fields).map(value).collect();
    Ok(Record::new(schema, &values))
}

/// The schema of a record that came.
fn schema_of(record: &v1::Record) -> Result<&'static Schema> {
    static KNOWN: Mutex<Option<HashSet<Known>>> = Mutex::new(None);
    let mut kinds = Vec::with_capacity(record.fields.len());
    for field in &record.fields {
        kinds.push(match &field.value {
            Some(Wire::Bool(_)) => Kind::Bool,
            Some(Wire::Int(_)) => Kind::Int,
            Some(Wire::Float(_)) => Kind::Float,
            Some(Wire::Choice(choice)) => {
                let count = choice.names.len();
                if choice.index as usize >= count || count > MOST_NAMES {
                    return Err(wrong(format!("choice {} of {count}", choice.index)));
                }
                Kind::Names(choice.names.clone())
            }
            None => return Err(wrong(format!("a field '{}' without a value", field.name))),
        });
    }
    let names = record.fields.iter().map(|field| field.name.clone());
    let shape = Shape { name: record.name.clone(), fields: names.zip(kinds).collect() };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(Known { schema, .. }) = known.get(&shape) {
        return Ok(schema);
    }
    if known.len() >= MOST_SCHEMAS {
        return Err(wrong(format!("more than {MOST_SCHEMAS} shapes of records")));
    }
    let schema = shape.keep();
    known.insert(Known { shape, schema });
    Ok(schema)
}

/// A schema as it came.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    name: String,
    fields: Vec<(String, Kind)>,
}

#[derive(PartialEq, Eq, Hash)]
enum Kind {
    Bool,
    Int,
    Float,
    Names(Vec<String>),
}

/// A shape with its schema; found by its shape.
struct Known {
    shape: Shape,
    schema: &'static Schema,
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape
    }
}

impl Eq for Known {}

impl std::hash::Hash for Known {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.shape.hash(state);
    }
}

impl std::borrow::Borrow<Shape> for Known {
    fn borrow(&self) -> &Shape {
        &self.shape
    }
}

impl Shape {
    fn keep(&self) -> &'static Schema {
        let keep = |text: &String| -> &'static str { text.clone().leak() };
        let field = |(name, kind): &(String, Kind)| Field {
            name: keep(name),
            kind: match kind {
                Kind::Bool => FieldKind::Bool,
                Kind::Int => FieldKind::Int,
                Kind::Float => FieldKind::Float,
                Kind::Names(names) => {
                    FieldKind::Name(names.iter().map(keep).collect::<Vec<_>>().leak())
                }
            },
            doc: "",
        };
        let fields = self.fields.iter().map(field).collect::<Vec<_>>().leak();
        Box::leak(Box::new(Schema { name: keep(&self.name), fields }))
    }
}
