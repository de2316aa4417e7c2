//! From a path in the settings to a model ready for use.
//!
//! This module does *not* know who will use it.

use std::path::{Path, PathBuf};

use candle_core::{Device, quantized::GgmlDType};

use super::{
    Tokenizer,
    catalog::{Format, ModelInfo, fingerprint, name_of, read_named},
    chat::ChatTemplate,
    error::{BrainError, Result},
    files::{
        GgufFile, Keep, MlxFolder, PickleFile, SafetensorsFolder, Tensors, read_hf_config, read_json, read_llama_config,
    },
    model::{GptNeo, LanguageModel, Llama, ModelShape},
    resident::Resident,
};
use crate::{
    checksum::sha256,
    config::{Device as DeviceChoice, ModelSettings, Quantisation},
};

/// Weights below which a model is small: its agents are divided among threads, a few at a time. The batches of a large
/// one stay whole, and its products are divided.
pub(super) const SMALL_MODEL: usize = 4_000_000;

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
    /// Bytes by which the process grew when that was loaded, where the system tells.
    pub tokenizer_bytes: u64,
    /// What it is called.
    pub name: String,
    /// Where it came from.
    pub path: PathBuf,
    /// SHA-256 of its files, in hexadecimal: by this adapters know their model.
    pub sha256: String,
    /// The tokens that end what it says.
    pub ends: Vec<u32>,
    /// How it was taught to be spoken to, if it was.
    pub chat: Option<ChatTemplate>,
}

/// Loads the model that the settings name; the one that ships where they name none. Quantised layers stay in their GGUF file where the
/// settings say so, however small it is; whether that is worth it says [`streams`].
///
/// # Errors
/// There is none, it is broken or of a kind that is not known, or the device is not there.
pub fn load_model(settings: &ModelSettings) -> Result<LoadedModel> {
    let (device, quantise) = (device(settings.device)?, quantise(settings.quant));
    let keep = Keep { streams: settings.stream, device, quantise };
    if is_shipped(settings) {
        return load_gguf(shipped()?, sha256(SHIPPED), &keep);
    }
    read_named(settings, |path, format| match format {
        Format::Gguf => load_gguf(GgufFile::open(path)?, fingerprint(path, format)?, &keep),
        Format::Safetensors | Format::Pytorch | Format::Mlx => load_folder(path, format, &keep),
    })
}

/// Whether quantised layers of this model stay in their file with these settings. The weights of a small one are not worth it.
pub fn streams(settings: &ModelSettings, info: &ModelInfo) -> bool {
    use candle_core::utils::{cuda_is_available, metal_is_available};
    let is_cpu = match settings.device {
        DeviceChoice::Cpu => true,
        DeviceChoice::Auto => !cuda_is_available() && !metal_is_available(),
        DeviceChoice::Cuda | DeviceChoice::Metal => false,
    };
    let is_worth_it = info.format == Format::Gguf && info.shape.parameters() >= SMALL_MODEL;
    settings.stream && is_worth_it && is_cpu && !is_shipped(settings)
}

/// What the settings call their model: the name of the one that ships where they name none.
pub fn word_of(settings: &ModelSettings) -> &str {
    let word = settings.path.trim();
    if word.is_empty() { SHIPPED_NAME } else { word }
}

/// Whether the settings mean the model that is in the program: they name none, or it by its name where no file has that.
pub(super) fn is_shipped(settings: &ModelSettings) -> bool {
    settings.path.trim().is_empty() || (word_of(settings) == SHIPPED_NAME && !Path::new(SHIPPED_NAME).exists())
}

/// SHA-256 of the files of the model that the settings name, in hexadecimal, without loading it.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn model_sha256(settings: &ModelSettings) -> Result<String> {
    if is_shipped(settings) {
        return Ok(sha256(SHIPPED));
    }
    read_named(settings, fingerprint)
}

/// The model that ships with the program, as a file.
///
/// # Errors
/// None that a release of the program could have.
pub(super) fn shipped() -> Result<GgufFile> {
    GgufFile::from_bytes(Path::new(SHIPPED_NAME), SHIPPED)
}

