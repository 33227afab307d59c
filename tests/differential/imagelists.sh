docker create --name imagelists-a busybox true; docker commit -c 'LABEL il=1' -c 'LABEL kind=old' imagelists-a imagelists-one:1 | wc -c
docker commit -c 'LABEL il=1' -c 'LABEL kind=new' imagelists-a imagelists-two:2 | wc -c
docker tag imagelists-one:1 imagelists-one:again; docker tag imagelists-one:1 imagelists-three/deep:1
docker images --filter label=il=1 --format '{{.Repository}}:{{.Tag}}' | sort
docker images --filter label=il --filter label=kind=new --format '{{.Repository}}:{{.Tag}}'
docker images --filter label=il=2
docker images --filter 'label!=il'
docker images --filter reference='imagelists-*' --format '{{.Repository}}:{{.Tag}}' | sort
docker images --filter reference='imagelists-*/*' --format '{{.Repository}}:{{.Tag}}'
docker images --filter reference='imagelists-one:ag*' --format '{{.Repository}}:{{.Tag}}'
docker images --filter reference='['
docker images imagelists-one | tr -s ' '
docker images imagelists-one:again -q
docker images 'imagelists-*:1' --format '{{.Tag}}'
docker images --filter before=imagelists-two:2 --filter label=il --format '{{.Repository}}:{{.Tag}}' | sort
docker images --filter since=imagelists-one:1 --filter label=il --format '{{.Repository}}:{{.Tag}}'
docker images --filter before=nosuch
docker images --filter since=nosuch:1
docker images --filter until=2000-01-01
docker images --filter until=1h --filter label=il
docker images --filter until=0s --filter label=il --format '{{.Tag}}' | sort
docker images --filter until=x
docker images --filter dangling=x
docker images --filter dangling=true --filter label=il
docker images --filter dangling=false --filter label=il --format '{{.Repository}}' | sort -u
docker images --filter nosuch=1
docker images --digests --filter label=kind=new | tr -s ' '
docker images --no-trunc --digests --filter label=kind=new | tr -s ' '
docker images --no-trunc -q --filter label=kind=new
docker images -a --filter label=kind=new --format '{{.ID}} {{.CreatedSince}} {{.Size}} {{.Containers}} {{.SharedSize}} {{.UniqueSize}} {{.VirtualSize}} {{.Digest}}'
docker images --filter label=kind=new --format json
docker images --filter label=kind=new --format 'table {{.Repository}}\t{{.ID}}'
docker images --format '{{.Nosuch}}' --filter label=kind=new
docker images a b
docker image ls --nosuch
docker image inspect imagelists-one:1 imagelists-two:2 -f '{{.RepoTags}}'
docker image inspect imagelists-one:1 nosuch -f '{{len .RepoTags}}'
docker image inspect -f '{{json .Metadata}} {{.Parent}} {{.Architecture}}' imagelists-one:1
docker image inspect -f '{{.GraphDriver.Name}} {{.DockerVersion | len}}' busybox | cut -c1-8
docker image inspect $(docker images -q imagelists-two) -f '{{.RepoTags}}'
docker image inspect $(docker images -q --no-trunc imagelists-two) -f '{{.RepoTags}}'
docker image inspect -f '{{.Nosuch}}' imagelists-two:2
docker tag imagelists-two:2 imagelists-two:3 && docker tag $(docker images -q imagelists-two:2) imagelists-four && docker images imagelists-four --format '{{.Tag}}'
docker tag imagelists-two:2 imagelists-two@sha256:0000000000000000000000000000000000000000000000000000000000000000
docker tag imagelists-two:2 a b
docker tag imagelists-two:2 'imagelists-two:-bad'
docker tag imagelists-two:2 'imagelists_two//x'
docker tag nosuch imagelists-x
docker tag imagelists-one:1 imagelists-two:2; docker images --filter label=kind=old --format '{{.Repository}}:{{.Tag}}' | sort
docker save imagelists-one:1 imagelists-two:3 | tar -xO manifest.json | sed 's/[0-9a-f]\{64\}/X/g' | tr ',' '\n' | grep -c X
docker save imagelists-one | tar -xO repositories | sed 's/[0-9a-f]\{64\}/X/g'
docker save $(docker images -q imagelists-one:1) | tar -xO manifest.json | grep -o 'RepoTags":[a-z]*'
docker save -o img.tar imagelists-one:1 imagelists-two:3 && docker rmi imagelists-two:3 imagelists-four | wc -l; docker load -i img.tar | sort
docker load -q -i img.tar | sort
docker load < img.tar | sort
docker save -o /nosuch/dir/x busybox
docker save
docker save imagelists-one:nosuch
docker save imagelists-one:1 nosuch
head -c 100000 img.tar > cut.tar; docker load -i cut.tar >/dev/null 2>&1; echo $?
docker rmi imagelists-one:1 imagelists-one:again
docker run -d --name imagelists-r imagelists-three/deep:1 >/dev/null; docker wait imagelists-r; docker rmi imagelists-three/deep:1
docker rmi $(docker images -q imagelists-three/deep:1)
docker tag imagelists-three/deep:1 imagelists-five; docker rmi $(docker images -q imagelists-five)
docker rmi imagelists-five
docker rmi -f imagelists-three/deep:1; docker ps -a --filter name=imagelists-r --format '{{.Image}}'
docker rm imagelists-r
docker run -d --name imagelists-s imagelists-two:2 sleep 100 >/dev/null; docker rmi imagelists-two:2; docker rmi -f imagelists-two:2; docker images imagelists-two --format '{{.Tag}}'
docker rm -f imagelists-s; docker rmi imagelists-two:2 imagelists-two:3; docker rmi nosuch imagelists-nosuch:1
docker create --name imagelists-c busybox true; docker commit imagelists-c imagelists-base:1 | wc -c; docker create --name imagelists-d imagelists-base:1 true; docker commit -c 'ENV x=y' imagelists-d imagelists-child:1 | wc -c
docker rmi $(docker images -q imagelists-base:1)
docker rm imagelists-c imagelists-d; docker rmi $(docker images -q imagelists-base:1)
docker rmi -f $(docker images -q imagelists-base:1)
docker rmi imagelists-base:1
docker rmi imagelists-child:1
docker rmi
docker rmi -x
docker image prune -f --filter label=imagelists=none
docker image prune -a -f --filter label=imagelists=none
docker image prune -f --filter until=1h --filter until=2h
docker image prune -f --filter nosuch=1
docker image prune -f --filter until=x
docker create --name imagelists-p busybox true; docker commit -c 'LABEL imagelists=prune' imagelists-p imagelists-p:1 | wc -c; docker commit -c 'LABEL imagelists=prune2' imagelists-p imagelists-p:1 | wc -c; docker image prune -f --filter label=imagelists=prune
docker image prune -a -f --filter label=imagelists=prune2 --filter until=1h
docker rm imagelists-p; docker image prune -a -f --filter label=imagelists=prune2
docker rm imagelists-a; docker image prune -f --filter label=il | grep -c deleted:
