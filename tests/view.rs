//! The habitats' picture, without a window: where things are drawn, what is under a pixel, and what it all costs.
#![cfg(feature = "desktop")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{sync::Arc, time::Duration};

use bevy::{prelude::*, time::TimeUpdateStrategy};
use evolora::{
    config::RunConfig,
    protocol::{Action, AgentId, Cell, Direction, HabitatId, Outcome, Streams},
    sim::{
        Agent, Clock, Deed, Food, GridPos, Ground, InHabitat, LastTurn, Roster, SimPlugin, Vitality, Wall,
        despawn_habitat, repopulate, spawn_habitat,
    },
    view::{
        CameraWish, Drawn, HabitatFrame, Learned, Persona, Said, TRAIL, Trail, ViewOptions, ViewPlugin, Visits, Whose,
        on_screen, pick,
    },
};

const FRAME: HabitatFrame = HabitatFrame { min: UVec2::new(100, 50), size: UVec2::new(880, 660) };

/// Bare habitats of 20 × 20 cells with no agents but those that a test puts there.
struct Stage {
    app: App,
    habitats: Vec<Entity>,
}

impl Stage {
    fn new(habitats: u32) -> Self {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, AssetPlugin::default(), SimPlugin));
        app.init_asset::<Image>().init_asset::<Font>();
        app.add_plugins(ViewPlugin).insert_resource(FRAME);
        app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::ZERO));
        let mut config = RunConfig::default();
        (config.habitat.walls, config.habitat.food, config.habitat.agents) = (0.0, 0.0, 1);
        let config = Arc::new(config);
        let spawn = |id| {
            let streams = Streams { seed: 1, habitat: HabitatId(id), unseen: false };
            let entity = spawn_habitat(app.world_mut(), HabitatId(id), streams, Arc::clone(&config));
            let born = std::mem::take(&mut app.world_mut().get_mut::<Roster>(entity).unwrap().0);
            born.into_iter().for_each(|agent| assert!(app.world_mut().despawn(agent)));
            entity
        };
        let habitats = (0..habitats).map(spawn).collect();
        Self { app, habitats }
    }

    fn world(&mut self) -> &mut World {
        self.app.world_mut()
    }

    fn options(&mut self) -> Mut<'_, ViewOptions> {
        self.app.world_mut().resource_mut::<ViewOptions>()
    }

    /// Draws a frame, so many seconds after the last.
    fn frame(&mut self, seconds: f32) {
        let pass = TimeUpdateStrategy::ManualDuration(Duration::from_secs_f32(seconds));
        self.app.insert_resource(pass);
        self.app.update();
    }

    fn agent(&mut self, habitat: usize, id: u32, x: u16, y: u16) -> Entity {
        let place = (GridPos(Cell::new(x, y)), InHabitat(self.habitats[habitat]));
        let agent = self.world().spawn((Agent { id: AgentId(id) }, place, evolora::sim::Energy(100.0))).id();
        let habitat = self.habitats[habitat];
        self.world().get_mut::<Roster>(habitat).unwrap().0.push(agent);
        agent
    }

    /// A turn in which an agent goes to a cell.
    fn turn(&mut self, moves: &[(Entity, u16, u16)]) {
        for (agent, x, y) in moves {
            let mut place = self.world().get_mut::<GridPos>(*agent).unwrap();
            let east = *x > place.0.x;
            place.0 = Cell::new(*x, *y);
            let action = Action::Move(if east { Direction::East } else { Direction::West });
            let deed = Deed { action, outcome: Outcome::Moved, reward: 0.0, shaping: 0.0 };
            self.world().get_mut::<LastTurn>(*agent).unwrap().0 = Some(deed);
        }
        for habitat in self.habitats.clone() {
            self.world().get_mut::<Clock>(habitat).unwrap().turn += 1;
        }
    }

    fn drawn(&mut self, agent: Entity) -> Vec2 {
        self.world().get::<Drawn>(agent).unwrap().at()
    }

    fn pixel(&mut self, agent: Entity) -> Vec2 {
        on_screen(self.world(), agent).unwrap()
    }

    fn wish(&mut self, wish: CameraWish) {
        self.world().write_message(wish).unwrap();
    }

    /// Everything that the renderer is given.
    fn sprites(&mut self) -> usize {
        let mut all = self.world().query::<(&Sprite, &Visibility)>();
        all.iter(self.app.world()).filter(|(_, shown)| **shown != Visibility::Hidden).count()
    }

    fn texts(&mut self) -> Vec<String> {
        let mut all = self.world().query::<&Text2d>();
        let mut texts: Vec<_> = all.iter(self.app.world()).map(|text| text.0.clone()).collect();
        texts.sort();
        texts
    }
}

