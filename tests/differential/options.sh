# Flags of create and run: what becomes of them in inspect, and in the container.
docker create --name options-a --annotation a=b --annotation c busybox >/dev/null; docker inspect -f '{{json .HostConfig.Annotations}}' options-a; docker rm options-a
docker create --name options-a --blkio-weight 100 --blkio-weight-device /dev/null:100 busybox | wc -l; docker inspect -f '{{json .HostConfig.BlkioWeight}} {{json .HostConfig.BlkioWeightDevice}}' options-a; docker rm options-a
docker create --name options-a --cap-add sys_time --cap-add ALL --cap-drop CAP_CHOWN busybox >/dev/null; docker inspect -f '{{json .HostConfig.CapAdd}} {{json .HostConfig.CapDrop}}' options-a; docker rm options-a
docker create --name options-a --cgroup-parent /options busybox >/dev/null; docker inspect -f '{{json .HostConfig.CgroupParent}}' options-a; docker rm options-a
docker create --name options-a --cgroupns private busybox >/dev/null; docker inspect -f '{{.HostConfig.CgroupnsMode}}' options-a; docker rm options-a
docker create --name options-a --cpus 1/2 busybox >/dev/null; docker inspect -f '{{.HostConfig.NanoCpus}}' options-a; docker rm options-a
docker create --name options-a --cpu-shares 5 --cpu-period 5000 --cpu-quota 6000 --cpuset-cpus 0-1 --cpuset-mems 0 busybox >/dev/null; docker inspect -f '{{.HostConfig.CpuShares}} {{.HostConfig.CpuPeriod}} {{.HostConfig.CpuQuota}} {{.HostConfig.CpusetCpus}} {{.HostConfig.CpusetMems}}' options-a; docker rm options-a
docker create --name options-a --cpu-rt-period 1000 --cpu-rt-runtime 500 busybox >/dev/null; docker inspect -f '{{.HostConfig.CpuRealtimePeriod}} {{.HostConfig.CpuRealtimeRuntime}}' options-a; docker rm options-a
docker create --name options-a --device /dev/null --device /dev/zero:/dev/z:r --device-cgroup-rule 'c 1:* rw' busybox >/dev/null; docker inspect -f '{{json .HostConfig.Devices}} {{json .HostConfig.DeviceCgroupRules}}' options-a; docker rm options-a
docker create --name options-a --device vendor.com/class=x --device vendor.com/class=y busybox >/dev/null; docker inspect -f '{{json .HostConfig.DeviceRequests}} {{json .HostConfig.Devices}}' options-a; docker rm options-a
docker create --name options-a --gpus all busybox >/dev/null; docker inspect -f '{{json .HostConfig.DeviceRequests}}' options-a; docker rm options-a
docker create --name options-a --gpus '"device=0,1",capabilities=utility' busybox >/dev/null; docker inspect -f '{{json .HostConfig.DeviceRequests}}' options-a; docker rm options-a
docker create --name options-a --gpus 2,driver=x,options=a=b busybox >/dev/null; docker inspect -f '{{json .HostConfig.DeviceRequests}}' options-a; docker rm options-a
docker run --rm --network none --gpus all busybox true
docker run --rm --network none --gpus driver=x,capabilities=utility busybox true
docker create --name options-a --dns 10.0.0.1 --dns-search a.b --dns-search . --dns-option ndots:1 busybox >/dev/null; docker inspect -f '{{json .HostConfig.Dns}} {{json .HostConfig.DnsSearch}} {{json .HostConfig.DnsOptions}}' options-a; docker rm options-a
docker create --name options-a --expose 80 --expose 90-92/udp --expose 5/ busybox >/dev/null; docker inspect -f '{{json .Config.ExposedPorts}}' options-a; docker rm options-a
docker create --name options-a --kernel-memory 64m busybox >/dev/null; docker inspect -f '{{json .HostConfig}}' options-a | grep -c KernelMemory; docker rm options-a
docker create --name options-a -m 64m --memory-reservation 32m --memory-swap -1 --memory-swappiness 5 --oom-kill-disable busybox >/dev/null; docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemoryReservation}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemorySwappiness}} {{.HostConfig.OomKillDisable}}' options-a; docker rm options-a
docker create --name options-a --memory-swappiness -1 busybox >/dev/null; docker inspect -f '{{.HostConfig.MemorySwappiness}} {{.HostConfig.OomKillDisable}}' options-a; docker rm options-a
docker create --name options-a --oom-score-adj 7 --pids-limit -1 busybox >/dev/null; docker inspect -f '{{.HostConfig.OomScoreAdj}} {{.HostConfig.PidsLimit}}' options-a; docker rm options-a
docker create --name options-a --ipc shareable --pid host --uts host --userns host busybox >/dev/null; docker inspect -f '{{.HostConfig.IpcMode}} {{.HostConfig.PidMode}} {{.HostConfig.UTSMode}} {{.HostConfig.UsernsMode}}' options-a; docker rm options-a
docker create --name options-a --isolation default busybox >/dev/null; docker inspect -f '{{.HostConfig.Isolation}}' options-a; docker rm options-a
docker create --name options-a --security-opt no-new-privileges:true --security-opt label=disable --security-opt seccomp=unconfined busybox >/dev/null; docker inspect -f '{{json .HostConfig.SecurityOpt}}' options-a; docker rm options-a
docker create --name options-a --security-opt systempaths=unconfined busybox >/dev/null; docker inspect -f '{{json .HostConfig.MaskedPaths}} {{json .HostConfig.ReadonlyPaths}} {{json .HostConfig.SecurityOpt}}' options-a; docker rm options-a
docker create --name options-a --shm-size 1g --stop-signal 9 --stop-timeout 3 busybox >/dev/null; docker inspect -f '{{.HostConfig.ShmSize}} {{.Config.StopSignal}} {{.Config.StopTimeout}}' options-a; docker rm options-a
docker create --name options-a --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=5 busybox >/dev/null; docker inspect -f '{{json .HostConfig.Sysctls}}' options-a; docker rm options-a
docker create --name options-a --tmpfs /a --tmpfs /b:size=1m busybox >/dev/null; docker inspect -f '{{json .HostConfig.Tmpfs}}' options-a; docker rm options-a
docker create --name options-a --ulimit nofile=5:6 --ulimit core=-1 busybox >/dev/null; docker inspect -f '{{json .HostConfig.Ulimits}}' options-a; docker rm options-a
docker create --name options-a --label-file /etc/debian_version --label a --label b=c=d busybox >/dev/null; docker inspect -f '{{json .Config.Labels}}' options-a | tr -d 0-9.; docker rm options-a
printf 'A=1\n# no\n\n  B = 2\n' >env; docker run --rm --network none --env-file env busybox env
printf '\357\273\277A=1\nB="x y"  \nPATH\nNOSUCH\nC=\r\n' >env; docker run --rm --network none --env-file env busybox sh -c 'env | grep -v -E "^(PATH|HOME|HOSTNAME|PWD|SHLVL)=" | sort | cat -v'
printf '=x\n' >env; docker run --rm --network none --env-file env busybox env
printf 'A\377=1\n' >env; docker run --rm --network none --env-file env busybox env
for f in --env-file --label-file; do timeout 10 docker create $f /dev/zero busybox; done
for n in 65533 65534; do { echo B=1; printf A=; head -c $n /dev/zero | tr '\0' x; printf '\nC=1\n'; } >env; docker run --rm --network none --env-file env busybox sh -c 'echo ${#A} $B $C'; done
{ printf A=; head -c 65534 /dev/zero | tr '\0' x; } >env; docker run --rm --network none --env-file env busybox true
docker create --name options-a --cidfile cid busybox >/dev/null; test "$(cat cid)" = "$(docker inspect -f '{{.Id}}' options-a)" && echo same; docker rm options-a; rm cid
docker create --cidfile cid --name options-a --memory 1 busybox; ls cid; docker ps -aq --filter name=options-a
docker run --rm --network none --ulimit nofile=100:200 busybox sh -c 'ulimit -n; ulimit -Hn'
docker run --rm --network none --sysctl kernel.msgmax=5000 busybox cat /proc/sys/kernel/msgmax
docker run --rm --network none --shm-size 3m busybox df -k /dev/shm | tail -n1 | awk '{print $2}'
docker run --rm --network none --pids-limit 9 busybox sh -c 'cat /sys/fs/cgroup/pids/pids.max'
docker run --rm --network none --cpu-shares 77 busybox cat /sys/fs/cgroup/cpu/cpu.shares
docker run --rm --network none --cpus 0.5 busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us
docker run --rm --network none --memory 64m busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes
docker run --rm --network none --cpuset-cpus 1 busybox grep Cpus_allowed_list /proc/self/status
docker run --rm --network none --oom-score-adj 9 busybox cat /proc/self/oom_score_adj
docker run --rm --network none --device /dev/zero:/dev/options:r busybox sh -c 'head -c1 /dev/options | od -An -c; echo x >/dev/options'
docker run --rm --network none --cap-drop ALL --cap-add CHOWN busybox grep Cap /proc/self/status
docker run --rm --network none --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
docker run --rm --network none --read-only busybox sh -c 'touch /x'
docker run --rm --network none --group-add 7 --group-add 8 -u 5:6 busybox id
docker run --rm --network none --uts host busybox hostname | grep -c .
docker run --rm --network none --pid container:nosuch-options busybox true
docker run --rm --network none --ipc container:nosuch-options busybox true
docker run --rm BAD/Image true
docker run --rm 'a b' true
docker create BAD true
docker run --pull nosuch busybox true
docker run --platform a/b/c/d busybox true
docker tag busybox x//y
docker tag busybox UPPER/options && docker rmi UPPER/options
docker tag busybox -x
docker events --since nonsense
api POST '/v1.45/containers/create?name=options-b' -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":["sleep","100"]}' | cut -c1-6; docker inspect options-b | shape | grep -F HostConfig | grep -v max-
docker inspect -f '{{json .HostConfig.PortBindings}} {{json .HostConfig.OomKillDisable}} {{json .HostConfig.Devices}} {{json .HostConfig.Dns}}' options-b
api POST /v1.45/containers/options-b/update -H 'Content-Type: application/json' -d '{"Memory":67108864,"MemorySwap":134217728}'
docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' options-b
docker update --cpus 1.5 --restart on-failure:3 options-b && docker inspect -f '{{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy}}' options-b
docker update options-b
docker update --memory x options-b
docker update --memory 1m options-b
docker update --restart nosuch options-b
docker run -d --name options-c --network none busybox sleep 100; docker inspect -f '{{range $name, $n := .NetworkSettings.Networks}}{{$name}} {{len $n.NetworkID}} {{len $n.EndpointID}}{{end}}' options-c
docker kill options-c; docker inspect -f '{{range $name, $n := .NetworkSettings.Networks}}{{$name}} {{len $n.NetworkID}} {{len $n.EndpointID}}{{end}}' options-c
api -i POST '/v1.45/containers/nosuch/attach?stream=1' | tail -n1
docker create --name options-d -m 64m busybox | wc -l; docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' options-d
docker update -m 200m options-d
docker update --memory-swap 100m options-d && docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' options-d
docker update -m 128m options-d
docker update -m 128m --memory-swap 32m options-d
docker update --blkio-weight 300 --kernel-memory 64m options-d; docker inspect -f '{{.HostConfig.BlkioWeight}}' options-d
docker update --pids-limit -7 options-d; docker inspect -f '{{.HostConfig.PidsLimit}}' options-d
docker update --cpu-quota 20000 options-d && docker update --cpus 1 options-d
docker update --cpu-quota -1 options-d && docker update --cpus 1 options-d && docker update --cpu-period 10000 options-d; docker rm options-d
docker create --name options-e --rm busybox | wc -l; docker update --restart always options-e; docker rm options-e
docker run --rm --network none --privileged --device /dev/null:/dev/options --device /dev/null:/dev/zero --device /nodev busybox sh -c 'stat -c %t:%T /dev/options /dev/zero'
docker run --rm --network none --ulimit nofile=20 busybox sh -c 'ulimit -n; ulimit -Hn'
docker create --name options-v -v /tmp:/x --tmpfs /z busybox | wc -l; for place in /tmp /x /z /nosuch; do docker ps -a --filter volume=$place --format '{{.Names}}'; done; docker rm options-v
docker run --rm --network none --security-opt seccomp= busybox true
docker run --rm --network none --security-opt label= busybox true
docker run --rm --network none --tmpfs /x:bogus busybox true 2>&1 | grep -o 'invalid tmpfs option.*'
docker run --rm --network none --tmpfs /etc:ro busybox ls /etc
docker run --rm --network none -v options-etc:/etc:ro busybox ls -d /etc/hosts /etc/hostname /etc/resolv.conf; docker volume rm options-etc
docker create --name options-f busybox true | wc -l; docker export options-f | tar tv | grep dockerenv | cut -c1-32; docker diff options-f; docker start -a options-f; docker diff options-f; docker rm options-f
docker run --rm --network none --read-only busybox stat -c '%a %s %n' /.dockerenv
