//! Tables for each join, and a naive oracle that sees all lanes as whole lists.

use super::*;
use proptest::prelude::*;

/// A number to know it by, and a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Item(u32, Option<i64>);

impl Timed for Item {
    fn pts(&self) -> Option<MediaTime> {
        self.1.map(MediaTime::from_nanos)
    }
    fn again(&self) -> Self {
        *self
    }
}

fn at(nanos: i64) -> MediaTime {
    MediaTime::from_nanos(nanos)
}

fn nearest(tolerance: i64) -> Join {
    Join::Nearest { tolerance: at(tolerance) }
}

/// What happens to the lanes, in order; a line of a table.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// On this lane comes something of this time, which is also its number.
    Put(usize, i64),
    Gap(usize, i64),
    End(usize),
    Force(i64),
}
use Op::{End, Force, Gap, Put};

/// Does it and says in words what follows.
fn step(lanes: &mut Lanes<Item>, op: Op) -> String {
    match op {
        Put(lane, time) => lanes.push(lane, Item(time as u32, Some(time))),
        Gap(lane, until) => lanes.gap(lane, at(until)),
        End(lane) => lanes.end(lane),
        Force(until) => lanes.force(at(until)),
    }
    let (mut set, mut words) = (Vec::new(), Vec::new());
    loop {
        words.push(match lanes.next(&mut set) {
            Ready::Packet(lane, item) => format!("{}:{}", lane, item.0),
            Ready::Set => {
                let set: Vec<_> =
                    set.iter().map(|i| i.map_or("-".to_owned(), |i| i.0.to_string())).collect();
                format!("({})", set.join(" "))
            }
            Ready::Unmatched(lane, item) => format!("!{}:{}", lane, item.0),
            Ready::Advance(until) => format!(">{}", until.nanos()),
            Ready::Ended => "end".to_owned(),
            Ready::Wait => return words.join(" "),
        });
    }
}

fn table(join: Join, lanes: usize, lines: &[(Op, &str)]) {
    let mut lanes = Lanes::new(join, lanes);
    for (line, (op, expected)) in lines.iter().enumerate() {
        assert_eq!(step(&mut lanes, *op), *expected, "{join:?}, line {line}: {op:?}");
    }
}

#[test]
fn any_gives_what_arrives_and_ends_with_the_last_lane() {
    table(
        Join::Any,
        2,
        &[
            (Put(1, 50), "1:50"),
            (Put(0, 10), "0:10"),
            (Gap(1, 90), ""),
            (Put(1, 70), "1:70"),
            (End(1), ""),
            (Put(0, 20), "0:20"),
            (End(0), "end"),
        ],
    );
    let mut lanes = Lanes::new(Join::Any, 2);
    for (lane, time) in [(1, 5), (0, 9), (0, 1), (1, 2)] {
        lanes.push(lane, Item(time, None));
    }
    assert_eq!(step(&mut lanes, Gap(0, 0)), "1:5 0:9 0:1 1:2", "also when it is asked late");
}

#[test]
fn ordered_waits_for_the_lane_that_lies_furthest_behind() {
    table(
        Join::Ordered,
        3,
        &[
            (Put(1, 10), ""),
            (Gap(2, 15), ""),
            // Lane 0 may bring nothing before 10 any more, but what it brings at 10 comes first.
            (Gap(0, 10), ">10"),
            (Put(0, 10), "0:10"),
            (Gap(0, 11), "1:10"),
            (Put(0, 20), ""),
            (Gap(1, 18), ">15"),
            (Gap(2, 18), ">18"),
            (Gap(2, 19), ""),
            (End(1), ">19"),
            (End(2), "0:20"),
            (Gap(0, 30), ">30"),
            (End(0), "end"),
        ],
    );
}

#[test]
fn a_forced_join_goes_on_without_the_silent_lane() {
    table(
        Join::Ordered,
        2,
        &[
            (Put(1, 10), ""),
            (Put(1, 20), ""),
            (Force(11), "1:10 >11"),
            (Force(21), "1:20"),
            // Late: it counts as at the bound that it had been given up to.
            (Put(0, 5), ""),
            (Gap(1, 22), "0:5"),
            (Force(99), ""),
        ],
    );
    table(Join::Exact, 2, &[(Put(0, 10), ""), (Force(10), ""), (Force(11), "!0:10")]);
    table(nearest(5), 2, &[(Put(0, 10), ""), (Force(15), ""), (Force(16), "!0:10")]);
    table(nearest(5), 2, &[(Put(1, 10), ""), (Force(15), ""), (Force(16), "!1:10")]);
}

