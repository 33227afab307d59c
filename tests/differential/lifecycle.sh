docker create --name lifecycle-a busybox sleep 300
docker create --name lifecycle-a busybox 2>&1 | sed 's/container "[0-9a-f]*"/container X/'
docker ps -a --filter name=lifecycle-a --format '{{.Names}} {{.Status}} {{.Command}} {{.Image}}'
docker start lifecycle-a
docker ps --filter name=lifecycle-a --format '{{.Names}} {{.State}} {{.Ports}} {{.Networks}} {{.Mounts}} {{.LocalVolumes}} {{.Size}}'
docker ps --filter name=lifecycle-a | sed 's/^[0-9a-f]\{12\}//; s/CREATED.*//; s/  *[0-9A-Z][a-z0-9 ]* ago.*//'
docker pause lifecycle-a
docker pause lifecycle-a
docker exec lifecycle-a true
docker stop lifecycle-a; docker ps -a --filter name=lifecycle-a --format '{{.State}}'
docker unpause lifecycle-a
docker unpause lifecycle-a
docker start lifecycle-a
docker rm lifecycle-a 2>&1 | sed 's/[0-9a-f]\{64\}/X/'
docker kill -s NOSUCH lifecycle-a
docker kill -s 0 lifecycle-a
docker rename lifecycle-a lifecycle-b
docker inspect -f '{{.Name}} {{.State.Status}} {{.State.Running}} {{.State.OOMKilled}} {{.State.Error}}' lifecycle-b
docker stop -t 0 lifecycle-b
docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' lifecycle-b
docker restart -t 0 lifecycle-b
docker top lifecycle-b -o pid,comm | tail -n1 | awk '{print $2}'
docker kill lifecycle-b
docker kill lifecycle-b 2>&1 | sed 's/[0-9a-f]\{64\}/X/'
docker wait lifecycle-b
docker wait lifecycle-none
docker start lifecycle-none
docker stop lifecycle-none
docker rm lifecycle-none
docker rm -f lifecycle-none
docker logs lifecycle-none
docker inspect lifecycle-none
docker attach lifecycle-b
docker diff lifecycle-b
docker port lifecycle-b
docker rm lifecycle-b
docker run --name lifecycle-c busybox sh -c 'echo x > /new; rm /bin/vi; touch /etc/passwd'
docker diff lifecycle-c | sort
docker start -a lifecycle-c
docker container prune -f --filter label=lifecycle-none
docker rm lifecycle-c
docker run -d --name lifecycle-r --restart on-failure:1 busybox sh -c 'exit 3' | wc -c
sleep 2; docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' lifecycle-r
docker update --restart no lifecycle-r
docker inspect -f '{{json .HostConfig.RestartPolicy}}' lifecycle-r
docker inspect -f '{{json .Config}}' lifecycle-r | sed 's/"Hostname":"[0-9a-f]*"/H/'
# The log's limits are ours (docs/differences.md); masked paths have a line of their own.
docker inspect -f '{{json .HostConfig}}' lifecycle-r | tr ',' '\n' | grep -v -E 'LogConfig|Config":|ConsoleSize|Runtime|max-|/(proc|sys)/'
docker inspect lifecycle-r | grep -o '^        "[A-Za-z]*"' 
docker inspect -f '{{json .State}}' lifecycle-r | grep -o '"[A-Za-z]*":'
docker inspect -f '{{json .NetworkSettings}}' lifecycle-r | grep -o '"[A-Za-z0-9]*":'
docker inspect -f '{{json .HostConfig.MaskedPaths}}' lifecycle-r | tr -d '[]' | tr ',' '\n' | grep -v interrupts | sort
docker inspect -f '{{json .HostConfig.ReadonlyPaths}}' lifecycle-r
docker rm lifecycle-r
