# Nothing published, and no wish about the OOM killer, is null in one engine where it is empty in the other.
# Bare requests: status codes and bodies, also of those that no client of Docker's sends. Both engines know 1.45.
# Docker looks every five minutes which execs can be removed. Devices by CDI are a feature to be turned on in Docker 26.
# What a value of the wrong type is to be is said in the decoder's types; runtimes and the time of the build are each
# engine's own; the body of a failed attach is text with Docker, JSON here.
api GET /_ping
api GET /_ping -o /dev/null -D - | tr -d '\r' | sed 's/^\(Server\|Date\): .*/\1/I' | sort
api GET /_ping --head | tr -d '\r' | grep -i -E '^(HTTP|Api|Content-Type|Pragma|Cache|Ostype|Builder|Swarm)' | sort
api GET /v1.40/_ping
api POST /_ping
# A path has one spelling; what cannot be read is refused; anybody may ask for options.
for path in // /v1.45//info '/v1.45/./info?x=%zz' /v1.45/../info /v1.45/containers/%2e%2e/json /v1.45/containers//json /v1.45/images/a//b/json /v1.45/volumes/..; do api GET $path --path-as-is -o /dev/null -D - | tr -d '\r' | grep -i -E '^(HTTP|Location|Content-Length)' | sort; done
api POST /v1.45/containers//start --path-as-is -o /dev/null -D - | tr -d '\r' | grep -i -E '^(HTTP|Location)'
for path in /v1.45/containers/%/json /v1.45/containers/%zz/json /v1.45/info% ; do api GET $path; done
for path in / /v1.45/info /nosuch /v1.45/containers/nosuch/json; do api OPTIONS $path; done
for version in 1 1. .45 01.24 1.45.0 1.23.9 9999999999999999999999; do api GET /v$version/version -o answer; cut -c1-60 answer | grep -v Platform; done
for path in containers/ images/ volumes/ containers/api-none images/api-none volumes/api-none 'containers/api-none?link=1'; do api DELETE /v1.45/$path; done
api GET /v1.45/volumes/
api PUT /v1.45/volumes/
for filters in null 1 '[]' '{"a":null}' '{"a":{}}' '{"a":{"x":1}}' '{"label":["a"],"x":{"y":true}}' '{"label":"a"}' '{"until":["x"]}' '{"exited":["x"]}' '{"is-task":["x"]}' '{"reference":["["]}' '{"dangling":["x"]}' '{"before":["api-none"]}'; do for path in containers/json images/json volumes; do api GET "/v1.45/$path?limit=1" -G --data-urlencode "filters=$filters" -o answer; grep message answer; done; done
for path in kill?signal=x attach?detachKeys=bogus-x start?checkpoint=x checkpoints 'resize?h=99999999999999999999&w=1' 'wait?condition=x'; do api POST "/v1.45/containers/api-none/$path"; done
for path in archive 'archive?path=' attach/ws checkpoints; do api GET "/v1.45/containers/api-none/$path"; done
api PUT /v1.45/containers/api-none/archive
for path in containers/api-none/exec containers/api-none/update exec/api-none/start; do for body in '' null; do api POST /v1.45/$path -H 'Content-Type: application/json' -d "$body"; done; api POST /v1.45/$path -H 'Content-Type: application/json' -d '[]' | cut -c1-70; done
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":[]}' | cut -c1-70
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":{"Mounts":[["bind"]]}}' | cut -c1-70
for path in 'events?since=99999999999999999999' 'events?until=1.x' 'containers/json?limit=99999999999999999999' images/get?names= images/get?names=BAD 'images/prune?filters=x'; do api GET "/v1.45/$path"; done
api POST '/v1.45/commit?container=api-none&repo=BAD'
api GET /nosuch
api GET /v1.45/nosuch
api DELETE /v1.45/containers/json
api PUT /info
api GET /v1.23/info
api GET /v1.99/info
api GET /vx/info
api GET /v1.24/version | shape | grep -v ^BuildTime
api GET /v1.45/version | shape | grep -v ^BuildTime
api GET /v1.45/info -o info; shape <info | grep -v -E '^(Runtimes|CDISpecDirs)'
api GET /v1.24/info -o info; shape <info | grep -v -E '^(Runtimes|CDISpecDirs)'
api GET /v1.41/info -o info; shape <info | grep -v -E '^(Runtimes|CDISpecDirs)'
api GET /v1.45/info | jq -c '[.RegistryConfig, .Labels, .SecurityOptions, .Swarm, .CgroupDriver, .CgroupVersion, .OSType, .GenericResources, .Isolation, .Warnings]'
api GET /v1.45/version | jq -c '[.Components[0] | .Name, (.Details | keys)]'
api GET /v1.24/containers/json?limit=1 | tail -c 4
api GET /v1.45/containers/json?all=1\&limit=x
api GET /v1.45/containers/json?filters=x
api GET /v1.45/containers/json?filters=%7B%22nosuch%22%3A%5B%22a%22%5D%7D
api GET /v1.45/containers/json?filters=%7B%22status%22%3A%5B%22a%22%5D%7D
api POST /v1.45/containers/create
api POST /v1.45/containers/create -d '{}'
api POST /v1.45/containers/create -H 'Content-Type: application/json'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d ''
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '[]' | sed 's/: json:.*\|: invalid type.*\|: data did.*/"}/'
for text in 'x' '[1 2]' '{"Image":}' '{"Image":"x",}' '{Image:1}' '{"Image" 1}' '{"a":tru}' '{"a":01}' '{"a":-}' '{"a":1.}' '{"a":1e}' '{"a":"\\x"}' '{"a":"\\u12x"}' '{"a":[1,]}' "{'a':1}" '{"a":nul' '   '; do api POST /v1.45/containers/create -H 'Content-Type: application/json' --data-binary "$text"; done
api POST /v1.45/containers/api-none/update -H 'Content-Type: application/json' -d '{"Memory":"x"}' | sed 's/ field .*/"}/'
for body in '{"Memory":1e30}' '{"CpuShares":1.5}' '{"NanoCpus":"5"}' '{"BlkioWeight":70000}' '{"PidsLimit":1.5}' '{"BlkioDeviceReadBps":[{"Path":"/dev/vda","Rate":-1}]}' '{"ShmSize":"x"}'; do api POST /v1.45/containers/create -H 'Content-Type: application/json' -d "{\"Image\":\"busybox\",\"HostConfig\":$body}" | sed 's/ field .*/"}/'; done
for body in '{"Memory":1e30}' '{"CpuShares":1.5}' '{"BlkioDeviceReadBps":[{"Path":"/dev/vda","Rate":-1}]}'; do api POST /v1.45/containers/api-none/update -H 'Content-Type: application/json' -d "$body" | sed 's/ field .*/"}/'; done
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","StopTimeout":1e400}' | sed 's/ field .*/"}/'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","MacAddress":"zz"}'
for mount in '"Type":"bind","Source":"/tmp","VolumeOptions":{}' '"Type":"volume","BindOptions":{}' '"Type":"tmpfs","VolumeOptions":{}' '"Type":"bind","Source":"/tmp","TmpfsOptions":{}'; do api POST /v1.45/containers/create -H 'Content-Type: application/json' -d "{\"Image\":\"busybox\",\"HostConfig\":{\"Mounts\":[{\"Target\":\"/x\",$mount}]}}"; done
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d 'null'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{}'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":1}' | sed 's/: json:.*\|: invalid type.*\|: data did.*/"}/'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":{}}' | sed 's/: json:.*\|: invalid type.*\|: data did.*/"}/'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox"} {}'
api POST /v1.45/containers/create -H 'Content-Type: text/plain' -d '{"Image":"busybox"}'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"api-nosuch"}'
api POST /v1.45/containers/create?name=.bad -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
api POST /v1.45/containers/create?name=api-a -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":["sleep","100"]}'
api POST /v1.45/containers/create?name=api-a -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
api POST '/v1.45/containers/create?name=api-b&platform=nosuch/x' -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
api POST /v1.45/containers/create?name=api-c -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":{"Memory":1}}'
api POST /v1.45/containers/create?name=api-c -H 'Content-Type: application/json' -d '{"Image":"busybox","HostConfig":{"NetworkMode":"nosuch"}}'
api POST /v1.45/containers/create?name=api-d -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":"true","HostConfig":{"NetworkMode":"none"}}'
api GET /v1.45/containers/api-d/json | jq -c '.Config.Cmd?, .HostConfig.NetworkMode?'
api GET /v1.45/containers/api-none/json
api GET /v1.45/containers/api-a/json -o inspect; shape <inspect | grep -v -E '^HostConfig.LogConfig.Config|^HostConfig.(PortBindings|OomKillDisable)'
api GET /v1.24/containers/api-a/json -o inspect; shape <inspect | grep -v -E '^HostConfig.LogConfig.Config|^HostConfig.(PortBindings|OomKillDisable)'
api GET /v1.40/containers/api-a/json -o inspect; shape <inspect | grep -v -E '^HostConfig.LogConfig.Config|^HostConfig.(PortBindings|OomKillDisable)'
api GET /v1.45/containers/api-a/json?size=1 | jq -c '.SizeRw, (.SizeRootFs > 0)'
api POST /v1.45/containers/api-a/start
api POST /v1.45/containers/api-a/start
api POST /v1.45/containers/api-none/start
api GET /v1.45/containers/api-a/json -o inspect; shape <inspect | grep -v -E '^HostConfig.LogConfig.Config|^HostConfig.(PortBindings|OomKillDisable)'
api GET '/v1.45/containers/json?filters=%7B%22name%22%3A%5B%22api-a%22%5D%7D' -o list; shape <list
api GET '/v1.24/containers/json?filters=%7B%22name%22%3A%5B%22api-a%22%5D%7D&size=1' -o list; shape <list
api GET '/v1.40/containers/json?filters=%7B%22name%22%3A%5B%22api-a%22%5D%7D' -o list; shape <list
api GET /v1.45/containers/api-a/top | jq -c '.Titles?, .Processes?[0][7]'
api GET /v1.45/containers/api-a/changes
api GET /v1.45/containers/api-a/logs
api GET /v1.45/containers/api-a/logs?stdout=1\&tail=x
api GET /v1.45/containers/api-none/logs?stdout=1
api GET /v1.45/containers/api-a/stats?stream=0 -o stats; shape <stats | grep -E '^(id|name|num_procs|cpu_stats|pids_stats|blkio_stats) '
api GET /v1.45/containers/api-none/stats
api POST /v1.45/containers/api-a/resize
api POST /v1.45/containers/api-a/resize?h=x\&w=1
api POST /v1.45/containers/api-a/resize?h=10\&w=20
api POST /v1.45/containers/api-a/attach
api POST /v1.45/containers/api-none/attach | tail -c 5
api POST /v1.45/containers/api-a/rename
api POST /v1.45/containers/api-a/rename?name=api-a
api POST /v1.45/containers/api-a/rename?name=api-d
api POST /v1.45/containers/api-a/rename?name=/
api POST /v1.45/containers/api-a/update -H 'Content-Type: application/json' -d '{"Memory":1}'
api POST /v1.45/containers/api-a/update -H 'Content-Type: application/json' -d '{"RestartPolicy":{"Name":"nosuch"}}'
api POST /v1.45/containers/api-a/update -H 'Content-Type: application/json' -d '{"CpuShares":512}' | tail -c 5
api POST /v1.45/containers/api-a/exec -H 'Content-Type: application/json' -d '{}'
api POST /v1.45/containers/api-a/exec -H 'Content-Type: application/json' -d '{"Cmd":[]}'
api POST /v1.45/containers/api-none/exec -H 'Content-Type: application/json' -d '{"Cmd":["true"]}'
api POST /v1.45/containers/api-d/exec -H 'Content-Type: application/json' -d '{"Cmd":["true"]}'
api POST /v1.45/containers/api-a/exec -H 'Content-Type: application/json' -d '{"Cmd":["sh","-c","exit 3"],"AttachStdout":true}' | cut -c1-6
api POST /v1.45/exec/nosuch/start -H 'Content-Type: application/json' -d '{}'
api GET /v1.45/exec/nosuch/json
api POST /v1.45/exec/nosuch/resize?h=1\&w=1
exec=$(api POST /v1.45/containers/api-a/exec -H 'Content-Type: application/json' -d '{"Cmd":["sh","-c","exit 3"]}' | grep -o '[0-9a-f]\{64\}'); api GET /v1.45/exec/$exec/json -o exec; shape <exec; api POST /v1.45/exec/$exec/start -H 'Content-Type: application/json' -d '{"Detach":true}'; sleep 1; api POST /v1.45/exec/$exec/start -H 'Content-Type: application/json' -d '{"Detach":true}'; api GET /v1.45/exec/$exec/json | jq -c 'del(.ID, .ContainerID, .CanRemove)?' 2>/dev/null | sed 's/"Pid":[0-9]*//'
api POST /v1.45/containers/api-a/wait?condition=nosuch
api POST /v1.45/containers/api-none/wait
api POST /v1.45/containers/api-a/pause
api POST /v1.45/containers/api-a/pause
api POST /v1.45/containers/api-a/unpause
api POST /v1.45/containers/api-a/unpause
api POST /v1.45/containers/api-none/pause
api POST /v1.45/containers/api-a/kill?signal=nosuch
api POST /v1.45/containers/api-none/kill
api POST /v1.45/containers/api-a/stop?t=x
api POST /v1.45/containers/api-a/stop?t=0
api POST /v1.45/containers/api-a/stop
api POST /v1.45/containers/api-none/stop
api POST /v1.45/containers/api-a/kill
api POST /v1.45/containers/api-a/pause
api POST /v1.45/containers/api-a/wait
api POST /v1.24/containers/api-a/wait
api POST /v1.24/containers/api-a/start
api DELETE /v1.45/containers/api-a
api POST /v1.45/containers/api-a/restart?t=0
api POST /v1.45/containers/api-none/restart
api DELETE /v1.45/containers/api-a?force=1
api DELETE /v1.45/containers/api-a?force=1
api DELETE /v1.45/containers/api-d?v=x
api DELETE /v1.24/containers/api-none
api GET /v1.45/images/json?filters=x
api GET '/v1.45/images/json?filters=%7B%22reference%22%3A%5B%22busybox%22%5D%7D' -o images; shape <images
api GET '/v1.24/images/json?filters=%7B%22reference%22%3A%5B%22busybox%22%5D%7D' -o images; shape <images
api GET '/v1.40/images/json?filters=%7B%22reference%22%3A%5B%22busybox%22%5D%7D' -o images; shape <images
api GET /v1.45/images/busybox/json -o image; shape <image
api GET /v1.24/images/busybox/json -o image; shape <image
api GET /v1.40/images/busybox/json -o image; shape <image
api GET /v1.45/images/busybox/json | head -c -5 | jq -S 'del(.GraphDriver.Data, .Metadata)'
# What was never tagged has no names, in the words of each version.
docker create --name api-dangling --network none busybox true | wc -c; api POST '/v1.45/commit?container=api-dangling&changes=LABEL%20api-dangling%3D1' | cut -c1-6
api GET '/v1.45/images/json?filters=%7B%22label%22%3A%5B%22api-dangling%22%5D%7D' -o list; jq -c '.[] | [.RepoTags, .RepoDigests, .Containers, .SharedSize, .VirtualSize]' list
api GET '/v1.43/images/json?filters=%7B%22label%22%3A%5B%22api-dangling%22%5D%7D' -o list; jq -c '.[] | [.RepoTags, .RepoDigests, .VirtualSize == .Size]' list
api GET '/v1.42/images/json?filters=%7B%22label%22%3A%5B%22api-dangling%22%5D%7D' -o list; jq -c '.[] | [.RepoTags, .RepoDigests]' list
api GET '/v1.24/images/json?filters=%7B%22label%22%3A%5B%22api-dangling%22%5D%7D' -o list; jq -c '.[] | [.RepoTags, .RepoDigests]' list
api GET '/v1.45/system/df?type=image' -o df; jq -c '.Images[] | select(.Labels["api-dangling"]?) | [.RepoTags, .RepoDigests, .Containers, .SharedSize == .Size]' df
api GET '/v1.24/system/df' -o df; jq -c '.Images[] | select(.Labels["api-dangling"]?) | [.RepoTags, .RepoDigests, .VirtualSize == .Size]' df
api GET '/v1.45/system/df?type=container' -o df; jq -c '.Images, .Volumes, .BuildCache, .LayersSize, (.Containers[] | select(.Names[0] == "/api-dangling") | del(.Created))' df
api GET '/v1.45/system/df?type=nosuch'
api GET '/v1.45/system/df?type=volume&type=build-cache' -o df; jq -c '.Images, .Containers, .BuildCache, .LayersSize' df
docker rm api-dangling | wc -l; docker image prune -f --filter label=api-dangling | grep -c deleted:
api GET /v1.45/images/api-none/json
api GET /v1.45/images/BAD/json
api GET /v1.45/images/busybox/history -o history; shape <history
api GET /v1.45/images/api-none/history
api GET /v1.45/images/api-none/get -o /dev/null
api GET /v1.45/images/get?names=api-none -o /dev/null
api POST /v1.45/images/busybox/tag
api POST /v1.45/images/busybox/tag?repo=UPPER
api POST '/v1.45/images/busybox/tag?repo=api-tag&tag=1'
api POST /v1.45/images/api-none/tag?repo=api-tag
api DELETE /v1.45/images/api-tag:1
api DELETE /v1.45/images/api-none
api POST /v1.45/images/load -d 'not a tar' | cut -c1-27
api POST /v1.45/images/prune?filters=x
api POST /v1.45/containers/prune?filters=x
api POST /v1.45/containers/prune?filters=%7B%22nosuch%22%3A%5B%22a%22%5D%7D
api POST /v1.45/commit?container=api-none
api POST /v1.45/commit
api GET /v1.45/events?since=x
api GET '/v1.45/events?since=1&until=1'
api GET '/v1.45/events?since=1&until=1&filters=x'
api GET /v1.45/containers/api-none/export -o /dev/null
api GET /v1.45/containers/api-none/changes
api GET /v1.45/containers/api-none/top
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"api-one","Image":"api-two"}'
api POST /v1.45/containers/create -H 'Content-Type: application/json' -d '{"Image":"api-none","ExposedPorts":{"80/tcp":null},"Volumes":{"/x":null},"HostConfig":{"Devices":[null]},"NetworkingConfig":{"EndpointsConfig":{"bridge":null}}}'
api POST /v1.45/networks/create -H 'Content-Type: application/json' -d '{"Name":"x","Name":""}'
