//! The table of settings.
//!
//! A row reads: explanation, field, type = default, name in the environment, range, unit, when a change applies.
//! Defaults are those that were found by experiment to work; see the README's section on settings.

use serde::{Deserialize, Serialize};

use super::{
    choices::{
        AllLayers, Arithmetic, Baseline, DecisionMode, Device, Genome, Inheritance, LoraLayers, LoraTarget, MindKind,
        ModelType, Objective, ParentSelection, PerceptionKind, Quantisation,
    },
    spec::{Applies, Range, Spec},
};

/// One section of `evolora.toml`.
pub(super) struct Section {
    pub name: &'static str,
    pub help: &'static str,
    pub specs: &'static [Spec],
}

macro_rules! sections {
    ($($(#[doc = $help:literal])+ $section:ident: $name:ident {
        $($(#[doc = $row_help:literal])+ $field:ident: $type:ty = $default:expr,
            $env:literal, $range:expr, $unit:literal, $applies:ident;)+
    })+) => {
        $(
            $(#[doc = $help])+
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub struct $name { $($(#[doc = $row_help])+ pub $field: $type,)+ }

            impl Default for $name {
                fn default() -> Self { Self { $($field: $default,)+ } }
            }
        )+

        /// Every setting of a run, checked.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct RunConfig { $($(#[doc = $help])+ pub $section: $name,)+ }

        /// Every section of the file, in order.
        pub(super) const SECTIONS: &[Section] = &[$(Section {
            name: stringify!($section),
            help: concat!($($help),+),
            specs: &[$(Spec {
                key: concat!(stringify!($section), ".", stringify!($field)),
                env: $env,
                range: $range,
                unit: $unit,
                applies: Applies::$applies,
                help: concat!($($row_help),+),
            },)+],
        },)+];
    };
}

sections! {
    /// How long a run is and who plays it.
    run: RunSettings {
        /// Seed of every random stream; the same seed gives the same run.
        seed: u64 = 42, "SEED", Range::Whole(0, i64::MAX as u64), "", Restart;
        /// Generations in a run.
        generations: u32 = 10, "GENERATIONS", Range::Whole(1, 1_000_000), "generations", Turn;
        /// Turns in a generation.
        turns: u32 = 500, "TURNS", Range::Whole(1, 1_000_000), "turns", Generation;
        /// Habitats side by side.
        habitats: u32 = 1, "HABITATS", Range::Whole(1, 10_000), "habitats", Restart;
        /// Number of the first habitat: 2 alone lives the same life as the third of four.
        first_habitat: u32 = 0, "FIRST_HABITAT", Range::Whole(0, 1_000_000), "", Restart;
        /// Turns between checkpoints of a run that is written to a folder, beside those at every generation's end.
        checkpoint_every: u32 = 100, "CHECKPOINT_EVERY", Range::Whole(1, 1_000_000), "turns", Turn;
        /// Threads for the habitats and the model, 0 for one per core; the results do not depend on it.
        threads: u32 = 0, "THREADS", Range::Whole(0, 1024), "threads", Restart;
    }
    /// The little world.
    habitat: HabitatSettings {
        /// Cells along each side.
        size: u16 = 20, "HABITAT_SIZE", Range::Whole(6, 1024), "cells", Restart;
        /// Agents in each habitat.
        agents: u32 = 20, "AGENTS", Range::Whole(1, 100_000), "agents", Generation;
        /// Cells along each side of home, which lies in the middle within a ring free of walls.
        home_size: u16 = 2, "HOME_SIZE", Range::Whole(1, 16), "cells", Generation;
        /// Share of the free cells that hold food.
        food: f64 = 0.15, "FOOD", Range::Real(0.0, 0.9), "of free cells", Generation;
        /// Turns until a taken piece of food grows back on another cell; 0 is at once.
        regrow_turns: u32 = 0, "REGROW_TURNS", Range::Whole(0, 100_000), "turns", Turn;
        /// Share of the cells that are walls, as far as they close nothing off (about 0.42 at the most).
        walls: f64 = 0.06, "WALLS", Range::Real(0.0, 0.5), "of cells", Generation;
        /// How agents find food and home.
        perception: PerceptionKind = PerceptionKind::Scent, "PERCEPTION", Range::Choice(PerceptionKind::WORDS), "", Generation;
        /// How far food is smelt, along the shortest path.
        scent_range: u16 = 10, "SCENT_RANGE", Range::Whole(1, 1000), "cells", Generation;
        /// How far food is seen, in a straight line.
        sight_radius: u16 = 5, "SIGHT_RADIUS", Range::Whole(1, 100), "cells", Turn;
    }
    /// Energy: an agent that has none left is dead.
    energy: EnergySettings {
        /// Energy at birth.
        start: f64 = 100.0, "ENERGY_START", Range::Real(1.0, 10_000.0), "energy", Generation;
        /// The most that an agent can have.
        max: f64 = 100.0, "ENERGY_MAX", Range::Real(1.0, 10_000.0), "energy", Turn;
        /// Cost of every turn.
        per_turn: f64 = 1.0, "ENERGY_PER_TURN", Range::Real(0.0, 1000.0), "energy", Turn;
        /// Gained by picking food up.
        pick_up: f64 = 10.0, "ENERGY_PICK_UP", Range::Real(0.0, 1000.0), "energy", Turn;
        /// Gained by a delivery.
        delivery: f64 = 30.0, "ENERGY_DELIVERY", Range::Real(0.0, 1000.0), "energy", Turn;
        /// Gained by eating.
        eating: f64 = 40.0, "ENERGY_EATING", Range::Real(0.0, 1000.0), "energy", Turn;
        /// Below this an agent is hungry.
        hungry: f64 = 50.0, "ENERGY_HUNGRY", Range::Real(0.0, 10_000.0), "energy", Turn;
    }
    /// Reward of each act.
    reward: RewardSettings {
        /// Every turn.
        turn: f64 = -0.05, "REWARD_TURN", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Taking food up.
        pick_up: f64 = 5.0, "REWARD_PICK_UP", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Laying food down at home.
        delivery: f64 = 25.0, "REWARD_DELIVERY", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Eating when hungry.
        eat_hungry: f64 = 5.0, "REWARD_EAT_HUNGRY", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Eating without need.
        eat_sated: f64 = -1.0, "REWARD_EAT_SATED", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Walking into a wall or the edge.
        bump: f64 = -1.0, "REWARD_BUMP", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Trying what the state does not allow.
        invalid: f64 = -0.5, "REWARD_INVALID", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Saying what names no action; the agent waits.
        unreadable: f64 = -0.5, "REWARD_UNREADABLE", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Waiting.
        wait: f64 = -0.2, "REWARD_WAIT", Range::Real(-1000.0, 1000.0), "reward", Turn;
        /// Per step nearer to food, or to home when carrying; for learning only, never in fitness.
        shaping: f64 = 0.5, "REWARD_SHAPING", Range::Real(0.0, 100.0), "reward per cell", Turn;
    }
    /// Fitness: what selection looks at.
    fitness: FitnessSettings {
        /// Weight of the sum of all rewards.
        reward: f64 = 1.0, "FITNESS_REWARD", Range::Real(-1000.0, 1000.0), "", Generation;
        /// Per piece of food taken up.
        collected: f64 = 5.0, "FITNESS_COLLECTED", Range::Real(-1000.0, 1000.0), "", Generation;
        /// Per piece of food delivered.
        delivered: f64 = 10.0, "FITNESS_DELIVERED", Range::Real(-1000.0, 1000.0), "", Generation;
        /// Per turn alive.
        turns_alive: f64 = 0.1, "FITNESS_TURNS_ALIVE", Range::Real(-1000.0, 1000.0), "", Generation;
    }
    /// Who decides, and how.
    mind: MindSettings {
        /// Who decides for the agents.
        kind: MindKind = MindKind::Llm, "MIND", Range::Choice(MindKind::WORDS), "", Restart;
        /// How the language model decides.
        mode: DecisionMode = DecisionMode::Constrained, "DECISION_MODE", Range::Choice(DecisionMode::WORDS), "", Turn;
        /// Temperature of sampling; 0 takes the likeliest.
        temperature: f64 = 0.7, "TEMPERATURE", Range::Real(0.0, 10.0), "", Turn;
        /// Most tokens of a free reply.
        max_tokens: u32 = 30, "MAX_TOKENS", Range::Whole(1, 4096), "tokens", Turn;
        /// Share of probability that free replies are sampled from.
        top_p: f64 = 1.0, "TOP_P", Range::Real(0.01, 1.0), "", Turn;
        /// Share of acts drawn uniformly, in the first generation.
        exploration: f64 = 0.1, "EXPLORATION", Range::Real(0.0, 1.0), "of acts", Turn;
        /// Generations over which exploration fades to nothing.
        exploration_generations: u32 = 12, "EXPLORATION_GENERATIONS", Range::Whole(1, 1_000_000), "generations", Turn;
    }
    /// The shared language model.
    model: ModelSettings {
        /// File or folder of the model; empty takes the one that ships.
        path: String = String::new(), "MODEL_PATH", Range::Text, "", Restart;
        /// What kind of files hold it.
        kind: ModelType = ModelType::Auto, "MODEL_TYPE", Range::Choice(ModelType::WORDS), "", Restart;
        /// Where it runs.
        device: Device = Device::Auto, "DEVICE", Range::Choice(Device::WORDS), "", Restart;
        /// How dense weights are quantised as they load.
        quant: Quantisation = Quantisation::None, "QUANT", Range::Choice(Quantisation::WORDS), "", Restart;
        /// Whether the quantised layers of a GGUF model of 4 million weights or more stay in their file, and each matrix is read anew for each product, on the processor: the same bits, a few per cent slower, in hardly any memory of the program's own. Dense weights (F32, F16), also those that QUANT turns, and other formats stay in memory.
        stream: bool = true, "STREAM_WEIGHTS", Range::Switch, "", Restart;
        /// How deciding multiplies with quantised weights on the processor: int8 rounds what they are multiplied with to 8 bits, as llama.cpp does; learning is always in f32.
        arithmetic: Arithmetic = Arithmetic::Int8, "ARITHMETIC", Range::Choice(Arithmetic::WORDS), "", Restart;
    }
    /// Each agent's own adapter.
    lora: LoraSettings {
        /// Rank of the adapters.
        rank: u32 = 8, "LORA_RANK", Range::Whole(1, 256), "", Restart;
        /// Alpha: the adapter's part is scaled by alpha / rank.
        alpha: f64 = 16.0, "LORA_ALPHA", Range::Real(0.0, 1024.0), "", Restart;
        /// Matrices that adapters change.
        targets: Vec<LoraTarget> = vec![LoraTarget::Q, LoraTarget::V, LoraTarget::O, LoraTarget::Down], "LORA_TARGETS", Range::List(LoraTarget::WORDS), "", Restart;
        /// Layers, counted from the top, that carry adapters.
        layers: LoraLayers = LoraLayers::All(AllLayers::All), "LORA_LAYERS", Range::ChoiceOrWhole(&["all"], 1024), "layers", Restart;
        /// Adapters that agents begin with, in turn: creature cards, PEFT folders or GGUF adapters of one rank and the same matrices, which then hold; several are separated by commas; empty for a blank one.
        adapter: String = String::new(), "LORA_ADAPTER", Range::Text, "", Restart;
        /// Which part of the adapter is a creature's own.
        genome: Genome = Genome::FreeAb, "GENOME", Range::Choice(Genome::WORDS), "", Restart;
    }
    /// Learning while alive.
    learning: LearningSettings {
        /// Whether agents learn while they live.
        enabled: bool = true, "ENABLE_ONLINE_LEARNING", Range::Switch, "", Turn;
        /// What a training step minimises.
        objective: Objective = Objective::Weighted, "OBJECTIVE", Range::Choice(Objective::WORDS), "", Turn;
        /// Step size of Adam.
        learning_rate: f64 = 2e-3, "LEARNING_RATE", Range::Real(0.0, 1.0), "", Turn;
        /// Samples per step.
        batch_size: u32 = 8, "BATCH_SIZE", Range::Whole(1, 1024), "samples", Turn;
        /// Turns between trainings.
        every: u32 = 10, "TRAIN_EVERY", Range::Whole(1, 100_000), "turns", Turn;
        /// Whether the lessons of a habitat are spread over the turns between two trainings, everybody's in turns of its own, so that no turn of a large model waits for all of them; another run than without.
        spread: bool = false, "SPREAD_LESSONS", Range::Switch, "", Turn;
        /// Steps at each training.
        steps: u32 = 1, "TRAIN_STEPS", Range::Whole(1, 1000), "steps", Turn;
        /// Turns before the first training.
        warm_up: u32 = 20, "TRAIN_WARM_UP", Range::Whole(0, 100_000), "turns", Turn;
        /// Experiences that an agent remembers.
        buffer: u32 = 300, "BUFFER_SIZE", Range::Whole(1, 1_000_000), "experiences", Restart;
        /// Room for what a training step of a large model keeps on its way forward; what does not fit is computed again, to the same bits.
        activations: u32 = 56, "ACTIVATIONS", Range::Whole(1, 1_048_576), "MiB", Restart;
        /// Room in a temporary file for what the layers below the lowest adapter make of prompts, so that it is not computed again; nothing is kept where adapters begin in the lowest layer; 0 keeps nothing.
        hidden_cache: u32 = 256, "HIDDEN_CACHE", Range::Whole(0, 1_048_576), "MiB", Restart;
        /// Whether what a large model's agents do not need just now (moments between lessons, adapters while others learn, the hall of fame, the dead whose children live) is put aside in a file in the system's folder for temporary files.
        offload: bool = true, "OFFLOAD", Range::Switch, "", Restart;
        /// Part of the samples that comes from the other agents' experience.
        sharing: f64 = 0.0, "SHARING", Range::Real(0.0, 1.0), "of samples", Turn;
        /// How much later rewards count for an action; 0 is its own alone.
        discount: f64 = 0.0, "DISCOUNT", Range::Real(0.0, 1.0), "", Turn;
        /// What is subtracted from returns (Williams 1992).
        baseline: Baseline = Baseline::None, "BASELINE", Range::Choice(Baseline::WORDS), "", Turn;
        /// Weight of the entropy bonus (Mnih et al. 2016).
        entropy: f64 = 0.1, "ENTROPY", Range::Real(0.0, 10.0), "", Turn;
        /// Weight of the nearness to the bare model (Jaques et al. 2017).
        kl: f64 = 0.0, "KL_TO_BASE", Range::Real(0.0, 100.0), "", Turn;
        /// Clip of PPO's ratio (Schulman et al. 2017); 0 takes the plain policy gradient.
        ratio_clip: f64 = 0.0, "RATIO_CLIP", Range::Real(0.0, 1.0), "", Turn;
        /// Longest gradient; longer ones are scaled down.
        clip: f64 = 1.0, "GRADIENT_CLIP", Range::Real(0.0001, 1000.0), "", Turn;
    }
    /// What happens at a generation's end.
    evolution: EvolutionSettings {
        /// Whether the next generation is bred from this one.
        enabled: bool = true, "ENABLE_EVOLUTION", Range::Switch, "", Generation;
        /// Part of the population that lives on unchanged.
        elite_ratio: f64 = 0.2, "ELITE_RATIO", Range::Real(0.0, 1.0), "of agents", Generation;
        /// How parents are chosen.
        selection: ParentSelection = ParentSelection::Tournament, "SELECTION", Range::Choice(ParentSelection::WORDS), "", Generation;
        /// Agents drawn for one tournament.
        tournament: u32 = 3, "TOURNAMENT", Range::Whole(1, 100_000), "agents", Generation;
        /// Smallest share of the first parent in a child.
        merge_min: f64 = 0.2, "MERGE_MIN", Range::Real(0.0, 1.0), "", Generation;
        /// Largest share of the first parent in a child.
        merge_max: f64 = 0.8, "MERGE_MAX", Range::Real(0.0, 1.0), "", Generation;
        /// Part of the genome's entries that mutate.
        mutation_rate: f64 = 0.1, "MUTATION_RATE", Range::Real(0.0, 1.0), "of entries", Generation;
        /// Size of a mutation, relative to the weights' own root mean square.
        mutation_size: f64 = 0.1, "MUTATION_SIZE", Range::Real(0.0, 10.0), "× RMS", Generation;
        /// Spread of every founder's own B where nobody learns; learning tells founders apart by itself.
        founder_spread: f64 = 0.05, "FOUNDER_SPREAD", Range::Real(0.0, 10.0), "", Restart;
        /// Agents whose adapters are kept for ever because they did best of all that ever lived, in each habitat.
        hall_of_fame: u32 = 10, "HALL_OF_FAME", Range::Whole(0, 1000), "agents", Generation;
        /// What children get from their parents.
        inheritance: Inheritance = Inheritance::Lamarck, "INHERITANCE", Range::Choice(Inheritance::WORDS), "", Generation;
    }
}
