//! The life of the process: options, folders, services, sockets, readiness, signals, the end.
//!
//! Its end is of no matter to containers: their monitors go on, and the next engine adopts them.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::apparmor;
use crate::config::{self, Action, Config, Invocation, Places};
use crate::containers::Remains;
use crate::engine::{Engine, network_options};
use crate::error::{Error, Result, blocking};
use crate::http::listen::Listeners;
use crate::http::{self, Server};
use crate::log::Log;
use crate::registry;
use crate::rootless::{Host, Rootless};
use crate::roots::{Pidfile, Roots};
use crate::runtime_binary::RuntimeBinary;

pub fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == registry::COMMAND).is_some() {
        return registry::serve::main(words);
    }
    let places = Places::of_this_process();
    let known = places.clone().unwrap_or_default();
    let invocation = match config::parse(words, known) {
        Ok(invocation) => invocation,
        Err(error) => return failure(&error),
    };
    let run = match invocation.action {
        Action::Help => {
            print!("{}", config::help());
            return ExitCode::SUCCESS;
        }
        Action::Version => {
            println!("gantryd version {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Action::Validate => validate,
        Action::Serve => run,
    };
    if let Err(why) = places {
        return failure(&Error::invalid(why));
    }
    match Config::load(&invocation) {
        Ok(config) => {
            let config = config.with_proxies_of(|name| std::env::var(name).ok());
            run(&invocation, config).map_or_else(|error| failure(&error), |()| ExitCode::SUCCESS)
        }
        Err(error) => failure(&error),
    }
}

fn failure(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

/// `--validate`: what can be told wrong without touching anything.
fn validate(_: &Invocation, config: Config) -> Result<()> {
    Listeners::check(&config)?;
    network_options(&config, None)?;
    // As dockerd, on standard error.
    eprintln!("configuration OK");
    Ok(())
}

fn run(invocation: &Invocation, config: Config) -> Result<()> {
    // First, before anything is opened that could have got the same number.
    let ready_fd = invocation.ready_fd.map(sys::inherited::adopt).transpose().map_err(|error| {
        Error::invalid("the descriptor of --ready-fd is not open").because(error)
    })?;
    if let Some(ready_fd) = &ready_fd {
        sys::inherited::close_all_but(ready_fd.as_fd())
            .map_err(|error| Error::system("cannot close inherited descriptors").because(error))?;
    }
    sys::allocator::keep_little();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let log = Log::begin(&config);
    let roots = Roots::take(&config)?;
    let rootless = Rootless::enter(&config.exec_root)?;
    if ready_fd.is_some() {
        leave_the_starter();
    }
    let pidfile = config.pidfile();
    let _pidfile = Pidfile::write(&pidfile)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Threads of blocking work that idle cost memory; new ones cost microseconds.
        .max_blocking_threads(64)
        .thread_keep_alive(Duration::from_secs(2))
        .thread_name("gantryd")
        .enable_all()
        .build()
        .map_err(|error| Error::system("cannot start threads").because(error))?;
    let host = rootless.as_ref().map(Rootless::host);
    let served = runtime.block_on(serve(invocation, config, host, &log, ready_fd.map(File::from)));
    // What is still under way ends with the process, all at once: tasks that were dropped one by one would tell
    // clients of each other's end as if containers had ended. The roots are held until then.
    let (result, engine) = match served {
        Ok((engine, Remains::Nothing)) => {
            rootless.into_iter().for_each(Rootless::end);
            (Ok(()), Some(engine))
        }
        Ok((engine, Remains::Containers)) => (Ok(()), Some(engine)),
        Err(error) => (Err(error), None),
    };
    let _until_the_end = std::mem::ManuallyDrop::new((runtime, roots, engine));
    result
}

/// The command that started this engine ends: its terminal's signals, its session's end and its limits are not for
/// the engine.
fn leave_the_starter() {
    // It fails for a process that leads a group already, which needs no session of its own.
    let _ = rustix::process::setsid();
    for failure in runtime::cgroup::own::leave() {
        tracing::warn!("the engine stays in a cgroup of whoever started it: {failure}");
    }
}

async fn serve(
    invocation: &Invocation,
    config: Config,
    host: Option<Host>,
    log: &Log,
    ready: Option<File>,
) -> Result<(Arc<Engine>, Remains)> {
    let signals = Signals::take()?;
    let listeners = Listeners::bind(&config)?;
    let metrics = match config.metrics_addr.as_str() {
        "" => None,
        address => Some(http::metrics::bind(address)?),
    };
    let engine = Arc::new(Engine::open(config, RuntimeBinary::find()?, host).await?);
    let server = Arc::new(Server::new(Arc::clone(&engine), http::routes()));
    listeners
        .serve(&server)
        .map_err(|error| Error::system("cannot serve the API").because(error))?;
    if let Some(listener) = metrics {
        http::metrics::serve(listener, Arc::clone(&server))
            .map_err(|error| Error::system("cannot serve metrics").because(error))?;
    }
    announce(ready);
    until_told_to_stop(signals, invocation, &engine, log).await;
    tracing::info!("stopping; containers go on");
    tell_service_manager(&[NotifyState::Stopping]);
    server.stop(patience(&engine.system.config())).await;
    let remains = engine.containers.close().await;
    Ok((engine, remains))
}

/// Tells whoever started the engine that it answers now.
fn announce(ready: Option<File>) {
    tracing::info!("gantryd {} is ready", env!("CARGO_PKG_VERSION"));
    if let Some(mut ready) = ready
        && let Err(error) = ready.write_all(b"ready\n")
    {
        tracing::warn!("cannot tell the starter that the engine is ready: {error}");
    }
    tell_service_manager(&[NotifyState::Ready]);
}

/// Where one waits for news, as for a unit of `Type=notify`.
fn tell_service_manager(news: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::warn!("cannot tell the service manager: {error}");
    }
}

/// How long requests that must be carried out may take when the engine ends. Containers need no time: they go on.
fn patience(config: &Config) -> Duration {
    u64::try_from(config.shutdown_timeout).map_or(Duration::MAX, Duration::from_secs)
}

/// Taken before anybody is told that the engine is there: whoever hears of it may send one at once.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn take() -> Result<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| Error::system("cannot listen for signals").because(error))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }
}

