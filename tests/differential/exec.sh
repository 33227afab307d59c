docker run -d --name d-x -e FROM=run busybox sleep 300 | wc -c
docker exec d-x sh -c 'echo out; echo err >&2; exit 4'
echo hello | docker exec -i d-x cat
docker exec -u nobody -w /tmp -e MORE=exec d-x sh -c 'id -un; pwd; echo $FROM $MORE'
docker exec d-x no-such-program
docker exec d-x /etc/passwd
docker exec -w /no/such/dir d-x pwd
docker exec -u no-such-user d-x true
docker exec -d d-x sleep 1
docker exec d-x sh -c 'grep -E "Cap|NoNewPrivs|Seccomp:" /proc/self/status'
docker exec --privileged d-x grep CapBnd /proc/self/status | wc -l
docker exec d-x cat /proc/1/comm
docker exec d-x sh -c 'cat /proc/self/cgroup | grep -c /'
docker exec d-x
docker exec -it d-x true
docker exec d-none true
docker inspect -f '{{json .ExecIDs}}' d-x
