//! The C header, generated from `capi/src` by cbindgen.

use crate::Failure;
use std::path::Path;

/// Where the header lies.
pub(crate) const HEADER: &str = "include/rmedia.h";

/// Files with exported functions, in the order in which a reader of the header wants them.
const SOURCES: &[&str] = &[
    "abi", "status", "library", "error", "string", "pipeline", "ports", "flow", "control",
    "packet", "engine", "ready", "node", "host", "job",
];

/// Constants that are compared and combined with `uint32_t`.
const UNSIGNED: &[&str] = &[
    "#define RMEDIA_ABI_VERSION ",
    "#define RMEDIA_DTYPE_",
    "#define RMEDIA_JOB_",
    "#define RMEDIA_KIND_",
    "#define RMEDIA_PACKET_",
    "#define RMEDIA_PIPELINE_",
    "#define RMEDIA_PIXEL_",
    "#define RMEDIA_RELEASE_",
    "#define RMEDIA_SAMPLE_",
];

/// What every function's documentation says.
const TAGS: &[&str] = &["Thread: ", "Blocks: ", "Real-time: ", "Since: "];

/// Writes the header.
pub(crate) fn write(root: &Path) -> Result<(), Failure> {
    let text = generate(root)?;
    std::fs::write(root.join(HEADER), text).map_err(|e| format!("{HEADER}: {e}"))?;
    println!("wrote {HEADER}");
    Ok(())
}

/// Fails if the header is not what the source makes of it now.
pub(crate) fn check_current(root: &Path) -> Result<(), Failure> {
    if std::fs::read_to_string(root.join(HEADER)).ok().as_deref() != Some(&generate(root)?) {
        return Err(format!("{HEADER} is not up to date: run `cargo xtask header`"));
    }
    println!("{HEADER} is up to date");
    Ok(())
}

fn generate(root: &Path) -> Result<String, Failure> {
    let config = root.join("capi/cbindgen.toml");
    let config = cbindgen::Config::from_file(config).map_err(|e| format!("cbindgen.toml: {e}"))?;
    let sources = SOURCES.iter().map(|name| root.join(format!("capi/src/{name}.rs")));
    let builder = sources.fold(cbindgen::Builder::new(), cbindgen::Builder::with_src);
    let bindings = builder.with_config(config).generate();
    let mut bytes = Vec::new();
    bindings.map_err(|e| format!("cbindgen: {e}"))?.write(&mut bytes);
    let text = String::from_utf8(bytes).map_err(|e| format!("{HEADER}: {e}"))?;
    // The guard ends before the trailer, which has to be inside it.
    let text = text.replace("#endif  /* RMEDIA_H */\n", "") + "\n#endif /* RMEDIA_H */\n";
    let text = tidy(&without_safety(&text));
    check_tags(&text)?;
    Ok(text)
}

/// Without the sections that tell Rust callers what C callers read in the rest.
fn without_safety(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in text.lines() {
        inside |= line.trim() == "* # Safety";
        inside &= line.trim() != "*/";
        if inside {
            continue;
        }
        if line.trim() == "*/" && out.ends_with(" *\n") {
            out.truncate(out.len() - " *\n".len());
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Comments of one line on one line, negative numbers in parentheses, no two empty lines.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.trim_start().lines().collect();
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let indent = &line[..line.len() - line.trim_start().len()];
        match (
            line.trim(),
            lines.get(at + 1).map(|l| l.trim()),
            lines.get(at + 2).map(|l| l.trim()),
        ) {
            ("/**", Some(text), Some("*/")) if line.len() + text.len() < 96 => {
                out.push(format!("{indent}/**{} */", text.trim_start_matches('*')));
                at += 3;
                continue;
            }
            ("", Some(""), _) => {}
            (define, ..) if define.starts_with("#define ") && define.contains(" -") => {
                let (name, value) = define.rsplit_once(' ').unwrap_or((define, ""));
                out.push(format!("{name} ({value})"));
            }
            (define, ..)
                if UNSIGNED.iter().any(|name| define.starts_with(name))
                    && !define.contains("_INIT") =>
            {
                let at = define.find(" << ").unwrap_or(define.len());
                out.push(format!("{}u{}", &define[..at], &define[at..]));
            }
            _ => out.push((*line).to_owned()),
        }
        at += 1;
    }
    out.join("\n") + "\n"
}

/// Every function says which threads may call it, whether it waits, and since when it is there.
fn check_tags(text: &str) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for (begin, name) in declarations(text) {
        let before = text[..begin].trim_end();
        let comment = before.rfind("/**").map_or("", |at| &before[at..]);
        let missing: Vec<_> = TAGS.iter().filter(|tag| !comment.contains(*tag)).collect();
        if !comment.ends_with("*/") || !missing.is_empty() {
            faults.push(format!("{name} does not say {missing:?}"));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// Names of the functions that a header declares, in its order.
pub(crate) fn functions(header: &str) -> Vec<&str> {
    declarations(header).map(|(_, name)| name).collect()
}

/// Where each function's declaration begins, and its name.
fn declarations(header: &str) -> impl Iterator<Item = (usize, &str)> {
    header.match_indices("\nRMEDIA_API").map(|(at, _)| {
        let declaration = header[at..].split('(').next().unwrap_or_default();
        (at, declaration.rsplit([' ', '*', '\n']).next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_without_its_tags_is_found() {
        let good = "/**\n * Does it.\n * Thread: any. Blocks: no. Real-time: yes. Since: 0.1.\n */\nRMEDIA_API int32_t rmedia_do(void);\n";
        assert_eq!(check_tags(good), Ok(()));
        assert_eq!(functions(good), ["rmedia_do"]);
        let bad = good.replace("Blocks: no. ", "");
        assert!(check_tags(&bad).is_err_and(|e| e.contains("rmedia_do") && e.contains("Blocks")));
    }

    #[test]
    fn short_comments_and_negative_numbers_are_tidied() {
        let text = "/**\n * Fails.\n */\n#define A -1\n\n\nint b;\n";
        assert_eq!(tidy(text), "/** Fails. */\n#define A (-1)\n\nint b;\n");
        let text = "#define RMEDIA_KIND_AUDIO 1\n#define RMEDIA_PACKET_KEY (1 << 3)\n";
        let unsigned = "#define RMEDIA_KIND_AUDIO 1u\n#define RMEDIA_PACKET_KEY (1u << 3)\n";
        assert_eq!(tidy(text), unsigned);
    }

    #[test]
    fn what_only_rust_callers_need_is_left_out() {
        let text = "/**\n * Does it.\n *\n * # Safety\n * Good pointers.\n */\nvoid f(void);\n";
        assert_eq!(without_safety(text), "/**\n * Does it.\n */\nvoid f(void);\n");
    }
}
