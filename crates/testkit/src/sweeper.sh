# Waits until the test that started it says that all is well, or is gone. Then it ends, by number, what an engine with
# this exec root has left: the engine, the first process of each container, and monitors. Paths come by the environment,
# so that nobody takes it for something of the engine's.
read -r _ && exit 0

# is PID TEXT: whether the process of that number was started with that text.
is() { { tr "\0" " " <"/proc/$1/cmdline"; } 2>/dev/null | grep -qF -- "$2"; }
pids() { grep -o '"pid":[0-9]*' "$1" 2>/dev/null | cut -d: -f2; }

engine=$(cat "$pidfile" 2>/dev/null)
[ -n "$engine" ] && is "$engine" "$exec_root" && kill -9 "$engine"
for file in "$exec_root"/c/*/monitor.pid; do
    set -- $(pids "$file")
    [ -n "$2" ] && is "$1" "$exec_root" && grep -qx "PPid:[[:space:]]*$1" "/proc/$2/status" 2>/dev/null && kill -9 "$2"
done
# Monitors end by themselves then, with their cgroups.
tries=0
for directory in "$exec_root"/c/*; do
    for pid in $(grep -lF -- "$directory" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
        while is "$pid" "$directory" && [ $tries -lt 50 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
        [ "$pid" != $$ ] && is "$pid" "$directory" && kill -9 "$pid"
    done
done
exit 0
