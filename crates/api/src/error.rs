//! Every error body of the API.

use crate::go::wire;

wire! {
    /// `{"message": "..."}`.
    pub struct ErrorResponse {
        #[serde(rename = "message")]
        pub message: String,
    }
}
