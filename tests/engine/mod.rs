mod binaries;
mod crash;
mod roots;