#[test]
fn halfway_through_a_turn_an_agent_is_halfway_between_two_cells() {
    let mut stage = Stage::new(1);
    let agent = stage.agent(0, 3, 4, 7);
    stage.options().pace = 2.0;
    stage.frame(0.0);
    assert_eq!(stage.drawn(agent), Vec2::new(4.5, 7.5));
    stage.turn(&[(agent, 5, 7)]);
    stage.frame(0.1);
    assert_eq!(stage.drawn(agent), Vec2::new(4.5, 7.5), "it sets out when the turn is seen");
    assert_eq!(stage.world().get::<Drawn>(agent).unwrap().facing(), Direction::East);
    stage.frame(0.25);
    assert!((stage.drawn(agent) - Vec2::new(5.0, 7.5)).length() < 1e-3, "a turn lasts half a second");
    stage.frame(0.25);
    assert_eq!(stage.drawn(agent), Vec2::new(5.5, 7.5));
}

#[test]
fn at_full_speed_and_in_pictures_nobody_lags_behind() {
    let mut stage = Stage::new(1);
    let agent = stage.agent(0, 3, 4, 7);
    stage.frame(0.0);
    for (x, (pace, animate)) in (5..).zip([(60.0, true), (f32::INFINITY, true), (2.0, false)]) {
        (stage.options().pace, stage.options().animate) = (pace, animate);
        stage.turn(&[(agent, x, 7)]);
        stage.frame(0.016);
        assert_eq!(stage.drawn(agent), Vec2::new(f32::from(x) + 0.5, 7.5), "{pace} turns a second");
    }
    // Several turns in one frame, or a hand that has put it elsewhere.
    (stage.options().pace, stage.options().animate) = (2.0, true);
    stage.turn(&[(agent, 15, 7)]);
    stage.frame(0.016);
    assert_eq!(stage.drawn(agent), Vec2::new(15.5, 7.5));
}

#[test]
fn agents_of_one_cell_stand_apart_and_one_alone_in_its_middle() {
    let mut stage = Stage::new(1);
    stage.options().animate = false;
    let [a, b, c] = [0, 1, 2].map(|id| stage.agent(0, id, 5, 5));
    stage.frame(0.0);
    let places = [a, b, c].map(|agent| stage.drawn(agent));
    for (i, at) in places.iter().enumerate() {
        assert_eq!(at.floor(), Vec2::splat(5.0), "it stays in its cell");
        places[..i].iter().for_each(|other| assert!(at.distance(*other) > 0.3));
    }
    stage.turn(&[(a, 6, 5), (b, 4, 5)]);
    stage.frame(0.1);
    assert_eq!([a, b, c].map(|agent| stage.drawn(agent)), [6.5, 4.5, 5.5].map(|x| Vec2::new(x, 5.5)));
}

