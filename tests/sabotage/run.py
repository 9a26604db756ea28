#!/usr/bin/env python3
"""Breaks the code on purpose, one place at a time, and checks that the quick native suite notices.

    tests/sabotage/run.py            apply each one to a copy of the tree, run the suite; go on where it stopped
    tests/sabotage/run.py NAME ...   only these
    tests/sabotage/run.py --guest    only the guest's; --host: only the host's
    tests/sabotage/run.py --check    only check that each one still applies (this is what CI does)
    tests/sabotage/run.py --again    forget earlier results
    tests/sabotage/run.py --remember write into the lists which test caught each one: it is tried first from then on

`list.toml` (the guest's) and `host.toml` hold them: a file, a text that stands in it exactly once, and what to put in its
place. The quick native suite must notice each of the guest's: first the test is built and run that caught it last time
(`caught-by`), and only if it does not, the suite. Each of the host's names its own `command`. A test that hangs counts as
caught, after a minute more than a sound run ever takes. The copy and the results are in target/sabotage
(`ANNALS_SABOTAGE_DIR` puts them elsewhere); but for --remember the tree itself is not touched. Exit 0 if every one was
caught, else 1.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
LISTS = {"guest": ROOT / "tests" / "sabotage" / "list.toml", "host": ROOT / "tests" / "sabotage" / "host.toml"}
WORK = pathlib.Path(os.environ.get("ANNALS_SABOTAGE_DIR", ROOT / "target" / "sabotage"))
COPY = WORK / "tree"
RESULTS = WORK / "results.txt"
# Files that only one kind of log uses, and what its campaigns are called.
KINDS = {"journal": "journal::", "event_log": "event::", "raft_log": "raft::", "snapshot": "snapshot::",
         "change_log": "change_log::"}
# Test binaries of the suite: the quickest first. Each stage is built at once.
STAGES = [["logs"], ["conformance", "golden"], ["campaigns", "change_log_random"], ["states", "seldom", "damage", "matrix"]]
SKIPPED = ["--skip", "the_same_seed"]  # what says so stands beside what it would notice
HANGS = 60


def build(names, log):
    """Builds these test binaries. Returns their paths by name, or none if it does not compile."""
    logs, others = [name for name in names if name == "logs"], [name for name in names if name != "logs"]
    wanted = [["-p", "annals-logs", "--lib"]] * bool(logs)
    wanted += [["-p", "annals-tests", *(word for name in others for word in ("--test", name))]] * bool(others)
    paths = {}
    for part in wanted:
        command = ["cargo", "test", "--quiet", "--no-run", "--message-format=json", "--target-dir", str(WORK / "target")]
        done = subprocess.run([*command, *part], cwd=COPY, capture_output=True, text=True)
        if done.returncode != 0:
            log.write(f"{done.stdout}\n{done.stderr}\ncould not compile\n")
            return None
        for line in done.stdout.splitlines():
            message = json.loads(line)
            if message.get("executable") and message["profile"]["test"]:
                name = message["target"]["name"]
                paths["logs" if name == "annals_logs" else name] = message["executable"]
    return paths


def run(name, path, words, log, sound, case=""):
    """Runs tests of a binary. Returns what failed, or an empty text."""
    # Where cargo would start them.
    place = COPY / ("guest/logs" if name == "logs" else "tests")
    start = time.monotonic()
    try:
        done = subprocess.run([path, *words], cwd=place, capture_output=True, text=True, errors="replace",
                              env={**os.environ, "ANNALS_FIRST": "1", "ANNALS_CASE": case},
                              timeout=HANGS + 4 * sound.get(name, 300))
    except subprocess.TimeoutExpired as hung:
        log.write(f"{name}: hangs after {time.monotonic() - start:.0f} s\n{(hung.stdout or b'')[-4000:]}\n")
        running = re.findall(rb"^test (\S+) has been running", hung.stdout or b"", re.M)
        return running[0].decode() if running else "hangs"
    if done.returncode == 0:
        return ""
    log.write(f"{done.stdout}\n{done.stderr}\n")
    failed = re.findall(r"^test (\S+) \.\.\. FAILED", done.stdout, re.M)
    # One test of all cases: which one it was.
    cases = re.findall(r"^\d+ of \d+ fail .*\n(\w+) \[", done.stdout, re.M)
    return " ".join(failed[:1] + cases[:1]) if failed else f"exit {done.returncode}"


def is_sound(name, sound):
    """Whether this binary passes without any sabotage: looked at once, when it has caught something."""
    if name not in sound:
        start = time.monotonic()
        with open(WORK / f"sound-{name}.log", "w") as log:
            paths = build([name], log)
            failed = paths is None or run(name, paths[name], SKIPPED, log, {name: 1800})
        if failed:
            print(f"{name} fails without any sabotage, see {WORK / f'sound-{name}.log'}: {failed}")
            return False
        sound[name] = time.monotonic() - start
    return True


def suite(entry, log, sound):
    """Which test noticed: binary and test; none if nothing did; `could not compile`."""
    if "command" in entry:
        command = shlex.split(entry["command"])
        command[2:2] = ["--quiet", "--target-dir", str(WORK / "target")]
        done = subprocess.run(command, cwd=COPY, capture_output=True, text=True, errors="replace", timeout=1800)
        log.write(f"{done.stdout}\n{done.stderr}\n")
        if "could not compile" in done.stderr:
            return "could not compile"
        failed = re.findall(r"^test (\S+) \.\.\. FAILED|^    (\w\S+)$", done.stdout, re.M)
        return f"annals {''.join(failed[0]) if failed else done.returncode}" if done.returncode != 0 else None
    if "caught-by" in entry:
        name, test, *case = entry["caught-by"].split(" ")
        paths = build([name], log)
        if paths is None:
            return "could not compile"
        if run(name, paths[name], [test, "--exact"], log, sound, *case):
            return entry["caught-by"]
    kind = next((k for k in KINDS if f"guest/logs/src/{k}" in entry["file"]), None)
    for stage in STAGES:
        paths = build(stage, log)
        if paths is None:
            return "could not compile"
        for name in stage:
            if kind and name == "campaigns":
                failed = run(name, paths[name], [KINDS[kind]], log, sound)
                if failed:
                    return f"{name} {failed}"
            failed = run(name, paths[name], SKIPPED, log, sound)
            if failed:
                return f"{name} {failed}"
    return None


def load(arguments=()):
    lists = [path for kind, path in LISTS.items() if not {"--guest", "--host"} & set(arguments) or f"--{kind}" in arguments]
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
    # Without the commands of the suite, which cargo would build for each test.
    listed = {name for name in listed if (ROOT / name).is_file() and not name.startswith("tests/src/bin/")}
    for old in [path for path in COPY.rglob("*") if path.is_file()]:
        if str(old.relative_to(COPY)) not in listed:
            old.unlink()
    for name in listed:
        # What is the same keeps its time, and need not be built again.
        if not (COPY / name).is_file() or (COPY / name).read_bytes() != (ROOT / name).read_bytes():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, COPY / name)


def results():
    """What became of each so far: name, outcome."""
    if not RESULTS.exists():
        return {}
    return dict(line.split(" ", 1) for line in RESULTS.read_text().splitlines())


def remember():
    """Writes into the lists which test caught each one."""
    by = {name: found[1] for name, text in results().items()
          if (found := re.match(r"caught in \d+ s by ([^ ]+ (?!hangs|exit)[\w:]+?(?: \w+)?): ", text))}
    for path in LISTS.values():
        out, entries = [], path.read_text().split("[[sabotage]]\n")
        for text in entries:
            name = re.search(r'^name = "(.*)"$', text, re.M)
            if name and name[1] in by and "\ncommand = " not in text:
                text = re.sub(r'^caught-by = .*\n', "", text, flags=re.M)
                text = re.sub(r'^(file = .*\n)', lambda m: f'{m[1]}caught-by = "{by[name[1]]}"\n', text, count=1, flags=re.M)
            out.append(text)
        path.write_text("[[sabotage]]\n".join(out))


def main():
    arguments = sys.argv[1:]
    if "--remember" in arguments:
        return remember()
    entries = load(arguments)
    applies = check(entries)
    if "--check" in arguments or not applies:
        return 0 if applies else 1
    WORK.mkdir(parents=True, exist_ok=True)
    if "--again" in arguments:
        RESULTS.unlink(missing_ok=True)
    wanted = [a for a in arguments if not a.startswith("-")]
    done, sound = results(), {}
    copy_tree()
    for entry in entries:
        name = entry["name"]
        if name not in wanted if wanted else done.get(name, "").startswith("caught"):
            continue
        path = COPY / entry["file"]
        intact = path.read_text()
        # As many lines as before: what stands below stays as it was, and need not be built again.
        lines = entry["find"].count("\n") - entry["replace"].count("\n")
        path.write_text(intact.replace(entry["find"], entry["replace"] + "\n" * lines))
        start = time.monotonic()
        with open(WORK / f"{name}.log", "w") as log:
            try:
                by = suite(entry, log, sound)
            except subprocess.TimeoutExpired:
                by = "the clock"
        path.write_text(intact)
        if by and "command" not in entry and by != "could not compile" and not is_sound(by.split(" ")[0], sound):
            return 1
        took = f"in {time.monotonic() - start:.0f} s"
        if by == "could not compile":
            outcome = "does not compile"
        else:
            outcome = f"caught {took} by {by}" if by else f"SURVIVED {took}"
        done[name] = f"{outcome}: {entry['what']}"
        print(f"{name}: {done[name]}", flush=True)
        RESULTS.write_text("".join(f"{n} {r}\n" for n, r in done.items()))
    ours = [done.get(entry["name"], "not run") for entry in entries]
    caught = sum(r.startswith("caught") for r in ours)
    print(f"sabotage: {caught} of {len(entries)} caught")
    return 0 if caught == len(entries) or wanted else 1


if __name__ == "__main__":
    sys.exit(main())
