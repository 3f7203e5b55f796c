use super::*;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Counts what was dropped.
struct Counted(Arc<AtomicU32>, u32);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Object for Counted {
    const KIND: u8 = 1;
}

/// Of another kind.
struct Other;

impl Object for Other {
    const KIND: u8 = 2;
}

fn table<T: Object>() -> &'static Table<T> {
    Box::leak(Box::new(Table::new()))
}

#[test]
fn an_object_goes_with_its_handle_and_the_handle_is_good_for_nothing_then() {
    let (table, dropped) = (table(), Arc::new(AtomicU32::new(0)));
    let id = table.insert(Counted(dropped.clone(), 7)).ok().expect("room");
    assert_eq!(table.pin(id).map(|o| o.1), Some(7));
    assert!(table.release(id));
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    assert!(!table.release(id) && table.pin(id).is_none() && table.take(id).is_none());
    assert_eq!(table.live(), 0);
}

#[test]
fn a_pin_outlives_the_handle() {
    let (table, dropped) = (table(), Arc::new(AtomicU32::new(0)));
    let id = table.insert(Counted(dropped.clone(), 1)).ok().expect("room");
    let pin = table.pin(id).expect("it is there");
    assert!(table.release(id) && !table.release(id) && table.pin(id).is_none());
    assert_eq!((dropped.load(Ordering::SeqCst), pin.1), (0, 1));
    drop(pin);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn what_is_taken_out_has_no_handle_until_it_is_put_back() {
    let (table, dropped) = (table(), Arc::new(AtomicU32::new(0)));
    let id = table.insert(Counted(dropped.clone(), 5)).ok().expect("room");
    let (hole, value) = table.take(id).expect("nobody uses it");
    assert!(table.pin(id).is_none() && !table.release(id));
    hole.fill(value);
    assert_eq!(table.pin(id).map(|o| o.1), Some(5));
    let pin = table.pin(id);
    assert!(table.take(id).is_none(), "it is in use");
    drop(pin);
    let (hole, value) = table.take(id).expect("nobody uses it");
    drop((hole, value));
    assert_eq!((dropped.load(Ordering::SeqCst), table.live()), (1, 0));
}

#[test]
fn handles_of_other_kinds_other_generations_and_random_bits_stand_for_nothing() {
    let (table, other) = (table(), table::<Other>());
    let dropped = Arc::new(AtomicU32::new(0));
    let id = table.insert(Counted(dropped.clone(), 1)).ok().expect("room");
    assert!(other.pin(id).is_none());
    let of_other = other.insert(Other).ok().expect("room");
    assert!(table.pin(of_other).is_none() && !table.release(of_other));
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for _ in 0..100_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        assert!(state == id || table.pin(state).is_none());
    }
    for bit in 0..64 {
        assert!(table.pin(id ^ (1 << bit)).is_none(), "bit {bit}");
    }
    assert!(table.release(id));
}

#[test]
fn a_slot_is_used_again_only_after_all_others() {
    let (table, dropped) = (table(), Arc::new(AtomicU32::new(0)));
    let first = table.insert(Counted(dropped.clone(), 1)).ok().expect("room");
    table.release(first);
    let mut seen = vec![index_of(first)];
    for _ in 1..CHUNK {
        let id = table.insert(Counted(dropped.clone(), 1)).ok().expect("room");
        assert!(!seen.contains(&index_of(id)));
        seen.push(index_of(id));
        table.release(id);
    }
    let again = table.insert(Counted(dropped.clone(), 1)).ok().expect("room");
    assert_eq!(index_of(again), index_of(first));
    assert_ne!(again, first);
}

#[test]
fn a_table_grows_and_shrinks_without_mixing_objects_up() {
    let (table, dropped) = (table(), Arc::new(AtomicU32::new(0)));
    let ids: Vec<u64> =
        (0..3000).map(|n| table.insert(Counted(dropped.clone(), n)).ok().expect("room")).collect();
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(table.pin(*id).map(|o| o.1 as usize), Some(n));
    }
    ids.iter().for_each(|id| assert!(table.release(*id)));
    assert_eq!((dropped.load(Ordering::SeqCst), table.live()), (3000, 0));
}

#[test]
fn threads_that_use_release_and_take_one_handle_drop_its_object_once() {
    let table = table();
    for _ in 0..2000 {
        let dropped = Arc::new(AtomicU32::new(0));
        let id = table.insert(Counted(dropped.clone(), 9)).ok().expect("room");
        let threads: Vec<_> = (0..4)
            .map(|n| {
                std::thread::spawn(move || match n {
                    0 | 1 => table.release(id),
                    2 => table.pin(id).is_some_and(|o| o.1 == 9),
                    _ => table.take(id).is_some_and(|(_, o)| o.1 == 9),
                })
            })
            .collect();
        threads.into_iter().for_each(|t| {
            t.join().expect("no thread panics");
        });
        table.release(id);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }
    assert_eq!(table.live(), 0);
}