#[test]
fn what_is_under_a_pixel_is_what_is_drawn_there() {
    let mut stage = Stage::new(4);
    stage.options().animate = false;
    let agents = [(0, 3, 4), (1, 19, 0), (2, 0, 19), (3, 10, 9)].map(|(at, x, y)| (at, x, y, stage.agent(at, 0, x, y)));
    stage.frame(0.0);
    for (habitat, x, y, agent) in agents {
        let at = stage.pixel(agent);
        let picked = pick(stage.world(), at).unwrap();
        let habitat = HabitatId(habitat as u32);
        assert_eq!((picked.habitat, picked.cell, picked.agent), (habitat, Cell::new(x, y), Some(agent)));
    }
    // A cell beside it, towards the middle of the habitat, holds nobody.
    let step = stage.pixel(agents[3].3) - stage.pixel(agents[0].3);
    assert!(step.x > 0.0 && step.y > 0.0, "habitat 3 is below habitat 0 and to the right of it: {step}");
    let at = stage.pixel(agents[0].3);
    let beside = at + Vec2::new((660.0 / 44.6_f32).floor(), 0.0);
    assert_eq!(pick(stage.world(), beside).map(|picked| (picked.cell, picked.agent)), Some((Cell::new(4, 4), None)));
    for outside in [Vec2::new(99.0, 300.0), Vec2::new(500.0, 711.0), Vec2::new(540.0, 380.0)] {
        assert_eq!(pick(stage.world(), outside), None, "{outside} is a panel, or between habitats");
    }
}

#[test]
fn the_living_are_picked_before_the_dead() {
    let mut stage = Stage::new(1);
    stage.options().animate = false;
    let [dead, living] = [0, 1].map(|id| stage.agent(0, id, 5, 5));
    *stage.world().get_mut::<Vitality>(dead).unwrap() = Vitality::Dead;
    stage.frame(0.0);
    let at = stage.pixel(dead);
    assert_eq!(pick(stage.world(), at).unwrap().agent, Some(living));
    stage.world().despawn(living);
    assert_eq!(pick(stage.world(), at).unwrap().agent, Some(dead));
}

#[test]
fn everything_fits_into_the_frame_and_the_wheel_keeps_what_is_under_the_cursor() {
    let mut stage = Stage::new(1);
    let [low, high] = [(0, 0, 0), (1, 19, 19)].map(|(id, x, y)| stage.agent(0, id, x, y));
    stage.frame(0.0);
    // 20 cells and a margin of one around them in 660 pixels: 30 a cell; the middle is at (540, 380).
    assert_eq!(stage.pixel(low), Vec2::new(540.0 - 285.0, 380.0 + 285.0));
    assert_eq!(stage.pixel(high), Vec2::new(540.0 + 285.0, 380.0 - 285.0));
    let at = stage.pixel(high);
    stage.wish(CameraWish::Zoom { at, factor: 2.0 });
    stage.frame(0.1);
    assert!((stage.pixel(high) - at).length() < 0.01);
    assert!((stage.pixel(low) - (at + Vec2::new(-1140.0, 1140.0))).length() < 0.01, "everything else is twice as far");
    stage.wish(CameraWish::Fit);
    (0..100).for_each(|_| stage.frame(0.05));
    assert_eq!(stage.pixel(low), Vec2::new(255.0, 665.0));
    // It stays there also where the wheel would go nearer than the camera does.
    stage.wish(CameraWish::Zoom { at, factor: 1e6 });
    stage.frame(0.1);
    assert!((stage.pixel(high) - at).length() < 0.01);
    assert!((stage.pixel(low).x - (at.x - 19.0 * 220.0)).abs() < 0.1, "220 pixels a cell");
    // Then the habitat is larger than the frame, beside which panels lie.
    assert!(pick(stage.world(), at).is_some());
    assert_eq!(pick(stage.world(), Vec2::new(at.x, 711.0)), None);
    assert_eq!(pick(stage.world(), Vec2::new(99.0, at.y)), None);
}

#[test]
fn nobody_gets_lost() {
    let mut stage = Stage::new(1);
    let corner = stage.agent(0, 0, 0, 0);
    stage.frame(0.0);
    let at = Vec2::new(300.0, 200.0);
    for factor in [1e6, 1e-9, f32::NAN, 0.0, -3.0] {
        stage.wish(CameraWish::Zoom { at, factor });
        stage.frame(0.1);
        stage.wish(CameraWish::Zoom { at, factor: 1.5 });
        stage.frame(0.1);
        assert!(stage.pixel(corner).is_finite());
    }
    stage.wish(CameraWish::Zoom { at, factor: 1e-9 });
    stage.wish(CameraWish::Pan(Vec2::splat(1e7)));
    stage.frame(0.1);
    // The middle of the frame shows a part of the habitat, however far it was dragged.
    let middle = Vec2::new(540.0, 380.0);
    assert!((stage.pixel(corner) - middle).length() < 660.0);
}

