//! Handles: numbers that stand for objects, so that nothing that C hands in is ever followed as a
//! pointer.
//!
//! A handle holds its kind (4 bits), the index of a slot (28 bits) and the generation of what lies
//! in it (32 bits). A slot's generation changes when its object goes, so a stale handle is an error
//! and not somebody else's object. Generations begin at random, so that a handle of another copy of
//! the library is one, too. Slots are used again in the order in which they became free.
//!
//! One atomic word per slot says it all: generation, whether the handle is *owned* (nobody has
//! released it) and *pins* (calls that are using the object at this moment). The object goes when it
//! is neither, so a handle that one thread releases while another uses it stays good for that use.
//!
//! A handle has one owner and is released once: sharing an object makes another handle. So a second
//! release is always an error, and never takes what somebody else owns.
//!
//! # Real-time
//! Nothing here locks or allocates, except an insertion that needs a new chunk of slots.

use crate::boundary::is_forked;
use crossbeam_queue::ArrayQueue;
use std::cell::UnsafeCell;
use std::hash::{BuildHasher, RandomState};
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Slots of one chunk. Chunks are made as they are needed and never freed.
const CHUNK: usize = 1024;
const MAX_CHUNKS: usize = 4096;

const OWNED: u64 = 1 << 31;
const PINS: u64 = OWNED - 1;

const fn generation(word: u64) -> u32 {
    (word >> 32) as u32
}
const fn is_owned(word: u64) -> bool {
    word & OWNED != 0
}
const fn pins(word: u64) -> u64 {
    word & PINS
}

struct Slot<T> {
    word: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
}

struct Chunk<T> {
    slots: Box<[Slot<T>]>,
    free: ArrayQueue<u32>,
}

/// What can have a handle.
pub(crate) trait Object: Send + Sync + 'static {
    /// 1 to 15; tells its handles from those of other kinds.
    const KIND: u8;
}

/// All objects of one kind.
pub(crate) struct Table<T: 'static> {
    chunks: [AtomicPtr<Chunk<T>>; MAX_CHUNKS],
    count: AtomicUsize,
    live: AtomicUsize,
    grow: Mutex<()>,
}

// SAFETY: a value is reached by shared reference through pins, which any thread may hold (`Sync`),
// and dropped or moved out by the thread that ends its last use (`Send`).
unsafe impl<T: Send + Sync> Sync for Table<T> {}

