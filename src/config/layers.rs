//! Lays the sources of settings over each other and remembers where each value came from.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::Serialized,
    value::{Dict, Map},
};
use toml::{Table, Value};

use super::{
    error::ConfigError,
    preset::Preset,
    sections::RunConfig,
    spec::{Misfit, Spec, find_spec, specs},
};

/// Names that may stand in `.env` beside settings, because other programs and libraries read them.
const FOREIGN: &[&str] = &["HF_", "HUGGINGFACE_", "XDG_", "RUST_", "CUDA_", "RAYON_", "WGPU_", "HTTP_", "HTTPS_"];

/// Where a value came from, in words: `default`, `evolora.toml`, `environment variable AGENTS`, `flag --agents`.
pub type Origin = String;

/// Values from one source, each held against its setting.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    origin: Origin,
    values: Dict,
}

impl Layer {
    /// Values written as TOML: a table per section.
    ///
    /// # Errors
    /// A name that is no setting, a wrong type, or a value out of range.
    pub fn from_table(origin: impl Into<Origin>, table: &Table) -> Result<Self, ConfigError> {
        let mut layer = Self { origin: origin.into(), values: Dict::new() };
        for (section, value) in table {
            let Value::Table(rows) = value else {
                layer.add(section, value)?;
                continue;
            };
            for (name, value) in rows {
                layer.add(&format!("{section}.{name}"), value)?;
            }
        }
        Ok(layer)
    }

    /// One value written as plain text, under the name that was written.
    ///
    /// # Errors
    /// As [`Layer::from_table`].
    pub fn from_text(origin: impl Into<Origin>, key: &str, written: &str, text: &str) -> Result<Self, ConfigError> {
        let mut layer = Self { origin: origin.into(), values: Dict::new() };
        let spec = find_spec(key).ok_or_else(|| unknown(written, &layer.origin))?;
        layer.put(spec, written, &spec.read_text(text.trim()))?;
        Ok(layer)
    }

    fn add(&mut self, key: &str, value: &Value) -> Result<(), ConfigError> {
        let spec = find_spec(key).ok_or_else(|| unknown(key, &self.origin))?;
        self.put(spec, key, value)
    }

