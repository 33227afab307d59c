//! Base images made from Debian packages, under the names that people know. They are cached outside
//! the tree as image archives; the same packages give the same bytes.

mod build;
mod catalogue;

use std::fs;
use std::path::PathBuf;

use crate::{Result, setup};
use catalogue::Recipe;

/// The folder of the archives: `GANTRY_IMAGES`, else one in /var/cache.
pub(crate) fn cache() -> PathBuf {
    match std::env::var_os("GANTRY_IMAGES") {
        Some(dir) => dir.into(),
        None => "/var/cache/gantry/images".into(),
    }
}

/// `cargo xtask images [NAME...]`: all, or those named.
pub(crate) fn run(args: &[String]) -> Result {
    let all: Vec<&str> = catalogue::IMAGES.iter().map(|recipe| recipe.name).collect();
    let named: Vec<&str> = args.iter().map(String::as_str).collect();
    let wanted = if named.is_empty() { all } else { named };
    make(&wanted)?;
    for name in wanted {
        println!("{}", cache().join(format!("{name}.tar")).display());
    }
    Ok(())
}

/// Makes the images that the cache does not hold yet.
pub(crate) fn make(names: &[&str]) -> Result {
    for name in names {
        let recipe = find(name)?;
        if up_to_date(recipe) {
            continue;
        }
        setup::packages(&[setup::IMAGES])?;
        println!("making image {name}");
        fs::create_dir_all(cache()).map_err(|e| format!("{}: {e}", cache().display()))?;
        build::build(recipe)?;
        fs::write(stamp(recipe), recipe.key()).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

fn find(name: &str) -> Result<&'static Recipe> {
    let known =
        || catalogue::IMAGES.iter().map(|recipe| recipe.name).collect::<Vec<_>>().join(", ");
    let found = catalogue::IMAGES.iter().find(|recipe| recipe.name == name);
    found.ok_or_else(|| format!("no image {name}; there are {}", known()))
}

/// An archive is remade when its recipe changed, not when Debian's packages did: remove the cache for that.
fn up_to_date(recipe: &Recipe) -> bool {
    let archive = cache().join(format!("{}.tar", recipe.name));
    archive.exists() && fs::read_to_string(stamp(recipe)).is_ok_and(|key| key == recipe.key())
}

fn stamp(recipe: &Recipe) -> PathBuf {
    cache().join(format!("{}.key", recipe.name))
}
