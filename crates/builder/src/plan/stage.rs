//! Stages: which are needed, what they stand on, and their instructions one after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use oci::Platform;
use oci::image::{ContainerConfig, ImageConfig};

use super::graph::{Context, Copy, Git, Http, Image, Op, Source, Unpack, Vertex, note_sources};
use super::scope::{Scope, Variables, platform_variables};
use super::{Entry, Error, Images, Plan, Request, Wanted};
use crate::dockerfile::{self, Dockerfile, Instruction, Located};
use crate::expand;

pub(super) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Stages that are planned before their turn, because earlier ones take from them.
const DEEPEST: usize = 32;
/// Stages that one target may need.
const MOST_STAGES: usize = 2_000;
/// Steps upon one another: the kernel mounts no more layers.
const MOST_STEPS: usize = 500;
/// Vertices of a graph.
const MOST_VERTICES: usize = 20_000;
/// Bytes that the variables of all steps together may have.
const MOST_VARIABLES: usize = 256 << 20;
/// The main context's name.
pub(super) const CONTEXT: &str = "context";

pub(super) struct Planner<'a> {
    file: &'a Dockerfile,
    pub(super) request: &'a Request,
    images: &'a Images,
    /// ARGs before the first FROM.
    pub(super) globals: Variables,
    pub(super) vertices: Vec<Vertex>,
    /// The numbers of stages by their name, in order.
    names: HashMap<&'a str, Vec<usize>>,
    done: BTreeMap<usize, Stage>,
    /// Stages that are being planned: one that needs one of these would need itself.
    open: Vec<usize>,
    /// What is there once however often it is used, by its description.
    shared: BTreeMap<String, usize>,
    /// Bytes of the steps' variables.
    variables: usize,
}

/// A stage as far as it is planned.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) vertex: usize,
    pub(super) image: ImageConfig,
    pub(super) scope: Scope,
    pub(super) history: Vec<Entry>,
    pub(super) platform: Platform,
    pub(super) has_cmd: bool,
    pub(super) has_entrypoint: bool,
    pub(super) fresh: bool,
    /// Its name, with a space behind it, which the names of its steps begin with; before it the platform where several are built.
    label: String,
    shows_platform: bool,
    steps: usize,
    step: usize,
    /// Steps below it, those of other stages included.
    depth: usize,
}

impl Stage {
    pub(super) fn config(&mut self) -> &mut ContainerConfig {
        self.image.config.get_or_insert_default()
    }

    pub(super) fn directory(&self) -> &str {
        match self.image.config.as_ref().map(|config| config.working_dir.as_str()) {
            None | Some("") => "/",
            Some(directory) => directory,
        }
    }

    pub(super) fn user(&self) -> &str {
        self.image.config.as_ref().map_or("", |config| config.user.as_str())
    }

    /// An absolute path, from the working directory where it is relative.
    pub(super) fn absolute(&self, path: &str) -> String {
        absolute(self.directory(), path)
    }

    /// History of an instruction that made no layer.
    pub(super) fn note(&mut self, created_by: String) {
        self.history.push(Entry { created_by, vertex: None });
    }

    /// `[build 2/5] text`, of the next step.
    fn step_name(&mut self, text: &str) -> String {
        self.step += 1;
        let (step, steps) = (self.step, self.steps);
        let width = steps.to_string().len();
        let platform = if self.shows_platform { self.shown_platform() } else { String::new() };
        format!("[{platform}{}{step:>width$}/{steps}] {text}", self.label)
    }

