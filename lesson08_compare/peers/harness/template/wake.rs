//! Two threads, each in its own single-threaded runtime, wake each other in turn.
//!
//! `rt` has
//!
//! ```text
//! fn alone<T>(future: impl Future<Output = T>) -> T     block_on of a single-threaded
//!                                                       runtime with its I/O driver, made
//!                                                       for this call on this thread
//! ```

use super::rt;
use harness::wake::Bell;
use harness::{now_ns, Meter, Options, Percentiles, Report};
use std::sync::Arc;

pub fn run(options: &'static Options) -> Report {
    let n = options.n;
    let bells = Arc::new((Bell::default(), Bell::default()));
    let theirs = bells.clone();
    let partner = std::thread::spawn(move || {
        rt::alone(async move {
            let (here, there) = (&theirs.0, &theirs.1);
            there.ring(); // up
            for _ in 0..n {
                here.wait().await;
                there.ring();
            }
        })
    });
    let report = rt::alone(async move {
        let (there, here) = (&bells.0, &bells.1);
        let (mut trips, mut times) = (0, Percentiles::with_capacity(n as usize));
        here.wait().await;
        let meter = Meter::start();
        for _ in 0..n {
            let start = now_ns();
            there.ring();
            here.wait().await;
            times.add(now_ns() - start);
            trips += 1;
        }
        let report = meter.stop(n, trips);
        report
            .with("p50_ns", times.at(50))
            .with("p99_ns", times.at(99))
    });
    partner.join().expect("the partner panicked");
    report
}
