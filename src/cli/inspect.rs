//! `evolora inspect`: who is in a run's folder, and what one creature remembers.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use comfy_table::{Table, presets};
use serde_json::json;

use super::output::{complain, say};
use crate::{
    app::{AppError, Chosen, FoundCreature, find_creature},
    language::{action_phrase, write_prompt},
    mind::Experience,
    protocol::HabitatId,
    record::{Checkpoints, RunState},
};

/// Flags of `evolora inspect`.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The folder of a run, as `evolora headless --out` writes it.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Look into one creature: `best`, or its number. Without it the population is listed, and the hall of fame.
    #[arg(long, value_name = "ID")]
    agent: Option<Chosen>,
    /// The habitat, where the run has several.
    #[arg(long, value_name = "N")]
    habitat: Option<u32>,
    /// How many of the latest experiences are shown.
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
    /// With --agent: one JSON object in place of a table, with every experience.
    #[arg(long, requires = "agent")]
    json: bool,
}

pub(super) fn run(args: &InspectArgs) -> Result<ExitCode, AppError> {
    let habitat = args.habitat.map(HabitatId);
    match args.agent {
        None => {
            let checkpoint = Checkpoints::of(&args.run).newest()?;
            checkpoint.troubles.iter().for_each(|trouble| complain(trouble));
            let known: Vec<_> = checkpoint.state.habitats.iter().map(|one| one.habitat.id.to_string()).collect();
            if habitat.is_some_and(|habitat| !known.contains(&habitat.to_string())) {
                let what = format!("has the habitats {}", known.join(", "));
                return Err(AppError::NoCreature { run: args.run.clone(), what });
            }
            list(&checkpoint.state, habitat);
        }
        Some(which) => {
            let creature = find_creature(&args.run, which, habitat)?;
            creature.troubles.iter().for_each(|trouble| complain(trouble));
            if args.json { print_json(&creature) } else { print_creature(&creature, args.last) }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.to_vec());
    table
}

/// The population, and the hall of fame.
fn list(state: &RunState, habitat: Option<HabitatId>) {
    let model = state.model.as_ref().map(|model| format!(" · {}", model.name)).unwrap_or_default();
    say(&format!("after {} turns · {}{model} · seed {}\n", state.turns, state.config.mind.kind, state.config.run.seed));
    let mut living = table(&[
        "habitat",
        "creature",
        "born",
        "founder",
        "parents",
        "learned",
        "remembers",
        "energy",
        "delivered",
        "turns alive",
    ]);
    let mut hall = table(&["habitat", "rank", "creature", "generation", "fitness", "mean of all", "delivered"]);
    for snapshot in state.habitats.iter().filter(|one| habitat.is_none_or(|habitat| one.habitat.id == habitat)) {
        let id = snapshot.habitat.id;
        for (creature, agent) in snapshot.creatures.living.iter().zip(&snapshot.habitat.agents) {
            let ancestry = state.lineage.creatures.get(&(id, *creature));
            let memory = snapshot.memories.get(creature);
            let parents = ancestry.and_then(|one| Some(format!("{} × {}", one.first_parent?, one.second_parent?)));
            living.add_row([
                id.to_string(),
                creature.to_string(),
                ancestry.map_or_else(|| "0".to_owned(), |one| one.born.to_string()),
                ancestry.map_or(*creature, |one| one.founder).to_string(),
                parents.unwrap_or_else(|| "founder".to_owned()),
                memory.map_or(0, |memory| memory.version).to_string(),
                memory.map_or(0, |memory| memory.experiences.len()).to_string(),
                if agent.alive { format!("{:.0}", agent.energy) } else { "dead".to_owned() },
                agent.life.food_delivered.to_string(),
                agent.life.turns_alive.to_string(),
            ]);
        }
        for (rank, one) in (1..).zip(&snapshot.hall.0) {
            hall.add_row([
                id.to_string(),
                format!("{rank}"),
                one.creature.to_string(),
                one.generation.to_string(),
                format!("{:.1}", one.fitness),
                format!("{:.1}", one.mean_fitness),
                one.record.food_delivered.to_string(),
            ]);
        }
    }
    say(&format!("population\n{living}\n\nhall of fame\n{hall}"));
}

fn print_creature(creature: &FoundCreature, last: usize) {
    let FoundCreature { habitat, creature: id, ancestry, honoured, memory, .. } = creature;
    if creature.is_living {
        say(&format!(
            "creature {id} of habitat {habitat} · in the population · {} updates of its adapter",
            memory.version
        ));
    } else {
        say(&format!("creature {id} of habitat {habitat} · of an earlier generation, in the hall of fame"));
    }
    if let Some(one) = ancestry {
        let from = match (one.first_parent, one.second_parent, one.share) {
            (Some(first), Some(second), Some(share)) => {
                format!("child of {first} ({:.0} %) and {second}, of founder {}", share * 100.0, one.founder)
            }
            _ => "a founder".to_owned(),
        };
        say(&format!("born in generation {} · {from}", one.born));
    }
    if let Some(one) = honoured {
        say(&format!(
            "best in generation {}: fitness {:.1} (mean of all {:.1}), {} delivered",
            one.generation, one.fitness, one.mean_fitness, one.record.food_delivered
        ));
    }
    if !creature.is_living {
        say("\nWhat it remembered went with it; its adapter is kept.");
        return;
    }
    let all = &memory.experiences;
    let (shown, most) = (last.min(all.len()), creature.config.learning.buffer);
    say(&format!("\nremembers {} of at most {most} experiences; the latest {shown}:", all.len()));
    let mut rows = table(&["gen", "turn", "it saw", "it did", "reward", "shaping", "log π", "version", "then it saw"]);
    for one in all.iter().skip(all.len() - shown) {
        let next = one
            .next
            .map_or_else(|| if one.done { "the end".to_owned() } else { String::new() }, |next| write_prompt(&next));
        rows.add_row([
            one.generation.to_string(),
            one.turn.to_string(),
            write_prompt(&one.observation),
            action_phrase(one.action).to_owned(),
            format!("{:+.2}", one.reward),
            format!("{:+.2}", one.shaping),
            format!("{:.2}", one.log_acted),
            one.version.to_string(),
            next,
        ]);
    }
    say(&rows.to_string());
}

fn print_json(creature: &FoundCreature) {
    let experience = |one: &Experience| {
        json!({
            "generation": one.generation,
            "turn": one.turn,
            "observation": write_prompt(&one.observation),
            "action": action_phrase(one.action),
            "reward": one.reward,
            "shaping": one.shaping,
            "next_observation": one.next.as_ref().map(write_prompt),
            "done": one.done,
            "legal": one.legal,
            "log_probability": one.log_acted,
            "version": one.version,
        })
    };
    let value = json!({
        "habitat": creature.habitat,
        "creature": creature.creature,
        "in_population": creature.is_living,
        "ancestry": creature.ancestry,
        "hall_of_fame": creature.honoured,
        "updates": creature.is_living.then_some(creature.memory.version),
        "experiences": creature.memory.experiences.iter().map(experience).collect::<Vec<_>>(),
    });
    say(&value.to_string());
}
