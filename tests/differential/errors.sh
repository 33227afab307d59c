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