#[test]
fn a_picture_is_dragged_with_the_mouse() {
    let mut stage = Stage::new(1);
    let agent = stage.agent(0, 0, 10, 10);
    stage.frame(0.0);
    let before = stage.pixel(agent);
    stage.wish(CameraWish::Pan(Vec2::new(40.0, -25.0)));
    stage.frame(0.1);
    assert!((stage.pixel(agent) - before - Vec2::new(40.0, -25.0)).length() < 0.01);
}

#[test]
fn the_camera_follows_who_is_selected_until_it_is_dragged_away() {
    let mut stage = Stage::new(1);
    let agent = stage.agent(0, 0, 2, 17);
    stage.frame(0.0);
    let middle = Vec2::new(540.0, 380.0);
    assert!((stage.pixel(agent) - middle).length() > 200.0);
    (stage.options().selected, stage.options().follow) = (Some(agent), true);
    (0..100).for_each(|_| stage.frame(0.05));
    assert!((stage.pixel(agent) - middle).length() < 1.0);
    stage.turn(&[(agent, 3, 17)]);
    (0..100).for_each(|_| stage.frame(0.05));
    assert!((stage.pixel(agent) - middle).length() < 1.0);
    stage.wish(CameraWish::Zoom { at: middle, factor: 1.25 });
    stage.frame(0.05);
    stage.turn(&[(agent, 4, 17)]);
    (0..100).for_each(|_| stage.frame(0.05));
    assert!(stage.options().follow && (stage.pixel(agent) - middle).length() < 1.0, "going nearer is no farewell");
    stage.wish(CameraWish::Pan(Vec2::new(50.0, 0.0)));
    (0..100).for_each(|_| stage.frame(0.05));
    assert!(!stage.options().follow);
    assert!((stage.pixel(agent) - middle - Vec2::new(50.0, 0.0)).length() < 1.0);
}

#[test]
fn a_habitat_is_entered_and_left() {
    let mut stage = Stage::new(4);
    stage.options().animate = false;
    let agents: Vec<_> = (0..4).map(|habitat| stage.agent(habitat, 0, 0, 0)).collect();
    stage.frame(0.0);
    assert_eq!(stage.texts(), ["Habitat 0", "Habitat 1", "Habitat 2", "Habitat 3"]);
    stage.wish(CameraWish::Enter(Some(HabitatId(2))));
    (0..3).for_each(|_| stage.frame(0.1));
    let seen: Vec<_> = agents.iter().map(|agent| on_screen(stage.world(), *agent).is_some()).collect();
    assert_eq!(seen, [false, false, true, false]);
    assert_eq!(stage.texts(), ["Habitat 2"]);
    let picked = pick(stage.world(), Vec2::new(540.0, 380.0)).unwrap();
    assert_eq!(picked.habitat, HabitatId(2));
    // What else lies there is hidden.
    let pixels = (100..980).step_by(20).flat_map(|x| (50..710).step_by(20).map(move |y| Vec2::new(x as f32, y as f32)));
    let habitats: Vec<_> = pixels.filter_map(|at| pick(stage.world(), at)).map(|picked| picked.habitat).collect();
    assert!(habitats.len() > 500 && habitats.iter().all(|habitat| *habitat == HabitatId(2)));
    stage.wish(CameraWish::Enter(None));
    (0..3).for_each(|_| stage.frame(0.1));
    assert!(agents.iter().all(|agent| on_screen(stage.world(), *agent).is_some()));
    // One that is gone is left by itself.
    stage.wish(CameraWish::Enter(Some(HabitatId(3))));
    stage.frame(0.1);
    let gone = stage.habitats.pop().unwrap();
    despawn_habitat(stage.world(), gone);
    (0..3).for_each(|_| stage.frame(0.1));
    assert_eq!(stage.texts(), ["Habitat 0", "Habitat 1", "Habitat 2"]);
}

