fn main() {
    harness::pin::export("glommio");
}
