//! The settings of a plugin as a table, from their JSON Schema.

use serde_json::Value;

use crate::show::Table;

/// How deep settings within settings are shown.
const DEPTH: usize = 4;

/// One row for each setting, those within others under their whole name, in the order of names.
pub(super) fn table(schema: &Value) -> String {
    let mut table = Table::new(&["SETTING", "TYPE", "DEFAULT", "WHAT IT IS"]);
    rows("", schema, DEPTH, &mut table);
    table.or("it has no settings")
}

fn rows(prefix: &str, schema: &Value, depth: usize, table: &mut Table) {
    let Some(within) = depth.checked_sub(1) else { return };
    let required = schema.get("required").and_then(Value::as_array);
    for (name, setting) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let needed = required.is_some_and(|names| names.iter().any(|it| it == name));
        table.row([path.clone(), type_of(setting), default_of(setting, needed), text(setting, "description")]);
        rows(&format!("{path}."), setting, within, table);
        if let Some(items) = setting.get("items") {
            rows(&format!("{path}[]."), items, within, table);
        }
    }
}

/// What stands for it when it is left out.
fn default_of(setting: &Value, needed: bool) -> String {
    match setting.get("default") {
        _ if needed => "required".to_owned(),
        Some(value) => value.to_string(),
        None => "none".to_owned(),
    }
}

/// Such as `integer, 0 to 9`, `list of "nvme" or "object"`, `object or null`.
fn type_of(setting: &Value) -> String {
    if let Some(choices) = choices(setting) {
        return choices;
    }
    let kind = match setting.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        Some(Value::String(kind)) if kind == "array" => match setting.get("items") {
            Some(items) => format!("list of {}", type_of(items)),
            None => "list".to_owned(),
        },
        Some(Value::String(kind)) => kind.clone(),
        _ => "any".to_owned(),
    };
    [kind, bounds(setting, "minimum", "maximum", ""), bounds(setting, "minLength", "maxLength", " characters")].concat()
}

/// The values or forms that it may have, if they are listed.
fn choices(setting: &Value) -> Option<String> {
    let listed = |name: &str| setting.get(name).and_then(Value::as_array);
    let each: Vec<String> = match (listed("enum"), listed("oneOf").or_else(|| listed("anyOf"))) {
        (Some(values), _) => values.iter().map(Value::to_string).collect(),
        (None, Some(forms)) => {
            forms.iter().map(|form| form.get("const").map_or_else(|| type_of(form), Value::to_string)).collect()
        }
        (None, None) => return setting.get("const").map(Value::to_string),
    };
    Some(each.join(" or "))
}

/// Such as `, 1 or more`; nothing without bounds.
fn bounds(setting: &Value, least: &str, most: &str, unit: &str) -> String {
    match (setting.get(least), setting.get(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) => format!(", {least} or more{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (None, None) => String::new(),
    }
}

fn text(setting: &Value, name: &str) -> String {
    setting.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_setting_is_a_row_with_its_type_default_and_words() {
        let best = json!({
            "type": ["object", "null"], "default": null, "description": "The best ones.", "required": ["metric"],
            "properties": {
                "metric": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Its\nname." },
                "mode": { "oneOf": [{ "const": "min" }, { "const": "max" }], "default": "min" },
            },
        });
        let schema = json!({
            "type": "object",
            "required": ["target"],
            "properties": {
                "best": best,
                "priority": { "type": "integer", "minimum": 0, "maximum": 9, "default": 5, "description": "Which first." },
                "target": { "type": "string", "description": "Where to." },
                "tiers": { "type": "array", "items": { "type": "string", "enum": ["nvme", "object"] }, "default": ["nvme"] },
            },
        });
        let expected = "\
SETTING      TYPE                        DEFAULT   WHAT IT IS
best         object or null              null      The best ones.
best.metric  string, 1 to 64 characters  required  Its name.
best.mode    \"min\" or \"max\"              \"min\"
priority     integer, 0 to 9             5         Which first.
target       string                      required  Where to.
tiers        list of \"nvme\" or \"object\"  [\"nvme\"]
";
        assert_eq!(table(&schema), expected);
    }

    #[test]
    fn a_schema_of_any_form_is_shown_and_an_endless_one_ends() {
        assert_eq!(table(&json!({ "type": "object" })), "it has no settings\n");
        let odd =
            json!({ "properties": { "a": true, "b": { "anyOf": [{ "type": "string" }, {}] }, "c": { "type": 3 } } });
        let shown = table(&odd);
        assert!(shown.contains("a        any"), "{shown}");
        assert!(shown.contains("b        string or any"), "{shown}");
        let deep = (0..30).fold(json!({}), |within, _| json!({ "properties": { "x": within } }));
        assert_eq!(table(&deep).lines().count(), 1 + DEPTH);
    }
}
