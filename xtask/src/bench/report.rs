//! The table of medians and the file of all numbers.

use std::fmt::Write;

use serde_json::{Value, json};

use super::work::{Metric, Unit};
use crate::Result;

#[derive(Default)]
pub(super) struct Report {
    figures: Vec<Figure>,
    failures: Vec<String>,
}

/// What was measured of one metric, by contestant in order of appearance.
struct Figure {
    title: &'static str,
    unit: Unit,
    budget: Option<f64>,
    samples: Vec<(String, Vec<f64>)>,
}

/// Our own names: what others are compared with.
const OURS: [&str; 2] = ["gantry", "gantry-runtime"];

impl Report {
    pub(super) fn note(&mut self, metric: &Metric, contestant: &str, value: f64) {
        let known = self.figures.iter().position(|figure| figure.title == metric.title);
        let index = known.unwrap_or_else(|| {
            let Metric { title, unit, budget } = *metric;
            self.figures.push(Figure { title, unit, budget, samples: Vec::new() });
            self.figures.len() - 1
        });
        let samples = &mut self.figures[index].samples;
        match samples.iter_mut().find(|(name, _)| name == contestant) {
            Some((_, values)) => values.push(value),
            None => samples.push((contestant.to_owned(), vec![value])),
        }
    }

    /// Remembers a failure; whether it was none.
    pub(super) fn check(&mut self, result: Result, contestant: &str, work: &str) -> bool {
        match result {
            Ok(()) => true,
            Err(error) => {
                self.failures.push(format!("{contestant}: {work}: {}", error.trim_end()));
                false
            }
        }
    }

    /// An error that lists what failed, if anything did.
    pub(super) fn complete(&self) -> Result {
        if self.failures.is_empty() {
            Ok(())
        } else {
            Err(format!("left out:\n{}", self.failures.join("\n")))
        }
    }

    /// For people: a block per metric, ours first, others with how many times as much they take.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        for figure in &self.figures {
            // Writing to a String cannot fail.
            let _ = figure.write(&mut text);
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        format!("{:#}\n", json!({ "figures": figures, "failures": self.failures }))
    }
}

impl Figure {
    fn ours(&self) -> Option<f64> {
        let (_, values) = self.samples.iter().find(|(name, _)| OURS.contains(&name.as_str()))?;
        Some(median(values))
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let budget = self.budget.map(|budget| format!("  (budget {})", show(budget, self.unit)));
        writeln!(text, "\n{}{}", self.title, budget.unwrap_or_default())?;
        let ours = self.ours();
        let (first, rest): (Vec<_>, Vec<_>) =
            self.samples.iter().partition(|(name, _)| OURS.contains(&name.as_str()));
        for (name, values) in first.into_iter().chain(rest) {
            let median = median(values);
            let remark = match ours {
                Some(_) if OURS.contains(&name.as_str()) => self.verdict(median),
                Some(ours) if ours > 0.0 => format!("{:.1} x", median / ours),
                _ => String::new(),
            };
            writeln!(text, "  {name:<18} {:>10}  {remark}", show(median, self.unit))?;
        }
        Ok(())
    }

    fn verdict(&self, median: f64) -> String {
        match self.budget {
            Some(budget) if median > budget => "over budget".into(),
            _ => String::new(),
        }
    }

    fn json(&self) -> Value {
        let contestants: serde_json::Map<String, Value> = self
            .samples
            .iter()
            .map(|(name, values)| {
                (name.clone(), json!({ "median": median(values), "values": values }))
            })
            .collect();
        let unit = match self.unit {
            Unit::Milliseconds => "ms",
            Unit::Megabytes => "MB",
            Unit::Processes => "processes",
        };
        json!({ "title": self.title, "unit": unit, "budget": self.budget, "contestants": contestants })
    }
}

fn show(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Milliseconds => format!("{value:.1} ms"),
        Unit::Megabytes => format!("{value:.2} MB"),
        Unit::Processes => format!("{value:.0}"),
    }
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRIC: Metric = Metric { title: "work", unit: Unit::Milliseconds, budget: Some(2.0) };

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn ours_come_first_and_others_are_compared() {
        let mut report = Report::default();
        report.note(&METRIC, "docker", 30.0);
        report.note(&METRIC, "gantry", 3.0);
        let expected = "\nwork  (budget 2.0 ms)\n  gantry                 3.0 ms  over budget\n  docker                30.0 ms  10.0 x\n";
        assert_eq!(report.table(), expected);
    }
}
