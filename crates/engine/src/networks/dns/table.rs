//! Who has which name on which network, and what a question means for the container that asks it. Pure.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A container that runs, as others find it and as it asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Its user-defined networks, in the order in which they are asked.
    pub endpoints: Vec<Endpoint>,
    /// Whether a network of it leads out: without one nothing is asked elsewhere (CVE-2024-29018).
    pub leads_out: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The network's id.
    pub network: String,
    pub network_name: String,
    /// The container's own is the first.
    pub names: Vec<String>,
    pub addresses: Vec<IpAddr>,
    /// What it calls others there: alias and name.
    pub links: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ipv4,
    Ipv6,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// In lower case, without the dot at its end.
    Name(String, Kind),
    /// By whom an address is had.
    Address(IpAddr),
    /// What no container's name can answer.
    Foreign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// All of one kind, at least one.
    Addresses(Vec<IpAddr>),
    /// The name of an address.
    Pointer(String),
    /// The name is a container's, and has nothing of that kind.
    Nothing,
    /// To be asked elsewhere.
    Elsewhere,
    /// To be asked nowhere.
    Unanswerable,
}

/// How a container asks, beside the networks it is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// It completes names without a dot itself (`ndots`): they are not asked elsewhere before that.
    pub completes_names: bool,
}

#[derive(Debug, Default)]
pub struct Table {
    zones: HashMap<String, Zone>,
    present: HashMap<String, Arc<Presence>>,
}

/// One network's names.
#[derive(Debug, Default)]
struct Zone {
    /// In lower case; several containers may share one.
    addresses: HashMap<String, Vec<Holder>>,
    /// As they are written.
    names: HashMap<IpAddr, String>,
}

#[derive(Debug)]
struct Holder {
    container: String,
    addresses: Vec<IpAddr>,
}

impl Table {
    /// Puts the container in the place of what it was; `None` where it does not run.
    pub fn set(&mut self, container: &str, presence: Option<Presence>) {
        if self.present.get(container).map(Arc::as_ref) == presence.as_ref() {
            return;
        }
        if let Some(before) = self.present.remove(container) {
            before.endpoints.iter().for_each(|endpoint| self.take_out(container, endpoint));
        }
        if let Some(now) = presence {
            now.endpoints.iter().for_each(|endpoint| self.put_in(container, endpoint));
            self.present.insert(container.to_owned(), Arc::new(now));
        }
    }

    pub fn is_present(&self, container: &str) -> bool {
        self.present.contains_key(container)
    }

    /// What the question means for the container. `turn` is another one each time: addresses of several containers
    /// change places with it.
    pub fn meaning(
        &self,
        container: &str,
        question: &Question,
        manners: Manners,
        turn: usize,
    ) -> Meaning {
        let Some(asker) = self.present.get(container) else { return Meaning::Unanswerable };
        let known = match question {
            Question::Name(name, kind) => self.named(asker, name, *kind, turn),
            Question::Address(ip) => self.name_of(asker, *ip).map(Meaning::Pointer),
            Question::Foreign => None,
        };
        known.unwrap_or_else(|| elsewhere(asker, question, manners))
    }

    /// `a.b.c` is a name on any network, or `a.b` on network `c`, or `a` on network `b.c`.
    fn named(&self, asker: &Presence, name: &str, kind: Kind, turn: usize) -> Option<Meaning> {
        let splits = std::iter::once((name, None))
            .chain(name.rmatch_indices('.').map(|(dot, _)| (&name[..dot], Some(&name[dot + 1..]))));
        for (name, network) in splits {
            let on = |endpoint: &&Endpoint| {
                network.is_none_or(|network| endpoint.network_name.eq_ignore_ascii_case(network))
            };
            let endpoints = || asker.endpoints.iter().filter(on);
            let found = endpoints()
                .find_map(|endpoint| self.linked(endpoint, name))
                .or_else(|| endpoints().find_map(|endpoint| self.held(endpoint, name)));
            if let Some(addresses) = found {
                return Some(chosen(addresses, kind, turn));
            }
        }
        None
    }

    fn linked(&self, endpoint: &Endpoint, alias: &str) -> Option<Vec<IpAddr>> {
        let is_it = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(alias);
        let (_, name) = endpoint.links.iter().find(is_it)?;
        self.held(endpoint, &name.to_ascii_lowercase())
    }

    fn held(&self, endpoint: &Endpoint, name: &str) -> Option<Vec<IpAddr>> {
        let holders = self.zones.get(&endpoint.network)?.addresses.get(name)?;
        Some(holders.iter().flat_map(|holder| &holder.addresses).copied().collect())
    }

    fn name_of(&self, asker: &Presence, ip: IpAddr) -> Option<String> {
        asker.endpoints.iter().find_map(|endpoint| {
            let name = self.zones.get(&endpoint.network)?.names.get(&ip)?;
            Some(format!("{name}.{}", endpoint.network_name))
        })
    }

