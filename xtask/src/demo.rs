//! A guided run.
use crate::Result;
pub(crate) fn run() -> Result {
    Err("comes with the engine".into())
}
