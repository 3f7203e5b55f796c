//! Shows that the tests of the rules (docs/design/rules.md) can fail.
//!
//! A variant in `tests/broken.toml` is one small mistake in the engine: a text in a file, what stands
//! there instead, and the test that has to turn red then. It is made in a copy of the project, so that
//! nothing broken is ever in the folder that somebody works in.

use crate::Failure;
use crate::process::{Run, create_folder, target_dir};
use crate::test::Count;
use serde::Deserialize;
use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const TABLE: &str = "tests/broken.toml";
const RULES: &str = "docs/design/rules.md";

/// Rules there are: S1 to this one.
const LAST_RULE: u32 = 24;

/// A test that takes so long, and so many times as long as without the mistake, hangs.
const PATIENCE: Duration = Duration::from_secs(20);
const TIMES: u32 = 10;

#[derive(Deserialize)]
struct Table {
    variant: Vec<Variant>,
}

/// The engine with one mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    rule: String,
    /// The mistake, in a sentence.
    breaks: String,
    file: String,
    find: String,
    put: String,
    /// What `cargo test` is given to run the test that sees it. Its name comes last.
    test: Option<String>,
    /// Instead: name of a test in `tests/loom`, where only a model of the threads sees it.
    #[serde(rename = "loom")]
    model: Option<String>,
}

impl Variant {
    /// Name of the test.
    fn name(&self) -> &str {
        let line = self.test.as_ref().or(self.model.as_ref());
        line.and_then(|line| line.split_whitespace().next_back()).unwrap_or_default()
    }

    /// The file with the mistake in it.
    fn broken(&self, text: &str) -> Result<String, Failure> {
        match text.matches(&self.find).count() {
            1 => Ok(text.replacen(&self.find, &self.put, 1)),
            count => Err(format!(
                "{TABLE}: {}: what is to be found is {count} times in {}: {}",
                self.rule, self.file, self.find
            )),
        }
    }
}

/// Breaks the engine in all ways, or those of these rules.
pub(crate) fn run(root: &Path, rules: &[&str]) -> Result<(), Failure> {
    let mut variants = read(root)?;
    if let Some(unknown) = rules.iter().find(|rule| !variants.iter().any(|v| v.rule == **rule)) {
        return Err(format!("there is no rule {unknown}: they are S1 to S{LAST_RULE}"));
    }
    variants.retain(|variant| rules.is_empty() || rules.contains(&variant.rule.as_str()));
    let copy = Copy::make(root, &target_dir(root).join("broken"))?;

    println!("unbroken, the tests pass:");
    let mut usual: HashMap<&str, Duration> = HashMap::new();
    for variant in &variants {
        let Entry::Vacant(new) = usual.entry(variant.name()) else { continue };
        let (seen, time) = copy.test(variant, "unbroken", None)?;
        if seen != GREEN {
            return Err(format!("{} without any mistake: {}", variant.name(), seen));
        }
        println!("{:4} {}, {:.1} s", variant.rule, variant.name(), time.as_secs_f64());
        new.insert(time);
    }

    println!("\nbroken, they have to fail:");
    let mut good = 0;
    for variant in &variants {
        let file = copy.tree.join(&variant.file);
        let text = text(&file)?;
        put(&file, &variant.broken(&text)?)?;
        let limit = PATIENCE + TIMES * usual[variant.name()];
        let (seen, time) = copy.test(variant, &variant.rule, Some(limit))?;
        put(&file, &text)?;
        good += usize::from(matches!(seen, RED | HUNG));
        let (rule, breaks) = (&variant.rule, &variant.breaks);
        println!("{rule:4} {seen:9} {breaks}  ({}, {:.1} s)", variant.name(), time.as_secs_f64());
    }
    println!("\n{good} of {} variants turn their test red", variants.len());
    if good == variants.len() {
        return Ok(());
    }
    Err(format!("the tests' output is in {}", copy.output.display()))
}

/// What became of a test, in the words of the report.
type Seen = &'static str;
const GREEN: Seen = "GREEN";
const RED: Seen = "red";
const HUNG: Seen = "red, hung";
const NO_TEST: Seen = "NO TEST";
const NOT_BUILT: Seen = "NOT BUILT";

/// A copy of the project, with what is built of it.
struct Copy {
    tree: PathBuf,
    build: PathBuf,
    output: PathBuf,
}