#[test]
fn exact_gives_equal_times_and_drops_what_finds_no_partner() {
    table(
        Join::Exact,
        3,
        &[
            (Put(0, 10), ""),
            (Put(1, 10), ""),
            (Put(2, 10), "(10 10 10)"),
            (Put(0, 20), ""),
            (Put(1, 25), "!0:20"),
            (Put(2, 25), ""),
            (Gap(0, 25), ""),
            (Gap(0, 26), "!1:25 !2:25"),
            (Put(0, 30), ""),
            (Put(1, 30), ""),
            (End(1), ""),
            (Put(2, 30), "(30 30 30) end"),
            (Put(0, 40), "!0:40"),
            (End(0), ""),
            (End(2), ""),
        ],
    );
}

#[test]
fn exact_pairs_equal_times_one_by_one() {
    let ops = [(Put(0, 10), ""), (Put(0, 10), ""), (Put(1, 10), "(10 10)"), (Put(1, 11), "!0:10")];
    table(Join::Exact, 2, &ops);
}

#[test]
fn nearest_is_decided_as_soon_as_nothing_nearer_can_come() {
    table(
        nearest(5),
        2,
        &[
            (Put(0, 100), ""),
            (Gap(1, 105), ""),
            (Gap(1, 106), "!0:100"),
            // 107 serves 110 once nothing before 113 can come; of two as near the earlier one.
            (Put(1, 107), ""),
            (Put(0, 110), ""),
            (Gap(1, 112), ""),
            (Put(1, 113), "(110 107)"),
            // The same one again; what comes in between is nearer to nothing that follows.
            (Put(0, 114), ""),
            (Put(1, 130), "(114 113)"),
            (Put(1, 131), ""),
            (Put(1, 136), ""),
            (Put(0, 136), "!1:130 !1:131 (136 136)"),
            (Put(0, 137), ""),
            (Gap(1, 138), "(137 136)"),
            (Put(0, 140), ""),
            (End(1), "(140 136)"),
            (Put(0, 142), "!0:142 end"),
        ],
    );
}

#[test]
fn nearest_needs_a_partner_on_every_lane() {
    table(
        nearest(3),
        3,
        &[
            (Put(0, 10), ""),
            (Put(1, 10), ""),
            (Put(2, 14), "!0:10"),
            (Put(0, 12), ""),
            (Gap(1, 15), "(12 10 14)"),
            (Put(1, 11), ""),
            (Gap(0, 20), "!1:11"),
        ],
    );
}

#[test]
fn latest_arrived_never_waits() {
    table(
        Join::LatestArrived,
        3,
        &[
            (Put(0, 10), "(10 - -)"),
            (Put(1, 99), ""),
            (Put(0, 20), "(20 99 -)"),
            (Put(2, 5), ""),
            (Put(2, 6), "!2:5"),
            (Put(0, 30), "(30 99 6)"),
            (End(2), ""),
            (Put(1, 100), ""),
            (Put(0, 40), "(40 100 6)"),
            (Put(1, 101), ""),
            (End(0), "!1:101 end"),
            (Put(1, 102), "!1:102"),
        ],
    );
    let mut lanes = Lanes::new(Join::LatestArrived, 2);
    for (lane, number) in [(0, 1), (1, 2), (0, 3), (1, 4), (1, 5)] {
        lanes.push(lane, Item(number, None));
    }
    assert_eq!(step(&mut lanes, Gap(0, 0)), "(1 -) (3 2) !1:4", "also when it is asked late");
}

#[test]
fn barrier_gives_the_oldest_of_each_lane() {
    table(
        Join::Barrier,
        2,
        &[
            (Put(0, 10), ""),
            (Put(0, 20), ""),
            (Gap(1, 500), ""),
            (Put(1, 7), "(10 7)"),
            (End(1), "!0:20 end"),
        ],
    );
}

