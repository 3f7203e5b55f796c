//! Between `rmedia_packet_info_t` and the engine's packets.

use crate::abi::{
    RMEDIA_KIND_AUDIO, RMEDIA_KIND_BYTES, RMEDIA_KIND_ENCODED, RMEDIA_KIND_FILE, RMEDIA_KIND_JSON,
    RMEDIA_KIND_RECORD, RMEDIA_KIND_TENSOR, RMEDIA_KIND_TEXT, RMEDIA_KIND_VIDEO,
    RMEDIA_NUL_TERMINATED, RMEDIA_PACKET_DISCONT, RMEDIA_PACKET_DTS, RMEDIA_PACKET_KEY,
    RMEDIA_PACKET_PLANAR, RMEDIA_PACKET_PTS, rmedia_engine_t, rmedia_packet_info_t,
};
use crate::boundary::{check_flags, invalid, null, text, utf8};
use remotemedia::error::{Error, Result, detail};
use remotemedia::packet::{
    AudioFormat, Buffer, DType, Encoded, File, Layout, PixelFormat, SampleFormat, Tensor, Video,
    read_json,
};
use remotemedia::{Audio, Engine, MediaTime, Packet, Payload};
use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

const FLAGS: u32 = RMEDIA_PACKET_PTS
    | RMEDIA_PACKET_DISCONT
    | RMEDIA_PACKET_PLANAR
    | RMEDIA_PACKET_KEY
    | RMEDIA_PACKET_DTS;

const PIXELS: [PixelFormat; 7] = [
    PixelFormat::Rgb24,
    PixelFormat::Bgr24,
    PixelFormat::Rgba,
    PixelFormat::Bgra,
    PixelFormat::Gray8,
    PixelFormat::I420,
    PixelFormat::Nv12,
];

const DTYPES: [DType; 9] = [
    DType::F32,
    DType::F64,
    DType::F16,
    DType::I8,
    DType::I16,
    DType::I32,
    DType::I64,
    DType::U8,
    DType::Bool,
];

/// A packet in the engine's memory.
///
/// # Safety
/// The pointers in `info` are null or good for what it says.
pub(super) unsafe fn create(info: &rmedia_packet_info_t, engine: &Engine) -> Result<Packet> {
    check_flags(info.flags, FLAGS)?;
    let payload = match info.kind {
        // SAFETY: by contract.
        RMEDIA_KIND_TEXT => Payload::Text(unsafe { text_within(info, engine) }?.into()),
        RMEDIA_KIND_JSON => {
            // SAFETY: by contract.
            let text = unsafe { text_within(info, engine) }?;
            let value = read_json(text).map_err(|e| {
                Error::new(detail::ARGUMENT_JSON, format!("the payload is not JSON: {e}"))
            })?;
            Payload::Json(Arc::new(value))
        }
        RMEDIA_KIND_FILE => {
            // SAFETY: by contract.
            let (path, mime) = unsafe { (text_within(info, engine)?, optional_text(info)?) };
            if path.contains('\0') {
                return Err(invalid("the path has a zero byte in it"));
            }
            Payload::File(Arc::new(File { path: path.into(), mime }))
        }
        RMEDIA_KIND_RECORD => {
            return Err(Error::new(detail::FORMAT_KIND, "records are made by nodes only")
                .with_hint("push a json packet"));
        }
        _ => {
            let size = size(info)?;
            check_memory(size, engine)?;
            let mut buffer = engine.pool().try_buffer(size)?;
            if !info.data.is_null() {
                // SAFETY: by contract.
                unsafe { copy(info, &mut buffer) };
            }
            // SAFETY: by contract.
            return unsafe { over(info, buffer) };
        }
    };
    Ok(timed(info, payload))
}

/// Refuses what would pass the engine's memory limit.
pub(crate) fn check_memory(size: usize, engine: &Engine) -> Result<()> {
    let limit = engine.memory_limit();
    if engine.pool().live_bytes().saturating_add(size as u64) <= limit {
        return Ok(());
    }
    let message =
        format!("a packet of {size} bytes would pass the engine's memory limit of {limit} bytes");
    Err(Error::new(detail::LIMIT_MEMORY, message)
        .with_hint("release packets, or raise the engine's memory limit"))
}