impl Copy {
    /// Copies what belongs to the project, also what is not committed. Files that are the same stay as
    /// they are, so that what was built of them serves again.
    fn make(root: &Path, place: &Path) -> Result<Self, Failure> {
        let [tree, build, output] = ["tree", "build", "output"].map(|folder| place.join(folder));
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let list = Run::new(root, "git").args(list).text()?;
        let there = |path: &&str| !path.is_empty() && root.join(path).is_file();
        let files: HashSet<PathBuf> = list.split('\0').filter(there).map(PathBuf::from).collect();
        create_folder(&tree)?;
        create_folder(&output)?;
        remove_others(&tree, &tree, &files)?;
        for file in &files {
            let from = root.join(file);
            let bytes = std::fs::read(&from).map_err(|e| format!("{}: {e}", from.display()))?;
            if std::fs::read(tree.join(file)).ok().as_ref() != Some(&bytes) {
                put(&tree.join(file), bytes)?;
            }
        }
        Ok(Self { tree, build, output })
    }

    /// Builds the test of a variant and runs it, for so long at most. Gives the time that it ran.
    fn test(
        &self,
        variant: &Variant,
        as_what: &str,
        limit: Option<Duration>,
    ) -> Result<(Seen, Duration), Failure> {
        let cargo = |more: &str| match (&variant.test, &variant.model) {
            (Some(line), _) => Run::cargo(&self.tree, &format!("test --locked {more} {line}"))
                .env("CARGO_TARGET_DIR", &self.build.to_string_lossy()),
            (None, name) => Run::cargo(&self.tree, &format!("test --locked {more} --release"))
                .args(["--manifest-path", "tests/loom/Cargo.toml"])
                .args(name)
                .env("CARGO_TARGET_DIR", &self.build.join("loom").to_string_lossy())
                .env("RUSTFLAGS", "--cfg loom"),
        };
        let output =
            self.output.join(format!("{as_what} {}.txt", variant.name().replace(':', "-")));
        let built = cargo("--no-run").within(&output, None)?;
        let start = Instant::now();
        if built != Some(true) {
            return Ok((NOT_BUILT, start.elapsed()));
        }
        let passed = cargo("").within(&output, limit)?;
        let time = start.elapsed();
        let mut count = Count::default();
        text(&output)?.lines().for_each(|line| count.line(line));
        let seen = match passed {
            None => HUNG,
            Some(false) => RED,
            Some(true) if count.is_empty() => NO_TEST,
            Some(true) => GREEN,
        };
        Ok((seen, time))
    }
}

/// Removes the files of a folder of the copy that are none of the project's.
fn remove_others(tree: &Path, folder: &Path, files: &HashSet<PathBuf>) -> Result<(), Failure> {
    let failed = |e| format!("{}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            remove_others(tree, &path, files)?;
        } else if !path.strip_prefix(tree).is_ok_and(|file| files.contains(file)) {
            std::fs::remove_file(&path).map_err(failed)?;
        }
    }
    Ok(())
}

/// The table, checked: each mistake can be made, each rule has one, and its test is among the rule's.
fn read(root: &Path) -> Result<Vec<Variant>, Failure> {
    let table: Table =
        toml::from_str(&text(&root.join(TABLE))?).map_err(|e| format!("{TABLE}: {e}"))?;
    let rules = text(&root.join(RULES))?;
    let rows = |rule: &str| rules.lines().find(|line| line.starts_with(&format!("| {rule} ")));
    for variant in &table.variant {
        let (rule, name) = (&variant.rule, variant.name());
        variant.broken(&text(&root.join(&variant.file))?)?;
        if variant.test.is_some() == variant.model.is_some() {
            return Err(format!("{TABLE}: {rule}: either `test` or `loom`: {}", variant.breaks));
        }
        if !rows(rule).is_some_and(|row| row.contains(name)) {
            return Err(format!("{TABLE}: {name} is none of the tests of {rule} in {RULES}"));
        }
    }
    for rule in (1..=LAST_RULE).map(|n| format!("S{n}")) {
        if !table.variant.iter().any(|variant| variant.rule == rule) {
            return Err(format!("{TABLE}: {rule} has no variant"));
        }
    }
    Ok(table.variant)
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn put(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    std::fs::write(path, content).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_variant_that_can_be_made_and_a_test_that_is_listed() {
        assert_eq!(read(&crate::root()).map(drop), Ok(()));
    }
}
