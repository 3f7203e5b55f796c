//! librmedia: the C library of the RemoteMedia SDK.
//!
//! The only crate with exported C symbols. `include/rmedia.h` is generated from it; every other
//! binding stands on it. The functions are thin: they check what C hands in and call the SDK.
//!
//! | file | idea |
//! |---|---|
//! | `abi` | types and constants of the header |
//! | `handle` | handles: numbers that stand for objects |
//! | `boundary` | what every call goes through: fork, panic, error |
//! | `sized` | structs that grow |
//! | `library`, `error`, `string` | version, errors, texts |
//! | `engine`, `release` | engines; giving wrapped memory back |
//! | `packet` | packets |
//! | `pipeline`, `ports`, `flow`, `control` | pipelines: made; their ports; in and out; the rest |
//! | `wake`, `ready` | telling an event loop; one list of an engine's pipelines that have something to do |
//! | `node`, `host`, `job` | nodes that the program brings: by function, by queue; their jobs |

pub mod abi;
mod boundary;
pub mod control;
pub mod engine;
pub mod error;
pub mod flow;
mod handle;
pub mod host;
pub mod job;
pub mod library;
pub mod node;
pub mod packet;
pub mod pipeline;
pub mod ports;
pub mod ready;
mod release;
mod sized;
pub mod status;
pub mod string;
#[cfg(debug_assertions)]
pub mod testing;
mod wake;
