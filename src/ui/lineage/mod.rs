//! Everybody who ever lived in a habitat, as a family tree over its generations.
//!
//! This panel does *not* know how parents were chosen, or what is in a mind.

mod draw;
mod layout;
mod view;

use std::collections::BTreeSet;

use bevy_egui::egui::{Align, Layout as Direction, Mesh, RichText, Sense, Shape, Ui, pos2, vec2};
use serde::{Deserialize, Serialize};

use self::{layout::Layout, view::View};
use super::{
    theme::{SMALL, ink},
    widgets::empty_state,
};
use crate::{
    palette,
    protocol::{CreatureId, HabitatId, UserCommand},
};

/// Below this width, in points, the legend is left out.
const NARROW: f32 = 560.0;
/// Below this one words are, too.
const TIGHT: f32 = 400.0;

/// One creature.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Relative {
    /// Its number.
    pub creature: CreatureId,
    /// What the person calls it.
    pub name: Option<String>,
    /// The first generation in which it lived.
    pub born: u32,
    /// The last one; `None` while it lives.
    pub died: Option<u32>,
    /// Its parents; founders have none.
    pub parents: [Option<CreatureId>; 2],
    /// The first parent's share, from 0 to 1.
    pub share: Option<f64>,
    /// The founder of its line.
    pub founder: CreatureId,
    /// Its best fitness in any generation; `None` before the first one is over.
    pub fitness: Option<f64>,
    /// Part of its parents' merged adapters for which its rank had no room, from 0 to 1.
    pub energy_lost: Option<f64>,
}

impl Relative {
    /// The last generation in which it lived, where `living` is the one that lives now.
    pub(super) fn last(&self, living: u32) -> u32 {
        self.died.unwrap_or(living).max(self.born)
    }

    /// Whether it outlived a generation.
    fn is_elite(&self, living: u32) -> bool {
        self.last(living) > self.born
    }
}

/// What the panel shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LineageModel {
    /// The habitat.
    pub habitat: HabitatId,
    /// Grows whenever `creatures` changes: only then everybody gets a place anew.
    pub revision: u64,
    /// The generation that lives.
    pub generation: u32,
    /// Everybody, in any order.
    pub creatures: Vec<Relative>,
    /// Whose mind is looked into.
    pub selected: Option<CreatureId>,
}

/// What the panel remembers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LineageState {
    /// Whether colours stand for fitness, in place of founders' lines.
    pub by_fitness: bool,
    #[serde(skip)]
    view: View,
    #[serde(skip)]
    cache: Cache,
}

/// What is computed once per change.
#[derive(Debug, Clone, Default)]
struct Cache {
    /// The model that it was computed from: habitat, revision, generation, number of creatures.
    of: Option<(HabitatId, u64, u32, usize)>,
    layout: Layout,
    /// The lowest and the highest fitness.
    range: (f64, f64),
    ancestors_of: Option<CreatureId>,
    ancestors: BTreeSet<usize>,
}

impl Cache {
    fn refresh(&mut self, model: &LineageModel) {
        let of = Some((model.habitat, model.revision, model.generation, model.creatures.len()));
        let is_stale = self.of != of;
        if is_stale {
            self.layout = Layout::new(&model.creatures, model.generation);
            let fitness = || model.creatures.iter().filter_map(|one| one.fitness).filter(|value| value.is_finite());
            self.range = (fitness().fold(f64::INFINITY, f64::min), fitness().fold(f64::NEG_INFINITY, f64::max));
            self.of = of;
        }
        if is_stale || self.ancestors_of != model.selected {
            self.ancestors_of = model.selected;
            let find = |creature| self.layout.ancestors(&model.creatures, creature);
            self.ancestors = model.selected.map(find).unwrap_or_default();
        }
    }
}

/// Shows the panel and gives what the person wants.
pub fn show_lineage(ui: &mut Ui, model: &LineageModel, state: &mut LineageState) -> Vec<UserCommand> {
    if model.creatures.is_empty() {
        let text = "The family tree grows here, from the end of the first generation on: a column for each generation, \
                    lines from parents to children. Click on anybody to look into its mind, also on the dead.";
        empty_state(ui, "Lineage", text);
        return Vec::new();
    }
    state.cache.refresh(model);
    bar(ui, state);
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
    state.view.steer(ui, &response, &state.cache.layout);
    let chart = state.view.chart(rect, &state.cache.layout);
    draw::draw(ui, model, state, &chart);
    let pointer = response.hover_pos();
    let Some(at) = pointer.and_then(|pointer| chart.nearest(&state.cache.layout, pointer)) else { return Vec::new() };
    let one = &model.creatures[at];
    let is_clicked = response.clicked();
    response.on_hover_text_at_pointer(describe(model, &state.cache.layout, one));
    if is_clicked { vec![UserCommand::Select(Some((model.habitat, one.creature)))] } else { Vec::new() }
}

