//! Means with 95 % confidence intervals.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean and half the width of its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval; infinite for fewer than two values.
    pub margin: f64,
}

impl Estimate {
    /// Estimates the mean of the population that `values` were drawn from, by Student's t.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let margin = StudentsT::new(0.0, 1.0, n - 1.0)
            .map_or(f64::INFINITY, |t| t.inverse_cdf(0.975) * (square / (n - 1.0) / n).sqrt());
        Self { mean, margin }
    }

    /// The lower end of the interval.
    pub fn lower(&self) -> f64 {
        self.mean - self.margin
    }

    /// The upper end of the interval.
    pub fn upper(&self) -> f64 {
        self.mean + self.margin
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(1);
        if self.margin.is_finite() {
            write!(f, "{:.digits$} ± {:.digits$}", self.mean, self.margin)
        } else {
            write!(f, "{:.digits$}", self.mean)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: mean 3, standard deviation √2.5, t(0.975, 4) = 2.776445.
    #[test]
    fn the_interval_is_students() {
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(estimate.mean, 3.0);
        assert!((estimate.margin - 2.776_445 * (2.5_f64 / 5.0).sqrt()).abs() < 1e-4, "{}", estimate.margin);
        assert_eq!(Estimate::of(&[7.0]).margin, f64::INFINITY);
        assert_eq!(Estimate::of(&[7.0]).to_string(), "7.0");
    }
}
