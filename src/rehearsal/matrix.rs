//! One job for every combination of its matrix, as GitHub multiplies, excludes and includes them.

use serde_json::{Map, Value};

use super::scope::{Gap, Scope};
use super::workflow::{Axis, Matrix};

/// One combination: the `matrix` context of one job.
pub type Combination = Map<String, Value>;

/// The combinations of a matrix; one empty one without a matrix.
///
/// # Errors
/// `Gap`, when the matrix is computed from what a rehearsal lacks or does not know.
pub fn combinations(matrix: &Matrix, scope: &Scope) -> Result<Vec<Combination>, Gap> {
    let mut axes: Vec<(String, Vec<Value>)> = Vec::new();
    let mut include = Vec::new();
    let mut exclude = Vec::new();
    if let Some(whole) = &matrix.whole {
        let Value::Object(computed) = scope.fill(whole)? else {
            return Err(Gap::Unknown("the matrix is no mapping".into()));
        };
        for (name, values) in computed {
            let Value::Array(values) = values else {
                return Err(Gap::Unknown(format!("`{name}` of the matrix is no list")));
            };
            match name.as_str() {
                "include" => include = values,
                "exclude" => exclude = values,
                _ => axes.push((name, values)),
            }
        }
    }
    for (name, axis) in &matrix.axes {
        axes.push((name.clone(), values(name, axis, scope)?));
    }
    if let Some(axis) = &matrix.include {
        include = values("include", axis, scope)?;
    }
    if let Some(axis) = &matrix.exclude {
        exclude = values("exclude", axis, scope)?;
    }
    if axes.is_empty() && include.is_empty() {
        return Ok(vec![Combination::new()]);
    }
    Ok(multiply(&axes, &objects(include)?, &objects(exclude)?))
}

fn values(name: &str, axis: &Axis, scope: &Scope) -> Result<Vec<Value>, Gap> {
    let computed = match axis {
        Axis::Listed(values) => return Ok(values.clone()),
        Axis::Computed(template) => scope.fill(template)?,
    };
    match computed {
        Value::Array(values) => Ok(values),
        _ => Err(Gap::Unknown(format!("`{name}` of the matrix is no list"))),
    }
}

fn objects(values: Vec<Value>) -> Result<Vec<Combination>, Gap> {
    let object = |value| match value {
        Value::Object(object) => Ok(object),
        _ => Err(Gap::Unknown("an entry of the matrix is no mapping".into())),
    };
    values.into_iter().map(object).collect()
}

fn multiply(axes: &[(String, Vec<Value>)], include: &[Combination], exclude: &[Combination]) -> Vec<Combination> {
    let mut product = if axes.is_empty() { Vec::new() } else { vec![Combination::new()] };
    for (name, values) in axes {
        let with = |base: &Combination, value: &Value| {
            let mut longer = base.clone();
            longer.insert(name.clone(), value.clone());
            longer
        };
        product = product.iter().flat_map(|base| values.iter().map(|value| with(base, value))).collect();
    }
    product
        .retain(|one| !exclude.iter().any(|pattern| pattern.iter().all(|(name, value)| one.get(name) == Some(value))));
    // An entry joins every combination whose axes it leaves as they are; one that joins none is a combination itself.
    let originals = product.clone();
    for entry in include {
        let mut joined = false;
        for (one, original) in product.iter_mut().zip(&originals) {
            if entry.iter().all(|(name, value)| original.get(name).is_none_or(|there| there == value)) {
                one.extend(entry.clone());
                joined = true;
            }
        }
        if !joined {
            product.push(entry.clone());
        }
    }
    product
}
