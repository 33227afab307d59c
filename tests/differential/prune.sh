echo n | docker system prune
echo n | docker system prune -a
echo n | docker system prune -a --volumes
echo n | docker system prune --filter until=24h --filter label=x
docker system prune --volumes --filter until=24h
docker system prune -f --filter nosuch=1
docker system prune -f --filter until=x --filter label=prune-nothing
docker system prune extra
docker system prune --nosuch
docker system prune --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
docker system df --help | grep -o -E '^ +(-., )?--[a-z-]+( [a-z]+)?' | tr -s ' '
docker system df extra
docker system df --format '{{.Type}}'
docker system df --format json | grep -o '"[A-Za-z]*":'
docker system df --format 'table {{.Type}}' | head -n2
docker system df --format '{{.Nope}}'
docker system df --format '{{.Type'
docker system df | head -n1 | tr -s ' '
docker system df -v | grep -E 'usage:|^[A-Z]+ [A-Z]+' | tr -s ' '
docker system df -v --format json | jq -c 'keys_unsorted'
docker system df -v --format '{{range .Images}}{{.Repository}}:{{.Tag}} {{.UniqueSize}}{{"\n"}}{{end}}' | grep hello-world | cut -d: -f1
api GET '/system/df?type=foo'
api GET '/v1.45/system/df?type=build-cache' | sed 's/ [0-9]*$//' | jq -c 'keys_unsorted'
docker run --name prune-a --label prune-x=1 --network none busybox sh -c 'head -c 7000 /dev/zero >/x'
docker system df -v --format '{{range .Containers}}{{.Names}} {{.Size}} {{.State}}{{"\n"}}{{end}}' | grep prune-a
docker ps -as --filter name=prune-a --format '{{.Size}}' | cut -d' ' -f1
echo n | docker container prune --filter label=prune-x
docker container prune -f --filter label=prune-x=2
docker container prune -f --filter label=prune-x
docker container prune -f --filter label=prune-x
docker container prune -f --filter nosuch=1
docker container prune -f --filter until=x
docker container prune extra
docker run --name prune-b --label prune-x=1 --network none busybox sh -c 'head -c 9000 /dev/zero >/x'; docker commit -c 'LABEL prune-x=1' prune-b prune-img | cut -c1-7
docker create --name prune-c --label prune-x=1 prune-img | wc -c
docker image prune -f -a --filter label=prune-x=1
docker system prune -f --filter label=prune-x=1
docker image prune -f --filter label=prune-x=1
echo n | docker image prune -a --filter label=prune-x=1
docker image prune -f -a --filter label=prune-x=1 | sed 's/sha256:[0-9a-f]*/<digest>/'
docker image prune -f --filter until=x
docker image prune -f --filter nosuch=1
docker image prune extra
for c in container image network volume system; do docker $c prune -f --filter label; docker $c prune -f --filter =x; done
