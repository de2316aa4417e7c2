//! Curves as SVG: a line per arm with the band of its 95 % interval over seeds.

use std::{collections::BTreeMap, io::Write, ops::Range, path::Path};

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    arms::RULES,
    error::ExperimentError,
    tables::{GenerationResult, Results},
};
use crate::{lab::statistics::Estimate, record::replace_file};

/// Colours that people with any colour vision tell apart (Okabe and Ito 2008), without black, which is for `rules`, and
/// without yellow, which is too pale for a line on white.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];
/// Dash and gap in pixels, where the colours begin again: arms are told apart by both.
const DASHES: [(i32, i32); 3] = [(0, 0), (8, 5), (2, 4)];

const FONT: &str = "Inter, Helvetica, Arial, sans-serif";
const INK: RGBColor = RGBColor(51, 51, 51);
const GRID: RGBColor = RGBColor(225, 225, 225);
const SIZE: (u32, u32) = (960, 540);
/// Pixels to the right of a plot, for names.
const LEGEND: u32 = 210;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = Box<dyn std::error::Error>;

/// One arm's values: by generation, the mean over seeds and its interval.
struct Curve {
    name: &'static str,
    style: usize,
    points: Vec<(f64, Estimate)>,
}

/// What a plot is called, what it shows and between which values at the least.
struct Panel<'a> {
    title: &'a str,
    axis: &'a str,
    value: fn(&GenerationResult) -> Option<f64>,
    /// How its values are written.
    number: fn(&f64) -> String,
    shows: Range<f64>,
    /// A line across for `rules`.
    rules: bool,
}

/// Mean fitness divided by that of `rules`.
pub(super) fn draw_curves(path: &Path, results: &Results) -> Result<(), ExperimentError> {
    let panel = Panel {
        title: "Mean fitness, divided by that of rules on the same map",
        axis: "ratio to rules",
        value: |row| row.ratio_to_rules,
        number: |ratio| format!("{ratio:.2}"),
        shows: 0.0..1.05,
        rules: true,
    };
    draw(path, SIZE, results, &[panel])
}

/// How different the minds are from each other, and how many founders' lines are alive.
pub(super) fn draw_diversity(path: &Path, results: &Results) -> Result<(), ExperimentError> {
    let lines = Panel {
        title: "Founders' lines alive",
        axis: "lines",
        value: |row| row.diversity.map(|_| f64::from(row.lines)),
        number: |lines| format!("{lines:.1}").trim_end_matches(".0").to_owned(),
        shows: 0.0..1.0,
        rules: false,
    };
    let diversity = Panel {
        title: "Mean KL between any two minds, in nats",
        axis: "nats",
        value: |row| row.diversity,
        number: |nats| format!("{nats:.2}"),
        shows: 0.0..0.1,
        rules: false,
    };
    draw(path, (SIZE.0, 2 * SIZE.1 - 180), results, &[lines, diversity])
}

fn draw(path: &Path, size: (u32, u32), results: &Results, panels: &[Panel]) -> Result<(), ExperimentError> {
    let failed = |why: String| ExperimentError::Plot { path: path.to_owned(), reason: why };
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw_panels(&root, results, panels).map_err(|error| failed(error.to_string()))?;
    }
    Ok(replace_file(path, |file| file.write_all(text.as_bytes()))?)
}

fn draw_panels(root: &Area<'_>, results: &Results, panels: &[Panel]) -> Result<(), Failure> {
    root.fill(&WHITE)?;
    for (panel, area) in panels.iter().zip(root.split_evenly((panels.len(), 1))) {
        let (width, _) = area.dim_in_pixel();
        let (plot, legend) = area.split_horizontally(width - LEGEND);
        let curves = curves(results, panel.value);
        let across = draw_panel(&plot, panel, &curves)?;
        draw_legend(&legend, panel, &curves, across)?;
    }
    root.present()?;
    Ok(())
}

/// The curves of all arms that have the value, each with the same style in every plot.
fn curves(results: &Results, value: fn(&GenerationResult) -> Option<f64>) -> Vec<Curve> {
    let mut curves = Vec::new();
    for (style, arm) in results.arms.iter().filter(|arm| arm.arm.name != RULES).enumerate() {
        let mut by_generation: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for row in results.generations.iter().filter(|row| row.arm == arm.arm.name) {
            by_generation.entry(row.generation).or_default().extend(value(row));
        }
        let points = by_generation.into_iter().filter(|(_, values)| !values.is_empty());
        let points: Vec<_> = points.map(|(at, values)| (f64::from(at), Estimate::of(&values))).collect();
        if !points.is_empty() {
            curves.push(Curve { name: arm.arm.name, style, points });
        }
    }
    curves
}

/// The lower and upper end of a point's band, which is a line where there is one seed.
fn band((_, estimate): &(f64, Estimate)) -> (f64, f64) {
    let margin = if estimate.margin.is_finite() { estimate.margin } else { 0.0 };
    (estimate.mean - margin, estimate.mean + margin)
}

