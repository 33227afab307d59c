//! `GET /events`.

use std::collections::BTreeMap;

use crate::go::{is_empty, wire};

wire! {
    pub struct Message {
        #[flatten]
        /// From before events had types; container and image events only. Gone in 1.52.
        pub legacy: Option<Legacy>,
        #[serde(rename = "Type")]
        pub kind: String,
        pub action: String,
        pub actor: Actor,
        #[serde(rename = "scope", skip_serializing_if = "is_empty")]
        pub scope: String,
        /// Unix seconds.
        #[serde(rename = "time", skip_serializing_if = "is_empty")]
        pub time: i64,
        #[serde(rename = "timeNano", skip_serializing_if = "is_empty")]
        pub time_nano: i64,
    }

    pub struct Legacy {
        #[serde(rename = "status", skip_serializing_if = "is_empty")]
        pub status: String,
        #[serde(rename = "id", skip_serializing_if = "is_empty")]
        pub id: String,
        #[serde(rename = "from", skip_serializing_if = "is_empty")]
        pub from: String,
    }

    pub struct Actor {
        #[serde(rename = "ID")]
        pub id: String,
        pub attributes: Option<BTreeMap<String, String>>,
    }
}
