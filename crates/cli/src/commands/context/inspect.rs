//! `gantry context inspect`.

use template::{Format, Json, MissingKey, Type, Value};

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::contexts::DEFAULT;
use crate::error::Result;
use crate::flags::{Flag, INSPECT_FORMAT_HELP, Parsed};
use crate::output::{object, say, warn};

const FLAGS: &[Flag] = &[Flag::string("format", INSPECT_FORMAT_HELP).short('f')];

pub(crate) const COMMAND: Command = Command {
    name: "inspect",
    aliases: &[],
    paths: &["context inspect"],
    usage: "[OPTIONS] [CONTEXT] [CONTEXT...]",
    about: "Display detailed information on one or more contexts",
    flags: &[FLAGS],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

const GO_TYPE: &str = "context.contextWithTLSListing";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let format = match parsed.str("format") {
        "json" => None,
        template => object::format("", template)?,
    };
    let current = [context.name()];
    let names = if parsed.args.is_empty() { &current[..] } else { &parsed.args[..] };
    let (mut documents, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match document(context, name).map_err(|failure| failure.message) {
            Ok(document) => match &format {
                None => documents.push(document),
                Some(format) => match render(format, &document) {
                    Ok(line) => say(line)?,
                    Err(why) => failures.push(why),
                },
            },
            Err(why) => failures.push(why),
        }
    }
    match &format {
        None if parsed.str("format") == "json" => say(Json::Array(documents).compact())?,
        None => {
            let text = Json::Array(documents).pretty();
            say(text.replace('<', "\\u003c").replace('>', "\\u003e"))?;
        }
        Some(_) if !failures.is_empty() => say("")?,
        Some(_) => {}
    }
    failures.iter().for_each(warn);
    Ok(u8::from(!failures.is_empty()))
}

fn render(format: &Format, document: &Json) -> Result<String, String> {
    let value = Value::typed(document, &Type::go(GO_TYPE));
    format
        .execute(&value, MissingKey::NoValue)
        .map_err(|failed| format!("template parsing error: {}", failed.what))
}

fn document(context: &Context, name: &str) -> Result<Json> {
    let store = context.contexts();
    let (meta, tls) = match name {
        DEFAULT => (super::of_environment(context.default_host()?), Vec::new()),
        name => {
            let meta = store.load(name)?;
            let files = store.tls(name)?.into_iter().map(|(endpoint, files)| {
                let files = files.into_keys().map(Json::String).collect();
                (endpoint, Json::Array(files))
            });
            (meta, files.collect())
        }
    };
    let stored = |path: std::path::PathBuf| match name {
        DEFAULT => Json::String("<IN MEMORY>".to_owned()),
        _ => Json::String(path.to_string_lossy().into_owned()),
    };
    let storage = Json::Object(vec![
        ("MetadataPath".to_owned(), stored(store.meta_directory(name))),
        ("TLSPath".to_owned(), stored(store.tls_directory(name))),
    ]);
    let Json::Object(mut fields) = Json::of(&meta) else { return Ok(Json::Null) };
    fields.push(("TLSMaterial".to_owned(), Json::Object(tls)));
    fields.push(("Storage".to_owned(), storage));
    Ok(Json::Object(fields))
}
