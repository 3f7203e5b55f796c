//! The arguments of a benchmark's program: words and numbers by place, each with its usual value.

/// The arguments after the program's name.
pub struct Args(Vec<String>);

impl Args {
    /// Those of this process.
    pub fn read() -> Self {
        let mut args = std::env::args();
        // The program's own name.
        args.next();
        Self(args.collect())
    }

    /// The word at that place; empty: there is none.
    pub fn text(&self, at: usize) -> &str {
        self.0.get(at).map_or("", String::as_str)
    }

    /// The number at that place, or the usual one.
    ///
    /// # Panics
    /// If something else stands there.
    pub fn number(&self, at: usize, usual: u64) -> u64 {
        self.0.get(at).map_or(usual, |arg| parse(arg))
    }

    /// The numbers from that place on.
    ///
    /// # Panics
    /// If something else stands there.
    pub fn numbers(&self, from: usize) -> Vec<u64> {
        self.0.iter().skip(from).map(|arg| parse(arg)).collect()
    }
}

fn parse(arg: &str) -> u64 {
    arg.parse().expect("a number")
}
