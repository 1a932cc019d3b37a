//! The version of a runtime, from where it is fixed: the `=` in the peer's Cargo.toml.
//!
//! cargo takes exactly this version or none, so it is also the one that was built.

/// For a peer's build.rs: the crate sees the version as `env!("RUNTIME_VERSION")`.
pub fn export(dependency: &str) {
    println!("cargo:rerun-if-changed=Cargo.toml");
    let text = std::fs::read_to_string("Cargo.toml").expect("cannot read Cargo.toml");
    let version = find(&text, dependency).expect("Cargo.toml has no such '=' pin");
    println!("cargo:rustc-env=RUNTIME_VERSION={version}");
}

/// Understands `NAME = "=1.2.3"` and `NAME = { version = "=1.2.3", .. }` on one line.
fn find<'a>(text: &'a str, dependency: &str) -> Option<&'a str> {
    let is_it = |line: &&str| {
        line.split('=')
            .next()
            .is_some_and(|name| name.trim() == dependency)
    };
    let (_, pinned) = text.lines().find(is_it)?.split_once("\"=")?;
    Some(pinned.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn both_ways_to_pin() {
        let text = "[dependencies]\ntokio-x = \"=9\"\ntokio = { version = \"=1.2.3\", features = [\"a\"] }\nsmol = \"=2.0\"\n";
        assert_eq!(find(text, "tokio"), Some("1.2.3"));
        assert_eq!(find(text, "smol"), Some("2.0"));
        assert_eq!(find(text, "glommio"), None);
    }
}
