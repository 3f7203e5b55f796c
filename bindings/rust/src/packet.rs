//! Packets.

use crate::engine::Engine;
use crate::error::{Result, call, checked, text};
use rmedia_capi::abi::*;
use rmedia_capi::packet::{
    rmedia_packet_create, rmedia_packet_data, rmedia_packet_json, rmedia_packet_release,
    rmedia_packet_share, rmedia_packet_slice, rmedia_packet_view, rmedia_packet_wrap,
};
use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

/// Kind of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Kind {
    /// Samples.
    Audio = RMEDIA_KIND_AUDIO,
    /// An uncompressed picture.
    Video = RMEDIA_KIND_VIDEO,
    /// A unit of compressed media.
    Encoded = RMEDIA_KIND_ENCODED,
    /// An array of numbers.
    Tensor = RMEDIA_KIND_TENSOR,
    /// Text.
    Text = RMEDIA_KIND_TEXT,
    /// A JSON value.
    Json = RMEDIA_KIND_JSON,
    /// A small finding.
    Record = RMEDIA_KIND_RECORD,
    /// Bytes.
    Bytes = RMEDIA_KIND_BYTES,
    /// A file by its path.
    File = RMEDIA_KIND_FILE,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Audio,
        Self::Video,
        Self::Encoded,
        Self::Tensor,
        Self::Text,
        Self::Json,
        Self::Record,
        Self::Bytes,
        Self::File,
    ];
}

/// How a sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum SampleFormat {
    /// 32-bit float.
    F32 = RMEDIA_SAMPLE_F32,
    /// Signed 16-bit.
    I16 = RMEDIA_SAMPLE_I16,
    /// Signed 24-bit in three bytes.
    I24 = RMEDIA_SAMPLE_I24,
    /// Signed 32-bit.
    I32 = RMEDIA_SAMPLE_I32,
    /// Unsigned 8-bit.
    U8 = RMEDIA_SAMPLE_U8,
}

impl SampleFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::F32, Self::I16, Self::I24, Self::I32, Self::U8];

    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::U8 => 1,
        }
    }
}

/// How a pixel is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum PixelFormat {
    /// 8 bits of red, green, blue.
    Rgb24 = RMEDIA_PIXEL_RGB24,
    /// 8 bits of blue, green, red.
    Bgr24 = RMEDIA_PIXEL_BGR24,
    /// 8 bits of red, green, blue, alpha.
    Rgba = RMEDIA_PIXEL_RGBA,
    /// 8 bits of blue, green, red, alpha.
    Bgra = RMEDIA_PIXEL_BGRA,
    /// 8 bits of luma.
    Gray8 = RMEDIA_PIXEL_GRAY8,
    /// Planes Y, U, V; U and V at half the width and height.
    I420 = RMEDIA_PIXEL_I420,
    /// Planes Y and UV; UV at half the width and height.
    Nv12 = RMEDIA_PIXEL_NV12,
}

impl PixelFormat {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Rgb24, Self::Bgr24, Self::Rgba, Self::Bgra, Self::Gray8, Self::I420, Self::Nv12];
}

/// How an element of a tensor is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit float.
    F32 = RMEDIA_DTYPE_F32,
    /// 64-bit float.
    F64 = RMEDIA_DTYPE_F64,
    /// 16-bit float.
    F16 = RMEDIA_DTYPE_F16,
    /// Signed 8-bit.
    I8 = RMEDIA_DTYPE_I8,
    /// Signed 16-bit.
    I16 = RMEDIA_DTYPE_I16,
    /// Signed 32-bit.
    I32 = RMEDIA_DTYPE_I32,
    /// Signed 64-bit.
    I64 = RMEDIA_DTYPE_I64,
    /// Unsigned 8-bit.
    U8 = RMEDIA_DTYPE_U8,
    /// One byte, 0 or 1.
    Bool = RMEDIA_DTYPE_BOOL,
}

impl DType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::F32,
        Self::F64,
        Self::F16,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::Bool,
    ];

    /// Bytes of an element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}

/// What a packet is to be.
#[derive(Debug, Clone, Copy)]
pub struct Info<'a> {
    raw: rmedia_packet_info_t,
    /// Sizes of a tensor, outermost first.
    shape: [usize; MAX_RANK],
    _data: PhantomData<&'a [u8]>,
}

