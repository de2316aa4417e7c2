//! Looks over a pickle before anything believes it.
//!
//! candle's unpickler runs no code, but believes every length, nests values as deep as it is told, and copies a value whole
//! whenever its memo takes or gives it. So every operation is played here first, on shadows: what a value would take in
//! memory, and how deep it is nested, without the value.
//!
//! This module does *not* know tensors.

use std::collections::HashMap;

use candle_core::pickle::Object;

/// Deepest nesting. Values are copied and dropped by recursion, so that a deep one would overflow the thread's stack, which
/// no supervision survives; those of a checkpoint are nested seven deep.
const MAX_DEPTH: u32 = 64;
/// Most bytes that values and the memo's copies may take, for every byte of the pickle. PyTorch's checkpoints take about 28.
const MAX_GROWTH: usize = 64;
/// Bytes that they may take in any case.
const BASE: usize = 1 << 12;

/// Why a pickle is refused.
type Refusal = String;

/// What is known of a value that does not exist.
#[derive(Debug, Clone, Copy, Default)]
struct Shadow {
    bytes: usize,
    depth: u32,
    is_mark: bool,
}

impl Shadow {
    /// A value that holds no other, with a text of so many bytes.
    const fn leaf(text: usize) -> Self {
        Self { bytes: size_of::<Object>() + text, depth: 1, is_mark: false }
    }

    /// It takes another value into itself.
    fn take(&mut self, inner: Self) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(inner.bytes);
        self.depth = self.depth.max(inner.depth + 1);
        if self.depth > MAX_DEPTH { Err("its pickle is nested too deep".to_owned()) } else { Ok(()) }
    }
}

/// The unpickler's stack and memo.
struct Shadows {
    stack: Vec<Shadow>,
    memo: HashMap<u32, Shadow>,
    /// Bytes that may still be taken.
    left: usize,
}

impl Shadows {
    /// Room for a value, or for a copy of one.
    fn spend(&mut self, bytes: usize) -> Result<(), Refusal> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or("the values of its pickle would take far more memory than the pickle itself")?;
        Ok(())
    }

    fn push(&mut self, value: Shadow) -> Result<(), Refusal> {
        self.spend(value.bytes)?;
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Shadow, Refusal> {
        self.stack.pop().ok_or_else(|| "its pickle takes values that are not there".to_owned())
    }

    fn last(&mut self) -> Result<&mut Shadow, Refusal> {
        self.stack.last_mut().ok_or_else(|| "its pickle takes values that are not there".to_owned())
    }

    /// Pops values down to the last mark, which goes with them.
    fn pop_to_mark(&mut self) -> Result<Vec<Shadow>, Refusal> {
        let mut values = Vec::new();
        loop {
            let value = self.pop()?;
            if value.is_mark {
                return Ok(values);
            }
            values.push(value);
        }
    }

    /// Pops `count` values.
    fn pop_some(&mut self, count: usize) -> Result<Vec<Shadow>, Refusal> {
        (0..count).map(|_| self.pop()).collect()
    }

    /// A new value that holds some others, which are paid for.
    fn wrap(&mut self, inner: Vec<Shadow>) -> Result<(), Refusal> {
        let mut outer = Shadow::leaf(0);
        self.spend(outer.bytes)?;
        inner.into_iter().try_for_each(|value| outer.take(value))?;
        self.stack.push(outer);
        Ok(())
    }

    /// The last value takes some others into itself.
    fn fill(&mut self, inner: Vec<Shadow>) -> Result<(), Refusal> {
        let outer = self.last()?;
        inner.into_iter().try_for_each(|value| outer.take(value))
    }

    fn play(&mut self, operation: u8, operand: &[u8]) -> Result<(), Refusal> {
        let inner = match operation {
            b'Q' | 0x85 | b'a' => self.pop_some(1)?,
            b'R' | b'b' | 0x81 | 0x86 | b's' => self.pop_some(2)?,
            0x87 => self.pop_some(3)?,
            b't' | b'e' | b'u' => self.pop_to_mark()?,
            _ => Vec::new(),
        };
        match operation {
            0x80 => Ok(()),
            b'(' => self.push(Shadow { is_mark: true, ..Shadow::leaf(0) }),
            b'X' | b'c' => self.push(Shadow::leaf(operand.len())),
            b'K' | b'M' | b'J' | b'G' | 0x88..=0x8a | b'N' | b')' | b'}' | b'd' | b']' => self.push(Shadow::leaf(0)),
            b'Q' | b'R' | b'b' | 0x81 | 0x85..=0x87 | b't' => self.wrap(inner),
            b'a' | b'e' | b's' | b'u' => self.fill(inner),
            b'q' | b'r' => {
                let value = *self.last()?;
                self.spend(value.bytes)?;
                self.memo.insert(number(operand), value);
                Ok(())
            }
            b'h' | b'j' => {
                let value = self.memo.get(&number(operand)).copied();
                self.push(value.ok_or("its pickle fetches a value that it has not kept")?)
            }
            other => Err(format!("its pickle holds the unknown operation {other:#x}")),
        }
    }
}

/// Up to four bytes as a number, the little end first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte))
}