impl<T: Object> Table<T> {
    /// An empty table. All zero, so that it takes no place in the library's file.
    pub(crate) const fn new() -> Self {
        Self {
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; MAX_CHUNKS],
            count: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            grow: Mutex::new(()),
        }
    }

    /// Objects that have a handle.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Puts an object in. Gives it back when there are too many.
    pub(crate) fn insert(&'static self, value: T) -> Result<u64, T> {
        let Some((index, slot)) = self.free_slot() else { return Err(value) };
        // SAFETY: the slot came from the free queue, so nobody refers to it and it holds nothing.
        unsafe { (*slot.value.get()).write(value) };
        // Only who takes a slot from the queue writes its word, so plain reading is enough.
        let generation = generation(slot.word.load(Ordering::Relaxed));
        slot.word.store(u64::from(generation) << 32 | OWNED, Ordering::Release);
        self.live.fetch_add(1, Ordering::Relaxed);
        Ok(Self::id(index, generation))
    }

    /// A place for an object that is still to be made; `None` when there are too many.
    pub(crate) fn reserve(&'static self) -> Option<Hole<T>> {
        let (index, slot) = self.free_slot()?;
        let generation = generation(slot.word.load(Ordering::Relaxed));
        // No owner, so no handle is good yet, and our pin.
        slot.word.store(u64::from(generation) << 32 | 1, Ordering::Release);
        self.live.fetch_add(1, Ordering::Relaxed);
        Some(Hole { table: self, slot, id: Self::id(index, generation) })
    }

    fn id(index: u32, generation: u32) -> u64 {
        u64::from(T::KIND) << 60 | u64::from(index) << 32 | u64::from(generation)
    }

    /// Gives a handle up; its object goes as soon as nobody uses it. False: it stands for nothing.
    pub(crate) fn release(&'static self, id: u64) -> bool {
        let Some(slot) = self.slot(id) else { return false };
        let step = |word| is_live(word, id).then_some(word & !OWNED);
        match slot.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, step) {
            Ok(before) => {
                if pins(before) == 0 {
                    // SAFETY: this step left neither owner nor pin, from which nothing leads away:
                    // the object is ours.
                    drop(unsafe { self.empty(slot, id) });
                }
                true
            }
            Err(_) => false,
        }
    }

    /// Uses the object; it stays while the pin lives.
    pub(crate) fn pin(&'static self, id: u64) -> Option<Pin<T>> {
        let slot = self.slot(id)?;
        let step = |word| (is_live(word, id) && pins(word) < PINS).then_some(word + 1);
        slot.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, step).ok()?;
        Some(Pin { table: self, slot, id })
    }

    /// Moves the object out, if nobody uses it. Until it is put back the handle stands for nothing.
    pub(crate) fn take(&'static self, id: u64) -> Option<(Hole<T>, T)> {
        let slot = self.slot(id)?;
        let alone = (id & 0xFFFF_FFFF) << 32 | OWNED;
        let held = (alone & !OWNED) + 1;
        slot.word.compare_exchange(alone, held, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // SAFETY: no owner and our pin alone: nobody else reaches the object any more, and the hole
        // sees to it that it is not dropped where it lay.
        let value = unsafe { (*slot.value.get()).assume_init_read() };
        Some((Hole { table: self, slot, id }, value))
    }

    /// Moves the object out of a slot without owner and pins, and frees the slot.
    ///
    /// # Safety
    /// The caller made the step that left neither, and calls this once.
    unsafe fn empty(&self, slot: &Slot<T>, id: u64) -> T {
        // SAFETY: by contract the object is the caller's.
        let value = unsafe { (*slot.value.get()).assume_init_read() };
        self.vacate(slot, id);
        value
    }

    /// Frees a slot whose object has been moved out.
    fn vacate(&self, slot: &Slot<T>, id: u64) {
        let next = (id as u32).wrapping_add(1);
        slot.word.store(u64::from(next) << 32, Ordering::Release);
        self.live.fetch_sub(1, Ordering::Relaxed);
        let index = index_of(id);
        if let Some(chunk) = self.chunk(index / CHUNK) {
            // The queue has a place for each slot of its chunk.
            let _ = chunk.free.push(index as u32);
        }
    }

    fn slot(&'static self, id: u64) -> Option<&'static Slot<T>> {
        if id >> 60 != u64::from(T::KIND) {
            return None;
        }
        let index = index_of(id);
        self.chunk(index / CHUNK)?.slots.get(index % CHUNK)
    }

    fn chunk(&self, index: usize) -> Option<&'static Chunk<T>> {
        let chunk = self.chunks.get(index)?.load(Ordering::Acquire);
        // SAFETY: a chunk is leaked from a Box before its pointer is stored, and never freed.
        unsafe { chunk.as_ref() }
    }

    fn free_slot(&'static self) -> Option<(u32, &'static Slot<T>)> {
        loop {
            let count = self.count.load(Ordering::Acquire);
            for chunk in (0..count).filter_map(|n| self.chunk(n)) {
                if let Some(index) = chunk.free.pop() {
                    return Some((index, &chunk.slots[index as usize % CHUNK]));
                }
            }
            if !self.add_chunk(count) {
                return None;
            }
        }
    }

    /// Adds a chunk, unless somebody else has done so meanwhile. False: there are too many.
    fn add_chunk(&self, seen: usize) -> bool {
        // In a forked child the lock may be held by a thread that is not there.
        if is_forked() {
            return false;
        }
        let _one_at_a_time = self.grow.lock().unwrap_or_else(PoisonError::into_inner);
        let count = self.count.load(Ordering::Acquire);
        if count != seen {
            return true;
        }
        if count == MAX_CHUNKS {
            return false;
        }
        let random = RandomState::new();
        let first = count * CHUNK;
        let slot = |n: usize| Slot {
            word: AtomicU64::new(random.hash_one(n) << 32),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        };
        let chunk = Chunk { slots: (0..CHUNK).map(slot).collect(), free: ArrayQueue::new(CHUNK) };
        for index in first..first + CHUNK {
            let _ = chunk.free.push(index as u32);
        }
        self.chunks[count].store(Box::leak(Box::new(chunk)), Ordering::Release);
        self.count.store(count + 1, Ordering::Release);
        true
    }
}

fn index_of(id: u64) -> usize {
    ((id >> 32) & 0x0FFF_FFFF) as usize
}

/// Whether a slot in that state holds what the handle stands for.
fn is_live(word: u64, id: u64) -> bool {
    generation(word) == id as u32 && is_owned(word)
}

/// An object in use.
pub(crate) struct Pin<T: Object> {
    table: &'static Table<T>,
    slot: &'static Slot<T>,
    id: u64,
}

impl<T: Object> Deref for Pin<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a pinned slot keeps its object, and while pins exist it is only read.
        unsafe { (*self.slot.value.get()).assume_init_ref() }
    }
}

impl<T: Object> Drop for Pin<T> {
    fn drop(&mut self) {
        let before = self.slot.word.fetch_sub(1, Ordering::AcqRel);
        if pins(before) == 1 && !is_owned(before) {
            // SAFETY: this step left neither owner nor pin; see `release`.
            drop(unsafe { self.table.empty(self.slot, self.id) });
        }
    }
}

/// A place without its object: taken out, or not made yet. Dropping it frees the place.
pub(crate) struct Hole<T: Object> {
    table: &'static Table<T>,
    slot: &'static Slot<T>,
    id: u64,
}

impl<T: Object> Hole<T> {
    /// Puts an object in: the handle, which it gives, stands for it.
    pub(crate) fn fill(self, value: T) -> u64 {
        // SAFETY: the slot is ours alone (no owner, our pin) and holds no object.
        unsafe { (*self.slot.value.get()).write(value) };
        let word = (self.id & 0xFFFF_FFFF) << 32 | OWNED;
        self.slot.word.store(word, Ordering::Release);
        let id = self.id;
        std::mem::forget(self);
        id
    }
}

impl<T: Object> Drop for Hole<T> {
    fn drop(&mut self) {
        self.table.vacate(self.slot, self.id);
    }
}

#[cfg(test)]
mod tests;
