//! The life of a registry's process: flags, storage, socket, readiness, signals, the end.

use std::process::ExitCode;
use std::time::Duration;

use registry::server::{Options, Server};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::log::Log;

pub fn main(words: impl Iterator<Item = String>) -> ExitCode {
    let options = match Options::parse(words) {
        Ok(options) => options,
        Err(error) => return failure(&error),
    };
    let log_format = options.log_format.clone();
    let _log = Log::begin(&Config { debug: options.debug, log_format, ..Config::default() });
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

fn failure(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn run(options: Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_keep_alive(Duration::from_secs(2))
        .thread_name("registry")
        .enable_all()
        .build()
        .map_err(|error| Error::system("cannot start threads").because(error))?;
    let served = runtime.block_on(serve(options));
    // Blocking work that is left ends with the process.
    runtime.shutdown_background();
    served
}

async fn serve(options: Options) -> Result<()> {
    let failed = |error: std::io::Error| Error::system(error.to_string());
    let terminate = listen(SignalKind::terminate())?;
    let interrupt = listen(SignalKind::interrupt())?;
    let place = options.place();
    let server = Server::open(options).map_err(failed)?;
    let address = server.address().map_err(failed)?;
    tracing::info!("the registry on {address} is ready, with {place}");
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        tracing::warn!("cannot tell the service manager: {error}");
    }
    server.serve(either(terminate, interrupt)).await.map_err(failed)
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|error| Error::system("cannot listen for signals").because(error))
}

async fn either(mut one: Signal, mut other: Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
    tracing::info!("stopping");
}
