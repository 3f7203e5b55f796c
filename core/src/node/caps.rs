//! Capabilities: which packets a port gives or takes.
//!
//! Pure set arithmetic, used when a manifest is loaded: the meet of what one end of a connection
//! gives with what the other end takes decides whether they fit and whether an adapter goes
//! between them.

use crate::packet::{AudioFormat, Kind, SampleFormat};
use std::borrow::Cow;
use std::fmt;

/// A set of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbers {
    /// Every number.
    Any,
    /// From the first to the second, both included.
    Range(u32, u32),
    /// Those listed.
    List(Cow<'static, [u32]>),
}

impl Numbers {
    /// Exactly that number.
    pub const fn one(n: u32) -> Self {
        Self::Range(n, n)
    }

    /// Whether the set holds `n`.
    pub fn contains(&self, n: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Range(low, high) => (*low..=*high).contains(&n),
            Self::List(list) => list.contains(&n),
        }
    }

    /// The only number in the set, if there is just one.
    pub fn single(&self) -> Option<u32> {
        match self {
            Self::Range(low, high) if low == high => Some(*low),
            Self::List(list) if list.len() == 1 => Some(list[0]),
            _ => None,
        }
    }

    /// What both sets hold; `None` when that is nothing.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, x) | (x, Self::Any) => Some(x.clone()),
            (Self::Range(a, b), Self::Range(c, d)) => {
                let (low, high) = (*a.max(c), *b.min(d));
                (low <= high).then_some(Self::Range(low, high))
            }
            (Self::List(list), set) | (set, Self::List(list)) => {
                let both: Vec<u32> = list.iter().copied().filter(|n| set.contains(*n)).collect();
                (!both.is_empty()).then_some(Self::List(both.into()))
            }
        }
    }

    /// Whether every number of this set is in `other`.
    pub fn within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Any) => true,
            (Self::Any, _) => false,
            (Self::List(list), set) => list.iter().all(|n| set.contains(*n)),
            (Self::Range(a, b), Self::Range(c, d)) => c <= a && b <= d,
            (Self::Range(a, b), Self::List(list)) => {
                (u64::from(*b) - u64::from(*a)) < list.len() as u64
                    && (*a..=*b).all(|n| list.contains(&n))
            }
        }
    }

    /// The number of the set that lies nearest to `n`, which is what an adapter converts to.
    pub fn nearest(&self, n: u32) -> u32 {
        match self {
            Self::Any => n,
            Self::Range(low, high) => n.clamp(*low, *high),
            Self::List(list) => list.iter().copied().min_by_key(|x| x.abs_diff(n)).unwrap_or(n),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Range(low, high) if low == high => write!(f, "{low}"),
            Self::Range(low, high) => write!(f, "{low}…{high}"),
            Self::List(list) => {
                let names: Vec<_> = list.iter().map(u32::to_string).collect();
                f.write_str(&names.join(" | "))
            }
        }
    }
}

/// A set of sample formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Samples(u8);

impl Samples {
    /// Every format.
    pub const ANY: Self = Self(0b1_1111);
    /// 32-bit float alone.
    pub const F32: Self = Self::one(SampleFormat::F32);

    /// One format.
    pub const fn one(format: SampleFormat) -> Self {
        Self(1 << format as u8)
    }

    /// This set and another.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set holds the format.
    pub const fn contains(self, format: SampleFormat) -> bool {
        self.0 & (1 << format as u8) != 0
    }

    /// What both sets hold; `None` when that is nothing.
    #[must_use]
    pub const fn meet(self, other: Self) -> Option<Self> {
        match self.0 & other.0 {
            0 => None,
            both => Some(Self(both)),
        }
    }

    /// Whether every format of this set is in `other`.
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The formats in the set.
    pub fn iter(self) -> impl Iterator<Item = SampleFormat> {
        SampleFormat::ALL.into_iter().filter(move |f| self.contains(*f))
    }
}

/// A set of audio formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioCaps {
    /// Sample rates.
    pub rates: Numbers,
    /// Channel counts.
    pub channels: Numbers,
    /// Sample formats.
    pub samples: Samples,
    /// Planar only, interleaved only, or both.
    pub planar: Option<bool>,
}

impl AudioCaps {
    /// All audio.
    pub const ANY: Self =
        Self { rates: Numbers::Any, channels: Numbers::Any, samples: Samples::ANY, planar: None };
    /// Interleaved f32 at any rate with any number of channels: what most nodes work on.
    pub const F32: Self = Self { samples: Samples::F32, planar: Some(false), ..Self::ANY };

    /// Whether the set holds the format.
    pub fn contains(&self, format: &AudioFormat) -> bool {
        self.rates.contains(format.rate)
            && self.channels.contains(u32::from(format.channels))
            && self.samples.contains(format.sample)
            // One channel is planar and interleaved at once.
            && (self.planar.is_none_or(|p| p == format.planar) || format.channels == 1)
    }

