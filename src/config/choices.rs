//! Settings that are one of a few words.

use serde::{Deserialize, Serialize};

macro_rules! choices {
    ($(#[doc = $help:literal])+ $name:ident { $($(#[doc = $word_help:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $help])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[doc = $word_help])+ #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every choice, as it is written in settings.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for this choice.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

choices! {
    /// Who decides for the agents.
    MindKind {
        /// Uniform over the actions.
        Random = "random",
        /// The rule-based agent.
        Rules = "rules",
        /// The shared language model with an adapter per agent.
        Llm = "llm",
    }
}
choices! {
    /// How an agent finds food and home.
    PerceptionKind {
        /// Arrows along shortest paths, like a scent.
        Scent = "scent",
        /// Line of sight within a radius, straight arrows, a compass to home.
        Sight = "sight",
    }
}
choices! {
    /// How the language model decides.
    DecisionMode {
        /// Scores the actions and samples one.
        Constrained = "constrained",
        /// Writes text, which is then parsed.
        Free = "free",
    }
}
choices! {
    /// What kind of files hold the model.
    ModelType {
        /// Told from the files.
        Auto = "auto",
        /// One GGUF file, as llama.cpp has it.
        Gguf = "gguf",
        /// An MLX folder.
        Mlx = "mlx",
        /// A Hugging Face folder with `pytorch_model.bin`.
        Pytorch = "pytorch",
        /// A Hugging Face folder with safetensors.
        Safetensors = "safetensors",
    }
}
choices! {
    /// Where the model runs.
    Device {
        /// The best there is.
        Auto = "auto",
        /// The processor.
        Cpu = "cpu",
        /// An NVIDIA GPU.
        Cuda = "cuda",
        /// An Apple GPU.
        Metal = "metal",
    }
}
choices! {
    /// How dense weights are quantised as they load.
    Quantisation {
        /// As the file has them.
        None = "none",
        /// 8 bits a weight.
        Q8 = "q8_0",
        /// 4 bits a weight.
        Q4 = "q4_0",
    }
}
choices! {
    /// How deciding multiplies with quantised weights.
    Arithmetic {
        /// In f32.
        F32 = "f32",
        /// With what they are multiplied with rounded to 8 bits, as llama.cpp does.
        Int8 = "int8",
    }
}

impl Default for Arithmetic {
    /// The exact one.
    fn default() -> Self {
        Self::F32
    }
}

choices! {
    /// A matrix that an adapter changes.
    LoraTarget {
        /// Attention's query.
        Q = "q",
        /// Attention's key.
        K = "k",
        /// Attention's value.
        V = "v",
        /// Attention's output.
        O = "o",
        /// The MLP's gate.
        Gate = "gate",
        /// The MLP's way up.
        Up = "up",
        /// The MLP's way down.
        Down = "down",
    }
}
choices! {
    /// Which part of an adapter is a creature's own.
    Genome {
        /// A is frozen and the same for all; B is the genome.
        SharedA = "shared-a",
        /// A and B both.
        FreeAb = "free-ab",
    }
}
choices! {
    /// What a training step minimises.
    Objective {
        /// Samples drawn in proportion to asinh(reward + shaping), −log π, and an entropy term.
        Weighted = "weighted",
        /// −log π(action) × reward, the original's.
        Original = "original",
    }
}
choices! {
    /// What is subtracted from returns before they are learned from.
    Baseline {
        /// Nothing.
        None = "none",
        /// The mean of what the agent remembers.
        Mean = "mean",
    }
}
choices! {
    /// What children get from their parents.
    Inheritance {
        /// The adapter as learned.
        Lamarck = "lamarck",
        /// The adapter as born; learning counts only through fitness.
        Baldwin = "baldwin",
        /// No learning at all.
        Darwin = "darwin",
    }
}
choices! {
    /// How parents are chosen.
    ParentSelection {
        /// The fittest of a few drawn at random.
        Tournament = "tournament",
        /// In proportion to the rank.
        Rank = "rank",
    }
}

/// On how many layers, from the top, adapters sit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LoraLayers {
    /// The top N.
    Top(u32),
    /// All of them.
    All(AllLayers),
}

/// The word `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AllLayers {
    /// Every layer.
    All,
}
