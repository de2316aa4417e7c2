//! What is written into the picture: what agents say, their names, and the habitats' numbers.
//!
//! Writing keeps its size whatever the camera does.

use bevy::{prelude::*, sprite::Anchor};

use super::{
    Drawn, Persona, Said,
    atlas::TAIL,
    canvas::{Canvas, Layer, Note, Stamp},
    color,
    layout::RIM,
    scene::Scene,
};
use crate::sim::{Agent, Ground, Habitat, InHabitat};

/// Size of what agents say and of names, in points.
const SMALL: f32 = 13.0;
/// Size of the habitats' labels, in points.
const NORMAL: f32 = 15.0;
/// Letters of a line of speech, and lines.
const LINES: (usize, usize) = (28, 3);
/// Height of a line, in its size.
const LEADING: f32 = 1.25;
/// Free room around speech, in points.
const ROOM: Vec2 = Vec2::new(9.0, 6.0);
/// Bubbles at a time.
pub(super) const MOST: usize = 24;

/// Draws what the selected agent says, or everybody, as far as there is room, and the selected one's name.
pub(super) fn draw_speech(
    agents: Query<(Entity, &Agent, &Drawn, &InHabitat, &Persona, Option<&Said>)>,
    scene: Scene,
    mut canvas: ResMut<Canvas>,
) {
    let (options, seen, point) = (&scene.options, scene.seen(), scene.point());
    let mut speakers: Vec<_> = agents
        .iter()
        .filter_map(|(entity, agent, drawn, habitat, persona, said)| {
            let at = scene.corner(habitat.0)? + drawn.at();
            let is_other = options.selected != Some(entity);
            seen.contains(at).then_some((is_other, habitat.0, agent.id, entity, at, drawn.size(), persona, said))
        })
        .collect();
    speakers.sort_by_key(|(is_other, habitat, id, ..)| (*is_other, *habitat, *id));
    let mut taken: Vec<Rect> = Vec::new();
    for (is_other, _, _, entity, at, size, persona, said) in speakers {
        if let Some(name) = persona.name.as_ref().filter(|name| !is_other && !name.is_empty()) {
            let (text, under) = (shorten(name, LINES), at - Vec2::Y * (0.55 * size + 3.0 * point));
            let anchor = Anchor::TOP_CENTER;
            canvas.write(Note { text, at: under, anchor, points: SMALL, rgb: scene.colours().ink });
        }
        let words = said.map(|said| said.0.trim()).filter(|words| !words.is_empty());
        let Some(words) = words.filter(|_| options.speech.includes(entity, options.selected)) else { continue };
        let text = shorten(words, LINES);
        let wide = text.lines().map(width).fold(0.0, f32::max) * SMALL;
        let high = text.lines().count() as f32 * SMALL * LEADING;
        let half = (Vec2::new(wide, high) / 2.0 + ROOM) * point;
        let foot = at + Vec2::Y * (0.6 * size);
        let tail = 7.0 * point;
        let place = within(Rect::from_center_half_size(foot + Vec2::Y * (tail + half.y), half), scene.shown());
        if taken.len() == MOST || taken.iter().any(|other| !other.intersect(place).is_empty()) {
            continue;
        }
        taken.push(place);
        bubble(&mut canvas, place, foot, tail, &scene);
        let anchor = Anchor::CENTER;
        canvas.write(Note { text, at: place.center(), anchor, points: SMALL, rgb: scene.colours().ink });
    }
}

/// The same rectangle, moved as far as it must be to lie within another, where it fits.
fn within(place: Rect, room: Rect) -> Rect {
    let inward = |low: f32, high: f32, from: f32, to: f32| (from - low).max(0.0) + (to - high).min(0.0);
    let x = inward(place.min.x, place.max.x, room.min.x, room.max.x);
    let y = inward(place.min.y, place.max.y, room.min.y, room.max.y);
    Rect { min: place.min + Vec2::new(x, y), max: place.max + Vec2::new(x, y) }
}

