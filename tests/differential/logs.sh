docker run --name logs-l busybox sh -c 'echo one; echo two >&2; echo three; printf "no newline"'
docker logs logs-l
docker logs --tail 1 logs-l
docker logs --tail 0 logs-l
docker logs --tail x logs-l
docker logs -n 2 logs-l 2>/dev/null
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
