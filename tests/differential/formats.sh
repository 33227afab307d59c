# Every list and inspect, by templates.
docker create --name formats-one --label formats-a=1 --label formats-b='x y' --hostname h -e FOO=bar -m 64m --network none busybox echo 'a "b" <c>' | wc -c
docker inspect -f '{{.Name}} {{.Config.Hostname}} {{.HostConfig.Memory}} {{.Path}} {{.Args}}' formats-one
docker inspect -f '{{.State}}' formats-one
docker inspect -f '{{.HostConfig.RestartPolicy}} {{.HostConfig.LogConfig.Type}}' formats-one
docker inspect -f '{{printf "%+v" .HostConfig.RestartPolicy}} {{printf "%#v" .HostConfig.RestartPolicy}}' formats-one
docker inspect -f '{{printf "%T %T %T %T" .State .Config.Env .HostConfig.Memory .HostConfig.NetworkMode}}' formats-one
docker inspect -f '{{.HostConfig.NetworkMode.IsNone}} {{.HostConfig.NetworkMode.IsHost}} {{.HostConfig.RestartPolicy.IsNone}}' formats-one
docker inspect -f '{{json .Config.Labels}} {{index .Config.Labels "formats-b"}} {{.Config.Labels}}' formats-one
docker inspect -f '{{range $k, $v := .Config.Labels}}{{$k}}={{$v | upper}};{{end}}' formats-one
docker inspect -f '{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$e}}{{end}}' formats-one
docker inspect -f '{{range .HostConfig.Binds}}x{{else}}none{{end}} {{with .State.Health}}{{.Status}}{{else}}unchecked{{end}}' formats-one
docker inspect -f '{{if and (eq .State.Status "created") (not .State.Running)}}new{{else if .State.Running}}up{{end}}' formats-one
docker inspect -f '{{define "t"}}<{{.}}>{{end}}{{template "t" .Name}}{{block "b" .Path}}[{{.}}]{{end}}' formats-one
docker inspect -f '{{$x := .Name}}{{with .Config}}{{$x}} {{.Hostname}} {{$.Path}}{{end}}' formats-one
docker inspect -f '{{(index .Config.Env 0)}} {{slice .Name 1 4}} {{len .Config.Cmd}} {{.Name | len | printf "%05d"}}' formats-one
docker inspect -f '{{.Name | printf "%q %x %-14s|%5.2s|" .Path}}' formats-one
docker inspect -f '{{join .Args "+"}} {{split .Name "-"}} {{title "a b"}} {{pad "x" 1 2}}| {{truncate .Name 4}}' formats-one
docker inspect -f '{{println .HostConfig.Memory 1.5 true nil}}' formats-one
docker inspect -f '{{.Id}}{{.ID}} {{.HostConfig.NanoCpus}}{{.HostConfig.Dns}}' formats-one
docker inspect -f '{{.Foo}}' formats-one
docker inspect -f '{{.Config.Foo}}' formats-one
docker inspect -f '{{.Name.Foo}}' formats-one
docker inspect -f '{{.Name 1}}' formats-one
docker inspect -f '{{index .Config.Env 99}}' formats-one
docker inspect -f '{{join .Name ","}}' formats-one
docker inspect -f '{{upper .HostConfig.Memory}}' formats-one
docker inspect -f '{{eq .HostConfig.Memory "x"}}' formats-one
docker inspect -f '{{nosuch .Name}}' formats-one
docker inspect -f '{{if .Name}}' formats-one
docker inspect -f '{{.Name' formats-one
docker inspect -f '{{break}}' formats-one
docker inspect -f '{{$x}}' formats-one
docker inspect -f '{{1 | 2}}' formats-one
docker inspect -f '{{template "none"}}' formats-one
docker inspect -f '{{call .Name}}' formats-one
docker inspect -f '{{html .Args}} {{js .Args}} {{urlquery .Name}}' formats-one
docker inspect -f '{{.Mounts}} {{.NetworkSettings.Ports}} {{json .NetworkSettings.Ports}}' formats-one
docker image inspect -f '{{.RepoTags}} {{.Os}}/{{.Architecture}} {{.Config.Cmd}} {{.RootFS.Type}} {{len .RootFS.Layers}} {{.Author}}' busybox
docker image inspect -f '{{json .Config.Cmd}} {{.Config.Entrypoint}} {{.Config.Labels}} {{.Variant}} {{.Created}}' busybox
docker image inspect -f '{{.Nope}}' busybox
docker ps -a --filter name=formats- --format '{{.Names}}|{{.Image}}|{{.Command}}|{{.State}}|{{.Status}}|{{.Ports}}|{{.Networks}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Size}}'
docker ps -a --filter name=formats- --format '{{.Label "formats-a"}} {{.Label "none"}}'
docker ps -a --filter name=formats- --format 'table {{.Names}}\t{{.Label "formats-b"}}\t{{.Status}}'
docker ps -a --filter name=formats- --format 'table {{.Names | upper}}\t{{truncate .Image 4}}'
docker ps -a --filter name=formats- --format '{{json .Names}} {{json .State}}'
docker ps -a --filter name=formats- --format '{{range split .Names "-"}}<{{.}}>{{end}}'
docker ps -a --filter name=formats- --format '{{.Names.Foo}}'
docker ps -a --filter name=formats- --format '{{.Names 1}}'
docker ps -a --filter name=formats- --format '{{.Label}}'
docker ps -a --filter name=formats- --format '{{nosuch}}'
docker ps -a --filter name=formats-none --format 'table {{.Names}}\t{{.Foo}}'
docker ps -a --filter name=formats-none --format '{{.Foo}}'
docker images busybox --format '{{.Repository}}:{{.Tag}} {{.Size}} {{.Digest}} {{.Containers}} {{.SharedSize}} {{.UniqueSize}} {{.VirtualSize}}'
docker images busybox --format 'table {{.Repository}}\t{{.Tag}}\t{{.ID}}'
docker images busybox --format '{{json .Repository}}{{.Foo}}'
docker history busybox --format '{{.Size}}|{{.Comment}}|{{.CreatedBy}}'
docker history busybox --format '{{.Foo}}'
docker version --format '{{.Client.Foo}}'
docker version --format '{{.Server.Foo}}'
docker version --format 'a{{.Foo}}'
docker version --format '{{.Foo'
docker version --format '{{.Client.Os}}/{{.Client.Arch}} {{.Client.Context}} {{.Server.APIVersion | len}}'
docker info --format '{{.Foo}}'
docker info --format '{{.Foo'
docker info --format '{{.Name.Foo}}'
docker info --format '{{.OSType}} {{.Swarm.LocalNodeState}} {{.Plugins.Volume}} {{.ClientInfo.Context}} {{len .ClientInfo.Warnings}}'
docker events --since 1s --until 0s --format '{{.Foo}}'
docker events --since 1s --until 0s --format '{{.status}}'
docker events --since 1s --until 0s --format '{{.Foo'
docker plugin ls
docker plugin ls --format '{{.Name}}'
docker stats --no-stream --format '{{.Foo' formats-one
mkdir cfg; echo '{"psFormat":"{{.Names}}!","imagesFormat":"{{.Repository}}?"}' >cfg/config.json; docker --config cfg ps -a --filter name=formats-; docker --config cfg images busybox; docker --config cfg ps -aq --filter name=formats- | wc -c
echo '{"proxies":{"default":{"httpProxy":"http://p:1","noProxy":"a,b"}}}' >cfg/config.json; docker --config cfg run --rm --network none -e NO_PROXY=mine busybox env | grep -i proxy | sort
echo '{"HttpHeaders":{"X-One":"1"},"detachKeys":"ctrl-x"}' >cfg/config.json; docker --config cfg ps -aq --filter name=formats- | wc -c
docker ps -a --filter name=formats-one --format raw | sed 's|formats-b=x y,formats-a=1|formats-a=1,formats-b=x y|'
docker ps -as --filter name=formats-one --format raw | grep -c size
docker ps -aq --filter name=formats-one --format raw 2>/dev/null
docker images --format raw busybox
docker images --digests --format raw busybox
docker images -q --format raw busybox 2>/dev/null
docker volume create formats-v; docker volume ls --filter name=formats-v --format raw; docker volume ls -q --filter name=formats-v --format raw 2>/dev/null
docker network ls --filter name=host --format raw
docker system df --format raw | grep -E '^(type|reclaimable)' | sed 's/:.*B/: B/; s/ (.*//'
docker ps -a --filter name=formats-none --format raw
