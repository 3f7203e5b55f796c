//! Where in a text something stands.

/// From the first to behind the last; bytes or characters, as who made it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}
