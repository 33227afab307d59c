//! The methods that Docker's own types have, so far as a template can call them.

use super::value::{Data, Shape, Value};

/// What a method without arguments answers; `None` where the type has no such method.
pub(super) fn call(receiver: &Value, method: &str) -> Option<Value> {
    match (receiver.kind.name.as_deref()?, &receiver.data) {
        ("container.NetworkMode", Data::Text(mode)) => network_mode(mode, method),
        ("container.IpcMode", Data::Text(mode)) => mode_of_namespace(mode, method),
        ("container.PidMode" | "container.UTSMode" | "container.UsernsMode", Data::Text(mode)) => {
            match method {
                "IsShareable" | "IsNone" => None,
                _ => mode_of_namespace(mode, method),
            }
        }
        ("container.CgroupnsMode", Data::Text(mode)) => match method {
            "IsPrivate" => Some((&**mode == "private").into()),
            "IsHost" => Some((&**mode == "host").into()),
            "IsEmpty" => Some(mode.is_empty().into()),
            _ => None,
        },
        ("container.RestartPolicy", Data::Struct(fields)) => {
            let name = fields.first()?.as_text()?;
            Some(match method {
                "IsNone" => ["no", ""].contains(&name).into(),
                "IsAlways" => (name == "always").into(),
                "IsOnFailure" => (name == "on-failure").into(),
                "IsUnlessStopped" => (name == "unless-stopped").into(),
                _ => return None,
            })
        }
        ("nat.Port", Data::Text(port)) => port_part(port, method),
        ("logger.Info", Data::Struct(_)) => of_logged(receiver, method),
        _ => None,
    }
}

fn network_mode(mode: &str, method: &str) -> Option<Value> {
    let container = mode.strip_prefix("container:");
    let well_known = ["bridge", "host", "none", "default"].contains(&mode);
    let user_defined = !well_known && container.is_none();
    Some(match method {
        "IsBridge" => (mode == "bridge").into(),
        "IsHost" => (mode == "host").into(),
        "IsNone" => (mode == "none").into(),
        "IsDefault" => (mode == "default").into(),
        "IsPrivate" => (mode != "host" && container.is_none()).into(),
        "IsContainer" => container.is_some().into(),
        "IsUserDefined" => user_defined.into(),
        "ConnectedContainer" => container.unwrap_or_default().into(),
        "UserDefined" => if user_defined { mode } else { "" }.into(),
        "NetworkName" if container.is_some() => "container".into(),
        "NetworkName" => mode.into(),
        _ => return None,
    })
}

fn mode_of_namespace(mode: &str, method: &str) -> Option<Value> {
    let container = mode.strip_prefix("container:");
    Some(match method {
        "IsPrivate" => (mode == "private").into(),
        "IsHost" => (mode == "host").into(),
        "IsShareable" => (mode == "shareable").into(),
        "IsNone" => (mode == "none").into(),
        "IsEmpty" => mode.is_empty().into(),
        "IsContainer" => container.is_some().into(),
        "Container" => container.unwrap_or_default().into(),
        _ => return None,
    })
}

/// Of `8080/tcp`.
fn port_part(port: &str, method: &str) -> Option<Value> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    Some(match method {
        "Port" => number.into(),
        "Proto" => protocol.into(),
        "Int" => number.parse::<i64>().unwrap_or_default().into(),
        _ => return None,
    })
}

/// Of the container that a log is of.
fn of_logged(info: &Value, method: &str) -> Option<Value> {
    let field = |name: &str| info.own_field(name).cloned();
    let text = |name: &str| field(name)?.as_text().map(str::to_owned);
    // The first twelve characters, of an image's with the algorithm before it.
    let short = |name: &str| Some(text(name)?.chars().take(12).collect::<String>().into());
    match method {
        "ID" => short("ContainerID"),
        "FullID" => field("ContainerID"),
        "Name" => Some(text("ContainerName")?.trim_start_matches('/').into()),
        "ImageID" => short("ContainerImageID"),
        "ImageFullID" => field("ContainerImageID"),
        "ImageName" => field("ContainerImageName"),
        "Command" => {
            let Data::List(args) = &field("ContainerArgs")?.data else { return None };
            let program = text("ContainerEntrypoint")?;
            let words = [&*program].into_iter().chain(args.iter().filter_map(Value::as_text));
            Some(words.collect::<Vec<_>>().join(" ").into())
        }
        "Hostname" => Some(host_name().into()),
        _ => None,
    }
}

/// Go's `os.Hostname`.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim_end().to_owned()
}

/// The key of a map as a value.
pub(super) fn key(map: &Value, key: &str) -> Value {
    match &map.kind.shape {
        Shape::Map(of) => Value::new(of.key.clone(), Data::Text(key.into())),
        _ => key.into(),
    }
}
