docker version --format '{{.Server.Os}} {{.Server.Arch}} {{.Server.MinAPIVersion}}'
docker info --format '{{.OSType}} {{.Architecture}} {{.NCPU}} {{.MemTotal}} {{.CgroupDriver}} {{.CgroupVersion}}'
docker info --format '{{.LoggingDriver}} {{.DefaultRuntime}} {{.MemoryLimit}} {{.SwapLimit}} {{.PidsLimit}}'
docker run --name system-ev --network none busybox true; docker events --since 10s --until $(date +%s.%N) --filter container=system-ev --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.image}} {{.Actor.Attributes.exitCode}}'
docker events --since 5s --until $(date +%s.%N) --filter type=nosuch
docker ps --format nosuch
docker ps --format '{{.NoSuch}}'
docker ps --filter nosuch=x
docker ps --filter status=nosuch
docker ps -a --filter name=system-ev --format json | grep -o '"[A-Za-z]*":'
docker ps -a --filter exited=0 --filter name=system-ev --format '{{.Names}}'
docker ps -a --filter name=system-ev --no-trunc | head -n1
docker ps -a --filter name=system-ev --format 'table {{.Names}}\t{{.Status}}' | cut -c1-20
docker inspect --type image system-ev
docker inspect --format '{{.Nope}}' system-ev
docker inspect --format '{{json .Path}} {{index .Args 0}}' busybox system-ev
docker container ls -aq --filter name=system-ev | wc -c
