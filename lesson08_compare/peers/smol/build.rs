fn main() {
    harness::pin::export("smol");
}
