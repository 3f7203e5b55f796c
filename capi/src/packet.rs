//! Packets: made, wrapped, shared, looked into.

mod describe;

pub(crate) use describe::check_memory;

use crate::abi::{
    RMEDIA_OK, RMEDIA_RELEASE_DEFERRED, RMEDIA_RELEASE_DIRECT, rmedia_error_t,
    rmedia_packet_info_t, rmedia_packet_t, rmedia_release_fn, rmedia_string_t,
};
use crate::boundary::{bad_handle, call, call_with, invalid, out, released, too_many};
use crate::engine;
use crate::handle::{Object, Table};
use crate::release::Release;
use crate::{sized, string};
use remotemedia::error::{Error, Result, detail};
use remotemedia::packet::Buffer;
use remotemedia::{Packet, Payload};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

impl Object for Packet {
    const KIND: u8 = 3;
}

pub(crate) static PACKETS: Table<Packet> = Table::new();

/// A handle for a packet.
pub(crate) fn handle(packet: Packet) -> Result<rmedia_packet_t> {
    let id = PACKETS.insert(packet).map_err(|_| too_many("packet"))?;
    Ok(rmedia_packet_t { id })
}

/// Makes a packet in the engine's memory. What `info` says about format and size is checked;
/// content is copied from `info->data` (planes from `stride` apart). With NULL there, audio, video,
/// tensors and bytes are made without content, to be written through rmedia_packet_data.
///
/// Ownership: the caller gets the packet.
/// Thread: any. Blocks: no. Real-time: yes for audio and bytes from warm memory. Since: 0.1.
/// Errors: FORMAT for a format out of range or a size that does not fit it; LIMIT above the
/// engine's memory limit.
///
/// # Safety
/// Pointers are NULL or good for their type; `info->data` has `info->size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_packet_create(
    info: *const rmedia_packet_info_t,
    packet: *mut rmedia_packet_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let packet = out(packet, "packet")?;
            packet.id = 0;
            let info = sized::read(info, "info")?;
            let entry = engine::find(info.engine)?;
            *packet = handle(describe::create(&info, &entry.engine)?)?;
            Ok(RMEDIA_OK)
        })
    }
}

/// Makes a packet over memory of the program, without a copy. The memory must stay as it is until
/// `release` is called with `user`: exactly once after a success, when nothing refers to it any
/// more, on any thread (RMEDIA_RELEASE_DIRECT) or in rmedia_engine_run_releases (RMEDIA_RELEASE_DEFERRED);
/// never after a failure. `release` must not block, nor take a lock that
/// the program holds while it calls this library; inside it calls that wait are refused. Memory
/// that is still held when the process exits is not released.
///
/// Ownership: the caller gets the packet.
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: INVALID_ARGUMENT for NULL data or an unknown mode; FORMAT for a size or alignment that does not
/// fit the format; UNSUPPORTED for planes that do not follow each other, and for text, json and
/// file packets.
///
/// # Safety
/// Pointers are NULL or good for their type; `info->data` has `info->size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_packet_wrap(
    info: *const rmedia_packet_info_t,
    mode: u32,
    release: rmedia_release_fn,
    user: *mut c_void,
    packet: *mut rmedia_packet_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let packet = out(packet, "packet")?;
            packet.id = 0;
            let info = sized::read(info, "info")?;
            if mode > RMEDIA_RELEASE_DEFERRED {
                return Err(invalid(format!("{mode} is no release mode")));
            }
            let entry = engine::find(info.engine)?;
            let size = describe::wrapped_size(&info)?;
            let Some(data) = NonNull::new(info.data.cast_mut().cast::<u8>()) else {
                return Err(crate::boundary::null("info->data"));
            };
            describe::check_wrapped(&info, data)?;
            // Everything that can fail comes first: from here on the memory is taken.
            let place = PACKETS.reserve().ok_or_else(|| too_many("packet"))?;
            let release = Release::new(release, user);
            let buffer = if mode == RMEDIA_RELEASE_DIRECT {
                Buffer::wrap(data, size, move || drop(release))
            } else {
                let releases = entry.releases.clone();
                releases.expect();
                Buffer::wrap(data, size, move || releases.settle(Some(release)))
            };
            packet.id = place.fill(describe::over(&info, buffer)?);
            Ok(RMEDIA_OK)
        })
    }
}

/// Gives another handle to the same packet, without a copy. Each of them has one owner, and is
/// released once.
///
/// Ownership: the caller gets the new handle.
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
///
/// # Safety
/// `shared` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_packet_share(
    packet: rmedia_packet_t,
    shared: *mut rmedia_packet_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        let shared = unsafe { out(shared, "shared") }?;
        shared.id = 0;
        let pinned = PACKETS.pin(packet.id).ok_or_else(|| bad_handle("packet"))?;
        *shared = handle(Packet::clone(&pinned))?;
        Ok(RMEDIA_OK)
    })
}

