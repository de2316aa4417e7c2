use bevy_egui::egui;
use egui_kittest::kittest::Queryable;

use super::*;
use crate::{
    protocol::{Consult, Counsel, CreatureId, CreatureName, HabitatId, Opinion},
    ui::{
        legible::assert_legible,
        trial::{Trial, click, taken, try_panel, write},
    },
};

const PROMPT: &str = "At (5,3), E80. See: food→ Action:";

fn name(number: u32) -> CreatureName {
    (HabitatId(0), CreatureId(number))
}

fn mind(role: Role, who: Option<u32>) -> MindChoice {
    MindChoice { role, who: who.map(name), title: None, absent: None }
}

fn model() -> WhatIfModel {
    let mut minds = vec![
        mind(Role::Selected, Some(17)),
        mind(Role::FirstParent, Some(4)),
        mind(Role::SecondParent, Some(9)),
        mind(Role::Champion, Some(171)),
        mind(Role::Bare, None),
    ];
    minds[2].absent = Some("its mind is not kept".to_owned());
    WhatIfModel { minds, last_prompt: Some(PROMPT.to_owned()), answers: Vec::new() }
}

/// Who of the model can be asked.
fn present() -> Vec<Option<CreatureName>> {
    vec![Some(name(17)), Some(name(4)), Some(name(171)), None]
}

/// The answer of those to a question, where `first` is the probability of going north.
fn answer_of(number: u64, first: f32, minds: Vec<Option<CreatureName>>) -> Counsel {
    let weighed = |first: f32| {
        let mut policy = [(1.0 - first) / 7.0; 8];
        policy[0] = first;
        Opinion::Weighed { policy, log_probabilities: policy.map(f32::ln) }
    };
    let opinion = |(at, who): (usize, Option<CreatureName>)| match at {
        0 => (who, weighed(first)),
        1 => (who, weighed(0.3)),
        2 => (who, Opinion::Silent("It has just been forgotten.".to_owned())),
        _ => (who, weighed(0.1)),
    };
    Counsel { number, prompt: String::new(), answers: minds.into_iter().enumerate().map(opinion).collect() }
}

fn answer(number: u64, first: f32) -> Counsel {
    answer_of(number, first, present())
}

fn said(number: u64, who: u32, text: &str) -> Counsel {
    let opinion = Opinion::Said { text: text.to_owned(), log_probability: -3.0 };
    Counsel { number, prompt: String::new(), answers: vec![(Some(name(who)), opinion)] }
}

fn harness(model: WhatIfModel) -> Trial<WhatIfModel, WhatIfState> {
    try_panel(show_what_if, (model, WhatIfState::default()), (700.0, 900.0), 1.0)
}

fn question(number: u64, prompt: &str) -> UserCommand {
    UserCommand::Consult(Consult { number, prompt: prompt.to_owned(), minds: present(), free: false })
}

#[test]
fn the_last_prompt_is_asked_at_once_and_every_change_when_the_answer_has_come() {
    let mut harness = harness(model());
    assert_eq!(taken(&mut harness), [question(1, PROMPT)]);
    harness.state_mut().state.prompt = "E90".to_owned();
    assert_eq!(taken(&mut harness), [], "one question at a time");
    harness.state_mut().state.prompt = "E95".to_owned();
    assert_eq!(taken(&mut harness), []);
    harness.state_mut().model.answers = vec![answer(1, 0.5)];
    assert_eq!(taken(&mut harness), [question(2, "E95")], "what was written between is not asked");
    harness.state_mut().model.answers.push(answer(2, 0.75));
    assert_eq!(taken(&mut harness), [], "nothing has changed");
    assert_eq!(click(&mut harness, "Ask again"), [question(3, "E95")]);
}

#[test]
fn typing_and_quick_words_change_the_prompt() {
    let mut harness = harness(WhatIfModel { last_prompt: None, ..model() });
    assert_eq!(taken(&mut harness), [], "there is nothing to ask yet");
    write(&mut harness, "Prompt", "food");
    harness.get_by_label("→").click();
    harness.run_steps(3);
    harness.get_by_label("here").click();
    harness.run_steps(3);
    assert_eq!(harness.state().state.prompt, "food→ here");
    let first = |wishes: &[UserCommand]| wishes.first().cloned();
    assert_eq!(first(&taken(&mut harness)), Some(question(1, "food")));
    // The cursor goes on from there.
    harness.get_by_label("Prompt").type_text("!");
    harness.run_steps(2);
    assert_eq!(harness.state().state.prompt, "food→ here!");
    harness.state_mut().model.last_prompt = Some(PROMPT.to_owned());
    harness.run_steps(2);
    assert_eq!(harness.state().state.prompt, "food→ here!", "what was written is not taken away");
    click(&mut harness, "Take the last prompt");
    assert_eq!(harness.state().state.prompt, PROMPT);
}

#[test]
fn a_prompt_nobody_has_changed_follows_the_selected_one_but_not_every_turn() {
    let mut harness = harness(model());
    harness.state_mut().model.last_prompt = Some("the next turn".to_owned());
    harness.run_steps(2);
    assert_eq!(harness.state().state.prompt, PROMPT);
    harness.state_mut().model.minds[0].who = Some(name(18));
    harness.run_steps(2);
    assert_eq!(harness.state().state.prompt, "the next turn");
}

