//! Weights in blocks of a GGML type, dequantised some rows and columns at a time.
//!
//! The types that most models come in have a way of their own here, without a copy between; all others go through candle's.
//!
//! This module does *not* know files.

use std::{borrow::Cow, ops::Range};

use candle_core::{
    CpuStorage, Result as CandleResult,
    quantized::{GgmlDType, QTensor},
};

use super::lanes::wide;
use crate::brain::kernel::WeightRows;

/// Weights of a block of Q4_0 and of Q8_0.
const BLOCK: usize = 32;

/// A matrix `[out, in]` in blocks of a GGML type.
pub(super) struct Blocks<'a> {
    data: Cow<'a, [u8]>,
    dtype: GgmlDType,
    row_bytes: usize,
}

impl<'a> Blocks<'a> {
    /// The blocks of a matrix on the processor.
    ///
    /// # Errors
    /// It is no matrix, or lies elsewhere.
    pub(super) fn new(blocks: &'a QTensor) -> CandleResult<Self> {
        let (dtype, (_, inner)) = (blocks.dtype(), blocks.shape().dims2()?);
        let row_bytes = inner / dtype.block_size() * dtype.type_size();
        Ok(Self { data: blocks.data()?, dtype, row_bytes })
    }

    /// Blocks that lie row after row, of rows of `inner` weights.
    pub(super) fn lying(data: &'a [u8], dtype: GgmlDType, inner: usize) -> Self {
        let row_bytes = inner / dtype.block_size() * dtype.type_size();
        Self { data: Cow::Borrowed(data), dtype, row_bytes }
    }

    /// Their type.
    pub(super) const fn dtype(&self) -> GgmlDType {
        self.dtype
    }

    /// The bytes of one row.
    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.data[row * self.row_bytes..][..self.row_bytes]
    }

    /// Weights in whole blocks.
    #[inline(always)]
    fn dequantise(&self, bytes: &[u8], out: &mut [f32]) {
        match self.dtype {
            GgmlDType::Q4_0 => q4_0(bytes, out),
            GgmlDType::Q5_0 => q5_0(bytes, out),
            GgmlDType::Q8_0 => q8_0(bytes, out),
            GgmlDType::F16 => bytes.chunks_exact(2).zip(out).for_each(|(half, w)| *w = f16(half[0], half[1])),
            // Dequantising on the processor gives f32 and cannot fail; NaN would be seen in every result.
            _ => match self.dtype.from_data(Cow::Borrowed(bytes)).dequantize(out.len()) {
                Ok(CpuStorage::F32(numbers)) => out.copy_from_slice(&numbers),
                _ => out.fill(f32::NAN),
            },
        }
    }
}

impl WeightRows for Blocks<'_> {
    fn fill(&self, rows: Range<usize>, columns: Range<usize>, out: &mut [f32], step: usize) {
        let (each, size) = (self.dtype.block_size(), self.dtype.type_size());
        let (begin, end) = (columns.start / each * size, columns.end / each * size);
        wide(
            #[inline(always)]
            || {
                for (row, out) in rows.zip(out.chunks_mut(step.max(1))) {
                    let row = &self.data[row * self.row_bytes..][begin..end];
                    self.dequantise(row, &mut out[..columns.len()]);
                }
            },
        );
    }

    fn grain(&self) -> usize {
        self.dtype.block_size()
    }
}

/// Q4_0: a block is its scale d, in f16, and 16 bytes; weight i is `d·(q − 8)` with q the lower half of byte i, and weight
/// i + 16 has the upper half.
#[inline(always)]
fn q4_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<{ 2 + BLOCK / 2 }>().0.iter().zip(out.as_chunks_mut::<BLOCK>().0) {
        let (d, bytes) = scaled::<{ BLOCK / 2 }>(block);
        let weights = |nibbles: [u8; BLOCK / 2]| nibbles.map(|q| (i32::from(q) - 8) as f32 * d);
        let (low, high) = (weights(bytes.map(|byte| byte & 15)), weights(bytes.map(|byte| byte >> 4)));
        out[..BLOCK / 2].copy_from_slice(&low);
        out[BLOCK / 2..].copy_from_slice(&high);
    }
}

