//! One picture of curves: axes, lines, a band, values under the pointer, and a legend above.
//!
//! This module does *not* know what the panel's buttons do.

use bevy_egui::egui::{
    Color32, FontId, Label, Rect, RichText, Sense, Stroke, TextStyle, Ui, Vec2, WidgetInfo, WidgetType, pos2, vec2,
};
use egui_plot::{AxisHints, FilledArea, HLine, HoverPosition, Line, LineStyle, Plot, PlotPoint, PlotUi, Points};

use super::{
    FitnessState,
    curve::{Curve, band},
    model::{CurveSet, Curves, FitnessModel, Quantity},
};
use crate::{
    palette::{self, Rgb},
    ui::theme::{SMALL, ink},
};

/// Width of the lines of generations that are over, and of the one that lives, in points.
const WIDTHS: (f32, f32) = (1.8, 1.2);
/// What the legend calls the band between the quartiles.
const BAND: &str = "Quartiles";
/// How far from a point its value is shown, in points.
const REACH: f32 = 14.0;
/// Below this width, in points, the legend has names alone, unless the picture is at least as high as this.
const NARROW: f32 = 620.0;
const TALL: f32 = 200.0;
/// Below this height, in points, an axis has no name.
const LOW: f32 = 150.0;

/// A curve as it is drawn and named.
struct Drawn<'a> {
    /// What the legend calls it.
    name: String,
    quantity: Quantity,
    colour: Color32,
    style: LineStyle,
    over: Option<&'a Curve>,
    living: Option<&'a Curve>,
}

impl<'a> Drawn<'a> {
    fn of(name: &str, quantity: Quantity, rgb: Rgb, set: &'a CurveSet) -> Self {
        let (over, living) = (set.over.get(&quantity), set.living.get(&quantity));
        Self { name: name.to_owned(), quantity, colour: ink(rgb), style: LineStyle::Solid, over, living }
    }

    /// The newest value: of the living generation, or else of the last one.
    fn newest(&self) -> Option<f64> {
        self.newest_point().map(|[_, y]| y)
    }

    /// When that was, in generations lived; `None` for what is only compared with.
    fn newest_at(&self) -> Option<f64> {
        self.newest_point().filter(|_| !self.is_reference()).map(|[x, _]| x)
    }

    fn newest_point(&self) -> Option<[f64; 2]> {
        let newest = |curve: Option<&Curve>| curve.and_then(Curve::newest);
        newest(self.living).or_else(|| newest(self.over))
    }

    /// Whether the curve is not the agents' own, but what theirs are compared with.
    fn is_reference(&self) -> bool {
        self.style != LineStyle::Solid
    }
}

/// Draws fitness, or another quantity, and above it its name and legend.
pub(super) fn show_picture(
    ui: &mut Ui,
    model: &FitnessModel,
    other: Option<Quantity>,
    state: &mut FitnessState,
    with_legend: bool,
) {
    let together = state.together || model.habitats() < 2;
    let drawn = curves_of(model, other, together);
    let with_band = other.is_none() && together;
    if with_legend {
        legend(ui, &drawn, other, with_band, state);
    }
    if drawn.iter().all(|one| one.newest().is_none()) {
        let text = format!("{} has not been measured yet.", other.map_or("Fitness", Quantity::name));
        ui.add(Label::new(RichText::new(text).color(ink(palette::TEXT_WEAK))).wrap());
        return;
    }
    ui.style_mut().interaction.interact_radius = REACH;
    // All of the living generation has room from its beginning, so that the curve is seen to grow.
    let now = drawn.iter().filter_map(|one| one.newest_at()).fold(0.0, f64::max);
    plot_of(ui, other, model.turns).include_x(now.floor()).include_x(now.ceil().max(1.0)).show(ui, |plot| {
        if with_band && !state.hidden.contains(BAND) {
            draw_band(plot, &model.together().over, 0.15);
            draw_band(plot, &model.together().living, 0.1);
        }
        // Whole generations are compared: before the first is over, what they reach is far beyond the picture.
        let shown = |one: &&Drawn<'_>| !state.hidden.contains(&one.name) && (now >= 1.0 || !one.is_reference());
        drawn.iter().filter(shown).for_each(|one| draw(plot, one));
        zoom_by_wheel(plot);
    });
}

