//! Spawning from threads that are no workers.
//!
//! Beside what tasks.rs needs (yield_now, detach), `rt` has
//!
//! ```text
//! type Remote: Clone + Send + 'static
//! fn outside<R: Send>(workers: usize, work: impl FnOnce(Remote) -> R + Send) -> R
//!                     starts the runtime, and calls `work` on a thread that is no worker
//! fn remote_detach(remote: &Remote, future)      spawns a task, nobody joins
//! ```

use super::rt;
use harness::{Meter, Options, Report};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::Thread;

/// Does one of `harness::OUTSIDE`.
pub fn run(options: &'static Options) -> Report {
    let (w, n) = (options.workers, options.n);
    match options.workload {
        "spawn-idle" => rt::outside(w, move |remote| one_thread(&remote, n)),
        "spawn-busy" => rt::outside(w, move |remote| busy(&remote, w, n)),
        "remote-spawn" => {
            let threads = options.threads;
            rt::outside(w, move |remote| many_threads(&remote, threads, n))
        }
        other => harness::fail(&format!("'{other}' is none of the outside workloads")),
    }
}

/// Tells one thread when the last task has ended.
struct Countdown {
    left: AtomicU64,
    waiter: Thread,
}

impl Countdown {
    /// For the thread that calls it; `wait` is for this thread only. It is leaked: a
    /// count of its owners would be one more atomic addition in every task.
    fn new(n: u64) -> &'static Countdown {
        Box::leak(Box::new(Countdown {
            left: AtomicU64::new(n),
            waiter: std::thread::current(),
        }))
    }

    fn down(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waiter.unpark();
        }
    }

    fn wait(&self) {
        while self.left.load(Ordering::Acquire) > 0 {
            std::thread::park();
        }
    }
}

fn spawn_all(remote: &rt::Remote, n: u64, countdown: &'static Countdown) {
    for _ in 0..n {
        rt::remote_detach(remote, async { countdown.down() });
    }
}

/// A task that has run shows that the runtime is up.
fn warm_up(remote: &rt::Remote) {
    let first = Countdown::new(1);
    spawn_all(remote, 1, first);
    first.wait();
}

fn one_thread(remote: &rt::Remote, n: u64) -> Report {
    warm_up(remote);
    measure(remote, n)
}

fn measure(remote: &rt::Remote, n: u64) -> Report {
    let countdown = Countdown::new(n);
    let meter = Meter::start();
    spawn_all(remote, n, countdown);
    countdown.wait();
    let left = countdown.left.load(Ordering::Acquire);
    meter.stop(n, n - left)
}

fn busy(remote: &rt::Remote, workers: usize, n: u64) -> Report {
    static STOP: AtomicBool = AtomicBool::new(false);
    let started = Countdown::new(workers as u64);
    for _ in 0..workers {
        rt::remote_detach(remote, async {
            started.down();
            while !STOP.load(Ordering::Relaxed) {
                rt::yield_now().await;
            }
        });
    }
    started.wait();
    let report = measure(remote, n);
    STOP.store(true, Ordering::Relaxed);
    report
}

fn many_threads(remote: &rt::Remote, threads: usize, n: u64) -> Report {
    if n % threads as u64 != 0 {
        harness::fail("--n of remote-spawn is a multiple of --threads");
    }
    warm_up(remote);
    let countdown = Countdown::new(n);
    let ready = Arc::new(Barrier::new(threads + 1));
    let mut handles = Vec::with_capacity(threads);
    for _ in 0..threads {
        let (ready, remote) = (ready.clone(), remote.clone());
        handles.push(std::thread::spawn(move || {
            ready.wait();
            spawn_all(&remote, n / threads as u64, countdown);
        }));
    }
    ready.wait();
    let meter = Meter::start();
    countdown.wait();
    let report = meter.stop(n, n - countdown.left.load(Ordering::Acquire));
    for handle in handles {
        handle.join().expect("a spawning thread panicked");
    }
    report
}
