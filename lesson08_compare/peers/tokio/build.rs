fn main() {
    harness::pin::export("tokio");
}
