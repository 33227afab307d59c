//! `--format` of commands that print one object.

use template::{Format, Of};

use crate::error::{Failure, Result};

/// Docker's exit code for a template that cannot be parsed.
const BAD_TEMPLATE: u8 = 64;

/// Nothing given, `json`, or a template, which messages call by that name; most have none.
pub(crate) fn format(name: &'static str, text: &str) -> Result<Option<Format>> {
    let template = match text {
        "" => return Ok(None),
        "json" => "{{json .}}",
        template => template,
    };
    Format::named(name, template, Of::Objects).map(Some).map_err(|error| {
        Failure::with_code(BAD_TEMPLATE, format!("template parsing error: {error}"))
    })
}
