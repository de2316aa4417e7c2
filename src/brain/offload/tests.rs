//! Numbers that are put aside, and come back.

use super::*;

fn numbers(from: u32, len: u32) -> Arc<Vec<f32>> {
    Arc::new((from..from + len).map(|bits| f32::from_bits(bits.wrapping_mul(0x0100_0193))).collect())
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

fn length(offload: &Offload) -> u64 {
    open(&offload.0.as_ref().unwrap().file).metadata().unwrap().len()
}

#[test]
fn numbers_come_back_bit_for_bit_from_their_own_places() {
    let offload = Offload::to_file();
    // More than go through at once, none, and a few; among them numbers that are no numbers.
    let all = [numbers(1, 2 * CHUNK as u32 + 3), Arc::default(), numbers(0x7f80_0000, 5)];
    let (kept, others) = (offload.put(&all), offload.put(&[numbers(9, 7)]));
    for (kept, numbers) in kept.iter().zip(&all) {
        assert!(matches!(kept, Kept::Away(..)));
        assert_eq!((bits(&kept.read().unwrap()), kept.len(), kept.bytes()), (bits(numbers), numbers.len(), 0));
    }
    assert_eq!(bits(&others[0].read().unwrap()), bits(&numbers(9, 7)));
    assert_ne!(kept[0].place(), kept[2].place());
    assert_eq!(length(&offload), ((2 * CHUNK + 3 + 5 + 7) * BYTES) as u64);
}

#[test]
fn places_are_used_again_when_nobody_needs_them() {
    let offload = Offload::to_file();
    let first = offload.put(&[numbers(1, 10), numbers(2, 20)]);
    let second = offload.put(&[numbers(3, 30)]);
    let before = length(&offload);
    let half = first[1].clone();
    drop(first);
    let third = offload.put(&[numbers(4, 30)]);
    assert_eq!(length(&offload), 2 * before - before / 2, "a part of the block was still needed");
    drop(half);
    let fourth = offload.put(&[numbers(5, 15), numbers(6, 15)]);
    assert_eq!(length(&offload), 3 * before / 2, "it fits where the first was");
    let of = |kept: &[Kept]| kept.iter().flat_map(|kept| bits(&kept.read().unwrap())).collect::<Vec<_>>();
    assert_eq!(of(&second), bits(&numbers(3, 30)));
    assert_eq!(of(&third), bits(&numbers(4, 30)));
    assert_eq!(of(&fourth), [bits(&numbers(5, 15)), bits(&numbers(6, 15))].concat());
}

#[test]
fn without_a_file_that_takes_them_numbers_stay_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("read only");
    std::fs::write(&path, []).unwrap();
    for offload in [Offload::default(), Offload::into(Some(File::open(&path).unwrap()))] {
        let (all, shared) = ([numbers(1, 4), numbers(2, 3)], numbers(3, 6));
        let kept = offload.put(&all);
        assert!(
            kept.iter().zip(&all).all(|(kept, numbers)| matches!(kept, Kept::Here(own) if Arc::ptr_eq(own, numbers)))
        );
        let adapter = Adapter { pairs: vec![Pair { a: shared, b: numbers(5, 2) }] };
        assert_eq!(offload.adapter(&adapter.clone().into(), true).read().unwrap(), adapter);
    }
}

#[test]
fn adapters_and_moments_are_what_they_were() {
    let offload = Offload::to_file();
    let pair = |at: u32| Pair { a: Arc::new(vec![at as f32; 4]), b: Arc::new(vec![-0.5, at as f32]) };
    let adapter = Adapter { pairs: vec![pair(1), pair(2)] };
    for (owns_a, in_memory) in [(true, 0), (false, 2 * 4 * BYTES)] {
        let kept = offload.adapter(&adapter.clone().into(), owns_a);
        assert_eq!(offload.adapter(&kept, owns_a).places(), kept.places(), "away already");
        let read = kept.read().unwrap();
        assert_eq!((&read, kept.size()), (&adapter, adapter.bytes()));
        assert_eq!(kept.pairs.iter().flatten().map(Kept::bytes).sum::<usize>(), in_memory);
        assert_eq!(Arc::ptr_eq(&read.pairs[1].a, &adapter.pairs[1].a), !owns_a, "what is shared stays shared");
    }
    let kept = |number: f32| Kept::from(vec![number; 3]);
    let moments = Moments { steps: 7, first: vec![kept(1.0), kept(2.0)], second: vec![kept(3.0), kept(4.0)] };
    let away = offload.moments(moments.clone());
    assert_eq!((&away, away.bytes(), moments.bytes()), (&moments, 0, 12 * BYTES));
    assert_eq!(offload.moments(away.clone()).first[1].place(), away.first[1].place(), "away already");
    assert_ne!(away, Moments { second: vec![kept(3.0), kept(4.5)], ..moments });
}

#[test]
fn a_file_that_was_cut_off_is_an_error() {
    let offload = Offload::to_file();
    let kept = offload.put(&[numbers(1, 10)]);
    open(&offload.0.as_ref().unwrap().file).set_len(8).unwrap();
    let error = kept[0].read().unwrap_err().to_string();
    assert!(error.contains("OFFLOAD=false"), "{error}");
    assert_ne!(kept[0], kept[0].clone(), "what cannot be read equals nothing");
}
