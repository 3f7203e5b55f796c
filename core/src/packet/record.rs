//! Records: small findings (a VAD decision, a level) that cost no allocation.
//!
//! A record has a static [`Schema`] and up to eight values. At the borders it is JSON.

use serde_json::{Map, Number, Value as Json};
use std::fmt;

/// Most fields that a record can have.
pub const MAX_FIELDS: usize = 8;

/// Names and types of a record's fields. Declared as a `static`.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// What the record is, e.g. `vad`.
    pub name: &'static str,
    /// At most eight fields, in order.
    pub fields: &'static [Field],
}

/// One field of a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, as in the JSON.
    pub name: &'static str,
    /// Type.
    pub kind: FieldKind,
    /// Meaning and unit.
    pub doc: &'static str,
}

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number; not-a-number and infinities become `null` in JSON.
    Float,
    /// One of a list of names.
    Name(&'static [&'static str]),
}

/// A value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// For [`FieldKind::Bool`].
    Bool(bool),
    /// For [`FieldKind::Int`].
    Int(i64),
    /// For [`FieldKind::Float`].
    Float(f64),
    /// For [`FieldKind::Name`].
    Name(&'static str),
}

/// A few typed values.
#[derive(Clone, Copy)]
pub struct Record {
    schema: &'static Schema,
    /// Bits of the values; a name is stored as its index.
    values: [u64; MAX_FIELDS],
}

impl Record {
    /// A record with these values, one for each field of the schema.
    ///
    /// # Panics
    /// If number or types of the values are not those of the schema, or a name is not in its list.
    pub fn new(schema: &'static Schema, values: &[Value]) -> Self {
        assert!(
            values.len() == schema.fields.len() && values.len() <= MAX_FIELDS,
            "record '{}' has {} fields",
            schema.name,
            schema.fields.len()
        );
        let mut bits = [0; MAX_FIELDS];
        for ((bits, value), field) in bits.iter_mut().zip(values).zip(schema.fields) {
            *bits = match (field.kind, *value) {
                (FieldKind::Bool, Value::Bool(b)) => u64::from(b),
                (FieldKind::Int, Value::Int(i)) => i as u64,
                (FieldKind::Float, Value::Float(f)) => f.to_bits(),
                (FieldKind::Name(names), Value::Name(name)) => names
                    .iter()
                    .position(|n| *n == name)
                    .unwrap_or_else(|| panic!("'{name}' is no value of field '{}'", field.name))
                    as u64,
                (kind, value) => panic!("field '{}' is {kind:?}, not {value:?}", field.name),
            };
        }
        Self { schema, values: bits }
    }

    /// The schema.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// The value of the field of that name.
    pub fn get(&self, name: &str) -> Option<Value> {
        let index = self.schema.fields.iter().position(|f| f.name == name)?;
        Some(self.value(index))
    }

    fn value(&self, index: usize) -> Value {
        let bits = self.values[index];
        match self.schema.fields[index].kind {
            FieldKind::Bool => Value::Bool(bits != 0),
            FieldKind::Int => Value::Int(bits as i64),
            FieldKind::Float => Value::Float(f64::from_bits(bits)),
            FieldKind::Name(names) => Value::Name(names[bits as usize]),
        }
    }

    /// The record as a JSON object.
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        for (index, field) in self.schema.fields.iter().enumerate() {
            let value = match self.value(index) {
                Value::Bool(b) => Json::Bool(b),
                Value::Int(i) => Json::from(i),
                Value::Float(f) => Number::from_f64(f).map_or(Json::Null, Json::Number),
                Value::Name(n) => Json::from(n),
            };
            map.insert(field.name.to_owned(), value);
        }
        Json::Object(map)
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema && self.values == other.values
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.schema.name, self.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SCHEMA: Schema = Schema {
        name: "test",
        fields: &[
            Field { name: "on", kind: FieldKind::Bool, doc: "" },
            Field { name: "n", kind: FieldKind::Int, doc: "" },
            Field { name: "level", kind: FieldKind::Float, doc: "" },
            Field { name: "state", kind: FieldKind::Name(&["low", "high"]), doc: "" },
        ],
    };

    #[test]
    fn values_come_back_and_become_json() {
        let record = Record::new(
            &SCHEMA,
            &[
                Value::Bool(true),
                Value::Int(-3),
                Value::Float(f64::NEG_INFINITY),
                Value::Name("high"),
            ],
        );
        assert_eq!(record.get("n"), Some(Value::Int(-3)));
        assert_eq!(record.get("state"), Some(Value::Name("high")));
        assert_eq!(
            record.to_json(),
            serde_json::json!({"on": true, "n": -3, "level": null, "state": "high"})
        );
    }
}
