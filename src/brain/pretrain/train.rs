//! Next-token training of a Llama from nothing: AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), the learning rate
//! rising over the first steps and then falling in a line to zero.

use candle_core::{Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::Rng;

use super::{bpe::END, fresh::Fresh};
use crate::brain::{
    error::{BrainError, Result},
    files::Keep,
    lora::ActiveAdapters,
    model::{Batch, LanguageModel, Llama, LlamaConfig},
};

/// How a model is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Steps of the optimiser.
    pub steps: usize,
    /// Documents in a step.
    pub batch: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Steps over which it rises.
    pub warm_up: usize,
    /// AdamW's decay of the weights.
    pub weight_decay: f64,
    /// Standard deviation of the weights at the beginning.
    pub spread: f32,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { steps: 1600, batch: 64, learning_rate: 3e-3, warm_up: 40, weight_decay: 0.01, spread: 0.05 }
    }
}

/// A model in training.
pub struct Trainer {
    model: LanguageModel,
    vars: Vec<(String, Var)>,
    optimiser: AdamW,
    recipe: Recipe,
    step: usize,
}

impl Trainer {
    /// A new model of the shape `config`, its weights drawn from `draws`.
    ///
    /// # Errors
    /// The shape is impossible.
    pub fn new(config: LlamaConfig, recipe: Recipe, draws: impl Rng) -> Result<Self> {
        let mut fresh = Fresh::new(draws, recipe.spread, config.layers);
        let model = LanguageModel::Llama(Llama::load(config, &mut fresh, &Keep::as_is())?);
        let vars = fresh.into_vars();
        let adam = ParamsAdamW { lr: 0.0, beta2: 0.99, weight_decay: recipe.weight_decay, ..ParamsAdamW::default() };
        let optimiser = AdamW::new(vars.iter().map(|(_, var)| var.clone()).collect(), adam)?;
        Ok(Self { model, vars, optimiser, recipe, step: 0 })
    }

    /// The model as it stands.
    pub const fn model(&self) -> &LanguageModel {
        &self.model
    }

    /// The model, as it has become.
    pub fn into_model(self) -> LanguageModel {
        self.model
    }

    /// The variables, with Hugging Face's names.
    pub fn vars(&self) -> &[(String, Var)] {
        &self.vars
    }

    /// The learning rate of the step to come.
    pub fn learning_rate(&self) -> f64 {
        let Recipe { steps, warm_up, learning_rate, .. } = self.recipe;
        let rising = (self.step + 1) as f64 / warm_up.max(1) as f64;
        let falling = steps.saturating_sub(self.step) as f64 / steps.saturating_sub(warm_up).max(1) as f64;
        learning_rate * rising.min(falling).min(1.0)
    }

    /// One step on some documents, given as tokens; the loss before it: the mean of −log P(token | those before it), in
    /// nats.
    ///
    /// # Errors
    /// The loss is no number, or an operation fails.
    pub fn step(&mut self, documents: &[&[u32]]) -> Result<f32> {
        let loss = self.loss(documents)?;
        let value = loss.to_scalar::<f32>()?;
        if !value.is_finite() {
            return Err(BrainError::Setting(format!(
                "The loss became {value} in step {}: lower the learning rate",
                self.step
            )));
        }
        self.optimiser.set_learning_rate(self.learning_rate());
        self.optimiser.backward_step(&loss)?;
        self.step += 1;
        Ok(value)
    }

    /// The mean loss over documents, as a scalar tensor.
    ///
    /// # Errors
    /// An operation fails.
    pub fn loss(&self, documents: &[&[u32]]) -> Result<Tensor> {
        let (batch, targets) = pack(documents);
        let features = self.model.features(&batch, &ActiveAdapters::none())?;
        let logits = self.model.logits(&features)?;
        let targets = Tensor::new(targets, logits.device())?;
        Ok(candle_nn::loss::cross_entropy(&logits, &targets)?)
    }
}

