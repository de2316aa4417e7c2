//! From a path in the settings to a model ready for use.
//!
//! This module does *not* know who will use it.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use candle_core::{Device, quantized::GgmlDType};

use super::{
    Tokenizer,
    chat::ChatTemplate,
    error::{BrainError, Result},
    files::{
        GgufFile, Keep, MlxFolder, ModelShape, PickleFile, SafetensorsFolder, Tensors, load_llama, read_hf_config,
        read_json,
    },
    model::{GptNeo, LanguageModel, Llama},
};
use crate::config::{Device as DeviceChoice, ModelSettings, ModelType, Quantisation};

/// The model that ships with the program.
static SHIPPED: &[u8] = include_bytes!("../../models/evolora-206k.gguf");
/// Its name in messages, beside the sources.
pub const SHIPPED_NAME: &str = "models/evolora-206k.gguf";

/// A model, its tokenizer, and what its files say about both.
pub struct LoadedModel {
    /// The model.
    pub model: LanguageModel,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// What it is called.
    pub name: String,
    /// Where it came from.
    pub path: PathBuf,
    /// The tokens that end what it says.
    pub ends: Vec<u32>,
    /// How it was taught to be spoken to, if it was.
    pub chat: Option<ChatTemplate>,
}

/// What kind of files hold a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One GGUF file.
    Gguf,
    /// A folder with safetensors.
    Safetensors,
    /// A folder with `pytorch_model.bin`.
    Pytorch,
    /// A folder with safetensors that MLX has quantised.
    Mlx,
}

/// Loads the model that the settings name; the one that ships where they name none.
///
/// # Errors
/// There is none, it is broken or of a kind that is not known, or the device is not there.
pub fn load_model(settings: &ModelSettings) -> Result<LoadedModel> {
    let keep = Keep { device: device(settings.device)?, quantise: quantise(settings.quant) };
    if settings.path.trim().is_empty() {
        return load_gguf(GgufFile::from_bytes(Path::new(SHIPPED_NAME), SHIPPED)?, &keep);
    }
    let (path, format) = find_files(Path::new(settings.path.trim()), settings.kind)?;
    match format {
        Format::Gguf => load_gguf(GgufFile::open(&path)?, &keep),
        Format::Safetensors | Format::Pytorch | Format::Mlx => load_folder(&path, format, &keep),
    }
}

/// The file or folder that a path means, and what kind of files hold the model: as told, or as seen.
///
/// # Errors
/// There is nothing, or nothing of the kind that was told.
pub fn find_files(path: &Path, kind: ModelType) -> Result<(PathBuf, Format)> {
    if !path.exists() {
        return Err(BrainError::Missing { path: path.to_owned(), hint: String::new() });
    }
    let seen = seen_formats(path)?;
    let wanted = match kind {
        ModelType::Auto => None,
        ModelType::Gguf => Some(Format::Gguf),
        ModelType::Mlx => Some(Format::Mlx),
        ModelType::Pytorch => Some(Format::Pytorch),
        ModelType::Safetensors => Some(Format::Safetensors),
    };
    let fits = |format: &Format| match wanted {
        None => true,
        // Both words mean a Hugging Face folder; which file it holds is seen.
        Some(Format::Pytorch | Format::Safetensors) => matches!(format, Format::Pytorch | Format::Safetensors),
        Some(wanted) => *format == wanted,
    };
    let found = seen.iter().find(|(_, format)| wanted == Some(*format)).or_else(|| seen.iter().find(|(_, f)| fits(f)));
    found.cloned().ok_or_else(|| {
        let what = if seen.is_empty() {
            "it is no GGUF file, and no folder with a config.json and model.safetensors or pytorch_model.bin".to_owned()
        } else {
            format!("MODEL_TYPE is {kind}, and it holds {:?}", seen[0].1)
        };
        BrainError::file(path, what)
    })
}

/// Everything at a path that could be a model, the likeliest first.
fn seen_formats(path: &Path) -> Result<Vec<(PathBuf, Format)>> {
    let begins = |path: &Path| {
        let mut mark = [0; 4];
        std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut mark)).is_ok_and(|()| &mark == b"GGUF")
    };
    if path.is_file() {
        let named = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
        return Ok(if named || begins(path) { vec![(path.to_owned(), Format::Gguf)] } else { Vec::new() });
    }
    let mut seen = Vec::new();
    let has = |name: &str| path.join(name).is_file();
    if has("config.json") {
        let mlx = || Ok::<_, BrainError>(read_hf_config(path)?.1.is_some());
        if has("model.safetensors") || has("model.safetensors.index.json") {
            seen.push((path.to_owned(), if mlx()? { Format::Mlx } else { Format::Safetensors }));
        }
        if has("pytorch_model.bin") {
            seen.push((path.to_owned(), Format::Pytorch));
        }
    }
    let entries = std::fs::read_dir(path).map_err(|error| BrainError::read(path, error))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    seen.extend(files.into_iter().filter(|file| file.is_file() && begins(file)).map(|file| (file, Format::Gguf)));
    Ok(seen)
}

