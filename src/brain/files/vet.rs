//! Looks over a GGUF header before anything believes it: every count, length, shape and offset against the file's size.
//!
//! Layout (ggml's `docs/gguf.md`): magic `GGUF`, version, tensor count, metadata count, metadata, tensor table, padding to
//! `general.alignment`, tensor data. candle 0.11.1 reads it with bounds of its own, but divides by the alignment and
//! multiplies shapes unchecked.
//!
//! This module does *not* know what the metadata means, except for the alignment.

use std::{
    collections::HashSet,
    fmt::Display,
    io::{BufRead, Seek, SeekFrom},
};

/// Most dimensions of a tensor that ggml knows.
const MAX_DIMS: u32 = 4;
/// Arrays within arrays: deeper ones serve nobody.
const MAX_DEPTH: u32 = 4;
/// Longest name of a key or tensor.
const MAX_NAME: u64 = 1 << 16;
/// Most entries of all arrays together, since each becomes a value of 32 bytes. A vocabulary of 260,000 tokens, the largest
/// that is in use, has 1.4 million: texts, scores, types and merges.
const MAX_ENTRIES: u64 = 1 << 21;

/// What the metadata's type codes take on disk, for those of fixed size.
const fn scalar_size(code: u32) -> Option<u64> {
    Some(match code {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// Elements and bytes of one block of a tensor type, for the types that candle reads.
const fn block(code: u32) -> Option<(u64, u64)> {
    Some(match code {
        0 => (1, 4),
        1 | 30 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        9 => (32, 36),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        15 => (256, 292),
        _ => return None,
    })
}

/// Why a header is refused.
pub(super) type Refusal = String;

struct Walk<R> {
    reader: R,
    at: u64,
    size: u64,
    /// Entries of the arrays so far.
    entries: u64,
}

/// What the table says of a tensor.
struct Entry {
    name: String,
    /// Where in the data it begins and ends.
    begin: u64,
    end: u64,
}

impl<R: BufRead + Seek> Walk<R> {
    fn bytes<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Refusal> {
        let mut buffer = [0; N];
        self.reader.read_exact(&mut buffer).map_err(|_| format!("the file ends within {what}"))?;
        self.at += N as u64;
        Ok(buffer)
    }

    fn u32(&mut self, what: &str) -> Result<u32, Refusal> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> Result<u64, Refusal> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    /// `count` things of at least `each` bytes must fit into what is left of the file.
    fn fits(&self, count: u64, each: u64, what: impl Display) -> Result<(), Refusal> {
        let left = self.size - self.at.min(self.size);
        let need = count.checked_mul(each).filter(|need| *need <= left);
        need.map(|_| ()).ok_or_else(|| format!("{what} has {count} entries, for which the file is too short"))
    }

    fn skip(&mut self, count: u64, what: &str) -> Result<(), Refusal> {
        self.fits(count, 1, what)?;
        let step = i64::try_from(count).map_err(|_| format!("{what} is too long"))?;
        self.reader.seek_relative(step).map_err(|error| format!("{what} cannot be passed over: {error}"))?;
        self.at += count;
        Ok(())
    }

    fn name(&mut self, what: &str) -> Result<String, Refusal> {
        let length = self.u64(what)?;
        if length > MAX_NAME {
            return Err(format!("{what} is {length} bytes long"));
        }
        self.fits(length, 1, what)?;
        let mut buffer = vec![0; length as usize];
        self.reader.read_exact(&mut buffer).map_err(|_| format!("the file ends within {what}"))?;
        self.at += length;
        let name = String::from_utf8(buffer).map_err(|_| format!("{what} is not UTF-8"))?;
        // As candle reads it: a name must be the same for both, or it would believe what was not looked over.
        Ok(name.trim_end_matches('\0').to_owned())
    }

    fn value(&mut self, code: u32, key: &str, depth: u32) -> Result<(), Refusal> {
        if let Some(size) = scalar_size(code) {
            return self.skip(size, key);
        }
        match code {
            8 => {
                let length = self.u64(key)?;
                self.skip(length, key)
            }
            9 if depth < MAX_DEPTH => {
                let inner = self.u32(key)?;
                let count = self.u64(key)?;
                self.entries = self.entries.saturating_add(count);
                if self.entries > MAX_ENTRIES {
                    return Err(format!("with {key} its arrays have more than {MAX_ENTRIES} entries"));
                }
                if let Some(size) = scalar_size(inner) {
                    self.fits(count, size, key)?;
                    return self.skip(count * size, key);
                }
                self.fits(count, 8, key)?;
                (0..count).try_for_each(|_| self.value(inner, key, depth + 1))
            }
            9 => Err(format!("{key} is nested too deep")),
            other => Err(format!("{key} is of the unknown type {other}")),
        }
    }

    fn tensor(&mut self) -> Result<Entry, Refusal> {
        let name = self.name("the name of a tensor")?;
        let dims = self.u32(&name)?;
        if dims == 0 || dims > MAX_DIMS {
            return Err(format!("{name} has {dims} dimensions"));
        }
        let mut shape = Vec::new();
        for _ in 0..dims {
            shape.push(self.u64(&name)?);
        }
        let code = self.u32(&name)?;
        let begin = self.u64(&name)?;
        let (elements, bytes) = block(code).ok_or_else(|| format!("{name} is of the unknown type {code}"))?;
        // The first dimension is the one that lies side by side in the file.
        let row = shape[0];
        if row == 0 || !row.is_multiple_of(elements) {
            return Err(format!("rows of {name} have {row} entries, which is no multiple of its block of {elements}"));
        }
        let entries = shape.iter().try_fold(1_u64, |all, dim| all.checked_mul(*dim)).filter(|all| *all > 0);
        let size = entries.and_then(|all| (all / elements).checked_mul(bytes));
        let end = size.and_then(|size| begin.checked_add(size));
        let end = end.ok_or_else(|| format!("the shape of {name} is impossible"))?;
        Ok(Entry { name, begin, end })
    }
}

/// Looks over a GGUF header.
///
/// # Errors
/// A clause that says what is wrong.
pub(super) fn vet_gguf(reader: impl BufRead + Seek) -> Result<(), Refusal> {
    let mut walk = Walk { reader, at: 0, size: 0, entries: 0 };
    walk.size = walk.reader.seek(SeekFrom::End(0)).map_err(|error| error.to_string())?;
    walk.reader.rewind().map_err(|error| error.to_string())?;
    if walk.bytes::<4>("the file's mark").ok().as_ref() != Some(b"GGUF") {
        return Err("it does not begin with GGUF".to_owned());
    }
    let version = walk.u32("the version")?;
    if !(2..=3).contains(&version) {
        return Err(format!("it is GGUF of version {version}, and 2 and 3 are known"));
    }
    let (tensors, entries) = (walk.u64("the header")?, walk.u64("the header")?);
    walk.fits(tensors, 24, "the tensor table")?;
    walk.fits(entries, 12, "the metadata")?;
    let mut alignment = 32;
    for _ in 0..entries {
        let key = walk.name("a key of the metadata")?;
        let code = walk.u32(&key)?;
        if key == "general.alignment" {
            if code != 4 {
                return Err("general.alignment is not a 32-bit number".to_owned());
            }
            alignment = u64::from(walk.u32(&key)?);
        } else {
            walk.value(code, &key, 0)?;
        }
    }
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(format!("general.alignment is {alignment}"));
    }
    vet_tensors(&mut walk, tensors, alignment)
}

fn vet_tensors<R: BufRead + Seek>(walk: &mut Walk<R>, tensors: u64, alignment: u64) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    let mut table = Vec::new();
    for _ in 0..tensors {
        let entry = walk.tensor()?;
        if !entry.begin.is_multiple_of(alignment) {
            return Err(format!("{} is not aligned to {alignment} bytes", entry.name));
        }
        if !names.insert(entry.name.clone()) {
            return Err(format!("two of its tensors are called {}", entry.name));
        }
        table.push(entry);
    }
    let data = walk.at.next_multiple_of(alignment);
    let left = walk.size.saturating_sub(data);
    if let Some(entry) = table.iter().find(|entry| entry.end > left) {
        return Err(format!("the file ends before {} does", entry.name));
    }
    // Each is loaded by itself: a few bytes that served thousands would fill the memory.
    table.sort_by_key(|entry| entry.begin);
    let clash = table.windows(2).find(|pair| pair[1].begin < pair[0].end);
    clash.map_or(Ok(()), |pair| Err(format!("{} and {} lie on each other", pair[0].name, pair[1].name)))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    /// A key with a value of some type.
    fn entry(key: &str, code: u32, value: &[u8]) -> Vec<u8> {
        [&text(key)[..], &code.to_le_bytes(), value].concat()
    }

    /// An array of bytes.
    fn array(key: &str, count: u64) -> Vec<u8> {
        entry(key, 9, &[&0_u32.to_le_bytes()[..], &count.to_le_bytes(), &vec![0; count as usize]].concat())
    }

    /// A vector of eight f32 at an offset.
    fn tensor(name: &str, offset: u64) -> Vec<u8> {
        let shape = [&1_u32.to_le_bytes()[..], &8_u64.to_le_bytes()].concat();
        [&text(name)[..], &shape, &0_u32.to_le_bytes(), &offset.to_le_bytes()].concat()
    }

    /// A file with these entries and tensors, and 64 bytes of data.
    fn vet(entries: &[Vec<u8>], tensors: &[Vec<u8>]) -> Result<(), Refusal> {
        let counts = [(tensors.len() as u64).to_le_bytes(), (entries.len() as u64).to_le_bytes()].concat();
        let mut file = [b"GGUF", &3_u32.to_le_bytes()[..], &counts, &entries.concat(), &tensors.concat()].concat();
        file.resize(file.len().next_multiple_of(32) + 64, 0);
        vet_gguf(Cursor::new(file))
    }

    fn refusal(entries: &[Vec<u8>], tensors: &[Vec<u8>]) -> String {
        vet(entries, tensors).unwrap_err()
    }

    #[test]
    fn tensors_lie_within_the_data_each_on_its_own_bytes() {
        assert_eq!(vet(&[], &[tensor("b", 32), tensor("a", 0)]), Ok(()));
        assert_eq!(refusal(&[], &[tensor("a", 0), tensor("b", 0)]), "a and b lie on each other");
        assert_eq!(refusal(&[], &[tensor("a", 64)]), "the file ends before a does");
        assert_eq!(refusal(&[], &[tensor("a", 8)]), "a is not aligned to 32 bytes");
        assert_eq!(refusal(&[], &[tensor("a", 0), tensor("a\0", 32)]), "two of its tensors are called a");
        // Aligned to 8, the second begins within the first.
        let eight = entry("general.alignment", 4, &8_u32.to_le_bytes());
        assert_eq!(refusal(&[eight], &[tensor("a", 0), tensor("b", 24)]), "a and b lie on each other");
    }

    #[test]
    fn an_alignment_is_seen_whatever_hides_behind_its_name() {
        let zero = |key: &str| refusal(&[entry(key, 4, &[0; 4])], &[tensor("a", 0)]);
        assert_eq!(zero("general.alignment"), "general.alignment is 0");
        assert_eq!(zero("general.alignment\0"), "general.alignment is 0");
        assert_eq!(zero("general.alignment\0\0"), "general.alignment is 0");
        assert_eq!(vet(&[entry("general.alignment\0.", 4, &[0; 4])], &[tensor("a", 0)]), Ok(()));
    }

    #[test]
    fn arrays_are_no_longer_than_a_vocabulary_needs() {
        assert_eq!(vet(&[array("a", 1 << 20), array("b", 1 << 20)], &[]), Ok(()));
        let many = refusal(&[array("a", 1 << 20), array("b", (1 << 20) + 1)], &[]);
        assert_eq!(many, "with b its arrays have more than 2097152 entries");
    }
}
