date +%s.%N >since
docker run --name eventsall-c busybox sh -c 'echo x >/f; exit 3'; docker commit eventsall-c eventsall-kept:1 >id; docker export -o box.tar eventsall-c
docker tag eventsall-kept:1 eventsall-kept:2
docker save -o kept.tar eventsall-kept:1
docker rmi eventsall-kept:2
docker rmi eventsall-kept:1
docker load -i kept.tar
docker import -m why box.tar eventsall-imported:1 >id
docker rmi eventsall-imported:1
docker rmi eventsall-kept:1
told type=image | jq -c 'select(.Actor.Attributes.name | startswith("eventsall-"))'
told type=image event=delete | jq -r '.Action, .scope' | sort -u
told image=eventsall-kept:1 | sort
docker volume create --label x=y eventsall-vol
docker run --rm --name eventsall-h -v eventsall-vol:/data:ro busybox true
docker run --name eventsall-h -v eventsall-vol:/data --mount type=tmpfs,dst=/t busybox true
docker rm eventsall-h
docker volume rm eventsall-vol
told type=volume volume=eventsall-vol
told container=eventsall-h type=container
docker events --since "$(cat since)" --until "$(date +%s.%N)" --filter container=eventsall-c --filter type=container --format '{{.Type}} {{.Action}} {{.Scope}} {{.Actor.Attributes.exitCode}}'
docker events --since "$(cat since)" --until "$(date +%s.%N)" --filter container=eventsall-c --filter type=container | sed -E 's/^[^ ]+ //'
docker events --since "$(cat since)" --until "$(date +%s.%N)" --filter container=eventsall-c --filter event=die --format '{{json .}}' | jq -S 'del(.time, .timeNano, .status, .id, .from, .Actor.Attributes.execDuration)'
docker events --filter nonsense=1 --since 1 --until 2
docker events --filter nonsense --since 1 --until 2
docker events --since yesterday --until 2
docker events --since 5 --until 2
docker events --until 1 --filter scope=local
docker events --format '{{.Nothing}}' --since "$(cat since)" --until "$(date +%s.%N)" --filter container=eventsall-c --filter event=die
docker events --format '{{' --since 1 --until 2
