# Compose, which is Docker's own on both engines: two services of images, a network of their own, a volume, a health check.
printf '%s\n' 'services:' '  web:' '    image: busybox' '    command: sh -c "echo web up; echo hello >/data/f; trap exit TERM; while :; do sleep 0.1; done"' '    ports: ["18089:80"]' '    environment: {GREETING: hi}' '    depends_on: {db: {condition: service_healthy}}' '    volumes: ["data:/data"]' '    restart: unless-stopped' '    networks: [front, back]' '  db:' '    image: busybox' '    command: sh -c "echo db up; trap exit TERM; while :; do sleep 0.1; done"' '    healthcheck: {test: ["CMD-SHELL", "true"], interval: 1s, retries: 3}' '    user: "1001"' '    security_opt: ["no-new-privileges:true"]' '    cap_drop: [ALL]' '    read_only: true' '    tmpfs: [/tmp]' '    sysctls: {net.ipv4.ip_unprivileged_port_start: 0}' '    networks: {back: {aliases: [database]}}' 'volumes: {data: {}}' 'networks: {front: {}, back: {internal: true}}' >compose.yaml; docker-compose -p compose-x config -q
docker-compose -p compose-x up -d 2>&1 | sort -u
docker-compose -p compose-x ps -a --format '{{.Name}} {{.Service}} {{.State}} {{.Health}} {{.ExitCode}}' | sort
docker-compose -p compose-x ps --services | sort
docker-compose -p compose-x port web 80
docker-compose -p compose-x logs --no-log-prefix web db | sed 's/^.*K//' | sort
docker-compose -p compose-x exec -T web sh -c 'cat /data/f; echo $GREETING'
docker-compose -p compose-x exec -T db sh -c 'id; touch /x; touch /tmp/x && grep -E "CapEff|NoNewPrivs" /proc/self/status'
docker-compose -p compose-x exec -T web false
docker-compose -p compose-x run --rm -T db echo ran 2>/dev/null
docker network inspect -f '{{.Internal}} {{len .Containers}} {{.Driver}} {{json .Options}}' compose-x_back
docker inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{json $v.Aliases}} {{json $v.IPAMConfig}} {{json $v.DriverOpts}}
{{end}}{{.HostConfig.NetworkMode}} {{json .HostConfig.RestartPolicy}}' compose-x-web-1 compose-x-db-1
docker-compose -p compose-x pause db 2>&1; docker-compose -p compose-x unpause db 2>&1; sleep 2
docker-compose -p compose-x stop -t 1 web 2>&1; docker-compose -p compose-x ps -a --format '{{.Name}} {{.State}} {{.ExitCode}}' | sort
docker-compose -p compose-x start web 2>&1 | sort -u
docker-compose -p compose-x restart -t 1 web 2>&1
docker-compose -p compose-x up -d 2>&1 | sort -u
docker-compose -p compose-x up -d --scale db=2 2>&1 | sort -u; docker-compose -p compose-x ps --format '{{.Name}} {{.State}}' | sort
docker-compose -p compose-x up -d --force-recreate -t 1 2>&1 | sort -u
docker-compose -p compose-x cp web:/data/f - | tar t
docker-compose -p compose-x kill db 2>&1 | sort -u
docker-compose -p compose-x rm -sf db 2>&1 | sort -u
docker-compose -p compose-x ls -a | awk '$1 !~ /shared/ {print $1, $2}'
docker-compose -p compose-x down -v -t 1 2>&1 | sort -u
docker-compose -p compose-x ps -aq; docker network ls -q --filter name=compose-; docker volume ls -q --filter name=compose-
