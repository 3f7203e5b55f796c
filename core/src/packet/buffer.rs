//! Reference-counted bytes: the memory under every payload.
//!
//! A [`Buffer`] is a view into a shared block. Cloning and slicing copy no bytes; the block is
//! writable only while a single view of it exists. When the last view goes, the block returns to
//! the pool that it came from, or its owner (a `Vec`, foreign memory) is released, exactly once.

use super::pool::PoolShared;
use std::alloc::Layout;
use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Alignment of memory from the pool: a cache line, enough for every SIMD load.
pub(super) const ALIGN: usize = 64;

/// What has to happen when the last view of a block goes.
pub(super) enum Origin {
    /// Memory from the global allocator; goes back to the pool, if one is named.
    Pool { pool: Option<Arc<PoolShared>>, class: u8 },
    /// Memory inside a Rust value.
    Owner { _owner: Box<dyn Any + Send + Sync> },
    /// Memory that somebody else owns.
    Foreign { release: Option<Box<dyn FnOnce() + Send + Sync>> },
}

/// The shared part: counted, never moved, freed or recycled by the last view.
pub(super) struct Block {
    refs: AtomicUsize,
    pub(super) data: NonNull<u8>,
    pub(super) capacity: usize,
    writable: bool,
    pub(super) origin: Origin,
}

impl Block {
    /// A block of `capacity` zeroed bytes of its own. `None` when the allocator refuses.
    pub(super) fn allocate(capacity: usize, class: u8) -> Option<NonNull<Block>> {
        let layout = Layout::from_size_align(capacity.max(1), ALIGN).ok()?;
        // SAFETY: the layout's size is at least one byte.
        let data = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })?;
        Some(Self::boxed(data, capacity, true, Origin::Pool { pool: None, class }))
    }

    fn boxed(data: NonNull<u8>, capacity: usize, writable: bool, origin: Origin) -> NonNull<Block> {
        let block = Block { refs: AtomicUsize::new(1), data, capacity, writable, origin };
        NonNull::from(Box::leak(Box::new(block)))
    }

    /// Frees a block that no view refers to any more.
    ///
    /// # Safety
    /// `block` came from this module, has no view and is used by nobody afterwards.
    pub(super) unsafe fn free(block: NonNull<Block>) {
        // SAFETY: by contract the caller owns the block, which `boxed` leaked from a Box.
        let mut block = unsafe { Box::from_raw(block.as_ptr()) };
        match &mut block.origin {
            Origin::Pool { .. } => {
                let layout = Layout::from_size_align(block.capacity.max(1), ALIGN)
                    .expect("the same layout was valid when the block was made");
                // SAFETY: `allocate` took this pointer from the allocator with this very layout.
                unsafe { std::alloc::dealloc(block.data.as_ptr(), layout) };
            }
            Origin::Owner { .. } => {}
            Origin::Foreign { release } => {
                if let Some(release) = release.take() {
                    release();
                }
            }
        }
    }
}

/// A view of shared bytes.
pub struct Buffer {
    block: NonNull<Block>,
    data: NonNull<u8>,
    len: usize,
}

