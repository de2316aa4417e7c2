//! Makes the default model from nothing: corpus → tokenizer → training → probe questions → one GGUF file.

use std::{
    io::{self, BufWriter, Seek, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    app::AppError,
    brain::{
        BrainError, Question, Scorer, Tokenizer, Trie,
        lora::AdapterLayout,
        model::{LanguageModel, LlamaConfig, RopeStyle},
        pretrain::{GgufNote, Recipe, TrainedTokenizer, Trainer, train_tokenizer, write_gguf},
    },
    language::corpus::{Probe, ProbeKind, document, probe},
    protocol::{HabitatId, Moment, StreamName, Streams},
    record::{check_place, replace_file},
};

/// Longest sequence that the model is made for.
const CONTEXT: usize = 256;
/// Entries of a head.
const HEAD: usize = 16;

/// What to make.
#[derive(Debug, Clone)]
pub struct PretrainPlan {
    /// Seed of the corpus, the weights and the order.
    pub seed: u64,
    /// Entries of a hidden row, a multiple of 16.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Documents that the tokenizer is trained on.
    pub tokenizer_documents: usize,
    /// How the weights are trained.
    pub recipe: Recipe,
    /// Probe questions.
    pub probes: usize,
}

impl Default for PretrainPlan {
    fn default() -> Self {
        Self {
            seed: 1,
            hidden: 64,
            layers: 3,
            vocabulary: 430,
            tokenizer_documents: 20_000,
            recipe: Recipe::default(),
            probes: 2000,
        }
    }
}

impl PretrainPlan {
    /// Refuses what cannot be made.
    fn check(&self) -> Result<(), BrainError> {
        let rate = self.recipe.learning_rate;
        let what = if self.hidden == 0 || !self.hidden.is_multiple_of(HEAD) {
            format!("The hidden size must be a multiple of {HEAD}, and is {}", self.hidden)
        } else if self.layers == 0 {
            "The model must have a layer at least".to_owned()
        } else if self.recipe.batch == 0 {
            "A step must have a document at least: its batch is 0".to_owned()
        } else if !(rate.is_finite() && rate > 0.0) {
            format!("The learning rate must be a number above 0, and is {rate}")
        } else {
            return Ok(());
        };
        Err(BrainError::Setting(what))
    }
}

/// One point of the loss curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LossPoint {
    /// Steps done.
    pub step: usize,
    /// Tokens seen.
    pub tokens: usize,
    /// Mean −log P of the next token in this step, in nats.
    pub loss: f32,
    /// Its learning rate.
    pub learning_rate: f64,
}

