# Networks as containers have them: what inspect says, names, hosts, filters and formats of the lists.
docker network create --subnet 10.81.0.0/16 --gateway 10.81.0.1 --label tier=front attachments-front | wc -c
docker network create --subnet 10.82.0.0/16 --internal --label tier=back attachments-back | wc -c
docker network create --subnet 10.83.0.0/16 --ipv6 --subnet fd00:83::/64 attachments-dual | wc -c
docker network create --subnet 10.81.0.0/16 attachments-front
docker network create --subnet 10.81.128.0/17 attachments-overlap
docker network create --subnet 10.80.0.0/12 attachments-overlap
docker network create --subnet fd00:83::/64 --ipv6 attachments-overlap
docker network create --subnet fd00:83::/48 --ipv6 attachments-overlap
docker network create --subnet 10.84.0.0/16 --subnet 10.85.0.0/16 attachments-two
docker network create --subnet 10.84.0.0/33 attachments-bad
docker network create --subnet 10.84.0.0 attachments-bad
docker network create --subnet fd00:84::1/64 --ipv6 attachments-bad
docker network create --subnet 10.84.0.0/16 --gateway fd00::1 attachments-bad
docker network create --subnet 10.84.0.0/16 --ip-range fd00::/64 attachments-bad
docker network create --subnet 10.84.0.0/16 --ip-range 10.0.0.0/8 attachments-bad
docker network create --subnet 10.84.0.0/16 --ip-range foo attachments-bad
docker network create --subnet 10.84.0.0/16 --gateway foo attachments-bad
docker network create --subnet 10.84.0.0/16 --aux-address a=foo attachments-bad
docker network create --subnet 10.84.0.0/16 --aux-address a=10.84.0.5 --aux-address b=10.84.0.5 attachments-bad 2>&1 | sed 's/([ab]:/(NAME:/'
docker network create --subnet 10.84.0.0/16 --aux-address a=10.84.0.5 --aux-address a=10.84.0.6 attachments-aux | wc -c; docker network inspect -f '{{json .IPAM.Config}}' attachments-aux; docker network rm attachments-aux
docker network create --subnet 10.84.0.0/16 --gateway 10.84.0.0 attachments-bad
docker network create --subnet 10.84.0.0/30 attachments-tiny | wc -c; docker run --rm --network attachments-tiny busybox true; docker run -d --name attachments-only --network attachments-tiny busybox sleep 1000 | wc -c; docker run --rm --network attachments-tiny busybox true; docker rm -f attachments-only; docker network rm attachments-tiny
docker network create --driver bridge --opt com.docker.network.bridge.name=attbr0 --opt com.docker.network.driver.mtu=1400 attachments-named | wc -c; docker run --rm --network attachments-named busybox cat /sys/class/net/eth0/mtu
docker network create --opt com.docker.network.bridge.name=attbr0 attachments-bad
docker network inspect -f '{{json .Options}}' attachments-named; docker network rm attachments-named
docker network create --opt com.docker.network.driver.mtu=-1 attachments-bad
docker network create --label attachments-bad
docker network create one two
docker network create --nosuch attachments-bad
docker network create --ipam-opt a=b attachments-opt | wc -c; docker network inspect -f '{{json .IPAM.Options}} {{.IPAM.Driver}}' attachments-opt; docker network rm attachments-opt
docker network create --internal --attachable --subnet 10.86.0.0/16 attachments-flags | wc -c; docker network inspect -f '{{.Internal}} {{.Attachable}} {{.Ingress}} {{.EnableIPv6}} {{.Scope}}' attachments-flags; docker network rm attachments-flags
# Lists. Newer clients show `IPv4` too.
docker network ls --filter name=attachments- --format '{{.Name}} {{.Driver}} {{.Scope}}'
docker network ls --filter name=attachments-fr --format '{{.Name}}'
docker network ls --filter name=^attachments-front$ --format '{{.Name}}'
docker network ls --filter name=attachments --filter label=tier --format '{{.Name}}'
docker network ls --filter label=tier=back --format '{{.Name}}|{{.Labels}}' | tr , '\n' | sort
docker network ls --filter label=tier=back --filter label=tier --format '{{.Name}}'
docker network ls --filter label=tier=front --filter label=empty --format '{{.Name}}'
docker network ls --filter label=tier=front --format '{{json .}}' | sed 's/"IPv4":"true",//; s/"ID":"[^"]*"/"ID":"x"/; s/"CreatedAt":"[^"]*"/"CreatedAt":"x"/'
docker network ls --filter label=tier=front --format json | sed 's/"IPv4":"true",//; s/"ID":"[^"]*"/"ID":"x"/; s/"CreatedAt":"[^"]*"/"CreatedAt":"x"/'
docker network ls --filter label=tier=front --format '{{.CreatedAt}}' | wc -w
docker network ls --filter label=tier=front --format '{{.Nosuch}}'
docker network ls --filter label=tier=front --format '{{.Name'
docker network ls --filter label=tier=front --format table
docker network ls --filter label=tier=front --format raw
docker network ls -q --filter label=tier=front --format raw
docker network ls --filter driver=bridge --filter label=tier --format '{{.Name}}'
docker network ls --filter driver=nosuch --format '{{.Name}}'
docker network ls --filter scope=local --filter label=tier --format '{{.Name}}'
docker network ls --filter scope=global --format '{{.Name}}'
docker network ls --filter scope=maybe --format '{{.Name}}'
docker network ls --filter type=builtin --format '{{.Name}}' | sort
docker network ls --filter id=zzz -q
docker network ls --filter id=$(docker network ls -q --filter label=tier=front) --format '{{.Name}}'
docker network ls --filter name
docker network ls --filter dangling=true --filter label=tier --format '{{.Name}}'
docker network ls --filter dangling=false --filter label=tier --format '{{.Name}}'
docker network ls --no-trunc --filter label=tier=front --format '{{.ID}}' | wc -c
docker network list --filter label=tier=front --format '{{.Name}}'
docker network inspect attachments-front | sed '/EnableIPv4/d; s/"Id": "[^"]*"/"Id": "x"/'
docker network inspect --format json attachments-back | sed 's/"EnableIPv4":true,//; s/"Id":"[^"]*"/"Id":"x"/'
docker network inspect --format '{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{end}}' attachments-front attachments-dual | wc -w
docker network inspect nosuch
docker network inspect attachments-front nosuch --format '{{.Name}}'
docker network inspect -f '{{.Name' attachments-front
docker network inspect --verbose attachments-front | grep -c Services
docker network inspect $(docker network ls -q --filter label=tier=front | cut -c 1-5) -f '{{.Name}}'
docker network inspect bridge -f '{{.Name}} {{.Driver}} {{json .Labels}} {{.IPAM.Driver}} {{json .Options}}' | sed 's/"com.docker.network.bridge.name":"[^"]*"/NAME/'
docker network inspect host none -f '{{.Name}} {{.Driver}} {{.Scope}} {{json .IPAM}} {{json .Options}} {{json .Labels}}'
# Containers on several networks, in the long and in the short form.
docker run -d --name attachments-a --network attachments-front --network-alias web --network-alias www --ip 10.81.0.9 --mac-address 02:00:00:00:81:09 --hostname ahost busybox sleep 1000 | wc -c
docker inspect -f '{{json .NetworkSettings.Networks}}' attachments-a | tr , '\n' | sed 's/[0-9a-f]\{12,64\}/ID/' | sort
docker inspect -f '{{.HostConfig.NetworkMode}}|{{.Config.MacAddress}}|{{.Config.Hostname}}' attachments-a
docker inspect -f '{{.NetworkSettings.IPAddress}}|{{.NetworkSettings.Gateway}}|{{.NetworkSettings.MacAddress}}|{{.NetworkSettings.IPPrefixLen}}|{{.NetworkSettings.Bridge}}|{{json .NetworkSettings.Ports}}|{{.NetworkSettings.HairpinMode}}' attachments-a
docker inspect -f '{{len .NetworkSettings.SandboxID}} {{.NetworkSettings.SandboxKey}}' attachments-a | sed 's/ .*/ KEY/'
docker run -d --name attachments-b --network name=attachments-back,alias=db,ip=10.82.0.7 --network name=attachments-front,alias=data,ip=10.81.0.8 busybox sleep 1000 | wc -c
docker inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{json $v.IPAMConfig}} {{json $v.Aliases}} {{$v.IPAddress}} {{$v.Gateway}} {{$v.IPPrefixLen}}
{{end}}' attachments-b
docker exec attachments-b ip route | sed 's/dev eth[0-9] */dev E /' | sort
docker exec attachments-b ip -4 -o addr show | awk '{print $4}' | sort
docker exec attachments-b sed -n '/attachments-b\|10.8/p' /etc/hosts | awk '{print $1}' | sort
docker exec attachments-a cat /etc/hosts
docker exec attachments-a cat /etc/hostname
docker network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{.IPv6Address}}
{{end}}' attachments-front | sort
docker ps --filter network=attachments-front --format '{{.Names}} {{.Networks}}' | tr ' ,' '\n\n' | sort
docker ps --filter network=attachments-back -q | wc -l
docker ps --filter network=nosuch -q
docker ps --filter network=$(docker network ls -q --filter label=tier=back) --format '{{.Names}}'
docker run --rm --network attachments-front --ip 10.81.0.9 busybox true
docker network connect --ip 10.81.0.9 attachments-front attachments-b
docker run --rm --network attachments-dual --ip6 fd00:83::99 busybox sh -c 'ip -6 -o addr show eth0 scope global | grep -o "fd00[0-9a-f:/]*"'
docker run -d --name attachments-v6 --network attachments-dual --ip 10.83.0.9 --ip6 fd00:83::9 busybox sleep 1000 | wc -c; docker inspect -f '{{json .NetworkSettings.Networks}}' attachments-v6 | tr , '\n' | sed 's/[0-9a-f]\{12,64\}/ID/' | sort
docker exec attachments-v6 cat /etc/hosts
docker run --rm --network attachments-dual --ip6 fd00:84::9 busybox true
docker run --rm --network attachments-dual --ip6 zzz busybox true
docker run --rm --network attachments-dual --ip6 10.83.0.9 busybox true
docker run --rm --network attachments-dual --ip fd00:83::7 busybox true
docker run --rm --network name=attachments-dual,ip6=fd00:83::77 busybox sh -c 'ip -6 -o addr show eth0 scope global | grep -o "fd00[0-9a-f:/]*"'
docker run --rm --network name=attachments-front,driver-opt=a=b busybox true
docker create --name attachments-opts --network name=attachments-front,driver-opt=a=b,driver-opt=c=d busybox | wc -c; docker inspect -f '{{range .NetworkSettings.Networks}}{{json .DriverOpts}}{{end}}' attachments-opts; docker rm attachments-opts
docker run --rm --network name=attachments-front,link-local-ip=169.254.81.1 busybox ip -o addr show eth0 | grep -o 'inet 169[0-9./]*'
docker run --rm --network name=attachments-front,mac-address=zz busybox true
docker run --rm --network name=attachments-front,ip=1.2.3.4 busybox true
docker run --rm --network name=,alias=x busybox true
docker run --rm --network name=nosuch,alias=x busybox true
docker run --rm --network name=bridge,alias=x busybox true
docker run --rm --network host --network attachments-front busybox true
docker run --rm --network none --network attachments-front busybox true
docker run --rm --network host --ip 10.81.0.3 busybox true 2>&1 | grep -o 'user specified IP address is supported on user defined networks only'
docker run --rm --network host --mac-address 02:00:00:00:00:01 busybox true
docker run --rm --network none --network-alias x busybox true
docker run --rm --network container:attachments-a --hostname x busybox true
docker run --rm --network container:attachments-a --mac-address 02:00:00:00:00:01 busybox true
docker run --rm --network container:attachments-a --add-host a:1.2.3.4 busybox true
docker run --rm --network container:attachments-a --dns 1.2.3.4 busybox true
docker run --rm --network container:attachments-a -p 80 busybox true
docker run --rm --network container:attachments-a --expose 80 busybox true
docker run --rm --network container:attachments-a --network attachments-front busybox true
docker run --rm --network container:nosuch busybox true
docker run --rm --network container: busybox true
docker run --rm --network container:attachments-a busybox sh -c 'hostname; cat /etc/hosts'
docker run --rm --network host busybox sh -c 'test $(ip -o link | wc -l) -gt 1 && echo several'
docker run --rm --network none busybox ip -o link show up | awk '{print $2}'
docker create --name attachments-mode --network host busybox | wc -c; docker inspect -f '{{.HostConfig.NetworkMode}} {{json .NetworkSettings.Networks}}' attachments-mode | tr , '\n'; docker rm attachments-mode
docker create --name attachments-mode --network none busybox | wc -c; docker inspect -f '{{.HostConfig.NetworkMode}} {{json .NetworkSettings.Networks}}' attachments-mode | tr , '\n'; docker rm attachments-mode
docker create --name attachments-mode --network container:attachments-a busybox | wc -c; docker inspect -f '{{json .NetworkSettings.Networks}} {{.Config.Hostname}}' attachments-mode | tr , '\n'; docker rm attachments-mode
docker create --name attachments-mode --network default busybox | wc -c; docker inspect -f '{{.HostConfig.NetworkMode}} {{json .NetworkSettings.Networks}}' attachments-mode | tr , '\n'; docker rm attachments-mode
docker create --name attachments-mode busybox | wc -c; docker inspect -f '{{.HostConfig.NetworkMode}} {{json .NetworkSettings.Networks}}' attachments-mode | tr , '\n'; docker rm attachments-mode
docker create --name attachments-mode --network attachments-front --network attachments-back busybox | wc -c; docker network connect --alias later attachments-dual attachments-mode; docker inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{json $v}}
{{end}}' attachments-mode; docker network disconnect attachments-front attachments-mode; docker start attachments-mode; docker wait attachments-mode; docker inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}}.
{{end}}' attachments-mode; docker rm attachments-mode
# Hosts.
docker run --rm --add-host one:1.2.3.4 --add-host two=5.6.7.8 --add-host six:fd00::6 --add-host seven=[fd00::7] busybox cat /etc/hosts | grep -E 'one|two|six|seven'
docker run --rm --add-host one:1.2.3.4 --add-host one:1.2.3.5 --network host busybox grep one /etc/hosts
docker run --rm --add-host one busybox true
docker run --rm --add-host one:foo busybox true
docker run --rm --add-host one: busybox true
docker run --rm --add-host :1.2.3.4 busybox true
docker run --rm --add-host me:host-gateway busybox grep -c me /etc/hosts
docker run --rm --add-host me:host-gateway --network attachments-front busybox sh -c 'grep me$ /etc/hosts | wc -l'
docker run --rm --network none --add-host one:1.2.3.4 busybox cat /etc/hosts
docker inspect -f '{{json .HostConfig.ExtraHosts}}' $(docker create --name attachments-hosts --add-host b:1.2.3.4 --add-host a=5.6.7.8 busybox); docker rm attachments-hosts
docker run --rm --hostname x --domainname y.z busybox sh -c 'hostname; tail -1 /etc/hosts'
docker run --rm --hostname x.y.z --network attachments-front busybox sh -c 'hostname; tail -1 /etc/hosts'
docker run --rm --dns 1.2.3.4 --dns-search s.t --dns-option ndots:3 busybox cat /etc/resolv.conf | grep -v '^#\|^$'
docker run --rm --dns foo busybox true
docker run --rm --dns-search . --dns 1.2.3.4 busybox cat /etc/resolv.conf | grep -v '^#\|^$'
# While they run.
docker network connect attachments-back attachments-a; docker exec attachments-a ip -o -4 addr show | wc -l
docker network disconnect attachments-back attachments-a; docker exec attachments-a ip -o -4 addr show | wc -l
docker network connect --ip 10.82.0.77 --alias deep --link-local-ip 169.254.82.7 attachments-back attachments-a; docker inspect -f '{{json (index .NetworkSettings.Networks "attachments-back")}}' attachments-a | tr , '\n' | sed 's/[0-9a-f]\{12,64\}/ID/' | sort
docker network connect --ip foo attachments-dual attachments-a
docker network connect --ip6 fd00:83::1 attachments-dual attachments-a
docker network connect --ip6 fd00:83::a7 attachments-dual attachments-a; docker exec attachments-a ip -6 -o addr show scope global | grep -o 'fd00[0-9a-f:/]*'
docker network connect attachments-dual attachments-a
docker network connect --driver-opt a=b attachments-dual attachments-mode
docker network disconnect attachments-dual attachments-a extra
docker network disconnect attachments-dual
docker network disconnect attachments-dual attachments-a; docker network disconnect attachments-dual attachments-a
docker network disconnect -f attachments-dual attachments-a
docker stop -t 0 attachments-a; docker inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}}|{{$v.Gateway}}|{{$v.EndpointID}}|{{$v.MacAddress}}|{{json $v.IPAMConfig}}
{{end}}' attachments-a
docker network inspect -f '{{len .Containers}}' attachments-front
docker network connect attachments-dual attachments-a; docker network disconnect attachments-front attachments-a; docker start attachments-a; docker exec attachments-a ip -o -4 addr show | wc -l
docker restart -t 0 attachments-b; docker inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}} {{json $v.Aliases}}
{{end}}' attachments-b
docker network rm attachments-front
docker network rm attachments-front attachments-back nosuch
docker network rm -f attachments-front nosuch
docker network remove nosuch
docker events --since 2m --until 0s --filter type=network --filter event=connect --format '{{.Type}} {{.Action}}' | sort -u
docker rm -f attachments-a attachments-b attachments-v6
docker network prune --filter label=tier=back --force
docker network prune --force --filter label!=tier=front --filter label=tier
docker network prune --force --filter until=1h
docker network prune --filter until=10h30x --force
docker network prune --filter nosuch=1 --force
docker network ls --filter name=attachments- --format '{{.Name}}'
docker network rm attachments-front attachments-dual
