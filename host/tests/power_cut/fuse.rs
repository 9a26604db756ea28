//! A file system with one file, as the kernel's FUSE protocol wants it: just so much that a loop device can lie on the
//! file. (Crates that do this bring two dozen others.)

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

/// What the one file does.
pub(crate) trait Device: Send + 'static {
    /// Its bytes.
    fn size(&self) -> u64;
    /// Those that there are in this range.
    fn read(&self, offset: u64, len: u32) -> Vec<u8>;
    /// False if it does not reach so far.
    fn write(&self, offset: u64, bytes: &[u8]) -> bool;
    /// `fsync`.
    fn flush(&self);
}

/// The name of the one file.
pub(crate) const FILE: &str = "disk";

/// The file system, until it is dropped.
pub(crate) struct Mounted {
    place: PathBuf,
    server: Option<JoinHandle<()>>,
}

impl Mounted {
    /// Mounts it on a directory. The command does that; the channel to the kernel is its standard input.
    pub(crate) fn new(device: impl Device, place: &Path) -> io::Result<Mounted> {
        let channel = fs::File::options().read(true).write(true).open("/dev/fuse")?;
        let output = Command::new("mount")
            .args(["-i", "-t", "fuse", "-o", "fd=0,rootmode=40000,user_id=0,group_id=0", "annals-power-cut"])
            .arg(place)
            .stdin(Stdio::from(channel.try_clone()?))
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let server = thread::Builder::new().name("fuse".into()).spawn(move || serve(channel, &device))?;
        Ok(Mounted { place: place.to_owned(), server: Some(server) })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if unmount(&self.place)
            && let Some(server) = self.server.take()
        {
            let _ = server.join();
        }
    }
}

/// Whoever used it may take a moment to let go. If somebody does not, it goes out of sight at least.
pub(crate) fn unmount(place: &Path) -> bool {
    let umount = |lazily: &[&str]| {
        let output = Command::new("umount").args(lazily).arg(place).output();
        output.is_ok_and(|output| output.status.success())
    };
    for _ in 0..100 {
        if umount(&[]) {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    umount(&["-l"]);
    false
}

/// Bytes of one write at most.
const MOST: usize = 1 << 20;
const IN_HEADER: usize = 40;
const ROOT: u64 = 1;
const INODE: u64 = 2;

// Operations, and errors, as numbers of the protocol.
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const DESTROY: u32 = 38;
const BATCH_FORGET: u32 = 42;
const ENOENT: i32 = 2;
const EFBIG: i32 = 27;
const ENOSYS: i32 = 38;
const ENODEV: i32 = 19;

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(number(bytes, at))
}

/// Numbers one behind the other, each in so many bytes.
fn packed(numbers: &[(usize, u64)]) -> Vec<u8> {
    numbers.iter().flat_map(|(size, number)| number.to_le_bytes()[..*size].to_vec()).collect()
}

/// Answers until the file system is unmounted.
fn serve(mut channel: fs::File, device: &impl Device) {
    let mut request = vec![0; MOST + (64 << 10)];
    loop {
        let len = match channel.read(&mut request) {
            Ok(len) => len,
            Err(error) if error.raw_os_error() == Some(ENODEV) => return,
            // Interrupted, or a request that was taken back.
            Err(_) => continue,
        };
        let (operation, unique, inode) = (u32_at(&request, 4), u64_at(&request, 8), u64_at(&request, 16));
        let Some(answer) = answer(device, operation, inode, &request[IN_HEADER..len.max(IN_HEADER)]) else {
            continue;
        };
        let (error, bytes) = match answer {
            Ok(bytes) => (0, bytes),
            Err(error) => (-error, Vec::new()),
        };
        let mut reply = packed(&[(4, 16 + bytes.len() as u64), (4, error as u64), (8, unique)]);
        reply.extend(bytes);
        // Nobody waits for it any more if this fails.
        let _ = channel.write(&reply);
    }
}

/// What to answer, if anything.
fn answer(device: &impl Device, operation: u32, inode: u64, body: &[u8]) -> Option<Result<Vec<u8>, i32>> {
    let forever = 3600;
    Some(match operation {
        INIT => {
            let flags = u64::from(u32_at(body, 12)) & (1 << 5 | 1 << 22); // big writes, of many pages
            let pages = MOST as u64 / 4096;
            let mut init = packed(&[(4, 7), (4, 31), (4, 0), (4, flags), (2, 16), (2, 12)]);
            init.extend(packed(&[(4, MOST as u64), (4, 1), (2, pages), (2, 0)]));
            init.resize(64, 0);
            Ok(init)
        }
        LOOKUP if inode == ROOT && body.strip_suffix(b"\0") == Some(FILE.as_bytes()) => {
            let mut entry = packed(&[(8, INODE), (8, 0), (8, forever), (8, forever), (8, 0)]);
            entry.extend(attributes(device, INODE));
            Ok(entry)
        }
        LOOKUP => Err(ENOENT),
        GETATTR => Ok([packed(&[(8, forever), (8, 0)]), attributes(device, inode)].concat()),
        OPEN => Ok(packed(&[(8, 0), (4, 1), (4, 0)])), // past the page cache
        READ => Ok(device.read(u64_at(body, 8), u32_at(body, 16))),
        WRITE => {
            let (offset, len) = (u64_at(body, 8), u32_at(body, 16));
            let bytes = body.get(40..).and_then(|bytes| bytes.get(..len as usize));
            match bytes.is_some_and(|bytes| device.write(offset, bytes)) {
                true => Ok(packed(&[(8, len.into())])),
                false => Err(EFBIG),
            }
        }
        FSYNC => {
            device.flush();
            Ok(Vec::new())
        }
        STATFS => Ok(vec![0; 80]),
        RELEASE | FLUSH | DESTROY => Ok(Vec::new()),
        FORGET | BATCH_FORGET | INTERRUPT => return None,
        _ => Err(ENOSYS),
    })
}

fn attributes(device: &impl Device, inode: u64) -> Vec<u8> {
    let (mode, size) = if inode == ROOT { (0o040_700, 0) } else { (0o100_600, device.size()) };
    let times = [(8, 0); 3];
    let mut attributes = packed(&[(8, inode), (8, size), (8, size / 512)]);
    attributes.extend(packed(&times));
    attributes.extend(packed(&[(4, 0), (4, 0), (4, 0), (4, mode), (4, 1), (4, 0), (4, 0), (4, 0)]));
    attributes.extend(packed(&[(4, 4096), (4, 0)]));
    attributes
}
