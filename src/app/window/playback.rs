//! How fast turns follow each other in the window.

use std::time::{Duration, Instant};

use bevy::prelude::*;

use super::{arrival::Arrival, keep::Keeping};
use crate::{
    mind::{Ask, Resolve, give_minds_up, patience, wait_for_thoughts},
    record::History,
    sim::{Finished, Habitat},
};

/// Time of each frame that turns may take.
const BUDGET: Duration = Duration::from_millis(12);
/// The same where they shall follow each other as fast as they can.
const MOST: Duration = Duration::from_millis(24);
/// Minds that answer faster than this are waited for within a frame's budget; slower ones are looked in on once a frame.
const QUICK: Duration = Duration::from_millis(20);
/// Turns that may pile up when frames are slow.
const MOST_DUE: f32 = 64.0;

/// Whether, and how fast, turns follow each other.
#[derive(Resource, Debug, Clone)]
pub(super) struct Playback {
    /// Whether they do.
    pub playing: bool,
    /// Turns per second aimed at; infinity is as many as there can be.
    pub speed: f32,
    /// Turns played since the start.
    pub turns: u64,
    /// The turn at which play stops, if it is to.
    pub stop_at: Option<u64>,
    /// Turns asked for one by one.
    pub steps: u32,
    /// Whether turns follow each other until a generation ends.
    pub to_generations_end: bool,
    due: f32,
    asked: Option<Instant>,
    /// How long the last question took.
    pace: Duration,
}

impl Default for Playback {
    fn default() -> Self {
        Self {
            playing: true,
            speed: 12.0,
            turns: 0,
            stop_at: None,
            steps: 0,
            to_generations_end: false,
            due: 0.0,
            asked: None,
            pace: Duration::ZERO,
        }
    }
}

impl Playback {
    /// Stops after the present turn.
    pub(super) const fn pause(&mut self) {
        (self.playing, self.to_generations_end, self.steps) = (false, false, 0);
    }

    /// Whether no question is open.
    pub(super) const fn is_between_turns(&self) -> bool {
        self.asked.is_none()
    }

    fn wants_turn(&self) -> bool {
        let goes_on = self.stop_at.is_none_or(|last| self.turns < last);
        goes_on && self.has_turn_due()
    }

    fn has_turn_due(&self) -> bool {
        let follows = self.to_generations_end || (self.playing && self.due >= 1.0);
        self.asked.is_some() || self.steps > 0 || follows
    }

    /// Forgets the turn that is under way.
    pub(super) const fn forget(&mut self) {
        (self.asked, self.due, self.steps, self.to_generations_end) = (None, 0.0, 0, false);
    }

    fn note_turn(&mut self) {
        self.pace = self.asked.take().map_or(Duration::ZERO, |asked| asked.elapsed());
        self.turns += 1;
        if self.steps > 0 {
            self.steps -= 1;
        } else if !self.to_generations_end {
            self.due -= 1.0;
        }
    }
}

/// Plays the turns that are due. Never waits for the minds longer than this frame's budget: the next must go on.
pub(super) fn play_turns(world: &mut World) {
    let elapsed = world.resource::<Time>().delta_secs();
    let holds = world.resource::<Keeping>().holds_turns() || world.resource::<Arrival>().holds_turns();
    world.resource_scope(|world, mut playback: Mut<Playback>| {
        if playback.playing {
            let due = if playback.speed.is_infinite() { MOST_DUE } else { playback.due + elapsed * playback.speed };
            playback.due = due.min(MOST_DUE);
        }
        let begun = Instant::now();
        let budget = if playback.speed.is_infinite() { MOST } else { BUDGET };
        while playback.wants_turn() && begun.elapsed() < budget && !is_finished(world) {
            if holds && playback.asked.is_none() {
                return;
            }
            if !play_turn(world, &mut playback, budget.saturating_sub(begun.elapsed())) {
                return;
            }
        }
    });
}

/// Plays a turn, or as much of it as there is time for. True if it is over.
fn play_turn(world: &mut World, playback: &mut Playback, left: Duration) -> bool {
    let asked = *playback.asked.get_or_insert_with(|| {
        world.run_schedule(Ask);
        Instant::now()
    });
    let wait = if playback.pace <= QUICK { left } else { Duration::ZERO };
    if !wait_for_thoughts(world, wait) {
        let patience = patience(world);
        if asked.elapsed() < patience {
            // Whoever turns out to be slow is not waited for again.
            playback.pace = playback.pace.max(asked.elapsed());
            return false;
        }
        give_minds_up(world, patience);
    }
    let generations = world.resource::<History>().rows.len();
    world.run_schedule(Resolve);
    playback.note_turn();
    if world.resource::<History>().rows.len() > generations {
        playback.to_generations_end = false;
    }
    true
}

/// Whether every habitat's last generation is over.
pub(super) fn is_finished(world: &mut World) -> bool {
    world.query_filtered::<(), (With<Habitat>, Without<Finished>)>().iter(world).next().is_none()
}

#[cfg(test)]
mod tests {
    use bevy::time::TimeUpdateStrategy;
    use crossbeam_channel::{Sender, bounded};

    use super::*;
    use crate::{
        app::{
            habitats::{plan_habitats, spawn_habitats},
            headless::add_turn,
        },
        config::{MindKind, RunConfig},
        mind::WorkerLink,
        protocol::{Action, Reply, Request, Thought, Thoughts},
    };

