#!/bin/sh
# The commands of an OCI runtime, without any containment: init is the script in <bundle>/init.sh, held
# until `start` by a FIFO; the process of an exec is the script that is in place of its description.
verb= ; bundle= ; pid_file= ; process= ; log= ; id=
while [ $# -gt 0 ]; do
    case $1 in
        --log) log=$2; shift ;;
        --log-format) shift ;;
        --bundle) bundle=$2; shift ;;
        --pid-file) pid_file=$2; shift ;;
        --process) process=$2; shift ;;
        --detach | --force) ;;
        *) if [ -z "$verb" ]; then verb=$1; else id=$1; fi ;;
    esac
    shift
done
here=$(dirname "$log")
exec 3<&0
case $verb in
    create)
        if [ -e "$here/fail" ]; then
            echo "{\"level\":\"error\",\"msg\":\"$(cat "$here/fail")\"}" >"$log"
            exit 1
        fi
        mkfifo "$here/start"
        sh -c 'read go <"$1/start"; exec sh "$1/init.sh" <&3 3<&-' "$id" "$bundle" <&3 &
        echo $! >"$pid_file"
        ;;
    start) echo go >"$here/start" ;;
    exec)
        sh "$process" <&3 3<&- &
        echo $! >"$pid_file"
        ;;
    delete) touch "$here/deleted" ;;
esac