fn load_gguf(mut file: GgufFile, sha256: String, keep: &Keep) -> Result<LoadedModel> {
    let path = file.path().to_owned();
    let name = file.text("general.name").map_or_else(|| name_of(&path, Format::Gguf), str::to_owned);
    let (tokenizer, tokenizer_bytes) = Resident::grown(|| Tokenizer::from_gguf(&file));
    let tokenizer = tokenizer?;
    let named = |key: &str| file.whole(&format!("tokenizer.ggml.{key}_token_id")).and_then(|id| u32::try_from(id).ok());
    let ends = end_tokens(&tokenizer, [named("eos"), named("eot")].into_iter().flatten());
    let spelled = |id: Option<u32>| id.and_then(|id| tokenizer.spelling(id)).unwrap_or_default();
    let template = file.text("tokenizer.chat_template");
    let chat = template.map(|text| ChatTemplate::new(text, &spelled(named("bos")), &spelled(named("eos"))));
    let config = read_llama_config(&file)?;
    // A tenth of what a small model's weights take.
    file.forget_lists();
    let model = LanguageModel::Llama(Llama::load(config, &mut file, keep)?);
    whole(LoadedModel { model, tokenizer, tokenizer_bytes, name, path, sha256, ends, chat })
}

fn load_folder(folder: &Path, format: Format, keep: &Keep) -> Result<LoadedModel> {
    let (shape, quantised) = read_hf_config(folder)?;
    let (tokenizer, tokenizer_bytes) = Resident::grown(|| Tokenizer::from_file(&folder.join("tokenizer.json")));
    let tokenizer = tokenizer?;
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
    let (name, path, sha256) = (name_of(folder, format), folder.to_owned(), fingerprint(folder, format)?);
    whole(LoadedModel { model, tokenizer, tokenizer_bytes, name, path, sha256, ends, chat })
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
    Ok(source.map(|source| ChatTemplate::new(&source, token("bos_token"), token("eos_token"))))
}

/// The tokens that end what a model says: those that its files name, and those that are spelled like an end.
fn end_tokens(tokenizer: &Tokenizer, named: impl Iterator<Item = u32>) -> Vec<u32> {
    let spelled = ["<|endoftext|>", "<|im_end|>", "</s>"].into_iter().filter_map(|token| tokenizer.id(token));
    let mut ends: Vec<u32> = named.chain(spelled).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
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

/// The type that a setting means.
pub const fn quantise(choice: Quantisation) -> Option<GgmlDType> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brain::{catalog::inspect, model::LlamaConfig};

    #[test]
    fn quantised_layers_of_a_large_gguf_file_stay_in_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/llama-q4_0.gguf");
        let settings = ModelSettings { path: path.to_string_lossy().into_owned(), ..ModelSettings::default() };
        let small = inspect(&settings).unwrap();
        let ModelShape::Llama(config) = small.shape.clone() else { panic!("it is a Llama") };
        let shape = ModelShape::Llama(LlamaConfig { layers: 1000, ..config });
        let large = ModelInfo { shape, ..small.clone() };
        assert!(streams(&settings, &large) && !streams(&settings, &small), "a small one is not worth it");
        let folder = ModelInfo { format: Format::Safetensors, ..large.clone() };
        assert!(!streams(&settings, &folder));
        assert!(!streams(&ModelSettings { stream: false, ..settings.clone() }, &large));
        assert!(!streams(&ModelSettings { device: DeviceChoice::Cuda, ..settings }, &large));
        assert!(!streams(&ModelSettings::default(), &large), "the one that ships is in the program");
    }

    #[test]
    fn the_model_that_ships_has_one_name() {
        let named = |path: &str| ModelSettings { path: path.to_owned(), ..ModelSettings::default() };
        let words = ["", "  ", SHIPPED_NAME, " models/other.gguf "].map(|path| word_of(&named(path)).to_owned());
        assert_eq!(words, [SHIPPED_NAME, SHIPPED_NAME, SHIPPED_NAME, "models/other.gguf"]);
        assert_eq!(model_sha256(&named("")).unwrap(), model_sha256(&named(SHIPPED_NAME)).unwrap());
    }
}
