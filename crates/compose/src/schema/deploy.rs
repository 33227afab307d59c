//! What a service asks of the place where it runs, and of the one who develops it.

use super::service::HOOK;
use super::short;
use super::{Kind, Object, Shown, field, object};

pub(super) static DEPLOY: Object = object(&[
    field("mode", Kind::Text),
    field("replicas", Kind::Integer).shown(Shown::IfSaid),
    field("labels", Kind::Labels),
    field("update_config", Kind::Object(&UPDATE)).shown(Shown::IfSaid),
    field("rollback_config", Kind::Object(&UPDATE)).shown(Shown::IfSaid),
    field("resources", Kind::Object(&RESOURCES)).shown(Shown::ObjectInJson),
    field("restart_policy", Kind::Object(&RESTART)).shown(Shown::IfSaid),
    field("placement", Kind::Object(&PLACEMENT)).shown(Shown::ObjectInJson),
    field("endpoint_mode", Kind::Text),
]);

static UPDATE: Object = object(&[
    field("parallelism", Kind::Integer).shown(Shown::IfSaid),
    field("delay", Kind::Duration),
    field("failure_action", Kind::Text),
    field("monitor", Kind::Duration),
    field("max_failure_ratio", Kind::Number),
    field("order", Kind::OneOf(&["start-first", "stop-first"])),
]);

static RESOURCES: Object = object(&[
    field("limits", Kind::Object(&RESOURCE)).shown(Shown::IfSaid),
    field("reservations", Kind::Object(&RESOURCE)).shown(Shown::IfSaid),
]);

static RESOURCE: Object = object(&[
    field("cpus", Kind::Number),
    field("memory", Kind::SizeText),
    field("pids", Kind::Integer),
    field("devices", Kind::List(&Kind::Object(&REQUIRED_DEVICES))),
    field("generic_resources", Kind::List(&Kind::Object(&GENERIC))),
]);

static REQUIRED_DEVICES: Object =
    Object { fields: DEVICE_REQUEST.fields, required: &["capabilities"] };

pub(super) static DEVICE_REQUEST: Object = object(&[
    field("capabilities", Kind::Texts),
    field("driver", Kind::Text),
    field("count", Kind::Custom(short::device_count)),
    field("device_ids", Kind::Texts),
    field("options", Kind::Labels),
]);

static GENERIC: Object = object(&[field("discrete_resource_spec", Kind::Object(&DISCRETE))]);
static DISCRETE: Object = object(&[field("kind", Kind::Text), field("value", Kind::Number)]);

static RESTART: Object = object(&[
    field("condition", Kind::Text),
    field("delay", Kind::Duration).shown(Shown::IfSaid),
    field("max_attempts", Kind::Integer).shown(Shown::IfSaid),
    field("window", Kind::Duration).shown(Shown::IfSaid),
]);

static PLACEMENT: Object = object(&[
    field("constraints", Kind::Texts),
    field("preferences", Kind::List(&Kind::Object(&PREFERENCE))),
    field("max_replicas_per_node", Kind::Integer),
]);

static PREFERENCE: Object = object(&[field("spread", Kind::Text)]);

pub(super) static DEVELOP: Object = object(&[field("watch", Kind::List(&Kind::Object(&WATCH)))]);

static WATCH: Object = Object {
    fields: &[
        field("path", Kind::Text),
        field("action", Kind::OneOf(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
        field("target", Kind::Text),
        field("exec", Kind::Object(&HOOK)).shown(Shown::ObjectInJson),
        field("include", Kind::TextOrTexts),
        field("ignore", Kind::TextOrTexts),
        field("initial_sync", Kind::Flag),
    ],
    required: &["path", "action"],
};
