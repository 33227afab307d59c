//! What a network is, and what its driver's options mean. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ipam::Pool;

/// One network, complete: the engine keeps it in the network's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// 64 hex digits.
    pub id: String,
    pub name: String,
    pub driver: Driver,
    /// No way out, and none in.
    pub internal: bool,
    pub pools: Vec<Pool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Driver {
    Bridge(BridgeOptions),
    Macvlan(ParentOptions<MacvlanMode>),
    Ipvlan(ParentOptions<IpvlanMode>),
}

/// Options of driver `bridge`, by Docker's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeOptions {
    /// Of the bridge's link.
    pub name: String,
    /// 0 for the kernel's choice.
    pub mtu: u32,
    /// Whether containers of the network reach one another.
    pub icc: bool,
    pub masquerade: bool,
    /// The host has no IPv4 address on the bridge.
    pub inhibit_ipv4: bool,
    /// Where ports are published unless a container says where.
    pub host_binding: Option<IpAddr>,
    pub mode_ipv4: GatewayMode,
    pub mode_ipv6: GatewayMode,
    /// Of links in containers.
    pub link_prefix: String,
    /// Where containers send to what is for elsewhere, where that is not the bridge (`--default-gateway`).
    #[serde(default)]
    pub routers: Vec<IpAddr>,
}

/// How a bridge's containers and the world outside meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatewayMode {
    /// By the host's address.
    #[default]
    Nat,
    /// As `Nat`, and every port of every container is open to whoever routes to it.
    NatUnprotected,
    /// By their own addresses; published ports are open.
    Routed,
    /// Not at all: the host itself has no address there.
    Isolated,
}

