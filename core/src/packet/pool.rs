//! The memory pool: a cache of blocks, not a cap on them.
//!
//! A block that is asked for and not there is allocated and counted as a miss; a block that comes
//! back to a full cache is freed. The cap is the memory limit on *live* bytes, which the engine
//! checks where packets enter. Taking and returning a cached block takes no lock and allocates
//! nothing.

use super::buffer::{Block, Buffer, Origin};
use crate::error::{Error, Result, detail};
use crossbeam_queue::ArrayQueue;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Smallest block: 256 bytes.
const MIN_SHIFT: u32 = 8;
/// Classes double in size: 256 B … 16 MiB. Larger requests go to the allocator directly.
const CLASSES: usize = 17;
/// At most this much is cached per class, and at most `MAX_CACHED_BLOCKS` blocks.
const MAX_CACHED_BYTES: usize = 32 << 20;
const MAX_CACHED_BLOCKS: usize = 4096;

/// A shared cache of memory blocks. Cloning it gives another handle to the same cache.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<PoolShared>,
}

pub(super) struct PoolShared {
    classes: [OnceLock<ArrayQueue<Cached>>; CLASSES],
    live_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    live_blocks: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A block that waits in the cache; the cache owns it.
struct Cached(NonNull<Block>);

// SAFETY: a cached block has no view; whoever holds the `Cached` owns it alone.
unsafe impl Send for Cached {}

/// Figures of a [`Pool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStats {
    /// Bytes in blocks that packets hold now.
    pub live_bytes: u64,
    /// Blocks that packets hold now.
    pub live_blocks: u64,
    /// The most bytes that packets have held at a time.
    pub peak_bytes: u64,
    /// Requests served from the cache.
    pub hits: u64,
    /// Requests that went to the allocator.
    pub misses: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl Pool {
    /// An empty pool.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(PoolShared {
                classes: [const { OnceLock::new() }; CLASSES],
                live_bytes: AtomicU64::new(0),
                peak_bytes: AtomicU64::new(0),
                live_blocks: AtomicU64::new(0),
                hits: AtomicU64::new(0),
                misses: AtomicU64::new(0),
            }),
        }
    }

    /// A writable buffer of `len` bytes, aligned to 64. The contents are whatever the block held
    /// before: write before you read.
    ///
    /// # Panics
    /// When the allocator has no memory left.
    ///
    /// # Real-time
    /// rt-safe when served from the cache; a miss allocates.
    pub fn buffer(&self, len: usize) -> Buffer {
        self.try_buffer(len).expect("out of memory")
    }

    /// As [`buffer`](Self::buffer).
    ///
    /// # Errors
    /// `limit.memory` when the allocator has no memory left.
    pub fn try_buffer(&self, len: usize) -> Result<Buffer> {
        let shared = &*self.shared;
        let class = class_of(len);
        let cached = shared.classes.get(class).and_then(OnceLock::get).and_then(ArrayQueue::pop);
        let block = match cached {
            Some(Cached(block)) => {
                shared.hits.fetch_add(1, Ordering::Relaxed);
                block
            }
            None => {
                shared.misses.fetch_add(1, Ordering::Relaxed);
                let size = if class < CLASSES { 1 << (MIN_SHIFT as usize + class) } else { len };
                Block::allocate(size, class as u8).ok_or_else(|| {
                    Error::new(detail::LIMIT_MEMORY, format!("there is no memory for {len} bytes"))
                })?
            }
        };
        // SAFETY: fresh or cached, the block is ours alone; `refs` is one.
        let bytes = unsafe {
            let block = &mut *block.as_ptr();
            if let Origin::Pool { pool, .. } = &mut block.origin {
                *pool = Some(self.shared.clone());
            }
            block.capacity as u64
        };
        let live = shared.live_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if live > shared.peak_bytes.load(Ordering::Relaxed) {
            shared.peak_bytes.fetch_max(live, Ordering::Relaxed);
        }
        shared.live_blocks.fetch_add(1, Ordering::Relaxed);
        Ok(Buffer::from_block(block, len))
    }

    /// Bytes in blocks that packets hold now.
    pub fn live_bytes(&self) -> u64 {
        self.shared.live_bytes.load(Ordering::Relaxed)
    }

    /// The pool's figures.
    pub fn stats(&self) -> PoolStats {
        let s = &*self.shared;
        PoolStats {
            live_bytes: s.live_bytes.load(Ordering::Relaxed),
            live_blocks: s.live_blocks.load(Ordering::Relaxed),
            peak_bytes: s.peak_bytes.load(Ordering::Relaxed),
            hits: s.hits.load(Ordering::Relaxed),
            misses: s.misses.load(Ordering::Relaxed),
        }
    }
}

