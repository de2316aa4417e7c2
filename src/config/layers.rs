//! Lays the sources of settings over each other and remembers where each value came from.

use std::{io::ErrorKind, path::PathBuf};

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
        layer.put(spec, written, &spec.read_text(text.trim()), text.trim())?;
        Ok(layer)
    }

    fn add(&mut self, key: &str, value: &Value) -> Result<(), ConfigError> {
        let spec = find_spec(key).ok_or_else(|| unknown(key, &self.origin))?;
        self.put(spec, key, value, &value.to_string())
    }

    /// Takes a value that was written as `found` under the name `written`.
    fn put(&mut self, spec: &'static Spec, written: &str, value: &Value, found: &str) -> Result<(), ConfigError> {
        spec.check(value).map_err(|misfit| {
            let (key, origin, found) = (written.to_owned(), self.origin.clone(), found.to_owned());
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

/// The error for a name that is no setting, with the nearest name of the kind that belongs where it was written.
fn unknown(key: &str, origin: &str) -> ConfigError {
    let in_environment = origin == ".env" || origin.starts_with("environment");
    let bare = key.rsplit('.').next().unwrap_or(key).to_lowercase();
    let likeness = |spec: &Spec| {
        let name = spec.key.rsplit('.').next().unwrap_or(spec.key);
        let whole = strsim::jaro_winkler(spec.key, &key.to_lowercase());
        let names = [whole, strsim::jaro_winkler(name, &bare), strsim::jaro_winkler(&spec.env.to_lowercase(), &bare)];
        // The section counts a little, so that of two equal names the one in the right section is meant.
        names.into_iter().fold(0.0, f64::max) + 0.1 * whole
    };
    let best = specs().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|spec| likeness(spec) > 0.9);
    let suggestion = match key.trim_start_matches("run.") {
        "preset" if origin.contains("--set") => Some("--preset".to_owned()),
        "preset" => Some("preset (above the first section)".to_owned()),
        _ => best.map(|spec| if in_environment { spec.env } else { spec.key }.to_owned()),
    };
    ConfigError::UnknownKey { key: key.to_owned(), origin: origin.to_owned(), suggestion }
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
        let Some(keys) = loaded.config.contradiction() else { return Ok(loaded) };
        // Of the two, whichever was set by somebody is to be changed.
        let [one, other] = if loaded.origin(keys[0]) == "default" { [keys[1], keys[0]] } else { keys };
        let why = format!("`{other}` is {}", loaded.value(other));
        Err(ConfigError::Conflict { key: one, value: loaded.value(one), origin: loaded.origin(one), why })
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
        // A prefixed name takes the place of the plain one, which may be another program's and no value for us at all.
        let is_replaced = |name: &str| prefixed.iter().any(|(other, _)| other.strip_prefix("EVOLORA_") == Some(name));
        let plain: Vec<_> = plain.into_iter().filter(|(name, _)| !is_replaced(name)).collect();
        for (name, value) in plain.into_iter().chain(prefixed.iter().copied()) {
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
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        let text = text.trim_start_matches('\u{feff}');
        let syntax = |error: dotenvy::Error| {
            let dotenvy::Error::LineParse(bad, _) = &error else {
                return ConfigError::Syntax { origin: ".env".to_owned(), message: error.to_string() };
            };
            let first = bad.lines().next().unwrap_or_default();
            let line = 1 + text.lines().position(|line| line.contains(first)).unwrap_or_default();
            let message =
                format!("line {line}, `{first}`, is not NAME=value; a value with spaces needs quotes around it");
            ConfigError::Syntax { origin: ".env".to_owned(), message }
        };
        dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>().map_err(syntax)
    }
}

fn preset_layer(name: &str, origin: &str) -> Result<Layer, ConfigError> {
    let unknown = || ConfigError::UnknownPreset { name: name.to_owned(), origin: origin.to_owned() };
    let preset = Preset::named(name).ok_or_else(unknown)?;
    Layer::from_table(format!("preset {name}"), &preset.values())
}

impl RunConfig {
    /// The same for minds that are looked at as they are: nobody learns, breeds or explores.
    #[must_use]
    pub const fn frozen(mut self) -> Self {
        self.learning.enabled = false;
        self.evolution.enabled = false;
        self.mind.exploration = 0.0;
        self
    }

    /// The same with a preset's values and then these, by key and as a person would write them, in the place of its own.
    ///
    /// # Errors
    /// As for every source of settings.
    pub fn with(&self, preset: Preset, changes: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let mut layers = vec![self.as_layer()?, Layer::from_table("preset", &preset.values())?];
        for (key, text) in changes {
            layers.push(Layer::from_text("the program's own change", key, key, text)?);
        }
        LoadedConfig::from_layers(layers).map(|loaded| loaded.config)
    }

    /// The settings of one TOML file, laid over the defaults; no other source is read.
    ///
    /// # Errors
    /// As for every source of settings, or there is no such file.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let files = ConfigFiles { file: Some(path.into()), ..ConfigFiles::default() };
        let (name, mut table) = files.read_toml()?;
        let preset = table.remove("preset").map(|preset| preset.as_str().map_or(preset.to_string(), str::to_owned));
        let mut layers: Vec<_> = preset.map(|preset| preset_layer(&preset, &name)).transpose()?.into_iter().collect();
        layers.push(Layer::from_table(name, &table)?);
        LoadedConfig::from_layers(layers).map(|loaded| loaded.config)
    }

    /// Holds settings that a program made by hand against the same table as every file.
    ///
    /// # Errors
    /// The first value out of range, or a contradiction between two.
    pub fn check(&self) -> Result<(), ConfigError> {
        LoadedConfig::from_layers([self.as_layer()?]).map(drop)
    }

    fn as_layer(&self) -> Result<Layer, ConfigError> {
        let origin = "the program's own RunConfig";
        let table = Table::try_from(self)
            .map_err(|e| ConfigError::Syntax { origin: origin.to_owned(), message: e.to_string() })?;
        Layer::from_table(origin, &table)
    }

    /// The first two settings that do not go with each other.
    fn contradiction(&self) -> Option<[&'static str; 2]> {
        let Self { habitat, energy, evolution, .. } = self;
        let pairs = [
            // Home lies within a ring that is free of walls.
            (habitat.home_size + 2 > habitat.size, ["habitat.home_size", "habitat.size"]),
            (energy.start > energy.max, ["energy.start", "energy.max"]),
            (evolution.merge_min > evolution.merge_max, ["evolution.merge_min", "evolution.merge_max"]),
        ];
        pairs.into_iter().find(|(holds, _)| *holds).map(|(_, keys)| keys)
    }
}
