//! The instructions of x86-64 processors that multiply bytes, and what is made with them.
//!
//! This module does *not* know what is multiplied.

use std::arch::{asm, x86_64::*};

use super::{
    instructions::Instructions,
    int8::Job,
    panel::{Panel, WholeRows},
    tile::{self, lanes},
};

lanes! {
    /// AVX-512 VNNI.
    Zmm {
        16 lanes of __m512i and __m512, steps |_| 8,
        fours(at: *const u32) -> __m512i = _mm512_loadu_si512(at.cast());
        four(at: *const [i8; 4]) -> __m512i = _mm512_set1_epi32(at.cast::<i32>().read_unaligned());
        whole(at: *const i32) -> __m512i = _mm512_set1_epi32(*at);
        begin(start: __m512i) -> __m512i = start;
        step(sum: __m512i, w: __m512i, x: __m512i, _most: u32) -> __m512i = _mm512_dpbusd_epi32(sum, w, x);
        end(sum: __m512i, _start: __m512i, _most: u32, _upper: bool) -> __m512i = sum;
        reals(at: *const f32) -> __m512 = _mm512_loadu_ps(at);
        real(at: *const f32) -> __m512 = _mm512_set1_ps(*at);
        plus(sum: __m512, whole: __m512i, w: __m512, x: __m512) -> __m512 =
            _mm512_add_ps(sum, _mm512_mul_ps(_mm512_cvtepi32_ps(whole), _mm512_mul_ps(w, x)));
        minus(sum: __m512, w: __m512, x: __m512) -> __m512 = _mm512_sub_ps(sum, _mm512_mul_ps(w, x));
        zero() -> __m512 = _mm512_setzero_ps();
        store(at: *mut f32, numbers: __m512) -> () = _mm512_storeu_ps(at, numbers);
        ahead(at: *const f32) -> () = _mm_prefetch::<_MM_HINT_ET0>(at.cast());
    }
}

/// The same for registers of 256 bits, which differ in how bytes are multiplied.
macro_rules! ymm {
    ($(#[doc = $doc:literal])+ $name:ident, $steps:expr, $($differs:tt)+) => {
        lanes! {
            $(#[doc = $doc])+
            $name {
                8 lanes of __m256i and __m256, steps $steps,
                $($differs)+
                fours(at: *const u32) -> __m256i = _mm256_loadu_si256(at.cast());
                four(at: *const [i8; 4]) -> __m256i = _mm256_set1_epi32(at.cast::<i32>().read_unaligned());
                whole(at: *const i32) -> __m256i = _mm256_set1_epi32(*at);
                reals(at: *const f32) -> __m256 = _mm256_loadu_ps(at);
                real(at: *const f32) -> __m256 = _mm256_set1_ps(*at);
                plus(sum: __m256, whole: __m256i, w: __m256, x: __m256) -> __m256 =
                    _mm256_add_ps(sum, _mm256_mul_ps(_mm256_cvtepi32_ps(whole), _mm256_mul_ps(w, x)));
                minus(sum: __m256, w: __m256, x: __m256) -> __m256 = _mm256_sub_ps(sum, _mm256_mul_ps(w, x));
                zero() -> __m256 = _mm256_setzero_ps();
                store(at: *mut f32, numbers: __m256) -> () = _mm256_storeu_ps(at, numbers);
                ahead(at: *const f32) -> () = _mm_prefetch::<_MM_HINT_ET0>(at.cast());
            }
        }
    };
}

ymm! {
    /// AVX-VNNI.
    Vnni, |_| 8,
    begin(start: __m256i) -> __m256i = start;
    step(sum: __m256i, w: __m256i, x: __m256i, _most: u32) -> __m256i = _mm256_dpbusd_avx_epi32(sum, w, x);
    end(sum: __m256i, _start: __m256i, _most: u32, _upper: bool) -> __m256i = sum;
}

ymm! {
    /// AVX2. Pairs of products are summed in 16 bits, as long as they fit: a step adds 2 · 127 · 15 at most for numbers up to 15, eight
    /// of which are below 2¹⁵, and so on. Bytes come as signed ones (`Form::Signed`): a pair's products are 2 · 127 · 128 at most, which is
    /// below 2¹⁵, and go to sums in 32 bits at once. These hold what the start would subtract already, and are of a whole block.
    Ymm, |most| match most { 16..=31 => 4, 32..=63 => 2, _ => 8 },
    begin(_start: __m256i) -> __m256i = _mm256_setzero_si256();
    step(sum: __m256i, w: __m256i, x: __m256i, most: u32) -> __m256i = if most > 63 {
        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
        summed(_mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))))
    } else {
        summed(_mm256_add_epi16(sum, _mm256_maddubs_epi16(w, x)))
    };
    end(sum: __m256i, start: __m256i, most: u32, _upper: bool) -> __m256i = if most > 63 {
        sum
    } else {
        _mm256_add_epi32(start, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)))
    };
}

/// The same sum, of which the compiler does not know what it is made of: it would add up products in another order, and run out of
/// registers.
///
/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn summed(mut sum: __m256i) -> __m256i {
    // SAFETY: nothing is done.
    unsafe { asm!("/* {0} */", inout(ymm_reg) sum, options(pure, nomem, nostack, preserves_flags)) };
    sum
}

/// [`tile::run`] with AVX-512 VNNI.
///
/// # Safety
/// The processor has it; and as [`Job`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn avx512_vnni<W: WholeRows>(job: &Job<W>, panel: &mut Panel) {
    // SAFETY: the caller's promises.
    unsafe { tile::run::<Zmm, W, { Instructions::Avx512Vnni.rows() }>(job, panel) }
}

/// [`tile::run`] with AVX-VNNI.
///
/// # Safety
/// The processor has it; and as [`Job`].
#[target_feature(enable = "avx2,avxvnni")]
pub(super) unsafe fn avx_vnni<W: WholeRows>(job: &Job<W>, panel: &mut Panel) {
    // SAFETY: the caller's promises.
    unsafe { tile::run::<Vnni, W, { Instructions::AvxVnni.rows() }>(job, panel) }
}

/// [`tile::run`] with AVX2.
///
/// # Safety
/// The processor has it; and as [`Job`].
#[target_feature(enable = "avx2")]
pub(super) unsafe fn avx2<W: WholeRows>(job: &Job<W>, panel: &mut Panel) {
    // SAFETY: the caller's promises.
    unsafe { tile::run::<Ymm, W, { Instructions::Avx2.rows() }>(job, panel) }
}
