//! What was asked, what has been answered, and when to ask again.

use serde::{Deserialize, Serialize};

use super::model::{MindChoice, WhatIfModel};
use crate::protocol::{Consult, Counsel, CreatureName, Opinion, UserCommand};

/// Seconds after which an answer is no longer waited for.
const PATIENCE: f64 = 30.0;
/// Talks that are kept.
const TALKS: usize = 100;

/// Who can be asked: a creature, or the bare model.
type Who = Option<CreatureName>;

/// A question about actions.
#[derive(Debug, Clone, PartialEq)]
struct Question {
    number: u64,
    prompt: String,
    minds: Vec<Who>,
    /// When it was asked, in seconds.
    at: f64,
    /// Whether it has been answered.
    is_answered: bool,
}

/// A question that is answered in words, and what was said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Talk {
    pub(super) number: u64,
    pub(super) question: String,
    /// Who was asked, and how they are called.
    pub(super) minds: Vec<(Who, String)>,
    pub(super) answers: Option<Vec<Opinion>>,
}

/// What the panel remembers by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WhatIfState {
    /// The prompt as it is being edited.
    pub(super) prompt: String,
    /// Whether the person has changed it; if not, it follows the selected agent.
    pub(super) is_edited: bool,
    /// Whether minds talk, in place of weighing actions.
    pub(super) free: bool,
    /// The question as it is being written.
    pub(super) question: String,
    /// Which of the minds is to answer; beyond the last one, all of them.
    pub(super) to: usize,
    #[serde(skip)]
    pub(super) talks: Vec<Talk>,
    /// The number of the last question.
    #[serde(skip)]
    last: u64,
    #[serde(skip)]
    asked: Option<Question>,
    /// The newest answer about actions, with who was asked what.
    #[serde(skip)]
    answered: Option<(Question, Vec<Opinion>)>,
    /// The selected one when the prompt was taken over.
    #[serde(skip)]
    followed: Option<Who>,
}

impl WhatIfState {
    /// Takes the answers to what is under way; all others are stale, or somebody else's.
    pub(super) fn receive(&mut self, answers: &[Counsel]) {
        for counsel in answers {
            let opinions = || counsel.answers.iter().map(|(_, opinion)| opinion.clone()).collect();
            let is_from = |minds: &mut dyn Iterator<Item = Who>| counsel.answers.iter().map(|(who, _)| *who).eq(minds);
            let asked = self.asked.as_mut().filter(|asked| asked.number == counsel.number && !asked.is_answered);
            if let Some(asked) = asked.filter(|asked| is_from(&mut asked.minds.iter().copied())) {
                asked.is_answered = true;
                self.answered = Some((asked.clone(), opinions()));
            }
            let talk = self.talks.iter_mut().find(|talk| talk.number == counsel.number && talk.answers.is_none());
            if let Some(talk) = talk.filter(|talk| is_from(&mut talk.minds.iter().map(|(who, _)| *who))) {
                talk.answers = Some(opinions());
            }
        }
    }

    /// Takes over the prompt of who has just been selected, unless the person has written one.
    pub(super) fn follow(&mut self, model: &WhatIfModel) {
        let selected = model.minds.first().map(|mind| mind.who);
        if self.is_edited || (self.followed == selected && !self.prompt.is_empty()) {
            return;
        }
        if let Some(prompt) = &model.last_prompt {
            self.prompt.clone_from(prompt);
            self.followed = selected;
        }
    }

    /// Takes the prompt of the selected one's last turn.
    pub(super) fn take(&mut self, model: &WhatIfModel) {
        self.is_edited = false;
        self.followed = None;
        self.prompt.clear();
        self.follow(model);
    }

    /// Asks anew what has been asked: minds change as they learn.
    pub(super) fn ask_again(&mut self) {
        self.asked = self.asked.take().filter(|asked| !asked.is_answered);
    }

    /// The question to ask now, if what is asked has changed and nothing is under way.
    pub(super) fn ask(&mut self, model: &WhatIfModel, now: f64) -> Option<UserCommand> {
        let minds = present(model);
        if self.prompt.trim().is_empty() || minds.is_empty() {
            return None;
        }
        if let Some(asked) = &self.asked {
            let is_under_way = !asked.is_answered && now < asked.at + PATIENCE;
            let is_same = asked.prompt == self.prompt && asked.minds == minds && asked.is_answered;
            if is_under_way || is_same {
                return None;
            }
        }
        self.last += 1;
        let (number, prompt) = (self.last, self.prompt.clone());
        self.asked =
            Some(Question { number, prompt: prompt.clone(), minds: minds.clone(), at: now, is_answered: false });
        Some(UserCommand::Consult(Consult { number, prompt, minds, free: false }))
    }

    /// Asks the chosen minds to answer in words.
    pub(super) fn talk(&mut self, model: &WhatIfModel) -> Option<UserCommand> {
        let question = self.question.trim().to_owned();
        let minds: Vec<_> =
            self.addressed(model).filter(|mind| mind.absent.is_none()).map(|mind| (mind.who, mind.words())).collect();
        if question.is_empty() || minds.is_empty() {
            return None;
        }
        self.question.clear();
        self.last += 1;
        let (number, who) = (self.last, minds.iter().map(|(who, _)| *who).collect());
        self.talks.push(Talk { number, question: question.clone(), minds, answers: None });
        self.talks.drain(..self.talks.len().saturating_sub(TALKS));
        Some(UserCommand::Consult(Consult { number, prompt: question, minds: who, free: true }))
    }

    /// Asks everybody to answer this in words, as if the person had written it.
    pub fn ask_all(&mut self, question: &str, model: &WhatIfModel) -> Option<UserCommand> {
        (self.free, self.to, self.question) = (true, usize::MAX, question.to_owned());
        self.talk(model)
    }

    /// Whether somebody has not answered in words yet.
    pub fn is_waiting(&self) -> bool {
        self.talks.iter().any(|talk| talk.answers.is_none())
    }

    /// Those who are to answer in words.
    pub(super) fn addressed<'a>(&self, model: &'a WhatIfModel) -> impl Iterator<Item = &'a MindChoice> + use<'a> {
        let to = self.to;
        let is_all = to >= model.minds.len();
        model.minds.iter().enumerate().filter(move |(at, _)| is_all || *at == to).map(|(_, mind)| mind)
    }

    /// What this mind answered last, whatever it was told; `None` where it was not asked.
    pub(super) fn answer_of(&self, who: Who) -> Option<&Opinion> {
        let (question, answers) = self.answered.as_ref()?;
        question.minds.iter().zip(answers).find(|(asked, _)| **asked == who).map(|(_, answer)| answer)
    }

    /// Whether what is shown answers what stands in the field.
    pub(super) fn is_fresh(&self) -> bool {
        self.answered.as_ref().is_some_and(|(question, _)| question.prompt == self.prompt)
    }
}

/// Those who can be asked.
fn present(model: &WhatIfModel) -> Vec<Who> {
    model.minds.iter().filter(|mind| mind.absent.is_none()).map(|mind| mind.who).collect()
}
