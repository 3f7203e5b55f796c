//! The language of `steps` files: one step a line, words parted by spaces.

/// One step.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// Makes the pipeline from a manifest's text.
    Create { file: &'a str, untrusted: bool },
    /// Makes the pipeline from a file that the library reads.
    CreateFile { file: &'a str },
    /// Says what is wrong in a manifest.
    Validate { file: &'a str },
    /// Pushes packets; where the input is full, pulls one and tries again if `retry`.
    Push { port: Option<&'a str>, place: Place, what: What<'a>, retry: bool },
    /// Ends one input or all.
    End { port: Option<&'a str> },
    /// Pulls once.
    Pull { port: Option<&'a str> },
    /// Pulls until there is nothing.
    Drain,
    /// Sets live params.
    Set { node: &'a str, at: Option<i64>, json: &'a str },
    /// Runs what can run, sources included.
    Advance,
    /// Forgets everything inside.
    Reset,
    /// Makes it ready for another run.
    Rewind,
    /// Ends it, waiting so many milliseconds.
    Close { ms: u64 },
    /// Stops it at once.
    Cancel,
}

/// Where the first packet of a push lies.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) pts: Option<i64>,
    pub(crate) discont: bool,
}

/// What is pushed.
#[derive(Debug)]
pub(crate) enum What<'a> {
    Audio(Sound<'a>),
    Text(&'a str),
    Json(&'a str),
    Bytes(&'a str),
}

/// Samples of a file, and how they are cut.
#[derive(Debug, Default)]
pub(crate) struct Sound<'a> {
    pub(crate) file: &'a str,
    pub(crate) rate: u32,
    pub(crate) channels: u16,
    pub(crate) sample: &'a str,
    pub(crate) planar: bool,
    /// Frames of the file that are left out.
    pub(crate) skip: usize,
    /// `all`, or frame counts; `*` at the end repeats them to the end of the file.
    pub(crate) chunks: &'a str,
}

/// Cuts the first word off.
fn word<'a>(rest: &mut &'a str) -> &'a str {
    let (first, after) = rest.split_once(' ').unwrap_or((rest, ""));
    *rest = after.trim_start();
    first
}

fn port<'a>(rest: &mut &'a str) -> Option<&'a str> {
    Some(word(rest)).filter(|p| !p.is_empty() && *p != "-")
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is no number that fits"))
}

/// Reads a step.
pub(crate) fn parse(line: &str) -> Result<Step<'_>, String> {
    let mut rest = line;
    let op = word(&mut rest);
    Ok(match op {
        "create" => Step::Create { file: word(&mut rest), untrusted: rest == "untrusted" },
        "create-file" => Step::CreateFile { file: rest },
        "validate" => Step::Validate { file: rest },
        "push" | "offer" => parse_push(rest, op == "push")?,
        "end" => Step::End { port: port(&mut rest) },
        "pull" => Step::Pull { port: port(&mut rest) },
        "drain" => Step::Drain,
        "set" => parse_set(rest)?,
        "advance" => Step::Advance,
        "reset" => Step::Reset,
        "rewind" => Step::Rewind,
        "close" => Step::Close { ms: number(rest)? },
        "cancel" => Step::Cancel,
        op => return Err(format!("there is no step '{op}'")),
    })
}

fn parse_set(mut rest: &str) -> Result<Step<'_>, String> {
    let node = word(&mut rest);
    let mut at = None;
    if let Some(time) = rest.strip_prefix("at=") {
        rest = time;
        at = Some(number(word(&mut rest))?);
    }
    Ok(Step::Set { node, at, json: rest })
}

fn parse_push(mut rest: &str, retry: bool) -> Result<Step<'_>, String> {
    let port = port(&mut rest);
    let mut place = Place::default();
    let what = loop {
        match word(&mut rest) {
            "discont" => place.discont = true,
            "audio" => break What::Audio(parse_sound(rest)?),
            "text" => break What::Text(rest),
            "json" => break What::Json(rest),
            "bytes" => break What::Bytes(rest),
            other => match other.strip_prefix("pts=") {
                Some(pts) => place.pts = Some(number(pts)?),
                None => return Err(format!("'{other}' can't be pushed")),
            },
        }
    };
    Ok(Step::Push { port, place, what, retry })
}

fn parse_sound(mut rest: &str) -> Result<Sound<'_>, String> {
    let mut sound = Sound { file: word(&mut rest), chunks: "all", ..Sound::default() };
    while !rest.is_empty() {
        let option = word(&mut rest);
        match option.split_once('=') {
            Some(("rate", value)) => sound.rate = number(value)?,
            Some(("channels", value)) => sound.channels = number(value)?,
            Some(("sample", value)) => sound.sample = value,
            Some(("skip", value)) => sound.skip = number(value)?,
            Some(("chunks", value)) => sound.chunks = value,
            None if option == "planar" => sound.planar = true,
            _ => return Err(format!("audio has no '{option}'")),
        }
    }
    Ok(sound)
}
