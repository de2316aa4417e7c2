//! A table of weights in blocks of a GGML type that stays in its file: rows are read where they are needed.
//!
//! Prompts have a few hundred different tokens, and replies a dozen; the rest of an embedding would only take memory. Who needs all
//! rows, as free replies do, has them loaded from then on. A matrix of a layer may be read for each product: the system keeps what it
//! has room for of the file, and takes that room back when it is needed.
//!
//! This module does *not* know what the rows stand for.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::SystemTime,
};

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QStorage, QTensor},
};

use super::blocks::Blocks;
use crate::brain::{
    error::{BrainError, Result},
    kernel::with_each,
};

/// Bytes that one thread reads at a time: a system call for each costs nothing beside copying them.
const PIECE: usize = 64 << 10;

/// An open file in which tables lie.
#[derive(Debug)]
pub struct StoredFile {
    /// Its name in messages.
    path: PathBuf,
    file: File,
    /// Its length, and when it was written last, when it was opened.
    begun: State,
    /// Room for matrices that pass through memory, kept from product to product: for as many as ever did so at the same time.
    rooms: Mutex<Vec<Vec<u8>>>,
}

impl StoredFile {
    /// A file that stays open.
    ///
    /// # Errors
    /// The system does not tell how long it is.
    pub fn new(path: PathBuf, file: File) -> Result<Self> {
        let begun = state(&file).map_err(|error| BrainError::read(&path, error))?;
        Ok(Self { path, file, begun, rooms: Mutex::new(Vec::new()) })
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<()> {
        self.unchanged(read_at(&self.file, at, bytes))
    }

    /// What came of reading, unless the file is no longer what it was: then that is the reason for whatever it was.
    fn unchanged(&self, read: io::Result<()>) -> Result<()> {
        match state(&self.file) {
            Ok(now) if now != self.begun => Err(BrainError::Changed { path: self.path.clone() }),
            now => read.and(now.map(|_| ())).map_err(|error| BrainError::read(&self.path, error)),
        }
    }

    /// The same of much, by all threads that make products together.
    fn read_in_pieces(&self, at: u64, bytes: &mut [u8]) -> Result<()> {
        let (count, failed) = (bytes.len(), OnceLock::new());
        let pieces = (at..).step_by(PIECE).zip(bytes.chunks_mut(PIECE));
        with_each(count, pieces, |(at, piece)| {
            if let Err(error) = read_at(&self.file, at, piece) {
                failed.get_or_init(|| error);
            }
        });
        self.unchanged(failed.into_inner().map_or(Ok(()), Err))
    }
}

/// What tells that a file is still the same: its length, and when it was written last, where the system knows.
type State = (u64, Option<SystemTime>);

fn state(file: &File) -> io::Result<State> {
    file.metadata().map(|facts| (facts.len(), facts.modified().ok()))
}

/// Reads as many bytes as there is room for, from byte `at` of a file on, whoever else reads of it meanwhile.
#[cfg(not(windows))]
fn read_at(file: &File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Reads as many bytes as there is room for, from byte `at` of a file on, whoever else reads of it meanwhile.
#[cfg(windows)]
fn read_at(file: &File, mut at: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => (at, bytes) = (at + read as u64, &mut bytes[read..]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A table `[out, in]` in a file.
#[derive(Debug)]
pub struct StoredRows {
    file: Arc<StoredFile>,
    /// Where the table begins.
    begin: u64,
    dtype: GgmlDType,
    out: usize,
    inner: usize,
    loaded: OnceLock<Arc<QTensor>>,
}

impl StoredRows {
    /// The table `[out, inner]` of a type that begins at a byte of a file.
    pub const fn new(file: Arc<StoredFile>, begin: u64, dtype: GgmlDType, [out, inner]: [usize; 2]) -> Self {
        Self { file, begin, dtype, out, inner, loaded: OnceLock::new() }
    }

    /// Rows of the table.
    pub(super) const fn out(&self) -> usize {
        self.out
    }

    /// Entries of a row.
    pub(super) const fn inner(&self) -> usize {
        self.inner
    }

    /// The type.
    pub(super) const fn dtype(&self) -> GgmlDType {
        self.dtype
    }

    /// Bytes that it takes in memory: all, once it has been loaded.
    pub(super) fn bytes(&self) -> usize {
        self.loaded.get().map_or(0, |all| all.storage_size_in_bytes())
    }

    /// Bytes that it takes in its file.
    pub(super) fn file_bytes(&self) -> usize {
        self.out * self.row_bytes()
    }

    fn row_bytes(&self) -> usize {
        self.inner / self.dtype.block_size() * self.dtype.type_size()
    }

    /// Rows `ids [n]` as f32 `[n, in]`.
    ///
    /// # Errors
    /// There is no such row, or the file cannot be read any more.
    pub(super) fn rows(&self, ids: &[u32]) -> Result<Tensor> {
        let each = self.row_bytes();
        let mut bytes = vec![0; ids.len() * each];
        for (id, row) in ids.iter().zip(bytes.chunks_exact_mut(each.max(1))) {
            if *id as usize >= self.out {
                return Err(BrainError::Setting(format!("Row {id} of a table with {} was asked for", self.out)));
            }
            self.file.read(self.begin + u64::from(*id) * each as u64, row)?;
        }
        Ok(self.blocks(bytes, ids.len())?.dequantize(&Device::Cpu)?)
    }

    /// All of it, which stays in memory from now on.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub(super) fn all(&self) -> Result<Arc<QTensor>> {
        if let Some(all) = self.loaded.get() {
            return Ok(Arc::clone(all));
        }
        let mut bytes = vec![0; self.file_bytes()];
        self.file.read(self.begin, &mut bytes)?;
        let all = Arc::new(self.blocks(bytes, self.out)?);
        Ok(Arc::clone(self.loaded.get_or_init(|| all)))
    }

    /// Calls `then` with all blocks, which are in memory for as long as that takes.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub(super) fn with_blocks<T>(&self, then: impl FnOnce(&Blocks) -> T) -> Result<T> {
        let mut room = open(&self.file.rooms).pop().unwrap_or_default();
        if room.len() < self.file_bytes() {
            room.resize(self.file_bytes(), 0);
        }
        let bytes = &mut room[..self.file_bytes()];
        let done =
            self.file.read_in_pieces(self.begin, bytes).map(|()| then(&Blocks::lying(bytes, self.dtype, self.inner)));
        open(&self.file.rooms).push(room);
        done
    }

    fn blocks(&self, bytes: Vec<u8>, rows: usize) -> Result<QTensor> {
        let storage = QStorage::from_data(bytes.into(), &Device::Cpu, self.dtype)?;
        Ok(QTensor::new(storage, (rows, self.inner))?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::{
        brain::{
            kernel::together,
            model::{Matrix, product::Inputs},
        },
        config::Arithmetic,
    };

    /// A table of every type that rows of 256 numbers can be kept in, in a file behind seven other bytes, and in memory.
    fn tables(dtype: GgmlDType) -> ([Matrix; 2], Matrix, File) {
        let numbers: Vec<f32> = (0..40 * 256).map(|at| (at as f32 * 0.37).sin()).collect();
        let dense = Tensor::from_vec(numbers, (40, 256), &Device::Cpu).unwrap();
        let blocks = Arc::new(QTensor::quantize(&dense, dtype).unwrap());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"7 bytes").unwrap();
        file.write_all(&blocks.data().unwrap()).unwrap();
        let disk = Arc::new(StoredFile::new("table".into(), file.try_clone().unwrap()).unwrap());
        let stored = || StoredRows::new(Arc::clone(&disk), 7, dtype, [40, 256]);
        ([Matrix::stored(stored()), Matrix::streamed(stored())], Matrix::blocks(blocks).unwrap(), file)
    }

    #[test]
    fn rows_and_products_have_the_bits_of_a_table_in_memory() {
        for dtype in [GgmlDType::F32, GgmlDType::F16, GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::Q4K, GgmlDType::Q6K]
        {
            let ([stored, streamed], loaded, _) = tables(dtype);
            let ids = [39, 0, 7, 7];
            let numbers = |rows: Tensor| rows.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let x = stored.rows(&[3, 5]).unwrap();
            for one in [&stored, &streamed] {
                assert_eq!(numbers(one.rows(&ids).unwrap()), numbers(loaded.rows(&ids).unwrap()), "{dtype:?}");
                assert_eq!((one.bytes(), one.out(), one.inner()), (0, 40, 256));
                assert_eq!(
                    numbers(one.apply(&x, None).unwrap()),
                    numbers(loaded.apply(&x, None).unwrap()),
                    "{dtype:?}"
                );
                assert_eq!(numbers(one.whole().unwrap()), numbers(loaded.whole().unwrap()));
                assert_eq!(one.kind(), loaded.kind());
            }
            // Rounded rows, and the way back, of what is read for each product.
            let flat = numbers(x);
            let times = |matrix: &Matrix| {
                let (mut out, mut back) = (vec![0.0; 80], vec![0.0; 512]);
                let mut inputs = Inputs::new(&flat, Arithmetic::Int8);
                matrix.apply_to_inputs(&mut inputs, &mut out, None, false).unwrap();
                matrix.back_to_rows(&out, &mut back, None, false).unwrap();
                (out, back)
            };
            assert!(times(&streamed) == times(&loaded), "{dtype:?}");
            assert_eq!(stored.bytes(), loaded.bytes(), "it has been loaded for that");
            assert_eq!(streamed.bytes(), 0, "it has not");
        }
    }

    #[test]
    fn a_row_that_is_not_there_and_a_file_that_shrank_are_errors() {
        for at in 0..2 {
            let (both, _, file) = tables(GgmlDType::Q8_0);
            let stored = &both[at];
            let error = stored.rows(&[40]).unwrap_err().to_string();
            assert!(error.contains("Row 40 of a table with 40"), "{error}");
            file.set_len(100).unwrap();
            let error = stored.rows(&[39]).unwrap_err().to_string();
            assert!(error.contains("table was changed"), "{error}");
            let x = Tensor::zeros((1, 256), candle_core::DType::F32, &Device::Cpu).unwrap();
            let error = stored.apply(&x, None).unwrap_err().to_string();
            assert!(error.contains("table was changed") && stored.whole().is_err(), "{error}");
            let mut out = [0.0; 40];
            let mut inputs = Inputs::new(&[0.0; 256], Arithmetic::Int8);
            assert!(stored.apply_to_inputs(&mut inputs, &mut out, None, false).is_err());
        }
    }

    #[test]
    fn a_file_that_is_written_to_meanwhile_is_refused() {
        let (both, _, file) = tables(GgmlDType::Q8_0);
        let x = Tensor::zeros((1, 256), candle_core::DType::F32, &Device::Cpu).unwrap();
        let times = |matrix: &Matrix| matrix.apply(&x, None).map_err(|error| error.to_string());
        assert!(both[0].rows(&[3]).is_ok() && times(&both[1]).is_ok());
        // As long as before, and written a second later.
        file.set_modified(file.metadata().unwrap().modified().unwrap() + std::time::Duration::from_secs(1)).unwrap();
        let error = both[0].rows(&[3]).unwrap_err().to_string();
        assert!(error.contains("table was changed"), "{error}");
        assert!(times(&both[1]).unwrap_err().contains("table was changed"));
    }

    #[test]
    fn much_is_read_in_pieces_by_several_threads() {
        let numbers: Vec<u8> = (0..5 * PIECE + 77).map(|at| (at * 31 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&numbers).unwrap();
        let stored = StoredFile::new("table".into(), file).unwrap();
        let mut read = vec![0; numbers.len() - 9];
        rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(|| {
            together(|| stored.read_in_pieces(9, &mut read)).unwrap();
            assert!(read == numbers[9..]);
            assert!(together(|| stored.read_in_pieces(10, &mut read)).is_err(), "beyond the end");
        });
    }
}
