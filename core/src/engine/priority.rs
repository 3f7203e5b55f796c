//! Real-time priority for the thread of the real-time lane, where the system permits it.

/// Raises the calling thread to the lowest real-time priority (`SCHED_FIFO`), so that it comes before
/// everything that is not real time.
///
/// # Errors
/// Why the system does not permit it.
#[cfg(target_os = "linux")]
pub(super) fn raise() -> std::io::Result<()> {
    // SAFETY: both calls take numbers and a pointer to a parameter that lives through the call; the
    // handle is that of the calling thread.
    let status = unsafe {
        let param =
            libc::sched_param { sched_priority: libc::sched_get_priority_min(libc::SCHED_FIFO) };
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_FIFO, &param)
    };
    match status {
        0 => Ok(()),
        error => Err(std::io::Error::from_raw_os_error(error)),
    }
}

/// As on Linux; not done here.
#[cfg(not(target_os = "linux"))]
pub(super) fn raise() -> std::io::Result<()> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "not supported on this system"))
}
