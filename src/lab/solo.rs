//! One agent by itself, turn by turn: what it was asked, what it said, how sure it was of every action, what it got.

use std::time::Instant;

use serde::{Serialize, Serializer};

use crate::{
    app::{AppError, Simulation, llm_plan},
    brain::{Llm, LlmPlan},
    config::{MindKind, RunConfig},
    language::{action_phrase, write_prompt},
    mind::{Asked, Fallback, LastThought, WorkerLink},
    protocol::{
        Action, AgentId, Cell, CreatureId, HabitatId, Moment, Observation, StreamName, Streams, Thinker, Thought,
    },
    sim::{Finished, LastTurn},
};

/// How sure the mind was of one action.
#[derive(Debug, Clone, Serialize)]
pub struct ActionShare {
    /// The action's phrase.
    pub action: &'static str,
    /// Log-probability at temperature 1; null where it is −∞.
    #[serde(serialize_with = "finite_or_null")]
    pub logprob: f32,
    /// Probability as it was drawn.
    pub prob: f32,
}

/// What one turn of one agent was like.
#[derive(Debug, Clone, Serialize)]
pub struct Turn {
    /// The prompt, as the mind read it.
    pub prompt: String,
    /// The reply, as the mind said it.
    pub reply: String,
    /// Every action, in the grammar's order.
    pub actions: Vec<ActionShare>,
    /// Tokens read and written.
    pub tokens: u32,
    /// The reward; null where nothing was done.
    pub reward: Option<f64>,
    /// Milliseconds that the decision took.
    pub ms: f64,
    /// Log-probability of the reply as a whole, for those who read: JSON has every action's.
    #[serde(skip)]
    pub log_probability: f32,
    /// What the agent saw, in the words of a prompt, whether or not its mind reads one; for those who read.
    #[serde(skip)]
    pub seen: String,
    /// What came of it, for those who read: JSON does without. Nothing where nothing was done.
    #[serde(skip)]
    pub outcome: Option<String>,
}

fn finite_or_null<S: Serializer>(number: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() { serializer.serialize_some(number) } else { serializer.serialize_none() }
}

impl Turn {
    fn new(prompt: String, thought: &Thought) -> Self {
        let share = |(action, (logprob, prob)): (Action, (&f32, &f32))| ActionShare {
            action: action_phrase(action),
            logprob: *logprob,
            prob: *prob,
        };
        let numbers = thought.log_probabilities.iter().zip(&thought.policy);
        let weighed = if thought.policy.iter().any(|p| *p > 0.0) { Action::COUNT } else { 0 };
        Self {
            seen: prompt.clone(),
            prompt,
            reply: thought.text.clone().into_owned(),
            // Who speaks freely has weighed no actions.
            actions: Action::ALL.into_iter().zip(numbers).map(share).take(weighed).collect(),
            tokens: thought.tokens,
            reward: None,
            ms: thought.elapsed.as_secs_f64() * 1e3,
            log_probability: thought.log_probability,
            outcome: None,
        }
    }
}

/// One agent alone in a habitat.
pub struct Solo {
    simulation: Simulation,
}

impl Solo {
    /// Puts one agent of the mind that the settings name into a habitat.
    ///
    /// # Errors
    /// The settings or the mind cannot be used.
    pub fn new(config: RunConfig) -> Result<Self, AppError> {
        Ok(Self { simulation: Simulation::new(alone(config))? })
    }

    /// The same, with whatever is at the other end of `link` as its mind.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn with_link(config: RunConfig, link: WorkerLink) -> Result<Self, AppError> {
        Ok(Self { simulation: Simulation::with_link(alone(config), link, false)? })
    }

    /// Plays a turn; `None` once the agent is dead or its turns are over.
    ///
    /// # Errors
    /// The mind did not answer: what `rules` did in its place is not what it said.
    pub fn step(&mut self) -> Result<Option<Turn>, AppError> {
        if self.simulation.is_finished() {
            return Ok(None);
        }
        self.simulation.step();
        if self.stood_in() {
            let reason = self.simulation.complaint();
            return Err(AppError::Mind(reason.unwrap_or_else(|| "The mind did not answer.".to_owned())));
        }
        Ok(self.last_turn())
    }

    /// Whether `rules` had to decide in the mind's place.
    fn stood_in(&mut self) -> bool {
        let world = self.simulation.world_mut();
        world.query::<&Fallback>().iter(world).any(|fallback| fallback.turns > 0)
    }

    fn last_turn(&mut self) -> Option<Turn> {
        let world = self.simulation.world_mut();
        let thinker = world.resource::<Asked>().thinkers.first()?;
        let (prompt, seen) = (thinker.prompt.clone(), write_prompt(&thinker.observation));
        let mut agents = world.query::<(&LastThought, &LastTurn)>();
        let (thought, deed) = agents.iter(world).next()?;
        let mut turn = Turn::new(prompt, thought.0.as_ref()?);
        if turn.prompt.is_empty() {
            turn.seen = seen;
        }
        turn.reward = deed.0.map(|deed| deed.reward);
        turn.outcome = deed.0.map(|deed| format!("{:?}", deed.outcome));
        Some(turn)
    }

    /// Whether the habitat's time is over.
    pub fn is_over(&mut self) -> bool {
        self.simulation.world_mut().query::<&Finished>().iter(self.simulation.world_mut()).next().is_some()
    }
}

/// The settings of one agent that lives once.
fn alone(mut config: RunConfig) -> RunConfig {
    (config.habitat.agents, config.run.habitats, config.run.generations) = (1, 1, 1);
    config.frozen()
}

/// Asks the language model one question, whatever its words.
///
/// # Errors
/// The model cannot be used, or the settings name another mind.
pub fn ask_once(config: &RunConfig, prompt: &str) -> Result<Turn, AppError> {
    if config.mind.kind != MindKind::Llm {
        return Err(AppError::Mind(format!("--prompt asks a language model, and mind.kind is {}.", config.mind.kind)));
    }
    let mut llm = Llm::load(LlmPlan { agents: 1, ..llm_plan(config) })?;
    let streams = Streams { seed: config.run.seed, habitat: HabitatId(0), unseen: false };
    let thinker = Thinker {
        habitat: HabitatId(0),
        agent: AgentId(0),
        creature: CreatureId(0),
        exploration: 0.0,
        manner: None,
        observation: Observation::new(Cell::new(0, 0), 0, None),
        prompt: prompt.to_owned(),
        draws: streams.agent_key(StreamName::Act, AgentId(0)),
        moment: Moment::new(0, 0),
    };
    let begun = Instant::now();
    let thoughts = llm.think(&[thinker])?;
    let first = thoughts.first().ok_or_else(|| AppError::Mind("The mind said nothing.".to_owned()))?;
    let mut turn = Turn::new(prompt.to_owned(), first);
    turn.ms = begun.elapsed().as_secs_f64() * 1e3;
    Ok(turn)
}
