//! The same three-way merge on plain values, without a byte of text: what the woven text must mean.

use super::align::{Alignment, Anchor};
use super::pins::{self, Choice};
use super::values::{Shape, Value};

/// `None` where both sides changed the same thing in ways that don't go together.
pub(super) fn expect(path: &[&str], base: Option<&Value>, ours: &Value, theirs: &Value) -> Option<Value> {
    let all: Vec<&Value> = base.into_iter().chain([ours, theirs]).collect();
    if let (Some("uses"), true) = (path.last().copied(), all.iter().all(|value| matches!(value, Value::Text(_)))) {
        return match pins::choose(base.map(Value::text), ours.text(), theirs.text()) {
            Choice::Ours(_) => Some(ours.clone()),
            Choice::Theirs(_) => Some(theirs.clone()),
            Choice::Neither => None,
        };
    }
    if all.iter().all(|value| matches!(value, Value::Map(_))) {
        return map(path, base.map_or(&[], Value::entries), ours, theirs);
    }
    if Shape::at(path) != Shape::Choice && all.iter().all(|value| matches!(value, Value::List(_))) {
        return list(path, base.map_or(&[], Value::items), ours, theirs);
    }
    if ours.means(theirs) || base.is_some_and(|base| base.means(ours)) {
        return Some(theirs.clone());
    }
    let base = base?;
    if base.means(theirs) {
        return Some(ours.clone());
    }
    match (base, ours, theirs) {
        (Value::Text(base), Value::Text(ours), Value::Text(theirs)) if base.contains('\n') => {
            lines(base, ours, theirs).map(Value::Text)
        }
        _ => None,
    }
}

fn map(path: &[&str], base: &[(String, Value)], ours: &Value, theirs: &Value) -> Option<Value> {
    let old = |key: &str| base.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    let mut merged = Vec::new();
    for (key, value) in theirs.entries() {
        let below: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
        match (old(key), ours.get(key)) {
            (base, Some(ours)) => merged.push((key.clone(), expect(&below, base, ours, value)?)),
            (Some(base), None) if !base.unpinned().means(&value.unpinned()) => return None,
            (Some(_), None) => {}
            (None, None) => merged.push((key.clone(), value.clone())),
        }
    }
    for (key, value) in ours.entries().iter().filter(|(key, _)| old(key).is_none() && theirs.get(key).is_none()) {
        merged.push((key.clone(), value.clone()));
    }
    Some(Value::Map(merged))
}

fn list(path: &[&str], base: &[Value], ours: &Value, theirs: &Value) -> Option<Value> {
    let below: Vec<&str> = path.iter().copied().chain(["-"]).collect();
    let alignment = Alignment::of(base, ours.items(), theirs.items());
    if alignment.both_replace {
        return None;
    }
    if alignment.we_reorder {
        return Value::List(base.to_vec()).means(theirs).then(|| ours.clone());
    }
    // Each with what is written behind it.
    let mut merged: Vec<(Option<Value>, Vec<Value>)> = Vec::new();
    for (item, pair) in theirs.items().iter().zip(&alignment.theirs) {
        let kept = match *pair {
            (at, Some(our)) => Some(expect(&below, at.map(|at| &base[at]), &ours.items()[our], item)?),
            (Some(at), None) if !base[at].unpinned().means(&item.unpinned()) => return None,
            (Some(_), None) => None,
            (None, None) => Some(item.clone()),
        };
        merged.push((kept, Vec::new()));
    }
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    let mut before: Vec<Vec<Value>> = vec![Vec::new(); merged.len()];
    for at in alignment.added() {
        let value = ours.items()[at].clone();
        match alignment.anchor(at) {
            Anchor::After(their) => merged[their].1.push(value),
            Anchor::Before(their) => before[their].push(value),
            Anchor::End if merged.is_empty() => first.push(value),
            Anchor::End => rest.push(value),
        }
    }
    let mut items = first;
    for ((kept, behind), before) in merged.into_iter().zip(before) {
        items.extend(before);
        items.extend(kept);
        items.extend(behind);
    }
    items.extend(rest);
    Some(if Shape::at(path) == Shape::AsWritten { Value::List(items) } else { Value::List(items).shaped(path) })
}

/// A script that both sides changed, line by line.
pub(super) fn lines(base: &str, ours: &str, theirs: &str) -> Option<String> {
    diffy::merge(base, ours, theirs).ok()
}