/// Draws a plot; gives the height in pixels at which each curve ends.
fn draw_panel(area: &Area<'_>, panel: &Panel, curves: &[Curve]) -> Result<Vec<i32>, Failure> {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let last = all().map(|(at, _)| *at).fold(1.0, f64::max);
    let low = all().map(|point| band(point).0).fold(panel.shows.start, f64::min);
    let high = all().map(|point| band(point).1).fold(panel.shows.end, f64::max);
    let room = 0.03 * (high - low);
    let low = if low < 0.0 { low - room } else { low };
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .caption(panel.title, (FONT, 18).into_font().color(&INK))
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..last, low..high + room)?;
    let whole = |x: &f64| format!("{x:.0}");
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels((last as usize + 1).min(11))
        .x_label_formatter(&whole)
        .y_label_formatter(&|value| written(panel, *value))
        .x_desc("generation")
        .y_desc(panel.axis)
        .label_style((FONT, 13).into_font().color(&INK))
        .axis_desc_style((FONT, 14).into_font().color(&INK))
        .draw()?;
    if panel.rules {
        chart.draw_series(DashedLineSeries::new([(0.0, 1.0), (last, 1.0)], 3, 3, INK.stroke_width(1)))?;
    }
    for Curve { style, points, .. } in curves {
        let upper = points.iter().map(|point| (point.0, band(point).1));
        let lower = points.iter().rev().map(|point| (point.0, band(point).0));
        let colour = COLOURS[style % COLOURS.len()];
        chart.draw_series([Polygon::new(upper.chain(lower).collect::<Vec<_>>(), colour.mix(0.13))])?;
    }
    for Curve { style, points, .. } in curves {
        let line = points.iter().map(|(at, estimate)| (*at, estimate.mean));
        let (stroke, (dash, gap)) = stroke(*style);
        if dash == 0 {
            chart.draw_series(LineSeries::new(line, stroke))?;
        } else {
            chart.draw_series(DashedLineSeries::new(line.collect::<Vec<_>>(), dash, gap, stroke))?;
        }
    }
    let end = |curve: &Curve| curve.points.last().map_or(0, |(at, end)| chart.backend_coord(&(*at, end.mean)).1);
    let base = area.get_base_pixel().1;
    Ok(curves.iter().map(|curve| end(curve) - base).collect())
}

/// A value with a proper minus sign, and none before 0.
fn written(panel: &Panel, value: f64) -> String {
    let text = (panel.number)(&value);
    let is_zero = text.chars().all(|c| "-0.".contains(c));
    text.replace('-', if is_zero { "" } else { "−" })
}

fn stroke(style: usize) -> (ShapeStyle, (i32, i32)) {
    (COLOURS[style % COLOURS.len()].stroke_width(2), DASHES[style / COLOURS.len() % DASHES.len()])
}

/// Names beside the ends of the curves, as near to their heights as they can be without touching each other.
fn draw_legend(area: &Area<'_>, panel: &Panel, curves: &[Curve], ends: Vec<i32>) -> Result<(), Failure> {
    let (_, height) = area.dim_in_pixel();
    let mut order: Vec<usize> = (0..curves.len()).collect();
    order.sort_by_key(|at| ends[*at]);
    let places = spread(&order.iter().map(|at| ends[*at]).collect::<Vec<_>>(), 20, 50, height as i32 - 66);
    let text = (FONT, 14).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (at, y) in order.into_iter().zip(places) {
        let (line, (dash, gap)) = stroke(curves[at].style);
        let points = [(6, y), (34, y)];
        if dash == 0 {
            area.draw(&PathElement::new(points, line))?;
        } else {
            (0..)
                .map(|i| 6 + i * (dash + gap))
                .take_while(|x| *x < 34)
                .try_for_each(|x| area.draw(&PathElement::new([(x, y), ((x + dash).min(34), y)], line)))?;
        }
        let label =
            curves[at].points.last().map(|(_, end)| format!("{} · {}", curves[at].name, written(panel, end.mean)));
        area.draw(&Text::new(label.unwrap_or_default(), (42, y), text.clone()))?;
    }
    if panel.rules {
        let note = (FONT, 12).into_font().color(&INK.mix(0.7)).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new("dashed line at 1: rules · bands: 95 %".to_owned(), (6, height as i32 - 24), note))?;
    }
    Ok(())
}

/// Moves sorted heights apart until they are `gap` from each other, within `top..bottom` as far as there is room.
fn spread(heights: &[i32], gap: i32, top: i32, bottom: i32) -> Vec<i32> {
    let gap = if heights.len() > 1 { gap.min((bottom - top) / (heights.len() as i32 - 1)) } else { gap };
    let mut places: Vec<i32> = Vec::with_capacity(heights.len());
    for height in heights {
        let least = places.last().map_or(top, |last| last + gap);
        places.push((*height).max(least));
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = (*place).min(most);
        most = *place - gap;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_distance() {
        assert_eq!(spread(&[100, 105, 300], 20, 50, 400), [100, 120, 300]);
        assert_eq!(spread(&[390, 395, 398], 20, 50, 400), [360, 380, 400]);
        assert_eq!(spread(&[0, 0], 20, 50, 400), [50, 70]);
        assert_eq!(spread(&[10; 5], 20, 0, 40), [0, 10, 20, 30, 40], "closer where there is no room");
    }
}
