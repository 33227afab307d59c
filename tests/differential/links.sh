# --link: on the default bridge lines in /etc/hosts and variables, on others a name.
docker run -d --name links-db -e FOO=a --expose 80 --expose 53/udp busybox sleep 1000 | wc -c
docker run -d --name links-web --link links-db --link links-db:ali busybox sleep 1000 | wc -c
docker inspect -f '{{json .HostConfig.Links}}' links-web | tr -d '[]' | tr , '\n' | sort
docker exec links-web cat /etc/hosts | tail -n 3 | sed 's/[0-9a-f]\{12\}/ID/g'
docker exec links-web env | grep -E '^(LINKS_DB|ALI)' | sort
docker ps --filter name=links-db --format '{{.Names}}'
docker inspect -f '{{json .NetworkSettings.Networks.bridge.Links}}' links-web
docker run --rm --name links-x --link nosuch busybox true
docker run --rm --name links-x --link '' busybox true
docker run --rm --name links-x --link a:b:c busybox true
docker run --rm --name links-x --link :b busybox true
docker run --rm --name links-x --link links-db: busybox true
docker run --rm --name links-x --link links-db:/x busybox true
docker run --rm --name links-x --link links-db:a/b busybox true
docker run --rm --name links-x --link 'links-db:a b' busybox true
docker run --rm --name links-x --link links-db:x --link links-web:x busybox env | grep -E '^X_' | sort
docker run --rm --name links-x --network host --link links-db busybox true
docker run --rm --name links-x --network none --link links-db busybox true
docker run --rm --name links-x --network container:links-web --link links-db busybox true
docker run --rm --name links-x --link links-x busybox true
docker create --name links-still busybox true | wc -c; docker run --rm --name links-x --link links-still busybox true
docker create --name links-late --link links-still:s busybox env | wc -c; docker start links-late; docker rm links-late
docker network create links-net | wc -c; docker run -d --name links-n --network links-net busybox sleep 1000 | wc -c
docker run --rm --name links-x --link links-n busybox true
docker run --rm --network links-net --link links-n:other busybox nslookup -type=a other | grep -c 'Name:.*other'
docker run --rm --network links-net --link links-n:other busybox cat /etc/hosts | grep -c other
docker run --rm --network links-net --link links-n:other busybox env | grep -c OTHER
docker run --rm --network links-net --link nosuch:other busybox true
docker run --rm --network links-net --link links-db:other busybox true
docker create --name links-y --network links-net --link links-n:other busybox sleep 1000 | wc -c; docker inspect -f '{{json .HostConfig.Links}} {{json (index .NetworkSettings.Networks "links-net").Links}}' links-y; docker rm links-y
docker run -d --name links-z --network links-net busybox sleep 1000 | wc -c; docker network connect --link links-db:base bridge links-z; docker inspect -f '{{json .NetworkSettings.Networks.bridge.Links}}' links-z
docker network disconnect links-net links-z; docker network connect --link links-n:enn links-net links-z; docker exec links-z nslookup -type=a enn | grep -c 'Name:.*enn'; docker inspect -f '{{json (index .NetworkSettings.Networks "links-net").Links}}' links-z
docker network connect --link a:b:c links-net links-web
docker network connect --link nosuch links-net links-web
docker network disconnect links-net links-web
docker restart -t 0 links-db; docker exec links-web grep -c links-db /etc/hosts
docker rename links-db links-base; docker inspect -f '{{json .HostConfig.Links}}' links-web | tr -d '[]' | tr , '\n' | sort
docker run --rm --network bridge --link links-base busybox true
docker run --rm --network default --link links-base busybox true
docker run --rm --network name=bridge --link links-base busybox true
docker run --rm --network none --network-alias x busybox true
docker run --rm --network container:links-base --network-alias x busybox true
docker run --rm --network links-net --network bridge --link links-base busybox true
docker run --rm --network links-net --link '' busybox true
docker run --rm --network links-net --link :x busybox true
docker network connect --link '' links-net links-web
docker create --name links-one --link links-base:ali busybox true | wc -c; docker stop -t 0 links-base; docker start links-one
docker restart -t 0 links-one
docker start links-base; docker start links-one; docker inspect -f '{{json .HostConfig.Links}}' links-one; docker rm -f links-one
docker rm --link links-web
docker rm --link nosuch/ali
docker rm -f links-base links-web links-still links-n links-z; docker network rm links-net
