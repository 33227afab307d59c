//! Comparisons, in Go's manner: only what has the same basic kind compares.

use std::cmp::Ordering;

use super::print;
use super::value::{Data, Shape, Value};

type Result = std::result::Result<bool, String>;

/// Whether the value equals any of the others.
pub(super) fn eq(value: &Value, others: &[Value]) -> Result {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equal(value, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value) -> Result {
    if let Some(order) = basic(a, b) {
        return Ok(order == Some(Ordering::Equal));
    }
    if is_basic(a) || is_basic(b) {
        return match a.is_missing() || b.is_missing() {
            true => Ok(false),
            false => Err("incompatible types for comparison".to_owned()),
        };
    }
    let nil = |value: &Value| matches!(value.data, Data::Missing | Data::Nil);
    if nil(a) || nil(b) {
        return Ok(nil(a) && nil(b));
    }
    if !matches!(b.kind.shape, Shape::Pointer(_) | Shape::Struct(_)) {
        return Err(format!(
            "non-comparable type {}: {}",
            print::sprint(std::slice::from_ref(b)),
            b.kind
        ));
    }
    Ok(a.json() == b.json())
}

pub(super) fn lt(a: &Value, b: &Value) -> Result {
    match basic(a, b) {
        Some(_) if matches!(a.data, Data::Bool(_)) => Err("invalid type for comparison".to_owned()),
        Some(order) => Ok(order == Some(Ordering::Less)),
        None if is_basic(a) && is_basic(b) => Err("incompatible types for comparison".to_owned()),
        None => Err("invalid type for comparison".to_owned()),
    }
}

pub(super) fn le(a: &Value, b: &Value) -> Result {
    Ok(lt(a, b)? || equal(a, b)?)
}

fn is_basic(value: &Value) -> bool {
    matches!(value.data, Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::Text(_))
}

/// The order of two values of one basic kind; NaN has none.
fn basic(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    match (&a.data, &b.data) {
        (Data::Bool(a), Data::Bool(b)) => Some(Some(a.cmp(b))),
        (Data::Int(a), Data::Int(b)) => Some(Some(a.cmp(b))),
        (Data::Float(a), Data::Float(b)) => Some(a.partial_cmp(b)),
        (Data::Text(a), Data::Text(b)) => Some(Some(a.cmp(b))),
        _ => None,
    }
}
