//! The pipelines of an engine that have something to do, in one list: so one descriptor, that of the
//! engine, tells of any number of pipelines that have none.
//!
//! A pipeline that is watched has a place. Listing it links the place to a ring, so that nothing is
//! allocated there, nothing is listed twice, and one that goes is taken out wherever it stands.

use crate::abi::{RMEDIA_EMPTY, RMEDIA_OK, rmedia_engine_t, rmedia_pipeline_t};
use crate::boundary::{bad_handle, call, out};
use crate::engine;
use crate::pipeline::find;
use crate::wake::Wake;
use remotemedia::error::Result;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Has the engine tell of a pipeline: from now on rmedia_engine_next_ready gives it, with this `tag`,
/// whenever its wait handle would become readable, so that one descriptor (rmedia_engine_wait_handle)
/// serves any number of pipelines, and none of them needs one of its own. It is given at once if
/// something waits already. Watching it again changes the tag.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
/// Errors: BAD_HANDLE also when its engine has been destroyed.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_pipeline_watch(pipeline: rmedia_pipeline_t, tag: u64) -> i32 {
    call(|| {
        let entry = find(pipeline)?;
        let watch = Ready::watch(&entry.engine.ready, pipeline.id, tag)?;
        if !entry.wake.set_watch(Some(watch)) {
            return Err(bad_handle("pipeline"));
        }
        entry.look_again();
        Ok(RMEDIA_OK)
    })
}

/// Takes back rmedia_pipeline_watch: once this has returned the engine does not give the pipeline any
/// more. One that is not watched is fine. rmedia_pipeline_destroy does it, too.
///
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn rmedia_pipeline_unwatch(pipeline: rmedia_pipeline_t) -> i32 {
    call(|| {
        find(pipeline)?.wake.set_watch(None);
        Ok(RMEDIA_OK)
    })
}

/// Takes the pipeline that has had something to do for the longest time, of those that are watched, and
/// its tag (may be NULL); RMEDIA_EMPTY when there is none. Then: pull with RMEDIA_TRY and take events
/// until neither gives any. It is given again when there is more after a pull or
/// rmedia_pipeline_next_event has found nothing, and not before; with several threads it may so be one
/// that another thread has just served. The engine has one list: parts of a program that know nothing
/// of each other need an engine each.
///
/// Ownership: the pipeline stays whose it is.
/// Thread: any. Blocks: no. Real-time: no. Since: 0.1.
///
/// # Safety
/// Pointers are NULL or good for their type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmedia_engine_next_ready(
    engine: rmedia_engine_t,
    pipeline: *mut rmedia_pipeline_t,
    tag: *mut u64,
) -> i32 {
    call(|| {
        // SAFETY: by contract.
        let (pipeline, tag) = unsafe { (out(pipeline, "pipeline")?, tag.as_mut()) };
        pipeline.id = 0;
        let entry = engine::find(engine)?;
        let Some((id, of_it)) = entry.ready.next() else {
            entry.look_again();
            return Ok(RMEDIA_EMPTY);
        };
        pipeline.id = id;
        if let Some(tag) = tag {
            *tag = of_it;
        }
        Ok(RMEDIA_OK)
    })
}

/// The list of one engine.
pub(crate) struct Ready {
    ring: Mutex<Ring>,
    /// The engine's. It is told when the list is not empty any more.
    wake: Arc<Wake>,
}

impl Ready {
    pub(crate) fn new(wake: Arc<Wake>) -> Self {
        let ring = Ring { places: vec![Place::alone(0, 0, 0)], free: Vec::new(), gone: false };
        Self { ring: Mutex::new(ring), wake }
    }

    /// A place for a pipeline, which it does not stand on the list with yet.
    fn watch(list: &Arc<Self>, pipeline: u64, tag: u64) -> Result<Watch> {
        let mut ring = list.lock();
        if ring.gone {
            return Err(bad_handle("engine"));
        }
        let place = ring.take_place(pipeline, tag);
        Ok(Watch { list: list.clone(), place })
    }

    /// Takes the first one off the list: its handle and its tag.
    fn next(&self) -> Option<(u64, u64)> {
        let mut ring = self.lock();
        let first = ring.places[HEAD as usize].after;
        ring.unlink(first);
        let Place { pipeline, tag, .. } = ring.places[first as usize];
        (first != HEAD).then_some((pipeline, tag))
    }

    pub(crate) fn any(&self) -> bool {
        self.lock().is_linked(HEAD)
    }

