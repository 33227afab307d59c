# Bare requests: status codes and bodies, also of those that no client of Docker's sends.
api GET /_ping
api GET /_ping -o /dev/null -D - | tr -d '\r' | sed 's/^\(Server\|Date\): .*/\1/I' | sort
api GET /_ping --head | tr -d '\r' | grep -i -E '^(HTTP|Api|Content-Type|Pragma|Cache|Ostype|Builder|Swarm)' | sort
api GET /v1.40/_ping
api POST /_ping
api GET /nosuch
api GET /v1.45/nosuch
api DELETE /containers/json
api PUT /info
api GET /v1.23/info
api GET /v1.99/info
api GET /v9/info
api GET /vx/info
api GET /v1.24/version | shape
api GET /v1.45/version | shape
api GET /v1.45/info -o info; shape <info
api GET /v1.24/containers/json
api GET /containers/json?all=1\&limit=x
api GET /containers/json?filters=x
api GET /containers/json?filters=%7B%22nosuch%22%3A%5B%22a%22%5D%7D
api GET /containers/json?filters=%7B%22status%22%3A%5B%22a%22%5D%7D
api POST /containers/create
api POST /containers/create -d '{}'
api POST /containers/create -H 'Content-Type: application/json'
api POST /containers/create -H 'Content-Type: application/json' -d '{'
api POST /containers/create -H 'Content-Type: application/json' -d ''
api POST /containers/create -H 'Content-Type: application/json' -d '[]'
api POST /containers/create -H 'Content-Type: application/json' -d '"x"'
api POST /containers/create -H 'Content-Type: application/json' -d 'null'
api POST /containers/create -H 'Content-Type: application/json' -d '{}'
api POST /containers/create -H 'Content-Type: application/json' -d '{"Image":1}'
api POST /containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":{}}'
api POST /containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox"} {}'
api POST /containers/create -H 'Content-Type: text/plain' -d '{"Image":"busybox"}'
api POST /containers/create -H 'Content-Type: application/json' -d '{"Image":"api-nosuch"}'
api POST /containers/create?name=.bad -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
api POST /containers/create?name=api-a -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":["sleep","100"]}'
api POST /containers/create?name=api-a -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
api POST '/containers/create?name=api-b&platform=nosuch/x' -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
api POST /containers/create?name=api-c -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":{"Memory":1}}'
api POST /containers/create?name=api-c -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":{"NetworkMode":"nosuch"}}'
api POST /containers/create?name=api-d -H 'Content-Type: application/json' -d '{"image":"busybox","cmd":"true","hostconfig":{"networkmode":"none"}}'
api GET /containers/api-d/json | jq -c '.Config.Cmd?, .HostConfig.NetworkMode?'
api GET /containers/api-none/json
api GET /containers/api-a/json -o inspect; shape <inspect | grep -v -E '^GraphDriver.Data|^HostConfig.LogConfig.Config'
api GET /v1.24/containers/api-a/json -o inspect; shape <inspect | grep -v -E '^GraphDriver.Data|^HostConfig.LogConfig.Config'
api GET /v1.40/containers/api-a/json -o inspect; shape <inspect | grep -v -E '^GraphDriver.Data|^HostConfig.LogConfig.Config'
api GET /containers/api-a/json?size=1 | jq -c '.SizeRw, (.SizeRootFs > 0)'
api POST /containers/api-a/start
api POST /containers/api-a/start
api POST /containers/api-none/start
api GET /containers/api-a/json -o inspect; shape <inspect | grep -v -E '^GraphDriver.Data|^HostConfig.LogConfig.Config'
api GET '/containers/json?filters=%7B%22name%22%3A%5B%22api-a%22%5D%7D' -o list; shape <list
api GET '/v1.24/containers/json?filters=%7B%22name%22%3A%5B%22api-a%22%5D%7D&size=1' -o list; shape <list
api GET '/v1.40/containers/json?filters=%7B%22name%22%3A%5B%22api-a%22%5D%7D' -o list; shape <list
api GET /containers/api-a/top | jq -c '.Titles?, .Processes?[0][7]'
api GET /containers/api-a/top?ps_args=nosuch
api GET /containers/api-a/changes
api GET /containers/api-a/logs
api GET /containers/api-a/logs?stdout=1\&tail=x
api GET /containers/api-none/logs?stdout=1
api GET /containers/api-a/stats?stream=0 -o stats; shape <stats | grep -v -E 'read|io_service|memory_stats.stats|percpu|networks'
api GET /containers/api-none/stats
api POST /containers/api-a/resize
api POST /containers/api-a/resize?h=x\&w=1
api POST /containers/api-a/resize?h=10\&w=20
api POST /containers/api-a/attach
api POST /containers/api-none/attach
api POST /containers/api-a/rename
api POST /containers/api-a/rename?name=api-a
api POST /containers/api-a/rename?name=api-d
api POST /containers/api-a/rename?name=/
api POST /containers/api-a/update -H 'Content-Type: application/json' -d '{"Memory":1}'
api POST /containers/api-a/update -H 'Content-Type: application/json' -d '{"RestartPolicy":{"Name":"nosuch"}}'
api POST /containers/api-a/update -H 'Content-Type: application/json' -d '{"CpuShares":512}'
api POST /containers/api-a/exec -H 'Content-Type: application/json' -d '{}'
api POST /containers/api-a/exec -H 'Content-Type: application/json' -d '{"Cmd":[]}'
api POST /containers/api-none/exec -H 'Content-Type: application/json' -d '{"Cmd":["true"]}'
api POST /containers/api-d/exec -H 'Content-Type: application/json' -d '{"Cmd":["true"]}'
api POST /containers/api-a/exec -H 'Content-Type: application/json' -d '{"Cmd":["sh","-c","exit 3"],"AttachStdout":true}' | cut -c1-6
api POST /exec/nosuch/start -H 'Content-Type: application/json' -d '{}'
api GET /exec/nosuch/json
api POST /exec/nosuch/resize?h=1\&w=1
exec=$(api POST /containers/api-a/exec -H 'Content-Type: application/json' -d '{"Cmd":["sh","-c","exit 3"]}' | cut -d'"' -f4); api GET /exec/$exec/json -o exec; shape <exec; api POST /exec/$exec/resize?h=1\&w=1; api POST /exec/$exec/start -H 'Content-Type: application/json' -d '{"Detach":true}'; sleep 1; api POST /exec/$exec/start -H 'Content-Type: application/json' -d '{"Detach":true}'; api GET /exec/$exec/json | jq -c 'del(.ID, .ContainerID)?' 2>/dev/null | sed 's/"Pid":[0-9]*//'
api POST /containers/api-a/wait?condition=nosuch
api POST /containers/api-none/wait
api POST /containers/api-a/pause
api POST /containers/api-a/pause
api POST /containers/api-a/unpause
api POST /containers/api-a/unpause
api POST /containers/api-none/pause
api POST /containers/api-a/kill?signal=nosuch
api POST /containers/api-none/kill
api POST /containers/api-a/stop?t=x
api POST /containers/api-a/stop?t=0
api POST /containers/api-a/stop
api POST /containers/api-none/stop
api POST /containers/api-a/kill
api POST /containers/api-a/pause
api POST /containers/api-a/wait
api POST /v1.24/containers/api-a/wait
api POST /v1.24/containers/api-a/start
api DELETE /containers/api-a
api POST /containers/api-a/restart?t=0
api POST /containers/api-none/restart
api DELETE /containers/api-a?force=1
api DELETE /containers/api-a?force=1
api DELETE /containers/api-d?v=x
api DELETE /v1.24/containers/api-none
api POST /v1.24/containers/create?name=api-e -H 'Content-Type: application/json' -d '{"Image":"busybox","Memory":67108864,"CpuShares":5,"Tty":true}'
api GET /v1.24/containers/api-e/json | jq -c '.HostConfig.Memory?, .HostConfig.CpuShares?'
api DELETE /containers/api-e
api GET /images/json?filters=x
api GET '/images/json?filters=%7B%22reference%22%3A%5B%22busybox%22%5D%7D' -o images; shape <images
api GET '/v1.24/images/json?filters=%7B%22reference%22%3A%5B%22busybox%22%5D%7D' -o images; shape <images
api GET '/v1.40/images/json?filters=%7B%22reference%22%3A%5B%22busybox%22%5D%7D' -o images; shape <images
api GET /images/busybox/json -o image; shape <image | grep -v ^GraphDriver.Data
api GET /v1.24/images/busybox/json -o image; shape <image | grep -v ^GraphDriver.Data
api GET /v1.40/images/busybox/json -o image; shape <image | grep -v ^GraphDriver.Data
api GET /images/busybox/json | head -c -5 | jq -c 'del(.GraphDriver, .Metadata, .RepoDigests)' | jq -S .
api GET /images/api-none/json
api GET /images/BAD/json
api GET /images/busybox/history -o history; shape <history
api GET /images/api-none/history
api GET /images/api-none/get -o /dev/null
api GET /images/get?names=api-none -o /dev/null
api POST /images/busybox/tag
api POST /images/busybox/tag?repo=UPPER
api POST '/images/busybox/tag?repo=api-tag&tag=1'
api POST /images/api-none/tag?repo=api-tag
api DELETE /images/api-tag:1
api DELETE /images/api-none
api POST /images/load -d 'not a tar' | sed 's/docker-import-[0-9]*/X/g'
api POST /images/create
api POST /images/create?fromSrc=nosuch
api POST /images/prune?filters=x
api POST /containers/prune?filters=x
api POST /containers/prune?filters=%7B%22nosuch%22%3A%5B%22a%22%5D%7D
api POST /commit?container=api-none
api POST /commit
api GET /events?since=x
api GET '/events?since=1&until=1'
api GET '/events?since=1&until=1&filters=x'
api GET /containers/api-none/export -o /dev/null
api GET /containers/api-none/changes
api GET /containers/api-none/top
api POST /auth
api GET /distribution/api-none/json | tail -c 5
api GET /swarm
api GET /plugins
