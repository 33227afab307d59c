date +%s.%N >since
docker run --rm --name eventsrun-c busybox sh -c 'exit 3'
told container=eventsrun-c | jq -c 'select(.Type == "container")'
docker run --name eventsrun-d busybox no-such-program
told container=eventsrun-d | jq -c 'select(.Type == "container")'
docker rm -f eventsrun-d
docker run -d --name eventsrun-e --health-cmd true --health-interval 300ms busybox sleep 300 >id; until [ "$(docker inspect -f '{{.State.Health.Status}}' eventsrun-e)" = healthy ]; do sleep 0.1; done
told container=eventsrun-e event=health_status
told container=eventsrun-e event=exec_create event=exec_start event=exec_die | sed 's/"execID":"[^"]*"/"execID":"x"/' | sort -u
docker rm -f eventsrun-e
told container=eventsrun-e event=kill event=die event=destroy event=stop
docker run -d --name eventsrun-f --health-cmd 'exit 1' --health-interval 200ms --health-retries 1 busybox sleep 300 >id; until [ "$(docker inspect -f '{{.State.Health.Status}}' eventsrun-f)" = unhealthy ]; do sleep 0.1; done
told container=eventsrun-f event=health_status
docker rm -f eventsrun-f
docker run --name eventsrun-g -it -d busybox cat >id; terminal eventsrun-g 'docker attach --detach-keys q eventsrun-g' q >keys; sleep 0.5
told container=eventsrun-g event=attach event=detach event=resize | jq -c 'select(.Action != "resize")'
docker rm -f eventsrun-g
docker run -d --name eventsrun-i --network none busybox sh -c 'trap "exit 5" HUP; echo up; while :; do :; done' >id; until docker logs eventsrun-i | grep -q up; do sleep 0.1; done; docker kill -s HUP eventsrun-i; docker wait eventsrun-i; sleep 0.5
told container=eventsrun-i event=kill event=die
docker run -d --name eventsrun-j --restart on-failure:2 busybox sh -c 'exit 4' >id; until [ "$(docker inspect -f '{{.RestartCount}} {{.State.Running}}' eventsrun-j)" = '2 false' ]; do sleep 0.1; done
told container=eventsrun-j type=container
docker rm -f eventsrun-i eventsrun-j
docker create --name eventsrun-k -l of=eventsrun-k busybox >id; docker container prune -f --filter label=of=eventsrun-k >out; sed 's/^[0-9a-f]*$//' out
told type=container event=prune | tail -n 1
docker volume create -l of=eventsrun-l eventsrun-l; docker volume prune -af --filter label=of=eventsrun-l
told type=volume event=prune | tail -n 1
docker create --name eventsrun-m busybox >id; docker start eventsrun-m; docker wait eventsrun-m; api POST "/containers/eventsrun-m/resize?h=3&w=4"; api POST "/containers/create?name=eventsrun-m" -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
told container=eventsrun-m type=container
docker rm eventsrun-m
