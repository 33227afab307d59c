# What people see when something is wrong.
docker nosuch
docker run
docker run --nosuch busybox
docker run --rm no-such-image-d:1 true 2>&1 | head -n1
docker run --rm BAD/Image true 2>&1 | grep -o 'invalid reference.*'
docker run --rm -e busybox
docker run --memory x busybox
docker run --cpus x busybox
docker run --ulimit nosuch=1 busybox
docker run --network container:nosuch --rm busybox true
docker run --network nosuch-d --rm busybox true
docker run --ipc container:nosuch --rm busybox true 2>&1 | head -n1
docker run --security-opt nosuch --rm busybox true
docker run --cap-add NOSUCH --rm busybox true
docker run --runtime nosuch --rm busybox true
docker run --user= --rm busybox true
docker run --env-file /nosuch busybox true
docker run --label-file /nosuch busybox true
docker run --device /nosuch-d --rm busybox true
docker run --restart nosuch busybox true
docker run --restart always:3 busybox true
docker run -d -a stdout busybox true
docker exec
docker ps extra
docker logs
docker inspect
docker rm
docker start
# The lists of commands are shorter here until networks, volumes and builds come; the texts are our own.
docker container nosuch 2>&1 | head -n2
docker image nosuch 2>&1 | head -n2
docker --nosuch 2>&1 | head -n4
docker ps --nosuch
docker kill
docker wait
docker tag onlyone
docker rename x
docker -H unix:///no/such.sock ps
docker -H tcp://127.0.0.1:1 ps
# Names that are none, or lead elsewhere in a path.
for c in rm inspect 'container inspect' logs start stop kill restart pause wait diff export top port attach 'stats --no-stream' 'volume rm' 'volume inspect' 'network inspect' 'network rm' 'image inspect' rmi history 'update -m 64m'; do docker $c ''; done
for c in rm inspect 'container inspect' logs start stop kill restart pause wait diff export top port attach 'stats --no-stream' 'volume rm' 'volume inspect' 'network inspect' 'network rm' 'image inspect' rmi history 'update -m 64m'; do docker $c ../errors-x; done
for c in rm inspect 'container inspect' logs start kill diff port attach 'volume rm' 'network rm' 'image inspect' rmi; do docker $c /errors-x/; docker $c errors-x//y; done
docker exec '' true
docker exec ../errors-x true
docker rename ../errors-x y
docker tag '' errors-x
docker tag ../errors-x errors-y
docker network connect '' errors-x
docker create --name errors-a busybox sleep 1000 | wc -c
docker inspect -f '{{.Name}}' /errors-a
docker port /errors-a
docker rename errors-a .x
docker rename errors-a /.x
docker exec -e =b errors-a true
docker export -o /nosuch/x errors-a
docker export -o /dev/null errors-a
docker save -o /dev/null busybox
docker start --checkpoint x errors-a
docker start --checkpoint-dir /x errors-a
docker checkpoint
docker checkpoint ls errors-a
docker checkpoint create errors-a y
docker commit -c '' errors-a
docker commit -c '# x' errors-a
docker rm /errors-a
docker create --volumes-from '' busybox
docker create --device /dev/null:/dev/x:rwmm busybox
docker create --device /dev/null:rr busybox
docker create --mount type=bind,src=/tmp,dst=/x,bind-recursive=readonly,readonly busybox
docker run --rm --network none --group-add nosuchgroup busybox true
docker run --rm --network none -v /etc/hostname:/tmp busybox true 2>&1 | grep -o 'Are you trying.*'
docker run --rm --network none -v /tmp:/etc/passwd busybox true 2>&1 | grep -o 'Are you trying.*'
docker create --name errors-b --oom-kill-disable --dns 127.0.0.1 --dns 8.8.8.8 busybox | wc -c
docker -l x ps
docker -l WARN ps -q --filter name=errors-none
docker --tls ps
docker --tls --tlscacert /nosuch/ca.pem ps
DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=/nosuch docker ps