/// Q5_0: a block is its scale d, in f16, 32 fifth bits, and 16 bytes as those of Q4_0; a weight is `d·(q − 16)`.
#[inline(always)]
fn q5_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<{ 6 + BLOCK / 2 }>().0.iter().zip(out.as_chunks_mut::<BLOCK>().0) {
        let (d, bytes) = scaled::<{ 4 + BLOCK / 2 }>(block);
        let fifth = u32::from_le_bytes(std::array::from_fn(|i| bytes[i]));
        let lower: [u8; BLOCK] =
            std::array::from_fn(|i| if i < BLOCK / 2 { bytes[4 + i] & 15 } else { bytes[4 + i - BLOCK / 2] >> 4 });
        *out = std::array::from_fn(|i| (i32::from(lower[i]) + ((fifth >> i & 1) << 4) as i32 - 16) as f32 * d);
    }
}

/// Q8_0: a block is its scale d, in f16, and 32 signed bytes q; a weight is `d·q`.
#[inline(always)]
fn q8_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<{ 2 + BLOCK }>().0.iter().zip(out.as_chunks_mut::<BLOCK>().0) {
        let (d, bytes) = scaled::<BLOCK>(block);
        *out = bytes.map(|q| f32::from(q as i8) * d);
    }
}

/// A block's scale, which is its first two bytes, and the others. The bytes are a copy, so that no weight that is written could change them,
/// and where the scale comes from is hidden: so the compiler makes vectors of the weights within a block, and not across blocks.
#[inline(always)]
fn scaled<const COUNT: usize>(block: &[u8]) -> (f32, [u8; COUNT]) {
    (std::hint::black_box(f16(block[0], block[1])), std::array::from_fn(|i| block[2 + i]))
}

/// A half-precision number (IEEE 754 binary16), the little end first: 1 sign, 5 bits of exponent, 10 of mantissa.
#[inline(always)]
pub(super) fn f16(low: u8, high: u8) -> f32 {
    /// 2¹¹²: exponents of f32 begin that much lower.
    const UP: f32 = f32::from_bits((127 + 112) << 23);
    let bits = u32::from(u16::from_le_bytes([low, high]));
    let (sign, rest) = (bits >> 15 << 31, (bits & 0x7fff) << 13);
    let magnitude = if rest >= 31 << 23 { rest | 255 << 23 } else { (f32::from_bits(rest) * UP).to_bits() };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn half_precision_by_hand() {
        let of = |bits: u16| f16(bits as u8, (bits >> 8) as u8);
        assert_eq!([0x3c00, 0xc000, 0x3555, 0x7bff].map(of), [1.0, -2.0, 0.333_251_95, 65504.0]);
        assert_eq!([0x0001, 0x8200, 0x0400].map(of), [2_f32.powi(-24), -(2_f32.powi(-15)), 2_f32.powi(-14)]);
        assert!(of(0x7c00) == f32::INFINITY && of(0x7e00).is_nan());
    }

    #[test]
    fn every_type_equals_candles_own_way_bit_for_bit() {
        let types =
            [GgmlDType::Q4_0, GgmlDType::Q5_0, GgmlDType::Q8_0, GgmlDType::Q4K, GgmlDType::Q5_1, GgmlDType::F16];
        for dtype in types {
            let (out, inner) = (3, 512);
            let numbers: Vec<f32> =
                (0..out * inner).map(|i| (i as f32 * 0.37).sin() * (i % 97) as f32 * 1e-3).collect();
            let dense = Tensor::from_vec(numbers, (out, inner), &Device::Cpu).unwrap();
            let kept = QTensor::quantize(&dense, dtype).unwrap();
            let expected: Vec<Vec<f32>> = kept.dequantize(&Device::Cpu).unwrap().to_vec2().unwrap();
            let blocks = Blocks::new(&kept).unwrap();
            // The second half of the last two rows, with room between.
            let (half, step) = (256, 260);
            let mut part = vec![7.0; 2 * step];
            blocks.fill(1..3, half..inner, &mut part, step);
            assert_eq!(part[..half], expected[1][half..], "{dtype:?}");
            assert_eq!(part[step..step + half], expected[2][half..], "{dtype:?}");
            assert!(part[half..step].iter().all(|gap| *gap == 7.0), "{dtype:?}: written beyond the part");
            assert!(half.is_multiple_of(blocks.grain()) && expected[2][half..].iter().any(|w| *w != 0.0));
        }
    }
}