/// How to colour, what to see, and what the marks mean.
fn bar(ui: &mut Ui, state: &mut LineageState) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let room = ui.available_width();
        if room >= TIGHT {
            ui.label(RichText::new("Colour").color(ink(palette::TEXT_WEAK)));
        }
        ui.selectable_value(&mut state.by_fitness, false, "Line").on_hover_text("A colour for each founder's line.");
        ui.selectable_value(&mut state.by_fitness, true, "Fitness").on_hover_text("From the least to the most fit.");
        ui.separator();
        let mut look = |ui: &mut Ui, label: &str, view: View, hint: &str| {
            if ui.selectable_label(state.view == view, label).on_hover_text(hint).clicked() {
                state.view = view;
            }
        };
        look(ui, "Newest", View::Newest, "The latest generations, as they come. Drag to move, turn the wheel to zoom.");
        look(ui, "Whole", View::Whole, "The whole tree; so does a double click.");
        if room >= NARROW {
            ui.with_layout(Direction::right_to_left(Align::Center), |ui| {
                legend(ui, state.by_fitness.then_some(state.cache.range));
            });
        }
    });
}

/// What rings, pale colours and the ramp mean. From right to left.
fn legend(ui: &mut Ui, range: Option<(f64, f64)>) {
    let text = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).size(SMALL).color(ink(palette::TEXT_WEAK)));
    let mark = |ui: &mut Ui, strength: f32, ring: bool| {
        let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
        draw::node(ui.painter(), rect.center(), 4.5, ink(palette::lineage(1)).gamma_multiply(strength), ring);
    };
    text(ui, "lived on");
    mark(ui, 1.0, true);
    text(ui, "dead");
    mark(ui, draw::FAINT, false);
    text(ui, "alive");
    mark(ui, 1.0, false);
    let Some((least, most)) = range.filter(|(least, most)| least <= most) else { return };
    ui.add_space(8.0);
    text(ui, &format!("{most:.1}"));
    let (rect, _) = ui.allocate_exact_size(vec2(80.0, 10.0), Sense::hover());
    let mut mesh = Mesh::default();
    let steps = 16_u32;
    for step in 0..=steps {
        let part = f64::from(step) / f64::from(steps);
        let x = rect.left() + rect.width() * part as f32;
        let colour = ink(palette::ramp(part));
        mesh.colored_vertex(pos2(x, rect.top()), colour);
        mesh.colored_vertex(pos2(x, rect.bottom()), colour);
        if let Some(corner) = (2 * step).checked_sub(2) {
            mesh.add_triangle(corner, corner + 1, corner + 2);
            mesh.add_triangle(corner + 1, corner + 2, corner + 3);
        }
    }
    ui.painter().add(Shape::mesh(mesh));
    text(ui, &format!("{least:.1}"));
}

/// What there is to say of one creature.
fn describe(model: &LineageModel, layout: &Layout, one: &Relative) -> String {
    let name_of = |creature: CreatureId| {
        let name = layout.index.get(&creature).and_then(|at| model.creatures[*at].name.clone());
        name.map_or_else(|| creature.to_string(), |name| format!("{name} ({creature})"))
    };
    let mut lines = vec![
        one.name
            .clone()
            .map_or_else(|| format!("Creature {}", one.creature), |name| format!("{name}, creature {}", one.creature)),
    ];
    lines.push(match (one.parents, one.share) {
        ([Some(first), Some(second)], Some(share)) => {
            let (more, less) = (100.0 * share, 100.0 - 100.0 * share);
            format!("Child of {} ({more:.0} %) and {} ({less:.0} %)", name_of(first), name_of(second))
        }
        ([Some(first), Some(second)], None) => format!("Child of {} and {}", name_of(first), name_of(second)),
        ([Some(only), None] | [None, Some(only)], _) => format!("Child of {}", name_of(only)),
        ([None, None], _) => "Founder".to_owned(),
    });
    lines.push(match one.died {
        None => format!("Alive since generation {}", one.born),
        Some(died) if died > one.born => format!("Lived in generations {} to {died}", one.born),
        Some(died) => format!("Lived in generation {died}"),
    });
    if one.founder != one.creature {
        lines.push(format!("Line of founder {}", name_of(one.founder)));
    }
    if let Some(fitness) = one.fitness {
        lines.push(format!("Best fitness {fitness:.1}"));
    }
    if let Some(lost) = one.energy_lost {
        lines.push(format!("Energy lost when it was made {:.1} %", 100.0 * lost));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