fn load_gguf(mut file: GgufFile, keep: &Keep) -> Result<LoadedModel> {
    let path = file.path().to_owned();
    let name = file.text("general.name").map_or_else(|| stem(&path), str::to_owned);
    let tokenizer = Tokenizer::from_gguf(&file)?;
    let named = |key: &str| file.whole(&format!("tokenizer.ggml.{key}_token_id")).and_then(|id| u32::try_from(id).ok());
    let ends = end_tokens(&tokenizer, [named("eos"), named("eot")].into_iter().flatten());
    let spelled = |id: Option<u32>| id.and_then(|id| tokenizer.spelling(id)).unwrap_or_default();
    let template = file.text("tokenizer.chat_template");
    let chat =
        template.map(|text| ChatTemplate::new(text, &spelled(named("bos")), &spelled(named("eos")))).transpose()?;
    let model = LanguageModel::Llama(load_llama(&mut file, keep)?);
    whole(LoadedModel { model, tokenizer, name, path, ends, chat })
}

fn load_folder(folder: &Path, format: Format, keep: &Keep) -> Result<LoadedModel> {
    let (shape, quantised) = read_hf_config(folder)?;
    let tokenizer = Tokenizer::from_file(&folder.join("tokenizer.json"))?;
    let mut files: Box<dyn Tensors> = match (format, quantised) {
        (Format::Pytorch, _) => Box::new(PickleFile::open(&folder.join("pytorch_model.bin"))?),
        (Format::Mlx, Some(quantised)) => Box::new(MlxFolder::new(SafetensorsFolder::open(folder)?, quantised)),
        _ => Box::new(SafetensorsFolder::open(folder)?),
    };
    let model = match shape {
        ModelShape::Llama(config) => LanguageModel::Llama(Llama::load(config, &mut *files, keep)?),
        ModelShape::GptNeo(config) => LanguageModel::GptNeo(GptNeo::load(config, &mut *files, keep)?),
    };
    let config = read_json(&folder.join("config.json"))?;
    let named = &config["eos_token_id"];
    let ids = named.as_array().cloned().unwrap_or_else(|| vec![named.clone()]);
    let ids = ids.iter().filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()));
    let ends = end_tokens(&tokenizer, ids);
    let chat = folder_chat(folder)?;
    whole(LoadedModel { model, tokenizer, name: stem(folder), path: folder.to_owned(), ends, chat })
}

/// The chat template of a folder: a file of its own, or within `tokenizer_config.json`.
fn folder_chat(folder: &Path) -> Result<Option<ChatTemplate>> {
    let (alone, config) = (folder.join("chat_template.jinja"), folder.join("tokenizer_config.json"));
    let config = if config.is_file() { read_json(&config)? } else { serde_json::Value::Null };
    let source = if alone.is_file() {
        Some(std::fs::read_to_string(&alone).map_err(|error| BrainError::read(&alone, error))?)
    } else {
        config["chat_template"].as_str().map(str::to_owned)
    };
    // A token is a text, or an object that holds one.
    let token = |key: &str| config[key].as_str().or_else(|| config[key]["content"].as_str()).unwrap_or_default();
    source.map(|source| ChatTemplate::new(&source, token("bos_token"), token("eos_token"))).transpose()
}

/// The tokens that end what a model says: those that its files name, and those that are spelled like an end.
fn end_tokens(tokenizer: &Tokenizer, named: impl Iterator<Item = u32>) -> Vec<u32> {
    let spelled = ["<|endoftext|>", "<|im_end|>", "</s>"].into_iter().filter_map(|token| tokenizer.id(token));
    let mut ends: Vec<u32> = named.chain(spelled).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// Refuses a model whose tokenizer spells tokens that it does not know.
fn whole(loaded: LoadedModel) -> Result<LoadedModel> {
    let (has, fits) = (loaded.tokenizer.vocabulary(), loaded.model.vocabulary());
    if has > fits {
        let what = format!("its tokenizer has {has} tokens and its embedding {fits}");
        return Err(BrainError::file(&loaded.path, what));
    }
    Ok(loaded)
}

const fn quantise(choice: Quantisation) -> Option<GgmlDType> {
    match choice {
        Quantisation::None => None,
        Quantisation::Q8 => Some(GgmlDType::Q8_0),
        Quantisation::Q4 => Some(GgmlDType::Q4_0),
    }
}

/// The device that the settings name.
///
/// # Errors
/// The program was built without it, or the machine has none.
pub fn device(choice: DeviceChoice) -> Result<Device> {
    let missing = |feature: &str, error: candle_core::Error| {
        let first = error.to_string().lines().next().unwrap_or_default().to_owned();
        BrainError::Setting(format!(
            "The device \"{feature}\" cannot be used ({first}): build with `--features {feature}` on a machine that has one, or set DEVICE=cpu"
        ))
    };
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda => Device::new_cuda(0).map_err(|error| missing("cuda", error)),
        DeviceChoice::Metal => Device::new_metal(0).map_err(|error| missing("metal", error)),
        DeviceChoice::Auto => {
            let found = if candle_core::utils::cuda_is_available() {
                Device::new_cuda(0)
            } else if candle_core::utils::metal_is_available() {
                Device::new_metal(0)
            } else {
                Ok(Device::Cpu)
            };
            Ok(found.unwrap_or(Device::Cpu))
        }
    }
}
