//! Networks and published ports.

mod publish;
