//! What the host does for the driver: it holds the case's files, and takes what comes out.

use std::io;

#[link(wasm_import_module = "case")]
unsafe extern "C" {
    /// Looks for a file. Its size, or -1.
    fn find(name: *const u8, name_len: usize) -> isize;
    /// Copies the file that was found last.
    fn copy(to: *mut u8);
    fn append(name: *const u8, name_len: usize, raw: *const u8, raw_len: usize);
    #[link_name = "tell"]
    fn tell_text(text: *const u8, len: usize);
    #[link_name = "fail"]
    fn fail_with(text: *const u8, len: usize);
}

/// The case that the host holds.
pub(crate) struct Case;

impl conformance_shared::Case for Case {
    fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        // SAFETY: the host reads so many bytes from there.
        let size = unsafe { find(file.as_ptr(), file.len()) };
        let Ok(size) = usize::try_from(size) else {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{file}: not in the case"),
            ));
        };
        let mut bytes = vec![0; size];
        // SAFETY: the host writes the file's bytes there, and `find` has said how many they are.
        unsafe { copy(bytes.as_mut_ptr()) };
        Ok(bytes)
    }

    fn append(&self, output: &str, raw: &[u8]) -> io::Result<()> {
        // SAFETY: the host reads so many bytes from there and there.
        unsafe { append(output.as_ptr(), output.len(), raw.as_ptr(), raw.len()) };
        Ok(())
    }
}

/// Tells what came of it.
pub(crate) fn tell(line: &str) {
    // SAFETY: the host reads so many bytes from there.
    unsafe { tell_text(line.as_ptr(), line.len()) }
}

/// Says that the driver is broken.
pub(crate) fn fail(why: &str) {
    // SAFETY: the host reads so many bytes from there.
    unsafe { fail_with(why.as_ptr(), why.len()) }
}