/// How many probe questions of a kind were answered right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeScore {
    /// The kind.
    pub kind: String,
    /// Questions.
    pub asked: usize,
    /// Right answers.
    pub right: usize,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Pretrained {
    /// Weights of the model.
    pub parameters: usize,
    /// Tokens that it was trained on.
    pub tokens: usize,
    /// The loss, step by step.
    pub curve: Vec<LossPoint>,
    /// The loss on documents that it has not seen.
    pub unseen_loss: f32,
    /// Probe questions by kind.
    pub probes: Vec<ProbeScore>,
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Makes a model as planned and writes it to `file`; `watch` sees every step.
///
/// # Errors
/// The plan is impossible, or the file cannot be written; both are found out before the training.
pub fn pretrain(plan: &PretrainPlan, file: &Path, mut watch: impl FnMut(LossPoint)) -> Result<Pretrained, AppError> {
    plan.check()?;
    check_place(file)?;
    let streams = Streams { seed: plan.seed, habitat: HabitatId(0), unseen: false };
    let mut lines = streams.key(StreamName::Corpus).at(Moment::new(0, 0));
    let sample: Vec<_> = (0..plan.tokenizer_documents).map(|_| document(&mut lines)).collect();
    let tokenizer = train_tokenizer(&sample, plan.vocabulary)?;
    let config = shape(plan, tokenizer.tokens.len());
    let weights = streams.key(StreamName::Weights).at(Moment::new(0, 0));
    let mut trainer = Trainer::new(config.clone(), plan.recipe.clone(), weights)?;
    let mut lines = streams.key(StreamName::Corpus).at(Moment::new(1, 0));
    let (mut curve, mut tokens) = (Vec::new(), 0);
    for step in 1..=plan.recipe.steps {
        let documents = encode(&tokenizer.tokenizer, plan.recipe.batch, &mut lines)?;
        let views: Vec<_> = documents.iter().map(Vec::as_slice).collect();
        tokens += documents.iter().map(Vec::len).sum::<usize>();
        let learning_rate = trainer.learning_rate();
        let point = LossPoint { step, tokens, loss: trainer.step(&views)?, learning_rate };
        watch(point);
        curve.push(point);
    }
    let mut unseen = streams.key(StreamName::Corpus).at(Moment::new(2, 0));
    let documents = encode(&tokenizer.tokenizer, 512, &mut unseen)?;
    let views: Vec<_> = documents.iter().map(Vec::as_slice).collect();
    let unseen_loss = trainer.loss(&views)?.to_scalar::<f32>().map_err(BrainError::from)?;
    let bytes = save(plan, file, &config, &tokenizer, &trainer)?;
    let model = trainer.into_model();
    let probes = ask(plan, &model, &tokenizer.tokenizer, &mut streams.key(StreamName::Corpus).at(Moment::new(3, 0)))?;
    Ok(Pretrained { parameters: config.parameters(), tokens, curve, unseen_loss, probes, file: file.to_owned(), bytes })
}

fn shape(plan: &PretrainPlan, vocabulary: usize) -> LlamaConfig {
    let heads = plan.hidden / HEAD;
    LlamaConfig {
        hidden: plan.hidden,
        // 7/2 of the row, a little more than Llama's 8/3.
        inner: (plan.hidden * 7 / 2).next_multiple_of(8),
        layers: plan.layers,
        heads,
        kv_heads: heads,
        head: HEAD,
        vocabulary,
        context: CONTEXT,
        rope_theta: 10_000.0,
        rope_style: RopeStyle::Interleaved,
        eps: 1e-5,
        tied: true,
    }
}

fn encode(tokenizer: &Tokenizer, count: usize, draws: &mut impl rand::Rng) -> Result<Vec<Vec<u32>>, AppError> {
    let lines: Vec<_> = (0..count).map(|_| document(draws)).collect();
    lines.iter().map(|line| Ok(tokenizer.encode(line)?)).collect()
}

fn save(
    plan: &PretrainPlan,
    file: &Path,
    config: &LlamaConfig,
    tokenizer: &TrainedTokenizer,
    trainer: &Trainer,
) -> Result<u64, AppError> {
    let name = format!("Evolora {}k", (config.parameters() + 500) / 1000);
    let description = format!(
        "A {}-layer Llama that knows the language of Evolora's habitat and not how to forage. Made by `evolora pretrain --seed {}`.",
        plan.layers, plan.seed
    );
    let note = GgufNote { name: &name, description: &description, license: "MIT" };
    let mut bytes = 0;
    replace_file(file, |out| {
        let mut out = BufWriter::new(out);
        write_gguf(&mut out, &note, config, tokenizer, trainer.vars()).map_err(io::Error::other)?;
        bytes = out.stream_position()?;
        out.flush()
    })?;
    Ok(bytes)
}

/// Asks probe questions: the likeliest of the choices must be one of the right answers.
fn ask(
    plan: &PretrainPlan,
    model: &LanguageModel,
    tokenizer: &Tokenizer,
    draws: &mut impl rand::Rng,
) -> Result<Vec<ProbeScore>, AppError> {
    let mut scores: Vec<ProbeScore> = Vec::new();
    for _ in 0..plan.probes {
        let question = probe(draws);
        let right = answers_right(model, tokenizer, &question)?;
        let kind = ProbeKind::word(question.kind);
        let at = scores.iter().position(|score| score.kind == kind).unwrap_or_else(|| {
            scores.push(ProbeScore { kind: kind.to_owned(), asked: 0, right: 0 });
            scores.len() - 1
        });
        scores[at].asked += 1;
        scores[at].right += usize::from(right);
    }
    scores.sort_by(|a, b| a.kind.cmp(&b.kind));
    Ok(scores)
}

fn answers_right(model: &LanguageModel, tokenizer: &Tokenizer, probe: &Probe) -> Result<bool, AppError> {
    let choices = probe.choices.iter().map(|choice| tokenizer.encode(choice)).collect::<Result<Vec<_>, _>>()?;
    let scorer = Scorer::new(model, Trie::new(choices)?)?;
    let tokens = tokenizer.encode(&probe.question)?;
    let nothing = AdapterLayout { rank: 1, alpha: 1.0, sites: Vec::new() };
    let logits = scorer.score(model, &nothing, &[Question { tokens: &tokens, adapter: None }])?;
    let scores = logits.first().map(|logits| scorer.trie().log_probabilities(logits, 1.0)).unwrap_or_default();
    let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    Ok(best.is_some_and(|best| probe.answers.contains(&probe.choices[best])))
}
