//! `--check`: what is wrong with a Dockerfile. No engine is needed, and none is started.

use std::collections::BTreeMap;

use builder::check::{Known, Options};
use builder::dockerfile::{self, Dockerfile};
use serde_json::Value;

use super::print;
use super::source::Source;
use crate::command::Done;
use crate::context::Context;
use crate::error::Failure;

pub(super) async fn check(context: &Context, source: &Source) -> Done {
    let file = match dockerfile::parse(&source.text) {
        Ok(file) => file,
        Err(error) => {
            let lines = error.line..=error.line;
            eprint!("{}", print::excerpt(&source.name, &source.text, &lines));
            return Err(Failure::new(format!("ERROR: failed to build: {error}")));
        }
    };
    let options = Options::parse(file.directives.check.as_deref().unwrap_or_default())
        .map_err(Failure::new)?;
    let variables = variables(context, &file).await;
    let known =
        Known { ignore: source.ignore.as_ref(), variables: &|image| variables.get(image).cloned() };
    let findings = builder::check::check(&file, &known, &options);
    print::findings(&findings, &source.name, &source.text)?;
    Ok(u8::from(!findings.is_empty()))
}

/// The variables of base images that an engine, should one be there, has.
async fn variables(context: &Context, file: &Dockerfile) -> BTreeMap<String, Vec<String>> {
    let mut known = BTreeMap::new();
    let Ok(client) = context.connect_if_there().await else { return known };
    for stage in &file.stages {
        let Ok(image) = client.image_inspect_raw(&stage.base, "").await else { continue };
        let Ok(image) = serde_json::from_slice::<Value>(&image) else { continue };
        let entries = image["Config"]["Env"].as_array().into_iter().flatten();
        let names = entries.filter_map(|entry| Some(entry.as_str()?.split_once('=')?.0.to_owned()));
        known.insert(stage.base.clone(), names.collect());
    }
    known
}
