mod crash;
mod roots;
