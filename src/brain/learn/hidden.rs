//! Hidden states from the layers below the lowest adapter, kept from lesson to lesson.
//!
//! No adapter reaches those layers: their rows depend on a prompt's tokens alone, and are the same bits whatever stands beside it
//! in a batch. A file without a name holds them, as many as it has room for; the oldest make room for new ones.
//!
//! This module does *not* know models, or which layer that is.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use super::super::offload::{read_numbers, write_numbers};

/// Bytes of a number.
const BYTES: usize = size_of::<f32>();

/// Rows of hidden states by the tokens that they stand for.
#[derive(Debug)]
pub struct HiddenStates(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    /// Nothing is kept any more where there is none.
    file: Option<File>,
    /// Bytes that the file may have.
    room: u64,
    /// Where the next rows will be written.
    next: u64,
    places: HashMap<Box<[u32]>, Range<u64>>,
    /// What is kept, in the order in which it lies in the file from `next` on, and round.
    order: VecDeque<Box<[u32]>>,
    uses: Uses,
}

/// How often rows were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Uses {
    /// And were there.
    pub found: u64,
    /// And had to be computed.
    pub missed: u64,
}

impl HiddenStates {
    /// A store of at most `room` bytes.
    ///
    /// # Errors
    /// The system gives no temporary file.
    pub fn new(room: u64) -> io::Result<Self> {
        let (places, order, uses) = (HashMap::new(), VecDeque::new(), Uses::default());
        Ok(Self(Mutex::new(Kept { file: Some(tempfile::tempfile()?), room, next: 0, places, order, uses })))
    }

    /// The rows `[tokens, d]` for these tokens, one after the other, if they are kept.
    pub fn find(&self, tokens: &[u32]) -> Option<Vec<f32>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.places.get(tokens).cloned().and_then(|place| kept.or_give_up(|file| read(file, &place)));
        let uses = &mut kept.uses;
        *(if found.is_some() { &mut uses.found } else { &mut uses.missed }) += 1;
        found
    }

    /// Keeps the rows `[tokens, d]` for these tokens, unless they are more than there is room for.
    pub fn keep(&self, tokens: &[u32], rows: &[f32]) {
        let kept = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = (rows.len() * BYTES) as u64;
        if size > kept.room || kept.places.contains_key(tokens) {
            return;
        }
        if kept.next + size > kept.room {
            // What lies behind here is older than all at the beginning.
            let rest = kept.next..kept.room;
            kept.make_room(rest);
            kept.next = 0;
        }
        let place = kept.next..kept.next + size;
        kept.make_room(place.clone());
        if kept.or_give_up(|file| write_numbers(file, place.start, rows)).is_some() {
            kept.next = place.end;
            kept.places.insert(tokens.into(), place);
            kept.order.push_back(tokens.into());
        }
    }

    /// How often rows were asked for.
    pub fn uses(&self) -> Uses {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).uses
    }
}

impl Kept {
    /// Forgets what lies in some part of the file. Whoever calls goes through the file in the order in which it was written.
    fn make_room(&mut self, part: Range<u64>) {
        while let Some(oldest) = self.order.front() {
            let lies_there = |place: &Range<u64>| place.start < part.end && part.start < place.end;
            if !self.places.get(oldest).is_some_and(lies_there) {
                return;
            }
            self.places.remove(oldest);
            self.order.pop_front();
        }
    }

    /// Does something with the file. Where that fails nothing is kept any more: rows can be computed.
    fn or_give_up<T>(&mut self, work: impl FnOnce(&mut File) -> io::Result<T>) -> Option<T> {
        let done = work(self.file.as_mut()?);
        if done.is_err() {
            self.file = None;
            self.places.clear();
            self.order.clear();
        }
        done.ok()
    }
}

fn read(file: &mut File, place: &Range<u64>) -> io::Result<Vec<f32>> {
    let mut rows = vec![0.0; (place.end - place.start) as usize / BYTES];
    read_numbers(file, place.start, &mut rows)?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(tokens: &[u32]) -> Vec<f32> {
        tokens.iter().flat_map(|token| [*token as f32, -0.0, f32::MIN_POSITIVE / 2.0]).collect()
    }

    #[test]
    fn rows_come_back_bit_for_bit() {
        let kept = HiddenStates::new(1 << 10).unwrap();
        assert_eq!(kept.find(&[1, 2]), None);
        kept.keep(&[1, 2], &rows(&[1, 2]));
        kept.keep(&[2], &rows(&[2]));
        let bits = |rows: Vec<f32>| rows.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(kept.find(&[1, 2]).map(bits), Some(bits(rows(&[1, 2]))));
        assert_eq!(kept.find(&[2]).map(bits), Some(bits(rows(&[2]))));
        assert_eq!(kept.find(&[1]), None, "the beginning of a prompt is another prompt");
        assert_eq!(kept.uses(), Uses { found: 2, missed: 2 });
    }

    #[test]
    fn the_oldest_make_room_and_the_file_never_grows_beyond_it() {
        // Room for four rows of twelve bytes, and a few bytes that nothing fits into.
        let kept = HiddenStates::new(50).unwrap();
        let mut model: VecDeque<Vec<u32>> = VecDeque::new();
        for step in 0..200_u32 {
            let tokens: Vec<u32> = (0..=step * 7 % 3).map(|at| step * 10 + at).collect();
            kept.keep(&tokens, &rows(&tokens));
            model.push_back(tokens.clone());
            assert_eq!(kept.find(&tokens), Some(rows(&tokens)), "the newest is there at step {step}");
            // Whatever is there is right, and whoever is older than one that is missing is missing, too.
            let there: Vec<bool> = model.iter().map(|tokens| kept.find(tokens).is_some()).collect();
            assert!(there.is_sorted(), "{step}: {there:?}");
            model
                .iter()
                .filter_map(|tokens| Some((tokens, kept.find(tokens)?)))
                .for_each(|(t, r)| assert_eq!(r, rows(t)));
            let guard = kept.0.lock().unwrap();
            assert!(guard.file.as_ref().unwrap().metadata().unwrap().len() <= 50);
            assert_eq!(guard.places.len(), guard.order.len());
        }
        kept.keep(&[7; 5], &rows(&[7; 5]));
        assert_eq!(kept.find(&[7; 5]), None, "what is larger than all the room is not kept");
    }

    #[test]
    fn where_the_file_fails_nothing_is_kept_and_nothing_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("read only");
        std::fs::write(&path, []).unwrap();
        let kept = HiddenStates::new(1 << 10).unwrap();
        kept.keep(&[1], &rows(&[1]));
        kept.0.lock().unwrap().file = Some(File::open(path).unwrap());
        assert_eq!(kept.find(&[1]), None, "the file is too short");
        kept.keep(&[2], &rows(&[2]));
        assert_eq!((kept.find(&[1]), kept.find(&[2])), (None, None));
        assert!(kept.0.lock().unwrap().places.is_empty());
    }
}
