//! The file itself, and what it declares beside services.

use super::short;
use super::{Field, Kind, Object, SERVICE, Shown, field, object};

pub(crate) static PROJECT: Object = object(&[
    field("version", Kind::Text).shown(Shown::Never),
    field("name", Kind::Text),
    field("include", Kind::Short(short::includes, &INCLUDES)).shown(Shown::Never),
    field("services", SERVICES).shown(Shown::IfSaid),
    field("networks", Kind::Names(&Kind::ObjectOrNull(&NETWORK))),
    field("volumes", Kind::Names(&Kind::ObjectOrNull(&VOLUME))),
    field("secrets", Kind::Names(&Kind::Object(&SECRET))),
    field("configs", Kind::Names(&Kind::Object(&CONFIG))),
    field("models", Kind::Custom(short::models)).shown(Shown::Never),
]);

const SERVICES: Kind = Kind::Names(&Kind::Object(&SERVICE));

const INCLUDES: Kind = Kind::List(&Kind::Object(&INCLUDE));

static INCLUDE: Object = object(&[
    field("path", Kind::TextOrTexts),
    field("project_directory", Kind::Text),
    field("env_file", Kind::TextOrTexts),
]);

const EXTERNAL: Field = field("external", Kind::Custom(short::external));

static NETWORK: Object = object(&[
    field("name", Kind::Text),
    field("driver", Kind::Text),
    field("driver_opts", Kind::Options),
    field("ipam", Kind::Object(&IPAM)).shown(Shown::ObjectInJson),
    EXTERNAL,
    field("internal", Kind::Flag),
    field("attachable", Kind::Flag),
    field("labels", Kind::Labels),
    field("enable_ipv4", Kind::Flag).shown(Shown::IfSaid),
    field("enable_ipv6", Kind::Flag).shown(Shown::IfSaid),
]);

static IPAM: Object = object(&[
    field("driver", Kind::Text),
    field("config", Kind::List(&Kind::Object(&POOL))),
    field("options", Kind::Options),
]);

static POOL: Object = object(&[
    field("subnet", Kind::Text),
    field("gateway", Kind::Text),
    field("ip_range", Kind::Text),
    field("aux_addresses", Kind::Options),
]);

static VOLUME: Object = object(&[
    field("name", Kind::Text),
    field("driver", Kind::Text),
    field("driver_opts", Kind::Options),
    EXTERNAL,
    field("labels", Kind::Labels),
]);

static SECRET: Object = object(FILE_OBJECT);
static CONFIG: Object = object(FILE_OBJECT);

const FILE_OBJECT: &[Field] = &[
    field("name", Kind::Text),
    field("file", Kind::Text),
    field("environment", Kind::Text),
    field("content", Kind::Text),
    EXTERNAL,
    field("labels", Kind::Labels),
    field("driver", Kind::Text),
    field("driver_opts", Kind::Options),
    field("template_driver", Kind::Text),
];