/// Documents side by side, and the token that follows each row: the document's next, or the one that ends it.
pub fn pack(documents: &[&[u32]]) -> (Batch, Vec<u32>) {
    let mut batch = Batch::default();
    let mut targets = Vec::new();
    for document in documents.iter().filter(|document| !document.is_empty()) {
        batch.push(document, &[]);
        targets.extend_from_slice(&document[1..]);
        targets.push(END);
    }
    (batch, targets)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::brain::model::RopeStyle;

    fn tiny() -> LlamaConfig {
        LlamaConfig {
            hidden: 16,
            inner: 24,
            layers: 2,
            heads: 2,
            kv_heads: 1,
            head: 8,
            vocabulary: 12,
            context: 32,
            rope_theta: 10_000.0,
            rope_style: RopeStyle::Interleaved,
            eps: 1e-5,
            tied: true,
        }
    }

    fn trainer(recipe: Recipe) -> Trainer {
        Trainer::new(tiny(), recipe, ChaCha8Rng::seed_from_u64(7)).unwrap()
    }

    #[test]
    fn targets_are_the_next_tokens() {
        let (batch, targets) = pack(&[&[5, 6, 7], &[8]]);
        assert_eq!((batch.tokens, targets), (vec![5, 6, 7, 8], vec![6, 7, END, END]));
    }

    #[test]
    fn the_learning_rate_rises_and_falls() {
        let recipe = Recipe { steps: 10, warm_up: 4, learning_rate: 1.0, ..Recipe::default() };
        let mut trainer = trainer(recipe);
        let rates: Vec<_> = (0..10)
            .map(|step| {
                trainer.step = step;
                trainer.learning_rate()
            })
            .collect();
        let expected = [0.25, 0.5, 0.75, 1.0, 1.0, 5.0 / 6.0, 4.0 / 6.0, 0.5, 2.0 / 6.0, 1.0 / 6.0];
        assert!(rates.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{rates:?}");
    }

    #[test]
    fn every_gradient_equals_the_finite_difference() {
        let trainer = trainer(Recipe { spread: 0.4, ..Recipe::default() });
        let documents: [&[u32]; 2] = [&[3, 4, 5, 6, 3, 9], &[7, 8, 11]];
        let value = || f64::from(trainer.loss(&documents).unwrap().to_scalar::<f32>().unwrap());
        let gradients = trainer.loss(&documents).unwrap().backward().unwrap();
        for (name, var) in trainer.vars() {
            let gradient: Vec<f32> = gradients.get(var).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let numbers: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
            let set =
                |numbers: Vec<f32>| var.set(&Tensor::from_vec(numbers, var.shape(), var.device()).unwrap()).unwrap();
            // The entry with the largest gradient, and two fixed ones.
            let largest = (0..gradient.len()).max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs())).unwrap();
            for at in [largest, gradient.len() / 3, gradient.len() - 1] {
                let step = 1e-2;
                let moved = |by: f32| {
                    let mut n = numbers.clone();
                    n[at] += by;
                    set(n);
                    value()
                };
                let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                set(numbers.clone());
                let far = (slope - f64::from(gradient[at])).abs();
                assert!(far < 1e-3 + 1e-2 * slope.abs(), "{name}[{at}]: {} but {slope}", gradient[at]);
            }
        }
    }

    #[test]
    fn it_learns_a_sentence_by_heart_the_same_way_twice() {
        let learn = || {
            let mut trainer = trainer(Recipe { steps: 60, warm_up: 5, learning_rate: 1e-2, ..Recipe::default() });
            let losses = (0..60).map(|_| trainer.step(&[&[3, 4, 5, 6, 7]]).unwrap()).collect::<Vec<_>>();
            (losses[0], losses[59])
        };
        let (first, last) = learn();
        // Twelve tokens, at first all the same to it.
        assert!((first - 12_f32.ln()).abs() < 0.3 && last < 0.2, "{first} {last}");
        assert_eq!(learn(), (first, last));
    }
}
