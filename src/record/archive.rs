//! CSV files that only grow: rows that are forgotten are added at their end.
//!
//! A row whose writing was cut off is passed over, and taken away before the next is added: a run that goes on from a
//! checkpoint has it still.
//!
//! This module does *not* know what the rows say.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use super::files::RecordError;

/// Adds rows to a file, which is made with its columns if it is not there.
///
/// # Errors
/// It cannot be written.
pub(super) fn append<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), RecordError> {
    if rows.is_empty() {
        return Ok(());
    }
    let add = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let end = end_of_rows(&mut file)?;
        file.set_len(end)?;
        file.seek(SeekFrom::End(0))?;
        let mut csv = csv::WriterBuilder::new().has_headers(end == 0).from_writer(Vec::new());
        rows.iter().try_for_each(|row| csv.serialize(row)).map_err(io::Error::other)?;
        let bytes = csv.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        file.write_all(&bytes)?;
        file.sync_all()
    };
    add().map_err(|source| RecordError::Write { path: path.to_owned(), source })
}

/// Bytes up to the end of the last whole row.
fn end_of_rows(file: &mut fs::File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let (mut end, mut block) = (length, [0; 512]);
    while end > 0 {
        let begin = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - begin) as usize];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// All whole rows of a file; none where there is no file.
///
/// # Errors
/// It cannot be read, or holds something else.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, RecordError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(|source| RecordError::Write { path: path.to_owned(), source })?,
    };
    let whole = text.rfind('\n').map_or("", |at| &text[..=at]);
    let mut rows = csv::Reader::from_reader(whole.as_bytes());
    let rows: Result<Vec<T>, _> = rows.deserialize().collect();
    rows.map_err(|error| RecordError::Write { path: path.to_owned(), source: io::Error::other(error) })
}

/// Old rows and new ones in the order of their keys; the new one where both have the same.
pub(super) fn merged<T: Clone, K: Ord>(old: Vec<T>, new: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let all: BTreeMap<K, T> = old.into_iter().chain(new.iter().cloned()).map(|row| (key(&row), row)).collect();
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::GenerationRow;

    #[test]
    fn rows_are_added_bit_for_bit_and_a_torn_one_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("older.csv");
        let row = |generation: u32| GenerationRow {
            generation,
            mean_fitness: 0.1 + f64::from(generation) / 3.0,
            diversity: (generation > 1).then_some(1e-17),
            ..GenerationRow::default()
        };
        assert!(read::<GenerationRow>(&path).unwrap().is_empty());
        append(&path, &[row(0), row(1)]).unwrap();
        append(&path, &[row(2)]).unwrap();
        assert_eq!(read::<GenerationRow>(&path).unwrap(), [row(0), row(1), row(2)]);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        assert_eq!(read::<GenerationRow>(&path).unwrap(), [row(0), row(1)]);
        append(&path, &[row(3)]).unwrap();
        assert_eq!(read::<GenerationRow>(&path).unwrap(), [row(0), row(1), row(3)]);
        let newer = GenerationRow { agents: 7, ..row(1) };
        assert_eq!(
            merged(vec![row(3), row(1)], &[newer.clone(), row(0)], |row| row.generation),
            [row(0), newer, row(3)]
        );
    }
}
