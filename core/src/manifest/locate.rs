//! Where in the text something stands: the second pass, which only refused manifests pay for.

use super::problem::{at, error, excerpt};
use super::source::{Event, Source, Span, Stop, stop};
use crate::error::{Detail, Problem, detail};
use std::collections::{HashMap, HashSet};

/// Fills in the positions of problems from their pointers, and sorts them by position.
pub(crate) fn locate(source: &Source, problems: &mut [Problem]) {
    let mut places = Places::default();
    let wanted: Vec<usize> = problems.iter().map(|p| places.add(&p.pointer)).collect();
    places.find(source);
    let spans: Vec<Span> = problems
        .iter()
        .zip(&wanted)
        .map(|(problem, place)| places.span(*place, points_to_key(problem.detail)))
        .collect();
    for (problem, position) in problems.iter_mut().zip(source.positions(&spans)) {
        problem.position = Some(position);
    }
    problems.sort_by_key(|p| p.position.map(|p| p.offset));
}

/// Whether what is wrong is a name and not what stands behind it.
fn points_to_key(id: Detail) -> bool {
    [
        detail::MANIFEST_UNKNOWN_FIELD,
        detail::MANIFEST_UNKNOWN_PARAM,
        detail::MANIFEST_PARAM_CONFLICT,
        detail::MANIFEST_INPUT_NAME,
    ]
    .contains(&id)
}

/// A tree of the places that are looked for. Comparing step by step keeps the walk as fast as the
/// text is long, whatever its keys are.
#[derive(Default)]
struct Places(Vec<Place>);

#[derive(Default)]
struct Place {
    parent: usize,
    children: HashMap<String, usize>,
    key: Option<Span>,
    value: Option<Span>,
}

/// An object or list that the walk is in.
struct Open {
    place: Option<usize>,
    start: usize,
    /// Of a list: the index of its next value.
    index: Option<usize>,
}

impl Places {
    /// The place of a pointer.
    fn add(&mut self, pointer: &str) -> usize {
        if self.0.is_empty() {
            self.0.push(Place::default());
        }
        let mut place = 0;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = self.0.len();
            let child = *self.0[place].children.entry(step).or_insert(next);
            if child == next {
                self.0.push(Place { parent: place, ..Place::default() });
            }
            place = child;
        }
        place
    }

    fn child(&self, place: Option<usize>, step: &str) -> Option<usize> {
        self.0[place?].children.get(step).copied()
    }

    fn find(&mut self, source: &Source) {
        let mut open: Vec<Open> = Vec::new();
        // Where the next value belongs.
        let mut next = Some(0).filter(|_| !self.0.is_empty());
        let mut visit = |event: Event<'_>, span: Span| -> Result<(), Stop> {
            let begins = !matches!(event, Event::End | Event::Key(_));
            if begins && let Some(Open { place, index: Some(index), .. }) = open.last_mut() {
                next = place.and_then(|p| self.child(Some(p), &index.to_string()));
                *index += 1;
            }
            match event {
                Event::Map | Event::List => {
                    let index = matches!(event, Event::List).then_some(0);
                    open.push(Open { place: next, start: span.start, index });
                    next = None;
                }
                Event::Key(key) => {
                    let place = open.last().and_then(|o| o.place);
                    next = self.child(place, &key);
                    if let Some(place) = next {
                        self.0[place].key.get_or_insert(span);
                    }
                }
                Event::End => {
                    if let Some(Open { place: Some(place), start, .. }) = open.pop() {
                        self.0[place].value.get_or_insert(Span { start, end: span.end });
                    }
                }
                Event::Scalar { .. } => {
                    if let Some(place) = next.take() {
                        self.0[place].value.get_or_insert(span);
                    }
                }
            }
            Ok(())
        };
        // The text has been read before, so that the walk does not stop.
        let _ = source.walk(&mut visit);
    }

    /// Where a place stands, or the nearest one around it that is there.
    fn span(&self, mut place: usize, key: bool) -> Span {
        loop {
            let found = &self.0[place];
            let span = if key { found.key.or(found.value) } else { found.value };
            match span {
                Some(span) => return span,
                None if place == 0 => return Span { start: 0, end: 0 },
                None => place = found.parent,
            }
        }
    }
}

/// Every key that its object has named before.
pub(crate) fn duplicates(source: &Source) -> Vec<Stop> {
    let mut found = Vec::new();
    // For each open object its keys, for each open list its length; with the step that leads on.
    let mut open: Vec<(Option<HashSet<String>>, usize, String)> = Vec::new();
    let _ = source.walk(|event, span| {
        let begins = !matches!(event, Event::End | Event::Key(_));
        if begins && let Some((None, length, step)) = open.last_mut() {
            *step = length.to_string();
            *length += 1;
        }
        match event {
            Event::Map => open.push((Some(HashSet::new()), 0, String::new())),
            Event::List => open.push((None, 0, String::new())),
            Event::End => drop(open.pop()),
            Event::Scalar { .. } => {}
            Event::Key(key) => {
                let steps = open.len().saturating_sub(1);
                let Some((Some(keys), _, step)) = open.last_mut() else { return Ok(()) };
                key.as_ref().clone_into(step);
                let new = keys.insert(key.clone().into_owned());
                if !new && found.len() < 100 {
                    let around = open[..steps].iter().fold(String::new(), |p, o| at(&p, &o.2));
                    let message = format!("the key '{}' is there twice", excerpt(&key));
                    let problem = error(detail::MANIFEST_DUPLICATE_KEY, at(&around, &key), message)
                        .hint("take one of them out");
                    found.push(stop(problem, span));
                }
            }
        }
        Ok(())
    });
    found
}
