//! Any sequence of calls of the C API, with handles that are live, stale, of another kind, zero or
//! made up: none may crash, hang or leave a handle that can't be released.

use rmedia_capi::abi::*;
use rmedia_capi::{
    control, engine, error, flow, host, job, library, packet, pipeline, ready, string,
};
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

const MANIFESTS: [&CStr; 5] = [
    c"{\"version\": \"v1\", \"nodes\": [{\"id\": \"n\", \"node_type\": \"Gain\"}]}",
    c"version: v1\nnodes: [{id: n, node_type: AudioResample, params: {target_rate: 16000}}]\n",
    c"version: v1\nnodes: [{id: n, node_type: app/Host}]\n",
    c"{\"version\": \"v1\", \"nodes\": [{\"id\": \"n\", \"node_type\": \"MultiplyNode\"}]}",
    c"{\"version\": \"v1\"",
];

const HOST: &CStr = c"{\"name\": \"app/Host\", \"max_in_flight\": 2,
    \"inputs\": [{\"name\": \"in\"}], \"outputs\": [{\"name\": \"out\", \"like_input\": true}]}";

/// The most calls of one sequence.
const MOST: usize = 400;

struct Player<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// Every handle that was ever given, live or not.
    handles: Vec<u64>,
    error: rmedia_error_t,
    string: rmedia_string_t,
}

/// Plays the sequence that the bytes stand for.
pub fn calls(data: &[u8]) {
    let mut player = Player {
        bytes: data.iter(),
        handles: vec![0, 1, u64::MAX, 0x3000_0000_0000_0001],
        error: rmedia_error_t::default(),
        string: rmedia_string_t::default(),
    };
    for _ in 0..MOST {
        let Some(call) = player.byte() else { break };
        // SAFETY: every pointer that is handed in is null, or points to what it should.
        unsafe { player.call(call) };
        player.keep();
    }
    player.release_all();
}

