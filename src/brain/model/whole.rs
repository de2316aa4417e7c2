//! Weights in blocks of a GGML type as the whole numbers that they are, for products in int8.
//!
//! This module does *not* know files, or how products are made.

use candle_core::quantized::GgmlDType;

use super::blocks::{Blocks, f16};
use crate::brain::kernel::{BLOCK, Code, WholeRows};

/// Bytes of half a block's weights of four bits.
const HALF: usize = BLOCK / 2;
/// Weights of a block of the types with a K.
const LARGE: usize = 256;

/// Blocks of a type whose weights are whole numbers times scales.
pub(super) struct Whole<'a> {
    blocks: &'a Blocks<'a>,
    code: Code,
}

impl<'a> Whole<'a> {
    /// The blocks, if they are of such a type.
    pub(super) fn of(blocks: &'a Blocks<'a>) -> Option<Self> {
        code(blocks.dtype()).map(|code| Self { blocks, code })
    }
}

/// What the whole numbers of a type are like.
pub(super) const fn code(dtype: GgmlDType) -> Option<Code> {
    Some(match dtype {
        GgmlDType::Q4_0 => Code::Four,
        GgmlDType::Q4_1 | GgmlDType::Q4K => Code::FourLess,
        GgmlDType::Q5_0 => Code::Five,
        GgmlDType::Q5_1 | GgmlDType::Q5K => Code::FiveLess,
        GgmlDType::Q6K => Code::Six,
        GgmlDType::Q8_0 => Code::Eight,
        _ => return None,
    })
}

impl WholeRows for Whole<'_> {
    fn code(&self) -> Code {
        self.code
    }

    #[inline(always)]
    fn unpack(&self, row: usize, numbers: &mut [u8], scales: &mut [f32], less: &mut [f32]) {
        let bytes = self.blocks.row(row);
        match self.blocks.dtype() {
            GgmlDType::Q4_0 => small::<18, 2, false>(bytes, numbers, scales, less),
            GgmlDType::Q4_1 => small::<20, 4, false>(bytes, numbers, scales, less),
            GgmlDType::Q5_0 => small::<22, 6, true>(bytes, numbers, scales, less),
            GgmlDType::Q5_1 => small::<24, 8, true>(bytes, numbers, scales, less),
            GgmlDType::Q4K => large::<144, 16>(bytes, numbers, scales, less),
            GgmlDType::Q5K => large::<176, 48>(bytes, numbers, scales, less),
            GgmlDType::Q6K => q6_k(bytes, numbers, scales),
            _ => q8_0(bytes, numbers, scales),
        }
    }
}

/// Blocks of 32 weights of four or five bits, in `BYTES` bytes: the scale in f16; what is added, in f16, where the type has it; the
/// fifth bits, where it has them; from byte `FROM` on the lower four bits, of weight i in the lower half of byte i, of weight i + 16
/// in the upper half.
#[inline(always)]
fn small<const BYTES: usize, const FROM: usize, const FIFTH: bool>(
    bytes: &[u8],
    numbers: &mut [u8],
    scales: &mut [f32],
    less: &mut [f32],
) {
    let blocks = bytes.as_chunks::<BYTES>().0.iter();
    for (at, (block, numbers)) in blocks.zip(numbers.as_chunks_mut::<BLOCK>().0).enumerate() {
        scales[at] = f16(block[0], block[1]);
        if FROM - if FIFTH { 4 } else { 0 } == 4 {
            less[at] = -f16(block[2], block[3]);
        }
        for i in 0..HALF {
            (numbers[i], numbers[i + HALF]) = (block[FROM + i] & 15, block[FROM + i] >> 4);
        }
        if FIFTH {
            let bits = u32::from_le_bytes([block[FROM - 4], block[FROM - 3], block[FROM - 2], block[FROM - 1]]);
            let fifth: [u8; BLOCK] = std::array::from_fn(|i| ((bits >> i & 1) << 4) as u8);
            numbers.iter_mut().zip(fifth).for_each(|(number, fifth)| *number |= fifth);
        }
    }
}

/// Blocks of 32 signed bytes after their scale in f16.
#[inline(always)]
fn q8_0(bytes: &[u8], numbers: &mut [u8], scales: &mut [f32]) {
    const BYTES: usize = 2 + BLOCK;
    let blocks = bytes.as_chunks::<BYTES>().0.iter();
    for ((block, numbers), scale) in blocks.zip(numbers.as_chunks_mut::<BLOCK>().0).zip(scales) {
        *scale = f16(block[0], block[1]);
        // From −128…127 to 0…255.
        numbers.iter_mut().zip(&block[2..]).for_each(|(number, byte)| *number = byte ^ 128);
    }
}