async fn until_told_to_stop(
    mut signals: Signals,
    invocation: &Invocation,
    engine: &Engine,
    log: &Log,
) {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return,
            _ = signals.interrupt.recv() => return,
            _ = signals.hangup.recv() => reload(invocation, engine, log).await,
        }
    }
}

/// Others may have unloaded the profile of the containers.
async fn reload_apparmor() {
    if let Err(error) = blocking(apparmor::load_default).await {
        tracing::error!("{error}");
    }
}

/// SIGHUP: what can change without a restart, from the file as it is now. A file that is wrong changes nothing.
async fn reload(invocation: &Invocation, engine: &Engine, log: &Log) {
    let file = invocation.config_file.path.display();
    tracing::info!("Got signal to reload configuration, reloading from: {file}");
    let since = NotifyState::monotonic_usec_now().ok();
    let news: Vec<_> = [NotifyState::Reloading].into_iter().chain(since).collect();
    tell_service_manager(&news);
    let checked = match Config::load(invocation) {
        Ok(config) => {
            engine.authorization.require(&config.authorization_plugins).await.map(|()| config)
        }
        Err(error) => Err(Error::invalid(error.to_string())),
    };
    match checked {
        Ok(config) => {
            engine.system.reload(&config);
            log.reload(&config);
            reload_apparmor().await;
            tracing::info!("Reloaded configuration");
        }
        Err(error) => tracing::error!("{error}"),
    }
    tell_service_manager(&[NotifyState::Ready]);
}
