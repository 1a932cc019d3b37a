fn main() {
    harness::pin::export("async-std");
}