/// Most dimensions of a tensor.
pub const MAX_RANK: usize = 16;

impl<'a> Info<'a> {
    fn new(kind: Kind, data: &'a [u8]) -> Self {
        let mut raw = empty();
        raw.kind = kind as u32;
        (raw.data, raw.size) = (data.as_ptr().cast(), data.len());
        Self { raw, shape: [0; MAX_RANK], _data: PhantomData }
    }

    /// For the library; it points into this.
    fn raw(&self) -> rmedia_packet_info_t {
        let mut raw = self.raw;
        if raw.kind == RMEDIA_KIND_TENSOR {
            raw.shape = self.shape.as_ptr();
        }
        raw
    }

    /// Audio: interleaved samples, as bytes.
    pub fn audio(data: &'a [u8], format: SampleFormat, rate: u32, channels: u32) -> Self {
        let mut info = Self::new(Kind::Audio, data);
        info.raw.format = format as u32;
        (info.raw.rate, info.raw.channels) = (rate, channels);
        let frame = format.bytes().saturating_mul(channels as usize).max(1);
        info.raw.frames = data.len() / frame;
        info
    }

    /// A picture: all its planes, without gaps.
    pub fn video(data: &'a [u8], format: PixelFormat, width: u32, height: u32) -> Self {
        let mut info = Self::new(Kind::Video, data);
        info.raw.format = format as u32;
        (info.raw.width, info.raw.height) = (width, height);
        info
    }

    /// A tensor: its elements row by row, as bytes; the shape's outermost size first.
    pub fn tensor(data: &'a [u8], dtype: DType, shape: &[usize]) -> Self {
        let mut info = Self::new(Kind::Tensor, data);
        info.raw.format = dtype as u32;
        // One that has too many is refused before its sizes are looked at.
        info.raw.rank = u32::try_from(shape.len()).unwrap_or(u32::MAX);
        let rank = shape.len().min(MAX_RANK);
        info.shape[..rank].copy_from_slice(&shape[..rank]);
        info
    }

    /// A unit of compressed media.
    pub fn encoded(data: &'a [u8], codec: &'a CStr, is_key: bool) -> Self {
        let mut info = Self::new(Kind::Encoded, data);
        info.raw.codec = codec.as_ptr();
        if is_key {
            info.raw.flags |= RMEDIA_PACKET_KEY;
        }
        info
    }

    /// A file by its path.
    pub fn file(path: &'a str) -> Self {
        Self::new(Kind::File, path.as_bytes())
    }

    /// Text.
    pub fn text(text: &'a str) -> Self {
        Self::new(Kind::Text, text.as_bytes())
    }

    /// A JSON value, as text.
    pub fn json(text: &'a str) -> Self {
        Self::new(Kind::Json, text.as_bytes())
    }

    /// Bytes.
    pub fn bytes(data: &'a [u8]) -> Self {
        Self::new(Kind::Bytes, data)
    }

    /// Bytes of the payload that is copied.
    pub fn size(&self) -> usize {
        self.raw.size
    }

    /// With a time, in nanoseconds.
    #[must_use]
    pub fn at(mut self, pts_ns: Option<i64>) -> Self {
        if let Some(pts) = pts_ns {
            self.raw.flags |= RMEDIA_PACKET_PTS;
            self.raw.pts_ns = pts;
        }
        self
    }

    /// After a break of the stream.
    #[must_use]
    pub fn discont(mut self, discont: bool) -> Self {
        if discont {
            self.raw.flags |= RMEDIA_PACKET_DISCONT;
        }
        self
    }

    /// Audio whose channels lie in planes, one after the other.
    #[must_use]
    pub fn planar(mut self, planar: bool) -> Self {
        if planar {
            self.raw.flags |= RMEDIA_PACKET_PLANAR;
        }
        self
    }

    /// In the memory of that engine.
    #[must_use]
    pub fn in_memory_of(mut self, engine: &Engine) -> Self {
        self.raw.engine = engine.handle();
        self
    }
}

fn empty() -> rmedia_packet_info_t {
    let mut info = MaybeUninit::<rmedia_packet_info_t>::zeroed();
    // SAFETY: plain data, for which zeros are a value.
    unsafe {
        (*info.as_mut_ptr()).struct_size = size_of::<rmedia_packet_info_t>() as u32;
        info.assume_init()
    }
}

