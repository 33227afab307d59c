//! Facts about the host.

use std::path::Path;

/// The host's name.
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

pub fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// As the kernel calls it: `x86_64`, `aarch64`.
pub fn machine() -> String {
    rustix::system::uname().machine().to_string_lossy().into_owned()
}

/// As Go calls it: `amd64`, `arm64`.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit) * info.totalram
}

pub struct Distribution {
    /// `Debian GNU/Linux 13 (trixie)`
    pub name: String,
    /// `13`
    pub version: String,
}

pub fn distribution() -> Distribution {
    let read = |path| std::fs::read_to_string(path);
    let text = read("/etc/os-release").or_else(|_| read("/usr/lib/os-release")).unwrap_or_default();
    let field = |name| os_release_field(&text, name).unwrap_or_default();
    let name = field("PRETTY_NAME");
    let name = if name.is_empty() { "Linux".to_owned() } else { name };
    Distribution { name, version: field("VERSION_ID") }
}

/// A value of os-release(5), which may be quoted.
fn os_release_field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    let unquoted = value.trim().trim_matches(['"', '\'']);
    Some(unquoted.to_owned())
}

/// Docker's name for the file system of a folder.
pub fn file_system(path: &Path) -> &'static str {
    match rustix::fs::statfs(path).map(|found| found.f_type as u32) {
        Ok(0xef53) => "extfs",
        Ok(0x9123_683e) => "btrfs",
        Ok(0x5846_5342) => "xfs",
        Ok(0x0102_1994) => "tmpfs",
        Ok(0x794c_7630) => "overlayfs",
        Ok(0x2fc1_2fc1) => "zfs",
        Ok(0xf2f5_2010) => "f2fs",
        _ => "<unknown>",
    }
}

/// True if a file under /proc/sys holds `1`.
pub fn sysctl(path: &str) -> bool {
    std::fs::read_to_string(Path::new("/proc/sys").join(path)).is_ok_and(|text| text.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_values_may_be_quoted() {
        let text = "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nVERSION_ID='13'\n";
        assert_eq!(os_release_field(text, "PRETTY_NAME").unwrap(), "Debian GNU/Linux 13 (trixie)");
        assert_eq!(os_release_field(text, "VERSION_ID").unwrap(), "13");
        assert_eq!(os_release_field(text, "PRETTY"), None);
    }

    #[test]
    fn the_host_has_a_name_memory_and_processors() {
        assert!(!name().is_empty() && memory() > 1 << 20 && cpus() > 0);
    }
}
