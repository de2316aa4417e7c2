//! Waiting: nothing, by choice.

use super::Acting;
use crate::protocol::Outcome;

pub(super) fn act(_: &mut Acting) -> Outcome {
    Outcome::Waited
}
