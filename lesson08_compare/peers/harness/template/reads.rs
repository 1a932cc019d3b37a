//! Reading a file at random.
//!
//! Beside what tasks.rs needs (run, spawn, join, yield_now), `rt` has
//!
//! ```text
//! type File: Clone + 'static                             Arc or Rc of an open file
//! type Buffer                                            room for one block, reused
//! async fn open(path: &'static str, direct: bool) -> io::Result<(File, u64)>
//!                                                        and its size in bytes
//! fn buffer() -> Buffer                                  for example AlignedBlock::new()
//! async fn read_block(file: &File, block: u64, buffer: Buffer) -> io::Result<(u64, Buffer)>
//!                                                        reads block * BLOCK_SIZE, returns
//!                                                        the first 8 bytes as a number
//! ```

use super::rt;
use harness::{fail, mix, now_ns, Meter, Options, Percentiles, Report, BLOCK_SIZE};
use std::sync::atomic::{AtomicBool, Ordering};

/// Does one of `harness::READS`.
pub fn run(options: &'static Options) -> Report {
    match options.workload {
        "read" => rt::run(options.workers, read(options)),
        "hog" => rt::run(options.workers, hog(options)),
        other => fail(&format!("'{other}' is none of the reads' workloads")),
    }
}

async fn open(options: &'static Options) -> (rt::File, u64) {
    let path = options.file();
    match rt::open(path, options.direct).await {
        Err(error) => fail(&format!("cannot open {path}: {error}")),
        Ok((_, size)) if size < BLOCK_SIZE as u64 => fail(&format!("{path} has no block")),
        Ok((file, size)) => (file, size / BLOCK_SIZE as u64),
    }
}

async fn read_block(file: &rt::File, block: u64, buffer: rt::Buffer) -> (u64, rt::Buffer) {
    match rt::read_block(file, block, buffer).await {
        Ok(read) => read,
        Err(error) => fail(&format!("cannot read block {block}: {error}")),
    }
}

async fn read(options: &'static Options) -> Report {
    let (n, depth) = (options.n, options.depth as u64);
    let (file, blocks) = open(options).await;
    let meter = Meter::start();
    let mut handles = Vec::with_capacity(options.depth);
    for t in 0..depth {
        let file = file.clone();
        handles.push(rt::spawn(async move {
            let (mut sum, mut buffer) = (0, rt::buffer());
            for i in (t..n).step_by(depth as usize) {
                let number;
                (number, buffer) = read_block(&file, mix(i) % blocks, buffer).await;
                sum += number;
            }
            sum
        }));
    }
    let mut sum = 0;
    for handle in handles {
        sum += rt::join(handle).await;
    }
    meter.stop(n, sum)
}

async fn hog(options: &'static Options) -> Report {
    static STOP: AtomicBool = AtomicBool::new(false);
    let n = options.n;
    let (file, blocks) = open(options).await;
    let meter = Meter::start();
    let computes = rt::spawn(async {
        while !STOP.load(Ordering::Relaxed) {
            let until = now_ns() + 1_000_000;
            while now_ns() < until {
                std::hint::spin_loop();
            }
            rt::yield_now().await;
        }
    });
    let reads = rt::spawn(async move {
        let (mut sum, mut buffer) = (0, rt::buffer());
        let mut times = Percentiles::with_capacity(n as usize);
        for i in 0..n {
            let start = now_ns();
            let number;
            (number, buffer) = read_block(&file, mix(i) % blocks, buffer).await;
            times.add(now_ns() - start);
            sum += number;
        }
        STOP.store(true, Ordering::Relaxed);
        (sum, times)
    });
    let (sum, mut times) = rt::join(reads).await;
    rt::join(computes).await;
    let report = meter.stop(n, sum).with("p50_ns", times.at(50));
    report
        .with("p99_ns", times.at(99))
        .with("max_ns", times.max())
}
