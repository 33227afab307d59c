# A person at a terminal: what is typed, what is shown, keys that detach, sizes.
terminal terminal-a "docker run --rm -it --name terminal-a busybox sh -c 'tty; read x; echo got \$x; exit 5'" 'word\r'
terminal terminal-b "docker run --rm -it --name terminal-b busybox sh -c 'stty -a | head -n1; read x'" '\r'
terminal terminal-c "stty rows 33 cols 99; docker run --rm -it --name terminal-c busybox sh -c 'sleep 1; stty size; read x'" '\r'
terminal terminal-d "docker run --rm -it --name terminal-d busybox sh -c 'trap \"echo interrupted; exit 9\" INT; while :; do sleep 0.1; done'" '\003'
terminal terminal-e "docker run --rm -it --name terminal-e busybox cat" 'line\r' '\004'
terminal terminal-f "docker run -it --name terminal-f busybox cat" 'one\r' '\020\021'
docker ps --filter name=terminal-f --format '{{.Names}} {{.State}}'
terminal terminal-f "docker attach terminal-f" 'two\r' '\020\021'
terminal terminal-f "docker attach --detach-keys ctrl-x,x terminal-f" 'three\r' '\030x'
terminal terminal-f "docker attach --detach-keys nonsense terminal-f" >/dev/null
docker attach terminal-f
docker logs terminal-f
terminal terminal-f "docker exec -it terminal-f sh -c 'tty; read x; echo \$x; exit 6'" 'inside\r'
terminal terminal-f "docker exec -it --detach-keys ctrl-a terminal-f sleep 20" '\001'
terminal terminal-f "docker exec -t terminal-f sh -c 'echo out; echo err >&2; test -t 0 && echo terminal'"
terminal terminal-f "docker exec -it -e TERM=other terminal-f sh -c 'echo \$TERM'"
terminal terminal-f "docker attach --no-stdin terminal-f & sleep 1; docker kill terminal-f; wait \$!"
docker inspect -f '{{.Config.Tty}} {{.Config.OpenStdin}} {{.Config.StdinOnce}} {{.Config.AttachStdin}} {{.State.ExitCode}}' terminal-f
docker create -it --name terminal-g busybox sh -c 'read x; echo $x; exit 8' | wc -c
terminal terminal-g "docker start -ai terminal-g" 'started\r'
docker wait terminal-g
docker logs terminal-g
docker run -it --rm busybox true
docker run -t --rm busybox sh -c 'tty; echo $TERM'
echo piped | docker run -i --rm --name terminal-h busybox sh -c 'cat; exit 2'
docker run -d -i --name terminal-i busybox cat | wc -c
(echo first; sleep 0.5; docker kill terminal-i >/dev/null) | docker attach terminal-i
docker wait terminal-i
docker logs terminal-i
docker run -d --name terminal-j busybox sh -c 'trap "echo term; exit 4" TERM; echo ready; while :; do sleep 0.1; done' | wc -c
(sleep 1; kill -TERM $(pgrep -f "^docker attach terminal-j$")) & docker attach terminal-j; echo $?
docker run -d --name terminal-k busybox sh -c 'trap "echo term; exit 4" TERM; sleep 2; echo ready; while :; do sleep 0.1; done' | wc -c
(sleep 4; kill -TERM $(pgrep -f "^docker attach --sig-proxy=false terminal-k$")) & docker attach --sig-proxy=false terminal-k; docker inspect -f '{{.State.Running}}' terminal-k
docker attach terminal-none
docker attach --nosuch terminal-k
docker rm -f terminal-k
