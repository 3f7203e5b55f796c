//! JSON text to values: fast, with duplicate keys noticed.
//!
//! What exactly is wrong, and where, is found out in a second pass that only refused documents
//! pay for (`locate`).

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};
use std::cell::Cell;
use std::fmt;

/// A JSON document, and whether some object in it names a key twice (the first one counts).
pub(crate) struct Parsed {
    pub(crate) value: Json,
    pub(crate) duplicates: bool,
}

/// Reads JSON. Nesting is limited by `serde_json` itself, to 127 levels.
pub(crate) fn parse(text: &str) -> Result<Parsed, serde_json::Error> {
    let duplicates = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = AnyValue(&duplicates).deserialize(&mut reader)?;
    reader.end()?;
    Ok(Parsed { value, duplicates: duplicates.get() })
}

#[derive(Clone, Copy)]
struct AnyValue<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(number.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Json::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(self)?;
            if map.contains_key(&key) {
                self.0.set(true);
            } else {
                map.insert(key, value);
            }
        }
        Ok(Json::Object(map))
    }
}