/// Points between two labels of the vertical axis: they are faint at the first, and plain from the second on.
const LABELS: std::ops::RangeInclusive<f32> = 13.0..=18.0;

/// The axes, and what the pointer shows.
fn plot_of<'a>(ui: &Ui, other: Option<Quantity>, turns: u32) -> Plot<'a> {
    let height = ui.available_height();
    let font = FontId::proportional(SMALL);
    let ticks = |axis: AxisHints<'a>| axis.tick_label_color(ink(palette::TEXT_WEAK)).tick_label_font(font.clone());
    let mut bottom = ticks(AxisHints::new_x().formatter(|mark, _| whole(mark.value)));
    if height > LOW {
        bottom = bottom.label(RichText::new("generations lived").size(SMALL).color(ink(palette::TEXT_WEAK)));
    }
    Plot::new(other.map_or("fitness", Quantity::name))
        .custom_x_axes(vec![bottom])
        .custom_y_axes(vec![ticks(AxisHints::new_y()).min_thickness(36.0).label_spacing(LABELS)])
        .link_axis("fitness panel", [true, false])
        .allow_scroll(false)
        .allow_zoom(false)
        .show_crosshair(false)
        .grid_color(ink(palette::TEXT_WEAK).gamma_multiply(0.22))
        .set_margin_fraction(vec2(0.02, 0.08))
        .min_size(Vec2::splat(24.0))
        .height(height.max(24.0))
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(describe(plot_name, other.unwrap_or(Quantity::Mean), *position, turns))
            }
            _ => None,
        })
}

/// A tick of generations: only whole ones have a number.
fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 { format!("{value:.0}") } else { String::new() }
}

/// What stands beside the pointer: the value with its unit, and when it was.
pub(super) fn describe(name: &str, quantity: Quantity, position: PlotPoint, turns: u32) -> String {
    let PlotPoint { x, y } = position;
    let when = if (x - x.round()).abs() < 1e-9 {
        format!("generation {:.0}", x - 1.0)
    } else {
        format!("generation {:.0}, turn {:.0} of {turns}", x.floor(), x.fract() * f64::from(turns))
    };
    format!("{name}: {} {}\n{when}", quantity.write(y), quantity.unit())
}

/// The wheel zooms around the pointer.
fn zoom_by_wheel(plot: &mut PlotUi<'_>) {
    if plot.response().contains_pointer() {
        let (wheel, pinch) = plot.ctx().input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        let factor = (wheel / 240.0).exp() * pinch;
        if (factor - 1.0).abs() > 1e-4 {
            plot.zoom_bounds_around_hovered(Vec2::splat(factor));
        }
    }
}

/// What is drawn of fitness, or of another quantity.
fn curves_of(model: &FitnessModel, other: Option<Quantity>, together: bool) -> Vec<Drawn<'_>> {
    let mut drawn: Vec<_> = match (other, together) {
        (None, true) => [
            (Quantity::Best, palette::lineage(2)),
            (Quantity::Median, palette::lineage(1)),
            (Quantity::Mean, palette::ACCENT),
        ]
        .map(|(quantity, rgb)| Drawn::of(quantity.name(), quantity, rgb, model.together()))
        .into(),
        (Some(other), true) => vec![Drawn::of(other.name(), other, palette::lineage(1), model.together())],
        (_, false) => {
            let quantity = other.unwrap_or(Quantity::Mean);
            let line = |(id, set): (crate::protocol::HabitatId, _)| {
                Drawn::of(&format!("Habitat {id}"), quantity, palette::lineage(id.0), set)
            };
            model.each().map(line).collect()
        }
    };
    if other.is_none() {
        let styles = [LineStyle::Dashed { length: 8.0 }, LineStyle::Dotted { spacing: 5.0 }];
        drawn.extend(model.references.iter().zip(styles.into_iter().cycle()).map(|(reference, style)| Drawn {
            name: reference.name.clone(),
            quantity: Quantity::Mean,
            colour: ink(palette::TEXT_WEAK),
            style,
            over: Some(&reference.curve),
            living: None,
        }));
    }
    drawn
}

fn draw_band(plot: &mut PlotUi<'_>, curves: &Curves, strength: f32) {
    let (Some(lower), Some(upper)) = (curves.get(&Quantity::LowerQuartile), curves.get(&Quantity::UpperQuartile))
    else {
        return;
    };
    let (x, below, above) = band(lower, upper);
    let colour = ink(palette::ACCENT).gamma_multiply(strength);
    if x.len() > 1 {
        plot.add(FilledArea::new("", &x, &below, &above).fill_color(colour).allow_hover(false));
    }
}

