mod adoption;
mod binaries;
mod cgroup_v2;
mod crash;
mod full_disk;
mod interrupted;
mod orderly;
mod roots;
