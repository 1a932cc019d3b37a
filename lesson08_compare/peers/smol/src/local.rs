//! Mode `local`: a LocalExecutor in smol::block_on, on the main thread.
//!
//! Its tasks need not be Send, and nobody else can spawn any: there is no `outside`.

pub mod rt {
    pub use crate::common::*;
    use smol::LocalExecutor;
    use std::future::Future;

    thread_local! {
        static EXECUTOR: LocalExecutor<'static> = const { LocalExecutor::new() };
    }

    pub fn run<F>(_workers: usize, root: F) -> F::Output
    where
        F: Future<Output: 'static> + 'static,
    {
        EXECUTOR.with(|executor| smol::block_on(executor.run(executor.spawn(root))))
    }

    pub fn run_noted<F>(workers: usize, root: F) -> F::Output
    where
        F: Future<Output: 'static> + 'static,
    {
        run(workers, root)
    }

    pub fn spawn<F>(future: F) -> Join<F::Output>
    where
        F: Future<Output: 'static> + 'static,
    {
        EXECUTOR.with(|executor| executor.spawn(future))
    }

    pub fn detach(future: impl Future<Output = ()> + 'static) {
        spawn(future).detach();
    }

    /// smol has one driver for the whole process: of two threads in block_on one waits in
    /// epoll_wait and the other sleeps on a condition variable.
    pub fn alone<T>(future: impl Future<Output = T>) -> T {
        smol::block_on(LocalExecutor::new().run(future))
    }
}

#[path = "../../harness/template/jitter.rs"]
pub mod jitter;
#[path = "../../harness/template/reads.rs"]
pub mod reads;
#[path = "../../harness/template/tasks.rs"]
pub mod tasks;
#[path = "../../harness/template/wake.rs"]
pub mod wake;