fn draw(plot: &mut PlotUi<'_>, one: &Drawn<'_>) {
    let over = one.over.map(Curve::points).unwrap_or_default();
    if let ([[_, level]], true) = (&over[..], one.is_reference()) {
        plot.hline(HLine::new(&one.name, *level).color(one.colour).width(WIDTHS.1).style(one.style));
        return;
    }
    let dot = |at: [f64; 2], radius: f32| Points::new(&one.name, at).color(one.colour).radius(radius);
    if let [only] = over[..] {
        plot.points(dot(only, 3.0));
    }
    let line = |points, width| Line::new(&one.name, points).color(one.colour).width(width).style(one.style);
    plot.line(line(over, WIDTHS.0));
    if let Some(living) = one.living {
        plot.line(line(living.points(), WIDTHS.1));
        // Where it is now.
        living.newest().into_iter().for_each(|newest| plot.points(dot(newest, 3.0)));
    }
}

/// The picture's name, and a switch for every curve with its newest value.
fn legend(ui: &mut Ui, drawn: &[Drawn<'_>], other: Option<Quantity>, with_band: bool, state: &mut FitnessState) {
    // One line is enough: the values can be read off the curves.
    let is_narrow = ui.available_width() < NARROW && ui.available_height() < TALL && drawn.len() > 1;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(10.0, 2.0);
        let unit = other.map_or("Fitness".to_owned(), |other| match other.name() {
            name if name.eq_ignore_ascii_case(other.unit()) => name.to_owned(),
            name => format!("{name}, {}", other.unit()),
        });
        if !(is_narrow && other.is_none()) {
            ui.label(RichText::new(unit).size(SMALL).strong());
        }
        let mut switch = |ui: &mut Ui, name: &str, text: &str, colour, style| {
            let shown = !state.hidden.contains(name);
            if entry(ui, text, colour, style, shown) && !state.hidden.remove(name) {
                state.hidden.insert(name.to_owned());
            }
        };
        for one in drawn {
            let value = one.newest().map_or("–".to_owned(), |value| one.quantity.write(value));
            let text = if is_narrow { one.name.clone() } else { format!("{} {value}", one.name) };
            switch(ui, &one.name, &text, one.colour, Some(one.style));
        }
        if with_band {
            switch(ui, BAND, BAND, ink(palette::ACCENT).gamma_multiply(0.22), None);
        }
    });
}

/// One entry: a piece of its line, or of its band, and its name. Gives whether it was clicked.
fn entry(ui: &mut Ui, text: &str, colour: Color32, style: Option<LineStyle>, shown: bool) -> bool {
    let font = FontId::new(SMALL, TextStyle::Body.resolve(ui.style()).family);
    let ink_of_text = ink(if shown { palette::TEXT } else { palette::DEAD });
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, ink_of_text);
    let size = vec2(24.0 + galley.size().x, galley.size().y.max(16.0));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(WidgetType::Checkbox, true, shown, text));
    let middle = rect.center().y;
    let sample = Rect::from_min_max(pos2(rect.left(), middle - 4.0), pos2(rect.left() + 18.0, middle + 4.0));
    let colour = if shown { colour } else { ink(palette::DEAD).gamma_multiply(0.4) };
    let stroke = Stroke::new(2.0, colour);
    let left = sample.left();
    let dashes: Vec<(f32, f32)> = match style {
        None => {
            ui.painter().rect_filled(sample, 2.0, colour);
            Vec::new()
        }
        Some(LineStyle::Solid) => vec![(0.0, 18.0)],
        Some(LineStyle::Dashed { .. }) => vec![(0.0, 7.0), (11.0, 18.0)],
        Some(LineStyle::Dotted { .. }) => (0..4).map(|i| (5.0 * i as f32, 5.0 * i as f32 + 2.0)).collect(),
    };
    for (from, to) in dashes {
        ui.painter().line_segment([pos2(left + from, middle), pos2(left + to, middle)], stroke);
    }
    ui.painter().galley(pos2(rect.left() + 24.0, middle - galley.size().y / 2.0), galley, ink_of_text);
    response.on_hover_text(if shown { "Click to hide it." } else { "Click to show it." }).clicked()
}
