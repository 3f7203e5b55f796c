//! Safe Rust over librmedia, the C library: what the extensions for Python and Node.js stand on.
//!
//! Whoever writes a Rust program takes the crate `remotemedia`. This one is for bindings: it calls
//! the functions of `rmedia.h` and nothing else, so no binding can do what the header can't.
//!
//! ```
//! use remotemedia_binding::{Pipeline, Pulled, Timeout};
//!
//! let manifest = r#"{"version": "v1", "nodes": [{"id": "half", "node_type": "Gain",
//!     "params": {"gain_db": -6.0}}]}"#;
//! let pipeline = Pipeline::from_text(manifest)?;
//! pipeline.push_f32(None, &[0.5; 960], 48_000, 1)?;
//! let Pulled::Packet { packet, .. } = pipeline.pull(None, Timeout::TRY)? else { panic!("nothing") };
//! assert_eq!(packet.view()?.frames(), 960);
//! # Ok::<(), remotemedia_binding::Error>(())
//! ```

mod engine;
mod error;
mod job;
mod packet;
mod pipeline;
mod wakeup;

pub use engine::{Engine, Releases, live};
pub use error::{Error, Result, Status};
pub use job::{Job, JobKind};
pub use packet::{DType, Info, Kind, MAX_RANK, Packet, PixelFormat, SampleFormat, View};
pub use pipeline::{Closed, Idle, Options, Pipeline, Pulled, Pushed, State, Timeout};
pub use wakeup::Wakeup;

/// What the functions of the header are; for a binding that hands out its own function table.
pub use rmedia_capi as capi;

use std::ffi::CString;

/// A text for C.
fn c_string(text: &str, name: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::argument(format!("'{name}' has a zero byte in it")))
}
