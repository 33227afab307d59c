# What a program sees and what the caller gets back.
docker run --rm busybox echo hi
docker run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
docker run --rm busybox sh -c 'kill -TERM $$'
docker run --rm busybox no-such-program
docker run --rm busybox /etc/passwd
docker run --rm busybox /no/such/file
docker run --rm -w relative busybox true
docker run --rm hello-world | wc -l | grep -c .
echo text | docker run --rm -i busybox cat
echo text | docker run --rm busybox cat
docker run --rm -u 1000:1000 busybox id
docker run --rm -u nobody busybox id
docker run --rm -u no-such-user busybox id
docker run --rm -u 4294967296 busybox id
docker run --rm -w /tmp/new busybox pwd
docker run --rm -e A=1 -e B busybox sh -c 'echo $A $B'
docker run --rm -h box busybox sh -c 'hostname; tail -n1 /etc/hosts | cut -f2'
docker run --rm busybox sh -c 'cat /proc/self/status | grep -E "Cap|NoNewPrivs|Seccomp:"'
docker run --rm --cap-drop ALL --cap-add NET_BIND_SERVICE busybox grep Cap /proc/self/status
docker run --rm --privileged busybox sh -c 'grep CapBnd /proc/self/status | wc -l; ls -d /dev/loop-control'
docker run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
docker run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
docker run --rm --read-only busybox touch /x
docker run --rm --read-only --tmpfs /tmp busybox sh -c 'touch /tmp/x; grep " /tmp " /proc/mounts'
# Which controllers are mounted, and as what, is the host's; the files in /etc are mounted from the engine's folders.
docker run --rm busybox sh -c 'cut -d" " -f2 /proc/mounts | grep -v -E "^/etc|^/sys/fs/cgroup|^/proc/interrupts" | sort'
docker run --rm busybox sh -c 'grep -E "^[a-z]+ /(dev|dev/.*|proc|proc/sys|sys) " /proc/mounts | cut -d" " -f2-4 | sort'
docker run --rm busybox ls -l /dev
docker run --rm busybox sh -c '(sleep 0.2; ls /proc/1/fd) | wc -l; readlink /proc/self/ns/pid | wc -l'
docker run --rm --network none busybox ls /sys/class/net
docker run --rm busybox ls /sys/class/net
docker run --rm busybox sh -c 'ip route | sed "s/src.*//" | wc -l'
docker run --rm --ulimit nofile=512:1024 busybox sh -c 'ulimit -Sn; ulimit -Hn'
docker run --rm --sysctl net.ipv4.ip_forward=0 busybox cat /proc/sys/net/ipv4/ip_forward
docker run --rm --sysctl kernel.hostname=x busybox true
docker run --rm --shm-size 1m busybox sh -c 'df -k /dev/shm | tail -n1 | awk "{print \$2}"'
docker run --rm --memory 64m busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes
docker run --rm --memory 1m busybox true
docker run --rm --cpus 0.5 busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us
docker run --rm --cpus 1000 busybox true
docker run --rm --cpuset-cpus 0-2147483647 busybox true
docker run --rm --pids-limit 20 busybox cat /sys/fs/cgroup/pids/pids.max
docker run --rm --device /dev/null:/dev/mine busybox ls -l /dev/mine
docker run --rm --group-add 5 -u 7 busybox id -G
docker run --rm --entrypoint echo busybox from entrypoint
docker run --rm --init busybox cat /proc/1/comm
docker run --rm --pid host busybox sh -c 'test $(ls -d /proc/[0-9]* 2>/dev/null | wc -l) -gt 5 && echo many'
docker run --rm --uts host --hostname x busybox true
docker run --rm --ipc none busybox ls -d /dev/shm
docker run -d --name run-lender --network none --ipc shareable --shm-size 8m busybox sleep 60 >/dev/null; docker exec run-lender grep ' /dev/shm ' /proc/mounts; docker run --rm --network none --ipc container:run-lender --shm-size 64m busybox sh -c "grep ' /dev/shm ' /proc/mounts; dd if=/dev/zero of=/dev/shm/x bs=1M count=9 2>&1 | grep -i space"
docker kill run-lender; docker run --rm --network none --ipc container:run-lender busybox true; docker run --rm --network none --pid container:run-lender busybox true; docker rm run-lender
docker run --rm debian cat /etc/debian_version
docker run --rm -v /tmp:/x:zz busybox true
docker run --rm -v /no-such-dir-d:/x busybox ls -d /x; rmdir /no-such-dir-d 2>/dev/null; true
docker run --rm --mount type=bind,src=/no-such-dir-d2,dst=/x busybox true
docker run --rm --stop-signal NOSUCH busybox true
docker run --rm --restart always busybox true
docker run --rm --name .bad busybox true
docker run --rm --network none busybox sh -c 'for path in /sys/fs/cgroup/cpuset /sys/fs/cgroup/memory; do grep " $path " /proc/self/mountinfo | cut -d" " -f4 | grep -o "[^/]*$" | wc -c; done'