/// Copies the caller's payload; planes may lie apart there, and follow each other here.
///
/// # Safety
/// `info.data` has what `info` says; the buffer is as large as `size(info)`.
unsafe fn copy(info: &rmedia_packet_info_t, buffer: &mut Buffer) {
    let from = info.data.cast::<u8>();
    let Some(to) = buffer.as_mut_slice() else { return };
    let planes = if is_planar(info) { info.channels as usize } else { 1 };
    let plane = to.len() / planes.max(1);
    let stride = if is_planar(info) && info.stride != 0 { info.stride } else { plane };
    for n in 0..planes.max(1) {
        // SAFETY: by contract each plane lies at its stride; the target was sized for all planes.
        unsafe {
            from.add(n * stride).copy_to_nonoverlapping(to.as_mut_ptr().add(n * plane), plane);
        }
    }
}

fn is_planar(info: &rmedia_packet_info_t) -> bool {
    info.kind == RMEDIA_KIND_AUDIO && info.flags & RMEDIA_PACKET_PLANAR != 0
}

/// Bytes that the payload has, by its format where it has one.
fn size(info: &rmedia_packet_info_t) -> Result<usize> {
    let by_format = match info.kind {
        RMEDIA_KIND_AUDIO => info.frames.checked_mul(audio_format(info)?.frame_bytes()),
        RMEDIA_KIND_VIDEO => {
            let sides = 1..=Video::MAX_SIDE;
            if !sides.contains(&info.width) || !sides.contains(&info.height) {
                let (width, height, most) = (info.width, info.height, Video::MAX_SIDE);
                let message =
                    format!("a picture of {width}×{height} is not between 1 and {most} a side");
                return Err(Error::new(detail::FORMAT_PAYLOAD, message));
            }
            Some(pixels(info)?.frame_bytes(info.width, info.height))
        }
        RMEDIA_KIND_TENSOR => {
            // SAFETY: `shape` checks for null, and has `rank` sizes by the contract of the call.
            let (shape, bytes) = (unsafe { shape(info) }?, dtype(info)?.bytes());
            let elements = shape.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
            elements.and_then(|n| n.checked_mul(bytes))
        }
        RMEDIA_KIND_BYTES | RMEDIA_KIND_ENCODED => Some(info.size),
        kind => return Err(invalid(format!("{kind} is no kind of packet that can be made so"))),
    };
    let need = by_format.filter(|n| *n <= isize::MAX as usize).ok_or_else(|| {
        Error::new(detail::FORMAT_PAYLOAD, "the payload is larger than memory can be")
    })?;
    let strides = info.stride.checked_mul(info.channels as usize);
    if is_planar(info) && strides.is_none_or(|n| n > isize::MAX as usize) {
        return Err(invalid("the planes lie further apart than memory is large"));
    }
    if info.size != 0 && info.size != need && (info.stride == 0 || !is_planar(info)) {
        let message =
            format!("the payload has {} bytes where its format asks for {need}", info.size);
        return Err(Error::new(detail::FORMAT_PAYLOAD, message));
    }
    Ok(need)
}

/// Bytes of memory that is to be wrapped.
pub(super) fn wrapped_size(info: &rmedia_packet_info_t) -> Result<usize> {
    check_flags(info.flags, FLAGS)?;
    if matches!(info.kind, RMEDIA_KIND_TEXT | RMEDIA_KIND_JSON | RMEDIA_KIND_FILE) {
        let message = "text, json and file packets can't be wrapped";
        return Err(Error::new(detail::UNSUPPORTED_FEATURE, message)
            .with_hint("rmedia_packet_create copies them"));
    }
    let size = size(info)?;
    let planes = info.channels.max(1) as usize;
    if is_planar(info) && info.stride != 0 && info.stride != size / planes {
        let message = "planes that don't follow each other can't be wrapped";
        return Err(Error::new(detail::UNSUPPORTED_FEATURE, message)
            .with_hint("rmedia_packet_create copies them"));
    }
    Ok(size)
}

/// Makes sure that `over` will not fail on that memory.
pub(super) fn check_wrapped(info: &rmedia_packet_info_t, data: NonNull<u8>) -> Result<()> {
    if info.kind == RMEDIA_KIND_AUDIO {
        let align = audio_format(info)?.sample.align();
        if data.as_ptr().align_offset(align) != 0 {
            let message = format!("the samples must lie on a multiple of {align} bytes");
            return Err(Error::new(detail::FORMAT_PAYLOAD, message));
        }
    }
    if info.kind == RMEDIA_KIND_ENCODED {
        // SAFETY: the codec is null or a text, by the contract of the call.
        unsafe { codec(info) }?;
    }
    Ok(())
}

