docker run --name logs-l busybox sh -c 'echo one; echo two >&2; echo three; printf "no newline"'
docker logs logs-l
docker logs --tail 1 logs-l
docker logs --tail 0 logs-l
docker logs --tail x logs-l
docker logs -n 10 logs-l 2>/dev/null
docker logs -t --tail 1 logs-l
docker logs --since 1h logs-l 2>/dev/null
docker logs --until 1h logs-l
docker logs --since nonsense logs-l
docker logs -f logs-l 2>/dev/null
docker run --name logs-m --log-driver none busybox echo unseen
docker logs logs-m
docker run --rm --log-driver nosuch busybox true
docker run --rm --log-opt nosuch=1 busybox true
# Refused when it is made; by Docker, when it is started.
docker run --rm --log-opt max-size=x busybox true 2>/dev/null
docker run --name logs-n -t busybox sh -c 'echo a; echo b >&2'
docker logs logs-n 2>/dev/null
docker run -d --name logs-o busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done' | wc -c
docker logs -f logs-o
docker logs --details logs-l 2>/dev/null
docker logs --follow --tail 1 logs-l
docker logs --tail all logs-l 2>/dev/null
docker logs --tail -1 logs-l 2>/dev/null
docker logs --since 2100-01-01 logs-l
docker logs --since 0 --until 2100-01-01T00:00:00Z -n 1 logs-l
docker logs -t -n 1 --details logs-l
docker run --name logs-p --label team=blue -e WHO=me --log-opt labels=team --log-opt env-regex=^W --log-opt tag={{.Name}} busybox echo hi
docker logs --details logs-p
docker run --name logs-q --log-driver local busybox sh -c 'echo a; echo b'
docker logs -n 1 logs-q
docker create --log-driver syslog --log-opt foo=1 busybox true
docker create --log-driver syslog --log-opt syslog-address=foo busybox true
docker create --log-driver syslog --log-opt syslog-address=unix:///nosuch busybox true
docker create --log-driver syslog --log-opt syslog-facility=x busybox true
docker create --log-driver syslog --log-opt syslog-format=x busybox true
docker create --log-driver syslog --log-opt mode=x busybox true
docker create --log-driver syslog --log-opt max-buffer-size=1m busybox true
docker create --log-driver syslog --log-opt cache-disabled=x busybox true
docker create --log-driver fluentd --log-opt fluentd-address=foo://x busybox true
docker create --log-driver fluentd --log-opt fluentd-async=x busybox true
docker create --log-driver fluentd --log-opt fluentd-retry-wait=x busybox true
docker create --log-driver gelf busybox true
docker create --log-driver gelf --log-opt gelf-address=udp://x busybox true
docker create --log-driver gelf --log-opt gelf-address=udp://x:1 --log-opt gelf-compression-type=x busybox true
docker create --log-driver journald --log-opt max-size=1m busybox true
docker create --log-driver local --log-opt labels=1 busybox true
docker run --name logs-r --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:9 busybox echo cached
docker logs logs-r
docker inspect -f '{{.HostConfig.LogConfig.Type}} {{.LogPath}}' logs-r
docker run --name logs-s --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:9 --log-opt cache-disabled=true busybox echo cached
docker logs logs-s
docker run --rm=false --name logs-tag0 -l x=yy -e A=b --log-opt 'tag={{.ImageName}}/{{.Name}}' busybox echo hi; docker logs --details logs-tag0
docker run --rm=false --name logs-tag1 -l x=yy -e A=b --log-opt 'tag={{printf "%.5s" .ContainerName}} {{index .ContainerLabels "x"}}|{{index .ContainerLabels "none"}}' busybox echo hi; docker logs --details logs-tag1
docker run --rm=false --name logs-tag2 -l x=yy -e A=b --log-opt 'tag={{.Command}} {{.DaemonName}} {{json .ContainerArgs}} {{upper .ContainerEntrypoint}}' busybox echo hi; docker logs --details logs-tag2
docker run --rm=false --name logs-tag3 -l x=yy -e A=b --log-opt 'tag={{if eq .ImageName "busybox"}}yes{{else}}no{{end}} {{join .ContainerEnv ","}} {{.Config}}' busybox echo hi; docker logs --details logs-tag3
docker run --rm=false --name logs-tag4 -l x=yy -e A=b --log-opt 'tag={{len .FullID}} {{len .ID}} {{slice .ImageID 0 7}} {{len .ImageFullID}}' busybox echo hi; docker logs --details logs-tag4
docker rm -f logs-tag0 logs-tag1 logs-tag2 logs-tag3 logs-tag4
