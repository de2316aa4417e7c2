//! How fast the minds are, how much memory they take, and which model they are made of.
//!
//! This panel does *not* know how anything is measured, and changes nothing.

mod model;

use bevy_egui::egui::{Frame, Label, Margin, RichText, ScrollArea, Stroke, Ui, pos2, vec2};

pub use self::model::{MEMORY_LINE, MachineModel, Memory, ModelFacts, Round, SLOW, Worker};
use super::{
    theme::ink,
    widgets::{bar, coloured_row, megabytes, note, number_row, section, sparkline, swatch_row, thousands},
};
use crate::palette::{self, Rgb};

/// From this width on, in points, there are two columns.
const WIDE: f32 = 620.0;
/// Colours of the parts of memory, in their order.
const PARTS: [Rgb; 6] = [
    palette::lineage(4),
    palette::lineage(0),
    palette::lineage(5),
    palette::lineage(2),
    palette::lineage(6),
    palette::TEXT_WEAK,
];
/// Hexadecimal digits of a SHA-256 that are shown.
const SHORT: usize = 12;

/// Shows the panel.
pub fn show_machine(ui: &mut Ui, model: &MachineModel) {
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        for hint in model.hints() {
            show_hint(ui, &hint);
        }
        if ui.available_width() >= WIDE {
            ui.spacing_mut().item_spacing.x = 32.0;
            ui.columns(2, |columns| {
                columns.iter_mut().for_each(|column| column.spacing_mut().item_spacing.x = 8.0);
                columns[0].spacing_mut().item_spacing.y = 2.0;
                pace(&mut columns[0], model);
                memory(&mut columns[1], model);
                columns[1].add_space(10.0);
                facts(&mut columns[1], model);
            });
        } else {
            pace(ui, model);
            ui.add_space(10.0);
            memory(ui, model);
            ui.add_space(10.0);
            facts(ui, model);
        }
    });
}

fn show_hint(ui: &mut Ui, hint: &str) {
    let frame = Frame::new().fill(ink(palette::INSET)).corner_radius(6).inner_margin(Margin::symmetric(10, 8));
    frame.stroke(Stroke::new(1.0, ink(palette::ACCENT))).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.add(Label::new(RichText::new(hint).color(ink(palette::TEXT))).wrap());
    });
    ui.add_space(6.0);
}

/// A number with a decimal below 100, and none above.
fn short(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), short)
}

fn pace(ui: &mut Ui, model: &MachineModel) {
    ui.spacing_mut().item_spacing.y = 2.0;
    section(ui, "Pace");
    let (round, decision) = (model.round_ms(), model.decision_ms());
    let (median, slow) = (|both: (f64, f64)| both.0, |both: (f64, f64)| both.1);
    number_row(ui, "Round of all agents, median", &or_dash(round.map(median)), "ms")
        .on_hover_text("One question to the minds, answered for everybody who waits.");
    number_row(ui, "Round of all agents, p95", &or_dash(round.map(slow)), "ms")
        .on_hover_text("95 of 100 rounds are at least as fast.");
    let is_slow = decision.is_some_and(|(median, _)| median > SLOW);
    let colour = if is_slow { palette::DANGER } else { palette::TEXT };
    coloured_row(ui, "A decision, median", &or_dash(decision.map(median)), "ms", colour)
        .on_hover_text("A round's time divided by its agents.");
    number_row(ui, "A decision, p95", &or_dash(decision.map(slow)), "ms");
    number_row(ui, "Decisions", &or_dash(model.decisions_per_second), "/s");
    number_row(ui, "Training step, median", &or_dash(model.training_ms), "ms");
    number_row(ui, "Waiting for the worker", &model.queue.to_string(), "");
    number_row(ui, "Turns", &short(model.turns_per_second), "/s");
    number_row(ui, "Frames", &short(model.frames_per_second), "/s");
    ui.add_space(6.0);
    let times: Vec<f32> = model.rounds.iter().map(|round| round.ms as f32).collect();
    if times.len() < 2 {
        note(ui, "A curve of the rounds' times appears here once the minds decide.");
        return;
    }
    let longest = model.rounds.iter().map(|round| round.ms).fold(0.0, f64::max);
    sparkline(ui, "Round times", &times, 36.0, ink(palette::lineage(1)));
    note(ui, &format!("The last {} rounds; the longest took {} ms.", times.len(), short(longest)));
}

