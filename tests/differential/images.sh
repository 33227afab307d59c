docker images --format '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}' busybox
docker images --no-trunc -q busybox
docker images nosuch
docker image ls --filter reference='bus*' --format '{{.Repository}}'
docker image ls --filter nosuch=x
docker image inspect -f '{{.ID}} {{.Os}}/{{.Architecture}} {{json .RootFS}} {{.Size}} {{.RepoTags}}' hello-world
docker image inspect -f '{{json .Config}}' hello-world
docker image inspect nosuch
docker history --no-trunc busybox | cut -c1-20
docker history --format '{{.CreatedBy}} {{.Size}} {{.Comment}}' busybox
docker tag busybox images-tag:1; docker images --format '{{.Repository}}:{{.Tag}}' images-tag
docker tag busybox UPPER
docker tag nosuch images-tag:2
# Docker adds a blob for clients before 1.10.
docker save busybox | tar -t | grep -v -E '/$' | sed 's/[0-9a-f]\{64\}/X/' | sort -u
docker save -o img.tar images-tag:1; docker rmi images-tag:1; docker load -i img.tar
docker rmi images-tag:1
docker rmi nosuch
docker rmi images-tag:1
docker save nosuch
docker load -i /etc/passwd
docker load -i /nosuch
docker run --name images-e busybox touch /mark; docker export images-e | tar -t | grep mark
docker export images-e | docker import -c 'CMD ["ls","/mark"]' -m msg - images-flat:1 | wc -c
docker run --rm images-flat:1
docker history --format '{{.Comment}} {{.CreatedBy}}' images-flat:1
docker commit -a me -m msg -c 'ENV X=y' images-e images-made:1 | wc -c
docker image inspect -f '{{.Author}} {{.Comment}} {{json .Config.Env}} {{len .RootFS.Layers}}' images-made:1
docker run --rm images-made:1 sh -c 'ls /mark; echo $X'
# A container that ran and changed nothing adds no layer; nor is what was made to mount on a change.
docker run --name images-f busybox true; docker diff images-f; docker commit images-f images-same:1 | wc -c; docker image inspect -f '{{len .RootFS.Layers}}' images-same:1; docker rmi images-same:1 | wc -l
docker run --name images-g hello-world | wc -l; docker diff images-g; docker commit images-g images-same:2 | wc -c; docker rmi images-same:2 | wc -l
docker run --name images-h busybox sh -c 'chmod 700 /etc'; docker diff images-h; docker commit images-h images-same:3 | wc -c; docker rmi images-same:3 | wc -l
docker rmi busybox:nosuch
docker rmi images-flat:1 images-made:1 | wc -l
docker image prune -f --filter label=images-none
docker import -c 'BOGUS x' - images-bad < /dev/null
