//! Other people's clients.

mod bollard;