/// Options of the drivers that put containers on a link of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentOptions<M> {
    /// The host's link, `eth0`, or a VLAN of one, `eth0.10`, made if it is missing. Empty for a link of the engine's own
    /// that leads nowhere.
    pub parent: String,
    pub mode: M,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MacvlanMode {
    #[default]
    Bridge,
    Private,
    Vepa,
    Passthru,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpvlanMode {
    pub layer: IpvlanLayer,
    pub flag: IpvlanFlag,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvlanLayer {
    #[default]
    L2,
    L3,
    L3s,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvlanFlag {
    #[default]
    Bridge,
    Private,
    Vepa,
}

/// An option whose value means nothing, in Docker's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidOption(String);

const MTU: &str = "com.docker.network.driver.mtu";

/// The longest name a link may have.
const LONGEST_NAME: usize = 15;

impl Driver {
    /// Reads the options of the driver; those it does not know mean nothing, as in Docker.
    ///
    /// # Errors
    /// The driver or the option that is none.
    pub fn parse(
        driver: &str,
        id: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, InvalidOption> {
        let get = |key: &str| options.get(key).map(String::as_str).filter(|text| !text.is_empty());
        match driver {
            "bridge" => bridge_options(id, options).map(Self::Bridge),
            "macvlan" => {
                let mode = macvlan_mode(get("macvlan_mode").unwrap_or("bridge"))?;
                Ok(Self::Macvlan(ParentOptions { parent: parent("macvlan", get("parent"))?, mode }))
            }
            "ipvlan" => {
                let layer = ipvlan_layer(get("ipvlan_mode").unwrap_or("l2"))?;
                let flag = ipvlan_flag(get("ipvlan_flag").unwrap_or("bridge"))?;
                let mode = IpvlanMode { layer, flag };
                Ok(Self::Ipvlan(ParentOptions { parent: parent("ipvlan", get("parent"))?, mode }))
            }
            other => Err(InvalidOption(format!("plugin {other:?} not found"))),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Bridge(_) => "bridge",
            Self::Macvlan(_) => "macvlan",
            Self::Ipvlan(_) => "ipvlan",
        }
    }
}

impl BridgeOptions {
    /// Of a network without options.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            mtu: 0,
            icc: true,
            masquerade: true,
            inhibit_ipv4: false,
            host_binding: None,
            mode_ipv4: GatewayMode::Nat,
            mode_ipv6: GatewayMode::Nat,
            link_prefix: "eth".into(),
            routers: Vec::new(),
        }
    }

    pub(crate) fn mode(&self, is_ipv4: bool) -> GatewayMode {
        if is_ipv4 { self.mode_ipv4 } else { self.mode_ipv6 }
    }

    /// Whether the host has the gateway's address of that family on the bridge.
    pub(crate) fn has_gateway(&self, is_ipv4: bool) -> bool {
        self.mode(is_ipv4) != GatewayMode::Isolated && !(is_ipv4 && self.inhibit_ipv4)
    }
}

/// Docker's name for the bridge of a network.
fn bridge_name(id: &str) -> String {
    format!("br-{}", id.get(..12).unwrap_or(id))
}

fn bridge_options(
    id: &str,
    options: &BTreeMap<String, String>,
) -> Result<BridgeOptions, InvalidOption> {
    let mut parsed = BridgeOptions::new(bridge_name(id));
    for (key, value) in options {
        let invalid =
            |why: String| InvalidOption(format!("failed to parse {key} value: {value} ({why})"));
        match key.as_str() {
            "com.docker.network.bridge.name" if !value.is_empty() => {
                parsed.name = link_name(value)?.to_owned();
            }
            MTU => parsed.mtu = mtu(value)?,
            "com.docker.network.bridge.enable_icc" => {
                parsed.icc = boolean(value).map_err(invalid)?;
            }
            "com.docker.network.bridge.enable_ip_masquerade" => {
                parsed.masquerade = boolean(value).map_err(invalid)?;
            }
            "com.docker.network.bridge.inhibit_ipv4" => {
                parsed.inhibit_ipv4 = boolean(value).map_err(invalid)?;
            }
            "com.docker.network.bridge.host_binding_ipv4" => {
                let ip = value.parse().map_err(|_| invalid("nil ip".into()))?;
                parsed.host_binding = Some(ip);
            }
            "com.docker.network.bridge.gateway_mode_ipv4" => {
                parsed.mode_ipv4 = gateway_mode(value).map_err(invalid)?;
            }
            "com.docker.network.bridge.gateway_mode_ipv6" => {
                parsed.mode_ipv6 = gateway_mode(value).map_err(invalid)?;
            }
            "com.docker.network.container_iface_prefix" => {
                parsed.link_prefix = link_name(value)?.to_owned();
            }
            _ => {}
        }
    }
    Ok(parsed)
}

fn parent(driver: &str, name: Option<&str>) -> Result<String, InvalidOption> {
    match name {
        None => Ok(String::new()),
        Some("lo") => {
            let why = format!("loopback interface is not a valid {driver} parent link");
            Err(InvalidOption(why))
        }
        Some(name) => link_name(name).map(str::to_owned),
    }
}

/// Whether a link may be called so.
pub fn check_link_name(name: &str) -> Result<(), InvalidOption> {
    link_name(name).map(drop)
}

/// What the kernel takes for a link's name. Names end up in paths below /proc/sys.
fn link_name(name: &str) -> Result<&str, InvalidOption> {
    let is_bad = |byte: u8| byte == b'/' || byte == b':' || byte.is_ascii_whitespace() || byte == 0;
    if name.len() > LONGEST_NAME {
        return Err(InvalidOption("numerical result out of range".into()));
    }
    if name.is_empty() || matches!(name, "." | ".." | "all" | "default") || name.bytes().any(is_bad)
    {
        return Err(InvalidOption(format!("invalid link name {name:?}")));
    }
    Ok(name)
}

/// Go's `strconv.ParseBool`.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

fn mtu(text: &str) -> Result<u32, InvalidOption> {
    let number: i64 = text.parse().map_err(|_| {
        let why = format!("strconv.Atoi: parsing {text:?}: invalid syntax");
        InvalidOption(format!("failed to parse {MTU} value: {text} ({why})"))
    })?;
    // The most that an IP packet has.
    u32::try_from(number)
        .ok()
        .filter(|mtu| *mtu <= 65535)
        .ok_or_else(|| InvalidOption(format!("invalid MTU number: {number}")))
}

fn gateway_mode(text: &str) -> Result<GatewayMode, String> {
    match text {
        "" | "nat" => Ok(GatewayMode::Nat),
        "nat-unprotected" => Ok(GatewayMode::NatUnprotected),
        "routed" => Ok(GatewayMode::Routed),
        "isolated" => Ok(GatewayMode::Isolated),
        _ => Err("unknown gateway mode".into()),
    }
}

fn macvlan_mode(text: &str) -> Result<MacvlanMode, InvalidOption> {
    match text {
        "bridge" => Ok(MacvlanMode::Bridge),
        "private" => Ok(MacvlanMode::Private),
        "vepa" => Ok(MacvlanMode::Vepa),
        "passthru" => Ok(MacvlanMode::Passthru),
        _ => Err(InvalidOption(format!(
            "requested macvlan mode '{text}' is not valid, 'bridge' mode is the macvlan driver default"
        ))),
    }
}

fn ipvlan_layer(text: &str) -> Result<IpvlanLayer, InvalidOption> {
    match text {
        "l2" => Ok(IpvlanLayer::L2),
        "l3" => Ok(IpvlanLayer::L3),
        "l3s" => Ok(IpvlanLayer::L3s),
        _ => Err(InvalidOption(format!(
            "requested ipvlan mode '{text}' is not valid, 'l2' mode is the ipvlan driver default"
        ))),
    }
}

fn ipvlan_flag(text: &str) -> Result<IpvlanFlag, InvalidOption> {
    match text {
        "bridge" => Ok(IpvlanFlag::Bridge),
        "private" => Ok(IpvlanFlag::Private),
        "vepa" => Ok(IpvlanFlag::Vepa),
        _ => Err(InvalidOption(format!(
            "requested ipvlan flag '{text}' is not valid, 'bridge' is the ipvlan driver default"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef";

    fn parse(driver: &str, options: &[(&str, &str)]) -> Result<Driver, String> {
        let options = options.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Driver::parse(driver, ID, &options).map_err(|error| error.to_string())
    }

    fn bridge(options: &[(&str, &str)]) -> BridgeOptions {
        match parse("bridge", options).expect("options") {
            Driver::Bridge(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bridge_without_options_has_dockers_defaults() {
        let options = bridge(&[("foo", "bar")]);
        assert_eq!(options, BridgeOptions::new("br-0123456789ab"));
        assert!(options.icc && options.masquerade && options.has_gateway(true));
    }

    #[test]
    fn options_of_a_bridge() {
        let options = bridge(&[
            ("com.docker.network.bridge.name", "br7"),
            ("com.docker.network.driver.mtu", "1400"),
            ("com.docker.network.bridge.enable_icc", "false"),
            ("com.docker.network.bridge.enable_ip_masquerade", "0"),
            ("com.docker.network.bridge.gateway_mode_ipv4", "routed"),
            ("com.docker.network.bridge.gateway_mode_ipv6", "isolated"),
            ("com.docker.network.bridge.host_binding_ipv4", "127.0.0.1"),
            ("com.docker.network.container_iface_prefix", "lan"),
        ]);
        assert_eq!((options.name.as_str(), options.mtu), ("br7", 1400));
        assert!(!options.icc && !options.masquerade);
        assert_eq!(options.mode(true), GatewayMode::Routed);
        assert!(options.has_gateway(true) && !options.has_gateway(false));
        assert_eq!(options.host_binding, Some([127, 0, 0, 1].into()));
        assert_eq!(options.link_prefix, "lan");
        let inhibited = bridge(&[("com.docker.network.bridge.inhibit_ipv4", "true")]);
        assert!(!inhibited.has_gateway(true) && inhibited.has_gateway(false));
    }

    #[test]
    fn what_means_nothing_is_refused_in_dockers_words() {
        for (key, value, words) in [
            (
                MTU,
                "abc",
                "failed to parse com.docker.network.driver.mtu value: abc (strconv.Atoi: parsing \"abc\": invalid syntax)",
            ),
            (MTU, "-1", "invalid MTU number: -1"),
            (
                "com.docker.network.bridge.enable_icc",
                "maybe",
                "failed to parse com.docker.network.bridge.enable_icc value: maybe (strconv.ParseBool: parsing \"maybe\": invalid syntax)",
            ),
            (
                "com.docker.network.bridge.name",
                "toolongbridgename0",
                "numerical result out of range",
            ),
            ("com.docker.network.bridge.name", "../x", "invalid link name \"../x\""),
            ("com.docker.network.bridge.name", "..", "invalid link name \"..\""),
            (
                "com.docker.network.bridge.gateway_mode_ipv4",
                "x",
                "failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: x (unknown gateway mode)",
            ),
            (
                "com.docker.network.bridge.host_binding_ipv4",
                "x",
                "failed to parse com.docker.network.bridge.host_binding_ipv4 value: x (nil ip)",
            ),
        ] {
            assert_eq!(parse("bridge", &[(key, value)]).unwrap_err(), words);
        }
        assert_eq!(parse("nosuch", &[]).unwrap_err(), "plugin \"nosuch\" not found");
    }

    #[test]
    fn parents_and_modes() {
        let options = [("parent", "eth0.10"), ("macvlan_mode", "private")];
        let expected = ParentOptions { parent: "eth0.10".into(), mode: MacvlanMode::Private };
        assert_eq!(parse("macvlan", &options), Ok(Driver::Macvlan(expected)));
        let mode = IpvlanMode { layer: IpvlanLayer::L3s, flag: IpvlanFlag::Vepa };
        let expected = ParentOptions { parent: String::new(), mode };
        let options = [("ipvlan_mode", "l3s"), ("ipvlan_flag", "vepa")];
        assert_eq!(parse("ipvlan", &options), Ok(Driver::Ipvlan(expected)));
        assert!(
            parse("macvlan", &[("macvlan_mode", "x")]).unwrap_err().contains("'x' is not valid")
        );
        assert!(parse("macvlan", &[("parent", "lo")]).unwrap_err().contains("loopback"));
        assert!(parse("ipvlan", &[("ipvlan_mode", "x")]).is_err());
    }
}
