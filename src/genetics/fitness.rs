//! What a life was worth.

use crate::{config::FitnessSettings, protocol::LifeRecord};

/// Fitness of a life: `total_reward + 5·food_collected + 10·food_delivered + 0.1·turns_alive` by default.
pub fn fitness(life: &LifeRecord, weights: &FitnessSettings) -> f64 {
    weights.reward * life.total_reward
        + weights.collected * f64::from(life.food_collected)
        + weights.delivered * f64::from(life.food_delivered)
        + weights.turns_alive * f64::from(life.turns_alive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitness_is_the_originals_sum() {
        let life = LifeRecord { total_reward: 31.5, food_collected: 3, food_delivered: 2, turns_alive: 120 };
        assert_eq!(fitness(&life, &FitnessSettings::default()), 31.5 + 15.0 + 20.0 + 12.0);
        let weights = FitnessSettings { reward: 2.0, collected: 1.0, delivered: 0.5, turns_alive: 0.0 };
        assert_eq!(fitness(&life, &weights), 63.0 + 3.0 + 1.0);
    }
}
