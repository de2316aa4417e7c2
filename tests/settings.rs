//! Settings: which source wins, what the original's names mean, and what is said when they are wrong.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;

use evolora::config::{
    ConfigFiles, LoadedConfig, LoraTarget, MindKind, Objective, PerceptionKind, RunConfig, env_template, specs,
    toml_template,
};

/// A folder with these files, and nothing in the environment.
struct Sources {
    folder: tempfile::TempDir,
    files: ConfigFiles,
}

impl Sources {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = ConfigFiles { folder: folder.path().to_owned(), ..ConfigFiles::default() };
        Self { folder, files }
    }

    fn toml(self, text: &str) -> Self {
        fs::write(self.folder.path().join("evolora.toml"), text).unwrap();
        self
    }

    fn dotenv(self, text: &str) -> Self {
        fs::write(self.folder.path().join(".env"), text).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.files.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn set(mut self, assignment: &str) -> Self {
        self.files.assignments.push(assignment.to_owned());
        self
    }

    fn flag(mut self, flag: &'static str, key: &'static str, value: &str) -> Self {
        self.files.flags.push((flag, key, value.to_owned()));
        self
    }

    fn preset(mut self, name: &str) -> Self {
        self.files.preset = Some(name.to_owned());
        self
    }

    fn load(&self) -> LoadedConfig {
        self.files.load().unwrap()
    }

    fn error(&self) -> String {
        self.files.load().unwrap_err().to_string()
    }
}

#[test]
fn every_source_lies_over_the_one_before() {
    let mut sources = Sources::new();
    let mut agents = vec![sources.load().config.habitat.agents];
    sources = sources.toml("[habitat]\nagents = 21");
    agents.push(sources.load().config.habitat.agents);
    sources = sources.dotenv("AGENTS=22");
    agents.push(sources.load().config.habitat.agents);
    sources = sources.env("AGENTS", "23");
    agents.push(sources.load().config.habitat.agents);
    sources = sources.env("EVOLORA_AGENTS", "24");
    agents.push(sources.load().config.habitat.agents);
    sources = sources.set("habitat.agents=25");
    agents.push(sources.load().config.habitat.agents);
    sources = sources.flag("--agents", "habitat.agents", "26");
    agents.push(sources.load().config.habitat.agents);
    assert_eq!(agents, [20, 21, 22, 23, 24, 25, 26]);
}

#[test]
fn every_value_knows_where_it_came_from() {
    let loaded = Sources::new()
        .preset("original")
        .toml("[run]\nturns = 7\n[reward]\nbump = -2")
        .dotenv("SEED=3")
        .env("TEMPERATURE", "0")
        .flag("--agents", "habitat.agents", "5")
        .load();
    let origins =
        ["run.turns", "reward.bump", "run.seed", "mind.temperature", "habitat.agents", "lora.rank", "run.generations"]
            .map(|key| loaded.origin(key));
    assert_eq!(
        origins,
        [
            "evolora.toml",
            "evolora.toml",
            ".env",
            "environment variable TEMPERATURE",
            "flag --agents",
            "preset original",
            "default"
        ]
    );
    assert_eq!((loaded.config.reward.bump, loaded.config.mind.temperature), (-2.0, 0.0));
}

#[test]
fn the_originals_names_work_in_dotenv_and_environment() {
    let names = "MODEL_PATH=models/smollm-135m-instruct.q4_k_m.gguf\nMODEL_TYPE=gguf  # gguf, mlx, pytorch\nMAX_TOKENS=30\n\
        TEMPERATURE=0.7\nENABLE_ONLINE_LEARNING=true\nLORA_RANK=4\nLEARNING_RATE=0.0001\nBATCH_SIZE=4\nMUTATION_RATE=0.2\nELITE_RATIO=0.3";
    let check = |config: &RunConfig| {
        assert_eq!(config.model.path, "models/smollm-135m-instruct.q4_k_m.gguf");
        assert_eq!((config.lora.rank, config.learning.batch_size, config.mind.max_tokens), (4, 4, 30));
        assert_eq!((config.learning.learning_rate, config.evolution.mutation_rate), (1e-4, 0.2));
        assert_eq!((config.evolution.elite_ratio, config.learning.enabled), (0.3, true));
    };
    check(&Sources::new().dotenv(names).load().config);
    let mut sources = Sources::new();
    for line in names.lines() {
        let (name, value) = line.split_once('=').unwrap();
        sources = sources.env(name, value.split('#').next().unwrap());
    }
    check(&sources.load().config);
}

