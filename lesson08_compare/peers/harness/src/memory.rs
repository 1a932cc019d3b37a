//! What a process has written to, and reading with O_DIRECT.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

/// Private_Dirty of /proc/self/smaps_rollup, in bytes: the pages that this process alone
/// has written to. Unlike the resident size it does not count the program's own text.
pub fn private_dirty() -> u64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/smaps_rollup") else {
        crate::fail("cannot read /proc/self/smaps_rollup");
    };
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("Private_Dirty:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok());
    match kib {
        Some(kib) => kib * 1024,
        None => crate::fail("/proc/self/smaps_rollup has no Private_Dirty"),
    }
}

/// What the workloads read at once.
pub const BLOCK_SIZE: usize = 4096;

/// O_DIRECT wants the memory aligned as well as the offset.
#[repr(C, align(4096))]
pub struct AlignedBlock(pub [u8; BLOCK_SIZE]);

impl AlignedBlock {
    pub fn new() -> Box<AlignedBlock> {
        Box::new(AlignedBlock([0; BLOCK_SIZE]))
    }

    /// A block of the file begins with its own number.
    pub fn number(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(first)
    }
}

/// The file of `read` and `hog`, for runtimes that read with the standard library in a
/// pool of threads; and its size in bytes.
pub fn open_file(path: &str, direct: bool) -> std::io::Result<(File, u64)> {
    let flags = if direct { libc::O_DIRECT } else { 0 };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    #[test]
    fn dirty_memory_grows_with_what_is_written() {
        super::private_dirty();
        let before = super::private_dirty();
        let block = std::hint::black_box(vec![1u8; 8 << 20]);
        let grew = super::private_dirty() - before;
        assert!((8 << 20..12 << 20).contains(&grew), "{grew}");
        drop(block);
    }
}