    fn put_in(&mut self, container: &str, endpoint: &Endpoint) {
        let zone = self.zones.entry(endpoint.network.clone()).or_default();
        for name in keys(endpoint) {
            let holder =
                Holder { container: container.to_owned(), addresses: endpoint.addresses.clone() };
            zone.addresses.entry(name).or_default().push(holder);
        }
        if let Some(own) = endpoint.names.first() {
            zone.names.extend(endpoint.addresses.iter().map(|ip| (*ip, own.clone())));
        }
    }

    fn take_out(&mut self, container: &str, endpoint: &Endpoint) {
        let Some(zone) = self.zones.get_mut(&endpoint.network) else { return };
        for name in keys(endpoint) {
            if let Some(holders) = zone.addresses.get_mut(&name) {
                holders.retain(|holder| holder.container != container);
                if holders.is_empty() {
                    zone.addresses.remove(&name);
                }
            }
        }
        for ip in &endpoint.addresses {
            zone.names.remove(ip);
        }
        if zone.addresses.is_empty() {
            self.zones.remove(&endpoint.network);
        }
    }
}

/// Each once, although some differ in case only.
fn keys(endpoint: &Endpoint) -> impl Iterator<Item = String> {
    let mut keys: Vec<String> = endpoint.names.iter().map(|name| name.to_lowercase()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
}

/// Those of the kind, each first in its turn.
fn chosen(addresses: Vec<IpAddr>, kind: Kind, turn: usize) -> Meaning {
    let is_wanted = |ip: &IpAddr| match kind {
        Kind::Ipv4 => ip.is_ipv4(),
        Kind::Ipv6 => ip.is_ipv6(),
        Kind::Other => false,
    };
    let mut chosen: Vec<IpAddr> = addresses.into_iter().filter(is_wanted).collect();
    if chosen.is_empty() {
        return Meaning::Nothing;
    }
    let first = turn % chosen.len();
    chosen.rotate_left(first);
    Meaning::Addresses(chosen)
}

fn elsewhere(asker: &Presence, question: &Question, manners: Manners) -> Meaning {
    let is_short =
        matches!(question, Question::Name(name, Kind::Ipv4 | Kind::Ipv6) if !name.contains('.'));
    match asker.leads_out {
        _ if is_short && manners.completes_names => Meaning::Nothing,
        true => Meaning::Elsewhere,
        false => Meaning::Unanswerable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn on(network: &str, names: &[&str], addresses: &[&str]) -> Endpoint {
        Endpoint {
            network: format!("id-{network}"),
            network_name: network.into(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            addresses: addresses.iter().map(|text| ip(text)).collect(),
            links: Vec::new(),
        }
    }

    fn present(endpoints: &[Endpoint]) -> Option<Presence> {
        Some(Presence { endpoints: endpoints.to_vec(), leads_out: true })
    }

    /// `db` on network `back`, `web` on `front` and `back`, `other` on `front`.
    fn table() -> Table {
        let mut table = Table::default();
        let db = on("back", &["db", "pool"], &["10.0.1.2", "fd01::2"]);
        let spare = on("back", &["Spare", "pool"], &["10.0.1.3"]);
        let web = [on("front", &["web"], &["10.0.0.2"]), on("back", &["web"], &["10.0.1.4"])];
        table.set("db", present(&[db]));
        table.set("spare", present(&[spare]));
        table.set("web", present(&web));
        table.set("other", present(&[on("front", &["other"], &["10.0.0.3"])]));
        table
    }

    fn name(text: &str) -> Question {
        Question::Name(text.into(), Kind::Ipv4)
    }

    fn ask(table: &Table, asker: &str, question: &Question) -> Meaning {
        table.meaning(asker, question, Manners::default(), 0)
    }

    fn addresses(list: &[&str]) -> Meaning {
        Meaning::Addresses(list.iter().map(|text| ip(text)).collect())
    }

    #[test]
    fn names_are_those_of_the_askers_networks() {
        let table = table();
        assert_eq!(ask(&table, "web", &name("db")), addresses(&["10.0.1.2"]));
        assert_eq!(ask(&table, "other", &name("db")), Meaning::Elsewhere);
        assert_eq!(ask(&table, "other", &name("web")), addresses(&["10.0.0.2"]));
        assert_eq!(ask(&table, "db", &name("web")), addresses(&["10.0.1.4"]));
        assert_eq!(ask(&table, "nobody", &name("web")), Meaning::Unanswerable);
    }

    #[test]
    fn case_does_not_count() {
        assert_eq!(ask(&table(), "web", &name("spare")), addresses(&["10.0.1.3"]));
    }

    #[test]
    fn a_name_may_be_followed_by_its_network() {
        let table = table();
        assert_eq!(ask(&table, "web", &name("web.back")), addresses(&["10.0.1.4"]));
        assert_eq!(ask(&table, "web", &name("web")), addresses(&["10.0.0.2"]));
        assert_eq!(ask(&table, "other", &name("web.back")), Meaning::Elsewhere);
        let mut dotted = Table::default();
        dotted.set("a", present(&[on("x.y", &["h.dom"], &["10.0.0.9"])]));
        for known in ["h.dom", "h.dom.x.y"] {
            assert_eq!(ask(&dotted, "a", &name(known)), addresses(&["10.0.0.9"]), "{known}");
        }
    }

    #[test]
    fn a_shared_name_has_all_addresses_in_turns() {
        let table = table();
        let turn = |turn| table.meaning("web", &name("pool"), Manners::default(), turn);
        assert_eq!(turn(0), addresses(&["10.0.1.2", "10.0.1.3"]));
        assert_eq!(turn(1), addresses(&["10.0.1.3", "10.0.1.2"]));
        assert_eq!(turn(2), turn(0));
    }

    #[test]
    fn what_a_container_does_not_have_is_not_asked_elsewhere() {
        let table = table();
        let ask = |name: &str, kind| ask(&table, "web", &Question::Name(name.into(), kind));
        assert_eq!(ask("db", Kind::Ipv6), addresses(&["fd01::2"]));
        assert_eq!(ask("spare", Kind::Ipv6), Meaning::Nothing);
        assert_eq!(ask("db", Kind::Other), Meaning::Nothing);
        assert_eq!(ask("example.org", Kind::Other), Meaning::Elsewhere);
    }

    #[test]
    fn links_are_the_askers_own_names_for_others() {
        let mut table = table();
        let mut linked = on("back", &["linked"], &["10.0.1.9"]);
        linked.links = vec![("Store".into(), "DB".into()), ("web".into(), "spare".into())];
        table.set("linked", present(&[linked]));
        assert_eq!(ask(&table, "linked", &name("store")), addresses(&["10.0.1.2"]));
        assert_eq!(ask(&table, "linked", &name("store.back")), addresses(&["10.0.1.2"]));
        assert_eq!(ask(&table, "linked", &name("web")), addresses(&["10.0.1.3"]));
        assert_eq!(ask(&table, "web", &name("store")), Meaning::Elsewhere);
        table.set("db", None);
        assert_eq!(ask(&table, "linked", &name("store")), Meaning::Elsewhere);
    }

    #[test]
    fn addresses_have_names_on_the_askers_networks() {
        let table = table();
        let ask = |asker, text| ask(&table, asker, &Question::Address(ip(text)));
        assert_eq!(ask("web", "10.0.1.3"), Meaning::Pointer("Spare.back".into()));
        assert_eq!(ask("web", "fd01::2"), Meaning::Pointer("db.back".into()));
        assert_eq!(ask("other", "10.0.1.3"), Meaning::Elsewhere);
    }

    #[test]
    fn cve_2024_29018_nothing_is_asked_outside_of_internal_networks() {
        let mut table = Table::default();
        let inside = on("inside", &["a"], &["10.0.0.2"]);
        table.set("a", Some(Presence { endpoints: vec![inside], leads_out: false }));
        assert_eq!(ask(&table, "a", &name("a")), addresses(&["10.0.0.2"]));
        for question in
            [name("example.org"), name("x"), Question::Foreign, Question::Address(ip("1.2.3.4"))]
        {
            assert_eq!(ask(&table, "a", &question), Meaning::Unanswerable);
        }
    }

    #[test]
    fn who_completes_names_is_told_that_a_short_one_is_unknown() {
        let table = table();
        let manners = Manners { completes_names: true };
        let ask = |text: &str| table.meaning("web", &name(text), manners, 0);
        assert_eq!(ask("nobody"), Meaning::Nothing);
        assert_eq!(ask("nobody.example"), Meaning::Elsewhere);
        assert_eq!(ask("db"), addresses(&["10.0.1.2"]));
    }

    #[test]
    fn names_come_and_go() {
        let mut table = table();
        table.set("db", present(&[on("back", &["store", "pool"], &["10.0.1.2"])]));
        assert_eq!(ask(&table, "web", &name("db")), Meaning::Elsewhere);
        assert_eq!(ask(&table, "web", &name("store")), addresses(&["10.0.1.2"]));
        table.set("spare", None);
        assert_eq!(ask(&table, "web", &name("pool")), addresses(&["10.0.1.2"]));
        assert_eq!(ask(&table, "web", &Question::Address(ip("10.0.1.3"))), Meaning::Elsewhere);
        for container in ["db", "web", "other"] {
            table.set(container, None);
        }
        assert!(table.zones.is_empty() && table.present.is_empty());
    }
}
