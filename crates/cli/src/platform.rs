//! `--platform` of commands for which the environment has a default.

use crate::flags::Parsed;

const DEFAULT: &str = "DOCKER_DEFAULT_PLATFORM";

/// The flag's, even an empty one, or the environment's.
pub(crate) fn wanted(parsed: &Parsed) -> String {
    if parsed.is_set("platform") {
        return parsed.string("platform");
    }
    std::env::var(DEFAULT).unwrap_or_default()
}

/// As [`wanted`], where the flag may be given more than once.
pub(crate) fn all_wanted(parsed: &Parsed) -> Vec<String> {
    if parsed.is_set("platform") {
        return parsed.list("platform");
    }
    std::env::var(DEFAULT).ok().filter(|platform| !platform.is_empty()).into_iter().collect()
}