/// A packet over a buffer of the right size.
///
/// # Safety
/// The pointers in `info` are null or good for what it says.
pub(super) unsafe fn over(info: &rmedia_packet_info_t, buffer: Buffer) -> Result<Packet> {
    let payload = match info.kind {
        RMEDIA_KIND_AUDIO => Payload::Audio(Audio::new(audio_format(info)?, buffer)?),
        RMEDIA_KIND_VIDEO => {
            let video = Video::new(pixels(info)?, info.width, info.height, buffer)?;
            Payload::Video(Arc::new(video))
        }
        RMEDIA_KIND_TENSOR => {
            // SAFETY: by contract.
            let shape = unsafe { shape(info) }?.to_vec();
            Payload::Tensor(Arc::new(Tensor::new(dtype(info)?, shape, buffer)?))
        }
        RMEDIA_KIND_ENCODED => {
            let dts = info.flags & RMEDIA_PACKET_DTS != 0;
            Payload::Encoded(Arc::new(Encoded {
                // SAFETY: by contract.
                codec: unsafe { codec(info) }?.to_owned(),
                key: info.flags & RMEDIA_PACKET_KEY != 0,
                dts: dts.then(|| MediaTime::from_nanos(info.dts_ns)),
                config: None,
                buffer,
            }))
        }
        _ => Payload::Bytes(buffer),
    };
    Ok(timed(info, payload))
}

fn timed(info: &rmedia_packet_info_t, payload: Payload) -> Packet {
    let mut packet = Packet::new(payload);
    if info.flags & RMEDIA_PACKET_PTS != 0 {
        packet.set_pts(Some(MediaTime::from_nanos(info.pts_ns)));
    }
    packet.set_discont(info.flags & RMEDIA_PACKET_DISCONT != 0);
    packet
}

fn audio_format(info: &rmedia_packet_info_t) -> Result<AudioFormat> {
    let sample = SampleFormat::ALL.get(info.format as usize).copied();
    let sample = sample.ok_or_else(|| invalid(format!("{} is no sample format", info.format)))?;
    let channels = u16::try_from(info.channels).unwrap_or(u16::MAX);
    let layout = match info.layout {
        0 => Layout::default_for(channels),
        mask => Layout(mask),
    };
    let planar = info.flags & RMEDIA_PACKET_PLANAR != 0;
    let format = AudioFormat { rate: info.rate, channels, sample, planar, layout };
    format.check()?;
    Ok(format)
}

fn pixels(info: &rmedia_packet_info_t) -> Result<PixelFormat> {
    let format = PIXELS.get(info.format as usize).copied();
    format.ok_or_else(|| invalid(format!("{} is no pixel format", info.format)))
}

fn dtype(info: &rmedia_packet_info_t) -> Result<DType> {
    let dtype = DTYPES.get(info.format as usize).copied();
    dtype.ok_or_else(|| invalid(format!("{} is no element type", info.format)))
}

/// # Safety
/// `info.shape` is null or has `info.rank` sizes.
unsafe fn shape(info: &rmedia_packet_info_t) -> Result<&[usize]> {
    let rank = info.rank as usize;
    if rank > Tensor::MAX_RANK {
        return Err(invalid(format!("{rank} dimensions are more than {}", Tensor::MAX_RANK)));
    }
    if rank == 0 {
        return Ok(&[]);
    }
    if info.shape.is_null() {
        return Err(null("info->shape"));
    }
    // SAFETY: by contract.
    Ok(unsafe { slice::from_raw_parts(info.shape, rank) })
}

/// # Safety
/// `info.codec` is null or a text that ends with a zero byte.
unsafe fn codec(info: &rmedia_packet_info_t) -> Result<&str> {
    // SAFETY: by contract.
    unsafe { text(info.codec, "info->codec") }
}

/// # Safety
/// As for `codec`.
unsafe fn optional_text(info: &rmedia_packet_info_t) -> Result<Option<String>> {
    if info.codec.is_null() {
        return Ok(None);
    }
    // SAFETY: by contract.
    unsafe { codec(info) }.map(|text| Some(text.to_owned()))
}

/// The payload of a text, json or file packet, if the engine's memory takes it.
///
/// # Safety
/// As for `string`.
unsafe fn text_within<'a>(info: &'a rmedia_packet_info_t, engine: &Engine) -> Result<&'a str> {
    // SAFETY: by contract.
    let text = unsafe { string(info) }?;
    check_memory(text.len(), engine)?;
    Ok(text)
}

