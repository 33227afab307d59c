//! ipvlan, and links of 802.1q VLANs: on the guest's kernel, since a host need not have them.

use crate::engine::cgroup_v2::{self, START, shows};

#[test]
fn containers_are_on_ipvlan_links_and_on_vlans() {
    let script = r#"
ip link add up0 type dummy && ip link set up0 up || exit 8
both() { # the network's options
    g network create "$@" lan >/dev/null || return 1
    for name in one two; do g run -d --name $name --network lan busybox sleep 1000 >/dev/null || return 1; done
    two=$(g inspect -f '{{.NetworkSettings.Networks.lan.IPAddress}}' two)
    g exec one ping -c 1 -W 20 $two >/dev/null && echo -n "reached, " || echo -n "not reached, "
    g exec one ip route | grep default
}
none() { g rm -f one two >/dev/null; g network rm lan >/dev/null; }
for mode in l2 l3 l3s; do
    echo "ipvlan $mode: $(both -d ipvlan --subnet 10.218.0.0/24 -o parent=up0 -o ipvlan_mode=$mode)"
    none
done
g network create -d ipvlan --subnet 10.218.0.0/24 -o parent=up0 lan >/dev/null
g network create -d macvlan --subnet 10.220.0.0/24 -o parent=up0 other >/dev/null
g run -d --name one --network lan busybox sleep 1000 >/dev/null
g run --rm --network other busybox true 2>&1 | sed 's/^/two kinds: /'
g network rm other >/dev/null; none 2>/dev/null
for driver in macvlan ipvlan; do
    echo "vlan $driver: $(both -d $driver --subnet 10.219.0.0/24 -o parent=up0.10)"
    echo "vlan $driver: $(grep -o 'VID: [0-9]*' /proc/net/vlan/up0.10)"
    [ $driver = ipvlan ] || { kill -9 $engine; start; }
    none; [ -e /sys/class/net/up0.10 ] || echo "vlan $driver: gone"
done
ip link add link up0 name up0.20 type vlan id 20
g network create -d macvlan -o parent=up0.20 lan >/dev/null; g network rm lan
[ -e /sys/class/net/up0.20 ] && echo "own vlan: kept"
g network create -d macvlan -o parent=up0.4095 bad 2>&1 | sed 's/^/no vlan: /'
"#;
    let Some(guest) = cgroup_v2::guest("ipvlan and VLANs") else { return };
    let console = cgroup_v2::run(guest, &format!("{START}{script}"));
    shows(&console, "ipvlan l2: reached, default via 10.218.0.1 dev eth0");
    for mode in ["l3", "l3s"] {
        shows(&console, &format!("ipvlan {mode}: reached, default dev eth0 scope link"));
    }
    let busy =
        "failed to connect the container to network other: Device or resource busy (os error 16)";
    let said = format!("failed to set up container networking: {busy}.");
    shows(&console, &format!("two kinds: gantry: Error response from daemon: {said}"));
    for driver in ["macvlan", "ipvlan"] {
        shows(&console, &format!("vlan {driver}: reached, default via 10.219.0.1 dev eth0"));
        shows(&console, &format!("vlan {driver}: VID: 10"));
        shows(&console, &format!("vlan {driver}: gone"));
    }
    shows(&console, "own vlan: kept");
    let invalid = "invalid subinterface vlan name up0.4095, example formatting is eth0.10";
    shows(&console, &format!("no vlan: Error response from daemon: {invalid}"));
}