// SAFETY: a block is shared through an atomic count; its bytes are read only while shared and
// written only through `&mut Buffer` of the single view. Owners and release functions are
// `Send + Sync`, so the last view may be dropped on any thread.
unsafe impl Send for Buffer {}
// SAFETY: as above; `&Buffer` gives read access alone.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A view of the whole of a block that nobody else refers to.
    pub(super) fn from_block(block: NonNull<Block>, len: usize) -> Self {
        // SAFETY: the caller hands over a live block with a count of one.
        let data = unsafe { block.as_ref() }.data;
        Self { block, data, len }
    }

    /// Memory from the allocator, zeroed, that belongs to no pool.
    ///
    /// # Panics
    /// When the allocator has no memory left.
    pub fn zeroed(len: usize) -> Self {
        let block = Block::allocate(len, 0).expect("out of memory");
        Self::from_block(block, len)
    }

    /// Takes over a vector's memory without copying it.
    pub fn from_vec<T: bytemuck::Pod + Send + Sync>(mut vec: Vec<T>) -> Self {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut vec);
        let len = bytes.len();
        let data = NonNull::new(bytes.as_mut_ptr()).expect("slices are never null");
        // Moving the Vec into the box moves its header alone, not the elements.
        let origin = Origin::Owner { _owner: Box::new(vec) };
        let block = Block::boxed(data, len, true, origin);
        Self { block, data, len }
    }

    /// Takes over memory that somebody else has made, read-only and without copying it.
    pub fn from_owner(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        // Boxed before it is asked for its bytes, so that they can't move with it.
        let owner = Box::new(owner);
        let bytes: &[u8] = (*owner).as_ref();
        let (data, len) = (NonNull::from(bytes).cast::<u8>(), bytes.len());
        let origin = Origin::Owner { _owner: owner };
        Self { block: Block::boxed(data, len, false, origin), data, len }
    }

    /// Borrows memory that somebody else owns, read-only. `release` runs exactly once, when the
    /// last view goes, on the thread that drops it.
    ///
    /// # Safety
    /// `data` points to `len` readable bytes that stay valid and unchanged until `release` runs.
    pub unsafe fn wrap(
        data: NonNull<u8>,
        len: usize,
        release: impl FnOnce() + Send + Sync + 'static,
    ) -> Self {
        let origin = Origin::Foreign { release: Some(Box::new(release)) };
        Self { block: Block::boxed(data, len, false, origin), data, len }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `data..data+len` lies inside the block, which this view keeps alive; nobody
        // writes while views are shared (see `as_mut_slice`).
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }

    /// The bytes for writing, if no other view of the block exists and its memory is ours.
    pub fn as_mut_slice(&mut self) -> Option<&mut [u8]> {
        if !self.is_writable() {
            return None;
        }
        // SAFETY: this is the only view (count one, and `&mut self` keeps it from being cloned),
        // so nobody else reads or writes these bytes.
        Some(unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) })
    }

    /// Where the bytes lie, for writing from another language; `None` as with
    /// [`as_mut_slice`](Self::as_mut_slice). Writing is sound while this stays the only view and
    /// nobody reads it.
    pub fn as_mut_ptr(&self) -> Option<NonNull<u8>> {
        self.is_writable().then_some(self.data)
    }

    /// Whether [`as_mut_slice`](Self::as_mut_slice) would give access.
    pub fn is_writable(&self) -> bool {
        let block = self.block();
        // Acquire pairs with the release in `drop`: what other views did to the bytes before they
        // went has happened before we write.
        block.writable && block.refs.load(Ordering::Acquire) == 1
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A view of a part, without a copy.
    ///
    /// # Panics
    /// If the range does not lie within the view.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        self.clone().into_slice(range)
    }

    /// Narrows this view to a part of it.
    ///
    /// # Panics
    /// If the range does not lie within the view.
    #[must_use]
    pub fn into_slice(mut self, range: std::ops::Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "slice outside of the buffer");
        // SAFETY: start <= len, so the pointer stays inside (or one past) the block.
        self.data = unsafe { self.data.add(range.start) };
        self.len = range.end - range.start;
        self
    }

    /// Bytes of the block behind this view, which is what the view keeps in memory.
    pub fn capacity(&self) -> usize {
        self.block().capacity
    }

    fn block(&self) -> &Block {
        // SAFETY: the count that this view holds keeps the block alive.
        unsafe { self.block.as_ref() }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let before = self.block().refs.fetch_add(1, Ordering::Relaxed);
        assert!(before < usize::MAX / 2, "a buffer was cloned without end");
        Self { block: self.block, data: self.data, len: self.len }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let block = self.block();
        // The usual shortcut: a single view needs no read-modify-write to know that it is the last.
        if block.refs.load(Ordering::Acquire) != 1
            && block.refs.fetch_sub(1, Ordering::Release) != 1
        {
            return;
        }
        // As good as an acquire fence here, and ThreadSanitizer knows what it means.
        self.block().refs.load(Ordering::Acquire);
        // SAFETY: this was the last view and it is going; nobody else can reach the block.
        unsafe {
            let block = self.block;
            let pool = match &mut (*block.as_ptr()).origin {
                Origin::Pool { pool, .. } => pool.take(),
                _ => None,
            };
            match pool {
                Some(pool) => {
                    block.as_ref().refs.store(1, Ordering::Relaxed);
                    pool.recycle(block);
                }
                None => Block::free(block),
            }
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn slices_share_memory_and_only_a_single_view_is_writable() {
        let mut whole = Buffer::from_vec(vec![1u8, 2, 3, 4]);
        let base = whole.as_slice().as_ptr();
        assert!(whole.is_writable());
        let part = whole.slice(1..3);
        assert_eq!(part.as_slice(), &[2, 3]);
        assert_eq!(part.as_slice().as_ptr(), base.wrapping_add(1));
        assert!(whole.as_mut_slice().is_none() && !part.is_writable());
        drop(part);
        whole.as_mut_slice().expect("the only view")[0] = 9;
        assert_eq!(whole.as_slice(), &[9, 2, 3, 4]);
    }

    #[test]
    fn foreign_memory_is_released_exactly_once_by_the_last_view_on_any_thread() {
        static BYTES: [u8; 3] = [7, 8, 9];
        let released = Arc::new(AtomicU32::new(0));
        let count = released.clone();
        // SAFETY: a static array outlives everything and never changes.
        let buffer = unsafe {
            Buffer::wrap(NonNull::from(&BYTES[0]), 3, move || {
                count.fetch_add(1, Ordering::SeqCst);
            })
        };
        assert!(!buffer.is_writable(), "foreign memory is read-only");
        let views: Vec<_> = (0..64).map(|_| buffer.slice(1..2)).collect();
        drop(buffer);
        let threads: Vec<_> =
            views.into_iter().map(|v| std::thread::spawn(move || drop(v))).collect();
        assert!(released.load(Ordering::SeqCst) <= 1);
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(released.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn memory_of_an_owner_is_read_only_and_stays_until_the_last_view_goes() {
        struct Owner([u8; 4], Arc<AtomicU32>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        impl Drop for Owner {
            fn drop(&mut self) {
                self.1.fetch_add(1, Ordering::SeqCst);
            }
        }
        let released = Arc::new(AtomicU32::new(0));
        // Its bytes lie in the value itself, which moves.
        let buffer = Buffer::from_owner(Owner([1, 2, 3, 4], released.clone()));
        let view = buffer.slice(1..3);
        assert!(!buffer.is_writable());
        drop(buffer);
        assert_eq!((view.as_slice(), released.load(Ordering::SeqCst)), (&[2, 3][..], 0));
        drop(view);
        assert_eq!(released.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_empty_vector_makes_an_empty_buffer() {
        let buffer = Buffer::from_vec(Vec::<f32>::new());
        assert!(buffer.is_empty() && buffer.as_slice().is_empty());
    }
}
