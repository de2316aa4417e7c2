//! How fast this machine multiplies dense matrices, in f32 and in int8: the limits against which decisions and lessons are held.
//!
//! This module does *not* know models, or what is done with the figure.

use std::{hint::black_box, time::Instant};

use rayon::ThreadPoolBuilder;

use super::kernel::{self, Code, Factor, Rounded, WholeRows, multiply, product_rounded};

/// Shapes that are tried, of which the fastest counts: rows, entries of a row, columns of the result. The first is a layer of
/// SmolLM-135M for twenty agents; the others are as wide as the caches of usual processors like them.
const SHAPES: [[usize; 3]; 3] = [[480, 576, 1536], [512, 512, 512], [768, 384, 768]];
/// Products of a shape that are done at least, the first of which only warms up.
const LEAST: u32 = 3;

/// The most floating-point operations per second (a multiplication and an addition are two) that `threads` threads reach
/// together, each with f32 matrices of its own, in products of the crate `gemm`: for each thread the fastest product of the
/// best shape within about `seconds` seconds.
pub fn peak_flops(threads: usize, seconds: f64) -> f64 {
    let each = seconds / SHAPES.len() as f64;
    let of_shape = |shape: [usize; 3]| {
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(move || thread_flops(shape, each))).collect();
            runs.into_iter().filter_map(|run| run.join().ok()).sum::<f64>()
        })
    };
    SHAPES.into_iter().map(of_shape).fold(0.0, f64::max)
}

/// The most operations per second (a multiplication and an addition are two) that `threads` threads reach together in this program's own
/// products of int8 with bytes: the fastest of the best shape within about `seconds` seconds; 0 where the system gives no threads. What it
/// takes to round activations does not count.
pub fn peak_int8(threads: usize, seconds: f64) -> f64 {
    let Ok(pool) = ThreadPoolBuilder::new().num_threads(threads).build() else { return 0.0 };
    let each = seconds / SHAPES.len() as f64;
    SHAPES.into_iter().map(|shape| pool.install(|| int8_rate(shape, each))).fold(0.0, f64::max)
}

/// The names of the processor's instructions that this program's own products use: in f32, and in int8.
pub fn instructions() -> [&'static str; 2] {
    kernel::instructions()
}

/// Weights that are bytes, all with one scale.
struct Bytes {
    inner: usize,
    numbers: Vec<u8>,
}

impl WholeRows for Bytes {
    fn code(&self) -> Code {
        Code::Eight
    }

    fn unpack(&self, row: usize, numbers: &mut [u8], scales: &mut [f32], _: &mut [f32]) {
        numbers.copy_from_slice(&self.numbers[row * self.inner..][..self.inner]);
        scales.fill(0.01);
    }
}

/// Numbers that are not all the same.
fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|at| (at % 31) as f32 / 31.0 - 0.5).collect()
}

/// What a pool reaches with one shape in int8.
fn int8_rate([rows, inner, width]: [usize; 3], seconds: f64) -> f64 {
    let weights = Bytes { inner, numbers: (0..width * inner).map(|at| (at % 251) as u8).collect() };
    let mut x = Rounded::default();
    x.fill(&numbers(rows * inner), inner);
    fastest([rows, inner, width], seconds, |out| product_rounded(&mut x, &weights, out, width, false))
}

/// What one thread reaches with one shape.
fn thread_flops([rows, inner, width]: [usize; 3], seconds: f64) -> f64 {
    let (x, w) = (numbers(rows * inner), numbers(width * inner));
    let (x, w) = (Factor::new(&x, rows, inner), Factor::new(&w, width, inner).t());
    fastest([rows, inner, width], seconds, |out| multiply(x, w, out, None))
}

/// Operations per second of the fastest of some products `[rows, width]`, of rows of `inner` numbers.
fn fastest([rows, inner, width]: [usize; 3], seconds: f64, mut product: impl FnMut(&mut [f32])) -> f64 {
    let mut out = vec![0.0; rows * width];
    let (begun, mut fastest, mut done) = (Instant::now(), f64::INFINITY, 0);
    while done < LEAST || begun.elapsed().as_secs_f64() < seconds {
        let one = Instant::now();
        product(&mut out);
        black_box(&mut out);
        if done > 0 {
            fastest = fastest.min(one.elapsed().as_secs_f64());
        }
        done += 1;
    }
    2.0 * (rows * inner * width) as f64 / fastest
}
