//! What the demos need: panics that only show where the demo shows them, a guard that
//! says when a future is dropped, and a child for what takes the whole process along.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// From here on a panic prints nothing by itself.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|_| ()));
}

/// The text of a panic, shortened to its first sentence.
pub fn message(panic: &(dyn Any + Send)) -> &str {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "(no text)",
    };
    let line = text.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(sentence, _)| sentence)
}

/// What `work` returned, or the message of the panic that came out of it.
pub fn try_to<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(&*panic).to_string())
}

/// Is moved into a future; `Dropped::was` says whether the future is gone.
#[derive(Default)]
pub struct Dropped(Arc<AtomicBool>);

impl Dropped {
    /// One to keep and one to move into the future.
    pub fn pair() -> (Dropped, DropGuard) {
        let dropped = Dropped::default();
        let guard = DropGuard(dropped.0.clone());
        (dropped, guard)
    }

    pub fn was(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

pub struct DropGuard(Arc<AtomicBool>);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Does `work` in a child process and says how that ended. To be called while there is
/// only one thread: a fork copies no others.
pub fn in_child(work: impl FnOnce()) -> String {
    use std::io::Write;
    let _ = std::io::stdout().flush();
    let mut status = 0;
    unsafe {
        let child = libc::fork();
        if child < 0 {
            crate::fail("cannot fork");
        }
        if child == 0 {
            let unwound = catch_unwind(AssertUnwindSafe(work)).is_err();
            crate::leave(if unwound { 101 } else { 0 });
        }
        libc::waitpid(child, &mut status, 0);
    }
    match (libc::WIFSIGNALED(status), libc::WTERMSIG(status)) {
        (true, libc::SIGABRT) => "killed by SIGABRT".to_string(),
        (true, signal) => format!("killed by signal {signal}"),
        _ => format!("ended with status {}", libc::WEXITSTATUS(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(message(&"a. Or\nb"), "a");
        assert_eq!(message(&"c".to_string()), "c");
        assert_eq!(try_to(|| 1), Ok(1));
        let (dropped, guard) = Dropped::pair();
        assert!(!dropped.was());
        drop(guard);
        assert!(dropped.was());
    }
}