/// A packet. Cloning gives another handle to it, and copies nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    handle: rmedia_packet_t,
}

impl Packet {
    /// Makes a packet; its content is copied.
    ///
    /// # Errors
    /// For a format out of range, or a size that does not fit it.
    pub fn new(info: &Info<'_>) -> Result<Self> {
        let mut handle = rmedia_packet_t::default();
        // SAFETY: the info's pointer and size are those of a slice that lives through the call.
        call(|error| unsafe { rmedia_packet_create(&info.raw(), &mut handle, error) })?;
        Ok(Self { handle })
    }

    /// Makes a packet over memory that `owner` keeps, without a copy. The owner is dropped once the
    /// last reference has gone: where that happens, or (`deferred`) in `Engine::run_releases`.
    ///
    /// # Errors
    /// As [`new`](Self::new); the owner is then dropped at once.
    pub fn wrap<T: AsRef<[u8]> + Send + 'static>(
        owner: T,
        describe: impl FnOnce(&[u8]) -> Info<'_>,
        deferred: bool,
    ) -> Result<Self> {
        unsafe extern "C" fn release<T>(user: *mut c_void) {
            // SAFETY: the pointer that `wrap` leaked, given back once.
            drop(unsafe { Box::from_raw(user.cast::<T>()) });
        }
        // In a box, so that its bytes stay where they are.
        let owner = Box::into_raw(Box::new(owner));
        let mode = if deferred { RMEDIA_RELEASE_DEFERRED } else { RMEDIA_RELEASE_DIRECT };
        let mut handle = rmedia_packet_t::default();
        // SAFETY: the box lives until `release`, and nobody changes it: its bytes stay as they are.
        let wrapped = call(|error| unsafe {
            let info = describe((*owner).as_ref());
            let user = owner.cast();
            rmedia_packet_wrap(&info.raw(), mode, Some(release::<T>), user, &mut handle, error)
        });
        if wrapped.is_err() {
            // SAFETY: after a failure nothing was taken.
            drop(unsafe { Box::from_raw(owner) });
        }
        wrapped.map(|_| Self { handle })
    }

    /// Takes over a reference that the library gave.
    pub(crate) fn owned(handle: rmedia_packet_t) -> Self {
        Self { handle }
    }

    /// A handle of our own to a packet that is lent; `None` for none.
    pub(crate) fn shared(lent: rmedia_packet_t) -> Option<Self> {
        share(lent).ok()
    }

    /// Another handle to it, where there may be no more handles, or the process was forked.
    ///
    /// # Errors
    /// Above the number of handles; in a forked child.
    pub fn try_clone(&self) -> Result<Self> {
        share(self.handle)
    }

    pub(crate) fn handle(&self) -> rmedia_packet_t {
        self.handle
    }

    /// The library has taken the reference.
    pub(crate) fn given(self) {
        std::mem::forget(self);
    }

    /// Looks into it.
    ///
    /// # Errors
    /// In a forked child.
    pub fn view(&self) -> Result<View<'_>> {
        let mut info = empty();
        // SAFETY: `info` says how large it is.
        checked(unsafe { rmedia_packet_view(self.handle, &mut info) })?;
        Ok(View { info, _packet: self })
    }

    /// The value of a json packet, or the fields of a record, as JSON.
    ///
    /// # Errors
    /// For other kinds.
    pub fn json(&self) -> Result<String> {
        // SAFETY: `string` points to a handle.
        text(|string| unsafe { rmedia_packet_json(self.handle, string) })
            .map(Option::unwrap_or_default)
    }

    /// A part of an audio packet, without a copy.
    ///
    /// # Errors
    /// For other kinds, and for a part that is not inside.
    pub fn slice(&self, first: usize, frames: usize) -> Result<Self> {
        let mut handle = rmedia_packet_t::default();
        // SAFETY: `handle` may be written.
        call(|error| unsafe {
            rmedia_packet_slice(self.handle, first, frames, &mut handle, error)
        })?;
        Ok(Self { handle })
    }

    /// Its bytes for writing, while nobody else refers to them.
    ///
    /// # Errors
    /// When the memory is shared or wrapped.
    pub fn bytes_mut(&mut self) -> Result<&mut [u8]> {
        let size = self.view()?.info.size;
        let mut data = ptr::null_mut();
        // SAFETY: `data` may be written.
        checked(unsafe { rmedia_packet_data(self.handle, &mut data) })?;
        if size == 0 {
            return Ok(&mut []);
        }
        // SAFETY: the library says that nothing else refers to these bytes, of which there are so
        // many; the packet is borrowed mutably, so nothing will meanwhile.
        Ok(unsafe { std::slice::from_raw_parts_mut(data.cast(), size) })
    }
}