/// The payload of a text, json or file packet.
///
/// # Safety
/// `info.data` has `info.size` bytes, or ends with a zero byte.
unsafe fn string(info: &rmedia_packet_info_t) -> Result<&str> {
    if info.data.is_null() {
        return if info.size == 0 { Ok("") } else { Err(null("info->data")) };
    }
    let bytes = match info.size {
        // SAFETY: by contract.
        RMEDIA_NUL_TERMINATED => unsafe { CStr::from_ptr(info.data.cast()) }.to_bytes(),
        size if size > isize::MAX as usize => {
            return Err(invalid("the text is larger than memory can be"));
        }
        // SAFETY: by contract.
        size => unsafe { slice::from_raw_parts(info.data.cast::<u8>(), size) },
    };
    utf8(bytes, "info->data")
}

/// The memory of a packet whose kind has some.
pub(super) fn buffer(packet: &Packet) -> Option<&Buffer> {
    match packet.payload() {
        Payload::Audio(audio) => Some(audio.buffer()),
        Payload::Video(video) => Some(&video.buffer),
        Payload::Encoded(encoded) => Some(&encoded.buffer),
        Payload::Tensor(tensor) => Some(&tensor.buffer),
        Payload::Bytes(buffer) => Some(buffer),
        _ => None,
    }
}

/// Whether nothing else refers to the packet's payload: several packets may share not only memory,
/// but what lies around it.
pub(super) fn is_alone(packet: &Packet) -> bool {
    fn alone<T>(arc: &Arc<T>) -> bool {
        let alone = Arc::strong_count(arc) == 1 && Arc::weak_count(arc) == 0;
        // What the others did before they went has happened before we write.
        fence(Ordering::Acquire);
        alone
    }
    match packet.payload() {
        Payload::Video(video) => alone(video),
        Payload::Encoded(encoded) => alone(encoded),
        Payload::Tensor(tensor) => alone(tensor),
        _ => true,
    }
}

/// What there is to see of a packet.
pub(super) fn view(packet: &Packet) -> rmedia_packet_info_t {
    let mut info = empty(packet.kind() as u32 + 1);
    if let Some(pts) = packet.pts() {
        info.flags |= RMEDIA_PACKET_PTS;
        info.pts_ns = pts.nanos();
    }
    if packet.is_discont() {
        info.flags |= RMEDIA_PACKET_DISCONT;
    }
    if let Some(bytes) = buffer(packet).map(Buffer::as_slice) {
        (info.data, info.size) = (bytes.as_ptr().cast(), bytes.len());
    }
    match packet.payload() {
        Payload::Audio(audio) => {
            let format = audio.format();
            info.format = format.sample as u32;
            (info.rate, info.channels) = (format.rate, u32::from(format.channels));
            info.layout = format.layout.0;
            info.frames = audio.frames();
            info.duration_ns = audio.duration().nanos();
            if format.planar {
                info.flags |= RMEDIA_PACKET_PLANAR;
                info.stride = match audio.planes() {
                    0 | 1 => info.size,
                    _ => audio.plane(1).as_ptr().addr() - audio.plane(0).as_ptr().addr(),
                };
            }
        }
        Payload::Video(video) => {
            let index = PIXELS.iter().position(|p| *p == video.format);
            info.format = index.unwrap_or(usize::MAX) as u32;
            (info.width, info.height) = (video.width, video.height);
        }
        Payload::Encoded(encoded) => {
            if encoded.key {
                info.flags |= RMEDIA_PACKET_KEY;
            }
            if let Some(dts) = encoded.dts {
                info.flags |= RMEDIA_PACKET_DTS;
                info.dts_ns = dts.nanos();
            }
        }
        Payload::Tensor(tensor) => {
            let index = DTYPES.iter().position(|d| *d == tensor.dtype);
            info.format = index.unwrap_or(usize::MAX) as u32;
            (info.shape, info.rank) = (tensor.shape.as_ptr(), tensor.shape.len() as u32);
        }
        Payload::Text(text) => (info.data, info.size) = (text.as_ptr().cast(), text.len()),
        Payload::File(file) => {
            let path = file.path.as_os_str().as_encoded_bytes();
            (info.data, info.size) = (path.as_ptr().cast(), path.len());
        }
        _ => {}
    }
    info
}

/// An info of that kind with nothing in it.
pub(super) fn empty(kind: u32) -> rmedia_packet_info_t {
    rmedia_packet_info_t {
        struct_size: size_of::<rmedia_packet_info_t>() as u32,
        kind,
        flags: 0,
        format: 0,
        pts_ns: 0,
        dts_ns: 0,
        duration_ns: 0,
        rate: 0,
        channels: 0,
        layout: 0,
        rank: 0,
        width: 0,
        height: 0,
        frames: 0,
        stride: 0,
        shape: ptr::null(),
        codec: ptr::null(),
        data: ptr::null(),
        size: 0,
        engine: rmedia_engine_t { id: 0 },
    }
}
