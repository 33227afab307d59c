//! Templates at work, step by step as Go's `text/template/exec` takes them, and failing in its words.

mod pipeline;

use super::Format;
use super::methods;
use super::node::{Branch, Include, Node, Pipe, Place};
use super::print;
use super::value::{Data, Value};

/// An output longer than this is refused: nobody reads it.
pub(super) const LONGEST: usize = 64 << 20;
/// Templates and blocks inside one another. Go stops at 100000 templates, which takes a stack of its kind.
const DEEPEST: usize = 200;
/// Actions and texts run in all: seconds, where Go would go on for years.
const MOST_STEPS: usize = 10_000_000;

/// What a map's missing key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingKey {
    NoValue,
    Error,
}

/// What was printed before it went wrong, and what went wrong.
#[derive(Debug)]
pub struct Failed {
    pub printed: String,
    pub what: String,
}

impl From<Failed> for String {
    fn from(failed: Failed) -> Self {
        failed.what
    }
}

/// Runs the text itself.
pub(super) fn execute(
    format: &Format,
    missing_key: MissingKey,
    data: &Value,
) -> Result<String, Failed> {
    let Some(nodes) = format.templates.get("") else { return Ok(String::new()) };
    let variables = vec![("$", data.clone())];
    let (template, out) = ("", String::new());
    let mut run =
        Run { format, missing_key, template, variables, depth: 0, steps: 0, place: None, out };
    match run.list(data, nodes) {
        Ok(_) => Ok(run.out),
        Err(wrong) => Err(Failed { what: run.located(&wrong), printed: run.out }),
    }
}

struct Run<'a> {
    format: &'a Format,
    missing_key: MissingKey,
    /// The one that is run, by name.
    template: &'a str,
    variables: Vec<(&'a str, Value)>,
    depth: usize,
    steps: usize,
    /// What is evaluated, for messages.
    place: Option<&'a dyn Place>,
    out: String,
}

/// Whether a list was left by `break` or `continue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

type Evaluated<T = Value> = Result<T, String>;

impl<'a> Run<'a> {
    /// `template: :1:2: executing "" at <.X>: ...`
    fn located(&self, wrong: &str) -> String {
        let name = &self.format.name;
        let Some(place) = self.place else { return format!("template: {name}: {wrong}") };
        let before = &self.format.source[..place.at()];
        let column = before.rfind('\n').map_or(place.at(), |newline| place.at() - newline - 1);
        let line = 1 + before.matches('\n').count();
        let template = if self.template.is_empty() { name } else { self.template };
        format!("template: {name}:{line}:{column}: executing {template:?} at <{place}>: {wrong}")
    }

    fn list(&mut self, dot: &Value, nodes: &'a [Node]) -> Evaluated<Flow> {
        if self.depth == DEEPEST {
            return Err(format!("exceeded maximum template depth ({DEEPEST})"));
        }
        self.depth += 1;
        for node in nodes {
            self.step()?;
            let flow = self.node(dot, node)?;
            if self.out.len() > LONGEST {
                return Err(format!("the output is longer than {} MiB", LONGEST >> 20));
            }
            if flow != Flow::On {
                self.depth -= 1;
                return Ok(flow);
            }
        }
        self.depth -= 1;
        Ok(Flow::On)
    }

    fn step(&mut self) -> Evaluated<()> {
        self.steps += 1;
        match self.steps > MOST_STEPS {
            true => Err(format!("more than {MOST_STEPS} steps")),
            false => Ok(()),
        }
    }