    /// An app whose minds think until the gate opens, once for every turn; two generations of so many turns.
    fn app(turns: u32) -> (App, Sender<()>) {
        let (open, gate) = bounded::<()>(512);
        let link = WorkerLink::spawn(move |requests, replies| {
            while let Ok(Request::Think(think)) = requests.recv() {
                if gate.recv().is_err() {
                    return;
                }
                let thought = |thinker: &crate::protocol::Thinker| Thought {
                    habitat: thinker.habitat,
                    agent: thinker.agent,
                    text: "wait".into(),
                    action: Some(Action::Wait),
                    policy: [0.125; Action::COUNT],
                    explored: 0.0,
                    log_probabilities: [0.125f32.ln(); Action::COUNT],
                    log_probability: 0.125f32.ln(),
                    tokens: 0,
                    elapsed: Duration::ZERO,
                };
                let thoughts = think.thinkers.iter().map(thought).collect();
                if replies
                    .send(Reply::Thought(Thoughts { epoch: think.epoch, thoughts, elapsed: Duration::ZERO }))
                    .is_err()
                {
                    return;
                }
            }
        });
        let mut app = App::new();
        app.add_plugins(MinimalPlugins);
        add_turn(&mut app, link.unwrap());
        app.init_resource::<Playback>()
            .init_resource::<Keeping>()
            .init_resource::<Arrival>()
            .add_systems(Update, play_turns);
        let mut config = RunConfig::default();
        (config.mind.kind, config.run.turns, config.run.generations) = (MindKind::Rules, turns, 2);
        spawn_habitats(app.world_mut(), plan_habitats(&config, false));
        (app, open)
    }

    fn turns(app: &App) -> u64 {
        app.world().resource::<Playback>().turns
    }

    /// Frames until this many turns have been played; a thousand are enough for anybody.
    fn until(app: &mut App, wanted: u64) {
        let mut frames = 0;
        while turns(app) < wanted && frames < 1000 {
            app.update();
            std::thread::sleep(Duration::from_millis(1));
            frames += 1;
        }
        assert_eq!(turns(app), wanted, "after {frames} frames");
    }

    /// Frames in which further turns would be played, if any were due.
    fn rest(app: &mut App) {
        for _ in 0..20 {
            app.update();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn frames_go_on_while_the_minds_think() {
        let (mut app, open) = app(20);
        app.world_mut().resource_mut::<Playback>().steps = 9;
        app.world_mut().resource_mut::<Playback>().playing = false;
        for _ in 0..100 {
            app.update();
        }
        assert!(turns(&app) == 0 && !app.world().resource::<Playback>().is_between_turns(), "the first is under way");
        open.send(()).unwrap();
        until(&mut app, 1);
        // What the person wants is heard meanwhile: no further turn begins.
        app.world_mut().resource_mut::<Playback>().pause();
        (0..9).for_each(|_| open.send(()).unwrap());
        rest(&mut app);
        assert!(turns(&app) <= 2 && app.world().resource::<Playback>().steps == 0);
    }

    #[test]
    fn a_generation_is_played_to_its_end_and_no_further() {
        let (mut app, open) = app(3);
        (0..20).for_each(|_| open.send(()).unwrap());
        let mut playback = app.world_mut().resource_mut::<Playback>();
        (playback.playing, playback.to_generations_end) = (false, true);
        until(&mut app, 3);
        rest(&mut app);
        assert_eq!(turns(&app), 3);
    }

    /// An app whose minds answer at once, whose clock stands still, and which plays at this speed.
    fn quick(speed: f32) -> (App, Sender<()>) {
        let (mut app, open) = app(300);
        (0..400).for_each(|_| open.send(()).unwrap());
        app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::ZERO));
        app.world_mut().resource_mut::<Playback>().speed = speed;
        app.update();
        (app, open)
    }

    /// Lets this much time pass in one frame.
    fn pass(app: &mut App, seconds: f32) {
        app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_secs_f32(seconds)));
        app.update();
        app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::ZERO));
    }

    #[test]
    fn as_many_turns_are_played_as_are_due() {
        let (mut app, _open) = quick(20.5);
        (0..10).for_each(|_| pass(&mut app, 0.1));
        until(&mut app, 20);
        rest(&mut app);
        assert_eq!(turns(&app), 20, "half of one is left");
        pass(&mut app, 0.03);
        until(&mut app, 21);
        // Those that pile up in a frame that takes long are not all made up for.
        let (mut app, _open) = quick(1000.0);
        pass(&mut app, 0.25);
        until(&mut app, MOST_DUE as u64);
        rest(&mut app);
        assert_eq!(turns(&app), MOST_DUE as u64);
    }

    #[test]
    fn turns_that_were_asked_for_one_by_one_are_played_and_no_more() {
        let (mut app, open) = app(20);
        (0..9).for_each(|_| open.send(()).unwrap());
        let mut playback = app.world_mut().resource_mut::<Playback>();
        (playback.playing, playback.steps) = (false, 2);
        until(&mut app, 2);
        rest(&mut app);
        assert_eq!(turns(&app), 2);
    }

    #[test]
    fn play_stops_where_it_is_to_and_waits_for_a_run_that_is_to_be_kept() {
        let (mut app, _open) = quick(f32::INFINITY);
        app.world_mut().resource_mut::<Playback>().pause();
        rest(&mut app);
        app.world_mut().resource_mut::<Keeping>().ask();
        let begun = turns(&app);
        let mut playback = app.world_mut().resource_mut::<Playback>();
        (playback.playing, playback.stop_at) = (true, Some(begun + 7));
        rest(&mut app);
        assert_eq!(turns(&app), begun, "it has not been copied yet");
        app.insert_resource(Keeping::default());
        until(&mut app, begun + 7);
        rest(&mut app);
        assert_eq!(turns(&app), begun + 7);
    }
}
