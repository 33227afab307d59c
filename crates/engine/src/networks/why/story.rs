//! What has been found out, in order.

use api::networks::ExplanationStep;

#[derive(Default)]
pub(super) struct Story {
    pub(super) steps: Vec<ExplanationStep>,
}

impl Story {
    pub(super) fn pass(&mut self, subject: &str, text: String) {
        self.add(subject, "pass", text);
    }

    /// The packet gets no further, for certain.
    pub(super) fn block(&mut self, subject: &str, text: String) {
        self.add(subject, "block", text);
    }

    /// Something that cannot be told may stop it.
    pub(super) fn doubt(&mut self, subject: &str, text: String) {
        self.add(subject, "maybe", text);
    }

    pub(super) fn note(&mut self, subject: &str, text: String) {
        self.add(subject, "note", text);
    }

    pub(super) fn verdict(&self) -> &'static str {
        let has = |verdict| self.steps.iter().any(|step| step.verdict == verdict);
        match (has("block"), has("maybe")) {
            (true, _) => "unreachable",
            (false, true) => "uncertain",
            (false, false) => "reachable",
        }
    }

    fn add(&mut self, subject: &str, verdict: &str, text: String) {
        let step = ExplanationStep { subject: subject.into(), verdict: verdict.into(), text };
        // Two hooks of one table may say the same.
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_obstacle_decides_and_one_that_may_be_leaves_it_open() {
        let mut story = Story::default();
        story.pass("mapping", "there".into());
        assert_eq!(story.verdict(), "reachable");
        story.doubt("forward", "a rate".into());
        story.note("mapping", "and so on".into());
        assert_eq!(story.verdict(), "uncertain");
        story.block("listener", "nobody".into());
        story.block("listener", "nobody".into());
        assert_eq!((story.verdict(), story.steps.len()), ("unreachable", 4));
    }
}
