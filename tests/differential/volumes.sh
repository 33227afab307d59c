# The volume commands.
docker volume create volumes-a
docker volume create volumes-a
docker volume create --label x=1 --label y volumes-l
docker volume create --driver nosuch volumes-b
docker volume create -o foo=bar volumes-b
docker volume create -o type=tmpfs volumes-b
docker volume create -o o=bind volumes-b
docker volume create -o device=/x volumes-b
docker volume create a/b
docker volume create x
docker volume create .x
docker volume create volumes-a volumes-b
docker volume create --name volumes-z volumes-y
docker volume create --name volumes-z
docker volume inspect volumes-a volumes-l nosuch-volume
docker volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}} {{json .Labels}} {{json .Options}}' volumes-a volumes-l
docker volume inspect -f '{{json .}}' volumes-l
docker inspect --type volume nosuch-volume
docker inspect -f '{{.Name}}' volumes-a
docker volume ls --filter name=volumes-
docker volume ls -q --filter name=volumes-
docker volume ls --filter name=volumes- --format '{{json .}}' | sed s/y=,x=1/x=1,y=/
docker volume ls --filter name=volumes- --format '{{.Name}}|{{.Driver}}|{{.Scope}}|{{.Labels}}|{{.Label "x"}}|{{.Links}}|{{.Size}}' | sed 's/y=,x=1/x=1,y=/'
docker volume ls --filter name=volumes- --format 'table {{.Name}}\t{{.Links}}\t{{.Size}}\t{{.Availability}}\t{{.Status}}\t{{.Group}}'
docker volume ls --filter name=volumes- --filter label=x
docker volume ls --filter name=volumes- --filter label=x=2
docker volume ls --filter name=volumes- --filter driver=local -q
docker volume ls --filter nosuch=1
docker volume ls --filter dangling=maybe
docker volume ls extra
docker volume rm nosuch-volume
docker volume rm -f nosuch-volume
docker volume rm
docker volume rm nosuch-volume volumes-z nosuch-either
docker volume update volumes-a
docker volume prune -f --filter foo=bar
docker volume prune -f --filter all=maybe
docker volume prune -f --filter label=volumes-none
# Mounts of containers.
docker create --name volumes-c -v volumes-n:/x:ro,z -v /anonymous busybox; docker inspect -f '{{range .Mounts}}{{json .}}{{println}}{{end}}{{json .HostConfig.Binds}} {{json .Config.Volumes}}' volumes-c | sort
docker volume rm volumes-n
docker volume ls --filter dangling=false --filter name=volumes- -q
docker ps -a --filter volume=volumes-n --format '{{.Names}}'
docker rm -v volumes-c; docker volume rm volumes-n
docker create --name volumes-c -v volumes-n:/x:rslave busybox
docker create --name volumes-c -v volumes-n:/x:ro,rw busybox
docker create --name volumes-c -v /tmp:/x:nocopy busybox
docker create --name volumes-c -v /x:ro busybox
docker create --name volumes-c -v volumes-n:x busybox
docker create --name volumes-c -v volumes-n:/x:ro:z busybox
docker create --name volumes-c -v '' busybox
docker create --name volumes-c -v :/x busybox
docker create --name volumes-c -v a/b:/x busybox
docker create --name volumes-c -v volumes-n:/x -v volumes-m:/x busybox
docker create --name volumes-c --mount type=volume,src=volumes-w,dst=/x,volume-nocopy,volume-label=a=b busybox; docker inspect -f '{{json .Mounts}} {{json .HostConfig.Mounts}}' volumes-c; docker volume inspect -f '{{json .Labels}}' volumes-w; docker rm volumes-c
docker create --name volumes-c --mount type=volume,src=volumes-n,dst=/x,volume-subpath=../sub busybox
docker create --name volumes-c --mount type=volume,src=volumes-p,dst=/x,volume-opt=foo busybox; docker rm -f volumes-c
docker create --name volumes-c --mount type=volume,src=volumes-n,dst=/x,bind-propagation=rslave busybox
docker create --name volumes-c --mount type=bind,src=/tmp,dst=/x,volume-nocopy busybox
docker create --name volumes-c --mount type=tmpfs,src=/a,dst=/x busybox
docker create --name volumes-c --mount type=foo,src=a,dst=/x busybox
docker create --name volumes-c --mount type=bind,src=/tmp busybox
docker create --name volumes-c --mount '' busybox
docker create --name volumes-c --mount 'type=bind,"src=/tmp' busybox
docker create --name volumes-c --mount 'type=volume, dst=/x' busybox
docker create --name volumes-c --mount type=volume,src=a/b,dst=/x busybox
docker create --name volumes-c --tmpfs rel busybox
docker create --name volumes-c --tmpfs /x -v volumes-n:/x busybox
docker create --name volumes-s -v volumes-n:/x -v /tmp:/b:ro busybox; docker create --name volumes-c --volumes-from volumes-s:ro busybox; docker inspect -f '{{range .Mounts}}{{json .}}{{println}}{{end}}{{json .HostConfig.VolumesFrom}}' volumes-c | sort; docker rm -f volumes-c volumes-s
docker create --name volumes-c --volumes-from nosuch-container busybox
docker create --name volumes-c --volumes-from nosuch-container:foo busybox
# What is in them.
docker run --rm -v volumes-d:/etc busybox ls /etc/passwd; docker run --rm -v volumes-d:/x busybox ls /x/passwd
docker run --rm -v volumes-e:/etc:nocopy busybox ls /etc/passwd
docker run --rm -v volumes-n:/x busybox sh -c 'mkdir /x/sub; echo hi >/x/sub/f; ln -s /etc /x/l; ln -s sub /x/ll; touch /x/file'
docker run --rm --mount type=volume,src=volumes-n,dst=/x,volume-subpath=sub busybox cat /x/f
docker run --rm --mount type=volume,src=volumes-n,dst=/x,volume-subpath=ll busybox cat /x/f
docker run --rm --mount type=volume,src=volumes-n,dst=/x,volume-subpath=l busybox ls /x
docker run --rm --mount type=volume,src=volumes-n,dst=/x,volume-subpath=none busybox ls /x
docker run --rm --mount type=volume,src=volumes-n,dst=/x,volume-subpath=file busybox test -f /x
docker run --rm --mount type=volume,src=volumes-n,dst=/x,ro busybox touch /x/y
docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=1000 volumes-t; docker run --rm -v volumes-t:/x busybox sh -c 'grep " /x " /proc/mounts; ls -ldn /x | cut -c1-30'
docker volume create -o type=none -o o=bind -o device=/nosuch-device volumes-bad; docker run --rm -v volumes-bad:/x busybox true
docker volume create -o type=tmpfs -o device=tmpfs -o o=bogus volumes-bad2; docker run --rm -v volumes-bad2:/x busybox true
docker volume create -o type=none -o o=bind -o device=/etc volumes-etc; docker run --rm -v volumes-etc:/x:ro busybox ls /x/passwd
s=$(date +%s); docker run --rm -v volumes-ev:/x busybox true; docker volume rm volumes-ev; docker events --since $s --until $(($(date +%s) + 1)) --filter volume=volumes-ev --format '{{.Type}} {{.Action}} {{.Actor.ID}} {{json .Actor.Attributes}}'
# The bare API.
api POST /volumes/create -H 'Content-Type: application/json' -d '{}' | sed 's/[0-9a-f]\{64\}/X/g'
api POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"volumes-f","Labels":{},"DriverOpts":{}}'
api POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"volumes-f","Driver":"foo"}'
api POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"volumes-f","ClusterVolumeSpec":{}}'
api POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"volumes'
api POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"volumes-g","DriverOpts":{"size":"abc"}}'
api PUT '/volumes/volumes-f?version=1' -H 'Content-Type: application/json' -d '{}'
api GET '/volumes?filters=%7B%22name%22%3A%5B%22volumes-f%22%5D%7D'
api GET '/volumes?filters=%7B%22name%22%3A%5B%22volumes-nothing%22%5D%7D'
api DELETE /volumes/volumes-f
api DELETE /volumes/volumes-f
api DELETE '/volumes/volumes-f?force=1'
api POST '/v1.41/volumes/prune?filters=%7B%22label%22%3A%5B%22volumes-none%22%5D%7D'
