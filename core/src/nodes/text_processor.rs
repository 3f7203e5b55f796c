//! Simple work on text: case, counts, words.

use crate::error::{Error, Result, detail};
use crate::node::params::{Choice, ParamKind, ParamValue};
use crate::node::{Caps, Context, Descriptor, Flow, Node, Params, Port, caps::Kinds};
use crate::packet::{Kind, Packet, Payload};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// One thing that is done with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub(crate) enum Operation {
    /// All letters as capitals.
    Uppercase,
    /// All letters as small letters.
    Lowercase,
    /// The characters (Unicode scalar values) in reverse order.
    Reverse,
    /// Number of words, as parted by white space.
    WordCount,
    /// Number of characters (Unicode scalar values).
    CharCount,
    /// The first letter of every run of letters as a capital, the others as small letters.
    TitleCase,
    /// The text without its spaces (U+0020).
    RemoveSpaces,
    /// The first word; empty when there is none.
    FirstWord,
    /// The last word; empty when there is none.
    LastWord,
}

/// Params of [`TextProcessor`].
#[derive(Debug, Clone, Params)]
pub struct TextProcessorParams {
    /// What to do with text that does not say it itself.
    #[param(default)]
    operations: Vec<Operation>,
}

/// Takes text, or an object `{text, operations}`, and gives an object `{original_text, operations,
/// results, processed_by, node_config}` with one result for each operation.
pub struct TextProcessor(TextProcessorParams);

impl Node for TextProcessor {
    type Params = TextProcessorParams;

    const DESCRIPTOR: Descriptor = Descriptor {
        aliases: &["TextProcessor"],
        category: "text",
        inputs: &[Port::new(
            "in",
            Caps::kinds(Kinds::one(Kind::Json).or(Kinds::one(Kind::Text))),
            "Text, or an object with text and operations.",
        )],
        outputs: &[Port::new("out", Caps::kind(Kind::Json), "An object with the results.")],
        keeps_time: true,
        retry_safe: true,
        ..Descriptor::new("TextProcessorNode", "Changes the case of text, counts and picks words.")
    };

    fn new(params: Self::Params) -> Result<Self> {
        Ok(Self(params))
    }

    fn process(&mut self, cx: &mut Context<'_>, packet: Packet) -> Result<Flow> {
        let answer = match packet.payload() {
            Payload::Text(text) => self.answer(text, &self.0.operations),
            // A list is answered item by item, in one list.
            Payload::Json(value) => match &**value {
                Json::Array(items) => {
                    items.iter().map(|item| self.answer_json(item)).collect::<Result<_>>()?
                }
                item => self.answer_json(item)?,
            },
            _ => return Err(bad(format!("the node takes text, not {}", packet.kind()))),
        };
        cx.emit(0, packet.with_payload(Payload::Json(Arc::new(answer))));
        Ok(Flow::Done)
    }
}

impl TextProcessor {
    /// The answer to an object with text and operations.
    fn answer_json(&self, value: &Json) -> Result<Json> {
        let (text, operations) = self.request(value)?;
        Ok(self.answer(text, &operations))
    }

    fn answer(&self, text: &str, operations: &[Operation]) -> Json {
        let names: Vec<Json> = operations.iter().map(ParamValue::to_json).collect();
        let results: Map<String, Json> = names
            .iter()
            .zip(operations)
            .map(|(name, operation)| {
                (name.as_str().unwrap_or_default().to_owned(), operation.apply(text))
            })
            .collect();
        json!({
            "original_text": text,
            "operations": names,
            "results": results,
            "processed_by": Self::DESCRIPTOR.name,
            "node_config": self.0.to_map(),
        })
    }

    /// Text and operations of an object.
    fn request<'a>(&self, value: &'a Json) -> Result<(&'a str, Vec<Operation>)> {
        let Some(text) = value.get("text").and_then(Json::as_str) else {
            return Err(bad("the object has no string named 'text'".to_owned())
                .with_hint("Give {\"text\": …, \"operations\": […]}, or a text packet."));
        };
        let operations = match value.get("operations") {
            None => self.0.operations.clone(),
            Some(Json::Array(names)) => names.iter().map(operation).collect::<Result<_>>()?,
            Some(_) => return Err(bad("'operations' is no array of names".to_owned())),
        };
        Ok((text, operations))
    }
}

