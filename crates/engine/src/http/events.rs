//! GET /events: what was kept since a time, then what happens until another.

use std::time::Duration;

use api::version::ForVersion;
use api::{Version, events as wire};
use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;

use super::query::not_a_number;
use super::{Body, BodyWriter, Call, Response, Router};
use crate::error::{Error, Result};
use crate::events::{Event, Filter, Kind, Listener};

pub fn routes(router: &mut Router) {
    router.get("/events", events);
}

async fn events(call: Call) -> Result<Response> {
    let since = time(call.query.get("since"))?;
    let until = time(call.query.get("until"))?;
    if let (Some(since), Some(until)) = (since, until)
        && until < since
    {
        return Err(Error::invalid(format!(
            "`since` time ({}) cannot be after `until` time ({})",
            call.query.get("since"),
            call.query.get("until")
        )));
    }
    let filter = Filter::new(api::Filters::parse(call.query.get("filters"))?);
    let events = &call.engine.events;
    // Docker replays only if asked to: `until` alone waits.
    let listener = if since.is_some() { events.listen_to_all() } else { events.listen() };
    let (writer, body) = Body::stream();
    let form = Form::asked(&call);
    let wanted = Wanted { since, until, filter, version: call.version, form };
    tokio::spawn(write(wanted, listener, writer));
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form.name()));
    Ok(response)
}

/// How documents are strung together; from 1.52 on the client chooses.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Called JSON, though each line is a document.
    Json,
    NdJson,
    JsonLines,
    /// RFC 7464: each document after a record separator.
    Sequence,
}

impl Form {
    const CHOICE: [(Self, u16); 3] =
        [(Self::NdJson, 52), (Self::JsonLines, 53), (Self::Sequence, 52)];

    fn asked(call: &Call) -> Self {
        let accepted = call.head.headers.get_all(ACCEPT).iter();
        let accepted = accepted.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        let mut names = accepted.map(|name| name.split(';').next().unwrap_or("").trim());
        let known = |name: &str| {
            let choice = Self::CHOICE.iter().find(|(form, _)| form.name() == name);
            choice.filter(|(_, since)| call.version >= Version::v1(*since)).map(|(form, _)| *form)
        };
        names.find_map(known).unwrap_or(Self::Json)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
            Self::JsonLines => "application/jsonl",
            Self::Sequence => "application/json-seq",
        }
    }
}

struct Wanted {
    /// Unix time in nanoseconds.
    since: Option<i64>,
    until: Option<i64>,
    filter: Filter,
    version: Version,
    form: Form,
}

async fn write(wanted: Wanted, mut listener: Listener, writer: BodyWriter) {
    let mut end = std::pin::pin!(wait_until(wanted.until));
    let mut ready = listener.ready();
    loop {
        for event in ready.iter().filter(|event| wanted.includes(event)) {
            if writer.send(line(event, wanted.version, wanted.form)).await.is_err() {
                return;
            }
        }
        ready = tokio::select! {
            biased;
            () = &mut end => return,
            () = writer.closed() => return,
            events = listener.next() => events,
        };
    }
}

impl Wanted {
    fn includes(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.time >= since)
            && self.until.is_none_or(|until| event.time <= until)
            && self.filter.matches(event)
    }
}

async fn wait_until(until: Option<i64>) {
    let Some(until) = until else { return std::future::pending().await };
    let left = i128::from(until) - Timestamp::now().as_nanosecond();
    tokio::time::sleep(Duration::from_nanos(u64::try_from(left).unwrap_or(0))).await;
}

/// Unix seconds with an optional fraction; `None` for an empty text.
fn time(text: &str) -> Result<Option<i64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = |part: &str| Error::system(not_a_number("ParseInt", part));
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds: i64 = seconds.parse().map_err(|_| invalid(seconds))?;
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(fraction));
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().map_err(|_| invalid(fraction))?;
    Ok(Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)))
}

fn line(event: &Event, version: Version, form: Form) -> Bytes {
    let mut message = message(event);
    message.for_version(version);
    let mut line = if form == Form::Sequence { vec![0x1e] } else { Vec::new() };
    serde_json::to_writer(&mut line, &message).expect("wire types serialise");
    line.push(b'\n');
    line.into()
}

fn message(event: &Event) -> wire::Message {
    let legacy = matches!(event.kind, Kind::Container | Kind::Image).then(|| wire::Legacy {
        status: event.action.clone(),
        id: event.id.clone(),
        from: match event.kind {
            Kind::Container => event.attributes.get("image").cloned().unwrap_or_default(),
            _ => String::new(),
        },
    });
    wire::Message {
        legacy,
        kind: event.kind.as_str().into(),
        action: event.action.clone(),
        actor: wire::Actor { id: event.id.clone(), attributes: Some(event.attributes.clone()) },
        scope: "local".into(),
        time: event.time.div_euclid(1_000_000_000),
        time_nano: event.time,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn times_have_fractions_of_up_to_nine_digits() {
        assert_eq!(time("").unwrap(), None);
        assert_eq!(time("5").unwrap(), Some(5_000_000_000));
        assert_eq!(time("5.25").unwrap(), Some(5_250_000_000));
        assert_eq!(time("5.000000001").unwrap(), Some(5_000_000_001));
        for wrong in ["foo", "5.", "5.0000000001", "5.x", ".5"] {
            assert!(time(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_event_as_each_version_has_it() {
        let attributes = [("image", "busybox"), ("name", "web")];
        let event = Event {
            sequence: 1,
            time: 1_700_000_000_000_000_001,
            kind: Kind::Container,
            action: "start".into(),
            id: "0123".into(),
            attributes: attributes.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        };
        let text =
            |minor| String::from_utf8(line(&event, Version::v1(minor), Form::Json).into()).unwrap();
        expect![[r#"
            {"status":"start","id":"0123","from":"busybox","Type":"container","Action":"start","Actor":{"ID":"0123","Attributes":{"image":"busybox","name":"web"}},"scope":"local","time":1700000000,"timeNano":1700000000000000001}
        "#]]
        .assert_eq(&text(51));
        expect![[r#"
            {"Type":"container","Action":"start","Actor":{"ID":"0123","Attributes":{"image":"busybox","name":"web"}},"scope":"local","time":1700000000,"timeNano":1700000000000000001}
        "#]]
        .assert_eq(&text(52));
    }
}
