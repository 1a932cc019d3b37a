//! How long after a timer's wake a task is polled.
//!
//! Beside what tasks.rs needs (spawn, join, sleep), `rt` has
//!
//! ```text
//! fn run_noted(workers, root)      as `run`; if the runtime has hooks for it, its threads
//!                                  call harness::jitter::{thread_parks, thread_unparked}
//! const KNOWS_PARKED: bool         it has
//! ```

use super::rt;
use harness::jitter::{describe, Noted};
use harness::{Meter, Options, Report};
use std::time::Duration;

pub fn run(options: &'static Options) -> Report {
    rt::run_noted(options.workers, jitter(options.n))
}

async fn jitter(n: u64) -> Report {
    const TASKS: u64 = 64;
    let meter = Meter::start();
    let mut handles = Vec::with_capacity(TASKS as usize);
    for _ in 0..TASKS {
        handles.push(rt::spawn(async move {
            let (mut wakes, mut samples) = (0, Vec::with_capacity(n as usize));
            for _ in 0..n {
                let sample = Noted::new(rt::sleep(Duration::from_millis(1))).await;
                samples.extend(sample);
                wakes += 1;
            }
            (wakes, samples)
        }));
    }
    let (mut wakes, mut samples) = (0, Vec::new());
    for handle in handles {
        let (of_task, mut some) = rt::join(handle).await;
        wakes += of_task;
        samples.append(&mut some);
    }
    describe(meter.stop(wakes, wakes), samples, rt::KNOWS_PARKED)
}