    /// The engine is gone, and nobody can ask for the list any more.
    pub(crate) fn stop(&self) {
        self.lock().gone = true;
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pipeline's place. Dropping it takes the pipeline off the list for good.
pub(crate) struct Watch {
    list: Arc<Ready>,
    place: u32,
}

impl Watch {
    /// Puts the pipeline at the end of the list, unless it is on it. Gives whom to tell, outside all
    /// locks: the engine, of the first one.
    pub(crate) fn list(&self) -> Option<Arc<Wake>> {
        let mut ring = self.list.lock();
        let was_empty = !ring.is_linked(HEAD);
        if !ring.is_linked(self.place) {
            ring.link(self.place);
        }
        was_empty.then(|| self.list.wake.clone())
    }

    /// Takes the pipeline off the list.
    pub(crate) fn unlist(&self) {
        self.list.lock().unlink(self.place);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut ring = self.list.lock();
        ring.unlink(self.place);
        ring.free.push(self.place);
    }
}

/// The place that is nobody's: the first of the list comes after it and the last before it.
const HEAD: u32 = 0;

struct Ring {
    places: Vec<Place>,
    free: Vec<u32>,
    gone: bool,
}

/// Linked to itself while it is not listed.
struct Place {
    before: u32,
    after: u32,
    pipeline: u64,
    tag: u64,
}

impl Place {
    fn alone(place: u32, pipeline: u64, tag: u64) -> Self {
        Self { before: place, after: place, pipeline, tag }
    }
}

impl Ring {
    fn take_place(&mut self, pipeline: u64, tag: u64) -> u32 {
        let place = self.free.pop().unwrap_or(self.places.len() as u32);
        let fresh = Place::alone(place, pipeline, tag);
        match self.places.get_mut(place as usize) {
            Some(free) => *free = fresh,
            None => self.places.push(fresh),
        }
        place
    }

    /// Whether it is on the list; of the head, whether anything is.
    fn is_linked(&self, place: u32) -> bool {
        self.places[place as usize].after != place
    }

    /// Links one that is alone to the end of the list.
    fn link(&mut self, place: u32) {
        let last = self.places[HEAD as usize].before;
        self.join(last, place);
        self.join(place, HEAD);
    }

    /// Leaves it alone; one that is so stays so.
    fn unlink(&mut self, place: u32) {
        let Place { before, after, .. } = self.places[place as usize];
        self.join(before, after);
        self.join(place, place);
    }

    fn join(&mut self, before: u32, after: u32) {
        self.places[before as usize].after = after;
        self.places[after as usize].before = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A seeded walk beside a plain queue.
    #[test]
    fn each_is_listed_once_in_order_wherever_others_are_taken_out() {
        let list = Arc::new(Ready::new(Arc::default()));
        let (mut watches, mut expected) = (Vec::<Option<Watch>>::new(), VecDeque::new());
        watches.resize_with(20, || None);
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut most = 0;
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let (n, what) = ((state >> 32) as usize % watches.len(), (state >> 20) % 8);
            match (&watches[n], what) {
                (None, _) => {
                    watches[n] = Ready::watch(&list, n as u64 + 1, !(n as u64)).ok();
                    assert!(watches[n].is_some());
                }
                (Some(watch), 0..4) => {
                    assert_eq!(watch.list().is_some(), expected.is_empty());
                    if !expected.contains(&n) {
                        expected.push_back(n);
                    }
                }
                (Some(_), 4 | 5) => {
                    let next = expected.pop_front().map(|n| (n as u64 + 1, !(n as u64)));
                    assert_eq!(list.next(), next);
                }
                (Some(watch), 6) => {
                    watch.unlist();
                    expected.retain(|listed| *listed != n);
                }
                (Some(_), _) => {
                    watches[n] = None;
                    expected.retain(|listed| *listed != n);
                }
            }
            assert_eq!(list.any(), !expected.is_empty());
            most = most.max(expected.len());
        }
        assert!(most > 5, "at most {most} were listed: nothing was tried");
        assert!(list.lock().places.len() <= watches.len() + 1, "places are used again");
    }

    /// A watch may have begun before the pipeline was destroyed, and come to this afterwards.
    #[test]
    fn who_is_gone_gets_no_place_any_more() {
        let (list, wake) = (Arc::new(Ready::new(Arc::default())), Wake::default());
        let place = || Ready::watch(&list, 1, 2).ok();
        assert!(wake.set_watch(place()));
        wake.signal();
        wake.stop();
        assert!(!wake.set_watch(place()));
        wake.signal();
        assert_eq!(list.next(), None);
        assert_eq!(list.lock().free, [1]);
    }
}