    /// `linux/amd64->arm64 `: where its steps run, and for which platform, where the stage asked for that.
    fn shown_platform(&self) -> String {
        let own = &self.platform;
        let variable = |name: &str| self.scope.variables.get(name).filter(|text| !text.is_empty());
        let given = variable("TARGETPLATFORM").and_then(|text| Platform::parse(text).ok());
        let base = given.as_ref().unwrap_or(own);
        let part = |name: &str, of_base: &str| variable(name).unwrap_or(of_base).to_owned();
        let architecture = part("TARGETARCH", &base.architecture);
        let variant = if architecture == base.architecture { base.variant.as_str() } else { "" };
        let target = Platform::new(
            &part("TARGETOS", &base.os),
            &architecture,
            &part("TARGETVARIANT", variant),
        );
        let target = match &target {
            same if same == own => String::new(),
            other if other.os != own.os => format!("->{other}"),
            other => {
                format!("->{}", other.to_string().split_once('/').map_or("", |(_, rest)| rest))
            }
        };
        format!("{own}{target} ")
    }
}

/// `base/path` without `.`, `..` and doubled slashes.
pub(super) fn absolute(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { base };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        file: &'a Dockerfile,
        request: &'a Request,
        images: &'a Images,
    ) -> Result<Self, Error> {
        let variables = platform_variables(&request.build_platform, &request.platform);
        let escape = file.directives.escape;
        let mut scope = Scope { escape, variables, named: Vec::new() };
        let nothing = Variables::default();
        for located in &file.arguments {
            for (name, default) in &located.value {
                let default = default.as_deref();
                // What a platform's variable is, is known; an ARG without a default only names it.
                if default.is_none() && !request.build_args.contains_key(name) {
                    continue;
                }
                scope
                    .name_argument(name, default, &request.build_args, &nothing)
                    .map_err(Error::at(&located.lines))?;
            }
        }
        let mut names: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, stage) in file.stages.iter().enumerate() {
            if let Some(name) = &stage.name {
                names.entry(name).or_default().push(number);
            }
        }
        Ok(Self {
            file,
            request,
            images,
            globals: scope.variables,
            vertices: Vec::new(),
            names,
            done: BTreeMap::new(),
            open: Vec::new(),
            shared: BTreeMap::new(),
            variables: 0,
        })
    }

    pub(super) fn plan(mut self) -> Result<Plan, Error> {
        let target = self.target()?;
        let (needed, mut missing) = self.needed(target);
        missing.retain(|wanted| !self.images.contains_key(wanted));
        if !missing.is_empty() {
            return Err(Error::Missing(missing));
        }
        if needed.len() > MOST_STAGES {
            let message = format!("more than {MOST_STAGES} stages are needed");
            return Err(Error::at(&self.file.stages[target].lines)(message));
        }
        // In the file's order: what a stage stands on is there, and nothing here goes as deep as a file is long.
        for number in needed.into_iter().filter(|number| *number < target) {
            self.stage(number)?;
        }
        let mut stage = self.stage(target)?;
        if !self.request.labels.is_empty() {
            let labels = self.request.labels.clone();
            stage.config().labels.get_or_insert_default().extend(labels);
        }
        let epoch = self.request.build_args.get("SOURCE_DATE_EPOCH").cloned().flatten();
        let epoch = epoch.filter(|text| !text.is_empty()).map(|text| text.parse::<i64>());
        let epoch = epoch.transpose().map_err(|error| Error::Wrong {
            message: format!("invalid SOURCE_DATE_EPOCH: {error}"),
            lines: None,
        })?;
        note_sources(&mut self.vertices);
        Ok(Plan {
            vertices: self.vertices,
            result: stage.vertex,
            image: stage.image,
            history: stage.history,
            epoch,
        })
    }

    fn target(&self) -> Result<usize, Error> {
        let wanted = self.request.target.as_str();
        let last = self.file.stages.len() - 1;
        if wanted.is_empty() {
            return Ok(last);
        }
        self.find(wanted, self.file.stages.len()).ok_or_else(|| Error::Wrong {
            message: format!("target stage {wanted:?} could not be found"),
            lines: None,
        })
    }

    /// The last stage before `end` of this name, or that of this number.
    fn find(&self, name: &str, end: usize) -> Option<usize> {
        self.find_named(name, end).or_else(|| name.parse().ok().filter(|number| *number < end))
    }

    /// The base of a stage with its variables expanded, and its platform.
    fn base(&self, number: usize) -> Result<(String, Platform), Error> {
        let stage = &self.file.stages[number];
        let escape = self.file.directives.escape;
        let variable = |name: &str| self.globals.get(name).map(str::to_owned);
        let base = expand::word(&stage.base, escape, variable).map_err(Error::at(&stage.lines))?;
        if base.is_empty() {
            let message = format!("base name ({}) should not be blank", stage.base);
            return Err(Error::at(&stage.lines)(message));
        }
        let platform = match &stage.platform {
            None => self.request.platform.clone(),
            Some(text) => {
                let text = expand::word(text, escape, variable).map_err(Error::at(&stage.lines))?;
                Platform::parse(&text).map_err(|error| {
                    let message = format!("failed to parse platform {text}: {error}");
                    Error::at(&stage.lines)(message)
                })?
            }
        };
        Ok((base, platform))
    }

    /// The stages that the target needs, it included, and the images that these stand on.
    fn needed(&self, target: usize) -> (BTreeSet<usize>, BTreeSet<Wanted>) {
        let mut missing = BTreeSet::new();
        let (mut seen, mut open) = (BTreeSet::new(), vec![target]);
        while let Some(number) = open.pop() {
            if !seen.insert(number) {
                continue;
            }
            if let Ok((base, platform)) = self.base(number)
                && let Some(wanted) = self.wanted(&base, &platform, number)
            {
                missing.insert(wanted);
            }
            let Ok((base, _)) = self.base(number) else { continue };
            open.extend(self.find_named(&base, number));
            for from in self.file.stages[number].instructions.iter().flat_map(sources) {
                open.extend(self.find(from, self.file.stages.len()));
                let is_stage = self.find(from, self.file.stages.len()).is_some();
                let is_number = from.parse::<usize>().is_ok();
                if !is_stage
                    && !is_number
                    && let Some(wanted) = self.wanted(from, &self.request.platform, 0)
                {
                    missing.insert(wanted);
                }
            }
        }
        (seen, missing)
    }

    /// FROM knows stages by their names alone.
    fn find_named(&self, name: &str, end: usize) -> Option<usize> {
        let numbers = self.names.get(name.to_ascii_lowercase().as_str())?;
        numbers[..numbers.partition_point(|number| *number < end)].last().copied()
    }

    /// The image that a FROM means, if it means one.
    fn wanted(&self, name: &str, platform: &Platform, end: usize) -> Option<Wanted> {
        let image = match self.request.contexts.get(name) {
            Some(context) => context.strip_prefix("docker-image://")?,
            None if name == "scratch" || self.find_named(name, end).is_some() => return None,
            None => name,
        };
        Some(Wanted { reference: image.to_owned(), platform: platform.clone() })
    }

    fn stage(&mut self, number: usize) -> Result<Stage, Error> {
        if let Some(stage) = self.done.get(&number) {
            return Ok(stage.clone());
        }
        let source = &self.file.stages[number];
        if self.open.contains(&number) {
            let name = source.name.clone().unwrap_or_else(|| number.to_string());
            let message = format!("circular dependency detected on stage: {name}");
            return Err(Error::at(&source.lines)(message));
        }
        if self.open.len() == DEEPEST {
            let message =
                format!("more than {DEEPEST} stages take from later ones within each other");
            return Err(Error::at(&source.lines)(message));
        }
        self.open.push(number);
        let mut stage = self.begin(number)?;
        for instruction in
            self.triggers(&mut stage, &source.lines)?.iter().chain(&source.instructions)
        {
            self.dispatch(&mut stage, instruction)?;
        }
        self.open.pop();
        self.done.insert(number, stage.clone());
        Ok(stage)
    }

    fn begin(&mut self, number: usize) -> Result<Stage, Error> {
        let source = &self.file.stages[number];
        let (base, platform) = self.base(number)?;
        let (label, fresh) = self.label(number);
        if !self.request.contexts.contains_key(&base)
            && let Some(earlier) = self.find_named(&base, number)
        {
            let parent = self.stage(earlier)?;
            let steps = count(&source.instructions);
            let (has_cmd, has_entrypoint) = (false, false);
            return Ok(Stage { label, fresh, steps, step: 0, has_cmd, has_entrypoint, ..parent });
        }
        let instructions = count(&source.instructions);
        let steps = instructions + usize::from(base != "scratch");
        let scope = Scope {
            escape: self.file.directives.escape,
            variables: Variables::default(),
            named: Vec::new(),
        };
        let mut stage = Stage {
            vertex: 0,
            image: ImageConfig::default(),
            scope,
            history: Vec::new(),
            platform: platform.clone(),
            has_cmd: false,
            has_entrypoint: false,
            fresh,
            label,
            shows_platform: self.request.shows_platform,
            steps,
            step: 0,
            depth: 0,
        };
        let wanted = self.wanted(&base, &platform, number);
        match wanted.and_then(|wanted| Some((self.images.get(&wanted)?.clone(), wanted))) {
            Some((image, wanted)) => {
                let name = stage.step_name(&format!("FROM {}", full(&wanted.reference)));
                stage.vertex = self.image(&wanted, &image, name);
                stage.image = image;
            }
            None => {
                stage.vertex = match base.as_str() {
                    "scratch" => self.share("scratch", || (Op::Scratch, String::new())),
                    _ => {
                        let from = self.source(&base, &source.lines, &platform)?;
                        self.upon_scratch(from)
                    }
                };
                stage.image.architecture.clone_from(&platform.architecture);
                stage.image.os.clone_from(&platform.os);
                stage.image.variant.clone_from(&platform.variant);
                stage.config().working_dir = "/".to_owned();
            }
        }
        let env = stage.config().env.get_or_insert_default();
        if !env.iter().any(|entry| entry.starts_with("PATH=")) {
            env.push(format!("PATH={DEFAULT_PATH}"));
        }
        stage.scope.variables = Variables::from_env(env);
        let directory = stage.config().working_dir.clone();
        if !directory.is_empty() {
            stage.config().working_dir = absolute("/", &directory);
        }
        Ok(stage)
    }

    /// Layers with what a source of files holds, for a stage to stand on.
    fn upon_scratch(&mut self, from: usize) -> usize {
        if self.vertices[from].op.is_step() {
            return from;
        }
        let scratch = self.share("scratch", || (Op::Scratch, String::new()));
        let op = Op::Copy(Copy {
            sources: vec![Source { input: 1, path: "/".into(), unpack: Unpack::Try }],
            destination: "/".into(),
            into: true,
            chown: None,
            chmod: None,
            link: false,
            parents: false,
            exclude: Vec::new(),
        });
        let name = self.vertices[from].name.clone();
        let inputs = vec![scratch, from];
        self.vertices.push(Vertex { op, inputs, name, fresh: false, lines: None });
        self.vertices.len() - 1
    }

    fn label(&self, number: usize) -> (String, bool) {
        let stage = &self.file.stages[number];
        let name = match &stage.name {
            Some(name) => name.clone(),
            None if self.file.stages.len() > 1 => format!("stage-{number}"),
            None => String::new(),
        };
        let filtered = self
            .request
            .no_cache_filter
            .iter()
            .any(|filter| filter.eq_ignore_ascii_case(&name) || *filter == number.to_string());
        let label = if name.is_empty() { name } else { format!("{name} ") };
        (label, self.request.no_cache || filtered)
    }

    /// What the base image wants done first.
    fn triggers(
        &self,
        stage: &mut Stage,
        lines: &RangeInclusive<usize>,
    ) -> Result<Vec<Located<Instruction>>, Error> {
        let triggers = stage.config().on_build.take().unwrap_or_default();
        let mut all = Vec::new();
        for trigger in triggers {
            let file =
                dockerfile::parse(&format!("FROM scratch\n{trigger}\n")).map_err(|error| {
                    Error::at(lines)(format!("ONBUILD {trigger}: {}", error.message))
                })?;
            let found = file.stages.into_iter().flat_map(|stage| stage.instructions);
            all.extend(found.map(|located| Located { lines: lines.clone(), ..located }));
        }
        stage.steps += count(&all);
        Ok(all)
    }

    fn dispatch(
        &mut self,
        stage: &mut Stage,
        instruction: &Located<Instruction>,
    ) -> Result<(), Error> {
        let at = Error::at(&instruction.lines);
        match &instruction.value {
            Instruction::Run(run) => self.run(stage, run, instruction),
            Instruction::Copy(copy) => self.copy(stage, copy, instruction, false),
            Instruction::Add(copy) => self.copy(stage, copy, instruction, true),
            Instruction::Workdir(path) => {
                let made = stage.workdir(path).map_err(at)?;
                if let Some(op) = made {
                    let inputs = vec![stage.vertex];
                    self.step(stage, op, inputs, instruction, &instruction.text)?;
                }
                let entry = Entry {
                    created_by: format!("WORKDIR {}", stage.directory()),
                    vertex: (stage.directory() != "/").then_some(stage.vertex),
                };
                stage.history.push(entry);
                Ok(())
            }
            other => stage.configure(other, &self.request.build_args, &self.globals).map_err(at),
        }
    }

    /// A step upon the stage; `text` is what progress shows of it.
    pub(super) fn step(
        &mut self,
        stage: &mut Stage,
        op: Op,
        inputs: Vec<usize>,
        instruction: &Located<Instruction>,
        text: &str,
    ) -> Result<(), Error> {
        stage.depth += 1;
        if let Op::Run(run) = &op {
            let size = |(name, value): &(String, String)| name.len() + value.len();
            self.variables += run.env.iter().map(size).sum::<usize>();
        }
        let too_many = if stage.depth > MOST_STEPS {
            Some(format!(
                "more than {MOST_STEPS} steps upon one another: no image has so many layers"
            ))
        } else if self.vertices.len() >= MOST_VERTICES {
            Some(format!("more than {MOST_VERTICES} steps"))
        } else if self.variables > MOST_VARIABLES {
            Some(format!(
                "the variables of all steps together have more than {MOST_VARIABLES} bytes"
            ))
        } else {
            None
        };
        if let Some(message) = too_many {
            return Err(Error::at(&instruction.lines)(message));
        }
        let name = stage.step_name(&stage.scope.shown(text));
        let lines = Some(instruction.lines.clone());
        self.vertices.push(Vertex { op, inputs, name, fresh: stage.fresh, lines });
        stage.vertex = self.vertices.len() - 1;
        Ok(())
    }

    /// What `--from` or a FROM names beside earlier stages.
    pub(super) fn source(
        &mut self,
        name: &str,
        lines: &RangeInclusive<usize>,
        platform: &Platform,
    ) -> Result<usize, Error> {
        if let Some(context) = self.request.contexts.get(name).cloned() {
            return self.context(name, &context, lines, platform);
        }
        if name == "scratch" {
            return Ok(self.share("scratch", || (Op::Scratch, String::new())));
        }
        if let Some(number) = self.find(name, self.file.stages.len()) {
            return Ok(self.stage(number)?.vertex);
        }
        if name.parse::<usize>().is_ok() {
            let message = format!("invalid stage index {name}");
            return Err(Error::at(lines)(message));
        }
        let wanted = Wanted { reference: name.to_owned(), platform: platform.clone() };
        self.known_image(wanted)
    }

    fn known_image(&mut self, wanted: Wanted) -> Result<usize, Error> {
        match self.images.get(&wanted) {
            Some(image) => {
                let image = image.clone();
                Ok(self.image(&wanted, &image, format!("FROM {}", full(&wanted.reference))))
            }
            None => Err(Error::Missing(BTreeSet::from([wanted]))),
        }
    }

    /// A context that `--build-context` names.
    fn context(
        &mut self,
        name: &str,
        context: &str,
        lines: &RangeInclusive<usize>,
        platform: &Platform,
    ) -> Result<usize, Error> {
        let (kind, rest) = context.split_once(':').unwrap_or((context, ""));
        match kind {
            "local" => Ok(self.local(name)),
            "docker-image" => self.known_image(Wanted {
                reference: rest.trim_start_matches('/').to_owned(),
                platform: platform.clone(),
            }),
            "http" | "https" if context.ends_with(".git") || context.contains(".git#") => {
                Ok(self.git(context, false, None))
            }
            "git" | "ssh" => Ok(self.git(context, false, None)),
            "http" | "https" => Ok(self.http(context, None)),
            _ => {
                let message = format!("unsupported context source {kind} for {name}");
                Err(Error::at(lines)(message))
            }
        }
    }

    pub(super) fn local(&mut self, name: &str) -> usize {
        let shown = match name {
            CONTEXT => "[internal] load build context".into(),
            name => format!("[context {name}] load from client"),
        };
        let op = Op::Context(Context { name: name.to_owned(), sources: Vec::new() });
        self.share(&format!("context {name}"), || (op, shown))
    }

    pub(super) fn http(&mut self, url: &str, checksum: Option<oci::Digest>) -> usize {
        let op = Op::Http(Http { url: url.to_owned(), checksum });
        self.share(&format!("{op:?}"), || (op, url.to_owned()))
    }

    pub(super) fn git(&mut self, url: &str, keep_git_dir: bool, checksum: Option<String>) -> usize {
        let op = Op::Git(Git { url: url.to_owned(), keep_git_dir, checksum });
        self.share(&format!("{op:?}"), || (op, format!("[git] load git source {url}")))
    }

    fn image(&mut self, wanted: &Wanted, image: &ImageConfig, name: String) -> usize {
        let op = Op::Image(Image {
            reference: wanted.reference.clone(),
            platform: wanted.platform.clone(),
            layers: image.rootfs.diff_ids.clone(),
        });
        self.share(&format!("image {wanted:?}"), || (op, name))
    }

    pub(super) fn share(&mut self, key: &str, make: impl FnOnce() -> (Op, String)) -> usize {
        if let Some(known) = self.shared.get(key) {
            return *known;
        }
        let (op, name) = make();
        let inputs = Vec::new();
        self.vertices.push(Vertex { op, inputs, name, fresh: false, lines: None });
        self.shared.insert(key.to_owned(), self.vertices.len() - 1);
        self.vertices.len() - 1
    }
}

/// Instructions that progress counts.
fn count(instructions: &[Located<Instruction>]) -> usize {
    let counts = |located: &&Located<Instruction>| {
        matches!(
            located.value,
            Instruction::Run(_)
                | Instruction::Copy(_)
                | Instruction::Add(_)
                | Instruction::Workdir(_)
        )
    };
    instructions.iter().filter(counts).count()
}

/// The names of stages, contexts and images that an instruction takes from.
fn sources(instruction: &Located<Instruction>) -> Vec<&str> {
    match &instruction.value {
        Instruction::Copy(copy) => copy.from.as_deref().into_iter().collect(),
        Instruction::Run(run) => {
            run.mounts.iter().filter_map(|mount| mount.from.as_deref()).collect()
        }
        _ => Vec::new(),
    }
}

/// With registry and tag, as progress shows an image.
fn full(reference: &str) -> String {
    match oci::Reference::parse(reference) {
        Ok(parsed) => parsed.tag_default().to_string(),
        Err(_) => reference.to_owned(),
    }
}
