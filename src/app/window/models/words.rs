//! What was said: everybody's turns, and what the person should know.

use bevy::prelude::*;

use super::{Panels, Run, States};
use crate::{
    language::write_prompt,
    mind::AgentsLearned,
    record::{Lineage, NoticeKind, Notices, Transcript},
    ui::{KeptLine, Notice, Severity},
};

/// Lines that the panel keeps.
const LINES: usize = 20_000;

pub(super) fn read(world: &mut World, panels: &mut Panels) {
    read_lines(world, panels);
    read_notices(world, panels);
}

/// Adds the turns since the last look.
fn read_lines(world: &World, panels: &mut Panels) {
    let (transcript, lineage) = (world.resource::<Transcript>(), world.resource::<Lineage>());
    let names = &world.resource::<States>().names;
    // The newest come last: how many of them are new?
    let new = usize::try_from(transcript.total.saturating_sub(panels.seen.lines)).unwrap_or(usize::MAX);
    let skip = transcript.lines.len().saturating_sub(new);
    for line in transcript.lines.iter().skip(skip) {
        let who = (line.habitat, line.creature);
        let kept = KeptLine {
            at: (line.generation, line.turn),
            who,
            title: names.get(&who).map(|name| name.as_str().into()),
            line: lineage.creatures.get(&who).map_or(line.creature, |one| one.founder),
            prompt: write_prompt(&line.observation).into(),
            reply: line.reply.as_ref().into(),
            action: line.action,
            reward: line.reward,
            probability: line.probability,
            stood_in: line.stood_in,
        };
        panels.lines.push(kept, LINES);
    }
    panels.seen.lines = transcript.total;
}

/// Adds the notices since the last look; what went wrong also becomes a banner.
fn read_notices(world: &mut World, panels: &mut Panels) {
    let seconds = world.resource::<Time<Real>>().elapsed().as_secs();
    let time = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let notices = world.resource::<Notices>();
    let new: Vec<_> = notices.list.iter().filter(|notice| notice.number >= panels.seen.notices).cloned().collect();
    panels.seen.notices = notices.total;
    for notice in new {
        let severity = if notice.kind == NoticeKind::Info { Severity::Note } else { Severity::Warning };
        if severity == Severity::Warning {
            world.resource_mut::<Run>().warn(notice.text.clone());
        }
        let (generation, turn) = notice.at;
        let (text, count) = (notice.text, notice.count);
        panels.log.note(Notice { time: time.clone(), generation, turn, text, severity, count });
    }
    let said = std::mem::take(&mut world.resource_mut::<Run>().said);
    let (generation, turn) = (panels.top_bar.generation.0, panels.top_bar.turn.0);
    for banner in said {
        let (text, severity) = (banner.text, banner.severity);
        panels.log.note(Notice { time: time.clone(), generation, turn, text, severity, count: 1 });
    }
}

/// Remembers the loss of everybody's last lesson.
pub(in crate::app::window) fn note_losses(mut learned: MessageReader<AgentsLearned>, mut panels: ResMut<Panels>) {
    for one in learned.read().flat_map(|lessons| &lessons.learned).filter(|one| one.refused.is_none()) {
        panels.seen.losses.insert((one.habitat, one.creature), one.loss);
    }
    if panels.seen.losses.len() > 4096 {
        let living: std::collections::BTreeSet<_> = panels.fittest.iter().copied().collect();
        panels.seen.losses.retain(|name, _| living.contains(name));
    }
}
