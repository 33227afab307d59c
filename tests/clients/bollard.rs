//! bollard: every container, exec, image and volume call that it has, but for those that build or need a registry, and
//! for attach by websocket, which its default features leave out.

use std::collections::HashMap;

use bollard::Docker;
use bollard::container::{CreateCheckpointOptions, LogOutput};
use bollard::errors::Error;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{
    ContainerConfig, ContainerCreateBody, ContainerUpdateBody, ExecConfig, HostConfig,
    VolumeCreateRequest,
};
use bollard::query_parameters::{
    AttachContainerOptions, CommitContainerOptions, ContainerArchiveInfoOptions,
    CreateContainerOptions, CreateImageOptions, DownloadFromContainerOptions, ImportImageOptions,
    KillContainerOptions, ListContainersOptions, ListImagesOptions, ListVolumesOptions,
    LogsOptions, PruneImagesOptions, PruneVolumesOptions, RemoveContainerOptions,
    RemoveImageOptions, RemoveVolumeOptions, RenameContainerOptions, ResizeContainerTTYOptions,
    ResizeExecOptions, StatsOptions, TagImageOptions, TopOptions, UploadToContainerOptions,
    WaitContainerOptions,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use testkit::engine::Engine;
use tokio::io::AsyncWriteExt;

/// An engine with busybox, and bollard talking to it in the newest version of the API that both know.
async fn connect(engine: &Engine) -> Docker {
    let docker =
        Docker::connect_with_unix(&engine.host(), 60, bollard::API_DEFAULT_VERSION).unwrap();
    docker.negotiate_version().await.unwrap()
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

async fn create(docker: &Docker, name: &str, body: ContainerCreateBody) -> String {
    let options = CreateContainerOptions { name: Some(name.into()), ..Default::default() };
    let body = ContainerCreateBody { image: Some("busybox".into()), ..body };
    docker.create_container(Some(options), body).await.unwrap().id
}

fn running(line: &str) -> ContainerCreateBody {
    ContainerCreateBody { cmd: Some(words(&["sh", "-c", line])), ..Default::default() }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.into()).collect()
}

async fn start(docker: &Docker, name: &str, line: &str) -> String {
    let id = create(docker, name, running(line)).await;
    docker.start_container(name, None).await.unwrap();
    id
}

async fn remove(docker: &Docker, name: &str) {
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    docker.remove_container(name, Some(options)).await.unwrap();
}

async fn bytes(stream: impl Stream<Item = Result<Bytes, Error>>) -> Vec<u8> {
    let chunks: Vec<Bytes> = stream.try_collect().await.unwrap();
    chunks.concat()
}

async fn text(stream: impl Stream<Item = Result<LogOutput, Error>>) -> String {
    let pieces: Vec<LogOutput> = stream.try_collect().await.unwrap();
    pieces.iter().map(|piece| piece.to_string()).collect()
}

fn status(error: Error) -> (u16, String) {
    match error {
        Error::DockerResponseServerError { status_code, message } => (status_code, message),
        other => panic!("{other}"),
    }
}

fn names_in(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| entry.path().unwrap().display().to_string()).collect()
}

fn tar_of(path: &str, content: &str) -> Bytes {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, path, content.as_bytes()).unwrap();
    tar.into_inner().unwrap().into()
}