#[test]
fn visits_count_how_often_a_cell_was_entered_and_trails_end_after_thirty_cells() {
    let mut stage = Stage::new(1);
    let [a, b] = [(0, 0), (1, 3)].map(|(id, x)| stage.agent(0, id, x, 5));
    stage.frame(0.0);
    stage.turn(&[(a, 1, 5), (b, 3, 5)]);
    stage.frame(0.1);
    stage.frame(0.1);
    stage.turn(&[(a, 0, 5)]);
    stage.frame(0.1);
    stage.turn(&[(a, 1, 5), (b, 2, 5)]);
    stage.frame(0.1);
    let habitat = stage.habitats[0];
    let visits = stage.world().get::<Visits>(habitat).unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(|x| visits.count(Cell::new(x, 5))), [2, 2, 1, 1, 0]);
    assert_eq!(visits.counts().iter().sum::<u32>(), 6);
    let cells = |stage: &mut Stage| stage.world().get::<Trail>(a).unwrap().cells().map(|c| c.x).collect::<Vec<_>>();
    assert_eq!(cells(&mut stage), [0, 1, 0, 1]);
    for turn in 0..100 {
        stage.turn(&[(a, turn % 2, 5)]);
        stage.frame(0.01);
    }
    assert_eq!(cells(&mut stage).len(), TRAIL);
    assert_eq!(cells(&mut stage)[TRAIL - 2..], [0, 1]);
    // A new generation has new agents and bare counts; the new agent's birth is the first visit.
    repopulate(stage.world(), habitat);
    stage.frame(0.1);
    assert_eq!(stage.world().get::<Visits>(habitat).unwrap().counts().iter().sum::<u32>(), 1);
}

#[test]
fn things_are_drawn_as_long_as_they_are_there() {
    let mut stage = Stage::new(1);
    stage.options().animate = false;
    (0..2).for_each(|_| stage.frame(0.1));
    let bare = stage.sprites();
    let place = (GridPos(Cell::new(2, 2)), InHabitat(stage.habitats[0]));
    let food = stage.world().spawn((Food, place.0, place.1)).id();
    stage.frame(0.1);
    assert!(stage.sprites() > bare);
    stage.world().despawn(food);
    let wall = stage.world().spawn((Wall, place.0, place.1)).id();
    let agent = stage.agent(0, 0, 4, 4);
    stage.options().hover = Some((HabitatId(0), Cell::new(3, 3)));
    stage.frame(0.1);
    assert!(stage.sprites() > bare + 5);
    stage.world().despawn(wall);
    stage.world().despawn(agent);
    stage.options().hover = None;
    stage.frame(0.1);
    assert_eq!(stage.sprites(), bare);
    // A harvest leaves few entities behind, hidden ones included.
    let all = |stage: &mut Stage| stage.world().query::<&Sprite>().iter(stage.app.world()).count();
    let cells = (0..20).flat_map(|x| (0..20).map(move |y| Cell::new(x, y)));
    let home = stage.habitats[0];
    let foods: Vec<_> = cells
        .filter(|cell| stage.app.world().get::<Ground>(home).is_some_and(|ground| ground.is_bare(*cell)))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|cell| stage.world().spawn((Food, GridPos(cell), InHabitat(home))).id())
        .collect();
    stage.frame(0.1);
    let most = all(&mut stage);
    assert!(most > 1000, "three sprites for each of {}", foods.len());
    foods.into_iter().for_each(|food| assert!(stage.world().despawn(food)));
    (0..2).for_each(|_| stage.frame(0.1));
    assert_eq!(stage.sprites(), bare);
    assert!(all(&mut stage) + 400 < most, "{} of {most} are left", all(&mut stage));
}

