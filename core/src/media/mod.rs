//! Media files: decoding audio from them and writing packets to them.
//!
//! | module | what it does |
//! |---|---|
//! | [`decode`] | any audio file → packets, sample-exact |
//! | [`encode`] | packets → a file that appears only when it is whole |
//! | [`wav`] | the WAV container, both ways |
//! | [`flac`] | the FLAC container, writing |
//! | [`convert`] | sample formats at the border between memory and files |

mod coded;
pub mod convert;
pub mod decode;
pub mod encode;
pub mod flac;
mod gapless;
pub mod wav;

pub use decode::AudioDecoder;
pub use encode::{Container, Writer, WriterFormat, WriterOptions};

/// Path of one of the real recordings.
#[cfg(test)]
pub(crate) fn recording(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../media").join(name)
}

/// Helpers of the tests that write files.
#[cfg(test)]
pub(crate) mod testing {
    use crate::packet::{Audio, AudioFormat, Pool};
    use std::path::{Path, PathBuf};

    /// A folder of one test, removed when the test has passed.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new(name: &str) -> Self {
            let name = format!("remotemedia-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).expect("a folder for the test");
            Self(path)
        }

        pub(crate) fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        pub(crate) fn files(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).expect("the test's folder");
            let name = |e: std::io::Result<std::fs::DirEntry>| e.expect("an entry").file_name();
            entries.map(|e| name(e).into_string().expect("a plain name")).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                let _ = std::fs::remove_dir_all(&self.0);
            }
        }
    }

    /// Everything in a file, as f32.
    pub(crate) fn decode(path: &Path) -> (AudioFormat, Vec<f32>) {
        let mut decoder = super::AudioDecoder::open(path).expect("opens");
        let (format, pool, mut out) = (decoder.format(), Pool::new(), Vec::new());
        while let Some(packet) = decoder.next(&pool).expect("decodes") {
            out.extend(packet.as_audio().and_then(Audio::f32).expect("interleaved f32"));
        }
        (format, out)
    }
}