/// Bytes that belong to an operation; `rest` is what follows it.
fn operand_length(operation: u8, rest: &[u8]) -> Result<usize, Refusal> {
    let counted = |bytes: usize| rest.get(..bytes).ok_or("the pickle ends too early").map(number);
    Ok(match operation {
        0x80 | b'K' | b'q' | b'h' => 1,
        b'M' => 2,
        b'J' | b'r' | b'j' => 4,
        b'G' => 8,
        b'X' => 4 + counted(4)? as usize,
        0x8a => match counted(1)? {
            // candle shifts by eight bits a byte, which a 64-bit number endures eight times.
            length @ 0..=8 => 1 + length as usize,
            length => return Err(format!("its pickle holds a number of {length} bytes")),
        },
        b'c' => rest.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum(),
        _ => 0,
    })
}

/// Looks over a pickle: lengths within it, known operations only, values neither deep nor copied over and over.
///
/// # Errors
/// A clause that says what is wrong.
pub(super) fn vet_pickle(pickle: &[u8]) -> Result<(), Refusal> {
    let left = BASE + MAX_GROWTH * pickle.len();
    let mut shadows = Shadows { stack: Vec::new(), memo: HashMap::new(), left };
    let mut rest = pickle;
    while let Some((operation, after)) = rest.split_first() {
        if *operation == b'.' {
            return Ok(());
        }
        let length = operand_length(*operation, after)?;
        let (operand, next) = after.split_at_checked(length).ok_or("the pickle ends too early")?;
        shadows.play(*operation, operand)?;
        rest = next;
    }
    Err("its pickle has no end".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_operations_are_checked_before_anything_is_read() {
        assert_eq!(vet_pickle(b"\x80\x02}q\x00."), Ok(()));
        assert_eq!(vet_pickle(b"\x80\x02}"), Err("its pickle has no end".to_owned()));
        for early in [&b"X\xff\xff\xff\xffab."[..], b"X\xff", b"K", b"\x8a"] {
            assert_eq!(vet_pickle(early), Err("the pickle ends too early".to_owned()));
        }
        assert!(vet_pickle(b"\x80\x02i.").unwrap_err().contains("0x69"));
        assert!(vet_pickle(b"\x8a\x09123456789.").unwrap_err().contains("a number of 9 bytes"));
        for empty in [&b"\x85."[..], b"K\x01\x86.", b"q\x00.", b"t.", b"K\x01a."] {
            assert_eq!(vet_pickle(empty), Err("its pickle takes values that are not there".to_owned()));
        }
        assert!(vet_pickle(b"h\x00.").unwrap_err().contains("has not kept"));
    }

    #[test]
    fn values_are_nested_to_a_limit_whatever_nests_them() {
        // A leaf is one deep, and each of these makes it one deeper.
        let nested = |times: usize, each: &[u8]| vet_pickle(&[b")", &each.repeat(times)[..], b"."].concat());
        for each in [&b"\x85"[..], b"Q", b"K\x01\x86", b"K\x01K\x01\x87", b"K\x01R", b"K\x01b", b"K\x01\x81"] {
            assert_eq!(nested(63, each), Ok(()), "{each:?}");
            assert_eq!(nested(64, each), Err("its pickle is nested too deep".to_owned()), "{each:?}");
        }
        let lists = |times: usize, close: &[u8]| {
            let open = if close == b"a" { &b"]"[..] } else { b"](" };
            vet_pickle(&[&open.repeat(times)[..], b"K\x01", &close.repeat(times), b"."].concat())
        };
        for close in [&b"a"[..], b"e"] {
            assert_eq!(lists(63, close), Ok(()), "{close:?}");
            assert!(lists(64, close).is_err(), "{close:?}");
        }
        let tuples = |times: usize| vet_pickle(&[&b"(".repeat(times)[..], &b"t".repeat(times), b"."].concat());
        assert_eq!((tuples(64), tuples(65).is_err()), (Ok(()), true));
        let dicts =
            |times: usize| vet_pickle(&[&b"}K\x01".repeat(times)[..], b"N", &b"s".repeat(times), b"."].concat());
        assert_eq!((dicts(63), dicts(64).is_err()), (Ok(()), true));
    }

    #[test]
    fn what_is_copied_is_counted() {
        // A tuple of two, put into the memo; then again and again a tuple of it and itself.
        let mut bomb = b"K\x01K\x02\x86q\x00".to_vec();
        for slot in 0..20_u8 {
            bomb.extend([b'h', slot, b'h', slot, 0x86, b'q', slot + 1]);
        }
        bomb.push(b'.');
        assert!(vet_pickle(&bomb).unwrap_err().contains("far more memory"));
        // A long text, put into one slot after the other.
        let text = |slots: u32| {
            let puts = (0..slots).flat_map(|slot| [&b"r"[..], &slot.to_le_bytes()].concat());
            let head = [&b"X"[..], &10_000_u32.to_le_bytes(), &[b'a'; 10_000]].concat();
            vet_pickle(&[head, puts.collect(), b".".to_vec()].concat())
        };
        assert_eq!(text(20), Ok(()));
        assert!(text(100).unwrap_err().contains("far more memory"));
    }
}
