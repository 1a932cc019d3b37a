fn main() {
    harness::pin::export("monoio");
}