/// Q4_K and Q5_K: 256 weights in `BYTES` bytes. A scale and a scale of what is subtracted, both in f16; twelve bytes with eight pairs
/// of six bits, one for each 32 weights; the fifth bits, where the type has them; from byte `FROM` on the lower four bits, of 32 weights
/// in the lower halves of 32 bytes and of the next 32 in the upper halves.
#[inline(always)]
fn large<const BYTES: usize, const FROM: usize>(
    bytes: &[u8],
    numbers: &mut [u8],
    scales: &mut [f32],
    less: &mut [f32],
) {
    const PARTS: usize = LARGE / BLOCK;
    let blocks = bytes.as_chunks::<BYTES>().0.iter().zip(numbers.as_chunks_mut::<LARGE>().0);
    let factors = scales.as_chunks_mut::<PARTS>().0.iter_mut().zip(less.as_chunks_mut::<PARTS>().0);
    for ((block, numbers), (scales, less)) in blocks.zip(factors) {
        let (d, least) = (f16(block[0], block[1]), f16(block[2], block[3]));
        let six = &block[4..16];
        for part in 0..PARTS {
            let (scale, low) = if part < 4 {
                (six[part] & 63, six[part + 4] & 63)
            } else {
                (six[part + 4] & 15 | six[part - 4] >> 6 << 4, six[part + 4] >> 4 | six[part] >> 6 << 4)
            };
            (scales[part], less[part]) = (d * f32::from(scale), least * f32::from(low));
            let (from, upper) = (FROM + part / 2 * BLOCK, part % 2 * 4);
            for i in 0..BLOCK {
                let fifth = if FROM == 48 { (block[16 + i] >> part & 1) << 4 } else { 0 };
                numbers[part * BLOCK + i] = block[from + i] >> upper & 15 | fifth;
            }
        }
    }
}

/// Q6_K: 256 weights in 210 bytes. The lower four bits in 128 bytes, the upper two in 64, a signed byte for each 16 weights, and the
/// scale in f16.
#[inline(always)]
fn q6_k(bytes: &[u8], numbers: &mut [u8], scales: &mut [f32]) {
    const BYTES: usize = 210;
    const PARTS: usize = LARGE / 16;
    let blocks = bytes.as_chunks::<BYTES>().0.iter().zip(numbers.as_chunks_mut::<LARGE>().0);
    for ((block, numbers), scales) in blocks.zip(scales.as_chunks_mut::<PARTS>().0) {
        let d = f16(block[208], block[209]);
        scales.iter_mut().zip(&block[192..208]).for_each(|(scale, byte)| *scale = d * f32::from(*byte as i8));
        // Each half of the block is four times 32 weights.
        for part in 0..8 {
            let (half, quarter) = (part / 4, part % 4);
            let (lower, upper) = (half * 64 + quarter % 2 * 32, 128 + half * 32);
            for i in 0..BLOCK {
                let low = block[lower + i] >> (quarter / 2 * 4) & 15;
                numbers[part * BLOCK + i] = low | (block[upper + i] >> (quarter * 2) & 3) << 4;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, quantized::QTensor};

    use super::*;

    #[test]
    fn every_type_equals_candles_own_way_bit_for_bit() {
        let types = [
            GgmlDType::Q4_0,
            GgmlDType::Q4_1,
            GgmlDType::Q5_0,
            GgmlDType::Q5_1,
            GgmlDType::Q8_0,
            GgmlDType::Q4K,
            GgmlDType::Q5K,
            GgmlDType::Q6K,
        ];
        for dtype in types {
            let (out, inner) = (3, 512);
            let numbers: Vec<f32> =
                (0..out * inner).map(|i| (i as f32 * 0.37).sin() * (i % 97) as f32 * 1e-3).collect();
            let dense = Tensor::from_vec(numbers, (out, inner), &Device::Cpu).unwrap();
            let kept = QTensor::quantize(&dense, dtype).unwrap();
            let expected: Vec<Vec<f32>> = kept.dequantize(&Device::Cpu).unwrap().to_vec2().unwrap();
            let blocks = Blocks::new(&kept).unwrap();
            let whole = Whole::of(&blocks).unwrap();
            let code = whole.code();
            let (per, is_less) = (code.scales(), code.is_less());
            let (mut numbers, mut scales) = (vec![0; inner], vec![0.0; inner / BLOCK * per]);
            let mut less = vec![0.0; if is_less { inner / BLOCK } else { 0 }];
            whole.unpack(2, &mut numbers, &mut scales, &mut less);
            for (k, expected) in expected[2].iter().enumerate() {
                let whole = f32::from(i16::from(numbers[k]) - i16::from(code.zero()));
                let less = if is_less { less[k / BLOCK] } else { 0.0 };
                assert_eq!(whole * scales[k / (BLOCK / per)] - less, *expected, "{dtype:?}, weight {k}");
            }
        }
        let dense = Tensor::zeros((1, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
        let halves = QTensor::quantize(&dense, GgmlDType::F16).unwrap();
        assert!(Whole::of(&Blocks::new(&halves).unwrap()).is_none(), "half precision is no whole number");
    }
}