fn operation(name: &Json) -> Result<Operation> {
    Operation::from_json(name).ok_or_else(|| {
        let ParamKind::Choice(choices) = Operation::kind() else {
            unreachable!("an enum's kind is a choice")
        };
        let names: Vec<_> = choices.iter().map(|choice| choice.name).collect();
        bad(format!("there is no operation {name}"))
            .with_hint(format!("Operations are {}.", names.join(", ")))
    })
}

fn bad(message: String) -> Error {
    Error::new(detail::FORMAT_VALUE, message)
}

impl Operation {
    fn apply(self, text: &str) -> Json {
        match self {
            Self::Uppercase => text.to_uppercase().into(),
            Self::Lowercase => text.to_lowercase().into(),
            Self::Reverse => text.chars().rev().collect::<String>().into(),
            Self::WordCount => text.split_whitespace().count().into(),
            Self::CharCount => text.chars().count().into(),
            Self::TitleCase => title_case(text).into(),
            Self::RemoveSpaces => text.replace(' ', "").into(),
            Self::FirstWord => text.split_whitespace().next().unwrap_or_default().into(),
            Self::LastWord => text.split_whitespace().next_back().unwrap_or_default().into(),
        }
    }
}

fn title_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.chars() {
        if in_word {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        in_word = c.is_alphabetic();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::testing::Harness;

    fn answer(params: Json, packet: Packet) -> Result<Json> {
        let mut node = Harness::new::<TextProcessor>(params).expect("makes");
        Ok(node.push(packet)?[0].1.as_json().expect("json").clone())
    }

    #[test]
    fn a_list_is_answered_item_by_item() {
        let request = |text| json!({"text": text, "operations": ["uppercase", "word_count"]});
        let list = Packet::json(json!([request("Hello WASM"), request("a")]));
        let answer = answer(json!({}), list).expect("known operations");
        assert_eq!(answer[0]["results"], json!({"uppercase": "HELLO WASM", "word_count": 2}));
        assert_eq!(answer[1]["results"], json!({"uppercase": "A", "word_count": 1}));
    }

    #[test]
    fn every_operation_works_on_any_language() {
        let request = json!({
            "text": "Grüße aus  köln, it's ok",
            "operations": ["uppercase", "lowercase", "reverse", "word_count", "char_count",
                           "title_case", "remove_spaces", "first_word", "last_word"],
        });
        let answer = answer(json!({}), Packet::json(request.clone())).expect("known operations");
        assert_eq!(answer["original_text"], request["text"]);
        assert_eq!(answer["operations"], request["operations"]);
        assert_eq!(answer["processed_by"], "TextProcessorNode");
        assert_eq!(answer["node_config"], json!({"operations": []}));
        assert_eq!(
            answer["results"],
            json!({
                "uppercase": "GRÜSSE AUS  KÖLN, IT'S OK",
                "lowercase": "grüße aus  köln, it's ok",
                "reverse": "ko s'ti ,nlök  sua eßürG",
                "word_count": 5,
                "char_count": 24,
                "title_case": "Grüße Aus  Köln, It'S Ok",
                "remove_spaces": "Grüßeausköln,it'sok",
                "first_word": "Grüße",
                "last_word": "ok",
            })
        );
    }

    #[test]
    fn plain_text_takes_its_operations_from_the_params() {
        let params = json!({"operations": ["Word_Count"]});
        let answer = answer(params, Packet::text("one two")).expect("works");
        assert_eq!(answer["results"], json!({"word_count": 2}));
        assert_eq!(answer["node_config"], json!({"operations": ["word_count"]}));
    }

    #[test]
    fn an_empty_text_has_no_words() {
        let request = json!({"text": " ", "operations": ["first_word", "last_word", "word_count"]});
        let answer = answer(json!({}), Packet::json(request)).expect("works");
        assert_eq!(answer["results"], json!({"first_word": "", "last_word": "", "word_count": 0}));
    }

    #[test]
    fn unknown_operations_and_missing_text_are_refused_with_the_way_out() {
        let request = json!({"text": "a", "operations": ["shout"]});
        let error = answer(json!({}), Packet::json(request)).expect_err("unknown");
        assert_eq!(error.detail(), detail::FORMAT_VALUE);
        assert!(error.message().contains("shout"));
        assert!(error.hint().is_some_and(|h| h.contains("uppercase") && h.contains("last_word")));
        for request in [json!({"operations": []}), json!("text"), json!({"text": 3})] {
            assert!(answer(json!({}), Packet::json(request)).is_err());
        }
    }
}
