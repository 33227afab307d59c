//! The JSON lines that load, import, pull, push and build stream.

use crate::go::{is_empty, wire};

wire! {
    /// One line. What is set decides its meaning: text, a layer's progress, an error, or a result.
    pub struct Message {
        #[serde(rename = "stream", skip_serializing_if = "is_empty")]
        pub stream: String,
        #[serde(rename = "status", skip_serializing_if = "is_empty")]
        pub status: String,
        #[serde(rename = "progressDetail", skip_serializing_if = "Option::is_none")]
        pub progress_detail: Option<ProgressDetail>,
        /// The bar as old clients print it.
        #[serde(rename = "progress", skip_serializing_if = "is_empty")]
        pub progress: String,
        #[serde(rename = "id", skip_serializing_if = "is_empty")]
        pub id: String,
        #[serde(rename = "from", skip_serializing_if = "is_empty")]
        pub from: String,
        #[serde(rename = "time", skip_serializing_if = "is_empty")]
        pub time: i64,
        #[serde(rename = "timeNano", skip_serializing_if = "is_empty")]
        pub time_nano: i64,
        #[serde(rename = "errorDetail", skip_serializing_if = "Option::is_none")]
        pub error_detail: Option<ErrorDetail>,
        #[serde(rename = "error", skip_serializing_if = "is_empty")]
        pub error: String,
        #[serde(rename = "aux", skip_serializing_if = "Option::is_none")]
        pub aux: Option<serde_json::Value>,
    }

    pub struct ProgressDetail {
        #[serde(rename = "current", skip_serializing_if = "is_empty")]
        pub current: i64,
        #[serde(rename = "total", skip_serializing_if = "is_empty")]
        pub total: i64,
        #[serde(rename = "start", skip_serializing_if = "is_empty")]
        pub start: i64,
        #[serde(rename = "hidecounts", skip_serializing_if = "is_empty")]
        pub hide_counts: bool,
        #[serde(rename = "units", skip_serializing_if = "is_empty")]
        pub units: String,
    }

    pub struct ErrorDetail {
        #[serde(rename = "code", skip_serializing_if = "is_empty")]
        pub code: i64,
        #[serde(rename = "message", skip_serializing_if = "is_empty")]
        pub message: String,
    }
}

impl Message {
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        let message = message.into();
        let error_detail = Some(ErrorDetail { code: 0, message: message.clone() });
        Self { error_detail, error: message, ..Self::default() }
    }

    #[must_use]
    pub fn stream(text: impl Into<String>) -> Self {
        Self { stream: text.into(), ..Self::default() }
    }

    #[must_use]
    pub fn status(text: impl Into<String>) -> Self {
        Self { status: text.into(), ..Self::default() }
    }
}
