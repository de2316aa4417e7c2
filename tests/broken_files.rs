//! Ten thousand broken model files: each is refused with a clear error or loads, none panics, none makes the program
//! reserve more memory than the file explains. Seeded, so that a failure can be made again. And those that chance does not
//! find.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![allow(unsafe_code, reason = "an allocator that looks at sizes has to be one")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::BTreeMap,
    fs,
    io::{Cursor, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use evolora::{
    brain::{
        LoadedModel, load_model,
        lora::{ActiveAdapters, load_adapter},
        model::Batch,
    },
    config::ModelSettings,
};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Notes the largest piece of memory that was asked for, and what was asked for in all.
struct Noting;

static LARGEST: AtomicUsize = AtomicUsize::new(0);
static IN_ALL: AtomicUsize = AtomicUsize::new(0);
/// Held by the test whose memory is noted.
static ALONE: Mutex<()> = Mutex::new(());
static PANICS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        IN_ALL.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        IN_ALL.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Noting = Noting;

/// The most that any of these files, none of which has half a megabyte, may make the program reserve at once.
const MOST_MEMORY: usize = 16 << 20;
/// The longest that one may take.
const MOST_TIME: Duration = Duration::from_secs(5);

/// A kind of broken file: which folder or file it stands in, which file of it is broken, and how many to break.
struct Class {
    name: &'static str,
    base: &'static str,
    file: &'static str,
    count: u64,
    read: fn(&Path) -> Result<(), String>,
}

const CLASSES: &[Class] = &[
    Class { name: "GGUF, quantised", base: "llama-q4_0.gguf", file: "", count: 1400, read: model },
    Class { name: "GGUF, K-quants", base: "llama-q4_k.gguf", file: "", count: 500, read: model },
    Class { name: "GGUF, other tokenizer", base: "llama-gpt2-pre.gguf", file: "", count: 500, read: model },
    Class { name: "safetensors", base: "gpt-neo-hf", file: "model.safetensors", count: 1500, read: model },
    Class { name: "safetensors, MLX", base: "llama-mlx-4bit", file: "model.safetensors", count: 500, read: model },
    Class {
        name: "index of shards",
        base: "llama-sharded",
        file: "model.safetensors.index.json",
        count: 500,
        read: model,
    },
    Class { name: "pickle in a zip", base: "gpt-neo-bin", file: "pytorch_model.bin", count: 2000, read: model },
    Class { name: "tokenizer.json", base: "gpt-neo-hf", file: "tokenizer.json", count: 1000, read: model },
    Class { name: "config.json, GPT-Neo", base: "gpt-neo-hf", file: "config.json", count: 500, read: model },
    Class { name: "config.json, Llama", base: "llama-mlx-4bit", file: "config.json", count: 500, read: model },
    Class {
        name: "adapter_config.json",
        base: "peft/llama-top",
        file: "adapter_config.json",
        count: 250,
        read: adapter,
    },
    Class {
        name: "adapter's safetensors",
        base: "peft/llama-top",
        file: "adapter_model.safetensors",
        count: 250,
        read: adapter,
    },
    Class { name: "GGUF adapter", base: "export/of-hf.gguf", file: "", count: 300, read: adapter },
    Class { name: "creature card", base: "export/of-gguf.card", file: "", count: 300, read: card },
];

fn references() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

fn load(path: &Path) -> Result<LoadedModel, String> {
    let path = path.to_string_lossy().into_owned();
    load_model(&ModelSettings { path, ..ModelSettings::default() }).map_err(|error| error.to_string())
}

/// Loads a model; one that loads must also be usable.
fn model(path: &Path) -> Result<(), String> {
    let loaded = load(path)?;
    let mut tokens = loaded.tokenizer.encode("At (1,2) ↑ 😀").map_err(|error| error.to_string())?;
    let _ = loaded.tokenizer.decode(&tokens);
    tokens.push(3);
    let features =
        loaded.model.features(&Batch::of(&tokens), &ActiveAdapters::none()).map_err(|error| error.to_string())?;
    loaded.model.logits(&features).map(drop).map_err(|error| error.to_string())
}

/// Loads an adapter onto a model that is whole.
fn adapter(path: &Path) -> Result<(), String> {
    let base = load(&references().join("llama-hf"))?;
    load_adapter(path, &base).map(drop).map_err(|error| error.to_string())
}

/// Reads a creature card for the model that it was made on.
fn card(path: &Path) -> Result<(), String> {
    let base = load(&references().join("llama-f32.gguf"))?;
    load_adapter(path, &base).map(drop).map_err(|error| error.to_string())
}

/// Where most of a file's meaning lies: its header, or for a zip its beginning and its end.
fn place(bytes: &[u8], name: &str, draws: &mut ChaCha8Rng) -> usize {
    let len = bytes.len();
    let header = match bytes {
        [b'G', b'G', b'U', b'F', ..] => len.min(16_000),
        [b'P', b'K', ..] if draws.random_bool(0.5) => return len - 1 - draws.random_range(0..len.min(4000)),
        [b'P', b'K', ..] => len.min(6000),
        // A card stands under a name that says nothing.
        _ if name.ends_with("safetensors") || (name.ends_with("gguf") && bytes[8] == b'{') => {
            8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
        }
        _ => len,
    };
    if draws.random_bool(0.85) { draws.random_range(0..header.min(len)) } else { draws.random_range(0..len) }
}

/// Numbers that break readers.
const NUMBERS: [u64; 12] =
    [0, 1, 2, 7, 255, 1 << 16, 1 << 31, 1 << 33, u32::MAX as u64, i64::MAX as u64, u64::MAX, u64::MAX - 31];
/// Values that break readers of JSON.
const VALUES: [&str; 12] =
    ["-1", "0", "1e99", "99999999999", "18446744073709551616", "null", "[]", "{}", "\"x\"", "true", "[[[[1]]]]", "0.5"];

/// One to three changes to a file.
fn mutate(bytes: &mut Vec<u8>, name: &str, draws: &mut ChaCha8Rng) {
    let is_json = name.ends_with("json");
    for _ in 0..draws.random_range(1..=3) {
        if bytes.len() < 64 {
            return;
        }
        let at = place(bytes, name, draws);
        match draws.random_range(0..if is_json { 9 } else { 7 }) {
            0 => bytes[at] ^= 1 << draws.random_range(0..8),
            1 => bytes[at] = *[0, 0xff, draws.random()].choose(draws).unwrap(),
            2 => bytes.truncate(at.max(8)),
            3 => bytes.insert(at, draws.random()),
            4 => {
                let end = (at + draws.random_range(1..64)).min(bytes.len());
                let slice = bytes[at..end].to_vec();
                bytes.splice(at..at, slice);
            }
            5 | 6 => {
                let size = bytes.len() as u64;
                let numbers = [&NUMBERS[..], &[size, size - 1, size + 1]].concat();
                let number = *numbers.choose(draws).unwrap();
                let wide = if draws.random_bool(0.5) { 4 } else { 8 };
                let end = (at + wide).min(bytes.len());
                bytes[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
            }
            _ => {
                // A whole number or word of the JSON becomes another value.
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-\"".contains(&byte);
                let begin = (0..=at).rev().find(|i| !is_part(bytes[*i])).map_or(0, |i| i + 1);
                let end = (at..bytes.len()).find(|i| !is_part(bytes[*i])).unwrap_or(bytes.len()).max(begin);
                bytes.splice(begin..end, VALUES.choose(draws).unwrap().bytes());
            }
        }
    }
}

/// A folder of this class with every file in its place but the broken one.
fn copy_around(class: &Class, folder: &Path) -> PathBuf {
    let base = references().join(class.base);
    if class.file.is_empty() {
        return folder.join("model.gguf");
    }
    for entry in fs::read_dir(&base).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    folder.join(class.file)
}

enum Ending {
    Refused,
    Loaded,
    Panicked,
}

/// Breaks one file and reads it.
fn try_one(class: &Class, whole: &[u8], file: &Path, folder: &Path, seed: u64) -> (Ending, Duration) {
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = whole.to_vec();
    mutate(&mut bytes, file.to_str().unwrap(), &mut draws);
    fs::write(file, bytes).unwrap();
    let path = if class.file.is_empty() { file } else { folder };
    let begun = Instant::now();
    let ending = match catch_unwind(AssertUnwindSafe(|| (class.read)(path))) {
        Ok(Ok(())) => Ending::Loaded,
        Ok(Err(sentence)) => {
            assert!(sentence.len() > 20 && !sentence.contains('\n'), "a clear error: {sentence:?}");
            Ending::Refused
        }
        Err(_) => Ending::Panicked,
    };
    (ending, begun.elapsed())
}

#[test]
fn ten_thousand_broken_files_are_refused_or_load() {
    let _alone = ALONE.lock();
    assert_eq!(CLASSES.iter().map(|class| class.count).sum::<u64>(), 10_000);
    // A panic that somebody catches counts, too.
    std::panic::set_hook(Box::new(|_| {
        PANICS.fetch_add(1, Ordering::Relaxed);
    }));
    let mut troubles = Vec::new();
    // Not by println, which a test that succeeds does not show.
    let say = |line: String| writeln!(std::io::stdout(), "{line}").unwrap();
    say(format!("\n{:<24} {:>8} {:>7}  slowest", "broken", "refused", "loaded"));
    for (number, class) in CLASSES.iter().enumerate() {
        let base = references().join(class.base);
        let whole = fs::read(if class.file.is_empty() { base } else { base.join(class.file) }).unwrap();
        LARGEST.store(0, Ordering::Relaxed);
        let chunks: Vec<Vec<u64>> = (0..class.count).collect::<Vec<_>>().chunks(50).map(<[u64]>::to_vec).collect();
        let endings: Vec<_> = chunks
            .into_par_iter()
            .flat_map_iter(|seeds| {
                let folder = tempfile::tempdir().unwrap();
                let file = copy_around(class, folder.path());
                let one = |seed| (seed, try_one(class, &whole, &file, folder.path(), seed + 100_000 * number as u64));
                seeds.into_iter().map(one).collect::<Vec<_>>()
            })
            .collect();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (seed, (ending, time)) in &endings {
            let word = match ending {
                Ending::Refused => "refused",
                Ending::Loaded => "loaded",
                Ending::Panicked => "panicked",
            };
            *counts.entry(word).or_default() += 1;
            if word == "panicked" || *time > MOST_TIME {
                troubles.push(format!("{} with seed {seed} {word} after {time:?}", class.name));
            }
        }
        let count = |word| counts.get(word).copied().unwrap_or_default();
        let slowest = endings.iter().map(|(_, (_, time))| *time).max().unwrap();
        say(format!("{:<24} {:>8} {:>7}  {slowest:?}", class.name, count("refused"), count("loaded")));
        assert!(count("refused") > class.count / 10, "{} must be broken more", class.name);
        let largest = LARGEST.load(Ordering::Relaxed);
        if largest > MOST_MEMORY {
            troubles.push(format!("{} asked for {} MiB at once", class.name, largest >> 20));
        }
    }
    let _ = std::panic::take_hook();
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "{:#?}", &troubles[..troubles.len().min(20)]);
    assert!(troubles.is_empty(), "{} troubles: {:#?}", troubles.len(), &troubles[..troubles.len().min(20)]);
}

/// Reads a folder like `base`, in which one file is another; gives why it is refused, and the bytes that were asked for.
fn refusal(base: &'static str, file: &'static str, bytes: &[u8]) -> (String, usize) {
    let folder = tempfile::tempdir().unwrap();
    let class = Class { name: "", base, file, count: 1, read: model };
    let path = copy_around(&class, folder.path());
    fs::write(&path, bytes).unwrap();
    let before = IN_ALL.load(Ordering::Relaxed);
    let refused = model(if file.is_empty() { &path } else { folder.path() }).unwrap_err();
    (refused, IN_ALL.load(Ordering::Relaxed) - before)
}

/// A zip archive with this pickle, as PyTorch writes it.
fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("archive/data.pkl", stored).unwrap();
    zip.write_all(pickle).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn files_that_were_made_to_break_a_reader_are_refused() {
    let _alone = ALONE.lock();
    let refused = |base, file, bytes: &[u8], why: &str| {
        let (sentence, asked) = refusal(base, file, bytes);
        assert!(sentence.contains(why), "{sentence}");
        assert!(asked < 2 * MOST_MEMORY, "{why}: {asked} bytes");
    };
    // Tuples within tuples, which would be dropped by recursion.
    let deep = [&b"\x80\x02)"[..], &[0x85; 40_000], b"."].concat();
    refused("gpt-neo-bin", "pytorch_model.bin", &checkpoint(&deep), "its pickle is nested too deep");
    // A text, copied into one slot of the memo after the other.
    let text = [&b"\x80\x02X"[..], &(1_u32 << 20).to_le_bytes(), &vec![b'a'; 1 << 20]].concat();
    let puts: Vec<u8> = (0..500_u32).flat_map(|slot| [&b"r"[..], &slot.to_le_bytes()].concat()).collect();
    let copies = checkpoint(&[text, puts, b".".to_vec()].concat());
    refused("gpt-neo-bin", "pytorch_model.bin", &copies, "far more memory than the pickle itself");
    // An alignment of 0, by a name that one reader takes for another than the next.
    let whole = fs::read(references().join("llama-q4_0.gguf")).unwrap();
    let entries = u64::from_le_bytes(whole[16..24].try_into().unwrap()) + 1;
    let alignment = [&18_u64.to_le_bytes()[..], b"general.alignment\0", &4_u32.to_le_bytes(), &[0; 4]].concat();
    let aligned = [&whole[..16], &entries.to_le_bytes(), &alignment, &whole[24..]].concat();
    refused("llama-q4_0.gguf", "", &aligned, "general.alignment is 0");
    // Layers without end, and nothing repeated without end.
    let config = fs::read_to_string(references().join("gpt-neo-hf/config.json")).unwrap();
    for (layers, types, why) in [
        (99_999_999_999_u64, "[[[\"global\"], 99999999999]]", "num_layers is 99999999999"),
        (4, "[[[], 18446744073709551615]]", "attention_types repeats an empty list"),
    ] {
        let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
        config["num_layers"] = layers.into();
        config["attention_types"] = serde_json::from_str(types).unwrap();
        refused("gpt-neo-hf", "config.json", config.to_string().as_bytes(), why);
    }
}

#[test]
fn models_that_would_load_and_be_others_are_refused() {
    let _alone = ALONE.lock();
    let whole = fs::read(references().join("llama-q4_0.gguf")).unwrap();
    // One name for another of the same length, once.
    let renamed = |from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let at = whole.windows(from.len()).position(|window| window == from).unwrap();
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    for (from, to, why) in [
        (&b"blk.1.attn_v.weight"[..], &b"blk.1.attn_v__.bias"[..], "it holds the tensor blk.1.attn_v__.bias"),
        (b"blk.1.attn_v.weight", b"blk.2.attn_v.weight", "it holds the tensor blk.2.attn_v.weight"),
        (b"smollm", b"dbrxxx", "its tokenizer splits text by the rules \"dbrxxx\", and known are qwen2"),
    ] {
        assert!(refusal("llama-q4_0.gguf", "", &renamed(from, to)).0.contains(why), "{why}");
    }
}