#[test]
fn it_says_what_it_waits_for_and_which_bound_would_help() {
    let look = |join, ops: &[Op]| {
        let mut lanes = Lanes::new(join, 3);
        ops.iter().for_each(|op| drop(step(&mut lanes, *op)));
        let (silent, awaited) = (lanes.waits_for().collect::<Vec<_>>(), lanes.awaited());
        let awaited = awaited.map(|(_, bound)| bound);
        // As soon as they get there, and not before, something comes out.
        for (before, enough) in [(1, false), (0, true)] {
            let Some(bound) = awaited else { continue };
            lanes.force(bound - at(before));
            let ready = lanes.next(&mut Vec::new());
            let comes = !matches!(ready, Ready::Wait | Ready::Advance(_));
            assert_eq!(comes, enough, "{join:?} {ops:?}: {ready:?}");
        }
        (silent, awaited.map(MediaTime::nanos))
    };
    let ops = [Put(1, 10), Gap(2, 12)];
    assert_eq!(look(Join::Any, &[]), (vec![], None));
    assert_eq!(look(Join::Ordered, &ops), (vec![0], Some(11)));
    assert_eq!(look(Join::Exact, &ops), (vec![], None), "lane 2 can bring no partner");
    assert_eq!(look(Join::Exact, &[Put(1, 10)]), (vec![0, 2], Some(11)));
    assert_eq!(look(Join::Barrier, &ops), (vec![0, 2], None));
    assert_eq!(look(Join::LatestArrived, &ops), (vec![], None));
    assert_eq!(look(nearest(4), &ops), (vec![0], Some(15)));
    assert_eq!(look(nearest(4), &[Put(0, 10), Put(1, 8), Gap(2, 12)]), (vec![1, 2], Some(15)));
}

#[test]
fn a_reset_forgets_all_but_the_ends_and_a_rewind_those_too() {
    let mut dropped = Vec::new();
    let mut lanes = Lanes::new(Join::Ordered, 2);
    for op in [End(1), Put(0, 100), Gap(0, 200)] {
        step(&mut lanes, op);
    }
    lanes.push(0, Item(7, Some(300)));
    lanes.clear(|lane, item| dropped.push((lane, item.0)));
    assert_eq!((dropped, lanes.len(0)), (vec![(0, 7)], 0));
    assert_eq!(step(&mut lanes, Gap(0, 5)), ">5", "what was told before is forgotten, too");
    assert_eq!(step(&mut lanes, Put(0, 10)), "0:10", "no bound is left, and lane 1 has ended");
    assert_eq!(step(&mut lanes, End(0)), "end");
    lanes.rewind(|_, _| panic!("nothing is there"));
    assert_eq!(step(&mut lanes, Put(0, 10)), "", "lane 1 is open again");
}

#[test]
fn what_has_served_is_not_dropped_but_kept_without_being_counted() {
    let mut lanes = Lanes::new(Join::LatestArrived, 2);
    step(&mut lanes, Put(1, 1));
    assert_eq!(lanes.len(1), 1);
    step(&mut lanes, Put(0, 1));
    assert_eq!(lanes.len(1), 0);
    assert_eq!(step(&mut lanes, Put(1, 2)), "");
    lanes.clear(|lane, item| assert_eq!((lane, item.0), (1, 2)));
    assert_eq!(step(&mut lanes, Put(0, 2)), "(2 -)", "a reset forgets that, too");
}

#[test]
fn without_lanes_it_has_ended() {
    for join in [Join::Any, Join::Ordered, Join::Exact, nearest(1), Join::LatestArrived] {
        let mut set = Vec::new();
        let mut lanes = Lanes::<Item>::new(join, 0);
        assert_eq!(lanes.next(&mut set), Ready::Ended);
        assert_eq!(lanes.next(&mut set), Ready::Wait);
    }
}

#[test]
fn times_at_the_end_of_the_scale_hang_nothing() {
    for join in [Join::Ordered, Join::Exact, nearest(i64::MAX), nearest(0)] {
        let mut lanes = Lanes::new(join, 2);
        let mut words = Vec::new();
        for op in [
            Put(0, i64::MIN),
            Put(1, i64::MAX),
            Put(0, i64::MAX),
            Put(1, i64::MIN),
            End(0),
            Put(1, i64::MAX),
            End(1),
        ] {
            words.push(step(&mut lanes, op));
        }
        assert_eq!(words.concat().matches("end").count(), 1, "{join:?}: {words:?}");
        assert_eq!((lanes.len(0), lanes.len(1)), (0, 0), "{join:?}");
    }
}