#[test]
fn containers_from_create_to_remove() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        let id = start(&docker, "life", "echo out; echo err >&2; sleep 300").await;
        let filters = HashMap::from([("name".to_owned(), words(&["life"]))]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let listed = docker.list_containers(Some(options)).await.unwrap();
        assert_eq!(listed[0].id.as_deref(), Some(id.as_str()));
        let seen = docker.inspect_container("life", None).await.unwrap();
        assert_eq!(seen.name.as_deref(), Some("/life"));
        assert_eq!(seen.state.unwrap().running, Some(true));

        let top = docker.top_processes("life", None::<TopOptions>).await.unwrap();
        assert!(top.processes.unwrap().iter().flatten().any(|word| word.contains("sleep")));
        docker.pause_container("life").await.unwrap();
        docker.unpause_container("life").await.unwrap();
        let limits = ContainerUpdateBody {
            memory: Some(64 << 20),
            memory_swap: Some(64 << 20),
            ..Default::default()
        };
        docker.update_container("life", limits).await.unwrap();
        let once = StatsOptions { stream: false, one_shot: true };
        let stats: Vec<_> = docker.stats("life", Some(once)).try_collect().await.unwrap();
        assert_eq!(stats[0].memory_stats.as_ref().unwrap().limit, Some(64 << 20));
        let everything =
            LogsOptions { stdout: true, stderr: true, tail: "all".into(), ..Default::default() };
        let logs = text(docker.logs("life", Some(everything))).await;
        assert!(logs.contains("out\n") && logs.contains("err\n"), "{logs}");

        docker.restart_container("life", None).await.unwrap();
        docker
            .rename_container("life", RenameContainerOptions { name: "new".into() })
            .await
            .unwrap();
        let kill = KillContainerOptions { signal: "KILL".into() };
        docker.kill_container("new", Some(kill)).await.unwrap();
        let wait = WaitContainerOptions { condition: "not-running".into() };
        let ends: Vec<_> = docker.wait_container("new", Some(wait)).collect().await;
        assert!(
            matches!(&ends[0], Err(Error::DockerContainerWaitError { code: 137, .. })),
            "{ends:?}"
        );
        docker.start_container("new", None).await.unwrap();
        docker
            .stop_container(
                "new",
                Some(bollard::query_parameters::StopContainerOptions {
                    t: Some(0),
                    ..Default::default()
                }),
            )
            .await
            .unwrap();
        remove(&docker, "new").await;
        let (code, message) = status(docker.inspect_container("new", None).await.unwrap_err());
        assert_eq!((code, message.as_str()), (404, "No such container: new"));
    });
}

#[test]
fn what_a_container_changed_comes_out_of_it() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        start(&docker, "files", "echo hello >/made").await;
        let ends: Vec<_> = docker
            .wait_container("files", None::<WaitContainerOptions>)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(ends[0].status_code, 0);
        let changes = docker.container_changes("files").await.unwrap().unwrap();
        assert_eq!(
            changes.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(),
            ["/made"]
        );
        let exported = bytes(docker.export_container("files")).await;
        assert!(names_in(&exported).contains(&"made".to_owned()));
        let pruned = docker
            .prune_containers(None::<bollard::query_parameters::PruneContainersOptions>)
            .await
            .unwrap();
        assert_eq!(pruned.containers_deleted.unwrap().len(), 1);
    });
}

#[test]
fn files_go_in_and_out() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        create(&docker, "box", running("cat /tmp/one /tmp/two")).await;
        let to =
            |path: &str| Some(UploadToContainerOptions { path: path.into(), ..Default::default() });
        let one = bollard::body_full(tar_of("one", "first\n"));
        docker.upload_to_container("box", to("/tmp"), one).await.unwrap();
        let two = futures_util::stream::iter([tar_of("two", "second\n")]);
        #[allow(deprecated, reason = "clients of before call it")]
        docker.upload_to_container_streaming("box", to("/tmp"), two).await.unwrap();
        let about = ContainerArchiveInfoOptions { path: "/tmp/one".into() };
        let stat = docker.get_container_archive_info("box", Some(about)).await.unwrap();
        assert_eq!(stat.size, 6);
        let from = DownloadFromContainerOptions { path: "/tmp/one".into() };
        let tar = bytes(docker.download_from_container("box", Some(from))).await;
        assert_eq!(names_in(&tar), ["one"]);
        docker.start_container("box", None).await.unwrap();
        let ends: Vec<_> =
            docker.wait_container("box", None::<WaitContainerOptions>).try_collect().await.unwrap();
        assert_eq!(ends[0].status_code, 0);
        remove(&docker, "box").await;
    });
}

#[test]
fn a_terminal_is_attached_to_and_resized() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        let body = ContainerCreateBody {
            tty: Some(true),
            open_stdin: Some(true),
            attach_stdin: Some(true),
            ..running("read line; stty size; echo got $line")
        };
        create(&docker, "tty", body).await;
        let everything = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..Default::default()
        };
        let mut session = docker.attach_container("tty", Some(everything)).await.unwrap();
        docker.start_container("tty", None).await.unwrap();
        let size = ResizeContainerTTYOptions { h: 33, w: 99 };
        docker.resize_container_tty("tty", size).await.unwrap();
        session.input.write_all(b"hello\n").await.unwrap();
        let seen = text(session.output).await;
        assert!(seen.contains("33 99") && seen.contains("got hello"), "{seen}");
        remove(&docker, "tty").await;
    });
}

