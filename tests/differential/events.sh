date +%s.%N >since
docker create --name events-a -l team=blue -l b.c=d busybox sleep 300
docker start events-a
docker exec events-a true
docker exec -u 7 -w /tmp -e A=b events-a sh -c 'exit 3'
docker exec events-a no-such-program
docker exec -d events-a true; sleep 0.5
docker pause events-a
docker unpause events-a
docker top events-a >top
docker update --cpu-shares 512 events-a
docker rename events-a events-b
docker kill -s CONT events-b
docker restart -t 0 events-b
docker cp events-b:/etc/passwd passwd; docker cp passwd events-b:/tmp
docker diff events-b
docker stats --no-stream events-b >stats
docker logs events-b
docker commit -m words -a me events-b events-kept:1 >id
docker export -o box.tar events-b
docker stop -t 0 events-b
docker start events-b
docker kill events-b; docker wait events-b
docker start no-such-events
docker rm events-b
told container=events-a
told container=events-b | jq -c 'select(.Action != "stop")'
told container=events-b event=stop
told type=container label=team=blue event=die
told type=container label=team=red
