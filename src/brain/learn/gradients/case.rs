//! Two agents with adapters on every matrix of a small model, and what they learn from.

use std::{path::Path, sync::Arc};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::*;

/// Entries of every A and every B that are moved.
const ENTRIES: usize = 100;

/// Two agents who learn from three prompts each.
pub(super) struct Case {
    pub(super) model: LanguageModel,
    pub(super) scorer: Scorer,
    pub(super) layout: AdapterLayout,
    pub(super) adapters: Vec<Adapter>,
    pub(super) prompts: Vec<Vec<Vec<u32>>>,
    pub(super) targets: Vec<Vec<Target>>,
    pub(super) rule: LearningRule,
    pub(super) activations: Gauge,
}

impl Case {
    /// Two agents with adapters on every matrix, who learn from three prompts each.
    pub(super) fn new(path: &str) -> Self {
        Self::kept(path, false)
    }

    /// The same with layers that stay in their file, where `stream`.
    pub(super) fn kept(path: &str, stream: bool) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(path);
        let settings = ModelSettings { path: path.to_string_lossy().into_owned(), stream, ..ModelSettings::default() };
        Self::of(load_model(&settings).unwrap().model)
    }

    /// The same with random weights in matrices that are large enough to be divided among threads.
    pub(super) fn large(mix: Mix) -> Self {
        let config = LlamaConfig {
            hidden: 256,
            inner: 512,
            layers: 2,
            heads: 8,
            kv_heads: 4,
            head: 64,
            vocabulary: 320,
            context: 64,
            rope_theta: 10_000.0,
            rope_style: RopeStyle::Halves,
            eps: 1e-5,
            tied: true,
        };
        let mut weights = RandomTensors::new(mix, &mut ChaCha8Rng::seed_from_u64(3));
        Self::of(LanguageModel::Llama(Llama::load(config, &mut weights, &Keep::as_is()).unwrap()))
    }

    pub(super) fn of(model: LanguageModel) -> Self {
        let trie = Trie::new(vec![vec![50, 60], vec![50, 61], vec![70], vec![71, 5]]).unwrap();
        let scorer = Scorer::new(&model, trie).unwrap();
        let layout = AdapterLayout { rank: 2, alpha: 4.0, sites: model.sites() };
        let mut draws = ChaCha8Rng::seed_from_u64(7);
        let mut random =
            |len: usize, most: f32| Arc::new((0..len).map(|_| draws.random_range(-most..most)).collect::<Vec<f32>>());
        let mut adapter = || {
            let pair = |site: &crate::brain::lora::Site| Pair {
                a: random(2 * site.inner, (site.inner as f32).sqrt().recip()),
                b: random(2 * site.out, 0.2),
            };
            Adapter { pairs: layout.sites.iter().map(pair).collect() }
        };
        let adapters = vec![adapter(), adapter()];
        let prompts = vec![
            vec![vec![9, 33, 120, 7], vec![301, 2, 14, 8, 77, 12, 5, 90, 111, 3, 44], vec![88]],
            vec![vec![12, 290], vec![4, 201, 65, 18], vec![150, 3, 17]],
        ];
        let target = |reply, weight| Target { reply, weight, log_acted: -1.5 };
        let targets = vec![
            vec![target(0, 1.0), target(2, 3.0), target(1, -0.5)],
            vec![target(3, 2.0), target(0, -1.0), target(1, 4.0)],
        ];
        let rule = LearningRule { entropy: 0.2, kl: 0.3, ..LearningRule::default() };
        Self { model, scorer, layout, adapters, prompts, targets, rule, activations: Gauge::default() }
    }

    pub(super) fn slopes(&self) -> Vec<Slope> {
        let exercise = |at: usize| Exercise {
            adapter: &self.adapters[at],
            prompts: &self.prompts[at],
            targets: &self.targets[at],
        };
        let exercises = [exercise(0), exercise(1)];
        self.teacher(None).slopes(&self.rule, &exercises).unwrap()
    }

    pub(super) fn teacher<'a>(&'a self, hidden: Option<&'a HiddenStates>) -> Teacher<'a> {
        Teacher {
            model: &self.model,
            scorer: &self.scorer,
            layout: &self.layout,
            with_a: true,
            room: usize::MAX,
            hidden,
            activations: &self.activations,
        }
    }

    /// The loss of one agent with another adapter.
    pub(super) fn loss(&self, agent: usize, adapter: &Adapter) -> f64 {
        let score = |adapter| {
            let asked: Vec<_> = self.prompts[agent].iter().map(|tokens| Question { tokens, adapter }).collect();
            self.scorer.score(&self.model, &self.layout, &asked).unwrap()
        };
        let (own, bare) = (score(Some(adapter)), score(None));
        let one = |((logits, bare), target): ((&Vec<_>, &Vec<_>), &Target)| {
            let base = self.scorer.trie().log_probabilities(bare, self.rule.temperature);
            sample_loss(self.scorer.trie(), logits, Some(&base), target, &self.rule).loss
        };
        own.iter().zip(&bare).zip(&self.targets[agent]).map(one).sum::<f64>() / own.len() as f64
    }

    /// The slope of one entry, by four losses (Richardson's extrapolation of central differences).
    pub(super) fn difference(&self, agent: usize, site: usize, entry: usize) -> f64 {
        let at = |by: f32| {
            let mut adapter = self.adapters[agent].clone();
            let pair = &mut adapter.pairs[site];
            let split = pair.a.len();
            let numbers = if entry < split { &mut pair.a } else { &mut pair.b };
            Arc::make_mut(numbers)[if entry < split { entry } else { entry - split }] += by;
            self.loss(agent, &adapter)
        };
        let central = |h: f32| (at(h) - at(-h)) / (2.0 * f64::from(h));
        let h = 1.0 / 128.0;
        (4.0 * central(h) - central(2.0 * h)) / 3.0
    }

    /// The largest relative error over every matrix's A and B: |gradient − differences| / |differences|, both as vectors of
    /// the entries that were moved.
    pub(super) fn worst(&self) -> f64 {
        let slopes = self.slopes();
        let sites: Vec<_> = (0..self.layout.sites.len()).flat_map(|site| [(0, site), (1, site)]).collect();
        let of_site = |(agent, site): &(usize, usize)| {
            let gradient = &slopes[*agent].gradient[*site];
            let split = self.adapters[*agent].pairs[*site].a.len();
            let mut draws = ChaCha8Rng::seed_from_u64(*site as u64);
            let mut worst: f64 = 0.0;
            for range in [0..split, split..gradient.len()] {
                let (mut gap, mut size) = (0.0, 0.0);
                for _ in 0..ENTRIES {
                    let entry = draws.random_range(range.clone());
                    let (exact, slope) = (f64::from(gradient[entry]), self.difference(*agent, *site, entry));
                    gap += (exact - slope).powi(2);
                    size += slope.powi(2);
                }
                worst = worst.max((gap / size).sqrt());
            }
            worst
        };
        sites.par_iter().map(of_site).reduce(|| 0.0, f64::max)
    }
}
