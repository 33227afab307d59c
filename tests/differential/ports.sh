# Published ports: every form of -p, what inspect, ps and port show of them, filters, conflicts.
docker create --name ports-a -p 80 busybox >/dev/null; docker inspect -f '{{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}} {{json .NetworkSettings.Ports}}' ports-a; docker rm ports-a
docker create --name ports-a -p 18080:80 -p 127.0.0.1:18081:81/udp -p '[::1]:18082:82' -p 0.0.0.0:18083:83/sctp busybox >/dev/null; docker inspect -f '{{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}}' ports-a; docker rm ports-a
docker create --name ports-a -p 127.0.0.1::80 -p :81 -p 0:82 -p 080:083 busybox >/dev/null; docker inspect -f '{{json .HostConfig.PortBindings}}' ports-a; docker rm ports-a
docker create --name ports-a -p 18000-18002:80-82 -p 18010-18012:90 -p 100-101 busybox >/dev/null; docker inspect -f '{{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}}' ports-a; docker rm ports-a
docker create --name ports-a -p 127.0.0.1:18000-18002:80-82/udp -p 18010-18012:90/UDP busybox >/dev/null; docker inspect -f '{{json .HostConfig.PortBindings}}' ports-a; docker rm ports-a
docker create --name ports-a -p target=80,published=18080 -p target=81,published=18090-18092,protocol=udp -p target=82,mode=ingress busybox >/dev/null; docker inspect -f '{{json .HostConfig.PortBindings}}' ports-a; docker rm ports-a
docker create --name ports-a -p 80:80/tcp/udp -p 81:81/ busybox >/dev/null; docker inspect -f '{{json .HostConfig.PortBindings}}' ports-a; docker rm ports-a
docker create --name ports-a -p 18080:80 -p 18081:80 -p 127.0.0.1:18082:80 busybox >/dev/null; docker inspect -f '{{json .HostConfig.PortBindings}}' ports-a; docker rm ports-a
docker create --name ports-a -P --expose 80 --expose 90-91/udp -p 81 busybox >/dev/null; docker inspect -f '{{json .HostConfig.PublishAllPorts}} {{json .HostConfig.PortBindings}} {{json .Config.ExposedPorts}}' ports-a; docker rm ports-a
docker create -p '' busybox
docker create -p : busybox
docker create -p 80: busybox
docker create -p a:80 busybox
docker create -p 80:a busybox
docker create -p ' 80' busybox
docker create -p +80 busybox
docker create -p 80- busybox
docker create -p -80 busybox
docker create -p 9-8:9-8 busybox
docker create -p 70000:80 busybox
docker create -p 80:70000 busybox
docker create -p 0x50:80 busybox
docker create -p 80/foo busybox
docker create -p 127.0.0.1:80 busybox
docker create -p 1.2.3.4.5:80:80 busybox
docker create -p host:80:80 busybox
docker create -p 80:80:80 busybox
docker create -p ::1:8080:80 busybox
docker create -p '[::1]:80' busybox
docker create -p '[fe80::1%eth0]:80:80' busybox
docker create -p 8000-8001:80-82 busybox
docker create -p published=80 busybox
docker create -p target=80,published busybox
docker create --expose a busybox
docker create --network container:nosuch -p 80:80 busybox
docker run --rm --network host -p 80:80 busybox true
docker run --rm --network none -p 80:80 busybox true
docker run -d --name ports-a -p 18081:81 -p 127.0.0.1:18082:82/udp -p 18090-18095:90-95 -p '[::1]:18083:83' -p 0.0.0.0:18084:84 -p 18086:85 --expose 200-202 busybox sleep 1000
docker inspect -f '{{json .NetworkSettings.Ports}}' ports-a
docker ps --filter name=ports-a --format '{{.Ports}}'
docker port ports-a
docker port ports-a 81
docker port ports-a 81/tcp
docker port ports-a 82/udp
docker port ports-a 82
docker port ports-a 81/TCP
docker port ports-a abc
docker port ports-a 90-91
docker port ports-a 70000
docker port ports-a 0
docker port ports-a 99/udp
docker port nosuch-ports
docker ps -a --filter name=ports-a --filter publish=18081 --format '{{.Names}}'
docker ps -a --filter name=ports-a --filter publish=18090-18092/tcp --format '{{.Names}}'
docker ps -a --filter name=ports-a --filter publish=81/tcp --format '{{.Names}}'
docker ps -a --filter name=ports-a --filter publish=18082/udp --format '{{.Names}}'
docker ps -a --filter name=ports-a --filter publish=18082 --format '{{.Names}}'
docker ps -a --filter publish=abc
docker ps -a --filter name=ports-a --filter expose=90-91/tcp --format '{{.Names}}'
docker ps -a --filter name=ports-a --filter expose=202 --format '{{.Names}}'
docker ps -a --filter name=ports-a --filter expose=203 --format '{{.Names}}'
docker ps -a --filter expose=x/tcp
docker ps -a --filter name=ports-a --filter expose=80/foo --format '{{.Names}}'
docker run -d --name ports-b -p 18081:81 busybox sleep 1000
docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}} {{json .NetworkSettings.Ports}}' ports-b; docker rm ports-b
docker run --rm --name ports-b -p 127.0.0.1:18081:81 busybox true
docker run --rm --name ports-b -p '[::1]:18081:81' busybox true
docker run --rm --name ports-b -p 0.0.0.0:18082:81/udp busybox true
docker run --rm --name ports-b -p 10.99.99.99:18081:81 busybox true
docker run --rm --name ports-b -p 5000:81/udp busybox true
docker run --rm --name ports-b -p 18090-18095:81 busybox true
docker run --rm --name ports-b -p 18100:80 -p 18100:81 busybox true
docker run --rm --name ports-b -p 18100:80 -p 18100:80 busybox true
docker run -d --name ports-b -p 18081-18082:81 busybox sleep 1000; docker port ports-b; docker rm -f ports-b
docker run -d --name ports-b -P --expose 80 --expose 81/udp busybox sleep 1000; docker port ports-b | sed 's/:3[0-9]*$/:3xxxx/'
docker inspect -f '{{json .HostConfig.PortBindings}}' ports-b; docker stop -t 0 ports-b; docker inspect -f '{{json .NetworkSettings.Ports}}' ports-b; docker port ports-b; docker rm ports-b
docker stop -t 0 ports-a; docker ps -a --filter name=ports-a --format '{{.Ports}}'; docker ps -a --filter name=ports-a --filter publish=18081 -q; docker start ports-a; docker port ports-a 81
docker rename ports-a ports-c; docker port ports-c 81; docker rm -f ports-c
# Joining and leaving networks while it runs; one that is removed meanwhile.
docker network create ports-net >/dev/null; docker network create --internal ports-in >/dev/null; docker run -d --name ports-d --network ports-in -p 18110:80 busybox sleep 1000 >/dev/null; docker port ports-d; docker network connect ports-net ports-d; docker port ports-d
docker run -d --name ports-e --network none -p 18110:80 busybox sleep 1000 >/dev/null; docker network disconnect none ports-e; docker port ports-e; docker ps --filter name=ports-e --format '{{.Ports}}|{{.Networks}}'
docker network disconnect ports-net ports-d; docker inspect -f '{{json .NetworkSettings.Ports}}' ports-d; docker ps --filter name=ports-d --format '{{.Ports}}'; docker network connect ports-net ports-e; docker port ports-e
docker rm -f ports-d ports-e; docker create --name ports-d --network ports-net --network ports-in busybox sleep 1000 >/dev/null; docker network rm ports-in; docker start ports-d
docker network disconnect ports-in ports-d; docker network disconnect ports-in ports-d; docker start ports-d; docker network disconnect ports-in ports-d; docker network disconnect -f ports-in ports-d
docker rm -f ports-d; docker network create --config-only --subnet 10.7.7.0/24 ports-conf >/dev/null; docker network prune -f --filter label=ports-none; docker network rm ports-net ports-conf
docker run -d --name ports-f -p 18111:80 busybox sleep 1000 >/dev/null; docker kill ports-f; docker run -d --name ports-g -p 18111:80 busybox sleep 1000 >/dev/null; docker start ports-f 2>/dev/null; docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' ports-f; docker rm -f ports-f ports-g
