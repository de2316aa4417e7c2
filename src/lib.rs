//! Evolora: a desktop world in which language-model minds are born, learn, breed and die before your eyes.
//!
//! Rooms, each of which may use only those above it: [`config`], [`protocol`], [`checksum`] · [`sim`], [`brain`], [`genetics`],
//! [`language`], [`policy`] · `download` (with the feature) · [`mind`] · [`record`] · `view`, `ui` (with the window) · [`app`], [`lab`] · [`cli`].
//! The README's map says what each one holds; the test `rooms` keeps the walls.

pub mod app;
pub mod brain;
pub mod checksum;
pub mod cli;
pub mod config;
#[cfg(feature = "download")]
pub mod download;
pub mod genetics;
pub mod lab;
pub mod language;
pub mod mind;
#[cfg(feature = "desktop")]
pub mod palette;
pub mod policy;
pub mod protocol;
pub mod record;
pub mod sim;
#[cfg(feature = "desktop")]
pub mod ui;
#[cfg(feature = "desktop")]
pub mod view;

pub use app::Simulation;
