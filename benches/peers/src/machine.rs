//! What the figures were measured on and with.

use anyhow::Result;
use std::{fs, path::Path, process::Command, time::SystemTime};

/// A name and what it is, in words.
pub(crate) type Fact = (&'static str, String);

/// Everything that figures depend on and a person may ask for.
pub(crate) fn facts(directory: &Path) -> Vec<Fact> {
    let unknown = || "unknown".to_owned();
    let system = rustix::system::uname();
    let kernel = format!("{} {}", system.sysname().to_string_lossy(), system.release().to_string_lossy());
    let cores = std::thread::available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string());
    vec![
        ("date", date().unwrap_or_else(unknown)),
        ("processor", format!("{}, {cores} cores", processor().unwrap_or_else(unknown))),
        ("memory", memory().unwrap_or_else(unknown)),
        ("kernel", kernel),
        ("disk", disk(directory).unwrap_or_else(unknown)),
        ("compiler", compiler().unwrap_or_else(unknown)),
        ("commit", commit().unwrap_or_else(unknown)),
    ]
}

/// The first line of a file that starts with `name`, behind its colon.
fn line(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn processor() -> Option<String> {
    line("/proc/cpuinfo", "model name")
}

fn memory() -> Option<String> {
    let kib: f64 = line("/proc/meminfo", "MemTotal")?.split(' ').next()?.parse().ok()?;
    Some(format!("{:.0} GiB", kib / f64::from(1 << 20)))
}

/// The file system that holds a directory, and what it is on.
fn disk(directory: &Path) -> Option<String> {
    let directory = fs::canonicalize(directory).ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holding = fields.filter(|fields| fields.len() > 3 && directory.starts_with(fields[1]));
    let mount = holding.max_by_key(|fields| fields[1].len())?;
    Some(format!("{} on {} ({})", mount[2], mount[0], mount[3]))
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn compiler() -> Option<String> {
    output(Command::new("rustc").arg("--version"))
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        output(Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments))
    };
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    Some(if changed { format!("{commit}, with changes") } else { commit })
}

fn date() -> Option<String> {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let (year, month, day) = civil((seconds / 86_400) as i64);
    let minutes = seconds % 86_400 / 60;
    Some(format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60))
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, date)
}

/// Versions of the peers, as the lockfile has them.
pub(crate) fn versions(names: &[&str]) -> Result<Vec<(String, String)>> {
    let lock = include_str!("../Cargo.lock");
    let version = |name: &str| {
        let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let found = names.iter().map(|name| {
        let version = version(name);
        let version = version.ok_or_else(|| anyhow::anyhow!("{name} is not in the lockfile"))?;
        Ok(((*name).to_owned(), version))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_are_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_777), (2026, 11, 20));
        assert_eq!(civil(-1), (1969, 12, 31));
    }
}
