//! Components that attack their host: each is the world `annals` with hostile functions, mostly one in place of
//! `journal.open`. Whatever they do, the answer is a typed error, limits hold, logs beside them go on, and nothing outside
//! of the storage is touched.

mod answers;
mod component;
mod planted;
mod reentry;
mod storage;
mod time_and_memory;
mod wear;

use annals::{
    Config, Error, Journal, Runtime,
    error::Bound,
    journal::Options,
    link::Quota,
    storage::{Directory, Storage},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

static HEALTHY: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A directory with a healthy log in it, beside which attacks are made. Everything around it is watched.
struct Stage {
    around: PathBuf,
    directory: Arc<Directory>,
    healthy: Journal,
    appended: u64,
}

/// What an attack reports when it comes to its end: how many of its calls were done, and what the last refusal was, as
/// the number of its case in `storage.error`.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    done: u64,
    refused: u64,
}

/// Cases of `storage.error`.
const EXISTS: u64 = 1;
const LOCKED: u64 = 2;
const OUT_OF_SPACE: u64 = 3;
const INVALID_NAME: u64 = 4;
const IO: u64 = 6;
const NONE: u64 = 99;

impl Stage {
    fn new() -> Stage {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let around =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("attack-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&around);
        fs::create_dir_all(&around).unwrap();
        fs::write(around.join("secret"), "secret").unwrap();
        let directory = Arc::new(Directory::open(around.join("root")).unwrap());
        let healthy = HEALTHY.journal(directory.clone(), "healthy", &Options::default()).unwrap();
        let stage = Stage { around, directory, healthy, appended: 0 };
        stage.check_around();
        stage
    }

    /// Small limits, so that attacks end soon.
    fn config() -> Config {
        let mut quota = Quota::default();
        quota.stored_bytes = 64 << 20;
        quota.file_bytes = 16 << 20;
        (quota.files, quota.cells, quota.locks) = (50, 50, 50);
        (quota.transfer_bytes, quota.calls) = (8 << 20, 20_000);
        Config::new().quota(quota).memory_bytes(32 << 20).handles(100).call_time(Duration::from_secs(20))
    }

    /// Attacks with `body` in place of `journal.open`.
    fn attack(&mut self, config: Config, body: &str) -> Result<Report, Error> {
        self.attack_with(config, &component::hostile(body))
    }

    /// Attacks with a component, by opening a journal.
    fn attack_with(&mut self, config: Config, component: &[u8]) -> Result<Report, Error> {
        let runtime = Runtime::compile(component, config).unwrap();
        let opened = runtime.journal(self.directory.clone(), "victim", &Options::default());
        let outcome = match opened {
            Err(Error::OutOfRange(bounds)) => Ok(Report { done: bounds.start, refused: bounds.end }),
            Err(error) => Err(error),
            Ok(_) => panic!("the attack opened a journal"),
        };
        self.check_around();
        self.use_healthy();
        outcome
    }

    /// The attack comes to its end and reports.
    fn survives(&mut self, body: &str) -> Report {
        let chain = |error: Error| {
            let told: Vec<String> =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                    .map(ToString::to_string)
                    .collect();
            panic!("the attack was ended: {told:?}")
        };
        self.attack(Stage::config(), body).unwrap_or_else(chain)
    }

    /// The attack is stopped by this limit.
    fn stopped(&mut self, config: Config, body: &str, what: Bound) {
        match self.attack(config, body) {
            Err(Error::Limit { what: met, .. }) if met == what => {}
            other => panic!("not stopped by {what:?}: {other:?}"),
        }
    }

    fn check_around(&self) {
        let mut names: Vec<_> =
            fs::read_dir(&self.around).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["root", "secret"], "something outside of the storage was touched");
        assert_eq!(fs::read(self.around.join("secret")).unwrap(), b"secret");
        let mut names: Vec<_> =
            fs::read_dir(self.around.join("root")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["cells", "files", "locks"]);
    }

    fn use_healthy(&mut self) {
        assert_eq!(self.healthy.append(b"well"), Ok(self.appended));
        self.healthy.sync().unwrap();
        assert_eq!(self.healthy.read(self.appended), Ok(b"well".to_vec()));
        self.appended += 1;
    }

    fn bytes(&self) -> u64 {
        self.directory.usage().unwrap().bytes
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.around);
        }
    }
}
