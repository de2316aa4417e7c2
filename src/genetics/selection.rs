//! Who lives on, and whose children take the others' places.

use rand::{Rng, RngExt, seq::index::sample};

use crate::{
    config::{EvolutionSettings, ParentSelection},
    protocol::{Birth, CreatureId},
};

/// The next generation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Offspring {
    /// Everybody in it, in the order of their places: the elites first, the fittest before all, and then the children.
    pub living: Vec<CreatureId>,
    /// The children among them.
    pub births: Vec<Birth>,
}

/// Plans a generation of `size` from the one that has lived, given with its fitness in the order of places. The first of
/// the new children is called `next`.
///
/// A share of elites lives on unchanged. Each child has two different parents, chosen by tournament (the fittest of a few
/// drawn without putting back) or in proportion to rank (the fittest of n counts n, the last 1: linear ranking, Baker
/// 1985), from everybody.
pub fn next_generation(
    scored: &[(CreatureId, f64)],
    size: usize,
    next: CreatureId,
    settings: &EvolutionSettings,
    draws: &mut impl Rng,
) -> Offspring {
    if scored.is_empty() {
        return Offspring::default();
    }
    let mut ranked = scored.to_vec();
    // Equals in the order of their places: sorting is stable.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let elites = ((settings.elite_ratio * ranked.len() as f64).round() as usize).min(ranked.len()).min(size);
    let mut offspring = Offspring::default();
    offspring.living.extend(ranked[..elites].iter().map(|(creature, _)| *creature));
    for child in (next.0..).map(CreatureId).take(size - elites) {
        let first = choose(&ranked, None, settings, draws);
        let second = choose(&ranked, Some(first), settings, draws);
        let (low, high) = (settings.merge_min.min(settings.merge_max), settings.merge_max);
        let share = draws.random_range(low..=high);
        offspring.living.push(child);
        offspring.births.push(Birth { child, parents: [first, second].map(|at| ranked[at].0), share });
    }
    offspring
}

/// A parent's rank, from 0; another one than `taken`, where there is one.
fn choose(
    ranked: &[(CreatureId, f64)],
    taken: Option<usize>,
    settings: &EvolutionSettings,
    draws: &mut impl Rng,
) -> usize {
    let others: Vec<usize> = (0..ranked.len()).filter(|at| Some(*at) != taken).collect();
    if others.is_empty() {
        return 0;
    }
    let place = match settings.selection {
        // They are ranked, so that the smallest place is the fittest.
        ParentSelection::Tournament => {
            let few = (settings.tournament.max(1) as usize).min(others.len());
            sample(draws, others.len(), few).iter().min().unwrap_or(0)
        }
        ParentSelection::Rank => {
            let n = others.len();
            let mut point = draws.random_range(0..n * (n + 1) / 2);
            (0..n)
                .find(|place| {
                    let weight = n - place;
                    let found = point < weight;
                    point = point.saturating_sub(weight);
                    found
                })
                .unwrap_or(0)
        }
    };
    others[place]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn scored(fitness: &[f64]) -> Vec<(CreatureId, f64)> {
        (0..).map(CreatureId).zip(fitness.iter().copied()).collect()
    }

    fn plan(fitness: &[f64], settings: &EvolutionSettings, seed: u64) -> Offspring {
        let next = CreatureId(fitness.len() as u32);
        next_generation(&scored(fitness), fitness.len(), next, settings, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn the_fittest_live_on_and_children_take_the_other_places() {
        let fitness: Vec<f64> = (0..20).map(|i| f64::from(i * 7 % 20)).collect();
        let plan = plan(&fitness, &EvolutionSettings::default(), 1);
        // 7·i mod 20 = 19, 18, 17, 16 for i = 17, 14, 11, 8.
        assert_eq!(plan.living[..4], [17, 14, 11, 8].map(CreatureId));
        assert_eq!(plan.living[4..], (20..36).map(CreatureId).collect::<Vec<_>>());
        assert_eq!(plan.births.len(), 16);
        assert!(plan.births.iter().all(|birth| birth.parents[0] != birth.parents[1]));
        assert!(plan.births.iter().all(|birth| (0.2..=0.8).contains(&birth.share)));
    }

    #[test]
    fn parents_are_chosen_as_often_as_they_should() {
        let fitness: Vec<f64> = (0..5).map(f64::from).collect();
        let count = |selection| {
            let settings = EvolutionSettings { selection, elite_ratio: 0.0, ..EvolutionSettings::default() };
            let mut first = [0; 5];
            for seed in 0..4000 {
                plan(&fitness, &settings, seed).births.iter().for_each(|birth| first[birth.parents[0].0 as usize] += 1);
            }
            first.map(|n| f64::from(n) / 20_000.0)
        };
        // The best of three of five without putting back: C(k, 2) / C(5, 3) for k below; by rank k / 15.
        let expected = [
            (ParentSelection::Tournament, [0.0, 0.0, 0.1, 0.3, 0.6]),
            (ParentSelection::Rank, [1.0, 2.0, 3.0, 4.0, 5.0].map(|k| k / 15.0)),
        ];
        for (selection, shares) in expected {
            let seen = count(selection);
            // Standard deviations are 0.0035 at most; 4 of them.
            let close = seen.iter().zip(shares).all(|(seen, share)| (seen - share).abs() < 0.014);
            assert!(close, "{selection:?}: {seen:?}");
        }
    }

    #[test]
    fn one_alone_mates_with_itself() {
        let settings = EvolutionSettings { elite_ratio: 0.0, ..EvolutionSettings::default() };
        let plan = plan(&[3.0], &settings, 1);
        assert_eq!(plan.births[0].parents, [CreatureId(0); 2]);
        assert_eq!(
            next_generation(&[], 5, CreatureId(0), &settings, &mut ChaCha8Rng::seed_from_u64(1)),
            Offspring::default()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn a_generation_is_whole(
            fitness in proptest::collection::vec(-100.0..100.0_f64, 1..30), size in 1_usize..30, elite_ratio in 0.0..=1.0_f64,
            seed in any::<u64>(), tournament in 1_u32..40,
        ) {
            let settings = EvolutionSettings { elite_ratio, tournament, ..EvolutionSettings::default() };
            let next = CreatureId(fitness.len() as u32);
            let plan = next_generation(&scored(&fitness), size, next, &settings, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert_eq!(plan.living.len(), size);
            let mut distinct = plan.living.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), size, "nobody twice");
            let known = plan.births.iter().flat_map(|birth| birth.parents).all(|parent| parent < next);
            prop_assert!(known && plan.births.iter().all(|birth| plan.living.contains(&birth.child)));
        }
    }
}
