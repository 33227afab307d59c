//! A sender and a server of our own, for what engines do with packets: static, in the image, the same for everybody.
//!
//! A client says how many bytes come (8 bytes, big end first), sends them, and is answered with one byte.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::contestant::Contestant;
use super::image::{NAME as IMAGE, TRAFFIC};
use crate::Result;

const PIECE: usize = 128 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

const NETWORK: &str = "gantry-bench-net";
const SUBNET: &str = "10.199.77.0/24";
const SINK: &str = "gantry-bench-sink";
const SOURCE: &str = "gantry-bench-source";
const SINK_IP: &str = "10.199.77.10";
/// One of the host's addresses that is not loopback.
const HOST_IP: &str = "10.199.77.1";
const PORT: &str = "7000";
const PUBLISHED: &str = "17877";
const BYTES: &str = "2000000000";
const CONNECTIONS: &str = "5000";

/// `sink PORT`, `send ADDRESS BYTES` or `connect ADDRESS COUNT`; the last two print the seconds that it took.
pub(super) fn agent(args: &[&str]) -> Result {
    let failed = |error: io::Error| format!("{}: {error}", args.join(" "));
    let seconds = match args {
        ["sink", port] => sink(number(port)?).map_err(failed)?,
        ["send", address, bytes] => send_all(address, number(bytes)?).map_err(failed)?,
        ["connect", address, count] => connect_all(address, number(count)?).map_err(failed)?,
        _ => return Err("not for people".into()),
    };
    println!("{seconds}");
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("{text:?} is no number of that kind"))
}

fn sink(port: u16) -> io::Result<f64> {
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    loop {
        let (client, _) = listener.accept()?;
        // A client that is gone is none of the next one's business.
        thread::spawn(move || drop(swallow(client)));
    }
}

fn swallow(mut client: TcpStream) -> io::Result<()> {
    let mut length = [0; 8];
    client.read_exact(&mut length)?;
    let mut left = u64::from_be_bytes(length);
    let mut piece = vec![0; PIECE];
    while left > 0 {
        match client.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            some => left = left.saturating_sub(some as u64),
        }
    }
    client.write_all(&[1])
}

fn send_all(address: &str, bytes: u64) -> io::Result<f64> {
    let address = ready(address)?;
    let begin = Instant::now();
    send(address, bytes)?;
    Ok(begin.elapsed().as_secs_f64())
}

fn connect_all(address: &str, count: u32) -> io::Result<f64> {
    let address = ready(address)?;
    let begin = Instant::now();
    (0..count).try_for_each(|_| send(address, 0))?;
    Ok(begin.elapsed().as_secs_f64())
}

/// Waits for the server.
fn ready(address: &str) -> io::Result<SocketAddr> {
    let address = address.parse().map_err(io::Error::other)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match send(address, 0) {
            Ok(()) => return Ok(address),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn send(address: SocketAddr, bytes: u64) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.write_all(&bytes.to_be_bytes())?;
    let piece = vec![0; PIECE.min(usize::try_from(bytes).unwrap_or(PIECE))];
    let mut left = bytes;
    while left > 0 {
        let some = left.min(piece.len() as u64);
        stream.write_all(&piece[..some as usize])?;
        left -= some;
    }
    stream.read_exact(&mut [0])
}

/// Milliseconds of each of the ways, and of the connections.
pub(super) fn measure(contestant: &mut Contestant) -> Result<Vec<f64>> {
    let measured = set_up(contestant).and_then(|()| try_all(contestant));
    let removed = contestant.remove(&[SINK, SOURCE]);
    contestant.run(&["network", "rm", NETWORK]).and(removed)?;
    measured
}

fn set_up(contestant: &mut Contestant) -> Result {
    contestant.run(&["network", "create", "--subnet", SUBNET, NETWORK])?;
    let publish = format!("{PUBLISHED}:{PORT}");
    let run = ["run", "-d", "--network", NETWORK, "--name"];
    let sink = [SINK, "--ip", SINK_IP, "-p", &publish, IMAGE, TRAFFIC, "bench-agent", "sink", PORT];
    contestant.run(&[&run[..], &sink].concat())?;
    contestant.run(&[&run[..], &[SOURCE, IMAGE, "sleep", "1000000"]].concat())?;
    Ok(())
}

fn try_all(contestant: &mut Contestant) -> Result<Vec<f64>> {
    let direct = format!("{SINK_IP}:{PORT}");
    let [local, host] = ["127.0.0.1", HOST_IP].map(|ip| format!("{ip}:{PUBLISHED}"));
    let inside = ["exec", SOURCE, TRAFFIC, "bench-agent", "send", &direct, BYTES];
    let mut seconds = vec![contestant.told(&inside)?];
    for address in [&direct, &local, &host] {
        seconds.push(contestant.host_told(&["bench-agent", "send", address, BYTES])?);
    }
    for address in [&direct, &local] {
        seconds.push(contestant.host_told(&["bench-agent", "connect", address, CONNECTIONS])?);
    }
    Ok(seconds.into_iter().map(|seconds| seconds * 1000.0).collect())
}
