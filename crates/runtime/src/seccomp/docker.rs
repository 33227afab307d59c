//! Docker's profiles: the format of `--security-opt seccomp=FILE`, whose rules may depend on the
//! container's capabilities, the architecture and the kernel, and the default profile.

use oci::runtime::{Seccomp, SeccompArg, SeccompSyscall};
use serde::{Deserialize, Deserializer};

use super::{Arch, Error};

/// The default profile in short lines, so that a start need not parse 13 KB of JSON:
/// `ACTION[=ERRNO] [IF=...]: names`. A test holds it against Docker's own document.
const DEFAULT: &str = include_str!("docker/default.txt");

/// Major and minor number of a kernel release.
pub type Kernel = (u32, u32);

/// `caps` are those of the bounding set, as `CAP_SYS_ADMIN`.
pub fn default_profile<C: AsRef<str>>(caps: &[C], arch: Arch, kernel: Kernel) -> Seccomp {
    let host = Host { caps: caps.iter().map(AsRef::as_ref).collect(), arch, kernel };
    let rules = DEFAULT.lines().filter(|line| !line.starts_with('#')).filter_map(compact::rule);
    Seccomp {
        default_action: String::from("SCMP_ACT_ERRNO"),
        default_errno_ret: Some(libc::EPERM as u32),
        architectures: architectures(arch).iter().map(|name| String::from(*name)).collect(),
        syscalls: rules.filter(|rule| rule.applies(&host)).map(Rule::into_oci).collect(),
        ..Seccomp::default()
    }
}

/// Docker's `archMap`, for the hosts that are run on.
fn architectures(arch: Arch) -> &'static [&'static str] {
    match arch {
        Arch::X86_64 | Arch::X86 | Arch::X32 => {
            &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        }
        Arch::Aarch64 | Arch::Arm => &["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    }
}

/// Reads a profile that a user gave, and keeps the rules that apply.
pub fn from_json<C: AsRef<str>>(
    text: &str,
    caps: &[C],
    arch: Arch,
    kernel: Kernel,
) -> Result<Seccomp, Error> {
    let invalid = |reason: &str| Error::Profile(reason.to_owned());
    let profile: Profile =
        serde_json::from_str(text).map_err(|error| Error::Profile(error.to_string()))?;
    if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
        return Err(invalid("both 'architectures' and 'archMap' are specified"));
    }
    let native = architectures(arch)[0];
    let mapped = profile.arch_map.into_iter().find(|map| map.architecture == native);
    let mapped = mapped.map(|map| [vec![map.architecture], map.sub_architectures].concat());
    let host = Host { caps: caps.iter().map(AsRef::as_ref).collect(), arch, kernel };
    let mut syscalls = Vec::new();
    for mut rule in profile.syscalls {
        match rule.name.take() {
            Some(name) if rule.names.is_empty() => rule.names.push(name),
            Some(_) => {
                return Err(invalid(
                    "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
                ));
            }
            None => {}
        }
        if rule.applies(&host) {
            syscalls.push(rule.into_oci());
        }
    }
    Ok(Seccomp {
        default_action: profile.default_action,
        default_errno_ret: profile.default_errno_ret,
        architectures: mapped.unwrap_or(profile.architectures),
        flags: profile.flags,
        listener_path: profile.listener_path,
        listener_metadata: profile.listener_metadata,
        syscalls,
    })
}

struct Host<'a> {
    caps: Vec<&'a str>,
    arch: Arch,
    kernel: Kernel,
}

impl Host<'_> {
    /// Go's name for it, which the profiles use. Docker asks for the engine's own architecture only.
    fn arch_name(&self) -> &'static str {
        match self.arch {
            Arch::X86_64 => "amd64",
            Arch::X86 => "x86",
            Arch::X32 => "x32",
            Arch::Aarch64 => "arm64",
            Arch::Arm => "arm",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "nullable")]
    architectures: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    arch_map: Vec<ArchMap>,
    #[serde(default, deserialize_with = "nullable")]
    flags: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    listener_path: String,
    #[serde(default, deserialize_with = "nullable")]
    listener_metadata: String,
    #[serde(default, deserialize_with = "nullable")]
    syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: String,
    #[serde(default, deserialize_with = "nullable")]
    sub_architectures: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    /// The older form.
    name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    names: Vec<String>,
    action: String,
    errno_ret: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    args: Vec<SeccompArg>,
    #[serde(deserialize_with = "nullable")]
    includes: Condition,
    #[serde(deserialize_with = "nullable")]
    excludes: Condition,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    #[serde(deserialize_with = "nullable")]
    caps: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    arches: Vec<String>,
    #[serde(deserialize_with = "kernel")]
    min_kernel: Option<Kernel>,
}

impl Rule {
    /// Every part of `includes` must hold (each capability, any architecture); of `excludes` none may.
    fn applies(&self, host: &Host<'_>) -> bool {
        let has_cap = |cap: &String| host.caps.contains(&cap.as_str());
        let is_arch = |arch: &String| arch == host.arch_name();
        let (includes, excludes) = (&self.includes, &self.excludes);
        includes.caps.iter().all(has_cap)
            && (includes.arches.is_empty() || includes.arches.iter().any(is_arch))
            && includes.min_kernel.is_none_or(|least| host.kernel >= least)
            && !excludes.caps.iter().any(has_cap)
            && !excludes.arches.iter().any(is_arch)
            && excludes.min_kernel.is_none_or(|least| host.kernel < least)
    }

    fn into_oci(self) -> SeccompSyscall {
        SeccompSyscall {
            names: self.names,
            action: self.action,
            errno_ret: self.errno_ret,
            args: self.args,
        }
    }
}

/// Go writes an empty list as null.
fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn kernel<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Kernel>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)?.filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    parse_kernel(&text)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no kernel version")))
}

/// `4.8`, and also `6.1.0-56-amd64` as uname gives it.
pub fn parse_kernel(release: &str) -> Option<Kernel> {
    let (major, rest) = release.split_once('.')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((major.parse().ok()?, rest[..end].parse().ok()?))
}

mod compact;