#[test]
fn the_preset_original_has_the_originals_values() {
    for sources in [
        Sources::new().preset("original"),
        Sources::new().toml("preset = \"original\""),
        Sources::new().dotenv("PRESET=original"),
        Sources::new().env("EVOLORA_PRESET", "original"),
    ] {
        let RunConfig { lora, learning, mind, evolution, reward, .. } = sources.load().config;
        assert_eq!((lora.rank, &lora.targets[..]), (8, &[LoraTarget::Q, LoraTarget::V][..]));
        assert_eq!((learning.learning_rate, learning.batch_size, learning.sharing), (1e-4, 4, 0.0));
        assert_eq!((learning.objective, reward.shaping), (Objective::Original, 0.0));
        assert_eq!((mind.max_tokens, mind.temperature), (30, 0.7));
        assert_eq!((evolution.mutation_rate, evolution.elite_ratio), (0.1, 0.2));
    }
    let own = Sources::new().preset("original").toml("[lora]\nrank = 2").load().config;
    assert_eq!(own.lora.rank, 2, "what a person sets lies over a preset");
}

#[test]
fn words_lists_and_switches_are_read() {
    let config = Sources::new()
        .env("PERCEPTION", "Sight")
        .env("LORA_TARGETS", "q, v")
        .env("LORA_LAYERS", "10")
        .env("ENABLE_ONLINE_LEARNING", "no")
        .set("mind.kind=random")
        .load()
        .config;
    assert_eq!((config.habitat.perception, config.mind.kind), (PerceptionKind::Sight, MindKind::Random));
    assert_eq!(config.lora.targets, [LoraTarget::Q, LoraTarget::V]);
    assert_eq!(config.lora.layers, evolora::config::LoraLayers::Top(10));
    assert!(!config.learning.enabled);
}

/// A plain name may be another program's, with a value that is none for us.
#[test]
fn a_prefixed_name_takes_the_place_of_a_plain_one() {
    let config = Sources::new().env("DEVICE", "/dev/sda").env("EVOLORA_DEVICE", "cpu").load().config;
    assert_eq!(config.model.device, evolora::config::Device::Cpu);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    assert_eq!(Sources::new().dotenv("\u{feff}AGENTS=3").load().config.habitat.agents, 3);
}

#[test]
fn foreign_names_are_passed_over_where_they_belong() {
    let config =
        Sources::new().dotenv("HF_TOKEN=secret\nAGENTS=3").env("PATH", "/bin").env("FOOBAR", "1").load().config;
    assert_eq!(config.habitat.agents, 3);
}

/// The templates that ship are those that the program prints, every line of them can be used, and they change nothing.
#[test]
fn the_shipped_templates_are_true() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(fs::read_to_string(root.join("evolora.toml")).unwrap(), toml_template());
    assert_eq!(fs::read_to_string(root.join(".env.example")).unwrap(), env_template());
    let is_setting = |line: &str| line.contains('=') && !line.contains("applies");
    let bare = |text: String| -> String {
        let lines = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(setting) if is_setting(setting) => setting.to_owned(),
            Some(_) => String::new(),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let toml = bare(toml_template());
    assert_eq!(toml.lines().filter(|line| line.contains(" = ")).count(), specs().count() + 1, "and the preset");
    assert_eq!(Sources::new().toml(&toml).load().config, RunConfig::default());
    let env = bare(env_template());
    assert_eq!(Sources::new().dotenv(&env).load().config, RunConfig::default());
}

