//! Weights that begin at random, as variables to be trained.

use candle_core::{Device, Tensor, Var};
use rand::{Rng, RngExt};

use crate::brain::{
    error::Result,
    files::{Keep, Tensors},
    model::Matrix,
};

/// Hands out new variables under Hugging Face's names, and keeps them.
///
/// Matrices are drawn from a normal distribution with standard deviation `spread`, vectors are ones (Llama's and GPT-2's
/// way to begin). Those that write into the residual stream begin smaller, by √(2 · layers) (GPT-2).
pub struct Fresh<R> {
    draws: R,
    spread: f32,
    residual: f32,
    vars: Vec<(String, Var)>,
}

impl<R: Rng> Fresh<R> {
    /// For a model of `layers` layers.
    pub fn new(draws: R, spread: f32, layers: usize) -> Self {
        Self { draws, spread, residual: (2.0 * layers as f32).sqrt().recip(), vars: Vec::new() }
    }

    /// Every variable that has been handed out, with its name, in that order.
    pub fn into_vars(self) -> Vec<(String, Var)> {
        self.vars
    }

    /// Box and Muller's transform: a normal number out of two uniform ones.
    fn normal(&mut self) -> f32 {
        let (u, v): (f32, f32) = (self.draws.random(), self.draws.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f32::consts::TAU * v).cos()
    }

    fn keep(&mut self, name: &str, tensor: &Tensor) -> Result<Tensor> {
        let var = Var::from_tensor(tensor)?;
        let tensor = var.as_tensor().clone();
        self.vars.push((name.to_owned(), var));
        Ok(tensor)
    }
}

impl<R: Rng> Tensors for Fresh<R> {
    fn has(&self, _: &str) -> bool {
        true
    }

    fn matrix(&mut self, name: &str, [out, inner]: [usize; 2], _: &Keep) -> Result<Matrix> {
        let residual = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
        let spread = self.spread * if residual { self.residual } else { 1.0 };
        let numbers: Vec<f32> = (0..out * inner).map(|_| self.normal() * spread).collect();
        let tensor = Tensor::from_vec(numbers, (out, inner), &Device::Cpu)?;
        Matrix::dense(self.keep(name, &tensor)?)
    }

    fn vector(&mut self, name: &str, len: usize, _: &Keep) -> Result<Tensor> {
        self.keep(name, &Tensor::ones(len, candle_core::DType::F32, &Device::Cpu)?)
    }
}
