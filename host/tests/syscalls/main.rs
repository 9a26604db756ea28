//! What `Directory` asks of the system, recorded by strace: names are made durable before the next step, renames come
//! between a synced file and a synced directory, nothing is called durable before it is, and no path leads anywhere but
//! down from the held directories. And what happens when a sync fails.
//!
//! Without strace (or where it may not trace) these tests say so and count as passed; `ANNALS_TEST_NEED_STRACE=1` makes
//! that a failure.

mod faults;
mod rules;
mod scenario;
mod trace;

use std::process::Command;

/// Whether strace works here.
fn has_strace() -> bool {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    let works = works.is_ok_and(|output| output.status.success());
    let needed = std::env::var_os("ANNALS_TEST_NEED_STRACE").is_some();
    assert!(works || !needed, "strace does not work here (apt-get install strace; ptrace must be allowed)");
    if !works {
        // Past the capture of the test harness, so that it is seen in every run.
        use std::io::Write;
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: strace is missing or may not trace; install it with apt-get install strace"
        );
    }
    works
}