#[test]
fn effects_end_and_never_grow_beyond_a_number() {
    let mut stage = Stage::new(1);
    let agent = stage.agent(0, 0, 4, 4);
    // The birth's own effect passes.
    (0..40).for_each(|_| stage.frame(0.1));
    let still = stage.sprites();
    stage.world().write_message(Learned(agent)).unwrap();
    stage.frame(0.1);
    stage.frame(0.1);
    assert!(stage.sprites() > still, "a pulse");
    (0..20).for_each(|_| stage.frame(0.1));
    assert_eq!(stage.sprites(), still);
    // What came of a turn is seen once, however long the next turn takes.
    let deed = Deed { action: Action::PickUp, outcome: Outcome::PickedUp, reward: 0.0, shaping: 0.0 };
    stage.world().get_mut::<LastTurn>(agent).unwrap().0 = Some(deed);
    stage.turn(&[]);
    (0..2).for_each(|_| stage.frame(0.1));
    assert!(stage.sprites() > still, "leaves");
    (0..20).for_each(|_| stage.frame(0.1));
    assert_eq!(stage.sprites(), still);
    for _ in 0..50 {
        (0..1000).for_each(|_| assert!(stage.world().write_message(Learned(agent)).is_some()));
        stage.frame(0.01);
    }
    assert!(stage.sprites() <= still + 96 * 4, "{} sprites", stage.sprites());
    stage.options().animate = false;
    stage.frame(0.01);
    assert_eq!(stage.sprites(), still, "none in a picture");
}

#[test]
fn a_week_of_generations_leaves_no_more_entities_than_a_day() {
    let mut stage = Stage::new(2);
    stage.options().speech = Whose::Everybody;
    stage.options().trails = Whose::Everybody;
    let count = |stage: &mut Stage| stage.world().query::<()>().iter(stage.app.world()).count();
    let mut counts = Vec::new();
    for _ in 0..60 {
        for habitat in stage.habitats.clone() {
            repopulate(stage.world(), habitat);
        }
        for i in 0..10 {
            stage.agent(0, i, i as u16, 3);
        }
        let agents: Vec<_> = stage.world().query_filtered::<Entity, With<Agent>>().iter(stage.app.world()).collect();
        for turn in 0..5 {
            let moves: Vec<_> = agents.iter().map(|agent| (*agent, turn, turn)).collect();
            stage.turn(&moves);
            agents.iter().for_each(|agent| {
                stage.world().entity_mut(*agent).insert(Said("move north".to_owned()));
            });
            stage.frame(0.05);
        }
        counts.push(count(&mut stage));
    }
    let (early, late) = (counts[..20].iter().max().unwrap(), counts[40..].iter().max().unwrap());
    assert!(late <= early, "{early}, later {late}");
}

#[test]
fn what_an_agent_says_is_written_over_it_and_its_name_below() {
    let mut stage = Stage::new(1);
    stage.options().animate = false;
    let [a, b] = [(0, 3), (1, 16)].map(|(id, x)| stage.agent(0, id, x, 8));
    stage.world().entity_mut(a).insert(Said("move north".to_owned()));
    stage.world().entity_mut(b).insert((Said("eat".to_owned()), Persona { name: Some("Ada".to_owned()), ..default() }));
    stage.frame(0.1);
    assert_eq!(stage.texts(), [""; 0]);
    stage.options().selected = Some(b);
    stage.frame(0.1);
    assert_eq!(stage.texts(), ["Ada", "eat"]);
    let mut texts = stage.world().query::<(&Text2d, &Transform)>();
    let heights: Vec<_> =
        texts.iter(stage.app.world()).map(|(text, at)| (text.0.clone(), at.translation.y > 8.5)).collect();
    assert!(heights.contains(&("eat".to_owned(), true)) && heights.contains(&("Ada".to_owned(), false)));
    stage.options().speech = Whose::Everybody;
    stage.frame(0.1);
    assert_eq!(stage.texts(), ["Ada", "eat", "move north"]);
    // Where there is no room for both, the selected one speaks.
    stage.turn(&[(a, 16, 8)]);
    stage.frame(0.1);
    assert_eq!(stage.texts(), ["Ada", "eat"]);
}