impl PoolShared {
    /// Takes a block back whose last view has gone.
    ///
    /// # Safety
    /// Nobody refers to `block` any more and its count is one.
    pub(super) unsafe fn recycle(&self, block: NonNull<Block>) {
        // SAFETY: the caller owns the block.
        let (capacity, class) = unsafe {
            let block = block.as_ref();
            let Origin::Pool { class, .. } = block.origin else {
                unreachable!("only pool blocks name a pool")
            };
            (block.capacity, usize::from(class))
        };
        self.live_bytes.fetch_sub(capacity as u64, Ordering::Relaxed);
        self.live_blocks.fetch_sub(1, Ordering::Relaxed);
        let refused = match self.classes.get(class) {
            Some(cache) => cache
                .get_or_init(|| {
                    ArrayQueue::new((MAX_CACHED_BYTES / capacity).clamp(2, MAX_CACHED_BLOCKS))
                })
                .push(Cached(block))
                .err(),
            None => Some(Cached(block)),
        };
        if let Some(Cached(block)) = refused {
            // SAFETY: the cache did not take it, so it is still ours alone.
            unsafe { Block::free(block) };
        }
    }
}

impl Drop for PoolShared {
    fn drop(&mut self) {
        for class in &mut self.classes {
            while let Some(Cached(block)) = class.get().and_then(ArrayQueue::pop) {
                // SAFETY: cached blocks have no view, and the cache that owned it is going.
                unsafe { Block::free(block) };
            }
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.stats()).finish()
    }
}

/// Index of the smallest class that holds `len` bytes; `CLASSES` when none does.
fn class_of(len: usize) -> usize {
    // What has no next power of two is beyond all classes.
    let power = len.max(1).checked_next_power_of_two().unwrap_or(1 << (usize::BITS - 1));
    let shift = power.trailing_zeros().max(MIN_SHIFT);
    ((shift - MIN_SHIFT) as usize).min(CLASSES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_returned_block_serves_the_next_request() {
        let pool = Pool::new();
        let first = pool.buffer(3840);
        let address = first.as_slice().as_ptr();
        assert_eq!(address.align_offset(64), 0);
        drop(first);
        let second = pool.buffer(4000);
        assert_eq!(second.as_slice().as_ptr(), address);
        let stats = pool.stats();
        assert_eq!((stats.hits, stats.misses, stats.live_blocks), (1, 1, 1));
    }

    #[test]
    fn holding_many_is_a_miss_each_and_never_a_failure() {
        let pool = Pool::new();
        let held: Vec<_> = (0..1000).map(|_| pool.buffer(100)).collect();
        assert_eq!(pool.stats().misses, 1000);
        assert_eq!(pool.stats().live_bytes, 256_000);
        drop(held);
        let again: Vec<_> = (0..1000).map(|_| pool.buffer(100)).collect();
        assert_eq!(pool.stats().misses, 1000, "all of them came from the cache");
        drop(again);
        assert_eq!(pool.stats().live_bytes, 0);
    }

    #[test]
    fn huge_requests_bypass_the_cache() {
        let pool = Pool::new();
        drop(pool.buffer((16 << 20) + 1));
        drop(pool.buffer((16 << 20) + 1));
        assert_eq!((pool.stats().misses, pool.stats().live_blocks), (2, 0));
    }

    #[test]
    fn buffers_outlive_the_pool_handle() {
        let buffer = Pool::new().buffer(10);
        assert_eq!(buffer.len(), 10);
    }
}
