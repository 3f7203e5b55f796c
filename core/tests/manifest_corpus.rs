//! The inputs that fuzzing has collected, through the same functions as there.

#[path = "../../fuzz/src/checks.rs"]
#[allow(unreachable_pub, reason = "the file belongs to another crate")]
mod checks;

use std::path::Path;

#[test]
fn inputs_of_the_fuzz_targets_do_no_harm() {
    for (target, check) in checks::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            check(&std::fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "no inputs for {target}");
    }
}
