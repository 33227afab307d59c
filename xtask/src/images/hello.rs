//! The program of the hello-world image.

fn main() {
    println!(
        "
Hello from Gantry!
This message shows that your installation works.

What happened to get it here:
 1. The client asked the engine for a container from the \"hello-world\" image.
 2. The engine made its file system, network and limits, and started a monitor for it.
 3. The monitor started this program, and passed its output to your terminal.

For something bigger, try:
 $ gantry run -it ubuntu bash
"
    );
}
