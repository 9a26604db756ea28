#!/usr/bin/env python3
"""Breaks the code on purpose, one place at a time, and checks that the quick native suite notices.

    tests/sabotage/run.py            apply each one to a copy of the tree, run the suite; go on where it stopped
    tests/sabotage/run.py NAME ...   only these
    tests/sabotage/run.py --check    only check that each one still applies (this is what CI does)
    tests/sabotage/run.py --again    forget earlier results

`list.toml` (the guest's) and `host.toml` hold them: a file, a text that stands in it exactly once, and what to put in its
place. The quick native suite must notice each of the guest's; each of the host's names its own `command`. The copy and the
results are in target/sabotage; the tree itself is not touched. Exit 0 if every one was caught, else 1.
"""

import pathlib
import shlex
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "sabotage"
COPY = WORK / "tree"
RESULTS = WORK / "results.txt"
# Files that only one kind of log uses, and what its campaigns are called.
KINDS = {"journal": "journal::", "event_log": "event::", "raft_log": "raft::", "snapshot": "snapshot::",
         "change_log": "change_log::"}


def suite_of(entry):
    """The commands that must notice this one, quickest first; the first that fails is enough."""
    if entry and "command" in entry:
        return [shlex.split(entry["command"])[2:]]  # behind `cargo test`
    kind = entry and next((k for k in KINDS if f"guest/logs/src/{k}" in entry["file"]), None)
    campaigns = ["-p", "annals-tests", "--test", "campaigns"]
    return [
        ["-p", "annals-logs", "--lib"],
        ["-p", "annals-tests", "--test", "conformance", "--test", "golden", "--", "--skip", "the_same_seed"],
        *([[*campaigns, KINDS[kind]]] if kind else []),
        campaigns,
        ["-p", "annals-tests", "--test", "change_log_random"],
    ]


def load():
    lists = [ROOT / "tests" / "sabotage" / name for name in ("list.toml", "host.toml")]
    return [entry for path in lists for entry in tomllib.loads(path.read_text())["sabotage"]]


def check(entries):
    """Whether each one stands in its file exactly once."""
    bad = 0
    names = [entry["name"] for entry in entries]
    for entry in entries:
        found = (ROOT / entry["file"]).read_text().count(entry["find"])
        if found != 1 or names.count(entry["name"]) != 1 or entry["find"] == entry["replace"]:
            print(f"sabotage {entry['name']}: found {found} times in {entry['file']}")
            bad += 1
    print(f"sabotage: {len(entries) - bad} of {len(entries)} apply")
    return bad == 0


def copy_tree():
    """The files that git knows, or would know if asked to, so that uncommitted work is tested too."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\n")
    shutil.rmtree(COPY, ignore_errors=True)
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)


def suite(log, entry=None):
    with open(log, "w") as out:
        for part in suite_of(entry):
            command = ["cargo", "test", "--quiet", "--target-dir", str(WORK / "target"), *part]
            code = subprocess.run(command, cwd=COPY, stdout=out, stderr=subprocess.STDOUT, timeout=1800).returncode
            if code != 0:
                return code
    return 0


def main():
    arguments = sys.argv[1:]
    entries = load()
    applies = check(entries)
    if "--check" in arguments or not applies:
        return 0 if applies else 1
    WORK.mkdir(parents=True, exist_ok=True)
    if "--again" in arguments:
        RESULTS.unlink(missing_ok=True)
    wanted = [a for a in arguments if not a.startswith("-")]
    done = {}
    if RESULTS.exists():
        done = dict(line.split(" ", 1) for line in RESULTS.read_text().splitlines())
    copy_tree()
    if suite(WORK / "sound.log") != 0:
        print(f"the suite fails without any sabotage, see {WORK / 'sound.log'}")
        return 1
    for entry in entries:
        name = entry["name"]
        if name not in wanted if wanted else done.get(name, "").startswith("caught"):
            continue
        path = COPY / entry["file"]
        sound = path.read_text()
        path.write_text(sound.replace(entry["find"], entry["replace"]))
        start = time.monotonic()
        log = WORK / f"{name}.log"
        try:
            code = suite(log, entry)
        except subprocess.TimeoutExpired:
            code = "timeout"
        path.write_text(sound)
        text = log.read_text()
        if "could not compile" in text:
            outcome = "does not compile"
        else:
            outcome = "SURVIVED" if code == 0 else "caught"
        done[name] = f"{outcome} in {time.monotonic() - start:.0f} s: {entry['what']}"
        print(f"{name}: {done[name]}", flush=True)
        RESULTS.write_text("".join(f"{n} {r}\n" for n, r in done.items()))
    ours = [done.get(entry["name"], "not run") for entry in entries]
    caught = sum(r.startswith("caught") for r in ours)
    print(f"sabotage: {caught} of {len(entries)} caught")
    return 0 if caught == len(entries) or wanted else 1


if __name__ == "__main__":
    sys.exit(main())
