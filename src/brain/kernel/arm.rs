//! The instructions of 64-bit ARM processors that multiply bytes, and what is made with them.
//!
//! This module does *not* know what is multiplied.

use std::arch::{aarch64::*, asm};

use super::{
    instructions::Instructions,
    int8::Job,
    panel::{Panel, WholeRows},
    tile::{self, lanes},
};

/// Two registers of four numbers each.
type Wholes = [int32x4_t; 2];
/// The same of real numbers.
type Reals = [float32x4_t; 2];

/// Sums, and the products of four signed bytes with four. The standard library does not have this instruction yet (issue 117224).
///
/// # Safety
/// The processor has it.
#[inline(always)]
unsafe fn dot(mut sum: int32x4_t, w: int32x4_t, x: int32x4_t) -> int32x4_t {
    // SAFETY: the caller's promise; nothing but the sum changes.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {w:v}.16b, {x:v}.16b",
            sum = inout(vreg) sum,
            w = in(vreg) w,
            x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

lanes! {
    /// NEON with products of signed bytes. Whole numbers beyond 127 come in halves.
    Dot {
        8 lanes of Wholes and Reals, steps |most| if most < 128 { 8 } else { 0 },
        fours(at: *const u32) -> Wholes =
            [vld1q_s32(at.cast()), vld1q_s32(at.add(4).cast())];
        four(at: *const [i8; 4]) -> Wholes = [vdupq_n_s32(at.cast::<i32>().read_unaligned()); 2];
        whole(at: *const i32) -> Wholes = [vdupq_n_s32(*at); 2];
        begin(_start: Wholes) -> Wholes = [vdupq_n_s32(0); 2];
        step(sum: Wholes, w: Wholes, x: Wholes, _most: u32) -> Wholes = [dot(sum[0], w[0], x[0]), dot(sum[1], w[1], x[1])];
        end(sum: Wholes, start: Wholes, _most: u32, upper: bool) -> Wholes = if upper {
            [vaddq_s32(start[0], vshlq_n_s32::<4>(sum[0])), vaddq_s32(start[1], vshlq_n_s32::<4>(sum[1]))]
        } else {
            [vaddq_s32(start[0], sum[0]), vaddq_s32(start[1], sum[1])]
        };
        reals(at: *const f32) -> Reals = [vld1q_f32(at), vld1q_f32(at.add(4))];
        real(at: *const f32) -> Reals = [vdupq_n_f32(*at); 2];
        plus(sum: Reals, whole: Wholes, w: Reals, x: Reals) -> Reals = [
            vaddq_f32(sum[0], vmulq_f32(vcvtq_f32_s32(whole[0]), vmulq_f32(w[0], x[0]))),
            vaddq_f32(sum[1], vmulq_f32(vcvtq_f32_s32(whole[1]), vmulq_f32(w[1], x[1]))),
        ];
        minus(sum: Reals, w: Reals, x: Reals) -> Reals =
            [vsubq_f32(sum[0], vmulq_f32(w[0], x[0])), vsubq_f32(sum[1], vmulq_f32(w[1], x[1]))];
        zero() -> Reals = [vdupq_n_f32(0.0); 2];
        store(at: *mut f32, numbers: Reals) -> () = {
            vst1q_f32(at, numbers[0]);
            vst1q_f32(at.add(4), numbers[1]);
        };
        ahead(_at: *const f32) -> () = ();
    }
}

/// [`tile::run`] with NEON and products of bytes.
///
/// # Safety
/// The processor has them; and as [`Job`].
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn neon_dot<W: WholeRows>(job: &Job<W>, panel: &mut Panel) {
    // SAFETY: the caller's promises.
    unsafe { tile::run::<Dot, W, { Instructions::NeonDot.rows() }>(job, panel) }
}
