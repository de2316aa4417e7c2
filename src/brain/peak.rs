//! How fast this machine multiplies dense f32 matrices: the limit against which decisions and lessons are held.
//!
//! This module does *not* know models, or what is done with the figure.

use std::{hint::black_box, time::Instant};

use super::kernel::{Factor, multiply};

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

/// What one thread reaches with one shape.
fn thread_flops([rows, inner, width]: [usize; 3], seconds: f64) -> f64 {
    let numbers = |len: usize| (0..len).map(|at| (at % 31) as f32 / 31.0 - 0.5).collect::<Vec<_>>();
    let (x, w, mut out) = (numbers(rows * inner), numbers(width * inner), vec![0.0; rows * width]);
    let (begun, mut fastest, mut done) = (Instant::now(), f64::INFINITY, 0);
    while done < LEAST || begun.elapsed().as_secs_f64() < seconds {
        let one = Instant::now();
        multiply(Factor::new(&x, rows, inner), Factor::new(&w, width, inner).t(), &mut out, None);
        black_box(&mut out);
        if done > 0 {
            fastest = fastest.min(one.elapsed().as_secs_f64());
        }
        done += 1;
    }
    2.0 * (rows * inner * width) as f64 / fastest
}
