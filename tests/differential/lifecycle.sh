docker create --name d-a busybox sleep 300
docker create --name d-a busybox 2>&1 | sed 's/container "[0-9a-f]*"/container X/'
docker ps -a --filter name=d-a --format '{{.Names}} {{.Status}} {{.Command}} {{.Image}}'
docker start d-a
docker ps --filter name=d-a --format '{{.Names}} {{.State}} {{.Ports}} {{.Networks}} {{.Mounts}} {{.LocalVolumes}} {{.Size}}'
docker ps --filter name=d-a | sed 's/^[0-9a-f]\{12\}//' | cut -c1-60
docker pause d-a
docker pause d-a
docker exec d-a true
docker stop d-a; docker ps -a --filter name=d-a --format '{{.State}}'
docker unpause d-a
docker unpause d-a
docker start d-a
docker rm d-a 2>&1 | sed 's/[0-9a-f]\{64\}/X/'
docker kill -s NOSUCH d-a
docker kill -s 0 d-a
docker rename d-a d-b
docker inspect -f '{{.Name}} {{.State.Status}} {{.State.Running}} {{.State.OOMKilled}} {{.State.Error}}' d-b
docker stop -t 0 d-b
docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' d-b
docker restart -t 0 d-b
docker top d-b -o pid,comm | tail -n1 | awk '{print $2}'
docker kill d-b
docker kill d-b 2>&1 | sed 's/[0-9a-f]\{64\}/X/'
docker wait d-b
docker wait d-none
docker start d-none
docker stop d-none
docker rm d-none
docker rm -f d-none
docker logs d-none
docker inspect d-none
docker attach d-b
docker diff d-b
docker port d-b
docker rm d-b
docker run --name d-c busybox sh -c 'echo x > /new; rm /bin/vi; touch /etc/passwd'
docker diff d-c
docker start -a d-c
docker container prune -f --filter label=none
docker rm d-c
docker run -d --name d-r --restart on-failure:1 busybox sh -c 'exit 3' | wc -c
sleep 2; docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' d-r
docker update --restart no d-r
docker inspect -f '{{json .HostConfig.RestartPolicy}}' d-r
docker inspect -f '{{json .Config}}' d-r | sed 's/"Hostname":"[0-9a-f]*"/H/'
docker inspect -f '{{json .HostConfig}}' d-r | tr ',' '\n' | grep -v -E 'LogConfig|ConsoleSize|Runtime|max-'
docker inspect d-r | grep -o '^        "[A-Za-z]*"' 
docker inspect -f '{{json .State}}' d-r | grep -o '"[A-Za-z]*":'
docker inspect -f '{{json .NetworkSettings}}' d-r | grep -o '"[A-Za-z0-9]*":'
docker rm d-r