/// What one lane brings: packets (a step in time, or no time) and gaps. Then it ends.
type Script = Vec<(bool, Option<i64>)>;

fn scripts() -> impl Strategy<Value = Vec<Script>> {
    let time = prop_oneof![4 => (-2i64..8).prop_map(Some), 1 => Just(None)];
    let script = prop::collection::vec((prop::bool::weighted(0.8), time), 0..16);
    prop::collection::vec(script, 1..5)
}

fn joins() -> impl Strategy<Value = Join> {
    prop_oneof![
        Just(Join::Any),
        Just(Join::Ordered),
        Just(Join::Exact),
        (0i64..8).prop_map(nearest),
        Just(Join::LatestArrived),
        Just(Join::Barrier),
    ]
}

/// All that comes out, in the form in which runs are compared.
#[derive(Debug, Default, PartialEq)]
struct Output {
    packets: Vec<(usize, Item)>,
    sets: Vec<Vec<Option<Item>>>,
    /// Of each lane.
    unmatched: Vec<Vec<Item>>,
}

/// The lanes' items as lists, with their times as a join has them.
fn lists(scripts: &[Script]) -> Vec<Vec<(i64, Item)>> {
    let mut number = 0;
    let list = |script: &Script| {
        let (mut bound, mut time, mut list) = (None, 0, Vec::new());
        for (is_packet, step) in script {
            time += step.unwrap_or(0);
            let said = step.map(|_| time);
            if *is_packet {
                let counts_as = said.max(bound).unwrap_or(0);
                list.push((counts_as, Item(number, said)));
                bound = Some(counts_as);
                number += 1;
            } else {
                bound = bound.max(said);
            }
        }
        list
    };
    scripts.iter().map(list).collect()
}

/// The oracle for joins whose result does not depend on how lanes race.
fn oracle(join: Join, lists: &[Vec<(i64, Item)>]) -> Output {
    let mut out = Output::default();
    let mut used = std::collections::HashSet::new();
    let mut sets: Vec<Vec<Item>> = Vec::new();
    match join {
        Join::Ordered => {
            let mut all: Vec<_> = lists
                .iter()
                .enumerate()
                .flat_map(|(lane, list)| list.iter().map(move |(at, item)| (*at, lane, *item)))
                .collect();
            all.sort_by_key(|(at, lane, _)| (*at, *lane));
            out.packets = all.into_iter().map(|(_, lane, item)| (lane, item)).collect();
            used.extend(out.packets.iter().map(|(_, item)| *item));
        }
        Join::Barrier => {
            let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
            sets.extend((0..shortest).map(|n| lists.iter().map(|list| list[n].1).collect()));
        }
        Join::Exact => {
            let mut times: Vec<_> = lists.iter().flatten().map(|(at, _)| *at).collect();
            times.sort_unstable();
            times.dedup();
            for time in times {
                let equal = |list: &Vec<(i64, Item)>| -> Vec<Item> {
                    list.iter().filter(|(at, _)| *at == time).map(|(_, item)| *item).collect()
                };
                let equal: Vec<_> = lists.iter().map(equal).collect();
                let fewest = equal.iter().map(Vec::len).min().unwrap_or(0);
                sets.extend((0..fewest).map(|n| equal.iter().map(|items| items[n]).collect()));
            }
        }
        Join::Nearest { tolerance } => {
            for (time, first) in &lists[0] {
                let partner = |list: &Vec<(i64, Item)>| {
                    let near = list.iter().min_by_key(|(at, _)| at.abs_diff(*time))?;
                    (near.0.abs_diff(*time) <= tolerance.nanos() as u64).then_some(near.1)
                };
                let partners: Option<Vec<_>> = lists[1..].iter().map(partner).collect();
                sets.extend(partners.map(|rest| [vec![*first], rest].concat()));
            }
        }
        Join::Any | Join::LatestArrived => unreachable!("they depend on it"),
    }
    used.extend(sets.iter().flatten().copied());
    let unmatched = |list: &Vec<(i64, Item)>| -> Vec<Item> {
        list.iter().map(|(_, item)| *item).filter(|item| !used.contains(item)).collect()
    };
    out.unmatched = lists.iter().map(unmatched).collect();
    out.sets = sets.iter().map(|set| set.iter().copied().map(Some).collect()).collect();
    out
}

