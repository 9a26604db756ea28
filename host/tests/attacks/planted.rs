//! Attacks by way of what somebody has planted in the directory: links, pipes and directories in place of files, cells and
//! locks. A component can make none of these; whoever can is a user of the machine, and must not be helped further.

use super::{storage::repeat, *};
use std::os::unix::fs::{MetadataExt, symlink};

const OPEN_IT: &str = r#"(call {open} {"planted"} (i32.const 0))"#;
const READ_CELL: &str = r#"(call {read-cell} {"planted"} (i32.const 0))"#;
const LOCK: &str = r#"(call {acquire} {"planted"} (i32.const 0) (i32.const 0))"#;
const REMOVE: &str = r#"(call {remove} {"planted"} (i32.const 0))"#;
/// Over whatever is there: the first with no cell expected, the second with any version.
const MAKE_CELL: &str = r#"(call {swap-cell} {"planted"} (i32.const 0) (i64.const 0)
    (i32.const 1) (i32.const 0) (i32.const 16) (i32.const 0))"#;

fn refused(stage: &mut Stage, call: &str, case: u32) {
    let report = stage.survives(&repeat("", call, 1, case));
    assert_eq!(report, Report { done: 0, refused: IO }, "{call}");
}

#[test]
fn links_in_place_of_cells_and_locks_are_not_followed() {
    let mut stage = Stage::new();
    symlink("../../secret", stage.around.join("root/cells/planted")).unwrap();
    symlink("../../secret", stage.around.join("root/locks/planted")).unwrap();
    refused(&mut stage, READ_CELL, 8);
    refused(&mut stage, MAKE_CELL, 8);
    refused(&mut stage, LOCK, 4);
}

#[test]
fn a_link_to_nowhere_does_not_become_a_file_elsewhere() {
    let mut stage = Stage::new();
    for part in ["files", "cells", "locks"] {
        symlink("../../made", stage.around.join("root").join(part).join("planted")).unwrap();
    }
    let create = r#"(call {create} {"planted"} (i32.const 0))"#;
    let report = stage.survives(&repeat("", create, 1, 4));
    assert_eq!(report, Report { done: 0, refused: EXISTS });
    refused(&mut stage, OPEN_IT, 4);
    refused(&mut stage, MAKE_CELL, 8);
    refused(&mut stage, LOCK, 4);
}

#[test]
fn hard_links_are_refused_and_removing_one_leaves_the_other() {
    let mut stage = Stage::new();
    let secret = stage.around.join("secret");
    for part in ["files", "cells", "locks"] {
        fs::hard_link(&secret, stage.around.join("root").join(part).join("planted")).unwrap();
    }
    refused(&mut stage, OPEN_IT, 4);
    refused(&mut stage, READ_CELL, 8);
    refused(&mut stage, MAKE_CELL, 8);
    refused(&mut stage, LOCK, 4);
    assert_eq!(stage.survives(&repeat("", REMOVE, 1, 4)), Report { done: 1, refused: NONE });
    assert_eq!(fs::metadata(&secret).unwrap().nlink(), 3, "one name less, the bytes as they were");
}

#[test]
fn pipes_hold_up_nobody() {
    let mut stage = Stage::new();
    for part in ["files", "cells", "locks"] {
        let path = stage.around.join("root").join(part).join("planted");
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    }
    refused(&mut stage, OPEN_IT, 4);
    refused(&mut stage, READ_CELL, 8);
    refused(&mut stage, LOCK, 4);
}

#[test]
fn a_directory_with_the_name_of_a_file_is_neither_opened_nor_removed() {
    let mut stage = Stage::new();
    for part in ["files", "cells", "locks"] {
        let path = stage.around.join("root").join(part).join("planted");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "kept").unwrap();
    }
    refused(&mut stage, OPEN_IT, 4);
    refused(&mut stage, REMOVE, 4);
    refused(&mut stage, READ_CELL, 8);
    refused(&mut stage, MAKE_CELL, 8);
    refused(&mut stage, LOCK, 4);
    assert_eq!(fs::read(stage.around.join("root/files/planted/inside")).unwrap(), b"kept");
}
