//! How glommio spawns, yields, sleeps and so on; harness/template/ says what each is for.

use glommio::channels::local_channel::{new_bounded, LocalReceiver, LocalSender};
use glommio::io::{BufferedFile, DmaFile};
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, Task};
use harness::{fail, BLOCK_SIZE};
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::rc::Rc;
use std::time::Duration;

/// It needs some locked memory for its rings, and fails if `ulimit -l` is below 512 KiB.
fn executor() -> LocalExecutor {
    match LocalExecutorBuilder::new(Placement::Unbound).make() {
        Ok(executor) => executor,
        Err(error) => fail(&format!("cannot make an executor: {error}").replace('\n', " ")),
    }
}

/// The root is a task on the executor like all others.
pub fn run<F: Future>(_workers: usize, root: F) -> F::Output {
    executor().run(root)
}

pub fn run_noted<F: Future>(workers: usize, root: F) -> F::Output {
    run(workers, root)
}

/// There is one thread: whoever is woken is woken where it runs.
pub const KNOWS_PARKED: bool = false;

pub type Join<T> = Task<T>;

/// Does not only put the task into the queue: it polls it, before spawn returns.
pub fn spawn<F>(future: F) -> Join<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    glommio::spawn_local(future)
}

pub async fn join<T>(handle: Join<T>) -> T {
    handle.await
}

pub fn detach(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(future).detach();
}

/// Unconditionally. Its documentation recommends yield_if_needed, which yields when the
/// time slice is over (100 ms) and does nothing before; that would measure nothing.
pub async fn yield_now() {
    glommio::executor().yield_now().await
}

pub async fn sleep(duration: Duration) {
    glommio::timer::sleep(duration).await
}

pub async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let fallible = async { Ok(future.await) };
    glommio::timer::timeout(limit, fallible).await.ok()
}

/// There is no oneshot: a channel with room for one is the nearest.
pub type OneSender<T> = LocalSender<T>;
pub type OneReceiver<T> = LocalReceiver<T>;

pub fn oneshot<T>() -> (OneSender<T>, OneReceiver<T>) {
    new_bounded(1)
}

pub fn one_send<T>(sender: OneSender<T>, value: T) {
    let _ = sender.try_send(value); // nobody waits any more: so be it
}

pub async fn one_receive<T>(receiver: OneReceiver<T>) -> T {
    receiver.recv().await.expect("the sender is gone")
}

/// A LocalSender cannot be cloned; several tasks of one thread share it.
pub type Sender<T> = Rc<LocalSender<T>>;
pub type Receiver<T> = LocalReceiver<T>;

pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = new_bounded(capacity);
    (Rc::new(sender), receiver)
}

pub async fn send<T>(sender: &Sender<T>, value: T) {
    let _ = sender.send(value).await;
}

pub async fn receive<T>(receiver: &mut Receiver<T>) -> Option<T> {
    receiver.recv().await
}

pub fn alone<T>(future: impl Future<Output = T>) -> T {
    executor().run(future)
}

/// Two kinds of files: DmaFile is O_DIRECT, BufferedFile goes through the page cache.
#[derive(Clone)]
pub enum File {
    Dma(Rc<DmaFile>),
    Buffered(Rc<BufferedFile>),
}

/// Both kinds of reads return memory of glommio's own.
pub type Buffer = ();

pub fn buffer() -> Buffer {}

pub async fn open(path: &'static str, direct: bool) -> Result<(File, u64)> {
    if direct {
        let file = DmaFile::open(path).await?;
        let size = file.file_size().await?;
        Ok((File::Dma(Rc::new(file)), size))
    } else {
        let file = BufferedFile::open(path).await?;
        let size = file.file_size().await?;
        Ok((File::Buffered(Rc::new(file)), size))
    }
}

pub async fn read_block(file: &File, block: u64, _: Buffer) -> Result<(u64, Buffer)> {
    let at = block * BLOCK_SIZE as u64;
    let read = match file {
        File::Dma(file) => file.read_at_aligned(at, BLOCK_SIZE).await?,
        File::Buffered(file) => file.read_at(at, BLOCK_SIZE).await?,
    };
    if read.len() < BLOCK_SIZE {
        return Err(Error::from(ErrorKind::UnexpectedEof));
    }
    let mut first = [0; 8];
    first.copy_from_slice(&read[..8]);
    Ok((u64::from_le_bytes(first), ()))
}
