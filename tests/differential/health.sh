# Health checks, from flags and from images.
docker run -d --name health-a --network none --health-cmd 'echo seen; test -f /ok' --health-interval 300ms --health-retries 2 busybox sh -c 'touch /ok; sleep 1000'
docker ps --filter name=health-a --format '{{.Status}}'
docker inspect -f '{{json .Config.Healthcheck}}' health-a
timeout 20 sh -c 'until [ $(docker inspect -f {{.State.Health.Status}} health-a) = healthy ]; do sleep 0.1; done'
docker ps --filter name=health-a --format '{{.Status}} {{.State}}'
docker ps --filter name=health-a --filter health=healthy --format '{{.Names}}'
docker ps --filter name=health-a --filter health=none --filter health=unhealthy --format '{{.Names}}'
docker inspect -f '{{.State.Health.FailingStreak}} {{(index .State.Health.Log 0).ExitCode}} {{json (index .State.Health.Log 0).Output}}' health-a
docker inspect health-a | shape | grep -F '.State'
docker pause health-a && docker ps --filter name=health-a --format '{{.Status}}' && docker inspect -f '{{.State.Health.Status}}' health-a
docker ps -a --filter name=health-a --filter health=unhealthy --format '{{.Names}}'
docker unpause health-a && docker inspect -f '{{.State.Health.Status}}' health-a
timeout 20 sh -c 'until [ $(docker inspect -f {{.State.Health.Status}} health-a) = healthy ]; do sleep 0.1; done'
docker exec health-a rm /ok
timeout 20 sh -c 'until [ $(docker inspect -f {{.State.Health.Status}} health-a) = unhealthy ]; do sleep 0.1; done'
docker ps --filter name=health-a --format '{{.Status}}'
docker inspect -f '{{range .State.Health.Log}}{{.ExitCode}} {{.Output}}{{end}}' health-a | tail -n2
docker stop -t 0 health-a && docker inspect -f '{{.State.Health.Status}} {{len .State.Health.Log}}' health-a | cut -d' ' -f1
docker ps -a --filter name=health-a --format '{{.Status}}'
docker start health-a && docker inspect -f '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' health-a
docker rm -f health-a
sleep 1; docker events --since 2m --until 0s --filter container=health-a --filter event=health_status --format '{{.Action}} {{.Actor.Attributes.name}}' | sort -u
sleep 1; docker events --since 2m --until 0s --filter container=health-a --format '{{.Action}}' | sort -u
docker run -d --name health-b --network none --health-cmd 'sleep 60' --health-interval 200ms --health-timeout 300ms --health-retries 1 busybox sleep 1000
timeout 20 sh -c 'until [ $(docker inspect -f {{.State.Health.Status}} health-b) = unhealthy ]; do sleep 0.1; done'
docker inspect -f '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' health-b
docker rm -f health-b
docker run -d --name health-c --network none --health-cmd 'seq 3000' --health-interval 200ms busybox sleep 1000
timeout 20 sh -c 'until [ $(docker inspect -f {{.State.Health.Status}} health-c) = healthy ]; do sleep 0.1; done'
docker inspect -f '{{(index .State.Health.Log 0).Output}}' health-c | wc -c
docker inspect -f '{{(index .State.Health.Log 0).Output}}' health-c | tail -n1
docker rm -f health-c
docker run -d --name health-d --network none --health-cmd false --health-interval 200ms --health-start-period 60s --health-start-interval 200ms --health-retries 1 busybox sleep 1000
timeout 20 sh -c 'until [ $(docker inspect -f "{{len .State.Health.Log}}" health-d) = 5 ]; do sleep 0.1; done'
docker inspect -f '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' health-d
docker rm -f health-d
docker create --name health-e --health-cmd x busybox >/dev/null; docker inspect -f '{{json .State}}' health-e | tr , '\n' | grep -c Health
docker commit -c 'HEALTHCHECK --interval=250ms --timeout=3s --retries=4 CMD ["true"]' health-e health-image:1 >/dev/null; docker inspect -f '{{json .Config.Healthcheck}}' health-image:1
docker create --name health-f health-image:1 >/dev/null; docker inspect -f '{{json .Config.Healthcheck}}' health-f
docker create --name health-g --health-retries 9 health-image:1 >/dev/null; docker inspect -f '{{json .Config.Healthcheck}}' health-g
docker create --name health-h --no-healthcheck health-image:1 >/dev/null; docker inspect -f '{{json .Config.Healthcheck}}' health-h
docker create --name health-i --health-cmd y --health-start-interval 2s health-image:1 >/dev/null; docker inspect -f '{{json .Config.Healthcheck}}' health-i
docker run -d --name health-j --network none health-image:1 sleep 100 && timeout 20 sh -c 'until [ $(docker inspect -f {{.State.Health.Status}} health-j) = healthy ]; do sleep 0.1; done'
docker run -d --name health-k --network none --no-healthcheck health-image:1 sleep 100 && docker inspect -f '{{.State.Health}}' health-k
docker ps --filter name=health- --filter health=none --format '{{.Names}}'
docker ps --filter health=foo
docker commit -c 'HEALTHCHECK NONE' health-e health-none:1 >/dev/null; docker inspect -f '{{json .Config.Healthcheck}}' health-none:1
api POST '/v1.45/containers/create?name=health-l' -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":["sleep","100"],"HostConfig":{"NetworkMode":"none"},"Healthcheck":{"Test":["CMD","nosuch"],"Interval":200000000,"Retries":1}}' | cut -c1-6
docker start health-l && timeout 20 sh -c 'until [ $(docker inspect -f {{.State.Health.Status}} health-l) = unhealthy ]; do sleep 0.1; done'; docker inspect -f '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' health-l
api POST '/v1.45/containers/create?name=health-m' -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":["sleep","100"],"HostConfig":{"NetworkMode":"none"},"Healthcheck":{"Test":["WHAT","x"]}}' | cut -c1-6
docker start health-m && docker inspect -f '{{json .State.Health}}' health-m
api POST '/v1.45/containers/create' -H 'Content-Type: application/json' -d '{"Image":"busybox","Healthcheck":{"Test":["CMD","x"],"Interval":5}}'
api POST '/v1.45/containers/create' -H 'Content-Type: application/json' -d '{"Image":"busybox","Healthcheck":{"Test":["CMD","x"],"Retries":-1}}'