#[test]
fn no_two_settings_share_a_name() {
    let mut keys: Vec<_> = specs().map(|spec| spec.key).collect();
    let mut names: Vec<_> = specs().map(|spec| spec.env).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    names.sort_unstable();
    names.dedup();
    assert_eq!((keys.len(), names.len()), (count, count));
    assert!(specs().all(|spec| spec.help.trim().ends_with('.')));
}

/// Says what is wrong, where, and what is allowed.
fn says(sources: &Sources, parts: &[&str]) {
    let error = sources.error();
    for part in parts {
        assert!(error.contains(part), "\"{error}\" does not say \"{part}\"");
    }
    assert!(!error.contains('\n'), "one sentence: {error}");
}

macro_rules! bad_input {
    ($($name:ident: $sources:expr => $($part:literal),+;)+) => {
        mod bad_input {
            use super::*;
            $(#[test] fn $name() { says(&$sources, &[$($part),+]); })+
        }
    };
}

bad_input! {
    unknown_key_in_toml: Sources::new().toml("[habitat]\nagnets = 3")
        => "evolora.toml", "no setting `habitat.agnets`", "did you mean `habitat.agents`?";
    unknown_section_in_toml: Sources::new().toml("[habitats]\nagents = 3")
        => "evolora.toml", "no setting `habitats.agents`", "`habitat.agents`";
    unknown_top_level_key: Sources::new().toml("agents = 3") => "evolora.toml", "no setting `agents`", "did you mean `habitat.agents`?";
    unknown_name_in_dotenv: Sources::new().dotenv("LORA_RNAK=8") => ".env", "`LORA_RNAK`", "did you mean `LORA_RANK`?";
    unknown_prefixed_variable: Sources::new().env("EVOLORA_TRUNS", "8")
        => "environment variable EVOLORA_TRUNS", "`TRUNS`", "did you mean `TURNS`?";
    unknown_key_in_set: Sources::new().set("reward.deliver=3") => "--set", "`reward.deliver`", "`reward.delivery`";
    set_without_equals: Sources::new().set("reward.delivery") => "--set reward.delivery", "section.name=value";
    word_for_number_in_toml: Sources::new().toml("[habitat]\nagents = \"many\"")
        => "evolora.toml", "`habitat.agents` is \"many\"", "a whole number from 1 to 100000";
    word_for_number_in_env: Sources::new().env("LEARNING_RATE", "fast")
        => "environment variable LEARNING_RATE", "`LEARNING_RATE` is fast", "a number from 0 to 1", "learning.learning_rate";
    number_for_switch: Sources::new().toml("[learning]\nenabled = 2") => "`learning.enabled` is 2", "true or false";
    word_for_switch_in_env: Sources::new().env("ENABLE_ONLINE_LEARNING", "maybe") => "`ENABLE_ONLINE_LEARNING` is maybe", "true or false";
    fraction_for_whole: Sources::new().set("habitat.agents=2.5") => "`habitat.agents` is 2.5", "a whole number";
    number_for_text: Sources::new().toml("[model]\npath = 3") => "`model.path` is 3", "text";
    table_for_value: Sources::new().toml("[run.turns]\nx = 1") => "`run.turns`", "a whole number from 1";
    too_small: Sources::new().flag("--agents", "habitat.agents", "0")
        => "flag --agents", "`habitat.agents` = 0 is out of range", "from 1 to 100000";
    too_large: Sources::new().dotenv("ELITE_RATIO=1.5") => ".env", "`ELITE_RATIO` = 1.5", "from 0 to 1", "evolution.elite_ratio";
    negative: Sources::new().flag("--turns", "run.turns", "-5") => "flag --turns", "-5 is out of range", "from 1 to";
    share_below_zero: Sources::new().dotenv("ELITE_RATIO=-0.1") => ".env: `ELITE_RATIO` = -0.1 is out of range", "from 0 to 1";
    whole_number_below_a_range: Sources::new().toml("[learning]\nlearning_rate = -1")
        => "evolora.toml: `learning.learning_rate` = -1 is out of range", "from 0 to 1";
    not_a_number: Sources::new().env("TEMPERATURE", "nan") => "TEMPERATURE", "out of range", "from 0 to 10";
    larger_than_any_number: Sources::new().flag("--seed", "run.seed", "99999999999999999999") => "flag --seed", "a whole number from 0";
    unknown_choice: Sources::new().flag("--mind", "mind.kind", "genius") => "flag --mind", "genius", "random, rules, llm";
    unknown_word_in_list: Sources::new().env("LORA_TARGETS", "q,x") => "`LORA_TARGETS` = q,x", "q, k, v, o, gate, up, down";
    word_twice_in_list: Sources::new().set("lora.targets=q,q") => "lora.targets", "out of range";
    neither_all_nor_number: Sources::new().env("LORA_LAYERS", "some") => "LORA_LAYERS", "all or a whole number from 1 to 1024";
    unknown_preset: Sources::new().preset("best") => "flag --preset", "no preset `best`", "default and original";
    preset_of_another_type: Sources::new().toml("preset = 3") => "evolora.toml", "no preset `3`";
    toml_syntax: Sources::new().toml("[run]\nturns = 5\nseed = = 3") => "evolora.toml cannot be read", "line 3";
    dotenv_syntax: Sources::new().dotenv("AGENTS=\"3") => ".env cannot be read", "line 1", "NAME=value";
    home_too_large: Sources::new().toml("[habitat]\nsize = 8\nhome_size = 7") => "evolora.toml: `habitat.home_size` = 7", "`habitat.size` is 8";
    start_above_max: Sources::new().set("energy.max=50")
        => "flag --set: `energy.max` = 50", "`energy.start` is 100";
    merge_turned_round: Sources::new().env("MERGE_MIN", "0.9") => "environment variable MERGE_MIN: `evolution.merge_min` = 0.9", "`evolution.merge_max` is 0.8";
    name_of_the_environment_in_set: Sources::new().set("AGENTS=5") => "no setting `AGENTS`", "did you mean `habitat.agents`?";
    preset_in_set: Sources::new().set("preset=original") => "no setting `preset`", "did you mean `--preset`?";
    preset_in_a_section: Sources::new().toml("[run]\npreset = \"original\"") => "`run.preset`", "above the first section";
    one_more_than_a_seed_can_be: Sources::new().flag("--seed", "run.seed", "9223372036854775808")
        => "`run.seed` is 9223372036854775808", "9223372036854775807";
    space_in_dotenv: Sources::new().dotenv("AGENTS=3\nMODEL_PATH=/a b/model") => ".env cannot be read", "line 2", "quotes";
}

#[test]
fn a_file_that_was_asked_for_and_is_not_there() {
    let mut sources = Sources::new();
    sources.files.file = Some(sources.folder.path().join("mine.toml"));
    says(&sources, &["mine.toml cannot be opened", "--config"]);
}

#[test]
fn settings_made_by_a_program_are_held_against_the_same_table() {
    let mut config = RunConfig::default();
    config.habitat.agents = 0;
    let error = config.check().unwrap_err().to_string();
    assert!(error.contains("the program's own RunConfig: `habitat.agents` = 0 is out of range"), "{error}");
    config.habitat.agents = 3;
    config.energy.start = 200.0;
    assert!(config.check().unwrap_err().to_string().contains("energy.start"));
}

/// A checkpoint has the settings of its time.
#[test]
fn a_setting_that_is_newer_than_what_was_kept_has_its_default() {
    let mut config = evolora::config::RunConfig::default();
    config.run.seed = 7;
    let mut kept = serde_json::to_value(&config).unwrap();
    assert!(kept["model"].as_object_mut().unwrap().remove("stream").is_some());
    assert_eq!(serde_json::from_value::<evolora::config::RunConfig>(kept.clone()).unwrap(), config);
    let mut older = kept.clone();
    assert!(older.as_object_mut().unwrap().remove("lora").is_some());
    assert_eq!(serde_json::from_value::<evolora::config::RunConfig>(older).unwrap(), config, "a whole section");
    kept["model"]["gone"] = serde_json::json!(true);
    assert!(
        serde_json::from_value::<evolora::config::RunConfig>(kept).is_err(),
        "one that is not known is not passed over"
    );
}
