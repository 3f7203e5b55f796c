//! The language of `steps` files: one step a line, words parted by spaces.

use std::ops::Range;

/// One step.
#[derive(Debug)]
pub enum Step<'a> {
    /// Makes the pipeline from a manifest's text.
    Create {
        /// Its file.
        file: &'a str,
        /// Whether it comes from somewhere unknown.
        untrusted: bool,
        /// The most bytes that packets may hold.
        memory: Option<u64>,
    },
    /// Makes the pipeline from a file that the library reads.
    CreateFile {
        /// The file.
        file: &'a str,
    },
    /// Says what is wrong in a manifest.
    Validate {
        /// Its file.
        file: &'a str,
    },
    /// Pushes packets; where the input is full, pulls one and tries again if `retry`.
    Push {
        /// The input that is named.
        port: Option<&'a str>,
        /// Where the first packet lies.
        place: Place,
        /// What is pushed.
        what: What<'a>,
        /// Whether to make room and try again.
        retry: bool,
    },
    /// Ends one input or all.
    End {
        /// The input that is named.
        port: Option<&'a str>,
    },
    /// Pulls once.
    Pull {
        /// The output that is named.
        port: Option<&'a str>,
    },
    /// Pulls until there is nothing, waiting for what others bring.
    Drain {
        /// The output that is named.
        port: Option<&'a str>,
    },
    /// Sets live params.
    Set {
        /// The node's id.
        node: &'a str,
        /// From that time on, in nanoseconds.
        at: Option<i64>,
        /// The params, as text.
        json: &'a str,
    },
    /// Says that nothing comes before a time.
    Gap {
        /// The input that is named.
        port: Option<&'a str>,
        /// The time, in nanoseconds.
        until: i64,
    },
    /// Runs what can run, sources included, until no thread is at work.
    Advance,
    /// Forgets what lies where interrupts hit.
    Interrupt,
    /// Forgets everything inside.
    Reset,
    /// Makes it ready for another run.
    Rewind,
    /// Ends it, waiting so many milliseconds.
    Close {
        /// How long it may take.
        ms: u32,
    },
    /// Stops it at once.
    Cancel,
}

/// Where the first packet of a push lies.
#[derive(Debug, Default, Clone, Copy)]
pub struct Place {
    /// Its time in nanoseconds.
    pub pts: Option<i64>,
    /// Whether the stream breaks before it.
    pub discont: bool,
}

/// What is pushed.
#[derive(Debug)]
pub enum What<'a> {
    /// Samples.
    Audio(Sound<'a>),
    /// Text.
    Text(&'a str),
    /// JSON, as text.
    Json(&'a str),
    /// The bytes of a file.
    Bytes(&'a str),
}

/// Samples of a file, and how they are cut.
#[derive(Debug, Default)]
pub struct Sound<'a> {
    /// The file.
    pub file: &'a str,
    /// Frames a second.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
    /// Name of the sample format.
    pub sample: &'a str,
    /// Whether each channel goes to a plane of its own.
    pub planar: bool,
    /// Whether all packets are parts of one.
    pub sliced: bool,
    /// Frames of the file that are left out.
    pub skip: usize,
    /// `all`, or frame counts; `*` at the end repeats them to the end of the file.
    pub chunks: &'a str,
}

impl Sound<'_> {
    /// Where the pieces of `chunks` lie in a file of so many frames.
    ///
    /// # Errors
    /// For pieces that are not numbers, or not in the file.
    pub fn pieces(&self, frames: usize) -> Result<Vec<Range<usize>>, String> {
        let (chunks, skip) = (self.chunks, self.skip);
        if chunks == "all" {
            return Ok(std::iter::once(skip.min(frames)..frames).collect());
        }
        let (list, repeat) = match chunks.strip_suffix(",*") {
            Some(list) => (list, true),
            None => (chunks, false),
        };
        let sizes: Vec<usize> = list.split(',').map(number).collect::<Result<_, _>>()?;
        let mut pieces = Vec::new();
        let mut at = skip;
        loop {
            for size in &sizes {
                let end = at + size;
                if repeat && end >= frames {
                    pieces.push(at..frames);
                    return Ok(pieces);
                }
                if end > frames {
                    return Err(format!("the file has {frames} frames, not {end}"));
                }
                pieces.push(at..end);
                at = end;
            }
            if !repeat {
                return Ok(pieces);
            }
        }
    }
}

/// Puts the samples of each channel into a plane; `size` is that of a sample.
pub fn planes(interleaved: &[u8], size: usize, channels: usize) -> Vec<u8> {
    let frame = (size * channels).max(1);
    let channel = |c: usize| interleaved.chunks_exact(frame).map(move |f| &f[c * size..][..size]);
    (0..channels).flat_map(channel).flatten().copied().collect()
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
///
/// # Errors
/// What is wrong with it.
pub fn parse(line: &str) -> Result<Step<'_>, String> {
    let mut rest = line;
    let op = word(&mut rest);
    Ok(match op {
        "create" => parse_create(rest)?,
        "create-file" => Step::CreateFile { file: rest },
        "validate" => Step::Validate { file: rest },
        "push" | "offer" => parse_push(rest, op == "push")?,
        "end" => Step::End { port: port(&mut rest) },
        "pull" => Step::Pull { port: port(&mut rest) },
        "drain" => Step::Drain { port: port(&mut rest) },
        "set" => parse_set(rest)?,
        "gap" => Step::Gap { port: port(&mut rest), until: number(rest)? },
        "advance" => Step::Advance,
        "interrupt" => Step::Interrupt,
        "reset" => Step::Reset,
        "rewind" => Step::Rewind,
        "close" => Step::Close { ms: number(rest)? },
        "cancel" => Step::Cancel,
        op => return Err(format!("there is no step '{op}'")),
    })
}

fn parse_create(mut rest: &str) -> Result<Step<'_>, String> {
    let (file, mut untrusted, mut memory) = (word(&mut rest), false, None);
    while !rest.is_empty() {
        match word(&mut rest).split_once('=') {
            Some(("memory", bytes)) => memory = Some(number(bytes)?),
            None => untrusted = true,
            Some((other, _)) => return Err(format!("create has no '{other}'")),
        }
    }
    Ok(Step::Create { file, untrusted, memory })
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
            None if option == "sliced" => sound.sliced = true,
            _ => return Err(format!("audio has no '{option}'")),
        }
    }
    Ok(sound)
}
