//! What each image consists of.

/// Where the lowest layer comes from.
#[derive(Debug)]
pub(crate) enum Base {
    /// A minimal Debian.
    Debian,
    /// Debian's static busybox and its links.
    Busybox,
    /// One static program of our own, from this source file beside the catalogue.
    Program(&'static str),
}

/// An image: packages and files over a base, and its configuration.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) tags: &'static [&'static str],
    pub(crate) base: Base,
    /// Debian packages of the second layer.
    pub(crate) packages: &'static [&'static str],
    /// Files of the second layer: path, mode, content.
    pub(crate) files: &'static [(&'static str, u32, &'static str)],
    /// A shell script run in the root once packages and files are there.
    pub(crate) script: &'static str,
    /// The `config` object of the image, as JSON.
    pub(crate) config: &'static str,
}

impl Recipe {
    /// Changes whenever the recipe does.
    pub(crate) fn key(&self) -> String {
        format!("3 {self:?}")
    }
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(crate) const IMAGES: &[Recipe] = &[
    Recipe {
        name: "hello-world",
        tags: &["hello-world:latest"],
        base: Base::Program("hello.rs"),
        packages: &[],
        files: &[],
        script: "",
        config: r#"{ "Cmd": ["/hello"] }"#,
    },
    Recipe {
        name: "busybox",
        tags: &["busybox:latest", "alpine:latest"],
        base: Base::Busybox,
        packages: &[],
        files: &[],
        script: "",
        config: r#"{ "Cmd": ["/bin/sh"], "Env": ["PATH=$PATH"] }"#,
    },
    Recipe {
        name: "debian",
        tags: &["debian:bookworm-slim", "debian:latest", "ubuntu:latest"],
        base: Base::Debian,
        packages: &[],
        files: &[],
        script: "",
        config: r#"{ "Cmd": ["/bin/bash"], "Env": ["PATH=$PATH"] }"#,
    },
    Recipe {
        name: "python",
        tags: &["python:3.11-slim", "python:latest"],
        base: Base::Debian,
        packages: &["python3", "python3-pip", "python3-venv", "ca-certificates"],
        files: &[],
        script: "ln -s python3 /usr/bin/python; rm -f /usr/lib/python3*/EXTERNALLY-MANAGED",
        config: r#"{ "Cmd": ["python3"], "Env": ["PATH=$PATH", "LANG=C.UTF-8", "PYTHON_VERSION=3.11"] }"#,
    },
    Recipe {
        name: "nginx",
        tags: &["nginx:latest"],
        base: Base::Debian,
        packages: &["nginx-light"],
        files: &[],
        script: "ln -sf /dev/stdout /var/log/nginx/access.log; ln -sf /dev/stderr /var/log/nginx/error.log",
        config: r#"{ "Cmd": ["nginx", "-g", "daemon off;"], "Env": ["PATH=$PATH"],
                     "ExposedPorts": { "80/tcp": {} }, "StopSignal": "SIGQUIT" }"#,
    },
    Recipe {
        name: "redis",
        tags: &["redis:latest"],
        base: Base::Debian,
        packages: &["redis-server"],
        files: &[("/usr/local/bin/docker-entrypoint.sh", 0o755, REDIS_ENTRYPOINT)],
        script: "mkdir -p /data; chown redis:redis /data",
        config: r#"{ "Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["redis-server"], "Env": ["PATH=$PATH"],
                     "ExposedPorts": { "6379/tcp": {} }, "Volumes": { "/data": {} }, "WorkingDir": "/data" }"#,
    },
    Recipe {
        name: "postgres",
        tags: &["postgres:latest", "postgres:15"],
        base: Base::Debian,
        packages: &["postgresql-15"],
        files: &[("/usr/local/bin/docker-entrypoint.sh", 0o755, POSTGRES_ENTRYPOINT)],
        script: "ln -s /usr/lib/postgresql/15/bin/* /usr/local/bin/ 2>/dev/null || true
                 rm -rf /var/lib/postgresql/15; mkdir -p /var/lib/postgresql/data /run/postgresql
                 chown -R postgres:postgres /var/lib/postgresql /run/postgresql",
        config: r#"{ "Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["postgres"], "Env": ["PATH=$PATH",
                     "PGDATA=/var/lib/postgresql/data", "LANG=C.UTF-8"], "ExposedPorts": { "5432/tcp": {} },
                     "Volumes": { "/var/lib/postgresql/data": {} }, "StopSignal": "SIGINT" }"#,
    },
    Recipe {
        name: "node",
        tags: &["node:latest", "node:18-slim"],
        base: Base::Debian,
        packages: &["nodejs"],
        files: &[],
        script: "",
        config: r#"{ "Cmd": ["node"], "Env": ["PATH=$PATH", "NODE_VERSION=18"] }"#,
    },
];

/// A recipe's configuration with the usual PATH put in.
pub(crate) fn config(recipe: &Recipe) -> String {
    recipe.config.replace("$PATH", PATH)
}

const REDIS_ENTRYPOINT: &str = r#"#!/bin/sh
# Options alone mean redis-server with them; root gives up its rights first.
set -e
case "$1" in -*) set -- redis-server "$@" ;; esac
if [ "$1" = redis-server ]; then
    set -- "$@" --protected-mode no
    if [ "$(id -u)" = 0 ]; then
        chown redis:redis .
        exec setpriv --reuid=redis --regid=redis --init-groups "$@"
    fi
fi
exec "$@"
"#;

const POSTGRES_ENTRYPOINT: &str = r#"#!/bin/bash
# First start: make the cluster, the user and the database that POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB name.
set -e
case "$1" in -*) set -- postgres "$@" ;; esac
if [ "$1" != postgres ]; then exec "$@"; fi
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /run/postgresql
    chown -R postgres:postgres "$PGDATA" /run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        echo "       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser." >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres} db=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
    initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") >/dev/null
    echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    pg_ctl -w -o "-c listen_addresses=''" start >/dev/null
    [ "$db" = postgres ] || psql -v ON_ERROR_STOP=1 -U "$user" -d postgres -c "CREATE DATABASE \"$db\"" >/dev/null
    for f in /docker-entrypoint-initdb.d/*; do
        case "$f" in *.sh) . "$f" ;; *.sql) psql -v ON_ERROR_STOP=1 -U "$user" -d "$db" -f "$f" ;; esac
    done
    pg_ctl -w -m fast stop >/dev/null
fi
exec "$@" -c listen_addresses='*'
"#;
