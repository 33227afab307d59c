//! "May I do this to a container that is doing that?": one pure function, asked before every verb.
//!
//! ```text
//!            create            start              exit, no restart
//!     (none) ------> created -------> running ---------------------> exited
//!                       |             |  ^  ^ \ exit, restart due      |
//!                       |       pause |  |   \ `--------> restarting --+ stop
//!                       |             v  | unpause `------------'      |
//!                       |            paused                            |
//!                       `------------------ remove --------------------'
//!                                             v
//!                                         removing --> (none), or dead when something could not be removed
//! ```

use api::containers::Status;

use crate::error::{Error, Kind};

/// What somebody asks a container to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Start,
    Stop,
    Kill,
    Pause,
    Unpause,
    Exec,
    Attach,
    Resize,
    Top,
    Update,
    Remove,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Proceed,
    /// It is already as wished.
    Nothing,
}

/// Who is asked: the words that Docker's refusals name a container by.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub id: &'a str,
    /// Without the leading slash.
    pub name: &'a str,
    pub status: Status,
}

/// The verdict on `action`, or the refusal in Docker's words.
pub fn may(action: Action, subject: Subject<'_>) -> Result<Verdict, Error> {
    match action {
        Action::Start => start(subject),
        Action::Stop => Ok(if is_up(subject.status) { Verdict::Proceed } else { Verdict::Nothing }),
        Action::Kill => kill(subject),
        Action::Pause => pause(subject),
        Action::Unpause => unpause(subject),
        Action::Exec => exec(subject),
        Action::Attach => attach(subject),
        Action::Resize => only_if_up(subject),
        Action::Top => only_if_settled(subject),
        Action::Update => update(subject),
        Action::Remove => remove(subject),
    }
}

/// True while the container has, or is about to have again, a process: what Docker calls running.
pub fn is_up(status: Status) -> bool {
    matches!(status, Status::Running | Status::Paused | Status::Restarting)
}

fn start(subject: Subject<'_>) -> Result<Verdict, Error> {
    match subject.status {
        Status::Created | Status::Exited | Status::Restarting => Ok(Verdict::Proceed),
        Status::Running => Ok(Verdict::Nothing),
        Status::Paused => {
            Err(Error::conflict("cannot start a paused container, try unpause instead"))
        }
        Status::Removing | Status::Dead => {
            Err(Error::conflict("container is marked for removal and cannot be started"))
        }
    }
}

fn kill(subject: Subject<'_>) -> Result<Verdict, Error> {
    if is_up(subject.status) {
        return Ok(Verdict::Proceed);
    }
    let refusal = not_running(subject);
    Err(Error::new(
        refusal.kind,
        format!("cannot kill container: {}: {}", subject.name, refusal.what),
    ))
}

fn pause(subject: Subject<'_>) -> Result<Verdict, Error> {
    match subject.status {
        Status::Running => Ok(Verdict::Proceed),
        Status::Paused => {
            Err(Error::conflict(format!("Container {} is already paused", subject.id)))
        }
        Status::Restarting => Err(restarting(subject)),
        _ => Err(not_running(subject)),
    }
}

/// Docker answers 500 here, and clients have come to expect it.
fn unpause(subject: Subject<'_>) -> Result<Verdict, Error> {
    match subject.status {
        Status::Paused => Ok(Verdict::Proceed),
        _ => Err(Error::new(Kind::System, format!("Container {} is not paused", subject.id))),
    }
}

fn exec(subject: Subject<'_>) -> Result<Verdict, Error> {
    match subject.status {
        Status::Running => Ok(Verdict::Proceed),
        Status::Paused => Err(Error::conflict(format!(
            "Container {} is paused, unpause the container before exec",
            subject.name
        ))),
        Status::Restarting => Err(restarting(subject)),
        _ => Err(not_running(subject)),
    }
}

/// A container that does not run may be attached to before it is started; after its end there is nothing to stream.
fn attach(subject: Subject<'_>) -> Result<Verdict, Error> {
    match subject.status {
        Status::Created | Status::Running => Ok(Verdict::Proceed),
        Status::Paused => Err(Error::conflict(format!(
            "container {} is paused, unpause the container before attach",
            subject.id
        ))),
        Status::Restarting => Err(Error::conflict(format!(
            "container {} is restarting, wait until the container is running",
            subject.id
        ))),
        Status::Exited | Status::Removing | Status::Dead => Ok(Verdict::Proceed),
    }
}

fn only_if_up(subject: Subject<'_>) -> Result<Verdict, Error> {
    if is_up(subject.status) { Ok(Verdict::Proceed) } else { Err(not_running(subject)) }
}

fn only_if_settled(subject: Subject<'_>) -> Result<Verdict, Error> {
    match subject.status {
        Status::Running | Status::Paused => Ok(Verdict::Proceed),
        Status::Restarting => Err(restarting(subject)),
        _ => Err(not_running(subject)),
    }
}