#[test]
fn answers_are_shown_and_stale_ones_are_ignored() {
    let mut harness = harness(model());
    taken(&mut harness);
    harness.get_by_label("They are thinking …");
    harness.state_mut().model.answers = vec![answer(7, 0.9)];
    taken(&mut harness);
    assert!(harness.query_by_label_contains("90.0").is_none(), "nobody asked question 7");
    harness.state_mut().model.answers = vec![answer(1, 0.5)];
    taken(&mut harness);
    harness.get_by_label("move north: agent 17 50.0, parent 4 30.0, best 171 –, bare model 10.0");
    harness.get_by_label("The parent 9: its mind is not kept.");
    harness.get_by_label("The best 171: It has just been forgotten.");
    assert!(harness.query_by_label("They are thinking …").is_none());
    harness.state_mut().model.answers = vec![answer(1, 0.99)];
    taken(&mut harness);
    harness.get_by_label_contains("agent 17 50.0");
    harness.state_mut().state.prompt = "other".to_owned();
    assert_eq!(taken(&mut harness), [question(2, "other")]);
    harness.state_mut().model.answers = vec![answer(1, 0.8)];
    taken(&mut harness);
    harness.get_by_label_contains("agent 17 50.0");
    harness.get_by_label("They are thinking …");
    harness.state_mut().model.answers = vec![answer(1, 0.8), answer(2, 0.25)];
    taken(&mut harness);
    harness.get_by_label_contains("agent 17 25.0");
}

#[test]
fn an_answer_is_never_shown_under_another_name() {
    let mut harness = harness(model());
    taken(&mut harness);
    harness.state_mut().model.minds[0].who = Some(name(18));
    harness.state_mut().model.answers = vec![answer(1, 0.5)];
    let wishes = taken(&mut harness);
    harness.get_by_label_contains("move north: agent 18 –, parent 4 30.0");
    assert!(matches!(&wishes[..], [UserCommand::Consult(consult)] if consult.minds[0] == Some(name(18))), "{wishes:?}");
}

#[test]
fn who_does_not_answer_is_asked_again_after_a_while() {
    let mut state = WhatIfState::default();
    state.prompt = PROMPT.to_owned();
    let model = model();
    assert_eq!(state.ask(&model, 10.0), Some(question(1, PROMPT)));
    assert_eq!(state.ask(&model, 39.0), None);
    assert_eq!(state.ask(&model, 41.0), Some(question(2, PROMPT)));
    let mut short = answer(2, 0.5);
    short.answers.pop();
    let other = answer_of(2, 0.5, vec![None; 4]);
    state.receive(&[short, other]);
    assert_eq!(state.answer_of(Some(name(17))), None, "an answer of others than were asked is no answer");
    state.receive(&[answer(2, 0.5)]);
    assert!(state.answer_of(Some(name(17))).is_some());
}

#[test]
fn minds_talk_and_it_is_seen_who_said_what() {
    let mut harness = harness(model());
    taken(&mut harness);
    click(&mut harness, "Free");
    write(&mut harness, "Question", "The opposite of north is");
    let asked = |number, minds| {
        let prompt = "The opposite of north is".to_owned();
        UserCommand::Consult(Consult { number, prompt, minds, free: true })
    };
    assert_eq!(click(&mut harness, "Ask"), [asked(2, vec![Some(name(17))])]);
    harness.get_by_label("agent 17 is thinking …");
    harness.state_mut().model.answers = vec![said(2, 17, " south, of course")];
    taken(&mut harness);
    harness.get_by_label("agent 17");
    harness.get_by_label(" south, of course");
    harness.state_mut().model.answers = vec![said(2, 17, "late")];
    taken(&mut harness);
    assert!(harness.query_by_label("late").is_none(), "it has been answered");
    harness.state_mut().state.to = usize::MAX;
    harness.state_mut().state.question = "The opposite of north is".to_owned();
    harness.run_steps(2);
    assert_eq!(click(&mut harness, "Ask"), [asked(3, present())]);
    harness.state_mut().state.to = 2;
    harness.state_mut().state.question = "Hello".to_owned();
    harness.run_steps(2);
    assert_eq!(click(&mut harness, "Ask"), [], "whose mind is not kept cannot be asked");
}

#[test]
fn an_empty_panel_says_what_will_appear() {
    harness(WhatIfModel::default()).get_by_label_contains("Click an agent");
}

#[test]
fn everything_can_be_read_at_every_size() {
    let mut state = WhatIfState::default();
    let model = WhatIfModel { answers: vec![answer(1, 0.5)], ..model() };
    state.follow(&model);
    let _ = state.ask(&model, 0.0);
    let show =
        |model: WhatIfModel| move |ui: &mut egui::Ui, state: &mut WhatIfState| drop(show_what_if(ui, &model, state));
    // The last column may have to be scrolled to.
    assert_legible(&state, show(model.clone()), |text| {
        text == "model" || text == "bare" || text.parse::<f32>().is_ok()
    });
    state.free = true;
    state.question = "The opposite of north is".to_owned();
    let _ = state.talk(&model);
    state.receive(&[said(2, 17, "south and then some more words that do not end at all for a while")]);
    assert_legible(&state, show(model), |_| false);
}
