//! Attention by hand, and it and its gradients against candle's own operations.

use candle_core::{Device, Var};

use super::{back::stretches, *};
use crate::brain::model::batch::Batch;

fn flat(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn waves(rows: usize, width: usize, step: f32) -> Var {
    let numbers: Vec<f32> = (0..rows * width).map(|i| (i as f32 * step).sin()).collect();
    Var::from_tensor(&Tensor::from_vec(numbers, (rows, width), &Device::Cpu).unwrap()).unwrap()
}

#[test]
fn rows_are_cut_where_nothing_is_seen() {
    let mut batch = forest();
    batch.push(&[0], &[]);
    assert_eq!(stretches(&batch.sights), [0..8, 8..11, 11..13, 13..14]);
    assert!(stretches(&[]).is_empty());
}

fn forest() -> Batch {
    let mut batch = Batch::default();
    batch.push(&[0; 5], &[vec![1, 2], vec![3]]);
    batch.push(&[0; 3], &[]);
    // Begins with three rows of the first.
    batch.push_beside(&[0; 4], &[vec![2]], 0);
    batch
}

#[test]
fn one_head_by_hand() {
    // Scores 0 and ln 3: weights 1/4 and 3/4.
    let layer = Attention { heads: 1, kv_heads: 1, head: 1, scale: 1.0, window: None };
    let tensor = |numbers: [f32; 2]| Tensor::from_slice(&numbers, (2, 1), &Device::Cpu).unwrap();
    let (q, k, v) = (tensor([1.0, 1.0]), tensor([0.0, 3_f32.ln()]), tensor([8.0, 16.0]));
    let out = flat(&layer.attend(&q, &k, &v, &Batch::of(&[0, 0]).sights).unwrap());
    assert!((out[0] - 8.0).abs() < 1e-6 && (out[1] - 14.0).abs() < 1e-5, "{out:?}");
}

#[test]
fn forward_and_gradients_equal_candles_own_operations() {
    for window in [None, Some(3)] {
        let layer = Attention { heads: 4, kv_heads: 2, head: 3, scale: 0.7, window };
        let batch = forest();
        let rows = batch.rows();
        let (q, k, v) = (waves(rows, 12, 0.7), waves(rows, 6, 1.3), waves(rows, 6, 2.1));
        let (fast, slow) = (
            layer.attend(&q, &k, &v, &batch.sights).unwrap(),
            layer.attend_on_any_device(&q, &k, &v, &batch.sights).unwrap(),
        );
        let close = |a: &Tensor, b: &Tensor, what: &str| {
            let far = flat(a).iter().zip(flat(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-5, "{what}: {far}");
        };
        close(&fast, &slow, "forward");
        let loss = |y: &Tensor| (y * waves(rows, 12, 0.31).as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
        let (fast, slow) = (loss(&fast), loss(&slow));
        for (x, what) in [(&q, "q"), (&k, "k"), (&v, "v")] {
            close(fast.get(x).unwrap(), slow.get(x).unwrap(), what);
        }
    }
}

/// More rows than go at a time, in sequences that branch and begin alike, heads of several lengths, windows that hide parts of what is
/// seen, and rows whose result nobody reads.
#[test]
fn gradients_of_long_sequences_equal_candles_own_operations() {
    let batch = long();
    let rows = batch.rows();
    assert!(rows > 100 && rows < 149, "{rows}");
    for (window, head) in [(None, 64), (Some(20), 20), (Some(50), 8), (None, 20)] {
        let layer = Attention { heads: 4, kv_heads: 2, head, scale: 0.3, window };
        let (width, kv_width) = (4 * head, 2 * head);
        let (q, k, v) = (waves(rows, width, 0.7), waves(rows, kv_width, 1.3), waves(rows, kv_width, 2.1));
        let read: Vec<f32> =
            (0..rows * width).map(|i| ((i / width % 3 != 0) as u8 as f32) * (i as f32 * 0.31).sin()).collect();
        let read = Tensor::from_vec(read, (rows, width), &Device::Cpu).unwrap();
        let gradients = |y: Tensor| (y * &read).unwrap().sum_all().unwrap().backward().unwrap();
        let fast = gradients(layer.attend(&q, &k, &v, &batch.sights).unwrap());
        let slow = gradients(layer.attend_on_any_device(&q, &k, &v, &batch.sights).unwrap());
        for (x, what) in [(&q, "q"), (&k, "k"), (&v, "v")] {
            let (fast, slow) = (flat(fast.get(x).unwrap()), flat(slow.get(x).unwrap()));
            let far = fast.iter().zip(&slow).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let most = slow.iter().map(|b| b.abs()).fold(0.0, f32::max);
            assert!(far < 2e-5 * most, "{what}, window {window:?}, head {head}: {far} of {most}");
        }
    }
}

/// Sequences that are longer than goes at a time, branch, and begin alike.
fn long() -> Batch {
    let mut batch = Batch::default();
    batch.push(&[0; 70], &[vec![1, 2], vec![3]]);
    batch.push(&[5; 3], &[]);
    batch.push_beside(&[&[0; 40][..], &[7; 30]].concat(), &[vec![2], vec![4, 4]], 0);
    batch
}

#[test]
fn rows_that_see_alone_or_one_by_one_come_to_the_same() {
    let batch = long();
    let rows = batch.rows();
    for (window, head) in [(None, 16), (Some(20), 20), (Some(50), 8), (None, 64)] {
        let layer = Attention { heads: 4, kv_heads: 2, head, scale: 0.3, window };
        let width = 4 * head;
        let [q, k, v] =
            [(width, 0.7), (2 * head, 1.3), (2 * head, 2.1)].map(|(width, step)| flat(&waves(rows, width, step)));
        let all = layer.attend_rows(&q, &k, &v, &batch.sights, None).unwrap();
        // The first and the last row of all, some that lie side by side, and none of the second sequence.
        let some: Vec<u32> = (0..rows as u32).filter(|row| row % 9 < 2 && !(73..76).contains(row)).collect();
        assert!(some.contains(&0) && some.len() > 20, "{some:?}");
        let only = |all: &[f32]| some.iter().flat_map(|row| all[*row as usize * width..][..width].to_vec()).collect();
        let (own, expected): (Vec<f32>, Vec<f32>) = (only(&q), only(&all));
        assert_eq!(layer.attend_rows(&own, &k, &v, &batch.sights, Some(&some)).unwrap(), expected, "to the bit");
        let op = Attend { layer: layer.clone(), sights: Arc::clone(&batch.sights) };
        let by_row = op.all_rows(&op.inputs(&q, &k, &v, rows).unwrap(), rows);
        let far = all.iter().zip(&by_row).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-5, "window {window:?}, head {head}: {far}");
        // Some see where every row has a key, and not where others have some, too.
        let more = [&k[..], &k[..2 * head]].concat();
        assert!(layer.attend_rows(&own, &more, &more, &batch.sights, Some(&some)).is_err());
        assert!(layer.attend_rows(&own, &k, &v, &batch.sights, None).is_err());
    }
}

#[test]
fn shapes_that_do_not_fit_are_an_error() {
    let layer = Attention { heads: 2, kv_heads: 1, head: 2, scale: 1.0, window: None };
    let (q, k) = (waves(3, 4, 1.0), waves(2, 2, 1.0));
    assert!(layer.attend(&q, &k, &k, &Batch::of(&[0; 3]).sights).is_err());
}
