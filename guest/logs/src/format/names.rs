//! Names of files, cells and locks in the storage. See the format's description in [`super`].

use alloc::{format, string::String};

/// Longest log name.
pub const MAX_NAME: usize = 64;

/// Whether this is a name for a log: 1 to 64 of `a-z`, `0-9`, `-`.
pub fn is_log_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Start of the names of all root cells.
pub const ROOT_PREFIX: &str = "log.";

/// Root cell and lock of a log.
pub fn root(name: &str) -> String {
    format!("{ROOT_PREFIX}{name}")
}

/// Start of the names of the cells of all instances of a change log.
pub fn instances(name: &str) -> String {
    format!("change.{name}.")
}

/// Cell of one instance of a change log: an epoch under a name.
pub fn instance(name: &str, instance: &str, epoch: u64) -> String {
    format!("change.{name}.{instance}.{epoch:016x}")
}

/// Name and epoch of the instance of this log that a cell belongs to; none if it is not one.
pub fn parse_instance<'a>(name: &str, cell: &'a str) -> Option<(&'a str, u64)> {
    let (holder, epoch) = cell.strip_prefix(&instances(name))?.split_once('.')?;
    let epoch = u64::from_str_radix(epoch, 16).ok()?;
    (is_log_name(holder) && instance(name, holder, epoch) == cell).then_some((holder, epoch))
}

/// Lock of an instance of a change log that has a name of its own.
pub fn instance_lock(name: &str, instance: &str) -> String {
    format!("change.{name}.{instance}")
}

/// Lock of an instance of a change log with a random name: the first of these that is free.
pub fn slot_lock(name: &str, slot: u32) -> String {
    format!("change.{name}._{slot}")
}

/// Start of the names of all files of logs of this name.
pub fn prefix(name: &str) -> String {
    format!("{name}.")
}

/// Which log, generation and segment a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Name of the log.
    pub log: String,
    /// Id of the log.
    pub id: u128,
    /// Generation of its files.
    pub generation: u64,
    /// Number of the segment.
    pub segment: u64,
}

impl FileName {
    /// The name as text.
    pub fn text(&self) -> String {
        format!("{}.{:032x}.{:08x}.{:016x}", self.log, self.id, self.generation, self.segment)
    }

    /// The parts of a name; none if it is not one.
    pub fn parse(text: &str) -> Option<FileName> {
        let mut parts = text.split('.');
        let (log, id, generation, segment) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let name = FileName {
            log: log.into(),
            id: u128::from_str_radix(id, 16).ok()?,
            generation: u64::from_str_radix(generation, 16).ok()?,
            segment: u64::from_str_radix(segment, 16).ok()?,
        };
        // Only what `text` writes: no signs, no upper case, no missing zeros.
        (is_log_name(log) && parts.next().is_none() && name.text() == text).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_round_trip() {
        let name = FileName { log: "a-1".into(), id: 7, generation: 0, segment: u64::MAX };
        assert_eq!(name.text(), "a-1.00000000000000000000000000000007.00000000.ffffffffffffffff");
        assert_eq!(FileName::parse(&name.text()), Some(name));
    }

    #[test]
    fn only_the_exact_text_is_a_name() {
        let good = FileName { log: "a".into(), id: 1, generation: 2, segment: 3 }.text();
        for bad in [
            good.to_uppercase(),
            good.replace(".", ".+"),
            good.replacen("a.", "A.", 1),
            format!("{good}.0"),
            good[..good.len() - 1].into(),
            good.replacen('0', "", 1),
            String::new(),
        ] {
            assert_eq!(FileName::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn cells_of_instances_are_told_apart() {
        let longest = instance(&"x".repeat(64), &"y".repeat(64), u64::MAX);
        assert!(longest.len() <= 200, "{}", longest.len());
        assert_eq!(parse_instance("a", &instance("a", "b-1", 10)), Some(("b-1", 10)));
        for bad in [
            "change.a.b.a",
            "change.a.b.000000000000000A",
            "change.b.b.000000000000000a",
            "change.a..000000000000000a",
            "change.a.B.000000000000000a",
            "change.a.000000000000000a",
            "change.a.b.000000000000000a.0",
        ] {
            assert_eq!(parse_instance("a", bad), None, "{bad}");
        }
        assert!(!is_log_name(slot_lock("a", 3).rsplit('.').next().unwrap()), "no name of an instance");
    }

    #[test]
    fn log_names_are_narrow() {
        assert!(is_log_name("a") && is_log_name("0-z") && is_log_name(&"x".repeat(64)));
        for bad in ["", "A", "a.b", "a_b", "ä", "a/b", " ", &"x".repeat(65)] {
            assert!(!is_log_name(bad), "{bad}");
        }
    }
}
