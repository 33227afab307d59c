docker run --name d-l busybox sh -c 'echo one; echo two >&2; echo three; printf "no newline"'
docker logs d-l
docker logs --tail 1 d-l
docker logs --tail 0 d-l
docker logs --tail x d-l
docker logs -n 2 d-l 2>/dev/null
docker logs -t --tail 1 d-l
docker logs --since 1h d-l 2>/dev/null
docker logs --until 1h d-l
docker logs --since nonsense d-l
docker logs -f d-l 2>/dev/null
docker run --name d-m --log-driver none busybox echo unseen
docker logs d-m
docker run --rm --log-driver nosuch busybox true
docker run --rm --log-opt nosuch=1 busybox true
docker run --rm --log-opt max-size=x busybox true
docker run --name d-n -t busybox sh -c 'echo a; echo b >&2'
docker logs d-n 2>/dev/null
docker run -d --name d-o busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done' | wc -c
docker logs -f d-o
