//! The engine of an ordinary user.

mod containers;
mod delegated;
mod namespaces;
mod ports;
mod user;

use user::User;

fn with_busybox() -> User {
    let user = User::new();
    user.load("busybox");
    user
}