#[test]
fn checkpoints_are_refused_clearly() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        start(&docker, "box", "sleep 300").await;
        let one = CreateCheckpointOptions { checkpoint_id: "one".into(), ..Default::default() };
        let errors = [
            docker.create_checkpoint("box", one).await.unwrap_err(),
            docker.list_checkpoints("box", None).await.unwrap_err(),
            docker.delete_checkpoint("box", "one", None).await.unwrap_err(),
        ];
        for error in errors {
            let (code, message) = status(error);
            assert!(code >= 400 && !message.is_empty(), "{code} {message}");
        }
        remove(&docker, "box").await;
    });
}

#[test]
fn execs_are_made_started_resized_and_inspected() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        start(&docker, "box", "sleep 300").await;
        let config = |line: &str| ExecConfig {
            cmd: Some(words(&["sh", "-c", line])),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let plain =
            docker.create_exec("box", config("cat; echo err >&2; exit 3")).await.unwrap().id;
        let StartExecResults::Attached { output, mut input } =
            docker.start_exec(&plain, None::<StartExecOptions>).await.unwrap()
        else {
            panic!("not attached")
        };
        input.write_all(b"typed\n").await.unwrap();
        input.shutdown().await.unwrap();
        let mut pieces: Vec<LogOutput> = output.try_collect().await.unwrap();
        pieces.sort_by_key(|piece| matches!(piece, LogOutput::StdErr { .. }));
        assert!(
            matches!(&pieces[..], [LogOutput::StdOut { message: out }, LogOutput::StdErr { message: err }]
            if &out[..] == b"typed\n" && &err[..] == b"err\n"),
            "{pieces:?}"
        );
        assert_eq!(docker.inspect_exec(&plain).await.unwrap().exit_code, Some(3));

        let tty = ExecConfig { tty: Some(true), ..config("read line; stty size") };
        let tty = docker.create_exec("box", tty).await.unwrap().id;
        let as_terminal = StartExecOptions { tty: true, ..Default::default() };
        let StartExecResults::Attached { output, mut input } =
            docker.start_exec(&tty, Some(as_terminal)).await.unwrap()
        else {
            panic!("not attached")
        };
        docker.resize_exec(&tty, ResizeExecOptions { h: 12, w: 34 }).await.unwrap();
        input.write_all(b"\n").await.unwrap();
        let seen = text(output).await;
        assert!(seen.contains("12 34"), "{seen}");

        let alone = docker.create_exec("box", config("true")).await.unwrap().id;
        let detached = StartExecOptions { detach: true, ..Default::default() };
        let result = docker.start_exec(&alone, Some(detached)).await.unwrap();
        assert!(matches!(result, StartExecResults::Detached));
        remove(&docker, "box").await;
    });
}

#[test]
fn a_terminals_output_is_framed_for_the_one_who_starts_it() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        start(&docker, "box", "sleep 300").await;
        let config = ExecConfig {
            cmd: Some(words(&["echo", "hello"])),
            attach_stdout: Some(true),
            tty: Some(true),
            ..Default::default()
        };
        let id = docker.create_exec("box", config).await.unwrap().id;
        let StartExecResults::Attached { output, .. } =
            docker.start_exec(&id, None::<StartExecOptions>).await.unwrap()
        else {
            panic!("not attached")
        };
        let pieces: Vec<LogOutput> = output.try_collect().await.unwrap();
        assert!(
            matches!(&pieces[..], [LogOutput::StdOut { message }] if &message[..] == b"hello\r\n"),
            "{pieces:?}"
        );
        remove(&docker, "box").await;
    });
}

