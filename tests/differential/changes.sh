docker create --name changes-a -e OLD=1 busybox true
docker commit -m msg -a me changes-a changes-i:1 | wc -c; docker image inspect -f '{{json .Config}} {{.Comment}} {{.Author}} {{len .RootFS.Layers}}' changes-i:1
docker history --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}' changes-i:1
docker history -q changes-i:1 | wc -l
docker history -H=false --format '{{.Size}} {{.CreatedSince}} {{.CreatedAt}}' changes-i:1
docker history --no-trunc --format '{{.ID}}' changes-i:1
docker history --format json changes-i:1 | wc -l
docker history nosuch
docker history changes-i:1 | head -1 | tr -s ' '
docker rmi changes-i:1
docker commit -c 'ENV A=b c="d e"' -c 'ENV P=$OLD:/x' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Env}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'CMD echo hi' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Cmd}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'CMD ["echo","hi"]' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Cmd}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'CMD ["a' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Cmd}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'CMD []' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Cmd}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'CMD' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Cmd}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'CMD ["a", 1]' changes-a changes-i:2
docker commit -c 'ENTRYPOINT x y' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'ENTRYPOINT ["x"]' -c 'CMD ["y"]' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'CMD ["y"]' -c 'ENTRYPOINT ["x"]' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'EXPOSE 80-82/udp 443' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.ExposedPorts}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'VOLUME ["/a","/b"]' -c 'VOLUME /c /d' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Volumes}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'USER 1:2' -c 'WORKDIR a' -c 'WORKDIR ../b' -c 'STOPSIGNAL 9' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'LABEL a=b c="d e"' -c 'label f g' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Labels}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'ONBUILD RUN x' -c 'onbuild copy a b' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.OnBuild}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'HEALTHCHECK --interval=1s --timeout=2m --retries=3 CMD ["a","b"]' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Healthcheck}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'HEALTHCHECK CMD a b' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Healthcheck}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'HEALTHCHECK NONE' changes-a changes-i:2 >/dev/null; docker image inspect -f '{{json .Config.Healthcheck}}' changes-i:2; docker rmi -f changes-i:2 >/dev/null
docker commit -c 'RUN x' changes-a
docker commit -c 'ADD a b' changes-a
docker commit -c 'SHELL ["a"]' changes-a
docker commit -c 'FROM x' changes-a
docker commit -c 'ARG x' changes-a
docker commit -c 'MAINTAINER me' changes-a
docker commit -c 'ENV A' changes-a
docker commit -c 'ENV' changes-a
docker commit -c 'ENV =b' changes-a
docker commit -c 'ENV a=b c' changes-a
docker commit -c 'LABEL a' changes-a
docker commit -c 'EXPOSE x' changes-a
docker commit -c 'EXPOSE 70000' changes-a
docker commit -c 'EXPOSE 80/foo' changes-a
docker commit -c 'EXPOSE' changes-a
docker commit -c 'USER' changes-a
docker commit -c 'WORKDIR' changes-a
docker commit -c 'STOPSIGNAL FOO' changes-a
docker commit -c 'VOLUME []' changes-a
docker commit -c 'VOLUME' changes-a
docker commit -c 'ONBUILD' changes-a
docker commit -c 'ONBUILD FROM x' changes-a
docker commit -c 'ONBUILD ONBUILD RUN x' changes-a
docker commit -c 'HEALTHCHECK FOO' changes-a
docker commit -c 'HEALTHCHECK --foo=1 CMD x' changes-a
docker commit -c 'HEALTHCHECK --interval=1us CMD x' changes-a
docker commit -c 'HEALTHCHECK --interval=x CMD x' changes-a
docker commit -c 'HEALTHCHECK --retries=-1 CMD x' changes-a
docker commit -c 'HEALTHCHECK NONE x' changes-a
docker commit -c 'HEALTHCHECK CMD' changes-a
docker commit nosuch changes-i:3
docker commit changes-a UPPER
docker commit changes-a changes-i:bad:tag
docker import -c 'CMD ["x"]' -c 'ENV A=b' -m hello --platform linux/arm/v6 - changes-f:1 </dev/null | wc -c; docker image inspect -f '{{.Os}}/{{.Architecture}}/{{.Variant}} {{.Comment}} {{json .Config}} {{len .RootFS.Layers}} {{.Size}} {{.Author}}' changes-f:1
docker history --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' changes-f:1
docker import - changes-f:2 </dev/null | wc -c; docker image inspect -f '{{.Comment}} {{.Parent}} {{json .Config.Env}}' changes-f:2
docker import --platform foo/bar - changes-f:3 </dev/null
docker import --platform windows/amd64 - changes-f:3 </dev/null
docker import nosuch.tar changes-f:3
docker import - changes-F:3 </dev/null
docker import -c 'BOGUS' - changes-f:3 </dev/null
echo nonsense | docker import - changes-f:3
docker rmi changes-f:1 changes-f:2
