docker version --format '{{.Server.Os}} {{.Server.Arch}} {{.Server.MinAPIVersion}}'
docker info --format '{{.OSType}} {{.Architecture}} {{.NCPU}} {{.MemTotal}} {{.CgroupDriver}} {{.CgroupVersion}}'
docker info --format '{{.LoggingDriver}} {{.MemoryLimit}} {{.SwapLimit}} {{.PidsLimit}}'
since=$(date +%s.%N); docker run --name system-ev --network none busybox true; sleep 0.3; docker events --since $since --until $(date +%s.%N) --filter container=system-ev --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.image}} {{.Actor.Attributes.exitCode}}'
docker events --since 5s --until $(date +%s.%N) --filter type=nosuch
docker ps -a --filter name=system-ev --format nosuch
docker ps -a --filter name=system-ev --format '{{.NoSuch}}'
docker ps --filter nosuch=x
docker ps --filter status=nosuch
docker ps -a --filter name=system-ev --format json | grep -o '"[A-Za-z]*":'
docker ps -a --filter exited=0 --filter name=system-ev --format '{{.Names}}'
docker ps -a --filter name=system-ev --no-trunc | head -n1 | tr -s ' '
docker ps -a --filter name=system-ev --format 'table {{.Names}}\t{{.Status}}' | cut -c1-20
docker inspect --type image system-ev
docker inspect --format '{{.Nope}}' system-ev
docker inspect --format '{{json .Path}} {{json .Args}}' system-ev
docker container ls -aq --filter name=system-ev | wc -c
# What happened, filtered in every way.
since=$(date +%s.%N); echo $since >since; docker run -d --name system-fi --label system-x=y --network none busybox sleep 100 | wc -c; docker exec system-fi true; docker pause system-fi; docker unpause system-fi; docker rename system-fi system-re; docker kill system-re; docker wait system-re; docker start system-re; docker stop -t 0 system-re; docker rm system-re; sleep 0.3; date +%s.%N >until
docker events --since $(cat since) --until $(cat until) --filter label=system-x=y --format '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.signal}} {{.Actor.Attributes.exitCode}}' | grep -v exec_die | sort
docker events --since $(cat since) --until $(cat until) --filter label=system-x --filter event=pause --filter event=die --format '{{.Type}} {{.Action}} {{.Scope}}'
docker events --since $(cat since) --until $(cat until) --filter label=system-x --filter type=image
docker events --since $(cat since) --until $(cat until) --filter label=system-x --filter event=create --format json | shape | grep -v -E '^(from|id|status) '
docker events --since nonsense 2>&1 | grep -o 'failed to parse.*'
docker events --nosuch
docker ps -a --filter name=system-ev --format 'table {{.ID}}\t{{.Image}}\t{{.Command}}' | cut -c16-
docker ps -a --filter name=system-ev -q | wc -c
docker ps -a --filter name=system-ev -q --no-trunc | wc -c
docker ps -a --filter name=system-ev --format '{{upper .Names}} {{.Label "nosuch"}} {{json .Image}}'
docker ps -a --filter name=system-ev --format '{{.Names'
docker ps -a --filter name=system-ev --filter status=exited --filter ancestor=busybox --format '{{.Names}}'
docker ps -a --filter name=system-ev --filter network=none --format '{{.Names}}'
docker ps -a --filter name=system-ev --size --format '{{.Size}}' | sed 's/[0-9.]*[kM]\?B/N/g'
docker ps -n 1 --filter name=system-ev --format '{{.Names}}'
docker ps -l --filter name=system-ev --format '{{.Names}}'
docker image inspect busybox | jq -S 'map(del(.GraphDriver.Data, .Metadata))'
docker inspect system-ev | shape | grep -v -E '^\[\].(HostConfig.LogConfig.Config|NetworkSettings.Networks.none.GwPriority)'
docker inspect --size system-ev | shape | grep Size
docker inspect --format json busybox | shape
docker inspect --type container busybox
docker inspect --type nosuch busybox
docker version --format json | shape | grep -v -E 'Components|BuildTime|GitCommit|GoVersion|Experimental|DefaultAPIVersion|BuildTime'
# Our client speaks a later version, which has no BridgeNf, Expected and KernelMemoryTCP but a FirewallBackend.
docker info --format json | shape | grep -v -E '^(ClientInfo|Runtimes|RegistryConfig|Client|BridgeNf|.*Commit.Expected|KernelMemoryTCP|FirewallBackend|CDISpecDirs)'
# The message names types of Go.
docker info --format '{{.NoSuch}}' >/dev/null 2>&1
docker version --format '{{.NoSuch}}' >/dev/null 2>&1
docker version extra
docker info extra
# Every flag that is offered here is one of Docker's: those of later issues are missing here.
docker run --help | grep -o -E -- '--(add-host|attach|cap-add|cap-drop|cidfile|cpus|detach|detach-keys|device|entrypoint|env|env-file|hostname|init|interactive|ipc|label|log-driver|log-opt|memory|mount|name|network|pid|privileged|read-only|restart|rm|runtime|security-opt|shm-size|sig-proxy|stop-signal|stop-timeout|sysctl|tmpfs|tty|ulimit|user|userns|uts|volume|volumes-from|workdir)  ' | sort -u
docker ps --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
docker logs --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | grep -v -e --grep | tr -s ' '
docker exec --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
docker stop --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
docker rm --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
docker events --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
docker images --help | grep -v -e --tree | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
# Every action that one container can have, with its attributes.
since=$(date +%s.%N); docker create --name system-ac --network none busybox sleep 100 | wc -c; docker start system-ac; docker top system-ac >/dev/null; docker exec system-ac true; docker update --memory 64m --memory-swap 64m system-ac; docker pause system-ac; docker unpause system-ac; docker export system-ac >/dev/null; docker commit system-ac system-image:1 | wc -c; docker kill -s CONT system-ac; docker restart -t 0 system-ac; docker rename system-ac system-ad; docker stop -t 0 system-ad; docker rm system-ad; docker tag system-image:1 system-image:2; docker save system-image:1 >/dev/null; docker rmi system-image:1 system-image:2 >/dev/null; docker container prune -f --filter label=system-none; docker image prune -f --filter label=system-none; sleep 0.5; date +%s.%N >until; echo $since >since
docker events --since $(cat since) --until $(cat until) --filter container=system-ac --filter container=system-ad --format '{{.Action}} {{json .Actor.Attributes}}' | sed 's/"execID":"[0-9a-f]*"/X/; s/"execDuration":"[0-9]*"/Y/' | sort
docker events --since $(cat since) --until $(cat until) --filter image=system-image --filter type=image --format '{{.Action}} {{.Actor.Attributes.name}}'
docker events --since $(cat since) --until $(cat until) --filter event=prune --filter type=container --format '{{json .Actor}}' | sort -u
docker events --since $(cat since) --until $(cat until) --filter event=prune --filter type=image --format '{{json .Actor}}' | sort -u
docker info --format '{{.Driver}} {{.DriverStatus}} {{.Swarm.LocalNodeState}} {{.IndexServerAddress}} {{.ExperimentalBuild}}'
docker info --format '{{json .Plugins.Volume}} {{.Plugins.Authorization}} {{.Isolation}} {{.Warnings}}'
docker info --format '{{range .SecurityOptions}}{{println .}}{{end}}{{.Debug}} {{.HTTPProxy}} {{.NoProxy}}'
docker info -f '{{.ServerErrors}}{{.ClientErrors}}'
docker version -f '{{json .Server.Arch}} {{.Server.KernelVersion}} {{len .Server.Components}}' | cut -d' ' -f1-2
docker version -f '{{range .Server.Components}}{{println .Name}}{{end}}' | head -n1
docker system info --format '{{.OperatingSystem}}' | wc -l