#[test]
fn images_are_made_named_listed_moved_and_removed() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        start(&docker, "box", "echo new >/made").await;
        let _: Vec<_> = docker.wait_container("box", None::<WaitContainerOptions>).collect().await;
        let commit = CommitContainerOptions {
            container: Some("box".into()),
            repo: Some("made".into()),
            tag: Some("1".into()),
            author: Some("me".into()),
            comment: Some("a change".into()),
            changes: Some("ENV X=y\nCMD [\"cat\",\"/made\"]".into()),
            ..Default::default()
        };
        let made = docker.commit_container(commit, ContainerConfig::default()).await.unwrap().id;
        let tag = TagImageOptions { repo: Some("other".into()), tag: Some("2".into()) };
        docker.tag_image("made:1", Some(tag)).await.unwrap();
        let seen = docker.inspect_image("other:2").await.unwrap();
        assert_eq!(seen.id.as_deref(), Some(made.as_str()));
        assert_eq!(seen.author.as_deref(), Some("me"));
        assert!(seen.config.unwrap().env.unwrap().contains(&"X=y".to_owned()));
        let history = docker.image_history("made:1").await.unwrap();
        assert_eq!(history[0].comment, "a change");
        let filters = HashMap::from([("reference".to_owned(), words(&["made"]))]);
        let options = ListImagesOptions {
            filters: Some(filters),
            shared_size: true,
            digests: true,
            manifests: true,
            ..Default::default()
        };
        let listed = docker.list_images(Some(options)).await.unwrap();
        assert_eq!(listed[0].repo_tags, ["made:1"]);
        assert!(listed[0].shared_size > 0);

        let one = bytes(docker.export_image("made:1")).await;
        let several = bytes(docker.export_images(&["made:1", "busybox"])).await;
        assert!(names_in(&one).contains(&"manifest.json".to_owned()) && several.len() > one.len());
        remove(&docker, "box").await;
        for name in ["made:1", "other:2"] {
            let gone = docker
                .remove_image(
                    name,
                    Some(RemoveImageOptions { force: false, ..Default::default() }),
                    None,
                )
                .await
                .unwrap();
            assert!(gone.iter().any(|item| item.untagged.as_deref() == Some(name)));
        }
        let (code, message) = status(docker.inspect_image("made:1").await.unwrap_err());
        assert_eq!((code, message.as_str()), (404, "No such image: made:1"));
        let load = ImportImageOptions { quiet: true, ..Default::default() };
        let told: Vec<_> = docker
            .import_image(load, bollard::body_full(one.into()), None)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(told[0].stream.as_deref(), Some("Loaded image: made:1\n"));
        let chunks = several
            .chunks(64 << 10)
            .map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk)));
        let chunks = futures_util::stream::iter(chunks.collect::<Vec<_>>());
        let load = ImportImageOptions { quiet: true, ..Default::default() };
        let told: Vec<_> =
            docker.import_image_stream(load, chunks, None).try_collect().await.unwrap();
        assert_eq!(told.len(), 2);

        let import = CreateImageOptions {
            from_src: Some("-".into()),
            repo: Some("flat".into()),
            message: Some("imported".into()),
            changes: vec!["CMD [\"x\"]".into()],
            ..Default::default()
        };
        let root = bollard::body_full(tar_of("file", "content"));
        let told: Vec<_> =
            docker.create_image(Some(import), Some(root), None).try_collect().await.unwrap();
        assert!(told[0].status.as_deref().unwrap().starts_with("sha256:"));
        let all = HashMap::from([("dangling".to_owned(), words(&["false"]))]);
        let pruned =
            docker.prune_images(Some(PruneImagesOptions { filters: Some(all) })).await.unwrap();
        assert!(pruned.images_deleted.unwrap().len() >= 3);
        assert!(docker.list_images(None::<ListImagesOptions>).await.unwrap().is_empty());
    });
}

#[test]
fn volumes_are_made_listed_used_pruned_and_removed() {
    let engine = Engine::with_busybox();
    block_on(async {
        let docker = connect(&engine).await;
        for name in ["one", "two"] {
            let labels = HashMap::from([("a".to_owned(), "b".to_owned())]);
            let request = VolumeCreateRequest {
                name: Some(name.into()),
                labels: Some(labels),
                ..Default::default()
            };
            assert_eq!(docker.create_volume(request).await.unwrap().name, name);
        }
        let body = ContainerCreateBody {
            host_config: Some(HostConfig {
                binds: Some(words(&["one:/data"])),
                ..Default::default()
            }),
            ..running("echo kept >/data/file")
        };
        create(&docker, "user", body).await;
        docker.start_container("user", None).await.unwrap();
        let _: Vec<_> = docker.wait_container("user", None::<WaitContainerOptions>).collect().await;
        assert_eq!(docker.inspect_volume("one").await.unwrap().labels["a"], "b");
        let listed = docker.list_volumes(None::<ListVolumesOptions>).await.unwrap();
        assert_eq!(listed.volumes.unwrap().len(), 2);
        let (code, _) =
            status(docker.remove_volume("one", None::<RemoveVolumeOptions>).await.unwrap_err());
        assert_eq!(code, 409);
        let all = HashMap::from([("all".to_owned(), words(&["true"]))]);
        let pruned =
            docker.prune_volumes(Some(PruneVolumesOptions { filters: Some(all) })).await.unwrap();
        assert_eq!(pruned.volumes_deleted.unwrap(), ["two"]);
        remove(&docker, "user").await;
        docker.remove_volume("one", Some(RemoveVolumeOptions { force: true })).await.unwrap();
        let listed = docker.list_volumes(None::<ListVolumesOptions>).await.unwrap();
        assert!(listed.volumes.unwrap_or_default().is_empty());
    });
}
