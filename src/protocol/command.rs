//! What the person at the window wants.

/// A wish of the person, told by a panel and carried out by the app between two turns.
#[derive(Debug, Clone, PartialEq)]
pub enum UserCommand {
    /// Let turns follow each other.
    Play,
    /// Stop after the current turn.
    Pause,
    /// Play one turn, then pause.
    StepTurn,
    /// How many turns a second to aim at.
    SetSpeed(f32),
    /// Start again from generation 0 with this seed.
    Restart {
        /// The new seed.
        seed: u64,
    },
}