/// The bubble with its tail, and a shadow that lifts it.
fn bubble(canvas: &mut Canvas, place: Rect, foot: Vec2, tail: f32, scene: &Scene) {
    let (point, paper) = (scene.point(), scene.colours().paper);
    let shadow = Srgba::BLACK.with_alpha(0.28);
    let corner = 10.0 * point;
    let lowered =
        |rect: Rect| Rect { min: rect.min - Vec2::new(1.0, 3.0) * point, max: rect.max + Vec2::new(1.0, -1.0) * point };
    canvas.panel(Layer::Life, lowered(place), corner, shadow);
    let at = foot + Vec2::Y * tail * 0.5;
    canvas.stamp(Layer::Life, Stamp::new(TAIL, at, 1.0, paper).size(Vec2::splat(tail * 1.5)));
    canvas.panel(Layer::Life, place, corner, color(paper));
}

/// Writes each habitat's number over it, where there are several.
pub(super) fn draw_labels(habitats: Query<(Entity, &Habitat, &Ground)>, scene: Scene, mut canvas: ResMut<Canvas>) {
    if habitats.iter().len() < 2 {
        return;
    }
    let mut all: Vec<_> = habitats.iter().collect();
    all.sort_by_key(|(_, habitat, _)| habitat.id);
    for (entity, habitat, ground) in all {
        let Some(corner) = scene.corner(entity) else { continue };
        let at = corner + Vec2::new(0.0, f32::from(ground.size()) + RIM + 2.0 * scene.point());
        let text = format!("Habitat {}", habitat.id);
        canvas.write(Note { text, at, anchor: Anchor::BOTTOM_LEFT, points: NORMAL, rgb: scene.colours().ink });
    }
}

/// As much of a text as fits into so many letters a line and lines, broken between words where that is possible.
pub(super) fn shorten(text: &str, (letters, lines): (usize, usize)) -> String {
    let mut broken: Vec<String> = vec![String::new()];
    let mut rest = text.split_whitespace().flat_map(|word| {
        let all: Vec<char> = word.chars().filter(|c| !c.is_control()).collect();
        all.chunks(letters).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>()
    });
    let fits = loop {
        let Some(word) = rest.next() else { break true };
        let Some(line) = broken.last_mut() else { break true };
        let (have, more) = (line.chars().count(), word.chars().count());
        if have == 0 || have + 1 + more <= letters {
            line.push_str(if have == 0 { "" } else { " " });
            line.push_str(&word);
        } else if broken.len() < lines {
            broken.push(word);
        } else {
            break false;
        }
    };
    if let Some(last) = broken.last_mut().filter(|_| !fits) {
        *last = last.chars().take(letters - 1).chain(['…']).collect();
    }
    broken.join("\n")
}

/// About how wide a line is, in its size: Inter's letters, by how wide they run.
fn width(line: &str) -> f32 {
    let letter = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.29,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '"' | '-' | '/' => 0.38,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.92,
        c if c.is_uppercase() => 0.69,
        c if c.is_ascii() => 0.59,
        _ => 0.85,
    };
    line.chars().map(letter).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_stays_within_the_picture() {
        let room = Rect::new(0.0, 0.0, 20.0, 10.0);
        assert_eq!(within(Rect::new(4.0, 8.0, 8.0, 11.0), room), Rect::new(4.0, 7.0, 8.0, 10.0), "it is too high");
        assert_eq!(within(Rect::new(-2.0, 3.0, 2.0, 4.0), room), Rect::new(0.0, 3.0, 4.0, 4.0));
        assert_eq!(within(Rect::new(17.0, 3.0, 21.0, 4.0), room), Rect::new(16.0, 3.0, 20.0, 4.0));
        assert_eq!(within(Rect::new(3.0, 3.0, 5.0, 4.0), room), Rect::new(3.0, 3.0, 5.0, 4.0));
    }

    #[test]
    fn speech_is_short() {
        assert_eq!(shorten("move east", LINES), "move east");
        assert_eq!(shorten("one two three four", (9, 2)), "one two\nthree…");
        assert_eq!(shorten("one two three", (9, 2)), "one two\nthree");
        assert_eq!(shorten("incomprehensibility", (8, 3)), "incompre\nhensibil\nity");
        assert_eq!(shorten("", LINES), "");
        let long = "word ".repeat(1000);
        assert!(shorten(&long, LINES).lines().all(|line| line.chars().count() <= LINES.0));
        assert_eq!(shorten(&long, LINES).lines().count(), LINES.1);
    }
}
