//! Every part is made once, by whoever is there.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Barrier, Mutex},
};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::*;

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// How often each of some parts was made, and how many threads made them.
fn made(count: usize, slowly: bool) -> (Vec<usize>, usize) {
    let times: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let threads = Mutex::new(BTreeSet::new());
    in_parts(count, |at| {
        times[at].fetch_add(1, SeqCst);
        threads.lock().unwrap().extend(rayon::current_thread_index());
        if slowly {
            thread::sleep(std::time::Duration::from_millis(2));
        }
    });
    (times.into_iter().map(AtomicUsize::into_inner).collect(), threads.into_inner().unwrap().len())
}

#[test]
fn every_part_is_made_once() {
    for threads in 1..=4 {
        let pool = pool(threads);
        let all = || {
            for count in (0..20).chain([1000]) {
                assert_eq!(made(count, false).0, vec![1; count], "{threads} threads");
            }
        };
        pool.install(all);
        pool.install(|| together(all));
        // One team within another is the same team.
        pool.install(|| together(|| together(all)));
    }
    assert_eq!(made(9, false).0, [1; 9], "outside of a pool");
}

#[test]
fn all_threads_take_part() {
    // Another test may have a team just now.
    let all = || pool(3).install(|| together(|| made(60, true).1 == 3 && !TEAM.get().is_null()));
    assert!((0..1000).any(|_| all()));
}

#[test]
fn things_are_given_away_once() {
    let mut numbers = vec![0; 100];
    pool(2).install(|| {
        together(|| {
            with_each(usize::MAX, numbers.chunks_mut(7).enumerate(), |(at, some)| {
                some.iter_mut().for_each(|number| *number += at)
            });
        });
    });
    assert!((0..100).all(|at| numbers[at] == at / 7), "{numbers:?}");
}

/// Other work of the pool goes on meanwhile, from within a part's thread and beside it.
#[test]
fn the_pools_own_work_goes_on_beside_it() {
    let sum = || (0..1000_u64).into_par_iter().sum::<u64>();
    let found = pool(3).install(|| {
        together(|| {
            let sums = Mutex::new(vec![sum()]);
            in_parts(20, |_| sums.lock().unwrap().push(0));
            let (a, b) = rayon::join(sum, || together(|| (made(50, false).0.len() as u64, sum())));
            sums.lock().unwrap().extend([a, b.0, b.1]);
            sums.into_inner().unwrap()
        })
    });
    assert_eq!(found.iter().sum::<u64>(), 3 * 499_500 + 50);
}

#[test]
fn a_part_that_fails_is_not_kept_secret_and_the_pool_serves_on() {
    let pool = pool(2);
    for culprit in [0, 1, 30, 59] {
        let fails = || in_parts(60, |at| assert_ne!(at, culprit));
        assert!(catch_unwind(AssertUnwindSafe(|| pool.install(|| together(fails)))).is_err(), "part {culprit}");
        assert_eq!(pool.install(|| together(|| made(10, false).0)), [1; 10]);
    }
}

#[test]
fn nothing_goes_on_after_a_part_that_failed() {
    let pool = pool(2);
    for culprit in [0, 19] {
        let went_on = AtomicBool::new(false);
        let fails = || {
            in_parts(20, |at| {
                thread::sleep(std::time::Duration::from_millis(1));
                assert_ne!(at, culprit);
            });
            went_on.store(true, SeqCst);
        };
        assert!(catch_unwind(AssertUnwindSafe(|| pool.install(|| together(fails)))).is_err(), "part {culprit}");
        assert!(!went_on.into_inner(), "part {culprit}");
    }
}

#[test]
fn two_teams_at_once_do_not_wait_for_each_other() {
    let pool = pool(3);
    let teams = || (0..50).for_each(|_| assert_eq!(together(|| made(9, false).0), [1; 9]));
    pool.install(|| rayon::join(teams, || rayon::join(teams, teams)));
    thread::scope(|scope| {
        scope.spawn(|| pool.install(teams));
        scope.spawn(|| pool.install(teams));
    });
}

/// Both threads of a pool begin at the same moment: if each were to wait for the other, neither would end.
#[test]
fn whoever_comes_second_does_without_a_team() {
    let (told, end) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let (pool, meet) = (pool(2), Barrier::new(2));
        let both = || {
            meet.wait();
            assert_eq!(together(|| made(9, false).0), [1; 9]);
        };
        for _ in 0..100 {
            pool.install(|| rayon::join(both, both));
        }
        told.send(()).unwrap();
    });
    assert!(end.recv_timeout(Duration::from_secs(60)).is_ok(), "they wait for each other");
}

#[test]
fn a_stretch_is_taken_from_both_ends() {
    let Apart(stretch) = Stretch::new(3..7);
    let taken = [stretch.first(), stretch.last(), stretch.first(), stretch.last(), stretch.first(), stretch.last()];
    assert_eq!(taken, [Some(3), Some(6), Some(4), Some(5), None, None]);
}
