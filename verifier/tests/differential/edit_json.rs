//! Edits of a signed JSON text that a lenient reader might not notice.

use serde_json::Value;

use super::random::Random;

pub(crate) fn edit(text: &str, random: &mut Random) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    match random.below(7) {
        0 => serde_json::to_string_pretty(&value).ok(),
        1 => Some(format!(" {text}")),
        2 => Some(format!("{text}\n")),
        3 => {
            let object = value.as_object_mut()?;
            let mut backwards: Vec<_> = std::mem::take(object).into_iter().collect();
            backwards.reverse();
            object.extend(backwards);
            Some(value.to_string())
        }
        4 => {
            value.as_object_mut()?.insert("comment".into(), "x".into());
            Some(value.to_string())
        }
        _ => {
            let mut leaves = Vec::new();
            pointers(&value, String::new(), &mut leaves);
            let leaf = random.pick(&leaves).clone();
            change(value.pointer_mut(&leaf)?, random);
            Some(value.to_string())
        }
    }
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| pointers(value, format!("{at}/{key}"), found));
        }
        Value::Array(array) => {
            array.iter().enumerate().for_each(|(i, value)| pointers(value, format!("{at}/{i}"), found));
        }
        _ => found.push(at),
    }
}

fn change(leaf: &mut Value, random: &mut Random) {
    *leaf = match &*leaf {
        Value::Number(n) => n.as_u64().unwrap_or(0).wrapping_add(1).into(),
        Value::String(s) if s == "OutOfDate" => "UpToDate".into(),
        Value::String(s) if s.contains("SA-") => "INTEL-SA-00000".into(),
        Value::String(s) if random.below(2) == 0 => s.to_lowercase().into(),
        Value::String(s) => {
            let mut bytes = s.clone().into_bytes();
            if let Some(last) = bytes.last_mut() {
                *last = if *last == b'1' { b'2' } else { b'1' };
            }
            String::from_utf8(bytes).unwrap_or_default().into()
        }
        other => other.clone(),
    };
}