/// Another handle to a packet.
fn share(packet: rmedia_packet_t) -> Result<Packet> {
    let mut handle = rmedia_packet_t::default();
    // SAFETY: `handle` may be written.
    checked(unsafe { rmedia_packet_share(packet, &mut handle) })?;
    Ok(Packet { handle })
}

impl Clone for Packet {
    fn clone(&self) -> Self {
        self.try_clone().expect("there are fewer than four million packets")
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        rmedia_packet_release(self.handle);
    }
}

/// What there is to see of a packet.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    info: rmedia_packet_info_t,
    _packet: &'a Packet,
}

impl<'a> View<'a> {
    /// Its kind; `None` for one that this crate doesn't know.
    pub fn kind(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u32 == self.info.kind)
    }

    /// Its time, in nanoseconds.
    pub fn pts_ns(&self) -> Option<i64> {
        (self.info.flags & RMEDIA_PACKET_PTS != 0).then_some(self.info.pts_ns)
    }

    /// Whether the stream breaks before it.
    pub fn is_discont(&self) -> bool {
        self.info.flags & RMEDIA_PACKET_DISCONT != 0
    }

    /// Video: how a pixel is stored.
    pub fn pixel(&self) -> Option<PixelFormat> {
        PixelFormat::ALL.get(self.info.format as usize).copied()
    }

    /// Video: pixels a row.
    pub fn width(&self) -> u32 {
        self.info.width
    }

    /// Video: rows.
    pub fn height(&self) -> u32 {
        self.info.height
    }

    /// Tensor: how an element is stored.
    pub fn dtype(&self) -> Option<DType> {
        DType::ALL.get(self.info.format as usize).copied()
    }

    /// Tensor: its sizes, outermost first.
    pub fn shape(&self) -> &'a [usize] {
        if self.info.shape.is_null() {
            return &[];
        }
        // SAFETY: the library says that there are so many, and that they live as long as the
        // reference, which is borrowed.
        unsafe { std::slice::from_raw_parts(self.info.shape, self.info.rank as usize) }
    }

    /// Encoded: whether decoding can begin here.
    pub fn is_key(&self) -> bool {
        self.info.flags & RMEDIA_PACKET_KEY != 0
    }

    /// Audio: how long it lasts, in nanoseconds.
    pub fn duration_ns(&self) -> i64 {
        self.info.duration_ns
    }

    /// Audio: how a sample is stored.
    pub fn sample(&self) -> Option<SampleFormat> {
        SampleFormat::ALL.get(self.info.format as usize).copied()
    }

    /// Audio: frames a second.
    pub fn rate(&self) -> u32 {
        self.info.rate
    }

    /// Audio: channels.
    pub fn channels(&self) -> u32 {
        self.info.channels
    }

    /// Audio: frames.
    pub fn frames(&self) -> usize {
        self.info.frames
    }

    /// Audio: whether each channel has a plane of its own.
    pub fn is_planar(&self) -> bool {
        self.info.flags & RMEDIA_PACKET_PLANAR != 0
    }

    /// Planar audio: bytes from one plane to the next.
    pub fn stride(&self) -> usize {
        self.info.stride
    }

    /// The payload.
    pub fn bytes(&self) -> &'a [u8] {
        if self.info.data.is_null() {
            return &[];
        }
        // SAFETY: the library says that so many bytes live as long as the reference, which is
        // borrowed.
        unsafe { std::slice::from_raw_parts(self.info.data.cast(), self.info.size) }
    }

    /// Text: the payload.
    pub fn text(&self) -> Option<&'a str> {
        match self.kind() {
            Some(Kind::Text | Kind::File) => std::str::from_utf8(self.bytes()).ok(),
            _ => None,
        }
    }
}
