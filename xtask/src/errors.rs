//! Writes the error table's generated forms from `core/errors.toml`.

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

/// The generated files as (path below the project, content).
pub fn generate(root: &Path) -> Result<Vec<(&'static str, String)>, String> {
    let source = root.join("core/errors.toml");
    let text =
        std::fs::read_to_string(&source).map_err(|e| format!("{}: {e}", source.display()))?;
    let table: Table = toml::from_str(&text).map_err(|e| format!("{}: {e}", source.display()))?;
    check(&table)?;
    Ok(vec![
        ("core/src/error/table.rs", rust(&table)),
        ("docs/reference/errors.md", markdown(&table)),
    ])
}

fn check(table: &Table) -> Result<(), String> {
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
        let _ = write!(
            out,
            "\n    /// {}\n    pub const {}: Detail =\n        Detail {{ id: \"{}\", status: Status::{} }};\n",
            d.doc,
            constant(&d.id),
            d.id,
            d.status
        );
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