impl Player<'_> {
    fn byte(&mut self) -> Option<u8> {
        self.bytes.next().copied()
    }

    fn number(&mut self) -> u32 {
        u32::from(self.byte().unwrap_or(0))
    }

    /// One of the handles, rather a late one.
    fn handle(&mut self) -> u64 {
        let back = self.number() as usize % self.handles.len();
        self.handles[self.handles.len() - 1 - back]
    }

    fn engine(&mut self) -> rmedia_engine_t {
        // Mostly the default one, or all sequences would fall apart.
        let id = if self.number().is_multiple_of(4) { self.handle() } else { 0 };
        rmedia_engine_t { id }
    }

    fn pipeline(&mut self) -> rmedia_pipeline_t {
        rmedia_pipeline_t { id: self.handle() }
    }

    fn packet(&mut self) -> rmedia_packet_t {
        rmedia_packet_t { id: self.handle() }
    }

    fn port(&mut self) -> u32 {
        match self.number() % 8 {
            0 => 1,
            1 => 7,
            2 => 0,
            _ => RMEDIA_ANY,
        }
    }

    /// Notes what the last call gave besides.
    fn keep(&mut self) {
        let given = [std::mem::take(&mut self.error).id, std::mem::take(&mut self.string).id];
        self.handles.extend(given.into_iter().filter(|id| *id != 0));
    }

    unsafe fn call(&mut self, call: u8) {
        let error: *mut rmedia_error_t = &mut self.error;
        let string: *mut rmedia_string_t = &mut self.string;
        // SAFETY (all of the block): `error`, `string` and the other variables may be written, texts
        // end with a zero byte, and samples are as many as is said.
        unsafe {
            match call % 39 {
                0 | 1 => {
                    let manifest = MANIFESTS[self.number() as usize % MANIFESTS.len()];
                    let struct_size = size_of::<rmedia_pipeline_options_t>() as u32;
                    let options =
                        rmedia_pipeline_options_t { struct_size, flags: 0, engine: self.engine() };
                    let mut made = rmedia_pipeline_t::default();
                    pipeline::rmedia_pipeline_create(manifest.as_ptr(), &options, &mut made, error);
                    self.handles.push(made.id);
                }
                2 => {
                    let mut made = rmedia_engine_t::default();
                    engine::rmedia_engine_create(null(), &mut made, error);
                    self.handles.push(made.id);
                }
                3 => drop(engine::rmedia_engine_destroy(rmedia_engine_t { id: self.handle() })),
                4 => drop(host::rmedia_engine_add_host_node(self.engine(), HOST.as_ptr(), error)),
                5 | 6 => self.make_packet(error),
                7 => self.wrap_packet(error),
                8 => {
                    let mut shared = rmedia_packet_t::default();
                    packet::rmedia_packet_share(self.packet(), &mut shared);
                    self.handles.push(shared.id);
                }
                9 => drop(packet::rmedia_packet_release(self.packet())),
                10 => {
                    let mut info = info();
                    let status = packet::rmedia_packet_view(self.packet(), &mut info);
                    assert!(status != RMEDIA_OK || info.kind != 0);
                }
                11 => {
                    let mut data: *mut c_void = null_mut();
                    packet::rmedia_packet_data(self.packet(), &mut data);
                }
                12 => {
                    let mut part = rmedia_packet_t::default();
                    let (first, frames) = (self.number() as usize, self.number() as usize);
                    packet::rmedia_packet_slice(self.packet(), first, frames, &mut part, error);
                    self.handles.push(part.id);
                }
                13 => drop(packet::rmedia_packet_json(self.packet(), string)),
                14..=16 => {
                    let (to, port, what) = (self.pipeline(), self.port(), self.packet());
                    flow::rmedia_pipeline_push(to, port, what, RMEDIA_TRY, error);
                }
                17 => {
                    let samples = [0.25f32; 64];
                    let (to, port) = (self.pipeline(), self.port());
                    let rate = self.number() * 500;
                    let samples = samples.as_ptr();
                    flow::rmedia_pipeline_push_f32(to, port, samples, 32, rate, 2, error);
                }
                18..=20 => {
                    let (mut pulled, mut from) = (rmedia_packet_t::default(), 0);
                    let (of, port) = (self.pipeline(), self.port());
                    flow::rmedia_pipeline_pull(of, port, RMEDIA_TRY, &mut pulled, &mut from, error);
                    self.handles.push(pulled.id);
                }
                21 => drop(control::rmedia_pipeline_end(self.pipeline(), RMEDIA_ANY, error)),
                22 => drop(control::rmedia_pipeline_advance(self.pipeline(), error)),
                23 => drop(control::rmedia_pipeline_reset(self.pipeline(), null_mut(), error)),
                24 => drop(control::rmedia_pipeline_rewind(self.pipeline(), error)),
                25 => drop(control::rmedia_pipeline_close(self.pipeline(), RMEDIA_TRY, error)),
                26 => drop(control::rmedia_pipeline_cancel(self.pipeline())),
                27 => {
                    let (of, node) = (self.pipeline(), c"n".as_ptr());
                    let params = c"{\"gain_db\": -6}".as_ptr();
                    let at =
                        if self.number().is_multiple_of(2) { RMEDIA_NO_TIME } else { 1_000_000 };
                    control::rmedia_pipeline_set_params(of, node, params, at, null_mut(), error);
                }
                28 => drop(control::rmedia_pipeline_next_event(self.pipeline(), string)),
                29 => drop(control::rmedia_pipeline_metrics(self.pipeline(), string)),
                30 => {
                    let mut descriptor = -1;
                    control::rmedia_pipeline_wait_handle(self.pipeline(), &mut descriptor);
                }
                31 => self.take_job(error),
                32 => self.end_job(error),
                33 => drop(control::rmedia_pipeline_interrupt(self.pipeline(), null_mut(), error)),
                34 => {
                    let (of, port) = (self.pipeline(), self.port());
                    let until = i64::from(self.number()) * 1_000_000;
                    control::rmedia_pipeline_gap(of, port, until, error);
                }
                35 => drop(ready::rmedia_pipeline_watch(self.pipeline(), 1)),
                36 => drop(ready::rmedia_pipeline_unwatch(self.pipeline())),
                37 => {
                    let (mut found, mut tag) = (rmedia_pipeline_t::default(), 0);
                    ready::rmedia_engine_next_ready(self.engine(), &mut found, &mut tag);
                }
                _ => {
                    let id = self.handle();
                    error::rmedia_error_message(rmedia_error_t { id });
                    error::rmedia_error_json(rmedia_error_t { id });
                    string::rmedia_string_data(rmedia_string_t { id });
                    pipeline::rmedia_pipeline_destroy(rmedia_pipeline_t { id });
                }
            }
        }
    }

    unsafe fn make_packet(&mut self, error: *mut rmedia_error_t) {
        let mut info = info();
        info.kind = self.number() % 12;
        info.format = self.number() % 10;
        info.flags = self.number() % 40;
        (info.rate, info.channels) = (self.number() * 400, self.number() % 5);
        (info.width, info.height, info.rank) = (3, 2, self.number() % 3);
        info.frames = self.number() as usize;
        let shape = [2usize, 3];
        info.shape = shape.as_ptr();
        info.codec = c"opus".as_ptr();
        if matches!(info.kind, RMEDIA_KIND_TEXT | RMEDIA_KIND_JSON | RMEDIA_KIND_FILE) {
            (info.data, info.size) = (c"[1, 2.5]".as_ptr().cast(), RMEDIA_NUL_TERMINATED);
        }
        let mut made = rmedia_packet_t::default();
        // SAFETY: the pointers in `info` are good for what it says.
        unsafe { packet::rmedia_packet_create(&info, &mut made, error) };
        self.handles.push(made.id);
    }

    unsafe fn wrap_packet(&mut self, error: *mut rmedia_error_t) {
        static SAMPLES: [f32; 512] = [0.5; 512];
        let mut info = info();
        info.kind = RMEDIA_KIND_AUDIO;
        (info.rate, info.channels) = (48_000, 1 + self.number() % 2);
        info.frames = self.number() as usize;
        info.data = SAMPLES.as_ptr().cast();
        let (mode, mut made) = (self.number() % 3, rmedia_packet_t::default());
        // SAFETY: 255 frames of two channels lie within the samples, which never go.
        unsafe { packet::rmedia_packet_wrap(&info, mode, None, null_mut(), &mut made, error) };
        self.handles.push(made.id);
    }

    unsafe fn take_job(&mut self, error: *mut rmedia_error_t) {
        // SAFETY: zeros are a value of the plain struct.
        let mut info: rmedia_job_info_t = unsafe { std::mem::zeroed() };
        info.struct_size = size_of::<rmedia_job_info_t>() as u32;
        let engine = self.engine();
        // SAFETY: `info` says how large it is.
        unsafe { host::rmedia_engine_next_job(engine, RMEDIA_TRY, &mut info, error) };
        self.handles.extend([info.packet.id, info.job.id]);
    }

    unsafe fn end_job(&mut self, error: *mut rmedia_error_t) {
        let job = rmedia_job_t { id: self.handle() };
        // SAFETY: `error` may be written, the text ends with a zero byte.
        unsafe {
            match self.number() % 4 {
                0 => drop(job::rmedia_job_fail(job, c"no".as_ptr())),
                1 => drop(job::rmedia_job_done(job)),
                _ => drop(job::rmedia_job_emit(job, self.number() % 2, self.packet(), error)),
            }
        }
    }

    /// Everything goes; then nothing is live.
    fn release_all(&mut self) {
        for id in std::mem::take(&mut self.handles) {
            job::rmedia_job_done(rmedia_job_t { id });
            pipeline::rmedia_pipeline_destroy(rmedia_pipeline_t { id });
            error::rmedia_error_release(rmedia_error_t { id });
            string::rmedia_string_release(rmedia_string_t { id });
            if id != 0 {
                packet::rmedia_packet_release(rmedia_packet_t { id });
                engine::rmedia_engine_destroy(rmedia_engine_t { id });
            }
        }
        end_all_jobs();
        let mut live = rmedia_string_t::default();
        // SAFETY: `live` may be written; its text lives until it is released.
        let text = unsafe {
            library::rmedia_live(&mut live);
            CStr::from_ptr(string::rmedia_string_data(live)).to_owned()
        };
        string::rmedia_string_release(live);
        let none =
            c"{\"engines\":0,\"pipelines\":0,\"packets\":0,\"errors\":0,\"strings\":0,\"jobs\":0}";
        assert_eq!(text.as_c_str(), none, "handles are left");
    }
}

/// Takes and ends what nodes that are gone have still told, and nobody has taken.
fn end_all_jobs() {
    loop {
        // SAFETY: zeros are a value of the plain struct; `info` says how large it is.
        let job = unsafe {
            let mut info: rmedia_job_info_t = std::mem::zeroed();
            info.struct_size = size_of::<rmedia_job_info_t>() as u32;
            let engine = rmedia_engine_t::default();
            host::rmedia_engine_next_job(engine, RMEDIA_TRY, &mut info, null_mut());
            info.job
        };
        if job.id == 0 {
            break;
        }
        job::rmedia_job_done(job);
    }
}

fn info() -> rmedia_packet_info_t {
    // SAFETY: zeros are a value of the plain struct.
    let mut info: rmedia_packet_info_t = unsafe { std::mem::zeroed() };
    info.struct_size = size_of::<rmedia_packet_info_t>() as u32;
    info
}