/// Lets go of a packet. {0} is fine. When nothing refers to its memory any more, it goes back where
/// it came from, which for wrapped memory in direct mode calls the program's function here.
///
/// Thread: any. Blocks: no. Real-time: yes for audio and bytes in the engine's memory. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_packet_release(packet: rmedia_packet_t) -> i32 {
    released(packet.id, |id| PACKETS.release(id))
}

/// Looks into a packet. What `info` points to lives as long as the handle.
///
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
///
/// # Safety
/// `info` is NULL or points to as many bytes as its struct_size says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_packet_view(
    packet: rmedia_packet_t,
    info: *mut rmedia_packet_info_t,
) -> i32 {
    call(|| {
        let pinned = PACKETS.pin(packet.id).ok_or_else(|| bad_handle("packet"))?;
        // SAFETY: by contract.
        unsafe { sized::write(info, "info", &describe::view(&pinned)) }?;
        Ok(RMEDIA_OK)
    })
}

/// Gives the payload for writing, while nothing else refers to its memory and that is the engine's.
/// Write before it is pushed or shared; one thread at a time.
///
/// Thread: one at a time. Blocks: no. Real-time: yes. Since: 0.1.
/// Errors: STATE when the memory is shared or the program's; FORMAT for kinds without such memory.
///
/// # Safety
/// `data` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_packet_data(
    packet: rmedia_packet_t,
    data: *mut *mut c_void,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        let data = unsafe { out(data, "data") }?;
        *data = ptr::null_mut();
        let pinned = PACKETS.pin(packet.id).ok_or_else(|| bad_handle("packet"))?;
        let Some(buffer) = describe::buffer(&pinned) else {
            return Err(Error::new(detail::FORMAT_KIND, "the packet has no memory to write"));
        };
        let shared = || Error::new(detail::HANDLE_SHARED, "the packet's memory can't be written");
        if !describe::is_alone(&pinned) {
            return Err(shared());
        }
        *data = buffer.as_mut_ptr().ok_or_else(shared)?.as_ptr().cast();
        Ok(RMEDIA_OK)
    })
}

/// Makes a packet of a part of an audio packet, without a copy: `frames` frames from the frame
/// `first` on, with its time.
///
/// Ownership: the caller gets the new packet and keeps the old one.
/// Thread: any. Blocks: no. Real-time: yes. Since: 0.1.
/// Errors: FORMAT for other kinds; INVALID_ARGUMENT for a part that is not inside.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_packet_slice(
    packet: rmedia_packet_t,
    first: usize,
    frames: usize,
    part: *mut rmedia_packet_t,
    error: *mut rmedia_error_t,
) -> i32 {
    // SAFETY: by contract.
    unsafe {
        call_with(error, || {
            let part = out(part, "part")?;
            part.id = 0;
            let pinned = PACKETS.pin(packet.id).ok_or_else(|| bad_handle("packet"))?;
            *part = handle(slice(&pinned, first, frames)?)?;
            Ok(RMEDIA_OK)
        })
    }
}

fn slice(packet: &Packet, first: usize, frames: usize) -> Result<Packet> {
    let Payload::Audio(audio) = packet.payload() else {
        let message = format!("only audio can be sliced, not {}", packet.kind());
        return Err(Error::new(detail::FORMAT_KIND, message));
    };
    let end = first.checked_add(frames).filter(|end| *end <= audio.frames()).ok_or_else(|| {
        let length = audio.frames();
        invalid(format!("{frames} frames from {first} on are not within {length} frames"))
    })?;
    let rate = audio.format().rate;
    let mut part = Packet::audio(audio.slice(first..end));
    let begin = remotemedia::MediaTime::from_frames(first as i64, rate);
    part.set_pts(packet.pts().map(|pts| pts + begin));
    part.set_discont(packet.is_discont() && first == 0);
    Ok(part)
}

/// Gives the value of a json packet, or the fields of a record packet, as JSON text.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: FORMAT for other kinds.
///
/// # Safety
/// `json` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_packet_json(
    packet: rmedia_packet_t,
    json: *mut rmedia_string_t,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        unsafe { string::empty(json) }?;
        let pinned = PACKETS.pin(packet.id).ok_or_else(|| bad_handle("packet"))?;
        let text = match pinned.payload() {
            Payload::Json(value) => value.to_string(),
            Payload::Record(record) => record.to_json().to_string(),
            _ => {
                let message = format!("a {} packet holds no JSON", pinned.kind());
                return Err(Error::new(detail::FORMAT_KIND, message));
            }
        };
        // SAFETY: by contract.
        unsafe { string::give(json, text) }
    })
}