    /// What both sets hold, or the name of the first field in which they hold nothing together.
    ///
    /// # Errors
    /// The field: `rate`, `channels`, `sample format` or `planar`.
    pub fn meet(&self, other: &Self) -> Result<Self, &'static str> {
        Ok(Self {
            rates: self.rates.meet(&other.rates).ok_or("rate")?,
            channels: self.channels.meet(&other.channels).ok_or("channels")?,
            samples: self.samples.meet(other.samples).ok_or("sample format")?,
            planar: match (self.planar, other.planar) {
                (Some(a), Some(b)) if a != b => return Err("planar"),
                (a, b) => a.or(b),
            },
        })
    }

    /// Whether every format of this set is in `other`.
    pub fn within(&self, other: &Self) -> bool {
        self.rates.within(&other.rates)
            && self.channels.within(&other.channels)
            && self.samples.within(other.samples)
            && (other.planar.is_none()
                || self.planar == other.planar
                || self.channels.single() == Some(1))
    }
}

impl fmt::Display for AudioCaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.samples != Samples::ANY {
            parts.push(self.samples.iter().map(SampleFormat::name).collect::<Vec<_>>().join(" | "));
        }
        if self.rates != Numbers::Any {
            parts.push(format!("{} Hz", self.rates));
        }
        if self.channels != Numbers::Any {
            parts.push(format!("{} ch", self.channels));
        }
        if let Some(planar) = self.planar {
            parts.push(if planar { "planar" } else { "interleaved" }.to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// Every kind.
    pub const ANY: Self = Self((1 << Kind::ALL.len()) - 1);

    /// One kind.
    pub const fn one(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }

    /// This set and another.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set holds the kind.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// What both sets hold; empty when that is nothing.
    #[must_use]
    pub const fn meet(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every kind of this set is in `other`.
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The kinds in the set.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |k| self.contains(*k))
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("any");
        }
        f.write_str(&self.iter().map(Kind::name).collect::<Vec<_>>().join(" | "))
    }
}

/// What a port gives or takes: kinds, and for audio which formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// Kinds of packets.
    pub kinds: Kinds,
    /// Formats, for the audio among them.
    pub audio: AudioCaps,
}

impl Caps {
    /// Everything.
    pub const ANY: Self = Self { kinds: Kinds::ANY, audio: AudioCaps::ANY };
    /// Video of every format.
    pub const VIDEO: Self = Self { kinds: Kinds::one(Kind::Video), audio: AudioCaps::ANY };
    /// All audio.
    pub const AUDIO: Self = Self { kinds: Kinds::one(Kind::Audio), audio: AudioCaps::ANY };
    /// Interleaved f32 audio.
    pub const AUDIO_F32: Self = Self { kinds: Kinds::one(Kind::Audio), audio: AudioCaps::F32 };

    /// Packets of one kind.
    pub const fn kind(kind: Kind) -> Self {
        Self::kinds(Kinds::one(kind))
    }

    /// Packets of these kinds.
    pub const fn kinds(kinds: Kinds) -> Self {
        Self { kinds, audio: AudioCaps::ANY }
    }

    /// Audio of this set.
    pub const fn audio(audio: AudioCaps) -> Self {
        Self { kinds: Kinds::one(Kind::Audio), audio }
    }

    /// Whether every packet of this set is in `other`.
    pub fn within(&self, other: &Self) -> bool {
        self.kinds.within(other.kinds)
            && (!self.kinds.contains(Kind::Audio) || self.audio.within(&other.audio))
    }
}

impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kinds)?;
        if self.kinds.contains(Kind::Audio) && self.audio != AudioCaps::ANY {
            write!(f, " ({})", self.audio)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_numbers_meet() {
        let list = Numbers::List(vec![8_000, 16_000, 48_000].into());
        assert_eq!(
            list.meet(&Numbers::Range(10_000, 20_000)),
            Some(Numbers::List(vec![16_000].into()))
        );
        assert_eq!(list.meet(&Numbers::one(44_100)), None);
        assert!(Numbers::Range(1, 3).within(&Numbers::List(vec![3, 2, 1].into())));
        assert!(!Numbers::Any.within(&list) && list.within(&Numbers::Any));
        assert_eq!(list.nearest(15_000), 16_000);
    }

    #[test]
    fn one_channel_is_planar_and_interleaved_at_once() {
        let mono = AudioFormat::f32(16_000, 1).with_planar(true);
        assert!(AudioCaps::F32.contains(&mono));
        assert!(!AudioCaps::F32.contains(&AudioFormat::f32(16_000, 2).with_planar(true)));
    }

    #[test]
    fn caps_read_as_words() {
        let audio = AudioCaps { rates: Numbers::one(16_000), ..AudioCaps::F32 };
        assert_eq!(Caps::audio(audio).to_string(), "audio (f32, 16000 Hz, interleaved)");
        assert_eq!(Caps::ANY.to_string(), "any");
    }
}