fn update(subject: Subject<'_>) -> Result<Verdict, Error> {
    match subject.status {
        Status::Removing | Status::Dead => Err(Error::conflict(format!(
            "Cannot update container {}: Container is marked for removal and cannot be \"update\".",
            subject.id
        ))),
        _ => Ok(Verdict::Proceed),
    }
}

/// Forced removal ends it first. A dead container may be removed again: that finishes what could not be removed before.
fn remove(subject: Subject<'_>) -> Result<Verdict, Error> {
    let (doing, remedy) = match subject.status {
        Status::Running => ("running", "stop the container before removing or force remove"),
        Status::Restarting => ("restarting", "stop the container before removing or force remove"),
        Status::Paused => {
            ("paused", "unpause and then stop the container before removing or force remove")
        }
        Status::Removing => {
            return Err(Error::conflict(format!(
                "removal of container {} is already in progress",
                subject.id
            )));
        }
        Status::Created | Status::Exited | Status::Dead => return Ok(Verdict::Proceed),
    };
    Err(Error::conflict(format!(
        "cannot remove container \"/{}\": container is {doing}: {remedy}",
        subject.name
    )))
}

fn not_running(subject: Subject<'_>) -> Error {
    Error::conflict(format!("container {} is not running", subject.id))
}

fn restarting(subject: Subject<'_>) -> Error {
    Error::conflict(format!(
        "Container {} is restarting, wait until the container is running",
        subject.id
    ))
}

#[cfg(test)]
mod tests {
    use super::Action::*;
    use super::*;

    fn ask(action: Action, status: Status) -> Result<Verdict, String> {
        may(action, Subject { id: "ab12", name: "web", status }).map_err(|error| error.to_string())
    }

    fn proceeds(action: Action) -> Vec<Status> {
        all().into_iter().filter(|status| ask(action, *status) == Ok(Verdict::Proceed)).collect()
    }

    fn all() -> [Status; 7] {
        use Status::*;
        [Created, Running, Paused, Restarting, Removing, Exited, Dead]
    }

    #[test]
    fn where_each_action_goes_ahead() {
        use Status::*;
        assert_eq!(proceeds(Start), [Created, Restarting, Exited]);
        assert_eq!(proceeds(Stop), [Running, Paused, Restarting]);
        assert_eq!(proceeds(Kill), [Running, Paused, Restarting]);
        assert_eq!(proceeds(Pause), [Running]);
        assert_eq!(proceeds(Unpause), [Paused]);
        assert_eq!(proceeds(Exec), [Running]);
        assert_eq!(proceeds(Attach), [Created, Running, Removing, Exited, Dead]);
        assert_eq!(proceeds(Resize), [Running, Paused, Restarting]);
        assert_eq!(proceeds(Top), [Running, Paused]);
        assert_eq!(proceeds(Update), [Created, Running, Paused, Restarting, Exited]);
        assert_eq!(proceeds(Remove), [Created, Exited, Dead]);
    }

    #[test]
    fn what_is_already_so_is_not_an_error() {
        assert_eq!(ask(Start, Status::Running), Ok(Verdict::Nothing));
        for down in [Status::Created, Status::Exited, Status::Dead] {
            assert_eq!(ask(Stop, down), Ok(Verdict::Nothing));
        }
    }

    #[test]
    fn refusals_are_worded_as_dockers() {
        let said = |action, status| ask(action, status).unwrap_err();
        assert_eq!(
            said(Start, Status::Paused),
            "cannot start a paused container, try unpause instead"
        );
        assert_eq!(
            said(Start, Status::Dead),
            "container is marked for removal and cannot be started"
        );
        assert_eq!(
            said(Kill, Status::Exited),
            "cannot kill container: web: container ab12 is not running"
        );
        assert_eq!(said(Pause, Status::Created), "container ab12 is not running");
        assert_eq!(said(Pause, Status::Paused), "Container ab12 is already paused");
        assert_eq!(said(Unpause, Status::Running), "Container ab12 is not paused");
        assert_eq!(
            said(Exec, Status::Paused),
            "Container web is paused, unpause the container before exec"
        );
        assert_eq!(
            said(Exec, Status::Restarting),
            "Container ab12 is restarting, wait until the container is running"
        );
        assert_eq!(
            said(Remove, Status::Running),
            "cannot remove container \"/web\": container is running: stop the container before removing or force remove"
        );
        assert_eq!(
            said(Remove, Status::Paused),
            "cannot remove container \"/web\": container is paused: unpause and then stop the container before removing or force remove"
        );
        assert_eq!(
            said(Remove, Status::Removing),
            "removal of container ab12 is already in progress"
        );
    }

    #[test]
    fn unpausing_what_is_not_paused_is_dockers_internal_error() {
        let subject = Subject { id: "a", name: "a", status: Status::Running };
        assert_eq!(may(Unpause, subject).unwrap_err().kind, Kind::System);
        assert_eq!(
            may(Pause, Subject { status: Status::Exited, ..subject }).unwrap_err().kind,
            Kind::Conflict
        );
    }
}