/// Feeds the scripts in an order that `choices` gives, asks now and then, and checks on the way
/// what holds for every join.
fn run(join: Join, scripts: &[Script], choices: &[usize]) -> Output {
    let items = lists(scripts);
    let mut out = Output { unmatched: vec![Vec::new(); scripts.len()], ..Output::default() };
    let mut lanes = Lanes::new(join, scripts.len());
    let mut at_op = vec![(0, 0, 0i64); scripts.len()];
    let (mut set, mut choices) = (Vec::new(), choices.iter().copied().cycle());
    let (mut ends, mut floor, mut seen) = (0, MediaTime::from_nanos(i64::MIN), Vec::new());
    let mut latest = vec![None; scripts.len()];
    let mut expected_by_arrival = Output::default();
    let mut open: Vec<usize> = (0..scripts.len()).collect();
    loop {
        if !open.is_empty() {
            let pick = choices.next().unwrap_or(0) % open.len();
            let lane = open[pick];
            let (op, packet, time) = &mut at_op[lane];
            match scripts[lane].get(*op) {
                Some((true, step)) => {
                    *time += step.unwrap_or(0);
                    let item = items[lane][*packet].1;
                    latest[lane] = Some(item);
                    expected_by_arrival.packets.push((lane, item));
                    if lane == 0 {
                        expected_by_arrival.sets.push(latest.clone());
                    }
                    lanes.push(lane, item);
                    *packet += 1;
                }
                Some((false, step)) => {
                    *time += step.unwrap_or(0);
                    if step.is_some() {
                        lanes.gap(lane, at(*time));
                    }
                }
                None => {
                    lanes.end(lane);
                    open.remove(pick);
                }
            }
            *op += 1;
            if !open.is_empty() && choices.next().unwrap_or(0) % 3 == 0 {
                continue;
            }
        }
        loop {
            match lanes.next(&mut set) {
                Ready::Packet(lane, item) => {
                    let packet = items[lane].iter().find(|(_, i)| *i == item);
                    let time = packet.map(|(time, _)| at(*time)).expect("it was pushed");
                    assert!(join == Join::Any || time >= floor, "nothing before {floor}");
                    floor = floor.max(time);
                    seen.push(item);
                    out.packets.push((lane, item));
                }
                Ready::Set => {
                    assert_eq!(set.len(), scripts.len());
                    seen.extend(set.iter().flatten());
                    out.sets.push(set.clone());
                }
                Ready::Unmatched(lane, item) => {
                    assert!(!seen.contains(&item), "dropped, but it was used");
                    out.unmatched[lane].push(item);
                }
                Ready::Advance(until) => {
                    assert!(join == Join::Ordered && until > floor, "news for those who wait");
                    floor = until;
                }
                Ready::Ended => ends += 1,
                Ready::Wait => break,
            }
        }
        // In = out + unmatched + queued, where what serves twice counts once.
        seen.sort();
        seen.dedup();
        let pushed: usize = at_op.iter().map(|(_, packets, _)| packets).sum();
        let queued: usize = (0..scripts.len()).map(|lane| lanes.len(lane)).sum();
        let dropped: usize = out.unmatched.iter().map(Vec::len).sum();
        assert_eq!(pushed, seen.len() + dropped + queued);
        if join != Join::LatestArrived {
            let waits = queued > 0;
            assert_eq!(waits, lanes.waits_for().next().is_some(), "it says for whom it waits");
        }
        if open.is_empty() {
            assert_eq!((ends, queued), (1, 0), "it ends, once, and nothing is left");
            break;
        }
    }
    match join {
        Join::Any => assert_eq!(out.packets, expected_by_arrival.packets),
        Join::LatestArrived => assert_eq!(out.sets, expected_by_arrival.sets),
        _ => {}
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_interleaving_gives_what_the_oracle_says_and_always_ends(
        join in joins(),
        scripts in scripts(),
        choices in prop::collection::vec(0usize..64, 1..80),
    ) {
        let out = run(join, &scripts, &choices);
        if !join.is_by_arrival() {
            prop_assert_eq!(out, oracle(join, &lists(&scripts)));
        }
    }
}
