//! How monoio spawns, yields, sleeps and so on; harness/template/ says what each is for.

use harness::{fail, AlignedBlock, BLOCK_SIZE};
use local_sync::mpsc::bounded;
use local_sync::oneshot as once;
use monoio::buf::{IoBuf, IoBufMut};
use monoio::time::TimeDriver;
use monoio::{FusionRuntime, IoUringDriver, LegacyDriver, RuntimeBuilder};
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Mode `legacy`, not `uring`. Set once, before anything else.
pub static LEGACY: AtomicBool = AtomicBool::new(false);

pub fn is_legacy() -> bool {
    LEGACY.load(Ordering::Relaxed)
}

/// "Fusion" is monoio's word for "one of the two".
pub fn runtime() -> FusionRuntime<TimeDriver<IoUringDriver>, TimeDriver<LegacyDriver>> {
    let built = if is_legacy() {
        let builder = RuntimeBuilder::<LegacyDriver>::new().enable_all();
        builder.build().map(FusionRuntime::from)
    } else {
        let builder = RuntimeBuilder::<IoUringDriver>::new().enable_all();
        builder.build().map(FusionRuntime::from)
    };
    built.unwrap_or_else(|error| fail(&format!("cannot make the runtime and its driver: {error}")))
}

pub fn run<F>(_workers: usize, root: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    runtime().block_on(async { monoio::spawn(root).await })
}

pub fn run_noted<F>(workers: usize, root: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    run(workers, root)
}

/// There is one thread: whoever is woken is woken where it runs.
pub const KNOWS_PARKED: bool = false;

pub type Join<T> = monoio::task::JoinHandle<T>;

pub fn spawn<F>(future: F) -> Join<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    monoio::spawn(future)
}

pub async fn join<T>(handle: Join<T>) -> T {
    handle.await
}

pub fn detach(future: impl Future<Output = ()> + 'static) {
    monoio::spawn(future); // a handle that is dropped detaches its task
}

/// There is none, and the usual one - wake yourself, say Pending - yields to nobody: who
/// wakes itself comes to the front of the queue. To wait for an empty task, which comes to
/// its end, is the nearest; so a yield costs a spawn and a join here.
pub async fn yield_now() {
    monoio::spawn(async {}).await
}

pub async fn sleep(duration: Duration) {
    monoio::time::sleep(duration).await
}

pub async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    monoio::time::timeout(limit, future).await.ok()
}

pub type OneSender<T> = once::Sender<T>;
pub type OneReceiver<T> = once::Receiver<T>;

pub fn oneshot<T>() -> (OneSender<T>, OneReceiver<T>) {
    once::channel()
}

pub fn one_send<T>(sender: OneSender<T>, value: T) {
    let _ = sender.send(value); // nobody waits any more: so be it
}

pub async fn one_receive<T>(receiver: OneReceiver<T>) -> T {
    match receiver.await {
        Ok(value) => value,
        Err(_) => fail("the sender is gone"),
    }
}

pub type Sender<T> = bounded::Tx<T>;
pub type Receiver<T> = bounded::Rx<T>;

pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    bounded::channel(capacity)
}

pub async fn send<T>(sender: &Sender<T>, value: T) {
    let _ = sender.send(value).await;
}

pub async fn receive<T>(receiver: &mut Receiver<T>) -> Option<T> {
    receiver.recv().await
}

pub fn alone<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

pub type File = Rc<monoio::fs::File>;

/// A buffer goes into an operation and comes back out of it: the kernel has it meanwhile.
pub struct Buffer(Box<AlignedBlock>);

/// The promises that monoio asks for: the memory stays where it is, and is all there.
unsafe impl IoBuf for Buffer {
    fn read_ptr(&self) -> *const u8 {
        self.0 .0.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        BLOCK_SIZE
    }
}

unsafe impl IoBufMut for Buffer {
    fn write_ptr(&mut self) -> *mut u8 {
        self.0 .0.as_mut_ptr()
    }

    fn bytes_total(&mut self) -> usize {
        BLOCK_SIZE
    }

    unsafe fn set_init(&mut self, _bytes: usize) {}
}

pub fn buffer() -> Buffer {
    Buffer(AlignedBlock::new())
}

pub async fn open(path: &'static str, direct: bool) -> Result<(File, u64)> {
    let (file, size) = harness::open_file(path, direct)?;
    Ok((Rc::new(monoio::fs::File::from_std(file)?), size))
}

/// In mode `legacy` this is a pread that blocks the thread, and all tasks with it.
pub async fn read_block(file: &File, block: u64, buffer: Buffer) -> Result<(u64, Buffer)> {
    let (read, buffer) = file.read_at(buffer, block * BLOCK_SIZE as u64).await;
    match read? {
        BLOCK_SIZE => Ok((buffer.0.number(), buffer)),
        _ => Err(Error::from(ErrorKind::UnexpectedEof)),
    }
}
