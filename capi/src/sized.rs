//! Structs with a `struct_size`, read and written so that old and new callers and libraries fit.
//!
//! Reading: a caller whose struct is shorter gets zeros for the rest; one whose struct is longer is
//! fine as long as the part that this library doesn't know is zero. Writing: as much as the
//! caller's struct holds.

use crate::abi::{
    rmedia_engine_options_t, rmedia_job_info_t, rmedia_node_type_t, rmedia_packet_info_t,
    rmedia_pipeline_options_t,
};
use crate::boundary::null;
use remotemedia::error::{Error, Result, detail};
use std::mem::MaybeUninit;

/// No struct will ever be larger.
const MAX: usize = 4096;

/// A struct of the header that begins with its size.
///
/// # Safety
/// `repr(C)`, without padding, first member `struct_size: u32`, and all-zero bytes are a value.
pub(crate) unsafe trait Sized_: Copy {
    /// Size in the first version that had it.
    const FIRST: usize;
    /// Its name in the header.
    const NAME: &'static str;
}

macro_rules! sized {
    ($($name:ident: $first:expr),* $(,)?) => {$(
        // SAFETY: plain data from `abi`, laid out without padding (tested below); integers, null
        // pointers and absent functions are all zero bits.
        unsafe impl Sized_ for $name {
            const FIRST: usize = $first;
            const NAME: &'static str = stringify!($name);
        }
    )*};
}

sized! {
    rmedia_engine_options_t: size_of::<Self>(),
    rmedia_pipeline_options_t: size_of::<Self>(),
    rmedia_packet_info_t: size_of::<Self>(),
    rmedia_node_type_t: size_of::<Self>(),
    rmedia_job_info_t: size_of::<Self>(),
}

fn wrong_size<T: Sized_>(size: usize) -> Error {
    let name = T::NAME;
    let message = format!("{name} has {} bytes or more, its struct_size says {size}", T::FIRST);
    let init = name.trim_end_matches("_t").to_uppercase();
    Error::new(detail::ARGUMENT_STRUCT_SIZE, message).with_hint(format!("begin with {init}_INIT"))
}

/// The size that the caller's struct says it has.
///
/// # Safety
/// `from` points to at least four readable bytes.
unsafe fn size_of_callers<T: Sized_>(from: *const T) -> Result<usize> {
    // SAFETY: by contract; alignment is not relied on.
    let size = unsafe { from.cast::<u32>().read_unaligned() } as usize;
    if (T::FIRST..=MAX).contains(&size) { Ok(size) } else { Err(wrong_size::<T>(size)) }
}

/// Reads a struct.
///
/// # Safety
/// `from` is null or points to as many readable bytes as its first member says, at least four.
pub(crate) unsafe fn read<T: Sized_>(from: *const T, name: &str) -> Result<T> {
    if from.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null; the rest by contract.
    let size = unsafe { size_of_callers(from) }?;
    let known = size_of::<T>();
    for offset in known..size {
        // SAFETY: below the size that the caller vouches for.
        if unsafe { from.cast::<u8>().add(offset).read() } != 0 {
            let message = format!(
                "{} is used from byte {offset} on, where this version of librmedia knows nothing",
                T::NAME
            );
            return Err(Error::new(detail::UNSUPPORTED_FIELD, message)
                .with_hint("use a newer librmedia, or leave the new members zero"));
        }
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both ranges hold that many bytes, and `T` is plain data for which zeros are a value.
    Ok(unsafe {
        let bytes = value.as_mut_ptr().cast::<u8>();
        from.cast::<u8>().copy_to_nonoverlapping(bytes, size.min(known));
        value.assume_init()
    })
}

/// Writes a struct into the caller's, whose `struct_size` says how much it holds and stays.
///
/// # Safety
/// `to` is null or points to as many writable bytes as its first member says, at least four.
pub(crate) unsafe fn write<T: Sized_>(to: *mut T, name: &str, value: &T) -> Result<()> {
    if to.is_null() {
        return Err(null(name));
    }
    // SAFETY: not null; the rest by contract. The first member is left as it is.
    unsafe {
        let size = size_of_callers(to)?;
        if size == size_of::<T>() {
            // The usual case, in one piece; the value's own first member says the same.
            to.write_unaligned(*value);
            return Ok(());
        }
        let known = size_of::<T>().min(size);
        let from = std::ptr::from_ref(value).cast::<u8>();
        from.add(4).copy_to_nonoverlapping(to.cast::<u8>().add(4), known - 4);
        to.cast::<u8>().add(known).write_bytes(0, size - known);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::rmedia_engine_t;

    /// The options as a newer header may have them.
    #[repr(C)]
    struct Newer {
        options: rmedia_pipeline_options_t,
        more: u64,
    }

    fn options(struct_size: u32, more: u64) -> Newer {
        let engine = rmedia_engine_t { id: 7 };
        Newer { options: rmedia_pipeline_options_t { struct_size, flags: 1, engine }, more }
    }

    fn outcome(struct_size: u32, more: u64) -> Result<u64, &'static str> {
        let newer = options(struct_size, more);
        // SAFETY: `Newer` is as large as any of the sizes that are read.
        unsafe { read(&newer.options, "options") }.map(|o| o.engine.id).map_err(|e| e.detail().id)
    }

    #[test]
    fn a_struct_is_read_by_its_size() {
        let size = size_of::<rmedia_pipeline_options_t>() as u32;
        assert_eq!(outcome(0, 0), Err("argument.struct_size"));
        assert_eq!(outcome(size - 1, 0), Err("argument.struct_size"));
        assert_eq!(outcome(size, 5), Ok(7));
        assert_eq!(outcome(size + 8, 0), Ok(7));
        assert_eq!(outcome(size + 8, 5), Err("unsupported.field"));
        assert_eq!(outcome(1 << 31, 0), Err("argument.struct_size"));
    }

    #[test]
    fn a_larger_struct_of_the_caller_is_filled_up_with_zeros() {
        let mut newer = options(24, 5);
        let value = options(16, 0).options;
        // SAFETY: `Newer` has the 24 bytes.
        unsafe { write(&mut newer.options, "options", &value) }.expect("it fits");
        assert_eq!((newer.options.struct_size, newer.options.engine.id, newer.more), (24, 7, 0));
    }
}
