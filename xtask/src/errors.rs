//! Writes the error table's generated forms from `core/errors.toml`.

use crate::Failure;
use crate::process::create_folder;
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Deserialize)]
struct Table {
    status: Vec<Status>,
    detail: Vec<Detail>,
}

#[derive(Deserialize)]
struct Status {
    name: String,
    code: i32,
    doc: String,
}

#[derive(Deserialize)]
struct Detail {
    id: String,
    status: String,
    doc: String,
}

/// Writes the generated files.
pub(crate) fn write(root: &Path) -> Result<(), Failure> {
    for (path, content) in generate(root)? {
        let file = root.join(path);
        if let Some(folder) = file.parent() {
            create_folder(folder)?;
        }
        std::fs::write(&file, content).map_err(|e| format!("{path}: {e}"))?;
        println!("wrote {path}");
    }
    Ok(())
}

/// Fails if a generated file is not what the table makes of it now.
pub(crate) fn check_current(root: &Path) -> Result<(), Failure> {
    for (path, content) in generate(root)? {
        if std::fs::read_to_string(root.join(path)).ok().as_deref() != Some(content.as_str()) {
            return Err(format!("{path} is not up to date: run `cargo xtask errors`"));
        }
        println!("{path} is up to date");
    }
    Ok(())
}

/// The generated files as (path below the project, content).
fn generate(root: &Path) -> Result<Vec<(&'static str, String)>, Failure> {
    let source = root.join("core/errors.toml");
    let text =
        std::fs::read_to_string(&source).map_err(|e| format!("{}: {e}", source.display()))?;
    let table: Table = toml::from_str(&text).map_err(|e| format!("{}: {e}", source.display()))?;
    check(&table)?;
    Ok(vec![
        ("core/src/error/table.rs", rust(&table)),
        ("capi/src/status.rs", c_codes(&table)),
        ("docs/reference/errors.md", markdown(&table)),
    ])
}

fn check(table: &Table) -> Result<(), Failure> {
    let mut codes = std::collections::HashSet::new();
    let mut ids = std::collections::HashSet::new();
    for status in &table.status {
        if !codes.insert(status.code) || status.code >= 0 {
            return Err(format!(
                "status {}: code {} is taken or not negative",
                status.name, status.code
            ));
        }
    }
    for detail in &table.detail {
        if !ids.insert(&detail.id) {
            return Err(format!("detail {} is there twice", detail.id));
        }
        if !table.status.iter().any(|s| s.name == detail.status) {
            return Err(format!("detail {}: no status {}", detail.id, detail.status));
        }
    }
    Ok(())
}

fn constant(id: &str) -> String {
    id.replace('.', "_").to_uppercase()
}

fn rust(table: &Table) -> String {
    let mut out = String::from(
        "// Generated from core/errors.toml by `cargo xtask errors`; do not edit.\n\n\
         /// Coarse class of a failure. Callers must treat values they don't know as a plain failure.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]\n#[non_exhaustive]\n#[repr(i32)]\npub enum Status {\n",
    );
    for s in &table.status {
        let _ = writeln!(out, "    /// {}\n    {} = {},", s.doc, s.name, s.code);
    }
    out.push_str("}\n\nimpl Status {\n    /// Its stable name.\n    pub fn name(self) -> &'static str {\n        match self {\n");
    for s in &table.status {
        let _ = writeln!(out, "            Self::{0} => \"{0}\",", s.name);
    }
    out.push_str("        }\n    }\n\n    /// Its stable number.\n    pub fn code(self) -> i32 {\n        self as i32\n    }\n}\n\n");
    out.push_str("/// Every detail id.\npub mod detail {\n    use super::super::Detail;\n    use super::Status;\n");
    for d in &table.detail {
        let left = format!("    pub const {}: Detail =", constant(&d.id));
        let right = format!("Detail {{ id: \"{}\", status: Status::{} }};", d.id, d.status);
        // As rustfmt would break it.
        let fits = left.len() + 1 + right.len() <= 100;
        let between = if fits { " " } else { "\n        " };
        let _ = writeln!(out, "\n    /// {}\n{left}{between}{right}", d.doc);
    }
    out.push_str(
        "\n    /// All of them, in the order of the table.\n    pub const ALL: &[Detail] = &[\n",
    );
    for d in &table.detail {
        let _ = writeln!(out, "        {},", constant(&d.id));
    }
    out.push_str("    ];\n}\n");
    out
}

/// The status codes as constants of the C header. `Full` is no failure there but an answer.
fn c_codes(table: &Table) -> String {
    let mut out = String::from(
        "//! Status codes of failures.\n\
         // Generated from core/errors.toml by `cargo xtask errors`; do not edit.\n\n\
         use std::ffi::CStr;\n",
    );
    let failures = || table.status.iter().filter(|s| s.name != "Full");
    for Status { name, code, doc } in failures() {
        let name = upper_snake(name);
        let _ = write!(out, "\n/// {doc}\npub const RMEDIA_E_{name}: i32 = {code};");
    }
    out.push_str(
        "\n\n/// Name of a failure's status.\n\
         pub(crate) fn status_name(status: i32) -> &'static CStr {\n    match status {\n",
    );
    for Status { name, .. } in failures() {
        let _ = writeln!(out, "        RMEDIA_E_{} => c\"{name}\",", upper_snake(name));
    }
    out.push_str("        _ => c\"Unknown\",\n    }\n}\n");
    out
}

/// `InvalidArgument` as `INVALID_ARGUMENT`.
fn upper_snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

fn markdown(table: &Table) -> String {
    let mut out = String::from(
        "# Errors\n\nGenerated from `core/errors.toml` by `cargo xtask errors`.\n\n\
         An error has a coarse status, which programs branch on, and a stable detail id, which says exactly what happened.\n\n\
         ## Status codes\n\n| code | name | meaning |\n|---|---|---|\n",
    );
    for s in &table.status {
        let _ = writeln!(out, "| {} | `{}` | {} |", s.code, s.name, s.doc);
    }
    out.push_str("\n## Detail ids\n\n| id | status | meaning |\n|---|---|---|\n");
    for d in &table.detail {
        let _ = writeln!(out, "| `{}` | `{}` | {} |", d.id, d.status, d.doc);
    }
    out
}
