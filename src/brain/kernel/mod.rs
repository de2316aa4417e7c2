//! The one place with unsafe code: matrix products on the processor, in f32 and in int8, what is done to each number, and how threads
//! share the work.
//!
//! This room does *not* know tensors, models or files; weights arrive some rows at a time.
#![allow(
    unsafe_code,
    reason = "the crate gemm takes pointers, instructions of the processor may be used only where it has them, threads write to parts of one \
              result, which is made of room that holds no numbers yet, and look at work that the caller has on its stack"
)]
#![allow(clippy::needless_range_loop, reason = "loops over registers are unrolled where they go by number")]

#[cfg(target_arch = "aarch64")]
mod arm;
mod factor;
mod instructions;
mod int8;
mod large;
mod outer;
mod panel;
mod portable;
mod product;
mod rounded;
mod team;
mod tile;
mod tiles;
mod turn;
mod wide;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(super) use factor::{Factor, multiply};
pub(super) use int8::{product_rounded, rounded_product};
pub(super) use large::{Back, Turned, is_large, product_turned, products_back, products_turned};
pub(super) use outer::{outer_product, to_registers};
pub(super) use panel::{BLOCK, Code, WholeRows};
pub(super) use product::{Rows, WeightRows, product, product_back};
pub(super) use rounded::Rounded;
pub(super) use team::{together, with_each};
pub(super) use tiles::Tiles;
pub(super) use wide::wide;

/// The names of the instructions that products are made with: those in f32, and those in int8.
pub(super) fn instructions() -> [&'static str; 2] {
    [wide::widest(), instructions::Instructions::best().name()]
}