    fn node(&mut self, dot: &Value, node: &'a Node) -> Evaluated<Flow> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.print(&value);
                }
            }
            Node::If(branch) | Node::With(branch) => {
                return self.scoped(|run| run.branch(dot, branch, matches!(node, Node::With(_))));
            }
            Node::Range(branch) => return self.scoped(|run| run.range(dot, branch)),
            Node::Template(include) => self.include(dot, include)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::End | Node::Else => {}
        }
        Ok(Flow::On)
    }

    /// Variables that are declared within end with it.
    fn scoped<T>(&mut self, part: impl FnOnce(&mut Self) -> Evaluated<T>) -> Evaluated<T> {
        let in_scope = self.variables.len();
        let result = part(self)?;
        self.variables.truncate(in_scope);
        Ok(result)
    }

    fn print(&mut self, value: &Value) {
        let shown = value.behind_pointers();
        match shown.data {
            Data::Missing if !value.in_interface => self.out.push_str("<no value>"),
            _ => self.out.push_str(&print::sprint(&[shown])),
        }
    }

    fn branch(&mut self, dot: &Value, branch: &'a Branch, moves_dot: bool) -> Evaluated<Flow> {
        let value = self.pipe(dot, &branch.pipe)?;
        match (value.is_true(), moves_dot) {
            (true, true) => self.list(&value, &branch.then),
            (true, false) => self.list(dot, &branch.then),
            (false, _) => self.list(dot, &branch.otherwise),
        }
    }

    fn range(&mut self, dot: &Value, branch: &'a Branch) -> Evaluated<Flow> {
        let over = self.pipe(dot, &branch.pipe)?.behind_pointers();
        let in_scope = self.variables.len();
        let mut any = false;
        let mut once = |run: &mut Self, index: Value, item: Value| {
            any = true;
            run.step()?;
            run.set_loop_variables(&branch.pipe, index, &item)?;
            let flow = run.list(&item, &branch.then)?;
            run.variables.truncate(in_scope);
            Ok::<_, String>(flow != Flow::Break)
        };
        match &over.data {
            Data::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if !once(self, (index as i64).into(), item.clone())? {
                        break;
                    }
                }
            }
            Data::Map(map) => {
                for (key, item) in map.iter() {
                    if !once(self, methods::key(&over, key), item.clone())? {
                        break;
                    }
                }
            }
            Data::Int(_) if branch.pipe.variables.len() > 1 => {
                let shown = print::sprint(&[over]);
                return Err(format!("can't use {shown} to iterate over more than one variable"));
            }
            Data::Int(end) => {
                for number in 0..*end {
                    let number = Value::new(over.kind.clone(), Data::Int(number));
                    if !once(self, Value::missing(), number)? {
                        break;
                    }
                }
            }
            Data::Missing | Data::Nil => {}
            _ => return Err(format!("range can't iterate over {}", print::sprint(&[over]))),
        }
        if any { Ok(Flow::On) } else { self.list(dot, &branch.otherwise) }
    }

    /// With one variable it is the item, with two the first is the index.
    fn set_loop_variables(&mut self, pipe: &'a Pipe, index: Value, item: &Value) -> Evaluated<()> {
        let values = match pipe.variables.len() {
            0 => vec![],
            1 => vec![item.clone()],
            _ => vec![index, item.clone()],
        };
        // The pipeline itself has declared them.
        let declared = self.variables.len() - if pipe.assigns { 0 } else { pipe.variables.len() };
        for (nth, (name, value)) in pipe.variables.iter().zip(values).enumerate() {
            match pipe.assigns {
                true => self.assign(name, value)?,
                false => self.variables[declared + nth].1 = value,
            }
        }
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Value) -> Evaluated<()> {
        let variable = self.variables.iter_mut().rev().find(|(known, _)| *known == name);
        variable.ok_or_else(|| format!("undefined variable: {name}"))?.1 = value;
        Ok(())
    }

    fn include(&mut self, dot: &Value, include: &'a Include) -> Evaluated<()> {
        self.place = Some(include);
        let Some((name, nodes)) = self.format.templates.get_key_value(&include.name) else {
            return Err(format!("template {:?} not defined", include.name));
        };
        let dot = match &include.pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::missing(),
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let template = std::mem::replace(&mut self.template, name);
        self.place = Some(include);
        self.list(&dot, nodes)?;
        self.template = template;
        self.variables = outer;
        Ok(())
    }
}
