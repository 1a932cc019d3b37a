//! Mode `multi`: smol::spawn, whose global executor has SMOL_THREADS threads.

pub mod rt {
    pub use crate::common::*;
    use std::future::Future;

    /// Has to come before the first spawn, which is when smol reads it.
    fn set_threads(workers: usize) {
        std::env::set_var("SMOL_THREADS", workers.to_string());
    }

    /// The main thread only waits: neither does smol::block_on run tasks of the global
    /// executor on it, nor would it help to have it drive the I/O beside the workers,
    /// which is what smol::block_on does while it waits and this block_on does not. So
    /// there are `workers` threads that work, and smol's "async-io" thread, which only
    /// drives the I/O while none of them does.
    pub fn run<F>(workers: usize, root: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        set_threads(workers);
        smol::future::block_on(spawn(root))
    }

    pub fn run_noted<F>(workers: usize, root: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        run(workers, root)
    }

    pub fn spawn<F>(future: F) -> Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        smol::spawn(future)
    }

    pub fn detach(future: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(future).detach();
    }

    /// smol::spawn works from everywhere: there is nothing to hand over.
    #[derive(Clone)]
    pub struct Remote;

    pub fn outside<R: Send>(workers: usize, work: impl FnOnce(Remote) -> R + Send) -> R {
        set_threads(workers);
        work(Remote)
    }

    pub fn remote_detach(_: &Remote, future: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(future).detach();
    }
}

#[path = "../../harness/template/jitter.rs"]
pub mod jitter;
#[path = "../../harness/template/outside.rs"]
pub mod outside;
#[path = "../../harness/template/reads.rs"]
pub mod reads;
#[path = "../../harness/template/tasks.rs"]
pub mod tasks;
