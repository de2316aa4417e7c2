//! The living generation in numbers, and those before it.

use bevy_egui::egui::{Align, Grid, Label, Layout, RichText, ScrollArea, Ui, vec2};

use super::{theme::ink, widgets::section};
use crate::{palette, record::GenerationRow};

/// Widths of the table's columns, in points.
const COLUMNS: [f32; 4] = [78.0, 52.0, 52.0, 62.0];
/// Width of a number beside its name, in points.
const WIDE: f32 = 136.0;

/// What the panel shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GenerationsModel {
    /// Who decides: the word from the settings.
    pub mind: String,
    /// Seed of the run.
    pub seed: u64,
    /// The living generation so far, a row per habitat.
    pub living: Vec<GenerationRow>,
    /// Agents that live.
    pub alive: u32,
    /// Agents that were born.
    pub born: u32,
    /// Generations that are over.
    pub rows: Vec<GenerationRow>,
}

/// From this width on, in points, the living generation stands beside those before it.
const BESIDE: f32 = 580.0;

/// Shows the panel.
pub fn show_generations(ui: &mut Ui, model: &GenerationsModel) {
    if ui.available_width() < BESIDE {
        show_living(ui, model);
        ui.add_space(16.0);
        return show_rows(ui, model);
    }
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            ui.set_max_width(BESIDE / 2.0);
            ScrollArea::vertical().id_salt("this").auto_shrink([true, false]).show(ui, |ui| show_living(ui, model));
        });
        ui.add_space(24.0);
        ui.vertical(|ui| show_rows(ui, model));
    });
}

fn show_living(ui: &mut Ui, model: &GenerationsModel) {
    section(ui, "This generation");
    let count = model.living.len().max(1) as f64;
    let total = |value: fn(&GenerationRow) -> u64| model.living.iter().map(value).sum::<u64>().to_string();
    let mean = model.living.iter().map(|row| row.mean_fitness).sum::<f64>() / count;
    let best = model.living.iter().map(|row| row.best_fitness).fold(f64::NAN, f64::max);
    Grid::new("living").num_columns(2).min_col_width(120.0).spacing(vec2(8.0, 0.0)).show(ui, |ui| {
        row(ui, "Mind", &model.mind);
        row(ui, "Seed", &model.seed.to_string());
        row(ui, "Alive", &format!("{} of {}", model.alive, model.born));
        row(ui, "Mean fitness", &format!("{mean:.1}"));
        row(ui, "Best fitness", &if best.is_nan() { "–".to_owned() } else { format!("{best:.1}") });
        row(ui, "Food taken up", &total(|row| row.collected));
        row(ui, "Food delivered", &total(|row| row.delivered));
        row(ui, "Food eaten", &total(|row| row.eaten));
    });
}

fn show_rows(ui: &mut Ui, model: &GenerationsModel) {
    section(ui, "Generations that are over");
    if model.rows.is_empty() {
        ui.add(
            Label::new(
                RichText::new("A row appears here when the first generation ends.").color(ink(palette::TEXT_WEAK)),
            )
            .wrap(),
        );
        return;
    }
    ScrollArea::vertical().auto_shrink([false, true]).stick_to_bottom(true).show(ui, |ui| {
        Grid::new("rows").num_columns(4).striped(true).min_col_width(0.0).spacing(vec2(8.0, 0.0)).show(ui, |ui| {
            // Which habitat, where there are several.
            let several = model.living.len() > 1;
            let titles = [if several { "habitat · no." } else { "no." }, "mean", "best", "delivered"];
            for (title, width) in titles.into_iter().zip(COLUMNS) {
                number(ui, title, palette::TEXT_WEAK, width);
            }
            ui.end_row();
            for row in &model.rows {
                let place = row.generation.to_string();
                let place = if several { format!("{} · {place}", row.habitat) } else { place };
                number(ui, &place, palette::TEXT_WEAK, COLUMNS[0]);
                number(ui, &format!("{:.1}", row.mean_fitness), palette::TEXT, COLUMNS[1]);
                number(ui, &format!("{:.1}", row.best_fitness), palette::TEXT, COLUMNS[2]);
                number(ui, &row.delivered.to_string(), palette::TEXT, COLUMNS[3]);
                ui.end_row();
            }
        });
    });
}

fn row(ui: &mut Ui, name: &str, value: &str) {
    ui.label(RichText::new(name).color(ink(palette::TEXT_WEAK)));
    number(ui, value, palette::TEXT, WIDE);
    ui.end_row();
}

/// A number, set to the right in a column of this width.
fn number(ui: &mut Ui, text: &str, rgb: palette::Rgb, width: f32) {
    let size = vec2(width, ui.spacing().interact_size.y);
    let right = Layout::right_to_left(Align::Center);
    ui.allocate_ui_with_layout(size, right, |ui| {
        ui.set_min_size(size);
        ui.add(Label::new(RichText::new(text).color(ink(rgb))));
    });
}

#[cfg(test)]
mod tests {
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;
    use crate::{
        mind::{Fallback, GenerationEnded, Lived},
        protocol::{AgentId, CreatureId, HabitatId, LifeRecord},
        sim::{Clock, Ledger},
    };

    fn row(generation: u32, fitness: f64) -> GenerationRow {
        GenerationRow::from(&GenerationEnded {
            habitat: HabitatId(0),
            clock: Clock { generation, turn: 10 },
            lives: vec![Lived { agent: AgentId(0), creature: CreatureId(0), record: LifeRecord::default(), fitness }],
            ledger: Ledger { delivered: 17, ..Ledger::default() },
            fallback: Fallback::default(),
        })
    }

    #[test]
    fn an_empty_column_says_what_will_appear() {
        let harness = Harness::new_ui(|ui| show_generations(ui, &GenerationsModel::default()));
        harness.get_by_label_contains("A row appears here");
        harness.get_by_label("0 of 0");
    }

    #[test]
    fn the_numbers_are_those_of_the_rows() {
        let model = GenerationsModel {
            mind: "rules".to_owned(),
            seed: 5,
            living: vec![row(1, 3.25)],
            alive: 1,
            born: 1,
            rows: vec![row(0, 812.44)],
        };
        let harness = Harness::new_ui(move |ui| show_generations(ui, &model));
        assert_eq!(harness.get_all_by_label("812.4").count(), 2, "mean and best of one agent");
        assert_eq!(harness.get_all_by_label("3.2").count(), 2);
        assert_eq!(harness.get_all_by_label("17").count(), 2);
    }
}
