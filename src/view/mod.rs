//! Draws the habitats: reads what `sim` has spawned every frame, and draws it as sprites that glide, turn and fade.
//!
//! The room watches and never changes what it draws. What the simulation cannot tell (whose line an agent is of, what it
//! said, that it learned) is told by [`Persona`], [`Said`] and [`Learned`]; what the person wants by [`ViewOptions`] and
//! [`CameraWish`].
//!
//! This room does *not* know panels, minds, records, or how fast turns follow each other unless it is told.

mod atlas;
mod bodies;
mod camera;
mod canvas;
mod effects;
mod ground;
mod layout;
mod motion;
mod options;
mod overlays;
mod pick;
mod pose;
mod scene;
mod scenery;
mod speech;
mod watch;

use bevy::{camera::CameraUpdateSystems, prelude::*};

pub use camera::{CameraWish, HabitatCamera};
pub use layout::HabitatFrame;
pub use motion::Drawn;
pub use options::{Learned, Persona, Said, ViewOptions, Whose};
pub use pick::{Picked, on_screen, pick};
pub use watch::{TRAIL, Trail, Visits, watch_turn};

use crate::{
    palette::Rgb,
    sim::{Agent, Habitat},
};

/// Draws the habitats in the rectangle that [`HabitatFrame`] names.
#[derive(Debug, Default)]
pub struct ViewPlugin;

impl Plugin for ViewPlugin {
    fn build(&self, app: &mut App) {
        app.register_required_components::<Agent, Drawn>()
            .register_required_components::<Agent, Trail>()
            .register_required_components::<Agent, Persona>()
            .register_required_components::<Habitat, Visits>()
            .register_required_components::<Habitat, layout::Corner>()
            .init_resource::<HabitatFrame>()
            .init_resource::<ViewOptions>()
            .init_resource::<camera::Eye>()
            .init_resource::<canvas::Canvas>()
            .init_resource::<effects::Effects>()
            .init_resource::<ground::Grounds>()
            .init_resource::<atlas::Atlas>()
            .add_message::<CameraWish>()
            .add_message::<Learned>()
            .add_systems(Startup, camera::spawn_camera)
            .add_systems(
                PostUpdate,
                (
                    layout::lay_out,
                    watch_turn,
                    (motion::set_goals, motion::glide).chain(),
                    (camera::move_camera, camera::show_camera).chain(),
                    (ground::draw_grounds, ground::draw_plates, scenery::draw_scenery, overlays::draw_overlays).chain(),
                    (bodies::draw_agents, effects::draw_effects, speech::draw_speech, speech::draw_labels).chain(),
                    (canvas::show_stamps, canvas::show_notes),
                )
                    .chain()
                    .before(CameraUpdateSystems)
                    .before(TransformSystems::Propagate),
            );
    }
}

/// The colour as the renderer wants it.
fn color([r, g, b]: Rgb) -> Srgba {
    Srgba::rgb_u8(r, g, b)
}
