//! The runners that one job of a workflow gets.

use std::collections::BTreeMap;

use serde_yaml_ng::Value;

use super::scalar;

/// The cells of a static matrix: a list of complete cells, or the product of lists.
pub(super) fn cells(body: &Value) -> Vec<BTreeMap<String, String>> {
    let Some(matrix) = body["strategy"]["matrix"].as_mapping() else { return vec![BTreeMap::new()] };
    let mut cells = vec![BTreeMap::new()];
    for (key, values) in matrix {
        let key = key.as_str().unwrap();
        if key == "include" {
            assert_eq!(matrix.len(), 1, "an include beside lists is not understood");
            return values
                .as_sequence()
                .unwrap()
                .iter()
                .map(|cell| {
                    let pairs = cell.as_mapping().unwrap().iter();
                    pairs.map(|(key, value)| (key.as_str().unwrap().to_owned(), scalar(value))).collect()
                })
                .collect();
        }
        let values = values.as_sequence().unwrap();
        cells = cells
            .iter()
            .flat_map(|cell: &BTreeMap<String, String>| {
                values.iter().map(move |value| {
                    let mut cell = cell.clone();
                    cell.insert(key.to_owned(), scalar(value));
                    cell
                })
            })
            .collect();
    }
    cells
}
