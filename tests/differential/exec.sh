docker run -d --name exec-x -e FROM=run busybox sleep 300 | wc -c
docker exec exec-x sh -c 'echo out; echo err >&2; exit 4'
echo hello | docker exec -i exec-x cat
docker exec -u nobody -w /tmp -e MORE=exec exec-x sh -c 'id -un; pwd; echo $FROM $MORE'
docker exec exec-x no-such-program
docker exec exec-x /etc/passwd
docker exec -w /no/such/dir exec-x pwd
docker exec -u no-such-user exec-x true
docker exec -d exec-x sleep 300
docker exec exec-x sh -c 'grep -E "Cap|NoNewPrivs|Seccomp:" /proc/self/status'
docker exec --privileged exec-x grep CapBnd /proc/self/status | wc -l
docker exec exec-x cat /proc/1/comm
# How many hierarchies there are is the host's.
docker exec exec-x sh -c 'grep -q / /proc/self/cgroup'
docker exec exec-x
docker exec -it exec-x true
docker exec exec-none true
docker inspect -f '{{json .ExecIDs}}' exec-x
