//! The keyboard.

use bevy::{input::keyboard::KeyboardInput, prelude::*};
use bevy_egui::EguiContexts;

use super::{Wishes, memory::States, models::Panels};
use crate::{
    protocol::{Look, UserCommand},
    ui::{SCALE_STEP, SCALES},
};

/// How much faster, or slower, a press makes it.
const FASTER: f32 = 1.5;

/// Which of Ctrl and Shift are down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Held {
    control: bool,
    shift: bool,
}

impl Held {
    /// What is down at a frame's end; nothing is once the window has lost the keyboard.
    fn of(keys: &ButtonInput<KeyCode>) -> Self {
        let down = |wanted: fn(KeyCode) -> bool| keys.get_pressed().any(|key| wanted(*key));
        Self { control: down(is_control), shift: down(is_shift) }
    }

    /// Follows one key: Ctrl may go down and up again within the frame of the key that it goes with.
    fn follow(&mut self, key: &KeyboardInput) {
        if is_control(key.key_code) {
            self.control = key.state.is_pressed();
        }
        if is_shift(key.key_code) {
            self.shift = key.state.is_pressed();
        }
    }
}

const fn is_control(key: KeyCode) -> bool {
    matches!(key, KeyCode::ControlLeft | KeyCode::ControlRight | KeyCode::SuperLeft)
}

const fn is_shift(key: KeyCode) -> bool {
    matches!(key, KeyCode::ShiftLeft | KeyCode::ShiftRight)
}

/// Turns key presses into wishes, unless somebody is typing.
pub(super) fn read_keys(
    mut pressed: MessageReader<KeyboardInput>,
    keys: Res<ButtonInput<KeyCode>>,
    mut held: Local<Held>,
    panels: Res<Panels>,
    mut contexts: EguiContexts,
    mut states: ResMut<States>,
    mut wishes: ResMut<Wishes>,
) {
    let is_typing = contexts.ctx_mut().is_ok_and(|context| context.egui_wants_keyboard_input());
    for key in pressed.read().filter(|key| !key.repeat) {
        held.follow(key);
        if !key.state.is_pressed() {
            continue;
        }
        let Held { control, shift } = *held;
        let Some(wish) = wish_of(key.key_code, (control, shift), &panels) else {
            match key.key_code {
                KeyCode::F1 => states.help = !states.help,
                KeyCode::Escape if states.is_first => states.is_first = false,
                _ => {}
            }
            continue;
        };
        if is_heard(key.key_code, control, is_typing) {
            wishes.0.push(wish);
        }
    }
    *held = Held::of(&keys);
}

/// Letters and signs belong to whoever is typing; function keys and Ctrl do not.
fn is_heard(key: KeyCode, control: bool, is_typing: bool) -> bool {
    !is_typing || control || key == KeyCode::F12
}

/// What a key means, with or without Ctrl and Shift.
fn wish_of(key: KeyCode, (control, shift): (bool, bool), panels: &Panels) -> Option<UserCommand> {
    let (controls, look) = (&panels.controls, &panels.top_bar);
    let scale = |step: f32| UserCommand::Look(Look::Scale((look.scale + step).clamp(SCALES.0, SCALES.1)));
    Some(match (key, control) {
        (KeyCode::Equal | KeyCode::NumpadAdd, true) => scale(SCALE_STEP),
        (KeyCode::Minus | KeyCode::NumpadSubtract, true) => scale(-SCALE_STEP),
        (KeyCode::KeyZ, true) if shift => UserCommand::Redo,
        (KeyCode::KeyZ, true) => UserCommand::Undo,
        (KeyCode::KeyY, true) => UserCommand::Redo,
        (KeyCode::KeyS, true) => UserCommand::SaveRun(std::path::PathBuf::new()),
        (KeyCode::F12, _) => UserCommand::TakePicture,
        (_, true) => return None,
        (KeyCode::Space, _) if controls.playing => UserCommand::Pause,
        (KeyCode::Space, _) => UserCommand::Play,
        (KeyCode::ArrowRight, _) if shift => UserCommand::StepGeneration,
        (KeyCode::ArrowRight, _) => UserCommand::StepTurn,
        (KeyCode::Equal | KeyCode::NumpadAdd, _) => UserCommand::SetSpeed((controls.speed * FASTER).min(1000.0)),
        (KeyCode::Minus | KeyCode::NumpadSubtract, _) => {
            UserCommand::SetSpeed((controls.speed.min(1000.0) / FASTER).max(0.5))
        }
        (KeyCode::KeyF, _) => UserCommand::Follow(!panels.stage.follows),
        (KeyCode::Home, _) => UserCommand::Fit,
        (KeyCode::Escape, _) if panels.stage.selected => UserCommand::Select(None),
        (key, _) => UserCommand::Select(Some(*panels.fittest.get(place(key)?)?)),
    })
}

