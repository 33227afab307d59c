# Contexts ask no engine: the files and the words are compared.
ctx context show
ctx context create one --docker host=tcp://192.0.2.1:2375 --description 'first one'
ctx context create one
ctx context create bad/name
ctx context create x
ctx context create default
ctx context create two --docker foo=bar
ctx context create two --docker host=bad
ctx context create two --docker host
ctx context create two --docker host=tcp://h:1,skip-tls-verify=maybe
ctx context create two --docker host=tcp://h:1,ca=/nope
ctx context create two --docker host=tcp://h:1,ca=/etc/hostname
ctx context create two --from nope
ctx context create two --from one --docker host=tcp://h:1
ctx context create two --docker from=nope
ctx context create two --from one
ctx context create three --docker host=ssh://me@box,skip-tls-verify=true
ctx context create four --docker from=three --description ''
(cd cfg && find contexts -type f | sort && cat contexts/meta/*/meta.json)
ctx context ls -q
ctx context ls --format '{{.Name}}|{{.Description}}|{{.DockerEndpoint}}|{{.Current}}|{{.Error}}' | grep -v '^default'
ctx context ls --format json | grep -v '"default"'
ctx context ls --format '{{json .}}' | grep -v '"default"'
ctx context ls --format 'table {{.Name}}\t{{.Current}}'
ctx context ls --format '{{.Foo}}'
ctx context ls --format '{{.Name'
ctx context ls | grep -v ^default | tr -s ' '
ctx context inspect one
ctx context inspect one three nope
ctx context inspect -f '{{.Name}} {{.Endpoints.docker.Host}} {{.Storage.MetadataPath}}' one
ctx context inspect -f '{{json .TLSMaterial}} {{.TLSMaterial}}' one
ctx context inspect -f '{{.Foo}}' one
ctx context inspect -f '{{.Foo' one
ctx context inspect --format json one
ctx context use two
ctx context show
cat cfg/config.json
ctx context use nope
ctx context update two --description xx --docker host=ssh://u@h
ctx context update nope --description x
ctx context inspect two
ctx context rm two
ctx context rm -f two
ctx context show
ctx context rm nope
ctx context rm -f nope
ctx context rm default
ctx context rm three nope four
ctx context export one one.tar
ctx context export one one.tar
ctx context export nope
tar tvf one.tar 2>/dev/null
ctx context import five one.tar
ctx context import five one.tar
ctx context import default one.tar
ctx context import six /nope
ctx context import six /etc/hostname
ctx context inspect five
ctx --context one context show
DOCKER_CONTEXT=five ctx context show
DOCKER_CONTEXT=nope ctx ps
ctx --context nope ps
ctx --context one -H tcp://192.0.2.9:1 ps
ctx -H foo://x ps
ctx -H ssh://me:secret@box ps
export DOCKER_CONFIG=$PWD/cfg; docker context show; docker context use one
export DOCKER_CONFIG=$PWD/cfg; docker context ls 2>&1 >/dev/null
echo '{"auths":{"r.io":{"auth":"dTpw"}},"credsStore":"x","currentContext":"one"}' >cfg/config.json; ctx context use default; cat cfg/config.json
echo '{bad' >cfg/config.json; ctx context show
echo '{"psFormat": 5}' >cfg/config.json; ctx context show
rm -rf cfg