    fn put(&mut self, spec: &'static Spec, written: &str, value: &Value) -> Result<(), ConfigError> {
        spec.check(value).map_err(|misfit| {
            let (key, origin, found) = (written.to_owned(), self.origin.clone(), value.to_string());
            match misfit {
                Misfit::Type => ConfigError::WrongType { key, origin, found, spec },
                Misfit::Range => ConfigError::OutOfRange { key, origin, found, spec },
            }
        })?;
        let value = figment::value::Value::serialize(value).map_err(|e| self.syntax(&e))?;
        if let Some((section, name)) = spec.key.split_once('.') {
            let section = self.values.entry(section.to_owned()).or_insert_with(|| Dict::new().into());
            if let figment::value::Value::Dict(_, rows) = section {
                rows.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    fn syntax(&self, error: &dyn std::fmt::Display) -> ConfigError {
        ConfigError::Syntax { origin: self.origin.clone(), message: error.to_string() }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn unknown(key: &str, origin: &str) -> ConfigError {
    let near = |name: &&str| strsim::jaro_winkler(&name.to_lowercase(), &key.to_lowercase());
    let names = specs().map(|spec| if key.contains('.') { spec.key } else { spec.env });
    let best = names.max_by(|a, b| near(a).total_cmp(&near(b))).filter(|name| near(name) > 0.8);
    ConfigError::UnknownKey { key: key.to_owned(), origin: origin.to_owned(), suggestion: best.map(str::to_owned) }
}

/// The sources of a run's settings.
#[derive(Debug, Clone, Default)]
pub struct ConfigFiles {
    /// The folder in which `evolora.toml` and `.env` are looked for.
    pub folder: PathBuf,
    /// A settings file to use in place of `evolora.toml`; it must exist.
    pub file: Option<PathBuf>,
    /// The environment's variables; names that are no settings are passed over, save those that begin with `EVOLORA_`.
    pub environment: Vec<(String, String)>,
    /// A preset named by a flag.
    pub preset: Option<String>,
    /// `section.name=value`, as `--set` takes it.
    pub assignments: Vec<String>,
    /// Values of named flags: the flag, the setting's key, the value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// Settings, and where each came from.
#[derive(Debug, Clone)]
pub struct LoadedConfig {
    /// The settings, checked.
    pub config: RunConfig,
    figment: Figment,
}

impl LoadedConfig {
    /// Where the value of the setting `key` came from.
    pub fn origin(&self, key: &str) -> Origin {
        self.figment.find_metadata(key).map_or_else(|| "default".to_owned(), |m| m.name.clone().into_owned())
    }

    /// The value of the setting `key` as a person would write it, or nothing if there is no such setting.
    pub fn value(&self, key: &str) -> String {
        let table = Table::try_from(&self.config).unwrap_or_default();
        let value = key.split_once('.').and_then(|(section, name)| table.get(section)?.get(name));
        value.map(ToString::to_string).unwrap_or_default()
    }

    fn from_layers(layers: impl IntoIterator<Item = Layer>) -> Result<Self, ConfigError> {
        let defaults = Serialized::defaults(RunConfig::default());
        let mut figment = Figment::new().merge(Renamed("default", defaults));
        for layer in layers {
            figment = figment.merge(layer);
        }
        let config: RunConfig = figment
            .extract()
            .map_err(|e| ConfigError::Syntax { origin: "the settings".to_owned(), message: e.to_string() })?;
        let loaded = Self { config, figment };
        match loaded.config.contradiction() {
            None => Ok(loaded),
            Some((key, value, why)) => Err(ConfigError::Conflict { key, value, origin: loaded.origin(key), why }),
        }
    }
}

/// A provider under another name.
struct Renamed<P>(&'static str, P);

impl<P: Provider> Provider for Renamed<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        self.1.data()
    }
}

impl ConfigFiles {
    /// The sources that a program started in `folder` has, without flags.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { folder: folder.into(), environment, ..Self::default() }
    }

    /// Reads every source and lays them over each other.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place and what is allowed there.
    pub fn load(&self) -> Result<LoadedConfig, ConfigError> {
        let (file_name, mut file) = self.read_toml()?;
        let mut preset = file
            .remove("preset")
            .map(|name| (name.as_str().map_or(name.to_string(), str::to_owned), file_name.clone()));
        let mut layers = vec![Layer::from_table(file_name, &file)?];
        for (name, value) in self.read_dotenv()? {
            if name == "PRESET" {
                preset = Some((value, ".env".to_owned()));
            } else if let Some(spec) = specs().find(|spec| spec.env == name) {
                layers.push(Layer::from_text(".env", spec.key, &name, &value)?);
            } else if !FOREIGN.iter().any(|prefix| name.starts_with(prefix)) {
                return Err(unknown(&name, ".env"));
            }
        }
        let (prefixed, plain): (Vec<_>, Vec<_>) =
            self.environment.iter().partition(|(name, _)| name.starts_with("EVOLORA_"));
        for (name, value) in plain.into_iter().chain(prefixed) {
            let short = name.strip_prefix("EVOLORA_");
            let origin = format!("environment variable {name}");
            if short.unwrap_or(name) == "PRESET" {
                preset = Some((value.clone(), origin));
            } else if let Some(spec) = specs().find(|spec| spec.env == short.unwrap_or(name)) {
                layers.push(Layer::from_text(origin, spec.key, name, value)?);
            } else if let Some(short) = short {
                return Err(unknown(short, &origin));
            }
        }
        for assignment in &self.assignments {
            let not_one = || ConfigError::NotAnAssignment { argument: assignment.clone() };
            let (key, value) = assignment.split_once('=').ok_or_else(not_one)?;
            layers.push(Layer::from_text("flag --set", key.trim(), key.trim(), value)?);
        }
        for (flag, key, value) in &self.flags {
            layers.push(Layer::from_text(format!("flag {flag}"), key, key, value)?);
        }
        if let Some(name) = &self.preset {
            preset = Some((name.clone(), "flag --preset".to_owned()));
        }
        if let Some((name, origin)) = preset {
            layers.insert(0, preset_layer(&name, &origin)?);
        }
        LoadedConfig::from_layers(layers)
    }

    fn read_toml(&self) -> Result<(String, Table), ConfigError> {
        let path = self.file.clone().unwrap_or_else(|| self.folder.join("evolora.toml"));
        let name = if self.file.is_some() { path.display().to_string() } else { "evolora.toml".to_owned() };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && self.file.is_none() => {
                return Ok((name, Table::new()));
            }
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        let table = text.parse::<Table>().map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            ConfigError::Syntax { origin: name.clone(), message: format!("line {line}: {}", e.message().trim_end()) }
        })?;
        Ok((name, table))
    }

    fn read_dotenv(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let path = self.folder.join(".env");
        if !Path::new(&path).exists() {
            return Ok(Vec::new());
        }
        let syntax = |e: dotenvy::Error| ConfigError::Syntax { origin: ".env".to_owned(), message: e.to_string() };
        dotenvy::from_path_iter(&path).map_err(syntax)?.collect::<Result<_, _>>().map_err(syntax)
    }
}

fn preset_layer(name: &str, origin: &str) -> Result<Layer, ConfigError> {
    let unknown = || ConfigError::UnknownPreset { name: name.to_owned(), origin: origin.to_owned() };
    let preset = Preset::named(name).ok_or_else(unknown)?;
    Layer::from_table(format!("preset {name}"), &preset.values())
}

impl RunConfig {
    /// Holds settings that a program made by hand against the same table as every file.
    ///
    /// # Errors
    /// The first value out of range, or a contradiction between two.
    pub fn check(&self) -> Result<(), ConfigError> {
        let origin = "the program's own RunConfig";
        let table = Table::try_from(self)
            .map_err(|e| ConfigError::Syntax { origin: origin.to_owned(), message: e.to_string() })?;
        let layer = Layer::from_table(origin, &table)?;
        LoadedConfig::from_layers([layer]).map(drop)
    }

    /// The first setting that does not go with another: its key, its value, and why.
    fn contradiction(&self) -> Option<(&'static str, String, String)> {
        let Self { habitat, energy, evolution, .. } = self;
        let (home, size) = (habitat.home_size, habitat.size);
        if home + 2 > size {
            let why = format!("home and its ring need {} cells a side, and habitat.size is {size}", home + 2);
            return Some(("habitat.home_size", home.to_string(), why));
        }
        if energy.start > energy.max {
            let why = format!("nobody can have more than energy.max = {}", energy.max);
            return Some(("energy.start", energy.start.to_string(), why));
        }
        if evolution.merge_min > evolution.merge_max {
            let why = format!("it is above evolution.merge_max = {}", evolution.merge_max);
            return Some(("evolution.merge_min", evolution.merge_min.to_string(), why));
        }
        None
    }
}