/// The place that a digit names: 1 is the first.
fn place(key: KeyCode) -> Option<usize> {
    const DIGITS: [KeyCode; 9] = [
        KeyCode::Digit1,
        KeyCode::Digit2,
        KeyCode::Digit3,
        KeyCode::Digit4,
        KeyCode::Digit5,
        KeyCode::Digit6,
        KeyCode::Digit7,
        KeyCode::Digit8,
        KeyCode::Digit9,
    ];
    DIGITS.iter().position(|digit| *digit == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CreatureId, HabitatId};

    #[test]
    fn keys_mean_what_the_list_says() {
        let mut panels = Panels::default();
        (panels.controls.speed, panels.top_bar.scale) = (12.0, 1.0);
        panels.fittest = vec![(HabitatId(0), CreatureId(7)), (HabitatId(0), CreatureId(3))];
        let plain = |key| wish_of(key, (false, false), &panels);
        assert_eq!(plain(KeyCode::Space), Some(UserCommand::Play));
        assert_eq!(plain(KeyCode::ArrowRight), Some(UserCommand::StepTurn));
        assert_eq!(wish_of(KeyCode::ArrowRight, (false, true), &panels), Some(UserCommand::StepGeneration));
        assert_eq!(plain(KeyCode::Equal), Some(UserCommand::SetSpeed(18.0)));
        assert_eq!(plain(KeyCode::Minus), Some(UserCommand::SetSpeed(8.0)));
        assert_eq!(plain(KeyCode::Digit2), Some(UserCommand::Select(Some((HabitatId(0), CreatureId(3))))));
        assert_eq!((plain(KeyCode::Digit3), plain(KeyCode::Escape), plain(KeyCode::KeyQ)), (None, None, None));
        let control = |key| wish_of(key, (true, false), &panels);
        assert_eq!(control(KeyCode::Equal), Some(UserCommand::Look(Look::Scale(1.125))));
        assert_eq!((control(KeyCode::KeyZ), control(KeyCode::Space)), (Some(UserCommand::Undo), None));
        assert_eq!(wish_of(KeyCode::KeyZ, (true, true), &panels), Some(UserCommand::Redo));
        assert_eq!(control(KeyCode::KeyY), Some(UserCommand::Redo));
        assert_eq!(control(KeyCode::KeyS), Some(UserCommand::SaveRun(std::path::PathBuf::new())));
        assert_eq!(
            (plain(KeyCode::F12), control(KeyCode::F12)),
            (Some(UserCommand::TakePicture), control(KeyCode::F12))
        );
        assert_eq!(
            (plain(KeyCode::Home), plain(KeyCode::KeyF)),
            (Some(UserCommand::Fit), Some(UserCommand::Follow(true)))
        );
        panels.controls.playing = true;
        (panels.stage.selected, panels.stage.follows) = (true, true);
        let plain = |key| wish_of(key, (false, false), &panels);
        assert_eq!(plain(KeyCode::Space), Some(UserCommand::Pause));
        assert_eq!(plain(KeyCode::Escape), Some(UserCommand::Select(None)));
        assert_eq!(plain(KeyCode::KeyF), Some(UserCommand::Follow(false)));
    }

    #[test]
    fn control_counts_when_it_goes_down_and_up_within_a_frame() {
        use bevy::input::{ButtonState, keyboard::Key};
        let stroke = |key_code, state| KeyboardInput {
            key_code,
            logical_key: Key::Control,
            state,
            text: None,
            repeat: false,
            window: Entity::PLACEHOLDER,
        };
        let mut app = App::new();
        app.add_message::<KeyboardInput>()
            .init_resource::<ButtonInput<KeyCode>>()
            .init_resource::<Panels>()
            .init_resource::<States>()
            .init_resource::<Wishes>()
            .init_resource::<bevy_egui::EguiUserTextures>()
            .add_systems(Update, read_keys);
        let mut wishes = |keys: &[(KeyCode, ButtonState)], down: &[KeyCode]| {
            let world = app.world_mut();
            keys.iter().for_each(|(key, state)| _ = world.write_message(stroke(*key, *state)));
            world.resource_mut::<ButtonInput<KeyCode>>().reset_all();
            down.iter().for_each(|key| world.resource_mut::<ButtonInput<KeyCode>>().press(*key));
            app.update();
            std::mem::take(&mut app.world_mut().resource_mut::<Wishes>().0)
        };
        let (down, up) = (ButtonState::Pressed, ButtonState::Released);
        let (control, s) = (KeyCode::ControlLeft, KeyCode::KeyS);
        let save = [UserCommand::SaveRun(std::path::PathBuf::new())];
        assert_eq!(wishes(&[(control, down), (s, down), (s, up), (control, up)], &[]), save);
        assert_eq!(wishes(&[(s, down)], &[]), [], "without it an s is no wish");
        assert_eq!(wishes(&[(control, down)], &[control]), []);
        assert_eq!(wishes(&[(s, down), (control, up)], &[]), save, "held since the frame before");
        assert_eq!(wishes(&[(control, down)], &[control]), []);
        assert_eq!(wishes(&[], &[]), [], "the window has lost the keyboard");
        assert_eq!(wishes(&[(s, down)], &[]), []);
    }

    #[test]
    fn what_somebody_types_is_no_wish() {
        let heard = |is_typing| {
            [(KeyCode::Space, false), (KeyCode::KeyF, false), (KeyCode::KeyS, true), (KeyCode::F12, false)]
                .map(|(key, control)| is_heard(key, control, is_typing))
        };
        assert_eq!((heard(false), heard(true)), ([true; 4], [false, false, true, true]));
    }

    #[test]
    fn speed_and_scale_have_an_end() {
        let mut panels = Panels::default();
        let mut speed = |now: f32, key| {
            panels.controls.speed = now;
            wish_of(key, (false, false), &panels)
        };
        for (now, key, next) in [
            (900.0, KeyCode::Equal, 1000.0),
            (f32::INFINITY, KeyCode::NumpadAdd, 1000.0),
            (f32::INFINITY, KeyCode::Minus, 1000.0 / 1.5),
            (0.6, KeyCode::NumpadSubtract, 0.5),
        ] {
            assert_eq!(speed(now, key), Some(UserCommand::SetSpeed(next)), "{now}");
        }
        for (now, key) in [(SCALES.1, KeyCode::Equal), (SCALES.0, KeyCode::Minus)] {
            panels.top_bar.scale = now;
            let wish = wish_of(key, (true, false), &panels);
            assert_eq!(wish, Some(UserCommand::Look(Look::Scale(now))));
        }
    }
}
