//! Small ext4 file systems, mounted through loop devices by the ordinary commands. Everything is undone on drop.

use crate::{
    device::Recorder,
    fuse::{self, FILE},
};
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// Bytes of a file system: as small as all five logs and a journal of 4 MiB allow.
const SIZE: u64 = 32 << 20;

/// Runs a command; what it printed, or what it complained about.
pub(crate) fn run(command: &str, args: &[&Path]) -> Result<String, String> {
    let mut words = command.split(' ');
    let name = words.next().unwrap_or_default();
    let output = Command::new(name).args(words).args(args).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// A directory for one test, in memory where there is such a place: images are rewritten all the time.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let memory = Path::new("/dev/shm");
        let at = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let place = Place(at.join(format!("annals-power-{}-{count}", std::process::id())));
        fs::create_dir_all(&place.0).expect("a directory for the test");
        place
    }

    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).expect("a directory for the test");
        path
    }

    /// The bytes of a new, empty file system. Nothing is left to be set up in the background.
    pub(crate) fn empty(&self) -> Result<Vec<u8>, String> {
        let image = self.0.join("empty");
        fs::File::create(&image).and_then(|file| file.set_len(SIZE)).map_err(|error| error.to_string())?;
        let options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
        run(&format!("mkfs.ext4 -q -F -b 4096 -m 0 -E {options}"), &[&image])?;
        let bytes = fs::read(&image).map_err(|error| error.to_string())?;
        fs::remove_file(&image).map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An ext4 whose disk remembers.
pub(crate) struct Recorded {
    /// Where it is mounted.
    pub(crate) root: PathBuf,
    loop_device: Option<String>,
    file: Option<fuse::Mounted>,
}

impl Recorded {
    /// Mounts it, or says why that is not possible here.
    pub(crate) fn mount(place: &Place, recorder: &Recorder) -> Result<Recorded, String> {
        let (below, root) = (place.directory("below"), place.directory("root"));
        let file = recorder.mount(&below).map_err(|error| format!("FUSE: {error}"))?;
        let mut recorded = Recorded { root, loop_device: None, file: Some(file) };
        let device = run("losetup --find --show --direct-io=on", &[&below.join(FILE)])?;
        recorded.loop_device = Some(device.clone());
        run("mount -t ext4", &[Path::new(&device), &recorded.root])?;
        Ok(recorded)
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if self.loop_device.is_some() {
            fuse::unmount(&self.root);
        }
        if let Some(device) = self.loop_device.take() {
            let _ = run("losetup --detach", &[Path::new(&device)]);
        }
        drop(self.file.take());
    }
}

/// A file that takes one image after the other, and is mounted for a while.
pub(crate) struct Slot {
    image: fs::File,
    path: PathBuf,
    pub(crate) root: PathBuf,
}

impl Slot {
    pub(crate) fn new(place: &Place) -> Slot {
        let path = place.0.join("image");
        let image =
            fs::File::options().create(true).write(true).truncate(true).open(&path).expect("an image");
        Slot { image, path, root: place.directory("image-root") }
    }

    /// Puts an image there and mounts it, which replays the journal of the file system.
    pub(crate) fn mount(&self, bytes: &[u8]) -> Result<Mounted<'_>, String> {
        self.image.write_all_at(bytes, 0).map_err(|error| error.to_string())?;
        run("mount -t ext4 -o loop", &[&self.path, &self.root])?;
        Ok(Mounted(self))
    }
}

/// A mounted image.
pub(crate) struct Mounted<'a>(&'a Slot);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        fuse::unmount(&self.0.root);
    }
}
