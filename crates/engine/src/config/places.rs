//! Where an engine keeps its things unless it is told otherwise: root's by the file hierarchy standard, an ordinary
//! user's in the folders of the XDG base directory specification.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Object;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub data_root: PathBuf,
    pub exec_root: PathBuf,
    pub config_file: PathBuf,
    /// Where clients that know only Docker look.
    pub docker_socket: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            data_root: "/var/lib/gantry".into(),
            exec_root: "/run/gantry".into(),
            config_file: "/etc/gantry/daemon.json".into(),
            docker_socket: "/run/docker.sock".into(),
        }
    }
}

impl Places {
    /// Of the user whom this process runs as.
    ///
    /// # Errors
    /// A variable that an ordinary user's engine cannot do without, named.
    pub fn of_this_process() -> Result<Self, String> {
        if rustix::process::geteuid().is_root() {
            return Ok(Self::default());
        }
        Self::of_user(|name| std::env::var_os(name).map(PathBuf::from))
    }

    fn of_user(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, String> {
        // The specification has relative paths ignored.
        let folder = |name: &str| variable(name).filter(|path| path.is_absolute());
        let home = folder("HOME");
        let beside = |name: &str, usual: &str| {
            folder(name).or_else(|| Some(home.as_ref()?.join(usual))).ok_or("HOME is not set")
        };
        let runtime = folder("XDG_RUNTIME_DIR").ok_or(
            "XDG_RUNTIME_DIR is not set: the engine of an ordinary user keeps its sockets there; log in with systemd, or \
             set it to a folder of your own that does not outlive a boot",
        )?;
        Ok(Self {
            data_root: beside("XDG_DATA_HOME", ".local/share")?.join("gantry"),
            exec_root: runtime.join("gantry"),
            config_file: beside("XDG_CONFIG_HOME", ".config")?.join("gantry/daemon.json"),
            docker_socket: runtime.join("docker.sock"),
        })
    }

    /// Puts the folders where neither flags nor the file say otherwise.
    pub fn complete(&self, options: &mut Object) {
        for (key, path) in [("data-root", &self.data_root), ("exec-root", &self.exec_root)] {
            options.entry(key).or_insert_with(|| text(path));
        }
    }
}

fn text(path: &Path) -> Value {
    Value::String(path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_their_own() {
        let of = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
            Places::of_user(|name| find(name).map(|(_, value)| PathBuf::from(value)))
        };
        let places = of(&[("HOME", "/home/a"), ("XDG_RUNTIME_DIR", "/run/user/1")]).unwrap();
        assert_eq!(places.data_root, Path::new("/home/a/.local/share/gantry"));
        assert_eq!(places.exec_root, Path::new("/run/user/1/gantry"));
        assert_eq!(places.config_file, Path::new("/home/a/.config/gantry/daemon.json"));
        assert_eq!(places.docker_socket, Path::new("/run/user/1/docker.sock"));
        let moved = [("HOME", "/h"), ("XDG_DATA_HOME", "/d"), ("XDG_RUNTIME_DIR", "/r")];
        assert_eq!(of(&moved).unwrap().data_root, Path::new("/d/gantry"));
        assert!(of(&[("HOME", "/h")]).unwrap_err().starts_with("XDG_RUNTIME_DIR is not set"));
        assert!(of(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "run")]).is_err());
        assert_eq!(of(&[("XDG_RUNTIME_DIR", "/r")]).unwrap_err(), "HOME is not set");
    }

    #[test]
    fn what_was_said_counts() {
        let mut options = Object::from_iter([("data-root".to_owned(), Value::from("/mine"))]);
        Places::default().complete(&mut options);
        assert_eq!(options["data-root"], "/mine");
        assert_eq!(options["exec-root"], "/run/gantry");
    }
}
