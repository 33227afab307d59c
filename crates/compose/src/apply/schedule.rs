//! Steps as soon as what they wait for is done.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::{Error, Result};
use crate::plan::{Action, Plan};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    /// It failed, or waits for one that did.
    Lost,
}

/// Runs a plan's steps; returns what failed, in the order in which it did.
pub(super) async fn run<'a, F>(
    plan: &'a Plan,
    most: Option<usize>,
    perform: impl Fn(&'a Action) -> F,
) -> Vec<Error>
where
    F: Future<Output = Result> + 'a,
{
    let mut states = vec![State::Waiting; plan.steps.len()];
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let mut failures = Vec::new();
    loop {
        lose_those_behind(plan, &mut states);
        for at in ready(plan, &states) {
            if most.is_some_and(|most| running.len() >= most.max(1)) {
                break;
            }
            states[at] = State::Running;
            running.push((at, Box::pin(perform(&plan.steps[at].action))));
        }
        if running.is_empty() {
            return failures;
        }
        let (at, result) = next(&mut running).await;
        states[at] = if result.is_ok() { State::Done } else { State::Lost };
        failures.extend(result.err());
    }
}

fn ready(plan: &Plan, states: &[State]) -> Vec<usize> {
    let is_ready = |at: &usize| {
        states[*at] == State::Waiting
            && plan.steps[*at].after.iter().all(|before| states[*before] == State::Done)
    };
    (0..states.len()).filter(is_ready).collect()
}

fn lose_those_behind(plan: &Plan, states: &mut [State]) {
    for at in 0..states.len() {
        let is_behind = plan.steps[at].after.iter().any(|before| states[*before] == State::Lost);
        if states[at] == State::Waiting && is_behind {
            states[at] = State::Lost;
        }
    }
}

/// The first of several that ends, taken out.
async fn next<T, F: Future<Output = T>>(running: &mut Vec<(usize, Pin<Box<F>>)>) -> (usize, T) {
    poll_fn(|context| {
        for place in 0..running.len() {
            if let Poll::Ready(result) = running[place].1.as_mut().poll(context) {
                let (at, _) = running.swap_remove(place);
                return Poll::Ready((at, result));
            }
        }
        Poll::Pending
    })
    .await
}

/// What the first of several that ends comes to; the others are given up.
pub async fn first<T, F: Future<Output = T>>(work: impl IntoIterator<Item = F>) -> Option<T> {
    let mut running: Vec<(usize, Pin<Box<F>>)> =
        work.into_iter().enumerate().map(|(at, future)| (at, Box::pin(future))).collect();
    if running.is_empty() {
        return None;
    }
    Some(next(&mut running).await.1)
}

/// All of several at once; their results in their order.
pub async fn all<T, F: Future<Output = T>>(work: impl IntoIterator<Item = F>) -> Vec<T> {
    let mut running: Vec<(usize, Pin<Box<F>>)> =
        work.into_iter().enumerate().map(|(at, future)| (at, Box::pin(future))).collect();
    let mut results = Vec::new();
    while !running.is_empty() {
        results.push(next(&mut running).await);
    }
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::plan::Step;

    fn plan(steps: &[&[usize]]) -> Plan {
        let step = |(at, after): (usize, &&[usize])| Step {
            action: Action::Leave { name: at.to_string(), runs: true },
            reason: "",
            after: after.to_vec(),
        };
        Plan { steps: steps.iter().enumerate().map(step).collect(), orphans: vec![] }
    }

    /// Runs a plan in which some steps fail; in what order they began.
    fn order(plan: &Plan, failing: &[&str]) -> (Vec<String>, usize) {
        let begun = RefCell::new(Vec::new());
        let perform = |action: &Action| {
            let Action::Leave { name, .. } = action else { unreachable!("a plan of names") };
            begun.borrow_mut().push(name.clone());
            let fails = failing.contains(&name.as_str());
            async move { if fails { Err(Error::Failed("no".to_owned())) } else { Ok(()) } }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let failures = runtime.block_on(run(plan, None, perform));
        (begun.into_inner(), failures.len())
    }

    #[test]
    fn a_step_begins_when_all_before_it_are_done() {
        let (order, failures) = order(&plan(&[&[], &[0], &[], &[1, 2]]), &[]);
        assert_eq!((order.join(""), failures), ("0213".to_owned(), 0));
    }

    #[test]
    fn a_failure_takes_only_those_with_it_that_wait_for_it() {
        let (order, failures) = order(&plan(&[&[], &[0], &[1], &[], &[3]]), &["0"]);
        assert_eq!((order.join(""), failures), ("034".to_owned(), 1));
    }
}