fn memory(ui: &mut Ui, model: &MachineModel) {
    ui.spacing_mut().item_spacing.y = 2.0;
    section(ui, "Memory");
    ui.add_space(4.0);
    let (total, line) = (model.memory.total(), MEMORY_LINE);
    let full = total.max(line) as f64;
    let parts = model.memory.parts();
    let bars: Vec<(f64, Rgb)> = parts.iter().zip(PARTS).map(|((_, bytes), rgb)| (*bytes as f64 / full, rgb)).collect();
    let name = format!("Memory: {} of {} MB", megabytes(total), megabytes(line));
    let rect = bar(ui, &name, &bars, 16.0).on_hover_text(&name).rect;
    // Where the line is, also when it is crossed.
    let x = rect.left() + rect.width() * (line as f64 / full) as f32 - 1.0;
    ui.painter().line_segment([pos2(x, rect.top()), pos2(x, rect.bottom())], Stroke::new(2.0, ink(palette::DANGER)));
    ui.add_space(4.0);
    for ((name, bytes), rgb) in parts.into_iter().zip(PARTS) {
        swatch_row(ui, rgb, name, &megabytes(bytes), "MB");
    }
    let colour = if total > line { palette::DANGER } else { palette::TEXT };
    let name = format!("Together, of {}", line / 1_000_000);
    coloured_row(ui, &name, &megabytes(total), "MB", colour);
    let or_dash = |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), megabytes);
    number_row(ui, "The whole process", &or_dash(model.resident), "MB")
        .on_hover_text("The memory that the system has given to the program, the window's own included.");
    number_row(ui, "Graphics, apart", &or_dash(model.graphics), "MB")
        .on_hover_text("What the window's pictures take; it does not count against the line.");
}

fn facts(ui: &mut Ui, model: &MachineModel) {
    ui.spacing_mut().item_spacing.y = 2.0;
    section(ui, "Minds");
    let times = match model.restarts {
        0 => String::new(),
        1 => ", restarted once".to_owned(),
        times => format!(", restarted {times} times"),
    };
    let (state, colour) = match model.worker {
        Worker::Absent => ("none is needed".to_owned(), palette::TEXT),
        Worker::Loading => (format!("loading{times}"), palette::ACCENT),
        Worker::Ready => (format!("ready{times}"), palette::TEXT),
        Worker::Down => (format!("down{times}"), palette::DANGER),
    };
    fact(ui, "Worker", &state, colour);
    if model.worker == Worker::Down {
        note(ui, "`rules` stands in for the minds.");
    }
    let Some(facts) = &model.facts else {
        let text = match model.worker {
            Worker::Absent => "No language model decides in this run.",
            _ => "The model's name, size and checksum appear here when it is loaded.",
        };
        return note(ui, text);
    };
    fact(ui, "Model", &facts.name, palette::TEXT);
    fact(ui, "Weights", &format!("{}, {}", thousands(facts.parameters), facts.quantisation), palette::TEXT);
    fact(ui, "Device", if model.gpu { "GPU" } else { "CPU" }, palette::TEXT);
    fact(ui, "SHA-256", facts.sha256.get(..SHORT).unwrap_or(&facts.sha256), palette::TEXT).on_hover_text(&facts.sha256);
    fact(ui, "File", &facts.file, palette::TEXT);
    if facts.in_file > 0 {
        let stay = format!("{:.1} MB of weights stay there", facts.in_file as f64 / 1e6);
        fact(ui, "", &stay, palette::TEXT).on_hover_text(
            "They are read as they are needed, and take no memory of the program's own (STREAM_WEIGHTS).",
        );
    }
}

/// A row of a name and a word, both from the left; what does not fit is shown by the pointer.
fn fact(ui: &mut Ui, name: &str, value: &str, rgb: Rgb) -> bevy_egui::egui::Response {
    ui.horizontal(|ui| {
        let name = Label::new(RichText::new(name).color(ink(palette::TEXT_WEAK)));
        ui.add_sized(vec2(72.0, ui.spacing().interact_size.y), name.halign(bevy_egui::egui::Align::LEFT));
        ui.add(Label::new(RichText::new(value).color(ink(rgb))).truncate())
    })
    .inner
}

#[cfg(test)]
mod tests;
