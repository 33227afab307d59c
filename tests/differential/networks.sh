# The network commands.
docker network create
docker network create '' 2>&1 | sed 's/ *$//'
docker network create bridge
docker network create host
docker network create none
docker network create default
docker network create -d nosuch networks-x
docker network create -d null networks-x
docker network create -d host networks-x
docker network create -d overlay networks-x
docker network create --scope swarm networks-x
docker network create --ingress networks-x
docker network create --ipam-driver nosuch networks-x
docker network create --subnet 10.77.0.0/16 --subnet 10.77.0.0/24 networks-x
docker network create --subnet 10.77.0.1/16 networks-x
docker network create --subnet foo networks-x
docker network create --subnet foo --gateway 1.2.3.4 networks-x
docker network create --gateway 1.2.3.4 networks-x
docker network create --ip-range 10.77.0.0/24 networks-x
docker network create --subnet 10.77.0.0/16 --gateway 1.2.3.4 networks-x
docker network create --subnet 10.77.0.0/16 --gateway 10.77.0.1 --gateway 10.77.0.2 networks-x
docker network create --subnet 10.77.0.0/16 --subnet 10.78.0.0/16 --gateway 10.77.0.1 --gateway 10.77.0.2 networks-x
docker network create --subnet 10.77.0.0/16 --ip-range 10.78.0.0/24 networks-x
docker network create --subnet 10.77.0.0/16 --ip-range 10.77.0.1/24 networks-x
docker network create --subnet 10.77.0.0/16 --aux-address foo networks-x
docker network create --subnet 10.77.0.0/16 --aux-address a=1.2.3.4 networks-x
docker network create --subnet 10.77.0.0/16 --aux-address a=10.77.0.1 networks-x
docker network create -o com.docker.network.driver.mtu=abc networks-x
docker network create -o com.docker.network.bridge.enable_icc=maybe networks-x
docker network create -o com.docker.network.bridge.name=toolongbridgename0 networks-x
docker network create -d macvlan -o macvlan_mode=x networks-x
docker network create -d macvlan -o parent=lo networks-x
docker network create -d macvlan -o parent=nosuch0 networks-x
docker network create -d macvlan -o parent=nosuch0.10 networks-x
docker network create -d ipvlan -o parent=lo -o ipvlan_mode=x networks-x
docker network create -d ipvlan -o parent=lo -o ipvlan_flag=x networks-x
docker network create --label =a networks-x
docker network create --config-from nosuch networks-x
docker network create --subnet 10.77.0.0/16 --label a --label b=1 --opt foo=bar --opt baz networks-a; docker network create networks-a
docker network create --subnet 10.77.5.0/24 networks-x
docker network create --subnet 10.0.0.0/8 networks-x
docker network create --subnet 10.78.0.0/16 --ip-range 10.78.5.0/24 --gateway 10.78.5.254 --aux-address p=10.78.5.1 --internal --attachable networks-b
docker network inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{json .IPAM}} {{json .Labels}} {{json .Options}}' networks-a networks-b
docker network inspect -f '{{.Foo}}' networks-a
docker network inspect -v -f '{{.Name}}' networks-a
docker network inspect
docker inspect --type network -f '{{.Name}}' networks-a nosuch
docker inspect -f '{{.Name}}' networks-a
docker network ls --filter name=networks-
docker network ls -q --filter name=networks- | wc -c
docker network ls --no-trunc -q --filter name=networks- | wc -c
docker network ls --filter name=networks- --format '{{.Name}}|{{.Driver}}|{{.Scope}}|{{.IPv6}}|{{.Internal}}|{{.Label "b"}}'
docker network ls --filter name=networks- --format 'table {{.Name}}\t{{.Driver}}\t{{.Internal}}'
docker network ls --filter label=b=1 -q | wc -l
docker network ls --filter label=b=2 -q
docker network ls --filter type=builtin --format '{{.Name}} {{.Driver}}'
docker network ls --filter type=maybe
docker network ls --filter type=custom --filter name=networks- --format '{{.Name}}'
docker network ls --filter dangling=maybe
docker network ls --filter dangling=true --filter name=networks- --format '{{.Name}}'
docker network ls --filter driver=null --format '{{.Name}}'
docker network ls --filter nosuch=1
docker network ls extra
# Containers on them.
docker run --rm --network networks-a busybox ip -4 addr show eth0 | grep -o 'inet.*scope'
docker run --rm --network networks-a busybox ip route
docker run --rm --network networks-b busybox ip route
docker run --rm --network networks-a --ip 10.77.3.4 --mac-address 02:00:00:00:00:07 busybox sh -c 'ip addr show eth0 | grep -oE "link/ether [0-9a-f:]+|inet [0-9./]+"'
docker run --rm --network name=networks-a,ip=10.77.3.5,mac-address=02:00:00:00:00:08,alias=q busybox sh -c 'ip addr show eth0 | grep -oE "link/ether [0-9a-f:]+|inet [0-9./]+"'
docker run --rm --network networks-a --link-local-ip 169.254.7.7 busybox sh -c 'ip addr show eth0 | grep -oE "inet [0-9./]+"'
docker run --rm --network networks-a --ip 1.2.3.4 busybox true
docker run --rm --network networks-a --ip x busybox true
docker run --rm --network networks-a --ip 10.77.0.1 busybox true
docker run --rm --network networks-a --ip6 fd00::1 busybox true
# Docker adds that the bridge has no configured subnet, unless dockerd found it there when it started.
docker run --rm --ip 172.17.0.9 busybox true 2>&1 | grep -o 'user specified IP address is supported on user defined networks only'
docker run --rm --network-alias x busybox true
docker run --rm --mac-address zz busybox true
docker run --rm --network nosuch busybox true
docker run --rm --network name=networks-a,foo=b busybox true
docker run --rm --network alias=x busybox true
docker run --rm --network networks-a --network networks-a busybox true
docker run --rm --network networks-a --network bridge busybox true
docker run --rm --network name=networks-a,alias=q --network-alias x busybox true
docker run --rm --network networks-a --network networks-b busybox ip route
docker create --name networks-c --network networks-a --network-alias al busybox sleep 1000 | wc -c; docker inspect -f '{{json .NetworkSettings.Networks}} {{.HostConfig.NetworkMode}}' networks-c | tr , '\n' | sort
docker network rm networks-a; docker network create --subnet 10.77.0.0/16 networks-a | wc -c
docker start networks-c; docker inspect -f '{{json .NetworkSettings.Networks}}' networks-c | tr , '\n' | grep -v ID | sed 's/"[0-9a-f]\{12\}"/ID/' | sort
docker inspect -f '{{json .NetworkSettings.Networks}}' networks-c | grep -o 'DNSNames.*"al"'
docker network inspect -f '{{range .Containers}}{{.Name}} {{.MacAddress}} {{.IPv4Address}} {{.IPv6Address}}{{end}}' networks-a
docker network rm networks-a
docker network connect --alias x --ip 10.78.5.9 networks-b networks-c; docker exec networks-c ip route
docker network connect networks-b networks-c
docker network connect nosuch networks-c
docker network connect networks-b nosuch
docker network connect host networks-c
docker network connect none networks-c
docker network connect --ip 172.17.0.77 bridge networks-c 2>&1 | grep -o 'user specified IP address is supported on user defined networks only'
docker network connect --alias a bridge networks-c
docker network connect --driver-opt foo bridge networks-c
docker network connect networks-b
docker network disconnect networks-a networks-c
docker network disconnect nosuch networks-c
docker network disconnect networks-b nosuch
docker network disconnect -f networks-b nosuch
docker network disconnect host networks-c
docker network disconnect networks-b networks-c; docker exec networks-c ip route
docker network connect bridge networks-c; docker exec networks-c ip route | wc -l
docker inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{json $v.IPAMConfig}} {{json $v.DriverOpts}} {{json $v.DNSNames}}{{end}}' networks-c
docker run -d --name networks-d --network container:networks-c busybox sleep 1000 | wc -c; docker network connect networks-b networks-d
docker rm -f networks-d; docker run -d --name networks-d --network none busybox sleep 1000 | wc -c; docker network connect networks-b networks-d
docker rm -f networks-d networks-c
docker network rm
docker network rm nosuch networks-a
docker network rm -f nosuch
docker network rm bridge
docker network create --config-only --subnet 10.79.0.0/16 networks-conf | wc -c; docker network create --config-from networks-conf networks-y | wc -c; docker network inspect -f '{{json .IPAM}} {{json .ConfigFrom}} {{.ConfigOnly}}' networks-conf networks-y
docker network rm networks-conf; docker network rm networks-y; docker network rm networks-conf
docker network prune -f --filter foo=bar
docker network prune -f --filter until=maybe
docker network prune -f --filter label=networks-none
docker network prune extra
docker network rm networks-b
docker network create --ipv6 --subnet fd00:77::/64 networks-s | wc -c; docker run --rm --network networks-s busybox sh -c 'ip -6 addr show eth0 scope global | grep -o "inet6 [0-9a-f:/]*"; ip -6 route | grep -o "default via [0-9a-f:]*"'; docker network rm networks-s
# Configurations: what they may say, and what a network that takes one may add.
for flags in --internal --attachable '--scope local' --ingress '--config-from networks-none'; do docker network create --config-only $flags networks-o; done
docker network create --config-only --label a=b --subnet 10.78.1.0/24 networks-o | wc -c; docker network create --config-only -d host networks-q | wc -c; docker network inspect -f '{{.Driver}} {{.Scope}} {{.ConfigOnly}}' networks-q; docker network rm networks-q
for flags in --ipv6 '--label x=y' '--subnet 10.78.2.0/24' '-o a=b'; do docker network create --config-from networks-o $flags networks-q; done; docker network create --config-from bridge networks-q; docker network create --config-from networks-none networks-q
docker network create --config-from networks-o --internal networks-q | wc -c; docker network inspect -f '{{.Internal}} {{json .Labels}}' networks-q; docker run --rm --network networks-o busybox true; docker network rm networks-q networks-o
# Addresses that nobody may have; a list with nothing in it; name servers on the loopback.
docker network create --subnet 10.78.3.0/24 networks-o | wc -c; for ip in 10.78.3.0 10.78.3.255 10.78.3.1; do docker run --rm --network networks-o --ip $ip busybox true; done
docker create --name networks-c busybox true | wc -c; docker network connect --alias '' networks-o networks-c; docker inspect -f '{{json (index .NetworkSettings.Networks "networks-o").Aliases}}' networks-c; docker rm networks-c; docker network rm networks-o
docker run --rm --dns 10.0.0.1 --dns 127.0.0.53 --dns ::1 busybox true
