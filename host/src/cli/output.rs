//! What the command prints: results as lines on standard output, everything else on standard error.
//!
//! A result line is on its way when [`Output::line`] returns, so whoever reads it may rely on what it says although
//! this process is killed right behind it. When nobody reads standard output any more, results are dropped and the work
//! goes on; output that must not be dropped silently goes through [`Output::bytes`], which tells.
//! Progress is drawn on standard error, and only where that is a terminal.

use std::{
    fmt,
    io::{self, Write},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Work that takes no longer needs no progress bar.
const UNSEEN: Duration = Duration::from_millis(400);

/// Whether there is still somebody who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// It was written.
    There,
    /// The pipe is closed.
    Gone,
}

/// Standard output, standard error and the progress bar between them.
pub(crate) struct Output {
    reader: Reader,
    bar: ProgressBar,
    /// When the bar began to count, until it is shown.
    unseen: Option<Instant>,
}

impl Output {
    /// Writes to this process's standard output and error.
    pub(crate) fn new() -> Output {
        Output { reader: Reader::There, bar: ProgressBar::hidden(), unseen: None }
    }

    /// Prints one line of results.
    ///
    /// # Errors
    /// Standard output cannot be written, for another reason than that nobody reads it.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> anyhow::Result<()> {
        let line = format!("{line}\n");
        self.bar.suspend(|| write_out(&mut self.reader, line.as_bytes())).map(|_| ())
    }

    /// Writes bytes as they are, and tells whether somebody reads them.
    ///
    /// # Errors
    /// As for [`Output::line`].
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<Reader> {
        write_out(&mut self.reader, bytes)
    }

    /// Tells a person something that is not a result: a warning, or an error that does not end the work.
    pub(crate) fn note(&self, note: impl fmt::Display) {
        self.bar.suspend(|| complain(note));
    }

    /// Begins to count; once that has taken a moment, a bar shows it, if standard error is a terminal. `total` is in
    /// bytes, if known.
    pub(crate) fn start_progress(&mut self, what: &'static str, total: Option<u64>) {
        let template = match total {
            Some(_) => {
                "{msg} {bar:16} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left"
            }
            None => "{msg} {decimal_bytes}, {decimal_bytes_per_sec}, {elapsed}",
        };
        self.start(what, total, template);
    }

    /// The same, counting items.
    pub(crate) fn start_counting(&mut self, what: &'static str, total: u64) {
        let template = "{msg} {bar:16} {human_pos} of {human_len} items, {rate}, {eta} left";
        self.start(what, Some(total), template);
    }

    fn start(&mut self, what: &'static str, total: Option<u64>, template: &str) {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let rate = |state: &ProgressState, text: &mut dyn fmt::Write| {
            // Where it is drawn, nobody can be told that it cannot be.
            let _ = write!(text, "{}/s", HumanCount(state.per_sec() as u64));
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.with_key("rate", rate));
        bar.set_message(what);
        self.bar = bar;
        self.unseen = Some(Instant::now());
    }

    /// So many bytes or items are done.
    pub(crate) fn progress(&mut self, done: u64) {
        if self.unseen.take_if(|since| since.elapsed() > UNSEEN).is_some() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        self.bar.set_position(done);
    }

    /// Takes the bar away.
    pub(crate) fn end_progress(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
        self.unseen = None;
    }
}

/// Prints `annals: …` on standard error. When even that fails, there is nobody left to tell.
pub(crate) fn complain(what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "annals: {what}");
}

fn write_out(reader: &mut Reader, bytes: &[u8]) -> anyhow::Result<Reader> {
    if *reader == Reader::There {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => *reader = Reader::Gone,
            Err(error) => return Err(error).context("cannot write to standard output"),
        }
    }
    Ok(*reader)
}

/// Rows below their heads, each column as wide as it needs, aligned to the right where `right` says so.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    right: [bool; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let rows: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, right), width) in row.iter().zip(right).zip(widths) {
            match right {
                true => line += &format!("{cell:>width$}  "),
                false => line += &format!("{cell:width$}  "),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A number of bytes for a person: exact below 10,000, with a unit from there on.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if self.0 < 10_000 {
            return write!(f, "{} bytes", self.0);
        }
        let mut value = self.0 as f64 / 1000.0;
        let mut unit = 0;
        while value >= 999.95 && unit + 1 < units.len() {
            value /= 1000.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", units[unit])
    }
}

/// A span of time for a person.
pub(crate) struct Took(pub(crate) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            millis @ ..1000 => write!(f, "{millis} ms"),
            _ => write!(f, "{:.2} s", self.0.as_secs_f64()),
        }
    }
}

/// A number of things: `1 item`, `2 items`.
pub(crate) struct Count(pub(crate) u64, pub(crate) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A moment, given in milliseconds since 1970, in UTC as RFC 3339 writes it.
pub(crate) struct Moment(pub(crate) u64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", self.0 % 1000)
    }
}

/// The date so many days after 1970-01-01. Years are counted from March on, so that the leap day comes last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar_for_eight_centuries() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..300_000 {
            assert_eq!(date(days), (year, month, day), "{days} days");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!(Moment(1_700_000_000_123).to_string(), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn tables_line_up() {
        let rows = [["a", "1"], ["long", "1000"]].map(|row| row.map(str::to_owned));
        let text = table(["NAME", "N"], [false, true], rows.into_iter());
        assert_eq!(text, "NAME     N\na        1\nlong  1000\n");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(Bytes(0).to_string(), "0 bytes");
        assert_eq!(Bytes(9_999).to_string(), "9999 bytes");
        assert_eq!(Bytes(999_950).to_string(), "1.0 MB");
        assert_eq!(Bytes(u64::MAX).to_string(), "18.4 EB");
        assert_eq!(Took(Duration::from_millis(999)).to_string(), "999 ms");
        assert_eq!(Took(Duration::from_millis(1500)).to_string(), "1.50 s");
        assert_eq!(Count(1, "item").to_string(), "1 item");
        assert_eq!(Count(0, "item").to_string(), "0 items");
    }
}
